/** The plugin's tables as integer-indexed ones, for one CPU model: names are looked up here once, and never again while a guest runs. */
import type { Affects, Arch, Cause, Counter, CpuModel, PmuEvent, Register, TrapGroup } from '@countervisor/contract';

/** `CompiledRegister.affects`: one bit for each thing that a register decides beside its own value. */
export const AFFECTS: Readonly<Record<Affects, number>> = Object.freeze({
  translation: 1,
  level: 2,
  interrupts: 4,
  pmu: 8,
  decode: 16,
});

export interface CompiledRegister {
  /** Position in `CompiledArch.registers`. */
  readonly id: number;
  readonly name: string;
  readonly row: Register;
  /** Bits, 1 to 64. */
  readonly width: number;
  /** `width` ones. */
  readonly mask: bigint;
  /** Bits by field behaviour; together they are `mask`, and no bit is in two of them. */
  readonly plain: bigint;
  readonly oneSets: bigint;
  readonly oneClears: bigint;
  readonly ignored: bigint;
  readonly zero: bigint;
  readonly one: bigint;
  readonly mustBe0: bigint;
  readonly mustBe1: bigint;
  /** 'policy': it has a PMU role, and the vPMU policy decides. */
  readonly home: 'vcpu' | 'pcpu' | 'policy';
  /** Slot in the live bank, from 0, for the homes 'pcpu' and 'policy'; -1 else. */
  readonly bankSlot: number;
  /** The lowest level index that may read; `Infinity` for never. */
  readonly readLevel: number;
  readonly writeLevel: number;
  /** In the order in which they are tried. */
  readonly groups: readonly CompiledGroup[];
  /** False: this CPU model lacks the feature that the row needs, and the register is undefined. */
  readonly exists: boolean;
  /** Sum of `AFFECTS`. */
  readonly affects: number;
  /** Field name to its bits, both inclusive. */
  readonly fields: ReadonlyMap<string, readonly [high: number, low: number]>;
}

export interface CompiledGroup {
  readonly name: string;
  readonly group: TrapGroup;
  readonly on: TrapGroup['on'];
  /** Bit n: it stops accesses at level n. */
  readonly levels: number;
  readonly cause: CompiledCause;
  /** Id of the register whose field arms it; absent when a bitmap ('per-register') or a function does. */
  readonly register?: number;
  /** Of that field; 0 when there is none. */
  readonly high: number;
  readonly low: number;
  /** Armed when the field holds this; 0n when there is none. */
  readonly is: bigint;
}

export interface CompiledCause {
  /** Position among the causes, from 0. */
  readonly id: number;
  readonly name: string;
  readonly cause: Cause;
}

export interface CompiledCounter {
  /** Position in `Arch.pmu.counters`, and here. */
  readonly index: number;
  readonly row: Counter;
  readonly value: CompiledRegister;
  /** False: this CPU model lacks the feature that the counter or its register needs. */
  readonly exists: boolean;
}

export interface CompiledArch {
  readonly arch: Arch;
  readonly cpu: CpuModel;
  /** Every row, by id: those without their feature, too. */
  readonly registers: readonly CompiledRegister[];
  readonly byName: ReadonlyMap<string, CompiledRegister>;
  /** Space, index, register. Of two rows at one address, the one whose feature this CPU has. */
  readonly byAddress: ReadonlyMap<string, ReadonlyMap<number, CompiledRegister>>;
  /** Length of the live bank. */
  readonly bankSlots: number;
  readonly groups: ReadonlyMap<string, CompiledGroup>;
  readonly causes: ReadonlyMap<string, CompiledCause>;
  readonly levels: readonly string[];
  /** Index of the last level. */
  readonly hypervisorLevel: number;
  readonly pc: CompiledRegister;
  /** By number: those whose feature this CPU has. */
  readonly events: ReadonlyMap<number, PmuEvent>;
  readonly counters: readonly CompiledCounter[];
}
