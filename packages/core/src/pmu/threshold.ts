/**
 * A counter that counts cycles by how many events they hold (CMASK, INV, EDGE; counting rule 7). Everything an instruction emits falls into its last
 * cycle, but for cycles and stalls, which are where they are: the fetch's stalls, then its own, then the cycle in which it retires.
 */
import { SIGNAL_INDEX } from './classes.ts';

export interface Threshold {
  readonly least: number;
  readonly invert: boolean;
  readonly edge: boolean;
}

const { cycle, 'stall-frontend': FRONTEND, 'stall-backend': BACKEND } = SIGNAL_INDEX;

/** What the counter adds for one instruction's signals, and whether its last cycle was one that it counts. */
export function cyclesOver(
  { least, invert, edge }: Threshold,
  weights: readonly (readonly [signal: number, amount: number])[],
  signals: Float64Array,
  held: boolean,
): { readonly amount: number; readonly held: boolean } {
  const by = { every: 0, frontend: 0, backend: 0, last: 0 };
  for (const [signal, weight] of weights) {
    if (signal === cycle) by.every += weight;
    else if (signal === FRONTEND) by.frontend += weight;
    else if (signal === BACKEND) by.backend += weight;
    else by.last += weight * (signals[signal] as number);
  }
  const frontend = signals[FRONTEND] as number;
  const backend = signals[BACKEND] as number;
  // Events between two instructions (an exception) have no cycle of their own; they are one moment.
  const last = (signals[cycle] as number) > 0 || by.last > 0 ? 1 : 0;
  let amount = 0;
  let before = held;
  for (const [cycles, events] of [
    [frontend, by.every + by.frontend],
    [backend, by.every + by.backend],
    [last, by.every + by.last],
  ] as const) {
    if (cycles === 0) continue;
    const counts = events >= least !== invert;
    if (counts) amount += edge ? (before ? 0 : 1) : cycles;
    before = counts;
  }
  return { amount, held: before };
}
