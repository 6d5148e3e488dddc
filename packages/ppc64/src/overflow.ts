/**
 * Negative counters, conditions, alerts and what they bring: the interrupt, or an event-based branch. Power ISA 3.0B, book III, 9.2 (definitions), 9.4.4
 * (PMAE, FCECE, TRIGGER, TBSEL, PMAO), 9.6; book II, 7.
 *
 * A negative counter is a level: whatever enables its condition finds it. A time base event is an edge.
 */
import type { Vcpu, View } from '@countervisor/contract';
import { cycleOf, timeBase } from './platform/timer.ts';
import { apart, isModern, MMCR0, MMCRA, SIER, timeBaseBit } from './registers/mmcr.ts';

const NEGATIVE = 0x8000_0000n;
const PME = 1n << 32n;
const PMEO = 1n;
const GE = 1n << 63n;

/** A bit for each negative counter of the monitor's, PMC1's the lowest. */
export function negatives(view: View): bigint {
  let bits = 0n;
  const most = isModern(view) ? (apart(view.get('MMCR0')) ? 4 : 6) : 8;
  for (let n = 1; n <= most; n++) if ((view.get(`PMC${n}`) & NEGATIVE) !== 0n) bits |= 1n << BigInt(n - 1);
  return bits;
}

/** Is a counter negative whose condition is enabled? */
function condition(mmcr0: bigint, negative: bigint): boolean {
  const enabled = ((mmcr0 & MMCR0.PMC1CE) === 0n ? 0n : 1n) | ((mmcr0 & MMCR0.PMCjCE) === 0n ? 0n : 0xfen);
  return (negative & enabled) !== 0n;
}

/** An enabled condition or time base event has occurred: trigger, freeze, alert. Was it an alert? */
function occurred(vcpu: Vcpu): boolean {
  let mmcr0 = vcpu.get('MMCR0');
  const alerts = (mmcr0 & MMCR0.PMAE) !== 0n;
  // FCECE is treated as 0 while TRIGGER is 1; TRIGGER ends with whatever occurs.
  if ((mmcr0 & MMCR0.TRIGGER) !== 0n) mmcr0 &= ~MMCR0.TRIGGER;
  else if ((mmcr0 & MMCR0.FCECE) !== 0n) mmcr0 |= MMCR0.FC;
  if (alerts) mmcr0 = (mmcr0 & ~MMCR0.PMAE) | MMCR0.PMAO;
  if (mmcr0 !== vcpu.get('MMCR0')) vcpu.set('MMCR0', mmcr0);
  if (alerts) branch(vcpu, mmcr0);
  return alerts;
}

/** An alert, with EBE, is an event-based exception where BESCR enables it. */
function branch(vcpu: Vcpu, mmcr0: bigint): void {
  if ((mmcr0 & MMCR0.EBE) === 0n || !isModern(vcpu)) return;
  const bescr = vcpu.get('BESCR');
  if ((bescr & PME) !== 0n) vcpu.set('BESCR', (bescr & ~PME) | PMEO);
}

/** What the sampling registers say of an instruction. */
export interface Place {
  readonly pc: bigint;
  readonly level: number;
  readonly access?: { readonly address: bigint } | undefined;
}

/** Writes down where an alert occurred. */
export function note(vcpu: Vcpu, { pc, level, access }: Place): void {
  vcpu.set('ALERTED', 0n);
  vcpu.set('SIAR', pc);
  if (access !== undefined) vcpu.set('SDAR', access.address);
  const problem = level === 0;
  if (isModern(vcpu)) {
    vcpu.set('SIER', SIER.SIAR_VALID | (access === undefined ? 0n : SIER.SDAR_VALID) | (problem ? SIER.SIPR : 0n));
    return;
  }
  const others = vcpu.get('MMCRA') & ~(MMCRA.SIPR | MMCRA.SIHV);
  vcpu.set('MMCRA', others | (problem ? MMCRA.SIPR : 0n));
}

/** The hypervisor's own work alerted: no instruction of the guest's. An instruction's boundary that follows at once writes over it. */
function noteHypervisor(vcpu: Vcpu): void {
  if (isModern(vcpu)) vcpu.set('SIER', SIER.SIHV);
  else vcpu.set('MMCRA', (vcpu.get('MMCRA') & ~MMCRA.SIPR) | MMCRA.SIHV);
}

/** Does anything that is enabled stand there? A negative PMC1 lets the others go, whether it is a condition or not. */
function look(vcpu: Vcpu): boolean {
  const mmcr0 = vcpu.get('MMCR0');
  const negative = negatives(vcpu);
  if (condition(mmcr0, negative)) return occurred(vcpu);
  if ((mmcr0 & MMCR0.TRIGGER) !== 0n && (negative & 1n) !== 0n) vcpu.set('MMCR0', mmcr0 & ~MMCR0.TRIGGER);
  return false;
}

/** After a guest's write of controls or counters: the instruction that wrote is the one at which an alert occurs. */
export function evaluate(vcpu: Vcpu): void {
  watchTimeBase(vcpu);
  if (look(vcpu)) note(vcpu, { pc: vcpu.get('NIA'), level: vcpu.level });
}

/** A counter passed bit 31: into the negative, or out of it. */
export function overflow(vcpu: Vcpu, counter: number): void {
  if (!look(vcpu)) return;
  noteHypervisor(vcpu);
  vcpu.set('ALERTED', BigInt(counter + 1));
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

/** Would a time base event do something? */
function awaits(mmcr0: bigint): boolean {
  if ((mmcr0 & MMCR0.TBEE) === 0n) return false;
  const freezes = (mmcr0 & (MMCR0.FCECE | MMCR0.FC)) === MMCR0.FCECE;
  return freezes || (mmcr0 & (MMCR0.PMAE | MMCR0.TRIGGER)) !== 0n;
}

/** The next value of the time base at which the selected bit has turned 1. */
function nextEvent(view: View): bigint {
  const bit = timeBaseBit(view.get('MMCR0'));
  const half = 1n << bit;
  const period = half << 1n;
  const now = timeBase(view);
  const next = now - (now % period) + half;
  return next > now ? next : next + period;
}

/** A write chooses the bit anew: what was before it is past. */
function watchTimeBase(vcpu: Vcpu): void {
  if (awaits(vcpu.get('MMCR0'))) vcpu.set('TB_EVENT', nextEvent(vcpu));
}

/** Notices a time base event: the instruction about to execute is its place. */
export function latchTimeBase(vcpu: Vcpu): void {
  if (!awaits(vcpu.get('MMCR0')) || timeBase(vcpu) < vcpu.get('TB_EVENT')) return;
  if (occurred(vcpu)) note(vcpu, { pc: vcpu.get('NIA'), level: vcpu.level });
  watchTimeBase(vcpu);
}

/** The cycle of the next time base event that would do something. */
export function timeBaseDeadline(view: View): bigint | undefined {
  return awaits(view.get('MMCR0')) ? cycleOf(view.get('TB_EVENT')) : undefined;
}
