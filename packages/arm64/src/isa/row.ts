/**
 * One row of the instruction table: its encoding as a readable string, what it costs and counts, and what it means.
 * Arm DDI 0487, C4.1 (A64 instruction set encoding): patterns read like the manual's diagrams, bit 31 first.
 */
import type { Cost, Lifter, Signal } from '@countervisor/contract';

/** Widths of the fields that carry no number in their name, bits. */
const WIDTHS = {
  sf: 1,
  sh: 1,
  N: 1,
  S: 1,
  A: 1,
  R: 1,
  L: 1,
  b5: 1,
  b40: 5,
  hw: 2,
  immlo: 2,
  immhi: 19,
  immr: 6,
  imms: 6,
  shift: 2,
  size: 2,
  opc: 2,
  option: 3,
  cond: 4,
  nzcv: 4,
  mask: 4,
  Rd: 5,
  Rn: 5,
  Rm: 5,
  Ra: 5,
  Rs: 5,
  Rt: 5,
  Rt2: 5,
  o0: 1,
  op1: 3,
  op2: 3,
  CRn: 4,
  CRm: 4,
  imm3: 3,
  imm4: 4,
  imm5: 5,
  imm6: 6,
  imm7: 7,
  imm9: 9,
  imm12: 12,
  imm14: 14,
  imm16: 16,
  imm19: 19,
  imm26: 26,
} as const;

export type FieldName = keyof typeof WIDTHS;

type Token<P extends string> = P extends `${infer Head} ${infer Tail}` ? Token<Head> | Token<Tail> : P;

/** The fields a pattern names; every known one where the pattern is put together at run time. */
export type FieldsOf<P extends string> = Readonly<
  Record<string extends P ? FieldName : Extract<Token<P>, FieldName>, number>
>;

/** Cost classes of A64 and their defaults. Cycles beyond the first, and cycles lost fetching (counting rule 9). */
export const costs: Readonly<Record<CostClass, Cost>> = {
  alu: { backend: 0, frontend: 0 },
  multiply: { backend: 0, frontend: 0 },
  divide: { backend: 0, frontend: 0 },
  load: { backend: 0, frontend: 0 },
  store: { backend: 0, frontend: 0 },
  atomic: { backend: 0, frontend: 0 },
  branch: { backend: 0, frontend: 0 },
  system: { backend: 0, frontend: 0 },
  barrier: { backend: 0, frontend: 0 },
  nop: { backend: 0, frontend: 0 },
};

export type CostClass =
  | 'alu'
  | 'multiply'
  | 'divide'
  | 'load'
  | 'store'
  | 'atomic'
  | 'branch'
  | 'system'
  | 'barrier'
  | 'nop';

/** A field's place in the word. */
export interface Slot {
  readonly name: FieldName;
  readonly low: number;
  readonly width: number;
}

/** Rows are independent of their pattern's type once made: `fields` are those of their own pattern. */
export interface Row {
  /** The manual's mnemonic, then the form where a mnemonic has several. Unique. */
  readonly name: string;
  /** 32 bits, most significant first: `0`, `1`, `x` (ignored), and names of fields. */
  readonly pattern: string;
  /** Bits that the pattern fixes, and their values. Unsigned. */
  readonly mask: number;
  readonly match: number;
  readonly slots: readonly Slot[];
  readonly cost: CostClass;
  readonly signals: readonly Signal[];
  /** Exists only on a CPU with this feature. */
  readonly needs: string | undefined;
  /** False for field values that the manual leaves unallocated. */
  readonly allocated: (fields: Readonly<Record<FieldName, number>>) => boolean;
  readonly lift: (b: Lifter, fields: Readonly<Record<FieldName, number>>) => void;
}

interface More<P extends string> {
  readonly signals?: readonly Signal[];
  readonly needs?: string;
  readonly allocated?: (fields: FieldsOf<P>) => boolean;
}

interface Layout {
  readonly mask: number;
  readonly match: number;
  readonly slots: readonly Slot[];
}

/** Reads a pattern. Throws when it does not make 32 bits or names an unknown field: a table error, found as the table loads. */
export function layout(name: string, pattern: string): Layout {
  let mask = 0;
  let match = 0;
  let low = 32;
  const slots: Slot[] = [];
  for (const token of pattern.split(' ')) {
    if (/^[01x]+$/.test(token)) {
      for (const bit of token) {
        low -= 1;
        if (bit === 'x') continue;
        mask += 2 ** low;
        if (bit === '1') match += 2 ** low;
      }
      continue;
    }
    const width = (WIDTHS as Readonly<Record<string, number>>)[token];
    if (width === undefined) throw new Error(`${name}: the pattern names '${token}', which is no field.`);
    low -= width;
    slots.push({ name: token as FieldName, low, width });
  }
  if (low !== 0) throw new Error(`${name}: the pattern has ${32 - low} bits.`);
  return { mask, match, slots };
}

/** The values of a row's fields in a word. */
export function fieldsOf(row: Row, word: number): Readonly<Record<FieldName, number>> {
  const fields: Partial<Record<FieldName, number>> = {};
  for (const { name, low, width } of row.slots) fields[name] = (word >>> low) & (2 ** width - 1);
  return fields as Record<FieldName, number>;
}

/** A row, from its pattern and its meaning. */
export function row<const P extends string>(
  name: string,
  cost: CostClass,
  pattern: P,
  lift: (b: Lifter, f: FieldsOf<P>) => void,
  more: More<P> = {},
): Row {
  return {
    name,
    pattern,
    ...layout(name, pattern),
    cost,
    signals: more.signals ?? [],
    needs: more.needs,
    allocated: more.allocated ?? (() => true),
    lift,
  };
}
