/**
 * The counters: everything about counting that is not a rule of core's, as pure functions of the registers. Power ISA 3.0B, book III, 9.4.4 (MMCR0),
 * 9.4.6 (MMCR2). Counter n of the manual is at position n - 1.
 *
 * They have 32 bits and are negative from bit 31 on: passing there is what core calls an overflow.
 */
import type { Counter, View } from '@countervisor/contract';
import { eventOf } from './events.ts';
import { apart, frozenByState, HYPERVISOR, isModern, MMCR0, mmcr2, PROBLEM } from './registers/mmcr.ts';
import { MSR } from './registers/msr.ts';

/** PMC1 to PMC6, and two more of the 970. */
export const MOST = 8;

/** The window is ours: the manual leaves open whether a counter counts the instruction that stops it (counting rule 2 says that it does). */
function frozen(view: View, n: number, level: number): boolean {
  const mmcr0 = view.get('MMCR0');
  const has = (bits: bigint): boolean => (mmcr0 & bits) !== 0n;
  const modern = isModern(view);
  if (modern && n > 4 && apart(mmcr0)) return (view.get('CTRL') & 1n) === 0n;
  if (has(MMCR0.FC)) return true;
  // Entering the hypervisor clears the mark.
  const marked = level !== HYPERVISOR && (view.get('MSR') & MSR.PMM) !== 0n;
  if (has(marked ? MMCR0.FCM1 : MMCR0.FCM0)) return true;
  // A hypervisor that sets FCH as it is entered is never counted, whatever the guest wrote.
  if (level === HYPERVISOR && (has(MMCR0.FCH) || view.settings?.fch === 'entry')) return true;
  // Up to version 2.06 FCS is about privileged state whoever has it, and there is no FCPC.
  if (modern ? frozenByState(mmcr0, level) : has(level === PROBLEM ? MMCR0.FCP : MMCR0.FCS)) return true;
  if (n > 1 && has(MMCR0.TRIGGER)) return true;
  return modern && frozenByVersion207(view, n, level, mmcr0, marked);
}

function frozenByVersion207(view: View, n: number, level: number, mmcr0: bigint, marked: boolean): boolean {
  const run = (view.get('CTRL') & 1n) === 1n;
  const has = (bits: bigint): boolean => (mmcr0 & bits) !== 0n;
  if (has(MMCR0.FCTI)) return true;
  if (has(n <= 4 ? MMCR0.FC14 : MMCR0.FC56)) return true;
  if (n <= 4 && has(MMCR0.FCWAIT) && !run) return true;
  if (n > 4 && !run && !has(MMCR0.C56RUN)) return true;
  const own = view.get('MMCR2');
  const alone = (freeze: Parameters<typeof mmcr2>[1]): boolean => (own & mmcr2(n, freeze)) !== 0n;
  if (alone(marked ? 'M1' : 'M0')) return true;
  if (alone('WAIT') && !run) return true;
  return alone(level === PROBLEM ? 'P0' : level === HYPERVISOR ? 'H' : 'S');
}

function counting(view: View, n: number, level: number): boolean {
  if (frozen(view, n, level)) return false;
  const gated = eventOf(view, n)?.run?.includes(view.cpu.name) ?? false;
  return !gated || (view.get('CTRL') & 1n) === 1n;
}

const counter = (n: number): Counter => ({
  value: `PMC${n}`,
  width: () => 32,
  overflowWidth: () => 31,
  event: (view) => eventOf(view, n)?.id,
  counting: (view, level) => counting(view, n, level),
  ...(n > 6 && { needs: '970' }),
});

export const counters: readonly Counter[] = Array.from({ length: MOST }, (_, i) => counter(i + 1));

export function exists(view: View, counter: number): boolean {
  return counter < (isModern(view) ? 6 : 8);
}
