/**
 * The generic timer's two counters and comparators, as functions of the domain's clock.
 * Arm DDI 0487, D12.2 (the counter and the timers); CNTV_CTL_EL0, CNTV_CVAL_EL0 and their physical twins in D19.12.
 */
import type { View } from '@countervisor/contract';

/** CNTFRQ_EL0: 62.5 MHz, as on QEMU's `virt`. The domain's clock runs at 1 GHz, so one tick is 16 cycles. */
export const FREQUENCY = 62_500_000n;
const TICK = 4n;

/** CNTVCT_EL0 and CNTPCT_EL0 are the same: CNTVOFF_EL2 is 0. */
export function count(view: View): bigint {
  return view.now >> TICK;
}

export interface Timer {
  /** Register that stores ENABLE (bit 0) and IMASK (bit 1). */
  readonly control: string;
  readonly compare: string;
}

export const virtual: Timer = { control: 'CNTV_CTL', compare: 'CNTV_CVAL_EL0' };
export const physical: Timer = { control: 'CNTP_CTL', compare: 'CNTP_CVAL_EL0' };

const ENABLE = 1n;
const IMASK = 2n;

/** ISTATUS: enabled, and the count has reached the compare value; unsigned. */
export function met(view: View, timer: Timer): boolean {
  return (view.get(timer.control) & ENABLE) !== 0n && count(view) >= view.get(timer.compare);
}

/** The timer's interrupt output. */
export function timerLine(view: View, timer: Timer): boolean {
  return (view.get(timer.control) & (ENABLE | IMASK)) === ENABLE && count(view) >= view.get(timer.compare);
}

/** First cycle of the domain's clock at which an enabled, unmasked timer asserts its line; `undefined` when it does already, or never will. */
function dueAt(view: View, timer: Timer): bigint | undefined {
  if ((view.get(timer.control) & (ENABLE | IMASK)) !== ENABLE) return undefined;
  const cycle = view.get(timer.compare) << TICK;
  return cycle > view.now ? cycle : undefined;
}

export function timerDeadline(view: View): bigint | undefined {
  const v = dueAt(view, virtual);
  const p = dueAt(view, physical);
  if (v === undefined || p === undefined) return v ?? p;
  return v < p ? v : p;
}
