/**
 * One row of the instruction table: its encoding as a readable string, its operands as the assembler writes them, what it costs and counts, and what
 * it means. Power ISA 3.1B, book I, 1.6 (instruction formats) and appendices: patterns read like the manual's diagrams, bit 0 (of the project's
 * numbering: 31) first; a prefixed instruction has its prefix first and 64 bits.
 *
 * What lifts need from the rooms beside this one:
 * - registers: those of registers/general.ts, MSR, and FSCR where facilities are asked for;
 * - exceptions (`raise`), by name, syndrome in brackets: 'program' [SRR1's reason bit: TRAP, PRIVILEGED, ILLEGAL below], 'alignment' [effective address],
 *   'system-call' and 'system-call-vectored' [LEV, retires], 'fp-unavailable', 'vector-unavailable', 'vsx-unavailable' [0], 'facility-unavailable' [IC];
 * - causes (`trap`): 'hypercall' [LEV], 'wait' [0: wait, 1: stop], 'unmodelled' [0]: an enabled floating-point or vector
 *   instruction, or an operation of the hash MMU;
 * - helpers (`call`): 'rfid', 'rfscv', 'rfebb' [S] give the next instruction's address; 'mtmsr' [RS, L], 'mtmsrd' [RS, L]; 'tlbie' [RIC, PRS, R, RS, RB, 1 where
 *   it is tlbiel]; 'mfbhrbe' [entry], 'clrbhrb'; beside those of isa/bits.ts. Privilege and FSCR were asked before; what MMCR0[PMCC] says of the BHRB was not.
 */
import type { Cost, Lifter, Signal } from '@countervisor/contract';

/** SRR1's reasons for a program interrupt. Power ISA 3.0B, book III, 6.5.9: bits 46, 45, 44 of the manual. */
export const TRAP = 0x2_0000;
export const PRIVILEGED = 0x4_0000;
export const ILLEGAL = 0x8_0000;

/**
 * Versions of the architecture as features of a CPU, each standing on the one before. What no row asks for is in every CPU: version 2.00, and so the
 * 970. 'isa-2.02' brought popcntb, 'isa-2.03' isel, 'isa-2.05' cmpb and prtyw, 'isa-2.06' lbarx, ldbrx, bpermd, divde and popcntd.
 * One more feature is asked for: 'power-saving', the nap, doze, sleep and rvwinkle of versions 2.06 and 2.07.
 */
export type Version = 'isa-2.02' | 'isa-2.03' | 'isa-2.05' | 'isa-2.06' | 'isa-2.07' | 'isa-3.0' | 'isa-3.1';
export const VERSIONS: readonly Version[] = [
  ...(['isa-2.02', 'isa-2.03', 'isa-2.05', 'isa-2.06', 'isa-2.07', 'isa-3.0', 'isa-3.1'] as const),
];

/** What an instruction means depends on, beside its fields: bits of MSR and the architecture's version, together the decoder's mode. */
export interface Mode {
  /** MSR[SF]: addresses, CTR's test and CR0's comparison have 64 bits. */
  readonly sf: boolean;
  /** Most significant byte first: MSR[LE] is 0. */
  readonly big: boolean;
  /** There are OV32 and CA32: version 3.0. */
  readonly low: boolean;
}

/** Widths of the tokens that patterns may name, bits. */
const WIDTHS = {
  RT: 5,
  RS: 5,
  RA: 5,
  RB: 5,
  RC: 5,
  BO: 5,
  BI: 5,
  BT: 5,
  BA: 5,
  BB: 5,
  BC: 5,
  BF: 3,
  BFA: 3,
  BH: 2,
  SH: 5,
  MB: 5,
  ME: 5,
  TO: 5,
  NB: 5,
  L: 1,
  L3: 3,
  WC: 2,
  PL: 2,
  SC: 2,
  R: 1,
  S: 1,
  TX: 1,
  BHRBE: 10,
  FXM: 8,
  LEV: 7,
  TH: 5,
  CT: 4,
  EH: 1,
  IH: 3,
  RIC: 2,
  PRS: 1,
  SI: 16,
  UI: 16,
  D: 16,
  DS: 14,
  DQ: 12,
  BD: 14,
  LI: 24,
  XO5: 5,
} as const;

/** Tokens that are a part of a field: the field, its part's width, and where the part stands in it. */
const PARTS = {
  'sh4:0': ['sh', 5, 0],
  sh5: ['sh', 1, 5],
  'mb4:0': ['mb', 5, 0],
  mb5: ['mb', 1, 5],
  'spr4:0': ['spr', 5, 0],
  'spr9:5': ['spr', 5, 5],
  'd15:6': ['DX', 10, 6],
  'd5:1': ['DX', 5, 1],
  d0: ['DX', 1, 0],
  'd33:16': ['D34', 18, 16],
  'd15:0': ['D34', 16, 0],
} as const;

type Parts = typeof PARTS;
export type FieldName = keyof typeof WIDTHS | Parts[keyof Parts][0];

type Token<P extends string> = P extends `${infer Head} ${infer Tail}` ? Token<Head> | Token<Tail> : P;
type Named<T extends string> = T extends keyof Parts ? Parts[T][0] : Extract<T, FieldName>;

/** The fields a pattern names; every known one where the pattern is put together at run time. */
export type FieldsOf<P extends string> = Readonly<Record<string extends P ? FieldName : Named<Token<P>>, number>>;

/** All fields' values; those that a row does not have are missing. */
export type Fields = Readonly<Record<FieldName, number>>;

