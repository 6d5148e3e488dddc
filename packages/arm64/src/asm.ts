/**
 * A small assembler: one function per instruction, giving its 32-bit word, and `program` for several with labels. Arm DDI 0487, C6.2; operand
 * order and aliases are those of the assembly language.
 *
 * Registers are written 'X0', 'W0', 'XZR', 'WZR', 'SP', 'WSP'; the first one's width is the instruction's. A function throws an Error for
 * operands that the instruction cannot encode.
 */
import type { Address } from '@countervisor/contract';
import { parts, sysreg } from './address.ts';
import { encodeBitmask } from './isa/bitmask.ts';
import { encode } from './isa/encode.ts';
import { control } from './registers/control.ts';
import { debug } from './registers/debug.ts';
import { general } from './registers/general.ts';
import { gic } from './registers/gic.ts';
import { identity } from './registers/identity.ts';
import { pmu } from './registers/pmu.ts';
import { system } from './registers/system.ts';
import { timer } from './registers/timer.ts';

/** One word, or one that needs to know where it stands: the offset to a label, bytes. */
export type Code = number | ((to: (label: string) => number) => number);
/** A place, bytes of data, or code. Lists are taken apart. */
export type Item = Code | Label | Data | readonly Item[];
export interface Label {
  readonly label: string;
}
export interface Data {
  readonly bytes: Uint8Array;
  readonly align: number;
}

/** An assembled program. */
export interface Assembled {
  readonly base: bigint;
  readonly bytes: Uint8Array;
  /** Addresses by label. */
  readonly labels: ReadonlyMap<string, bigint>;
}

const fail = (why: string): never => {
  throw new Error(why);
};

/** Number and width of a register; 31 stands for the zero register or the stack pointer, `sp` says which was meant. */
function register(name: string): { readonly n: number; readonly sf: 0 | 1; readonly sp: boolean } {
  const found = /^([XW])([0-9]|[12][0-9]|30)$/.exec(name);
  if (found) return { n: Number(found[2]), sf: found[1] === 'X' ? 1 : 0, sp: false };
  if (name === 'LR') return { n: 30, sf: 1, sp: false };
  if (name === 'XZR' || name === 'WZR') return { n: 31, sf: name === 'XZR' ? 1 : 0, sp: false };
  if (name === 'SP' || name === 'WSP') return { n: 31, sf: name === 'SP' ? 1 : 0, sp: true };
  return fail(`'${name}' is no register.`);
}

/** The number of a register that may not be the stack pointer. */
function zr(name: string): number {
  const { n, sp } = register(name);
  return sp ? fail(`The stack pointer can't stand here: ${name}.`) : n;
}

/** The number of a register that may be the stack pointer and not the zero register. */
function orSp(name: string): number {
  const { n, sp } = register(name);
  return n === 31 && !sp ? fail(`The zero register can't stand here: ${name}.`) : n;
}

const wide = (name: string): 0 | 1 => register(name).sf;
const widthOf = (name: string): 32 | 64 => (wide(name) === 1 ? 64 : 32);

const SHIFTS = ['LSL', 'LSR', 'ASR', 'ROR'];
const EXTENDS = ['UXTB', 'UXTH', 'UXTW', 'UXTX', 'SXTB', 'SXTH', 'SXTW', 'SXTX'];
export const CONDITIONS: readonly string[] = [
  ...['EQ', 'NE', 'CS', 'CC', 'MI', 'PL', 'VS', 'VC', 'HI', 'LS', 'GE', 'LT', 'GT', 'LE', 'AL', 'NV'],
];

function oneOf(list: readonly string[], name: string): number {
  const at = list.indexOf(name);
  return at < 0 ? fail(`'${name}' is none of ${list.join(', ')}.`) : at;
}

function condition(name: string): number {
  return oneOf(CONDITIONS, name === 'HS' ? 'CS' : name === 'LO' ? 'CC' : name);
}

/** 'LSL #3', 'SXTW', 'SXTW #2'. */
function modifier(text: string): { readonly name: string; readonly amount: number } {
  const [name = '', amount = '#0'] = text.split(' ');
  return { name, amount: Number(amount.slice(1)) };
}

