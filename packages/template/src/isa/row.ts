/**
 * One row of the instruction table. Every instruction is one little-endian word of 32 bits:
 *
 * ```
 * 31    24 23  20 19  16 15                0
 * opcode   a      b      imm (signed), or register c in bits 3:0
 * ```
 */
import type { Cost, Lifter, Signal } from '@countervisor/contract';
import type { GeneralName } from '../registers/general.ts';

/** The operands of one instruction, from its word. */
export interface Operands {
  readonly a: GeneralName;
  readonly b: GeneralName;
  readonly c: GeneralName;
  /** Bits 15:0, signed. */
  readonly imm: number;
  /** Bits 15:0, unsigned: a control register's number. */
  readonly index: number;
}

export type OperandName = 'a' | 'b' | 'c' | 'imm' | 'index';

export type CostClass = 'plain' | 'memory' | 'branch' | 'system';

/** Cycles beyond the first, and cycles lost fetching, by class: 0, until a host file says otherwise. */
export const costs: Readonly<Record<CostClass, Cost>> = {
  plain: { backend: 0, frontend: 0 },
  memory: { backend: 0, frontend: 0 },
  branch: { backend: 0, frontend: 0 },
  system: { backend: 0, frontend: 0 },
};

/** A name, an encoding, its signals and one expression. */
export interface Row {
  readonly name: string;
  readonly opcode: number;
  /** In the order in which `asm.ts` takes them. */
  readonly operands: readonly OperandName[];
  readonly cost: CostClass;
  /** What retiring it emits beside `instruction` and its cycles. */
  readonly signals: readonly Signal[];
  /**
   * What it means. Whatever can fault or trap comes before the first `set`, so an instruction that does not finish has changed nothing.
   */
  readonly lift: (b: Lifter, operands: Operands) => void;
}

/** Bytes. */
export const LENGTH = 4 as const;
