/**
 * A small assembler: `op` makes the words of any row of the instruction table, in the assembler's operand order; functions with the manual's and the
 * extended mnemonics do so for what programs use; `program` puts several behind each other, with labels, in either byte order. Power ISA 3.0B, book I,
 * appendix C (extended mnemonics).
 *
 * Registers are written 'r0' to 'r31', CR fields 'cr0' to 'cr7'; a displacement stands before its base; branch offsets and displacements are bytes. A
 * function throws an Error for operands that the instruction cannot encode.
 */
import type { Address } from '@countervisor/contract';
import { encode, rowNamed, widthOf } from './isa/encode.ts';
import type { FieldName } from './isa/row.ts';
import { control } from './registers/control.ts';
import { general } from './registers/general.ts';
import { identity } from './registers/identity.ts';
import { pmu } from './registers/pmu.ts';
import { samplingRegisters } from './registers/sampling.ts';
import { timer } from './registers/timer.ts';

/** The words of one instruction: one, or a prefix and its suffix. */
export type Words = readonly number[];
/** Words, or such as need to know where they stand: the offset to a label, bytes. */
export type Code = Words | ((to: (label: string) => number) => Words);
/** A place, bytes of data, or code. Lists of items are taken apart. */
export type Item = Code | Label | Data | readonly Item[];
export interface Label {
  readonly label: string;
}
export interface Data {
  readonly bytes: (big: boolean) => Uint8Array;
  readonly length: number;
  readonly align: number;
}

/** An assembled program. */
export interface Assembled {
  readonly base: bigint;
  readonly bytes: Uint8Array;
  /** Addresses by label. */
  readonly labels: ReadonlyMap<string, bigint>;
}

export type Operand = string | number | bigint;

const fail = (why: string): never => {
  throw new Error(why);
};

function numbered(letters: string, name: Operand, limit: number): number {
  const found = typeof name === 'string' && name.startsWith(letters) ? Number(name.slice(letters.length)) : Number.NaN;
  return Number.isInteger(found) && found >= 0 && found < limit
    ? found
    : fail(`'${name}' is none of ${letters}0 to ${letters}${limit - 1}.`);
}

/** Fields that hold a signed number, and how many bytes one of it is. */
const SIGNED: Readonly<Partial<Record<FieldName, number>>> = {
  SI: 1,
  D: 1,
  DX: 1,
  D34: 1,
  DS: 4,
  BD: 4,
  LI: 4,
  DQ: 16,
};

/** A signed number as the low bits of a field. */
function twos(value: bigint, width: number, what: string): number {
  const half = 1n << BigInt(width - 1);
  if (value < -half || value >= half) fail(`${what} ${value} does not fit in ${width} bits.`);
  return Number(BigInt.asUintN(width, value));
}

function field(name: string, row: string, of: FieldName, operand: Operand): number {
  if (/^R[TSABC]$/.test(of)) return numbered('r', operand, 32);
  if (of === 'BF' || of === 'BFA') return numbered('cr', operand, 8);
  if (of === 'spr') return indexOf(typeof operand === 'bigint' ? Number(operand) : operand);
  if (typeof operand === 'string') return fail(`${name}: '${operand}' is no number.`);
  const unit = SIGNED[of];
  if (unit === undefined) return Number(operand);
  const value = BigInt(operand);
  if (value % BigInt(unit) !== 0n) fail(`${name}: ${operand} is no multiple of ${unit}.`);
  return twos(value / BigInt(unit), widthOf(rowNamed(row), of), `${name}:`);
}

/** Operand names of a row in the assembler's order: 'RT', 'D', 'RA'. */
export const operandsOf = (name: string): readonly FieldName[] =>
  (rowNamed(name).syntax.match(/\w+/g) ?? []) as unknown as readonly FieldName[];

/** The words of any row's instruction, operands in the assembler's order. */
export function op(name: string, ...operands: readonly Operand[]): Words {
  const names = operandsOf(name);
  if (names.length !== operands.length) fail(`${name} takes ${names.join(', ') || 'nothing'}.`);
  const fields = Object.fromEntries(names.map((of, i) => [of, field(name, name, of, operands[i] as Operand)]));
  return encode(name, fields);
}

const relative = (target: string | number, make: (bytes: number) => Words): Code =>
  typeof target === 'number' ? make(target) : (to) => make(to(target));

// Arithmetic

