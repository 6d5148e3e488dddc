/**
 * The local APIC timer: one-shot, periodic, and TSC deadline. Intel SDM volume 3, 10.5.4. Its clock is the domain's: one tick a cycle before the divider, as
 * QEMU's board has 1 GHz for it.
 */
import type { Vcpu, View } from '@countervisor/contract';
import { type Lapic, LVT, lapicOf, local } from './lapic.ts';

const MODES = ['one-shot', 'periodic', 'deadline', 'reserved'] as const;

const modeOf = (apic: Lapic): (typeof MODES)[number] =>
  MODES[((apic.lvt[LVT.timer] as number) >> 17) & 3] as (typeof MODES)[number];

/** Divide configuration: bits 3, 1 and 0 select 2, 4 … 128, and 7 selects 1. */
export function divisor(divide: number): number {
  const select = ((divide >> 1) & 4) | (divide & 3);
  return select === 7 ? 1 : 2 << select;
}

/** Cycles from start to zero. */
const period = (apic: Lapic): number => apic.initial * divisor(apic.divide);

const counts = (apic: Lapic): boolean => apic.started >= 0 && apic.initial !== 0;

/** The current count register. */
export function currentCount(view: View): number {
  const apic = lapicOf(view);
  if (!counts(apic) || modeOf(apic) === 'deadline') return 0;
  const elapsed = Math.floor((Number(view.now) - apic.started) / divisor(apic.divide));
  if (modeOf(apic) === 'periodic') return apic.initial - (elapsed % apic.initial);
  return Math.max(0, apic.initial - elapsed);
}

/** Writing the initial count starts the timer, 0 stops it. It means nothing in deadline mode. */
export function setInitial(vcpu: Vcpu, value: number): void {
  const apic = lapicOf(vcpu);
  if (modeOf(apic) === 'deadline') return;
  apic.initial = value;
  apic.started = value === 0 ? -1 : Number(vcpu.now);
}

/** Changing between deadline mode and the others disarms the timer (10.5.4.1). */
export function setTimerEntry(vcpu: Vcpu, value: number): void {
  const apic = lapicOf(vcpu);
  const before = modeOf(apic) === 'deadline';
  apic.lvt[LVT.timer] = value;
  if (before === (modeOf(apic) === 'deadline')) return;
  apic.started = -1;
  apic.initial = 0;
  apic.deadline = 0n;
  apic.ticks = 0n;
}

/** IA32_TSC_DEADLINE as RDMSR shows it: 0 once it has fired. */
export const deadlineTicks = (view: View): bigint => lapicOf(view).ticks;

/** The first cycle at which the TSC has reached a value. */
function cycleOf(vcpu: Vcpu, ticks: bigint): bigint {
  const wanted = BigInt.asIntN(64, ticks - vcpu.get('TSC_OFFSET'));
  const rate = BigInt(vcpu.cpu.settings.tsc as number);
  return wanted <= 0n ? 0n : (wanted * 1000n + rate - 1n) / rate;
}

/** A write to IA32_TSC_DEADLINE: ignored outside deadline mode. */
export function setDeadline(vcpu: Vcpu, ticks: bigint): void {
  const apic = lapicOf(vcpu);
  if (modeOf(apic) !== 'deadline') return;
  apic.ticks = ticks;
  apic.deadline = ticks === 0n ? 0n : cycleOf(vcpu, ticks) + 1n;
  vcpu.changed('interrupts');
}

/** Cycles on the domain's clock at which the timer fires next. */
export function timerDeadline(view: View): bigint | undefined {
  const apic = lapicOf(view);
  if (modeOf(apic) === 'deadline') return apic.deadline === 0n ? undefined : apic.deadline - 1n;
  return counts(apic) ? BigInt(apic.started + period(apic)) : undefined;
}

/** Has it fired, and nobody has looked yet? */
export const timerDue = (view: View): boolean => {
  const at = timerDeadline(view);
  return at !== undefined && view.now >= at;
};

/** Lets what is due happen: the entry of the local vector table gets its edge, the count ends or starts again. */
export function latchTimer(vcpu: Vcpu): void {
  if (!timerDue(vcpu)) return;
  const apic = lapicOf(vcpu);
  switch (modeOf(apic)) {
    case 'deadline':
      apic.deadline = 0n;
      apic.ticks = 0n;
      break;
    case 'periodic':
      apic.started += Math.floor((Number(vcpu.now) - apic.started) / period(apic)) * period(apic);
      break;
    default:
      apic.started = -1;
  }
  local(vcpu, 'timer');
}
