/**
 * One row of the instruction table: its encoding as the manual writes it, its operands by the opcode map's letters, what it costs and counts, and what
 * it means. Intel SDM volume 2, 3.1.1 (opcode column) and appendix A.2 (operand letters).
 *
 * Encoding: `[NP|NR|66|F2|F3] [W0|W1] bytes [/digit|/r] [mem|reg]`. `NP`: none of these prefixes; `NR`: neither F2 nor F3; without a word of it they
 * have no say. `50+r` is eight opcodes with a register, `70+c` sixteen with a condition. A byte behind `0F 01`, `0F AE` or D8 to DF is a whole ModRM byte (`D8 C0+i`: eight of them).
 *
 * Operands: `Ev` and so on; `=` behind one that is written, `+` behind one that is read and written.
 */
import type { Cost, Signal } from '@countervisor/contract';
import type { Body } from './operands.ts';

export type CostClass =
  | 'alu'
  | 'multiply'
  | 'divide'
  | 'load'
  | 'store'
  | 'atomic'
  | 'branch'
  | 'string'
  | 'system'
  | 'fence'
  | 'float'
  | 'vector'
  | 'nop';

const free: Cost = { backend: 0, frontend: 0 };

/** Cost classes and their defaults (counting rule 9). A row of class `alu` whose operand is in memory is a load or a store; with LOCK, atomic. */
export const costs: Readonly<Record<CostClass, Cost>> = {
  alu: free,
  multiply: free,
  divide: free,
  load: free,
  store: free,
  atomic: free,
  branch: free,
  string: free,
  system: free,
  fence: free,
  float: free,
  vector: free,
  nop: free,
};

/** Operand size of the row in 64-bit mode: `d64`: 64 bits without prefix; `f64`: 64 whatever the prefixes say (A.2.5). */
export type Sizing = 'd64' | 'f64';

/** What an operand letter stands for. */
export type Kind =
  | 'E'
  | 'G'
  | 'M'
  | 'R'
  | 'I'
  | 'J'
  | 'A'
  | 'O'
  | 'Z'
  | 'S'
  | 'C'
  | 'D'
  | 'V'
  | 'W'
  | 'U'
  | 'X'
  | 'fixed'
  | 'one';

/** b w d q 8 to 64 bits; v operand size; z the same but at most 32; y the same but at least 32; p a far pointer; x 128 bits; t 80; s signed byte; none. */
export type Size = 'b' | 'w' | 'd' | 'q' | 'v' | 'z' | 'y' | 'p' | 'x' | 't' | 's' | '';

export interface Slot {
  readonly text: string;
  readonly kind: Kind;
  readonly size: Size;
  /** Register number of a fixed one. */
  readonly number: number;
  readonly reads: boolean;
  readonly writes: boolean;
}

export interface Encoding {
  readonly map: 0 | 1 | 2 | 3;
  readonly opcode: number;
  /** How many opcodes the row has: 1, 8 with a register, 16 with a condition. */
  readonly span: 1 | 8 | 16;
  readonly prefix: 'any' | 'NP' | 'NR' | '66' | 'F2' | 'F3';
  readonly w: 0 | 1 | undefined;
  /** ModRM.reg. */
  readonly digit: number | undefined;
  /** Whole ModRM byte, or the first of eight. */
  readonly exact: number | undefined;
  readonly exactSpan: 1 | 8;
  readonly form: 'any' | 'mem' | 'reg';
  readonly modrm: boolean;
}

export interface Row extends Encoding {
  /** Mnemonic and operands. Unique. */
  readonly name: string;
  readonly mnemonic: string;
  readonly encoding: string;
  readonly slots: readonly Slot[];
  readonly cost: CostClass;
  readonly signals: readonly Signal[];
  /** Modes in which it exists; absent: all. `protected`: not in real mode. */
  readonly only: '64' | 'legacy' | 'protected' | undefined;
  readonly sizing: Sizing | undefined;
  /** May carry LOCK, with a memory operand. */
  readonly lock: boolean;
  /** F2 and F3 repeat it. */
  readonly string: boolean;
  /** Exists only on a CPU with this feature. */
  readonly needs: string | undefined;
  /** Flags that the manual leaves undefined, after any of its executions. */
  readonly leaves: string;
  readonly source: string;
  readonly lift: (x: Body) => void;
}