/** A signed number as the low bits of a field. */
function twos(value: number, width: number, what: string): number {
  const half = 2 ** (width - 1);
  if (!Number.isInteger(value) || value < -half || value >= half)
    fail(`${what} ${value} does not fit in ${width} bits.`);
  return value < 0 ? value + 2 * half : value;
}

/** The bytes from a branch or literal to its target, given as such or as a label, put into the word by `make`. */
function relative(target: string | number, make: (bytes: number) => number): Code {
  return typeof target === 'number' ? make(target) : (to) => make(to(target));
}

const words = (bytes: number, width: number): number =>
  bytes % 4 === 0 ? twos(bytes / 4, width, 'The offset in words') : fail(`The offset ${bytes} is no multiple of 4.`);

// Addition and subtraction

type Source = string | number;

function addSubtract(name: 'ADD' | 'SUB', s: '' | 'S', rd: string, rn: string, by: Source, how?: string): number {
  const sf = wide(rd);
  const full = `${name}${s}`;
  if (typeof by === 'number') {
    const sh = by > 4095 || how === 'LSL #12' ? 1 : 0;
    const imm12 = by > 4095 ? by / 4096 : by;
    return encode(`${full} (immediate)`, { sf, sh, imm12, Rn: orSp(rn), Rd: s === 'S' ? zr(rd) : orSp(rd) });
  }
  const { name: kind, amount } = modifier(how ?? 'LSL');
  const pointer = register(rn).sp || (s === '' && register(rd).sp);
  if (pointer || EXTENDS.includes(kind)) {
    const option = kind === 'LSL' ? 2 + sf : oneOf(EXTENDS, kind);
    const Rd = s === 'S' ? zr(rd) : orSp(rd);
    return encode(`${full} (extended register)`, { sf, Rm: zr(by), option, imm3: amount, Rn: orSp(rn), Rd });
  }
  const shift = oneOf(SHIFTS, kind);
  return encode(`${full} (shifted register)`, { sf, shift, Rm: zr(by), imm6: amount, Rn: zr(rn), Rd: zr(rd) });
}

const zeroFor = (name: string): string => (wide(name) === 1 ? 'XZR' : 'WZR');

/** rd = rn + by; `by` is a register with 'LSL #3' or 'SXTW #2', or a number below 4096 or a multiple of it. */
export const add = (rd: string, rn: string, by: Source, how?: string): number =>
  addSubtract('ADD', '', rd, rn, by, how);
export const adds = (rd: string, rn: string, by: Source, how?: string): number =>
  addSubtract('ADD', 'S', rd, rn, by, how);
export const sub = (rd: string, rn: string, by: Source, how?: string): number =>
  addSubtract('SUB', '', rd, rn, by, how);
export const subs = (rd: string, rn: string, by: Source, how?: string): number =>
  addSubtract('SUB', 'S', rd, rn, by, how);
export const cmp = (rn: string, by: Source, how?: string): number => subs(zeroFor(rn), rn, by, how);
export const cmn = (rn: string, by: Source, how?: string): number => adds(zeroFor(rn), rn, by, how);
export const neg = (rd: string, rm: string, how?: string): number => sub(rd, zeroFor(rd), rm, how);

const three = (name: string, rd: string, rn: string, rm: string): number =>
  encode(name, { sf: wide(rd), Rm: zr(rm), Rn: zr(rn), Rd: zr(rd) });

export const adc = (rd: string, rn: string, rm: string): number => three('ADC', rd, rn, rm);
export const adcs = (rd: string, rn: string, rm: string): number => three('ADCS', rd, rn, rm);
export const sbc = (rd: string, rn: string, rm: string): number => three('SBC', rd, rn, rm);
export const sbcs = (rd: string, rn: string, rm: string): number => three('SBCS', rd, rn, rm);

// Logic

type Bits = string | number | bigint;

function logical(name: 'AND' | 'ORR' | 'EOR' | 'ANDS', rd: string, rn: string, by: Bits, how = 'LSL'): number {
  const sf = wide(rd);
  if (typeof by === 'string') {
    const { name: kind, amount } = modifier(how);
    const fields = { sf, shift: oneOf(SHIFTS, kind), Rm: zr(by), imm6: amount, Rn: zr(rn), Rd: zr(rd) };
    return encode(`${name} (shifted register)`, fields);
  }
  const value = BigInt.asUintN(widthOf(rd), BigInt(by));
  const [N, immr, imms] = encodeBitmask(value, widthOf(rd)) ?? fail(`${by} is no logical immediate.`);
  return encode(`${name} (immediate)`, { sf, N, immr, imms, Rn: zr(rn), Rd: name === 'ANDS' ? zr(rd) : orSp(rd) });
}