export type CostClass =
  | 'alu'
  | 'multiply'
  | 'divide'
  | 'load'
  | 'store'
  | 'atomic'
  | 'branch'
  | 'condition'
  | 'system'
  | 'barrier'
  | 'vector'
  | 'nop';

/** Cost classes and their defaults. Cycles beyond the first, and cycles lost fetching (counting rule 9). */
export const costs: Readonly<Record<CostClass, Cost>> = {
  alu: { backend: 0, frontend: 0 },
  multiply: { backend: 0, frontend: 0 },
  divide: { backend: 0, frontend: 0 },
  load: { backend: 0, frontend: 0 },
  store: { backend: 0, frontend: 0 },
  atomic: { backend: 0, frontend: 0 },
  branch: { backend: 0, frontend: 0 },
  condition: { backend: 0, frontend: 0 },
  system: { backend: 0, frontend: 0 },
  barrier: { backend: 0, frontend: 0 },
  vector: { backend: 0, frontend: 0 },
  nop: { backend: 0, frontend: 0 },
};

/** A field's place in a word, or one part of it. */
export interface Slot {
  readonly name: FieldName;
  /** 0: the only word, or the prefix; 1: the suffix. */
  readonly word: 0 | 1;
  readonly low: number;
  readonly width: number;
  /** Where the part stands in the field. */
  readonly shift: number;
}

/** Rows are independent of their pattern's type once made: `fields` are those of their own pattern. */
export interface Row {
  /** The manual's mnemonic, with its point where it records. Unique. */
  readonly name: string;
  /** 32 or 64 bits, most significant first: `0`, `1`, `/` (reserved: ignored), and names of fields. */
  readonly pattern: string;
  /** How the assembler writes it: field names behind the mnemonic, in its order. */
  readonly syntax: string;
  /** Bits that the pattern fixes, and their values, unsigned; for a prefixed instruction the suffix's as well. */
  readonly mask: number;
  readonly match: number;
  readonly suffix: { readonly mask: number; readonly match: number } | undefined;
  readonly slots: readonly Slot[];
  readonly cost: CostClass;
  readonly signals: readonly Signal[] | ((fields: Fields) => readonly Signal[]);
  /** Exists only on a CPU with this feature. */
  readonly needs: string | undefined;
  /** Manual and section. */
  readonly source: string;
  /** False for field values that are another instruction's or none's. */
  readonly allocated: (fields: Fields) => boolean;
  readonly lift: (b: Lifter, fields: Fields, mode: Mode) => void;
}

interface More<P extends string> {
  readonly signals?: readonly Signal[] | ((fields: FieldsOf<P>) => readonly Signal[]);
  readonly needs?: string;
  readonly allocated?: (fields: FieldsOf<P>) => boolean;
}

interface Layout {
  readonly mask: number;
  readonly match: number;
  readonly suffix: { readonly mask: number; readonly match: number } | undefined;
  readonly slots: readonly Slot[];
}

/** Reads a pattern. Throws when it does not make 32 or 64 bits or names an unknown field: a table error, found as the table loads. */
export function layout(name: string, pattern: string): Layout {
  const first = { mask: 0, match: 0 };
  const second = { mask: 0, match: 0 };
  const slots: Slot[] = [];
  let used = 0;
  for (const token of pattern.split(' ')) {
    if (/^[01/]+$/.test(token)) {
      for (const bit of token) {
        const word = used < 32 ? first : second;
        const value = 2 ** (31 - (used % 32));
        used += 1;
        if (bit === '/') continue;
        word.mask += value;
        if (bit === '1') word.match += value;
      }
      continue;
    }
    const part = (PARTS as Readonly<Record<string, readonly [FieldName, number, number]>>)[token];
    const width = part?.[1] ?? (WIDTHS as Readonly<Record<string, number>>)[token];
    if (width === undefined) throw new Error(`${name}: the pattern names '${token}', which is no field.`);
    const word = used < 32 ? 0 : 1;
    const low = 32 - (used % 32) - width;
    if (low < 0) throw new Error(`${name}: ${token} goes across the end of a word.`);
    slots.push({ name: part?.[0] ?? (token as FieldName), word, low, width, shift: part?.[2] ?? 0 });
    used += width;
  }
  if (used !== 32 && used !== 64) throw new Error(`${name}: the pattern has ${used} bits.`);
  return { ...first, suffix: used === 64 ? second : undefined, slots };
}

/** The values of a row's fields in a word; `suffix` is a prefixed instruction's second word. */
export function fieldsOf(row: Pick<Row, 'slots'>, word: number, suffix = 0): Fields {
  const fields: Partial<Record<FieldName, number>> = {};
  for (const { name, word: which, low, width, shift } of row.slots) {
    const part = ((which === 0 ? word : suffix) >>> low) & (2 ** width - 1);
    fields[name] = (fields[name] ?? 0) + part * 2 ** shift;
  }
  return fields as Fields;
}

/** A row, from its pattern and its meaning. */
export function row<const P extends string>(
  name: string,
  cost: CostClass,
  pattern: P,
  syntax: string,
  source: string,
  lift: (b: Lifter, f: FieldsOf<P>, mode: Mode) => void,
  more: More<P> = {},
): Row {
  return {
    name,
    pattern,
    syntax,
    source,
    ...layout(name, pattern),
    cost,
    signals: more.signals ?? [],
    needs: more.needs,
    allocated: more.allocated ?? (() => true),
    lift,
  };
}

/** A number as so many binary digits: opcodes stand in patterns as the manual gives them, decimal. */
export const bin = (value: number, width: number): string => value.toString(2).padStart(width, '0');
