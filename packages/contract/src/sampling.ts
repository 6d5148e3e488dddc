/**
 * Sampling: what the hardware writes down about the instruction at which a counter overflowed, and about branches that were taken. Core says when,
 * and what it knows of the instruction; the architecture writes its registers or records.
 */
import type { Exception } from './isa.ts';
import type { Vcpu, View } from './view.ts';

/** What ended at a boundary: an instruction retired, or an exception was entered. Addresses are virtual. */
export interface Retired {
  /** Where it stands; where the guest was when the exception came. */
  readonly pc: bigint;
  /** What executes behind it, before any interrupt. */
  readonly next: bigint;
  /** The level it executed at. */
  readonly level: number;
  /** Its row (`Decoded.name`), or the exception's kind. */
  readonly name: string;
  /** Its last data access to memory or to a device, if it made one; size in bytes. */
  readonly access?: { readonly address: bigint; readonly size: number; readonly write: boolean };
}

/** What one counter did at a boundary. */
export interface Counted {
  /** Position in `Pmu.counters`. */
  readonly counter: number;
  /** Events that it counted, by this boundary's instruction. */
  readonly amount: number;
  readonly wrapped: boolean;
  /** What `armed` said of it before this instruction. */
  readonly armed: boolean;
}

/** One change of the flow that was not to the next instruction. */
export interface Branch {
  readonly from: bigint;
  readonly to: bigint;
  /** The levels it left and reached. */
  readonly levels: readonly [from: number, to: number];
  readonly kind: 'branch' | 'call' | 'return' | 'exception' | 'exception-return';
  /** The instruction's row, or the exception's kind. */
  readonly name: string;
}

export interface Sampling {
  /**
   * Will this counter's next event be recorded, whatever its value? Core then looks at each boundary at which it counts, with `boundary`.
   * Asked whenever a register that affects 'pmu' changed, and after each boundary. Pure.
   */
  armed?(view: View, counter: number): boolean;
  /**
   * An instruction's boundary at which a counter wrapped or an armed one counted: after all increments and after `Pmu.overflow` for each that
   * wrapped. `vcpu` reaches the bank that counted. An exception that is returned is taken at this boundary, before interrupts.
   * Overflows that the hypervisor's own work causes (counting rule 8) have no instruction of the guest, and do not come here.
   */
  boundary?(vcpu: Vcpu, counted: readonly Counted[], retired: Retired): Exception | undefined;
  /** Are branches written down at this level now? Asked when registers that affect 'pmu' or the level change. Pure. */
  branches?(view: View, level: number): boolean;
  /** One was taken, an exception entered or returned from, by an instruction that retired or between two. */
  branched?(vcpu: Vcpu, branch: Branch): Exception | undefined;
}
