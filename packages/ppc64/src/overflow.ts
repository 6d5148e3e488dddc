/**
 * Negative counters, conditions, alerts and what they bring: the interrupt, or an event-based branch. Power ISA 3.0B, book III, 9.2 (definitions), 9.4.4
 * (PMAE, FCECE, TRIGGER, PMAO), 9.6; book II, 7.
 *
 * A negative counter is a level: whatever enables its condition finds it.
 */
import type { Vcpu, View } from '@countervisor/contract';
import { isModern, MMCR0 } from './registers/mmcr.ts';

const NEGATIVE = 0x8000_0000n;
const PME = 1n << 32n;
const PMEO = 1n;
const GE = 1n << 63n;

const negative = (view: View, n: number): boolean => (view.get(`PMC${n}`) & NEGATIVE) !== 0n;

/** Is some enabled counter condition there? While TRIGGER waits for PMC1, the others are not asked. */
function condition(view: View, mmcr0: bigint): boolean {
  if ((mmcr0 & MMCR0.PMC1CE) !== 0n && negative(view, 1)) return true;
  if ((mmcr0 & MMCR0.PMCjCE) === 0n || (mmcr0 & MMCR0.TRIGGER) !== 0n) return false;
  for (let n = 2; n <= (isModern(view) ? 6 : 8); n++) if (negative(view, n)) return true;
  return false;
}

/** An enabled condition or time base event has occurred: freeze, trigger, alert. */
export function occurred(vcpu: Vcpu): void {
  let mmcr0 = vcpu.get('MMCR0');
  // FCECE is treated as 0 while TRIGGER is 1; TRIGGER ends with the first condition.
  if ((mmcr0 & MMCR0.TRIGGER) !== 0n) mmcr0 &= ~MMCR0.TRIGGER;
  else if ((mmcr0 & MMCR0.FCECE) !== 0n) mmcr0 |= MMCR0.FC;
  if ((mmcr0 & MMCR0.PMAE) !== 0n) {
    mmcr0 = (mmcr0 & ~MMCR0.PMAE) | MMCR0.PMAO;
    vcpu.set('ALERTED', 1n);
    alert(vcpu, mmcr0);
  }
  if (mmcr0 !== vcpu.get('MMCR0')) vcpu.set('MMCR0', mmcr0);
}

/** An alert, with EBE, is an event-based exception where BESCR enables it. */
function alert(vcpu: Vcpu, mmcr0: bigint): void {
  if ((mmcr0 & MMCR0.EBE) === 0n || !isModern(vcpu)) return;
  const bescr = vcpu.get('BESCR');
  if ((bescr & PME) !== 0n) vcpu.set('BESCR', (bescr & ~PME) | PMEO);
}

/** After a change of controls or counters: does something that is enabled already stand there? */
export function evaluate(vcpu: Vcpu): void {
  if (condition(vcpu, vcpu.get('MMCR0'))) occurred(vcpu);
}

/** A counter passed bit 31: into the negative, or out of it. */
export function overflow(vcpu: Vcpu, counter: number): void {
  if (!negative(vcpu, counter + 1)) return;
  // A negative PMC1 lets the others go, whether it is a condition or not.
  const mmcr0 = vcpu.get('MMCR0');
  if (counter === 0 && (mmcr0 & MMCR0.TRIGGER) !== 0n && (mmcr0 & MMCR0.PMC1CE) === 0n) {
    vcpu.set('MMCR0', mmcr0 & ~MMCR0.TRIGGER);
  }
  evaluate(vcpu);
}

/** PMAO is the interrupt's level, unless alerts make event-based branches. */
export function line(view: View): boolean {
  const mmcr0 = view.get('MMCR0');
  return (mmcr0 & MMCR0.PMAO) !== 0n && !(isModern(view) && (mmcr0 & MMCR0.EBE) !== 0n);
}

/** Is an event-based branch due? In problem state, with GE. */
export function branchDue(view: View): boolean {
  if (view.level !== 0 || !isModern(view)) return false;
  const bescr = view.get('BESCR');
  return (bescr & GE) !== 0n && (bescr & PMEO) !== 0n;
}
