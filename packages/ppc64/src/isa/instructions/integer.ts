/**
 * Fixed-point arithmetic and comparison. Power ISA 3.0B, book I, 3.3.9 to 3.3.12.
 *
 * What the manual leaves undefined: a quotient by 0 is 0 and a remainder by 0 the dividend; the least number by -1 is itself; an extended quotient that
 * does not fit is 0; the upper half of a word's quotient, remainder or high product is that of the number (signed where the op is) or 0.
 */
import type { Lifter, Value } from '@countervisor/contract';
import { CR, finish, gpr, order, setCr, setGpr, signed, type Xer } from '../operands.ts';
import { type Fields, type Mode, type Row, row } from '../row.ts';
import { dForm, xForm, xoForms } from './forms.ts';

const ADD = '3.3.9';
const MULTIPLY = '3.3.9';
const ALL_ONES = (1n << 64n) - 1n;

/** a + c + carry, and what XER says of it. */
function sum(b: Lifter, mode: Mode, a: Value, c: Value, carry: Value | undefined, sets: { ca: boolean; ov: boolean }) {
  const none = carry ?? b.constant(0);
  const two = b.add(a, c);
  const result = carry === undefined ? two : b.add(two, carry);
  const width = mode.sf ? 64 : 32;
  const ca = sets.ca ? { ca: b.carry(a, c, none, width), ca32: b.carry(a, c, none, 32) } : {};
  const ov = sets.ov ? { ov: b.overflow(a, c, none, width), ov32: b.overflow(a, c, none, 32) } : {};
  return { result, xer: { ...ca, ...ov } satisfies Xer };
}

/** The addition and subtraction family, all of which is (RA or its complement) + something + a carry. */
interface Sum {
  readonly name: string;
  readonly xo: number;
  readonly complement?: true;
  /** What is added: RB, 0, or -1. */
  readonly to: 'RB' | 'zero' | 'ones';
  /** What is carried in: 0, 1, or CA. */
  readonly carry: 'none' | 'one' | 'CA';
  readonly sets: boolean;
}

const SUMS: readonly Sum[] = [
  { name: 'add', xo: 266, to: 'RB', carry: 'none', sets: false },
  { name: 'subf', xo: 40, complement: true, to: 'RB', carry: 'one', sets: false },
  { name: 'addc', xo: 10, to: 'RB', carry: 'none', sets: true },
  { name: 'subfc', xo: 8, complement: true, to: 'RB', carry: 'one', sets: true },
  { name: 'adde', xo: 138, to: 'RB', carry: 'CA', sets: true },
  { name: 'subfe', xo: 136, complement: true, to: 'RB', carry: 'CA', sets: true },
  { name: 'addme', xo: 234, to: 'ones', carry: 'CA', sets: true },
  { name: 'subfme', xo: 232, complement: true, to: 'ones', carry: 'CA', sets: true },
  { name: 'addze', xo: 202, to: 'zero', carry: 'CA', sets: true },
  { name: 'subfze', xo: 200, complement: true, to: 'zero', carry: 'CA', sets: true },
  { name: 'neg', xo: 104, complement: true, to: 'zero', carry: 'one', sets: false },
];

const sums: readonly Row[] = SUMS.flatMap(({ name, xo, complement, to, carry, sets }) =>
  xoForms({ name, xo, source: ADD, b: to === 'RB' ? 'RB' : '/////' }, (b, f, mode, { oe, rc }) => {
    const first = gpr(b, f.RA);
    // Where no flag is asked for, a subtraction is just that.
    if (complement && carry === 'one' && !sets && !oe) {
      finish(b, mode, f.RT, b.sub(to === 'RB' ? gpr(b, f.RB) : b.constant(0), first), {}, rc);
      return;
    }
    const second = to === 'RB' ? gpr(b, f.RB) : b.constant(to === 'ones' ? ALL_ONES : 0n);
    const into = { none: undefined, one: b.constant(1), CA: b.get('CA') }[carry];
    const { result, xer } = sum(b, mode, complement ? b.not(first) : first, second, into, { ca: sets, ov: oe });
    finish(b, mode, f.RT, result, xer, rc);
  }),
);

