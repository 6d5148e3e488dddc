/**
 * From bytes to one instruction: prefixes, opcode, ModRM, SIB, displacement, immediates. Intel SDM volume 2, chapter 2 and appendix A.
 * Rows stand in buckets by opcode map and opcode, the more specific ones first.
 */
import type { CodeReader, Decoded, Signal, View } from '@countervisor/contract';
import { rows } from './instructions/index.ts';
import { type CodeSize, codeSize, MODE } from './mode.ts';
import { Body } from './operands.ts';
import type { CostClass, Row, Size, Slot } from './row.ts';

/** No instruction is longer; a longer one is #GP(0). Volume 2, 2.3.11. */
export const LONGEST = 15;

/** Where an operand in memory is: a segment register by number, and the parts of the offset in it. */
export interface Memory {
  readonly kind: 'memory';
  /** Bits of the operand. */
  readonly size: number;
  readonly segment: number;
  readonly base: number | undefined;
  readonly index: number | undefined;
  /** Shift of the index. */
  readonly scale: number;
  readonly displacement: bigint;
  /** Relative to the next instruction. */
  readonly relative: boolean;
  readonly addressSize: CodeSize;
}

export type Operand =
  | Memory
  | { readonly kind: 'register'; readonly number: number; readonly size: number; readonly high: boolean }
  | { readonly kind: 'constant'; readonly value: bigint; readonly size: number }
  | { readonly kind: 'relative'; readonly value: bigint; readonly size: number }
  | { readonly kind: 'far'; readonly selector: bigint; readonly offset: bigint; readonly size: number }
  | {
      readonly kind: 'segment' | 'control' | 'debug' | 'vector';
      readonly number: number;
      readonly size: number;
    };

/** One decoded instruction, with what it was decoded from. */
export interface Instruction extends Decoded {
  readonly row: Row;
  readonly mode: number;
  /** Operand size, bits. */
  readonly size: CodeSize;
  readonly addressSize: CodeSize;
  /** F2, F3 or neither. */
  readonly repeat: 0 | 0xf2 | 0xf3;
  readonly lock: boolean;
  /** Segment register of an override, or undefined. */
  readonly override: number | undefined;
  readonly operands: readonly Operand[];
  /** The low four bits of the opcode: a condition. */
  readonly condition: number;
  /** ModRM.rm without REX: a register of the x87 stack. */
  readonly rm: number;
}

/** How exactly a row says what it is. */
const weight = (r: Row): number =>
  (r.exact !== undefined ? 8 : 0) +
  (r.digit !== undefined ? 4 : 0) +
  (r.prefix !== 'any' ? 2 : 0) +
  (r.w !== undefined ? 1 : 0);

/** Rows by map and opcode. */
export function buckets(all: readonly Row[]): readonly (readonly Row[])[] {
  const table: Row[][] = Array.from({ length: 1024 }, () => []);
  for (const r of all) for (let n = 0; n < r.span; n++) table[(r.map << 8) | (r.opcode + n)]?.push(r);
  for (const bucket of table) bucket.sort((a, b) => weight(b) - weight(a));
  return table;
}

const table = buckets(rows);

class TooLong extends Error {}
class Unreadable extends Error {}

/** Bytes in order. */
class Cursor {
  at = 0;
  readonly #code: CodeReader;

  constructor(code: CodeReader) {
    this.#code = code;
  }

  peek(): number {
    if (this.at >= LONGEST) throw new TooLong();
    const byte = this.#code.u8(this.at);
    if (byte === undefined) throw new Unreadable();
    return byte;
  }

  byte(): number {
    const byte = this.peek();
    this.at++;
    return byte;
  }

  /** Little-endian. */
  unsigned(bytes: number): bigint {
    let value = 0n;
    for (let n = 0; n < bytes; n++) value |= BigInt(this.byte()) << BigInt(8 * n);
    return value;
  }

  signed(bytes: number): bigint {
    return BigInt.asIntN(8 * bytes, this.unsigned(bytes));
  }
}

interface Prefixes {
  operand: boolean;
  address: boolean;
  lock: boolean;
  repeat: 0 | 0xf2 | 0xf3;
  override: number | undefined;
  rex: number;
}