function inverted(name: 'BIC' | 'ORN' | 'EON' | 'BICS', rd: string, rn: string, rm: string, how = 'LSL'): number {
  const { name: kind, amount } = modifier(how);
  return encode(name, { sf: wide(rd), shift: oneOf(SHIFTS, kind), Rm: zr(rm), imm6: amount, Rn: zr(rn), Rd: zr(rd) });
}

export const and = (rd: string, rn: string, by: Bits, how?: string): number => logical('AND', rd, rn, by, how);
export const orr = (rd: string, rn: string, by: Bits, how?: string): number => logical('ORR', rd, rn, by, how);
export const eor = (rd: string, rn: string, by: Bits, how?: string): number => logical('EOR', rd, rn, by, how);
export const ands = (rd: string, rn: string, by: Bits, how?: string): number => logical('ANDS', rd, rn, by, how);
export const tst = (rn: string, by: Bits, how?: string): number => ands(zeroFor(rn), rn, by, how);
export const bic = (rd: string, rn: string, rm: string, how?: string): number => inverted('BIC', rd, rn, rm, how);
export const orn = (rd: string, rn: string, rm: string, how?: string): number => inverted('ORN', rd, rn, rm, how);
export const eon = (rd: string, rn: string, rm: string, how?: string): number => inverted('EON', rd, rn, rm, how);
export const bics = (rd: string, rn: string, rm: string, how?: string): number => inverted('BICS', rd, rn, rm, how);
export const mvn = (rd: string, rm: string, how?: string): number => orn(rd, zeroFor(rd), rm, how);

// Moves

const moveWide = (name: string, rd: string, imm16: number, shift: number): number =>
  encode(name, { sf: wide(rd), hw: shift / 16, imm16, Rd: zr(rd) });

/** `imm` is 16 bits, `shift` 0, 16, 32 or 48. */
export const movz = (rd: string, imm: number, shift = 0): number => moveWide('MOVZ', rd, imm, shift);
export const movn = (rd: string, imm: number, shift = 0): number => moveWide('MOVN', rd, imm, shift);
export const movk = (rd: string, imm: number, shift = 0): number => moveWide('MOVK', rd, imm, shift);

/** Between registers; to and from the stack pointer as well. */
export const mov = (rd: string, rm: string): number =>
  register(rd).sp || register(rm).sp ? add(rd, rm, 0) : orr(rd, zeroFor(rd), rm);

/** Any constant into a register: MOVZ and as many MOVK as it takes. Negative numbers count from 2^64. */
export function load(rd: string, value: number | bigint): number[] {
  const bits = BigInt.asUintN(widthOf(rd), BigInt(value));
  const chunks = [0, 16, 32, 48].map((shift) => ({ shift, imm: Number((bits >> BigInt(shift)) & 0xffffn) }));
  const [first = { shift: 0, imm: 0 }, ...rest] = chunks.filter(({ imm }) => imm !== 0);
  return [movz(rd, first.imm, first.shift), ...rest.map(({ shift, imm }) => movk(rd, imm, shift))];
}

/** The address of a label, or of a number of bytes from here. */
export const adr = (rd: string, target: string | number): Code =>
  relative(target, (bytes) => {
    const imm = twos(bytes, 21, 'The offset');
    return encode('ADR', { immlo: imm & 3, immhi: imm >> 2, Rd: zr(rd) });
  });

/** The address of a page, a number of pages from this one's. */
export const adrp = (rd: string, pages: number): number => {
  const imm = twos(pages, 21, 'The number of pages');
  return encode('ADRP', { immlo: imm & 3, immhi: imm >> 2, Rd: zr(rd) });
};

// Shifts, bit fields

const bitfield = (name: string, rd: string, rn: string, immr: number, imms: number): number =>
  encode(name, { sf: wide(rd), N: wide(rd), immr, imms, Rn: zr(rn), Rd: zr(rd) });

