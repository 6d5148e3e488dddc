/** Traps in three steps: a register names groups, a group names its control and its cause, a cause names its handler. */
import type { Address } from './address.ts';
import type { Exception } from './isa.ts';
import type { Vcpu, View } from './view.ts';

export interface TrapGroup<Name extends string = string, Level extends string = string, Cause extends string = string> {
  /** What arms it. A function is the last resort, for conditions no table can hold. */
  readonly when:
    | { readonly register: Name; readonly field: string; readonly is: bigint }
    | { readonly intercept: 'per-register' }
    | ((view: View, access: Access) => boolean);
  readonly on: 'read' | 'write' | 'both';
  /** Levels whose accesses it stops. */
  readonly at: readonly Level[];
  readonly cause: Cause;
  /** Manual and section: printed in the trace as the rule that decided. */
  readonly source: string;
}

/** One access that is being decided. */
export interface Access {
  readonly register: string;
  readonly address: Address;
  /** Present for a write. */
  readonly write?: bigint;
}

/** What stopped the guest. */
export interface Trap {
  readonly cause: string;
  /** Address of the instruction. */
  readonly pc: bigint;
  /** The instruction as it stands in memory, for syndromes. */
  readonly bits: bigint;
  /** For register accesses. */
  readonly access?: Access;
  /** For `Lifter.trap`: its argument. */
  readonly argument: bigint;
  /** The group that was armed, if any. */
  readonly group?: string;
}

/** How a handler answers; there is no other way. */
export type Outcome =
  /** The access is done: with a value, that is what was read (or the write is dropped); without, core performs it at the register's home. Retires once. */
  | { readonly then: 'complete'; readonly value?: bigint; readonly why?: string }
  /** The obstacle is gone: the instruction runs again. */
  | { readonly then: 'retry'; readonly why?: string }
  /** The guest takes an exception instead; not retired. */
  | { readonly then: 'inject'; readonly exception: Exception; readonly why?: string }
  /** The domain stops: the embedder decides. */
  | { readonly then: 'exit'; readonly reason: string; readonly status: number }
  /** What the guest asked for is not modelled: its domain ends, and the user is told by name. */
  | { readonly then: 'unmodelled'; readonly code: string; readonly message: string; readonly remedy: string };

export type TrapHandler = (vcpu: Vcpu, trap: Trap) => Outcome;

export interface Cause {
  /** Who handles it: 'hypervisor' is an exit, counted and charged; 'guest' is the architecture trapping to the guest's own kernel. */
  readonly to: 'hypervisor' | 'guest';
  /** A function, or one of core's own: the hypercall table, or waiting for an interrupt. */
  readonly handler: TrapHandler | 'hypercall' | 'wait';
  /** One line for tables and traces. */
  readonly means: string;
}