const immediate = (f: Fields): number => signed(f.SI, 16);

function addCarrying(name: string, opcode: number, rc: boolean): Row {
  return dForm(name, opcode, 'RT RA SI', 'RT RA SI', ADD, (b, f, mode) => {
    const by = b.constant(immediate(f));
    const { result, xer } = sum(b, mode, gpr(b, f.RA), by, undefined, { ca: true, ov: false });
    finish(b, mode, f.RT, result, xer, rc);
  });
}

const immediates: readonly Row[] = [
  dForm('addi', 14, 'RT RA SI', 'RT RA SI', ADD, (b, f) =>
    setGpr(b, f.RT, f.RA === 0 ? b.constant(immediate(f)) : b.add(gpr(b, f.RA), b.constant(immediate(f)))),
  ),
  dForm('addis', 15, 'RT RA SI', 'RT RA SI', ADD, (b, f) => {
    const by = b.constant(immediate(f) * 65536);
    setGpr(b, f.RT, f.RA === 0 ? by : b.add(gpr(b, f.RA), by));
  }),
  addCarrying('addic', 12, false),
  addCarrying('addic.', 13, true),
  dForm('subfic', 8, 'RT RA SI', 'RT RA SI', ADD, (b, f, mode) => {
    const by = b.constant(immediate(f));
    const { result, xer } = sum(b, mode, b.not(gpr(b, f.RA)), by, b.constant(1), { ca: true, ov: false });
    finish(b, mode, f.RT, result, xer, false);
  }),
  dForm(
    'mulli',
    7,
    'RT RA SI',
    'RT RA SI',
    MULTIPLY,
    (b, f) => setGpr(b, f.RT, b.mul(gpr(b, f.RA), b.constant(immediate(f)))),
    'multiply',
  ),
  row(
    'addpcis',
    'alu',
    '010011 RT d5:1 d15:6 00010 d0',
    'RT DX',
    ADD,
    (b, f) => setGpr(b, f.RT, b.constant(b.next + BigInt(signed(f.DX, 16)) * 65536n)),
    { needs: 'isa-3.0' },
  ),
  // CY other than 0 is reserved. OV is the carry, in and out; SO stays.
  row(
    'addex',
    'alu',
    '011111 RT RA RB 00 10101010 /',
    'RT RA RB',
    ADD,
    (b, f, mode) => {
      const [x, y, into] = [gpr(b, f.RA), gpr(b, f.RB), b.get('OV')];
      const out = b.carry(x, y, into, mode.sf ? 64 : 32);
      const low = b.carry(x, y, into, 32);
      const result = b.add(b.add(x, y), into);
      setGpr(b, f.RT, result);
      b.set('OV', out);
      b.set('OV32', low);
    },
    { needs: 'isa-3.0' },
  ),
];

const sext = (b: Lifter, n: number): Value => b.sext32(gpr(b, n));
const zext = (b: Lifter, n: number): Value => b.zext32(gpr(b, n));