const OVERRIDES: Readonly<Record<number, number>> = { 38: 0, 46: 1, 54: 2, 62: 3, 100: 4, 101: 5 };

/** A REX counts only where it stands last. */
function prefixes(cursor: Cursor, bits: CodeSize): Prefixes {
  const p: Prefixes = { operand: false, address: false, lock: false, repeat: 0, override: undefined, rex: 0 };
  for (;;) {
    const byte = cursor.peek();
    const override = OVERRIDES[byte];
    let rex = 0;
    // In 64-bit mode ES, CS, SS and DS overrides are ignored, and do not undo one of FS or GS.
    if (override !== undefined) p.override = bits === 64 && override < 4 ? p.override : override;
    else if (byte === 0x66) p.operand = true;
    else if (byte === 0x67) p.address = true;
    else if (byte === 0xf0) p.lock = true;
    else if (byte === 0xf2 || byte === 0xf3) p.repeat = byte;
    else if (bits === 64 && byte >> 4 === 4) rex = byte;
    else return p;
    p.rex = rex;
    cursor.at++;
  }
}

function hasPrefix(r: Row, p: Prefixes): boolean {
  if (r.prefix === 'any') return true;
  if (r.prefix === 'NR') return p.repeat === 0;
  if (r.prefix === 'F3' || r.prefix === 'F2') return p.repeat === Number.parseInt(r.prefix, 16);
  return p.repeat === 0 && p.operand === (r.prefix === '66');
}

function exists(r: Row, mode: number, features: ReadonlySet<string>): boolean {
  if (r.needs !== undefined && !features.has(r.needs)) return false;
  if (r.only === undefined) return true;
  if (r.only === 'protected') return (mode & MODE.protected) !== 0;
  return (r.only === '64') === ((mode & MODE.size) === 2);
}

const isMoveOfControl = (r: Row): boolean => r.slots.some(({ kind }) => kind === 'C' || kind === 'D');

function fits(r: Row, modrm: number): boolean {
  if (r.exact !== undefined) return modrm >= r.exact && modrm < r.exact + r.exactSpan;
  if (r.digit !== undefined && ((modrm >> 3) & 7) !== r.digit) return false;
  return r.form === 'any' || isMoveOfControl(r) || modrm >= 0xc0 === (r.form === 'reg');
}

function operandSize(r: Row, bits: CodeSize, p: Prefixes): CodeSize {
  if (bits !== 64) return (bits === 32) !== p.operand ? 32 : 16;
  if (r.sizing === 'f64') return 64;
  if ((p.rex & 8) !== 0) return 64;
  if (p.operand) return 16;
  return r.sizing === 'd64' ? 64 : 32;
}

const FIXED_SIZES: Readonly<Partial<Record<Size, number>>> = { b: 8, w: 16, d: 32, q: 64, x: 128, t: 80 };

/** Bits of an operand letter. */
function sizeOf(size: Size, bits: CodeSize): number {
  const fixed = FIXED_SIZES[size];
  if (fixed !== undefined) return fixed;
  if (size === 'z') return Math.min(bits, 32);
  if (size === 'y') return Math.max(bits, 32);
  return size === '' ? 0 : bits;
}

/** 16-bit forms: base, index. Volume 2, table 2-1. */
const FORMS_16: readonly (readonly [base: number | undefined, index: number | undefined])[] = [
  [3, 6],
  [3, 7],
  [5, 6],
  [5, 7],
  [6, undefined],
  [7, undefined],
  [5, undefined],
  [3, undefined],
];

type Place = Omit<Memory, 'kind' | 'size' | 'segment' | 'addressSize'> & { readonly stack: boolean };

function place16(cursor: Cursor, modrm: number): Place {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  if (mod === 0 && rm === 6) {
    const displacement = cursor.unsigned(2);
    return { base: undefined, index: undefined, scale: 0, displacement, relative: false, stack: false };
  }
  const [base, index] = FORMS_16[rm] as (typeof FORMS_16)[number];
  const displacement = mod === 0 ? 0n : cursor.signed(mod);
  return { base, index, scale: 0, displacement, relative: false, stack: base === 5 };
}

