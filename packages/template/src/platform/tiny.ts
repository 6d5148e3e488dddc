/**
 * The platform `tiny`: devices in page 0, RAM from 0x1000, two interrupt sources, flat images at the start of RAM.
 *
 * Device state is declared data, so snapshots hold it; `read` is pure, `write` answers false where no register is.
 */
import type { BootFacts, Exception, Platform, View, Writes } from '@countervisor/contract';
import { KERNEL } from '../features.ts';
import { CONSOLE, console } from './console.ts';
import { TIMER, type TimerState, timer } from './timer.ts';

export { CONSOLE, TIMER };

/** First byte of RAM; flat images are loaded and entered there. */
export const RAM = 0x1000n;
const MOST = 0x1000_0000n;

/** Bits of an interrupt's CAUSE.DETAIL: which sources are up. */
export const SOURCE_BITS: Readonly<Record<'pmu' | 'timer', bigint>> = { pmu: 1n, timer: 2n };

function pending(view: View): bigint {
  return (view.line('pmu') ? SOURCE_BITS.pmu : 0n) | (view.line('timer') ? SOURCE_BITS.timer : 0n);
}

const start = (entry: bigint, argument: bigint): Writes => [
  ['LEVEL', BigInt(KERNEL)],
  ['R0', argument],
  ['PC', entry],
];

export const tiny: Platform = {
  name: 'tiny',
  means: 'A byte console, a timer, RAM from 0x1000.',
  ram: { base: RAM, most: MOST },
  devices: [console, timer],
  // No ELF machine number is registered for this architecture.
  images: { elf: [], elfBase: RAM, flat: RAM },
  // The PMU's own line needs no entry: core asks `pmu.line` for the name in `pmu.source`.
  sources: {
    timer: (view) => {
      const { compare } = view.device<TimerState>('timer');
      return compare !== 0n && view.now >= compare;
    },
  },
  interrupt(view: View): Exception | undefined {
    if (view.field('STATUS', 'IE') === 0n) return undefined;
    const sources = pending(view);
    return sources === 0n ? undefined : { kind: 'interrupt', syndrome: sources };
  },
  // A masked interrupt wakes as well: the guest may wait with IE = 0 and look for itself.
  wakes: (view) => pending(view) !== 0n,
  deadline(view: View): bigint | undefined {
    const { compare } = view.device<TimerState>('timer');
    return compare > view.now ? compare : undefined;
  },
  entry: (facts: BootFacts): Writes => start(facts.entry, facts.memory),
  start: (_view: View, entry: bigint, argument: bigint): Writes => start(entry, argument),
  verdict: (status: number): 'passed' | 'failed' => (status === 0 ? 'passed' : 'failed'),
};