const products: readonly Row[] = [
  ...xoForms({ name: 'mullw', xo: 235, source: MULTIPLY, cost: 'multiply' }, (b, f, mode, { oe, rc }) => {
    const product = b.mul(sext(b, f.RA), sext(b, f.RB));
    const ov = oe ? b.ne(product, b.sext32(product)) : undefined;
    finish(b, mode, f.RT, product, ov === undefined ? {} : { ov, ov32: ov }, rc);
  }),
  ...xoForms({ name: 'mulld', xo: 233, source: MULTIPLY, cost: 'multiply' }, (b, f, mode, { oe, rc }) => {
    const [x, y] = [gpr(b, f.RA), gpr(b, f.RB)];
    const product = b.mul(x, y);
    // It fits when the high half is nothing but the sign of the low one.
    const ov = oe ? b.ne(b.mulhs(x, y), b.sar(product, b.constant(63))) : undefined;
    finish(b, mode, f.RT, product, ov === undefined ? {} : { ov, ov32: ov }, rc);
  }),
  // The upper half of these two is undefined, and 0 here.
  ...xoForms({ name: 'mulhw', xo: 75, source: MULTIPLY, cost: 'multiply', oe: false }, (b, f, mode, { rc }) =>
    finish(b, mode, f.RT, b.mulhs(gpr(b, f.RA), gpr(b, f.RB), 32), {}, rc),
  ),
  ...xoForms({ name: 'mulhwu', xo: 11, source: MULTIPLY, cost: 'multiply', oe: false }, (b, f, mode, { rc }) =>
    finish(b, mode, f.RT, b.mulhu(gpr(b, f.RA), gpr(b, f.RB), 32), {}, rc),
  ),
  ...xoForms({ name: 'mulhd', xo: 73, source: MULTIPLY, cost: 'multiply', oe: false }, (b, f, mode, { rc }) =>
    finish(b, mode, f.RT, b.mulhs(gpr(b, f.RA), gpr(b, f.RB)), {}, rc),
  ),
  ...xoForms({ name: 'mulhdu', xo: 9, source: MULTIPLY, cost: 'multiply', oe: false }, (b, f, mode, { rc }) =>
    finish(b, mode, f.RT, b.mulhu(gpr(b, f.RA), gpr(b, f.RB)), {}, rc),
  ),
];

/** Multiply-add: the 128-bit sum of a product and RC. */
function maddhd(name: string, xo: string, how: 'mulhs' | 'mulhu'): Row {
  return row(
    name,
    'multiply',
    `000100 RT RA RB RC ${xo}` as string,
    'RT RA RB RC',
    MULTIPLY,
    (b, f) => {
      const [x, y, z] = [gpr(b, f.RA), gpr(b, f.RB), gpr(b, f.RC)];
      const carry = b.carry(b.mul(x, y), z, b.constant(0));
      const high = b.add(b[how](x, y), carry);
      setGpr(b, f.RT, how === 'mulhs' ? b.add(high, b.sar(z, b.constant(63))) : high);
    },
    { needs: 'isa-3.0' },
  );
}

const multiplyAdd: readonly Row[] = [
  maddhd('maddhd', '110000', 'mulhs'),
  maddhd('maddhdu', '110001', 'mulhu'),
  row(
    'maddld',
    'multiply',
    '000100 RT RA RB RC 110011',
    'RT RA RB RC',
    MULTIPLY,
    (b, f) => setGpr(b, f.RT, b.add(b.mul(gpr(b, f.RA), gpr(b, f.RB)), gpr(b, f.RC))),
    { needs: 'isa-3.0' },
  ),
];

/** The quotient and whether it does not fit or there is none. */
interface Quotient {
  readonly value: Value;
  readonly overflow: () => Value;
}

const LEAST_32 = 0x8000_0000n;
const LEAST_64 = 1n << 63n;

/** Least / -1 does not fit, nor anything / 0. */
function signedQuotient(b: Lifter, x: Value, y: Value, width: 32 | 64): Quotient {
  const overflow = (): Value => {
    const least = b.eq(x, b.constant(width === 64 ? LEAST_64 : LEAST_32), width);
    const wraps = b.and(least, b.eq(y, b.constant(ALL_ONES), width));
    return b.or(wraps, b.eq(y, b.constant(0), width));
  };
  return { value: b.divs(x, y, width), overflow };
}