export interface More {
  readonly signals?: readonly Signal[];
  readonly only?: '64' | 'legacy' | 'protected';
  readonly sizing?: Sizing;
  readonly lock?: true;
  readonly string?: true;
  readonly needs?: string;
  readonly leaves?: string;
  /** Where two rows would have one name: what tells them apart. */
  readonly form?: string;
}

const FIXED: Readonly<Record<string, readonly [size: Size, number: number]>> = {
  AL: ['b', 0],
  CL: ['b', 1],
  AX: ['w', 0],
  DX: ['w', 2],
  rAX: ['v', 0],
  eAX: ['z', 0],
};

function slot(text: string): Slot {
  const mark = text.at(-1);
  const writes = mark === '=' || mark === '+';
  const bare = writes ? text.slice(0, -1) : text;
  const common = { text: bare, reads: mark !== '=', writes };
  const fixed = FIXED[bare];
  if (fixed !== undefined) return { ...common, kind: 'fixed', size: fixed[0], number: fixed[1] };
  if (bare === '1') return { ...common, kind: 'one', size: 'b', number: 1 };
  return { ...common, kind: bare[0] as Kind, size: bare.slice(1) as Size, number: 0 };
}

const WITH_MODRM = new Set<Kind>(['E', 'G', 'M', 'R', 'S', 'C', 'D', 'V', 'W', 'U']);

/** Reads an encoding. Throws where it says nothing: a table error, found as the table loads. */
export function encoding(text: string, slots: readonly Slot[]): Encoding {
  let map: Encoding['map'] = 0;
  let opcode: number | undefined;
  let span: Encoding['span'] = 1;
  let prefix: Encoding['prefix'] = 'any';
  let w: Encoding['w'];
  let digit: number | undefined;
  let exact: number | undefined;
  let exactSpan: Encoding['exactSpan'] = 1;
  let form: Encoding['form'] = 'any';
  let modrm = slots.some(({ kind }) => WITH_MODRM.has(kind));
  for (const token of text.split(' ')) {
    const byte = /^([0-9A-F]{2})(\+[rci])?$/.exec(token);
    if (token === 'NP' || token === 'NR') prefix = token;
    else if (token === 'W0' || token === 'W1') w = token === 'W0' ? 0 : 1;
    else if (token === 'mem' || token === 'reg') form = token;
    else if (token === '/r') modrm = true;
    else if (/^\/[0-7]$/.test(token)) digit = Number(token[1]);
    else if (byte === null) throw new Error(`${text}: '${token}' is no part of an encoding.`);
    else {
      const value = Number.parseInt(byte[1] as string, 16);
      const first = opcode === undefined && map === 0;
      if (first && ['66', 'F2', 'F3'].includes(token) && prefix === 'any') prefix = token as Encoding['prefix'];
      else if (first && value === 0x0f) map = 1;
      else if (map === 1 && opcode === undefined && (value === 0x38 || value === 0x3a)) map = value === 0x38 ? 2 : 3;
      else if (opcode === undefined) {
        opcode = value;
        if (byte[2] !== undefined) span = byte[2] === '+c' ? 16 : 8;
      } else {
        exact = value;
        exactSpan = byte[2] === undefined ? 1 : 8;
      }
    }
  }
  if (opcode === undefined) throw new Error(`${text}: no opcode.`);
  if (slots.some(({ kind }) => kind === 'M')) form = 'mem';
  if (slots.some(({ kind }) => kind === 'R' || kind === 'U')) form = 'reg';
  modrm ||= digit !== undefined || exact !== undefined || form !== 'any';
  return { map, opcode, span, prefix, w, digit, exact, exactSpan, form, modrm };
}

/** A row, from its encoding and its meaning. `source` is the manual's chapter; SDM volume 2 goes by mnemonic. */
export function row(
  mnemonic: string,
  code: string,
  operands: string,
  cost: CostClass,
  lift: (x: Body) => void,
  more: More = {},
): Row {
  const slots = operands === '' ? [] : operands.split(' ').map(slot);
  const written = slots.map(({ text }) => text).join(',');
  const name = [mnemonic, written, more.form === undefined ? '' : `(${more.form})`].filter((s) => s !== '').join(' ');
  return {
    name,
    mnemonic,
    encoding: code,
    ...encoding(code, slots),
    slots,
    cost,
    signals: more.signals ?? [],
    only: more.only,
    sizing: more.sizing,
    lock: more.lock ?? false,
    string: more.string ?? false,
    needs: more.needs,
    leaves: more.leaves ?? '',
    source: `SDM volume 2, ${mnemonic}`,
    lift,
  };
}