export const sbfm = (rd: string, rn: string, immr: number, imms: number): number =>
  bitfield('SBFM', rd, rn, immr, imms);
export const bfm = (rd: string, rn: string, immr: number, imms: number): number => bitfield('BFM', rd, rn, immr, imms);
export const ubfm = (rd: string, rn: string, immr: number, imms: number): number =>
  bitfield('UBFM', rd, rn, immr, imms);
export const ubfx = (rd: string, rn: string, low: number, width: number): number => ubfm(rd, rn, low, low + width - 1);
export const sbfx = (rd: string, rn: string, low: number, width: number): number => sbfm(rd, rn, low, low + width - 1);
export const bfi = (rd: string, rn: string, low: number, width: number): number =>
  bfm(rd, rn, (widthOf(rd) - low) % widthOf(rd), width - 1);
export const bfxil = (rd: string, rn: string, low: number, width: number): number => bfm(rd, rn, low, low + width - 1);

/** Shifts by a number, or by a register modulo the width. */
export const lsl = (rd: string, rn: string, by: Source): number => {
  if (typeof by === 'string') return three('LSLV', rd, rn, by);
  return ubfm(rd, rn, (widthOf(rd) - by) % widthOf(rd), widthOf(rd) - 1 - by);
};
export const lsr = (rd: string, rn: string, by: Source): number =>
  typeof by === 'string' ? three('LSRV', rd, rn, by) : ubfm(rd, rn, by, widthOf(rd) - 1);
export const asr = (rd: string, rn: string, by: Source): number =>
  typeof by === 'string' ? three('ASRV', rd, rn, by) : sbfm(rd, rn, by, widthOf(rd) - 1);
export const ror = (rd: string, rn: string, by: Source): number =>
  typeof by === 'string' ? three('RORV', rd, rn, by) : extr(rd, rn, rn, by);
export const extr = (rd: string, rn: string, rm: string, low: number): number =>
  encode('EXTR', { sf: wide(rd), N: wide(rd), Rm: zr(rm), imms: low, Rn: zr(rn), Rd: zr(rd) });

const one = (name: string, rd: string, rn: string): number => encode(name, { sf: wide(rd), Rn: zr(rn), Rd: zr(rd) });

export const clz = (rd: string, rn: string): number => one('CLZ', rd, rn);
export const cls = (rd: string, rn: string): number => one('CLS', rd, rn);
export const rbit = (rd: string, rn: string): number => one('RBIT', rd, rn);
export const rev16 = (rd: string, rn: string): number => one('REV16', rd, rn);
export const rev = (rd: string, rn: string): number =>
  encode(wide(rd) === 1 ? 'REV (64-bit)' : 'REV (32-bit)', { Rn: zr(rn), Rd: zr(rd) });
export const rev32 = (rd: string, rn: string): number => encode('REV32', { Rn: zr(rn), Rd: zr(rd) });

// Multiplication, division, checksums

const four = (name: string, rd: string, rn: string, rm: string, ra: string): number =>
  encode(name, { sf: wide(rd), Rm: zr(rm), Ra: zr(ra), Rn: zr(rn), Rd: zr(rd) });
const long = (name: string, rd: string, rn: string, rm: string, ra: string): number =>
  encode(name, { Rm: zr(rm), Ra: zr(ra), Rn: zr(rn), Rd: zr(rd) });
const high = (name: string, rd: string, rn: string, rm: string): number =>
  encode(name, { Rm: zr(rm), Rn: zr(rn), Rd: zr(rd) });