const QUOTIENTS: readonly {
  readonly name: string;
  readonly xo: number;
  readonly needs?: string;
  readonly of: (b: Lifter, f: Fields) => Quotient;
}[] = [
  { name: 'divw', xo: 491, of: (b, f) => signedQuotient(b, gpr(b, f.RA), gpr(b, f.RB), 32) },
  { name: 'divd', xo: 489, of: (b, f) => signedQuotient(b, gpr(b, f.RA), gpr(b, f.RB), 64) },
  {
    name: 'divwu',
    xo: 459,
    of: (b, f) => {
      const y = gpr(b, f.RB);
      return { value: b.divu(gpr(b, f.RA), y, 32), overflow: () => b.eq(y, b.constant(0), 32) };
    },
  },
  {
    name: 'divdu',
    xo: 457,
    of: (b, f) => {
      const y = gpr(b, f.RB);
      return { value: b.divu(gpr(b, f.RA), y), overflow: () => b.eq(y, b.constant(0)) };
    },
  },
  // The dividend is RA with as many zeros behind it.
  {
    name: 'divweu',
    xo: 395,
    needs: 'isa-2.06',
    of: (b, f) => {
      const [x, y] = [zext(b, f.RA), zext(b, f.RB)];
      const bad = b.leu(y, x);
      const quotient = b.divu(b.shl(x, b.constant(32)), y);
      return { value: b.select(bad, b.constant(0), quotient), overflow: () => bad };
    },
  },
  {
    name: 'divwe',
    xo: 427,
    needs: 'isa-2.06',
    of: (b, f) => {
      const [x, y] = [b.shl(gpr(b, f.RA), b.constant(32)), sext(b, f.RB)];
      const quotient = b.divs(x, y);
      const bad = b.or(b.eq(y, b.constant(0)), b.ne(quotient, b.sext32(quotient)));
      return { value: b.select(bad, b.constant(0), b.zext32(quotient)), overflow: () => bad };
    },
  },
  {
    name: 'divdeu',
    xo: 393,
    needs: 'isa-2.06',
    of: (b, f) => {
      const [x, y] = [gpr(b, f.RA), gpr(b, f.RB)];
      return { value: b.call('divdeu', x, y), overflow: () => b.leu(y, x) };
    },
  },
  {
    name: 'divde',
    xo: 425,
    needs: 'isa-2.06',
    of: (b, f) => {
      const [x, y] = [gpr(b, f.RA), gpr(b, f.RB)];
      const overflow = b.call('divde-overflow', x, y);
      return { value: b.call('divde', x, y), overflow: () => overflow };
    },
  },
];

const quotients: readonly Row[] = QUOTIENTS.flatMap(({ name, xo, needs, of }) =>
  xoForms({ name, xo, source: '3.3.9', cost: 'divide', ...(needs && { needs }) }, (b, f, mode, { oe, rc }) => {
    const { value, overflow } = of(b, f);
    const ov = oe ? overflow() : undefined;
    finish(b, mode, f.RT, value, ov === undefined ? {} : { ov, ov32: ov }, rc);
  }),
);

const remainder = (name: string, xo: number, lift: (b: Lifter, f: Fields) => Value): Row =>
  xForm({ name, xo, source: '3.3.9', cost: 'divide', needs: 'isa-3.0' }, 'RT RA RB', 'RT RA RB', (b, f) =>
    setGpr(b, f.RT, lift(b, f)),
  );

const remainders: readonly Row[] = [
  remainder('modsw', 779, (b, f) => b.rems(sext(b, f.RA), sext(b, f.RB))),
  remainder('moduw', 267, (b, f) => b.remu(zext(b, f.RA), zext(b, f.RB))),
  remainder('modsd', 777, (b, f) => b.rems(gpr(b, f.RA), gpr(b, f.RB))),
  remainder('modud', 265, (b, f) => b.remu(gpr(b, f.RA), gpr(b, f.RB))),
];

/** Comparison of whole registers or, with L = 0, of their low words. */
function compare(
  name: string,
  pattern: string,
  syntax: string,
  how: 'lts' | 'ltu',
  second: (b: Lifter, f: Fields) => Value,
) {
  return row(name, 'alu', pattern, syntax, '3.3.10', (b, f) =>
    setCr(b, f.BF, order(b, gpr(b, f.RA), second(b, f), f.L === 1 ? 64 : 32, how), b.get('SO')),
  );
}

