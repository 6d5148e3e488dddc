/** Counting: instructions emit signals, an event names signals, a counter selects an event and says, purely, whether it is counting now. */
import type { Vcpu, View } from './view.ts';

export type Signal =
  | 'instruction'
  | 'cycle'
  | 'load'
  | 'store'
  | 'access'
  | 'unaligned'
  | 'branch'
  | 'taken'
  | 'branch-immediate'
  | 'call'
  | 'return'
  | 'exception'
  | 'exception-return'
  | 'cache-reference'
  | 'cache-miss'
  | 'branch-miss'
  | 'stall-frontend'
  | 'stall-backend'
  | 'increment'
  | 'carry';

/** What can be counted, on every architecture. The PMU implements no events. */
export const SIGNALS: Readonly<Record<Signal, string>> = {
  instruction: 'One instruction retired.',
  cycle: 'One cycle: every retired instruction costs its class, by the published table.',
  load: 'An instruction that loads retired.',
  store: 'An instruction that stores retired.',
  access: 'One data memory access (a pair makes two).',
  unaligned: 'An instruction whose data access was not aligned to its size retired.',
  branch: 'A branch retired, taken or not.',
  taken: 'A branch retired and was taken.',
  'branch-immediate': 'A branch to a constant target retired.',
  call: 'A branch that leaves a return address retired.',
  return: 'A procedure return retired.',
  exception: 'An exception was taken; counted at the level it was taken from.',
  'exception-return': 'A return from an exception retired; counted at the level it left.',
  'cache-reference': 'An access reached the last level of caches, by the published model of those that have one.',
  'cache-miss': 'It was not there.',
  'branch-miss': 'A branch was mispredicted, by the published model of those that have one.',
  'stall-frontend': 'A cycle lost fetching, by the cost table.',
  'stall-backend': 'A cycle beyond the first of its instruction, by the cost table.',
  increment: 'Software wrote the increment register; core sends it to the counters named.',
  carry: 'The neighbouring counter carried out.',
};

export interface PmuEvent {
  /** The number a selector holds. */
  readonly id: number;
  readonly name: string;
  readonly means: string;
  /** Amounts add up: two signals, or one named twice. */
  readonly counts: readonly Signal[];
  readonly needs?: string;
  /** Manual and section. */
  readonly source?: string;
}

/** Everything about counting that an architecture says as data and pure functions. */
export interface Counter<Name extends string = string> {
  /** The register that holds the count. */
  readonly value: Name;
  /** Bits that hold a value now (32 or 64 …). */
  width(view: View): number;
  /** A carry out of this many bits is an overflow. */
  overflowWidth(view: View): number;
  /** The selected event's number, or `undefined` for one that is not modelled or not allowed. */
  event(view: View): number | undefined;
  /** Enabled, not frozen, not filtered, at this level. Pure. */
  counting(view: View, level: number): boolean;
  /** The counter whose carry this one counts when its event counts `carry`; position in the list. */
  readonly neighbour?: number;
  /** Counts only every n-th (PMCR.D: 64). The remainder is state of the bank. Default 1. */
  divisor?(view: View): number;
  /**
   * Counts cycles instead of events: those with at least (`invert`: fewer than) `least` events; with `edge`, those whose predecessor was not one
   * (counting rule 7). All events of an instruction but cycles and stalls fall into its last cycle. `undefined`: counts events.
   */
  threshold?(view: View): { readonly least: number; readonly invert: boolean; readonly edge: boolean } | undefined;
  readonly needs?: string;
}

export interface Pmu<Name extends string = string> {
  readonly events: readonly PmuEvent[];
  /** All that the architecture can have; `exists` says how many there are. */
  readonly counters: readonly Counter<Name>[];
  exists(view: View, counter: number): boolean;
  /** The counter wrapped at this instruction's boundary: set status. `view.get` and `vcpu.set` reach the bank that counted. */
  overflow(vcpu: Vcpu, counter: number): void;
  /** Level of the PMU's interrupt output. Pure. */
  line(view: View): boolean;
  /** Name of the interrupt source that `line` drives on a platform. */
  readonly source: string;
}