export const addi = (rt: string, ra: string, value: number): Words => op('addi', rt, ra, value);
export const addis = (rt: string, ra: string, value: number): Words => op('addis', rt, ra, value);
export const li = (rt: string, value: number): Words => addi(rt, 'r0', value);
export const lis = (rt: string, value: number): Words => addis(rt, 'r0', value);
export const mr = (ra: string, rs: string): Words => op('or', ra, rs, rs);
export const nop = (): Words => op('ori', 'r0', 'r0', 0);
export const ori = (ra: string, rs: string, value: number): Words => op('ori', ra, rs, value);
export const oris = (ra: string, rs: string, value: number): Words => op('oris', ra, rs, value);

/** Any 64-bit constant, by as few of li, lis, ori, sldi, oris as it takes. Negative numbers count from 2^64. */
export function load(rt: string, value: number | bigint): Words[] {
  const bits = BigInt.asUintN(64, BigInt(value));
  const half = (n: number): number => Number((bits >> BigInt(16 * n)) & 0xffffn);
  const asSigned = (n: number): number => (half(n) >= 0x8000 ? half(n) - 0x10000 : half(n));
  const low = half(0) === 0 ? [] : [ori(rt, rt, half(0))];
  if (BigInt.asUintN(64, BigInt.asIntN(16, bits)) === bits) return [li(rt, asSigned(0))];
  if (BigInt.asUintN(64, BigInt.asIntN(32, bits)) === bits) return [lis(rt, asSigned(1)), ...low];
  const high = load(rt, BigInt.asIntN(32, bits >> 32n));
  const middle = half(1) === 0 ? [] : [oris(rt, rt, half(1))];
  return [...high, sldi(rt, rt, 32), ...middle, ...low];
}

// Rotates

export const sldi = (ra: string, rs: string, by: number): Words => op('rldicr', ra, rs, by, 63 - by);
export const srdi = (ra: string, rs: string, by: number): Words => op('rldicl', ra, rs, (64 - by) % 64, by);
export const slwi = (ra: string, rs: string, by: number): Words => op('rlwinm', ra, rs, by, 0, 31 - by);
export const srwi = (ra: string, rs: string, by: number): Words => op('rlwinm', ra, rs, (32 - by) % 32, by, 31);
export const clrldi = (ra: string, rs: string, bits: number): Words => op('rldicl', ra, rs, 0, bits);

// Comparison

export const cmpwi = (ra: string, value: number, cr = 'cr0'): Words => op('cmpi', cr, 0, ra, value);
export const cmpdi = (ra: string, value: number, cr = 'cr0'): Words => op('cmpi', cr, 1, ra, value);
export const cmpd = (ra: string, rb: string, cr = 'cr0'): Words => op('cmp', cr, 1, ra, rb);
export const cmpld = (ra: string, rb: string, cr = 'cr0'): Words => op('cmpl', cr, 1, ra, rb);

// Branches

export type Condition = 'lt' | 'gt' | 'eq' | 'so' | 'ge' | 'le' | 'ne' | 'ns';

/** BO and the bit of a CR field, by the extended mnemonics' letters. */
const CONDITIONS: Readonly<Record<Condition, readonly [bo: number, bit: number]>> = {
  lt: [12, 0],
  gt: [12, 1],
  eq: [12, 2],
  so: [12, 3],
  ge: [4, 0],
  le: [4, 1],
  ne: [4, 2],
  ns: [4, 3],
};

export const b = (target: string | number): Code => relative(target, (bytes) => op('b', bytes));
export const bl = (target: string | number): Code => relative(target, (bytes) => op('bl', bytes));
export const bc = (bo: number, bi: number, target: string | number): Code =>
  relative(target, (bytes) => op('bc', bo, bi, bytes));
/** blt, bne and their kin: on a condition of a CR field. */
export const bcond = (condition: Condition, target: string | number, cr = 'cr0'): Code => {
  const [bo, bit] = CONDITIONS[condition];
  return bc(bo, 4 * numbered('cr', cr, 8) + bit, target);
};
/** Counts CTR down and branches while it is not 0. */
export const bdnz = (target: string | number): Code => bc(16, 0, target);
export const blr = (): Words => op('bclr', 20, 0, 0);
export const bctr = (): Words => op('bcctr', 20, 0, 0);
export const bctrl = (): Words => op('bcctrl', 20, 0, 0);

// System

