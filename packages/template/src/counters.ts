/**
 * Counters: everything about counting that is not a rule of core's, as pure functions of the registers. `counting` says whether a counter runs now, at
 * a level; core asks whenever something changes that these registers' rows call theirs, and applies the published counting rules itself.
 */
import { type Counter, family, type View } from '@countervisor/contract';
import { counterWidth, HYPERVISOR, counters as howMany, KERNEL, MOST_COUNTERS } from './features.ts';
import type { CounterName } from './registers/pmu.ts';

/** Filters of a selector: the two guest levels are counted unless forbidden, the hypervisor's only when asked for. */
function filtered(view: View, n: number, level: number): boolean {
  if (level === HYPERVISOR) return view.field(`PMSEL${n}`, 'H') === 0n;
  return view.field(`PMSEL${n}`, level === KERNEL ? 'NK' : 'NU') === 1n;
}

const counter = (n: number): Counter<CounterName> => ({
  value: `PMC${n}` as CounterName,
  width: counterWidth,
  overflowWidth: counterWidth,
  event: (view) => Number(view.field(`PMSEL${n}`, 'EVENT')),
  counting: (view, level) =>
    view.field('PMCTL', 'E') === 1n && ((view.get('PMENSET') >> BigInt(n)) & 1n) === 1n && !filtered(view, n, level),
  needs: 'pmu',
  // An odd counter that selects CARRY counts what its even neighbour carries out: two of 32 bits make one of 64.
  ...(n % 2 === 1 && { neighbour: n - 1 }),
});

export const counters: readonly Counter<CounterName>[] = Object.values(
  family(MOST_COUNTERS, (n) => ({ [n]: counter(n) })),
);

export function exists(view: View, n: number): boolean {
  return n < howMany(view);
}