function place(cursor: Cursor, modrm: number, rex: number, long: boolean): Place {
  const mod = modrm >> 6;
  const rm = modrm & 7;
  let base: number | undefined = rm | ((rex & 1) << 3);
  let index: number | undefined;
  let scale = 0;
  let relative = false;
  let bytes = [0, 1, 4][mod] as number;
  if (rm === 4) {
    const sib = cursor.byte();
    scale = sib >> 6;
    index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    // 100 without REX.X is no index; R12 is one.
    if (index === 4) index = undefined;
    base = (sib & 7) | ((rex & 1) << 3);
    if ((sib & 7) === 5 && mod === 0) {
      base = undefined;
      bytes = 4;
    }
  } else if (rm === 5 && mod === 0) {
    base = undefined;
    relative = long;
    bytes = 4;
  }
  const displacement = bytes === 0 ? 0n : cursor.signed(bytes);
  return { base, index, scale, displacement, relative, stack: base === 4 || base === 5 };
}

/** Everything that operands are made of. */
interface Parts {
  readonly cursor: Cursor;
  readonly row: Row;
  readonly p: Prefixes;
  readonly bits: CodeSize;
  readonly size: CodeSize;
  readonly addressSize: CodeSize;
  readonly opcode: number;
  readonly modrm: number;
  readonly place: Place | undefined;
}

function register(number: number, size: number, rex: number): Operand {
  // Without REX, numbers 4 to 7 of a byte are AH, CH, DH and BH.
  const high = size === 8 && rex === 0 && number >= 4 && number < 8;
  return { kind: 'register', number: high ? number - 4 : number, size, high };
}

function memory(parts: Parts, size: number, at: Place): Memory {
  const { p, addressSize } = parts;
  const { stack, ...rest } = at;
  return { kind: 'memory', size, addressSize, segment: p.override ?? (stack ? 2 : 3), ...rest };
}

/** Bytes of a number in the code: immediate or relative. */
const immediateBytes = (size: number, long: boolean): number => Math.min(size, long ? 64 : 32) / 8;

function operand(parts: Parts, { kind, size: letter, number }: Slot): Operand {
  const { cursor, p, size: v, modrm } = parts;
  const { rex } = p;
  const size = sizeOf(letter, v);
  const reg = ((modrm >> 3) & 7) | ((rex & 4) << 1);
  const rm = (modrm & 7) | ((rex & 1) << 3);
  switch (kind) {
    case 'E':
    case 'M':
    case 'R':
      return parts.place === undefined ? register(rm, size, rex) : memory(parts, size, parts.place);
    case 'W':
    case 'U':
      return parts.place === undefined ? { kind: 'vector', number: rm, size } : memory(parts, size, parts.place);
    case 'V':
      return { kind: 'vector', number: reg, size };
    case 'G':
      return register(reg, size, rex);
    case 'Z':
      return register((parts.opcode & 7) | ((rex & 1) << 3), size, rex);
    case 'fixed':
      return register(number, size, 1);
    case 'one':
      return { kind: 'constant', value: 1n, size };
    case 'S':
      return { kind: 'segment', number: (modrm >> 3) & 7, size };
    case 'C':
      return { kind: 'control', number: reg, size };
    case 'D':
      return { kind: 'debug', number: reg, size };
    case 'I': {
      if (letter === 's') return { kind: 'constant', value: cursor.signed(1), size: v };
      if (letter === 'z') return { kind: 'constant', value: cursor.signed(size / 8), size: v };
      return { kind: 'constant', value: cursor.unsigned(immediateBytes(size, true)), size };
    }
    case 'J':
      return { kind: 'relative', value: cursor.signed(letter === 'b' ? 1 : immediateBytes(v, false)), size: v };
    case 'A': {
      const offset = cursor.unsigned(v / 8);
      return { kind: 'far', offset, selector: cursor.unsigned(2), size: v };
    }
    default: {
      const displacement = cursor.unsigned(parts.addressSize / 8);
      const at = { base: undefined, index: undefined, scale: 0, displacement, relative: false, stack: false };
      return memory(parts, size, at);
    }
  }
}

