/** Programs that every architecture supplies under agreed names: real machine code, and what must be counted. */
import type { Signal } from './pmu.ts';

export type ProgramName =
  | 'ten-nops'
  | 'count-loop'
  | 'call-return'
  | 'touch-memory'
  | 'take-exception'
  | 'read-counter'
  | 'write-then-read'
  | 'overflow-at-n'
  | 'forbidden-read'
  | 'wait-for-timer'
  | 'call-host';

export interface Program<Register extends string = string> {
  readonly means: string;
  /** Flat image for the place where the platform puts one. */
  readonly code: Uint8Array;
  /**
   * What all of it emits, from the first instruction to the hypercall that ends it, derived by hand. Signals not named: none. `cycle` is
   * `instruction` at default costs, and no stalls.
   */
  readonly counts: Readonly<Partial<Record<Signal, number>>> & { readonly instruction: number };
  /** Registers at the end, where they say something. */
  readonly leaves: Readonly<Partial<Record<Register, bigint>>>;
  /** What it printed. Default: nothing. */
  readonly console?: string;
  /** Needs a vPMU. */
  readonly pmu: boolean;
}

/** Each ends its domain by a hypercall; `leaves` says whether the guest itself was content. */
export type Programs<Register extends string = string> = Readonly<Record<ProgramName, Program<Register>>>;