const byteOf = (b: Lifter, value: Value, n: number): Value =>
  b.zext8(n === 0 ? value : b.shr(value, b.constant(8 * n)));

const inRange = (b: Lifter, byte: Value, range: Value, n: number): Value =>
  b.and(b.leu(byteOf(b, range, n), byte), b.leu(byte, byteOf(b, range, n + 1)));

const compares: readonly Row[] = [
  compare('cmpi', '001011 BF / L RA SI', 'BF L RA SI', 'lts', (b, f) => b.constant(immediate(f))),
  compare('cmpli', '001010 BF / L RA UI', 'BF L RA UI', 'ltu', (b, f) => b.constant(f.UI)),
  compare('cmp', '011111 BF / L RA RB 0000000000 /', 'BF L RA RB', 'lts', (b, f) => gpr(b, f.RB)),
  compare('cmpl', '011111 BF / L RA RB 0000100000 /', 'BF L RA RB', 'ltu', (b, f) => gpr(b, f.RB)),
  // The byte of RA within either range (L = 1), or the low one, of RB: bytes are low and high bound from the least significant byte on.
  row(
    'cmprb',
    'alu',
    '011111 BF / L RA RB 0011000000 /',
    'BF L RA RB',
    '3.3.10.1',
    (b, f) => {
      const byte = b.zext8(gpr(b, f.RA));
      const range = gpr(b, f.RB);
      const low = inRange(b, byte, range, 0);
      const found = f.L === 1 ? b.or(low, inRange(b, byte, range, 2)) : low;
      b.set(CR[f.BF] as string, b.shl(found, b.constant(2)));
    },
    { needs: 'isa-3.0' },
  ),
  row(
    'cmpeqb',
    'alu',
    '011111 BF // RA RB 0011100000 /',
    'BF RA RB',
    '3.3.10.1',
    (b, f) => {
      // A byte that is equal is 0 in the difference, and the classic test finds a zero byte exactly.
      const difference = b.xor(gpr(b, f.RB), b.mul(b.zext8(gpr(b, f.RA)), b.constant(LOW_BITS)));
      const borrowed = b.and(b.sub(difference, b.constant(LOW_BITS)), b.not(difference));
      const found = b.ne(b.and(borrowed, b.constant(LOW_BITS << 7n)), b.constant(0));
      b.set(CR[f.BF] as string, b.shl(found, b.constant(2)));
    },
    { needs: 'isa-3.0' },
  ),
  row(
    'setb',
    'alu',
    '011111 RT BFA // ///// 0010000000 /',
    'RT BFA',
    '3.3.12',
    (b, f) => {
      const field = b.get(CR[f.BFA] as string);
      const greater = b.and(b.shr(field, b.constant(2)), b.constant(1));
      const less = b.shr(field, b.constant(3));
      setGpr(b, f.RT, b.select(less, b.constant(-1), greater));
    },
    { needs: 'isa-3.0' },
  ),
];

/** 1 in every byte. */
const LOW_BITS = 0x0101_0101_0101_0101n;

/** Binary-coded decimal assist: rare, so helpers. */
const decimal: readonly Row[] = [
  row(
    'addg6s',
    'alu',
    '011111 RT RA RB / 001001010 /',
    'RT RA RB',
    '3.3.15',
    (b, f) => setGpr(b, f.RT, b.call('addg6s', gpr(b, f.RA), gpr(b, f.RB))),
    { needs: 'isa-2.06' },
  ),
  ...(['cbcdtd', 'cdtbcd'] as const).map((name, i) =>
    xForm({ name, xo: i === 0 ? 314 : 282, source: '3.3.15', needs: 'isa-2.06' }, 'RS RA /////', 'RA RS', (b, f) =>
      setGpr(b, f.RA, b.call(name, gpr(b, f.RS))),
    ),
  ),
];

export const integer: readonly Row[] = [
  ...sums,
  ...immediates,
  ...products,
  ...multiplyAdd,
  ...quotients,
  ...remainders,
  ...compares,
  ...decimal,
];