export const madd = (rd: string, rn: string, rm: string, ra: string): number => four('MADD', rd, rn, rm, ra);
export const msub = (rd: string, rn: string, rm: string, ra: string): number => four('MSUB', rd, rn, rm, ra);
export const mul = (rd: string, rn: string, rm: string): number => madd(rd, rn, rm, zeroFor(rd));
export const smaddl = (rd: string, rn: string, rm: string, ra: string): number => long('SMADDL', rd, rn, rm, ra);
export const smsubl = (rd: string, rn: string, rm: string, ra: string): number => long('SMSUBL', rd, rn, rm, ra);
export const umaddl = (rd: string, rn: string, rm: string, ra: string): number => long('UMADDL', rd, rn, rm, ra);
export const umsubl = (rd: string, rn: string, rm: string, ra: string): number => long('UMSUBL', rd, rn, rm, ra);
export const smulh = (rd: string, rn: string, rm: string): number => high('SMULH', rd, rn, rm);
export const umulh = (rd: string, rn: string, rm: string): number => high('UMULH', rd, rn, rm);
export const udiv = (rd: string, rn: string, rm: string): number => three('UDIV', rd, rn, rm);
export const sdiv = (rd: string, rn: string, rm: string): number => three('SDIV', rd, rn, rm);
/** `size` is B, H, W or X: of what is added to the checksum. */
export const crc32 = (size: string, rd: string, rn: string, rm: string): number => high(`CRC32${size}`, rd, rn, rm);
export const crc32c = (size: string, rd: string, rn: string, rm: string): number => high(`CRC32C${size}`, rd, rn, rm);

// Conditions

const pick = (name: string, rd: string, rn: string, rm: string, when: number): number =>
  encode(name, { sf: wide(rd), Rm: zr(rm), cond: when, Rn: zr(rn), Rd: zr(rd) });

export const csel = (rd: string, rn: string, rm: string, when: string): number =>
  pick('CSEL', rd, rn, rm, condition(when));
export const csinc = (rd: string, rn: string, rm: string, when: string): number =>
  pick('CSINC', rd, rn, rm, condition(when));
export const csinv = (rd: string, rn: string, rm: string, when: string): number =>
  pick('CSINV', rd, rn, rm, condition(when));
export const csneg = (rd: string, rn: string, rm: string, when: string): number =>
  pick('CSNEG', rd, rn, rm, condition(when));
export const cset = (rd: string, when: string): number =>
  pick('CSINC', rd, zeroFor(rd), zeroFor(rd), condition(when) ^ 1);
export const csetm = (rd: string, when: string): number =>
  pick('CSINV', rd, zeroFor(rd), zeroFor(rd), condition(when) ^ 1);

function conditional(name: string, rn: string, by: Source, nzcv: number, when: string): number {
  const fields = { sf: wide(rn), cond: condition(when), Rn: zr(rn), nzcv };
  return typeof by === 'number'
    ? encode(`${name} (immediate)`, { ...fields, imm5: by })
    : encode(`${name} (register)`, { ...fields, Rm: zr(by) });
}
export const ccmp = (rn: string, by: Source, nzcv: number, when: string): number =>
  conditional('CCMP', rn, by, nzcv, when);
export const ccmn = (rn: string, by: Source, nzcv: number, when: string): number =>
  conditional('CCMN', rn, by, nzcv, when);

// Branches. Targets are labels, or bytes from the branch.

export const b = (target: string | number): Code =>
  relative(target, (bytes) => encode('B', { imm26: words(bytes, 26) }));
export const bl = (target: string | number): Code =>
  relative(target, (bytes) => encode('BL', { imm26: words(bytes, 26) }));
export const bcond = (when: string, target: string | number): Code =>
  relative(target, (bytes) => encode('B.cond', { imm19: words(bytes, 19), cond: condition(when) }));
export const cbz = (rt: string, target: string | number): Code =>
  relative(target, (bytes) => encode('CBZ', { sf: wide(rt), imm19: words(bytes, 19), Rt: zr(rt) }));
export const cbnz = (rt: string, target: string | number): Code =>
  relative(target, (bytes) => encode('CBNZ', { sf: wide(rt), imm19: words(bytes, 19), Rt: zr(rt) }));
const testBit = (name: string, rt: string, bit: number, target: string | number): Code =>
  relative(target, (bytes) => encode(name, { b5: bit >> 5, b40: bit & 31, imm14: words(bytes, 14), Rt: zr(rt) }));
export const tbz = (rt: string, bit: number, target: string | number): Code => testBit('TBZ', rt, bit, target);
export const tbnz = (rt: string, bit: number, target: string | number): Code => testBit('TBNZ', rt, bit, target);
export const br = (rn: string): number => encode('BR', { Rn: zr(rn) });
export const blr = (rn: string): number => encode('BLR', { Rn: zr(rn) });
export const ret = (rn = 'X30'): number => encode('RET', { Rn: zr(rn) });

// Memory