export const sc = (lev = 0): Words => op('sc', lev);
/** tw 31,0,0. */
export const trap = (): Words => op('tw', 31, 'r0', 'r0');
export const rfid = (): Words => op('rfid');
export const isync = (): Words => op('isync');
export const sync = (): Words => op('sync', 0, 0);
export const mfmsr = (rt: string): Words => op('mfmsr', rt);
export const mtmsrd = (rs: string, l = 0): Words => op('mtmsrd', rs, l);

/** A register table's name, an address, or a number. */
export type SpecialRegister = string | number | Address;

const TABLES = [general, control, identity, timer, pmu, samplingRegisters];

/** The number of a special-purpose register. Throws for a name that no table gives an address. */
export function indexOf(name: SpecialRegister): number {
  if (typeof name === 'number') return name;
  if (typeof name !== 'string') return name.index;
  const row = TABLES.map((table) => table[name]).find((found) => found?.at !== undefined);
  return row?.at?.index ?? fail(`No table names the special-purpose register ${name}.`);
}

export const mtspr = (name: SpecialRegister, rs: string): Words => op('mtspr', indexOf(name), rs);
export const mfspr = (rt: string, name: SpecialRegister): Words => op('mfspr', rt, indexOf(name));
export const mtlr = (rs: string): Words => mtspr(8, rs);
export const mflr = (rt: string): Words => mfspr(rt, 8);
export const mtctr = (rs: string): Words => mtspr(9, rs);

// Programs

export const label = (name: string): Label => ({ label: name });
/** Bytes among the code, at a multiple of `align`. The code behind them starts at a multiple of 4. */
export const data = (bytes: Uint8Array, align = 4): Data => ({ bytes: () => bytes, length: bytes.length, align });
/** 64-bit words in the program's byte order. */
export const quads = (...values: (number | bigint)[]): Data => ({
  align: 8,
  length: 8 * values.length,
  bytes: (big) => {
    const bytes = new Uint8Array(8 * values.length);
    const view = new DataView(bytes.buffer);
    values.forEach((value, i) => {
      view.setBigUint64(8 * i, BigInt.asUintN(64, BigInt(value)), !big);
    });
    return bytes;
  },
});
/** Nothing up to a multiple of `align`. */
export const align = (to: number): Data => data(new Uint8Array(0), to);

const up = (at: number, to: number): number => Math.ceil(at / to) * to;

type Flat = Code | Label | Data;

const isWords = (item: Item): item is Words => Array.isArray(item) && item.length > 0 && typeof item[0] === 'number';

/** Lists taken apart, down to instructions. */
function flat(items: readonly Item[]): Flat[] {
  return items.flatMap((item) =>
    Array.isArray(item) && !isWords(item) ? flat(item as readonly Item[]) : [item as Flat],
  );
}

/**
 * Puts items one behind the other from `base` on, instructions and quads in the byte order asked for. Throws for a label that is missing or given twice,
 * and for offsets that do not fit.
 */
export function program(items: readonly Item[], base = 0n, order: 'big' | 'little' = 'big'): Assembled {
  const big = order === 'big';
  const labels = new Map<string, number>();
  const placed: { readonly at: number; readonly item: Code | Data }[] = [];
  let end = 0;
  let pending: string[] = [];
  for (const item of flat(items)) {
    if (typeof item === 'object' && 'label' in item) {
      if (labels.has(item.label) || pending.includes(item.label)) fail(`The label '${item.label}' is given twice.`);
      pending.push(item.label);
      continue;
    }
    const isData = typeof item === 'object' && 'align' in item;
    const at = up(end, isData ? item.align : 4);
    for (const name of pending) labels.set(name, at);
    pending = [];
    placed.push({ at, item });
    // Code that asks for a label is one word: branches, of which none has a prefix.
    end = at + (isData ? item.length : Array.isArray(item) ? 4 * item.length : 4);
  }
  end = up(end, 4);
  for (const name of pending) labels.set(name, end);
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  for (const { at, item } of placed) {
    if (typeof item === 'object' && 'align' in item) {
      bytes.set(item.bytes(big), at);
      continue;
    }
    const offset = (name: string): number => (labels.get(name) ?? fail(`There is no label '${name}'.`)) - at;
    const words = typeof item === 'function' ? item(offset) : item;
    words.forEach((word, i) => {
      view.setUint32(at + 4 * i, word, !big);
    });
  }
  return { base, bytes, labels: new Map([...labels].map(([name, at]) => [name, base + BigInt(at)])) };
}
