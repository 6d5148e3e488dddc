/** Registers as rows: data first, behaviour only where the manual has behaviour. */
import type { Address } from './address.ts';
import type { Affects, Vcpu, View } from './view.ts';

/** What a written bit does to the stored one. */
export type FieldWrite =
  /** Stored. */
  | 'plain'
  /** 1 sets, 0 leaves. */
  | 'one-sets'
  /** 1 clears, 0 leaves. */
  | 'one-clears'
  /** Read-only: keeps the stored value. */
  | 'ignored'
  /** Reads as 0, writes ignored (RES0, WO bits whose effect `wrote` performs). */
  | 'zero'
  /** Reads as 1, writes ignored (RES1). */
  | 'one'
  /** A 1 is refused with the register's fault. */
  | 'must-be-0'
  /** A 0 is refused. */
  | 'must-be-1';

export interface Field {
  /** A bit, or [high, low], both inclusive, numbered from 0 = least significant on every architecture. */
  readonly bits: number | readonly [high: number, low: number];
  /** One line, in our words, after the manual. */
  readonly means: string;
  readonly write?: FieldWrite;
  /** Named values of the field. */
  readonly values?: Readonly<Record<string, number>>;
}

/** What a vPMU policy decides about. */
export type PmuRole =
  | 'counter'
  | 'selector'
  | 'enable'
  | 'global'
  | 'overflow'
  | 'interrupt'
  | 'identity'
  | 'sampling'
  | 'user-access';

/** A write that the architecture refuses: 'undefined' as an access to no register is, or the exception named in its words. */
export interface Refusal {
  readonly refuse: string;
  readonly syndrome?: bigint;
}

export interface Register<Name extends string = string, Level extends string = string, Group extends string = string> {
  /** Absent: no instruction names it by address; lifts reach it by name. */
  readonly at?: Address;
  /** Bits, 1 to 64. */
  readonly width: number;
  /** Value at power-on: fixed, from the CPU model, or 'unknown', a loud pattern. */
  readonly reset: bigint | 'unknown' | ((view: View) => bigint);
  /** The lowest level that may read; 'never' is undefined at every level. */
  readonly read: Level | 'never';
  readonly write: Level | 'never';
  /** Every bit of the width, once. */
  readonly fields: Readonly<Record<string, Field>>;
  /** Belongs to the PMU: a policy decides where it lives and who may touch it. */
  readonly role?: PmuRole;
  /** Whose it is when no policy decides: the vCPU's own (default) or the physical CPU's (hypervisor control registers). */
  readonly home?: 'vcpu' | 'pcpu';
  /** Tried in order, the first that is armed decides. */
  readonly traps?: readonly Group[];
  /** Exists only on a CPU with this feature; else undefined. */
  readonly needs?: string;
  /** Bits that exist now; others read as 0 and ignore writes. */
  readonly implemented?: (view: View) => bigint;
  /** A window: the register that is really accessed. Written through this row's field behaviours. */
  readonly view?: (view: View) => Name | 'undefined' | 'ignored';
  /** No stored value of its own: a pure function of state, level and time. */
  readonly derive?: (view: View) => bigint;
  /** Pure: is this value accepted? Given after the field behaviours; returns what is stored or a refusal before anything changed. */
  readonly accepts?: (view: View, value: bigint, before: bigint) => bigint | Refusal;
  /** Effects beyond the stored bits; the value as the guest wrote it. */
  readonly wrote?: (vcpu: Vcpu, written: bigint, before: bigint) => void;
  /** A read or write with an effect, performed by guest access alone, never by raw get, trace or snapshot. */
  readonly action?: {
    readonly read?: (vcpu: Vcpu) => bigint;
    readonly write?: (vcpu: Vcpu, value: bigint) => void;
  };
  readonly affects?: readonly Affects[];
  /** Manual and section, where it surprises. */
  readonly source?: string;
}