/** Where a load or store finds its address. */
export interface Where {
  readonly base: string;
  readonly form: 'offset' | 'pre-index' | 'post-index' | 'register';
  readonly offset: number;
  readonly index?: string;
  readonly how?: string;
}

/** [base, #offset] or [base, index, 'LSL #3']. */
export const mem = (base: string, offset: number | string = 0, how?: string): Where =>
  typeof offset === 'number'
    ? { base, form: 'offset', offset }
    : { base, form: 'register', offset: 0, index: offset, ...(how !== undefined && { how }) };
/** [base, #offset]! */
export const pre = (base: string, offset: number): Where => ({ base, form: 'pre-index', offset });
/** [base], #offset */
export const post = (base: string, offset: number): Where => ({ base, form: 'post-index', offset });

function transfer(load: boolean, suffix: string, registerName: string, size: number, rt: string, at: Where): number {
  const tail = registerName === '' ? '' : ` ${registerName}`;
  const name = `${load ? 'LDR' : 'STR'}${suffix}${tail}`;
  const common = { Rn: orSp(at.base), Rt: zr(rt) };
  if (at.index !== undefined) {
    const { name: kind, amount } = modifier(at.how ?? 'LSL');
    const option = kind === 'LSL' ? 3 : oneOf(EXTENDS, kind);
    const log = Math.log2(size);
    if (amount !== 0 && amount !== log) fail(`${name} can't shift its index by ${amount}.`);
    // A byte's shift of 0 is written out in the encoding; nothing else differs.
    return encode(`${name} (register)`, { ...common, Rm: zr(at.index), option, S: amount !== 0 ? 1 : 0 });
  }
  if (at.form !== 'offset')
    return encode(`${name} (${at.form})`, { ...common, imm9: twos(at.offset, 9, 'The offset') });
  if (at.offset >= 0 && at.offset % size === 0 && at.offset / size < 4096) {
    return encode(`${name} (unsigned offset)`, { ...common, imm12: at.offset / size });
  }
  return encode(`${load ? 'LDUR' : 'STUR'}${suffix}${tail} (unscaled)`, {
    ...common,
    imm9: twos(at.offset, 9, 'The offset'),
  });
}

const xw = (rt: string): string => (wide(rt) === 1 ? 'X' : 'W');
const sizeOf = (rt: string): number => (wide(rt) === 1 ? 8 : 4);

const literal = (name: string, rt: string, target: string): Code =>
  relative(target, (bytes) => encode(`${name} (literal)`, { imm19: words(bytes, 19), Rt: zr(rt) }));

/** From [base…], or from a label. */
export const ldr = (rt: string, at: Where | string): Code =>
  typeof at === 'string' ? literal(`LDR ${xw(rt)}`, rt, at) : transfer(true, '', xw(rt), sizeOf(rt), rt, at);
export const str = (rt: string, at: Where): number => transfer(false, '', xw(rt), sizeOf(rt), rt, at);
export const ldrb = (rt: string, at: Where): number => transfer(true, 'B', '', 1, rt, at);
export const strb = (rt: string, at: Where): number => transfer(false, 'B', '', 1, rt, at);
export const ldrh = (rt: string, at: Where): number => transfer(true, 'H', '', 2, rt, at);
export const strh = (rt: string, at: Where): number => transfer(false, 'H', '', 2, rt, at);
export const ldrsb = (rt: string, at: Where): number => transfer(true, 'SB', xw(rt), 1, rt, at);
export const ldrsh = (rt: string, at: Where): number => transfer(true, 'SH', xw(rt), 2, rt, at);
export const ldrsw = (rt: string, at: Where): number => transfer(true, 'SW', '', 4, rt, at);

function pairTransfer(name: string, size: number, rt: string, rt2: string, at: Where): number {
  const imm7 = twos(at.offset / size, 7, 'The offset in registers');
  return encode(`${name} (${at.form})`, { imm7, Rt2: zr(rt2), Rn: orSp(at.base), Rt: zr(rt) });
}

export const ldp = (rt: string, rt2: string, at: Where): number =>
  pairTransfer(`LDP ${xw(rt)}`, sizeOf(rt), rt, rt2, at);