/** What an operand in memory adds to a row's signals. */
function signalsOf(r: Row, operands: readonly Operand[]): readonly Signal[] {
  const more: Signal[] = [];
  operands.forEach(({ kind, size }, n) => {
    if (kind !== 'memory' || size === 0) return;
    const { reads, writes } = r.slots[n] as Slot;
    // 128 bits are two accesses.
    const times = size === 128 ? 2 : 1;
    if (reads) more.push('load');
    if (writes) more.push('store');
    for (let k = 0; k < times * (Number(reads) + Number(writes)); k++) more.push('access');
  });
  return more.length === 0 ? r.signals : [...r.signals, ...more];
}

function costOf(r: Row, operands: readonly Operand[], lock: boolean): CostClass {
  if (lock) return 'atomic';
  if (r.cost !== 'alu') return r.cost;
  const n = operands.findIndex(({ kind, size }) => kind === 'memory' && size > 0);
  if (n < 0) return r.cost;
  return (r.slots[n] as Slot).writes ? 'store' : 'load';
}

const tooLong: Decoded = {
  name: 'longer than 15 bytes',
  length: LONGEST,
  cost: 'system',
  signals: [],
  lift: (b) => b.raise('#GP'),
};

function parse(code: CodeReader, mode: number, features: ReadonlySet<string>): Instruction | undefined {
  const bits = codeSize(mode);
  const cursor = new Cursor(code);
  const p = prefixes(cursor, bits);
  let map = 0;
  let opcode = cursor.byte();
  if (opcode === 0x0f) {
    map = 1;
    opcode = cursor.byte();
    if (opcode === 0x38 || opcode === 0x3a) {
      map = opcode === 0x38 ? 2 : 3;
      opcode = cursor.byte();
    }
  }
  const bucket = table[(map << 8) | opcode] as readonly Row[];
  const here = bucket.filter((r) => exists(r, mode, features) && hasPrefix(r, p) && hasWidth(r, p));
  const withModrm = here.some((r) => r.modrm);
  const modrm = withModrm ? cursor.byte() : 0;
  const row = here.find((r) => !r.modrm || fits(r, modrm));
  if (row === undefined) return undefined;
  const size = operandSize(row, bits, p);
  const addressSize = (bits === 64 ? (p.address ? 32 : 64) : (bits === 32) !== p.address ? 32 : 16) as CodeSize;
  let at: Place | undefined;
  if (row.modrm && modrm < 0xc0 && !isMoveOfControl(row) && row.exact === undefined) {
    at = addressSize === 16 ? place16(cursor, modrm) : place(cursor, modrm, p.rex, bits === 64);
  }
  const parts: Parts = { cursor, row, p, bits, size, addressSize, opcode, modrm, place: at };
  const operands = row.slots.map((s) => operand(parts, s));
  if (p.lock && !(row.lock && operands[0]?.kind === 'memory')) return undefined;
  const { repeat, lock, override } = p;
  const cost = costOf(row, operands, lock);
  const common = { row, name: row.name, length: cursor.at, cost, mode, size, addressSize, repeat, lock, override };
  const instruction: Instruction = {
    ...common,
    operands,
    signals: row.string && repeat !== 0 ? row.signals : signalsOf(row, operands),
    condition: opcode & 15,
    rm: modrm & 7,
    lift: (b) => new Body(b, instruction).run(),
  };
  return instruction;
}

const hasWidth = (r: Row, p: Prefixes): boolean => r.w === undefined || r.w === (p.rex >> 3) % 2;

/** The instruction at the reader's start, on a CPU with these features. `undefined`: #UD, or no memory there. */
export function instruction(
  code: CodeReader,
  mode: number,
  features: ReadonlySet<string>,
): Instruction | Decoded | undefined {
  try {
    return parse(code, mode, features);
  } catch (error) {
    if (error instanceof TooLong) return tooLong;
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

export function decode(code: CodeReader, _pc: bigint, mode: number, view: Pick<View, 'cpu'>): Decoded | undefined {
  return instruction(code, mode, view.cpu.features);
}

export type { Row } from './row.ts';