export const stp = (rt: string, rt2: string, at: Where): number =>
  pairTransfer(`STP ${xw(rt)}`, sizeOf(rt), rt, rt2, at);
export const ldpsw = (rt: string, rt2: string, at: Where): number => pairTransfer('LDPSW', 4, rt, rt2, at);

/** `size` of the exclusive, ordered and atomic ones is 'B', 'H', or '' for the register's own. */
export type Part = '' | 'B' | 'H';
const part = (name: string, size: Part, rt: string): string => `${name}${size === '' ? ` ${xw(rt)}` : size}`;
const at2 = (name: string, size: Part, rt: string, rn: string): number =>
  encode(part(name, size, rt), { Rn: orSp(rn), Rt: zr(rt) });
const at3 = (name: string, size: Part, rs: string, rt: string, rn: string): number =>
  encode(part(name, size, rt), { Rs: zr(rs), Rn: orSp(rn), Rt: zr(rt) });

export const ldxr = (rt: string, rn: string, size: Part = ''): number => at2('LDXR', size, rt, rn);
export const ldaxr = (rt: string, rn: string, size: Part = ''): number => at2('LDAXR', size, rt, rn);
export const stxr = (rs: string, rt: string, rn: string, size: Part = ''): number => at3('STXR', size, rs, rt, rn);
export const stlxr = (rs: string, rt: string, rn: string, size: Part = ''): number => at3('STLXR', size, rs, rt, rn);
export const ldar = (rt: string, rn: string, size: Part = ''): number => at2('LDAR', size, rt, rn);
export const stlr = (rt: string, rn: string, size: Part = ''): number => at2('STLR', size, rt, rn);
export const ldapr = (rt: string, rn: string, size: Part = ''): number => at2('LDAPR', size, rt, rn);
export const ldxp = (rt: string, rt2: string, rn: string): number =>
  encode(`LDXP ${xw(rt)}`, { Rt2: zr(rt2), Rn: orSp(rn), Rt: zr(rt) });
export const stxp = (rs: string, rt: string, rt2: string, rn: string): number =>
  encode(`STXP ${xw(rt)}`, { Rs: zr(rs), Rt2: zr(rt2), Rn: orSp(rn), Rt: zr(rt) });
export const clrex = (): number => encode('CLREX', {});

/** LDADD, LDCLR, LDEOR, LDSET, LDSMAX, LDSMIN, LDUMAX, LDUMIN or SWP, with acquire and release: rt = [rn], [rn] = rt op rs. */
export const atomic = (name: string, rs: string, rt: string, rn: string, size: Part = ''): number =>
  encode(part(name, size, rt), { A: 1, R: 1, Rs: zr(rs), Rn: orSp(rn), Rt: zr(rt) });
/** With acquire and release: rs = [rn]; [rn] = rt if it was rs. */
export const cas = (rs: string, rt: string, rn: string, size: Part = ''): number =>
  encode(part('CAS', size, rt), { L: 1, Rs: zr(rs), o0: 1, Rn: orSp(rn), Rt: zr(rt) });

// System

const bare = (name: string) => (): number => encode(name, {});
export const nop: () => number = bare('NOP');
export const yields: () => number = bare('YIELD');
export const wfe: () => number = bare('WFE');
export const wfi: () => number = bare('WFI');
export const sev: () => number = bare('SEV');
export const sevl: () => number = bare('SEVL');
export const eret: () => number = bare('ERET');
export const hint = (number: number): number => encode('HINT', { CRm: number >> 3, op2: number & 7 }) >>> 0;
export const isb = (): number => encode('ISB', { CRm: 15 });
export const dsb = (): number => encode('DSB', { CRm: 15 });
export const dmb = (): number => encode('DMB', { CRm: 15 });
export const svc = (imm: number): number => encode('SVC', { imm16: imm });
export const hvc = (imm: number): number => encode('HVC', { imm16: imm });
export const smc = (imm: number): number => encode('SMC', { imm16: imm });
export const brk = (imm: number): number => encode('BRK', { imm16: imm });
export const udf = (imm: number): number => imm & 0xffff;

/** A register by the manual's name, by S3_0_C0_C0_0, or by its address. */
export type SystemRegister = string | Address;

const spelt = /^S([0-3])_([0-7])_C([0-9]|1[0-5])_C([0-9]|1[0-5])_([0-7])$/;

const TABLES = [general, control, debug, gic, identity, pmu, system, timer];

/** Its address's index. */
export function indexOf(name: SystemRegister): number {
  if (typeof name !== 'string') return name.index;
  const found = spelt.exec(name);
  if (found) {
    const [op0, op1, crn, crm, op2] = found.slice(1).map(Number) as [number, number, number, number, number];
    return sysreg(op0, op1, crn, crm, op2).index;
  }
  const row = TABLES.map((table) => table[name]).find((row) => row?.at !== undefined);
  return row?.at?.index ?? fail(`No table names the system register ${name}.`);
}

function named(index: number): { o0: number; op1: number; CRn: number; CRm: number; op2: number } {
  const [op0, op1, CRn, CRm, op2] = parts(index);
  return { o0: op0 & 1, op1, CRn, CRm, op2 };
}

export const mrs = (rt: string, name: SystemRegister): number => encode('MRS', { ...named(indexOf(name)), Rt: zr(rt) });
export const msr = (name: SystemRegister, rt: string): number =>
  encode('MSR (register)', { ...named(indexOf(name)), Rt: zr(rt) });
/** DAIFSet, DAIFClr, SPSel or PAN. */
export const msrImmediate = (name: string, imm: number): number => encode(`MSR ${name} (immediate)`, { CRm: imm });
/** A cache, TLB or address translation operation: op1, CRn, CRm, op2. */
export const sys = (op1: number, CRn: number, CRm: number, op2: number, rt = 'XZR'): number =>
  encode('SYS', { op1, CRn, CRm, op2, Rt: zr(rt) });
export const sysl = (rt: string, op1: number, CRn: number, CRm: number, op2: number): number =>
  encode('SYSL', { op1, CRn, CRm, op2, Rt: zr(rt) });
/** The same by a register row's name: TLBI_VMALLE1, DC_CIVAC, AT_S1E1R. */
export const operate = (name: string, rt = 'XZR'): number => {
  const { op1, CRn, CRm, op2 } = named(indexOf(name));
  return sys(op1, CRn, CRm, op2, rt);
};
export const dcZva = (rt: string): number => encode('DC ZVA', { Rt: zr(rt) });

// Programs

export const label = (name: string): Label => ({ label: name });
/** Bytes among the code, at a multiple of `align`. The code behind them starts at a multiple of 4. */
export const data = (bytes: Uint8Array, align = 4): Data => ({ bytes, align });
/** 64-bit words, little-endian. */
export const quads = (...values: (number | bigint)[]): Data => {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setBigUint64(8 * i, BigInt.asUintN(64, BigInt(value)), true);
  });
  return data(bytes, 8);
};

const up = (at: number, align: number): number => Math.ceil(at / align) * align;

/** Puts items one behind the other from `base` on. Throws for a label that is missing or given twice, and for offsets that do not fit. */
export function program(items: readonly Item[], base = 0n): Assembled {
  const labels = new Map<string, number>();
  const placed: { readonly at: number; readonly item: Code | Data }[] = [];
  let end = 0;
  const flat = (items as readonly unknown[]).flat(Number.POSITIVE_INFINITY) as (Code | Label | Data)[];
  let pending: string[] = [];
  for (const item of flat) {
    if (typeof item === 'object' && 'label' in item) {
      if (labels.has(item.label) || pending.includes(item.label)) fail(`The label '${item.label}' is given twice.`);
      pending.push(item.label);
      continue;
    }
    const isData = typeof item === 'object';
    const at = up(end, isData ? item.align : 4);
    for (const name of pending) labels.set(name, at);
    pending = [];
    placed.push({ at, item });
    end = at + (isData ? item.bytes.length : 4);
  }
  end = up(end, 4);
  for (const name of pending) labels.set(name, end);
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  for (const { at, item } of placed) {
    if (typeof item === 'object') bytes.set(item.bytes, at);
    else if (typeof item === 'number') view.setUint32(at, item, true);
    else
      view.setUint32(
        at,
        item((name) => (labels.get(name) ?? fail(`There is no label '${name}'.`)) - at),
        true,
      );
  }
  return { base, bytes, labels: new Map([...labels].map(([name, at]) => [name, base + BigInt(at)])) };
}
