/** The pure ops as WebAssembly. Meanings are the vocabulary's (`PURE_OPS`); the stepper's code is not used here. */
import type { Op, Operand, PureOpName, Width } from '@countervisor/contract';
import type { OpName } from './opcodes.ts';
import type { Values } from './values.ts';

export type Pure = Extract<Op, { readonly width: Width }>;

/** Ops that WebAssembly has as they stand: name without the width. */
const DIRECT: Readonly<Partial<Record<PureOpName, string>>> = {
  add: 'add',
  sub: 'sub',
  mul: 'mul',
  and: 'and',
  or: 'or',
  xor: 'xor',
  shl: 'shl',
  shr: 'shr_u',
  sar: 'shr_s',
  rotr: 'rotr',
};
const COUNTS: Readonly<Partial<Record<PureOpName, string>>> = { clz: 'clz', ctz: 'ctz', popcnt: 'popcnt' };
const COMPARES: Readonly<Partial<Record<PureOpName, string>>> = {
  eq: 'eq',
  ne: 'ne',
  ltu: 'lt_u',
  lts: 'lt_s',
  leu: 'le_u',
  les: 'le_s',
};

const named = (width: Width, name: string): OpName => `i${width}.${name}` as OpName;

function binary(v: Values, name: OpName, { width, to, a, b }: Pure): void {
  if (width === 32) {
    v.push32(a);
    v.push32(b);
    v.body.op(name).op('i64.extend_i32_u');
  } else {
    v.push(a);
    v.push(b);
    v.body.op(name);
  }
  v.pop(to);
}

function compare(v: Values, op: Pure, name: string): void {
  const { width, to, a, b } = op;
  const zero = v.constant(b) === 0n;
  if (zero && (op.op === 'eq' || op.op === 'ne') && v.isTruth(a)) {
    v.push32(a);
    if (op.op === 'eq') v.body.op('i32.eqz');
  } else if (zero && op.op === 'eq') {
    if (width === 32) v.push32(a);
    else v.push(a);
    v.body.op(named(width, 'eqz'));
  } else if (width === 32 || (v.isTruth(a) && v.isTruth(b))) {
    v.push32(a);
    v.push32(b);
    v.body.op(named(32, name));
  } else {
    v.push(a);
    v.push(b);
    v.body.op(named(64, name));
  }
  v.popTruth(to);
}

/** Keeps an operand in a scratch local, cut to the width. */
function keep(v: Values, o: Operand | undefined, width: Width, i: number): number {
  const local = v.scratch(i);
  if (width === 32) {
    v.push32(o);
    v.body.op('i64.extend_i32_u');
  } else v.push(o);
  v.body.set(local);
  return local;
}

/** High half of a product of 64-bit numbers, by halves of 32 bits. */
function multiplyHigh(v: Values, { to, a, b }: Pure, signed: boolean): void {
  const { body } = v;
  const x = keep(v, a, 64, 0);
  const y = keep(v, b, 64, 1);
  const middle = v.scratch(2);
  const LOW = 0xffff_ffffn;
  const low = (local: number): unknown => body.get(local).i64(LOW).op('i64.and');
  const high = (local: number): unknown => body.get(local).i64(32n).op('i64.shr_u');
  // middle = xh·yl + (xl·yl >> 32)
  high(x);
  low(y);
  body.op('i64.mul');
  low(x);
  low(y);
  body.op('i64.mul').i64(32n).op('i64.shr_u').op('i64.add').set(middle);
  // xh·yh + (middle >> 32) + ((xl·yh + (middle & LOW)) >> 32)
  high(x);
  high(y);
  body.op('i64.mul');
  high(middle);
  body.op('i64.add');
  low(x);
  high(y);
  body.op('i64.mul');
  low(middle);
  body.op('i64.add').i64(32n).op('i64.shr_u').op('i64.add');
  if (signed) {
    // A negative factor was taken 2^64 too large.
    body.get(x).i64(63n).op('i64.shr_s').get(y).op('i64.and').op('i64.sub');
    body.get(y).i64(63n).op('i64.shr_s').get(x).op('i64.and').op('i64.sub');
  }
  v.pop(to);
}

function high(v: Values, op: Pure, signed: boolean): void {
  if (op.width === 64) {
    multiplyHigh(v, op, signed);
    return;
  }
  for (const o of [op.a, op.b]) {
    v.push32(o);
    v.body.op(signed ? 'i64.extend_i32_s' : 'i64.extend_i32_u');
  }
  v.body.op('i64.mul').i64(32n).op('i64.shr_u');
  v.pop(op.to);
}

/** Quotients and remainders, which WebAssembly traps on where the vocabulary has an answer. */
function divide(v: Values, { op, width, to, a, b }: Pure): void {
  const { body } = v;
  const signed = op === 'divs' || op === 'rems';
  const remainder = op === 'remu' || op === 'rems';
  const x = keep(v, a, width, 0);
  const y = keep(v, b, width, 1);
  const result = v.scratch(2);
  if (signed && width === 32) for (const l of [x, y]) body.get(l).op('i64.extend32_s').set(l);
  // A divisor of 0: the quotient is 0, the remainder the dividend.
  if (remainder) body.get(x);
  else body.i64(0n);
  body.set(result);
  body.get(y).i64(0n).op('i64.ne');
  body.if();
  if (signed && width === 64 && !remainder) {
    // The least number divided by -1: minus itself, which is itself.
    body.get(y).i64(-1n).op('i64.eq');
    body.if();
    body.i64(0n).get(x).op('i64.sub').set(result);
    body.else();
    body.get(x).get(y).op('i64.div_s').set(result);
    body.end();
  } else {
    const name = `${remainder ? 'rem' : 'div'}_${signed ? 's' : 'u'}`;
    body.get(x).get(y).op(named(64, name)).set(result);
  }
  body.end();
  body.get(result);
  if (signed && width === 32) body.i64(0xffff_ffffn).op('i64.and');
  v.pop(to);
}

/** Swaps neighbouring groups of `by` bits in a local, the lower ones chosen by `mask`. */
function swapGroups(v: Values, local: number, mask: bigint, by: bigint): void {
  v.body.get(local).i64(by).op('i64.shr_u').i64(mask).op('i64.and');
  v.body.get(local).i64(mask).op('i64.and').i64(by).op('i64.shl').op('i64.or').set(local);
}

const BYTES = 0x00ff_00ff_00ff_00ffn;
const HALVES = 0x0000_ffff_0000_ffffn;

/** Reverses the bytes of the low `size` bytes of a local; bytes above must be 0. */
export function reverseBytes(v: Values, local: number, size: number): void {
  if (size === 1) return;
  swapGroups(v, local, BYTES, 8n);
  if (size >= 4) swapGroups(v, local, HALVES, 16n);
  if (size === 8) v.body.get(local).i64(32n).op('i64.rotr').set(local);
}

function reverse(v: Values, { op, width, to, a }: Pure): void {
  const local = keep(v, a, width, 0);
  if (op === 'rbit') {
    swapGroups(v, local, 0x5555_5555_5555_5555n, 1n);
    swapGroups(v, local, 0x3333_3333_3333_3333n, 2n);
    swapGroups(v, local, 0x0f0f_0f0f_0f0f_0f0fn, 4n);
  }
  reverseBytes(v, local, width / 8);
  v.body.get(local);
  v.pop(to);
}

function extend(v: Values, { op, width, to, a }: Pure): void {
  const size = Number(op.slice(4));
  const { body } = v;
  if (op.startsWith('z') || (size === 32 && width === 32)) {
    if (size === 32) {
      v.push32(a);
      body.op('i64.extend_i32_u');
    } else {
      v.push(a);
      body.i64(size === 8 ? 0xffn : 0xffffn).op('i64.and');
    }
  } else if (width === 64) {
    v.push(a);
    body.op(`i64.extend${size}_s` as OpName);
  } else {
    v.push32(a);
    body.op(`i32.extend${size}_s` as OpName).op('i64.extend_i32_u');
  }
  v.pop(to);
}

function select(v: Values, { width, to, a, b, c }: Pure): void {
  const { body } = v;
  if (v.isTruth(b) && v.isTruth(c)) {
    v.push32(b);
    v.push32(c);
    v.pushTruth(a);
    body.op('select');
    v.popTruth(to);
    return;
  }
  v.push(b);
  v.push(c);
  v.pushTruth(a);
  body.op('select');
  if (width === 32) body.i64(0xffff_ffffn).op('i64.and');
  v.pop(to);
}

/** Pushes c & 1 as an i64. */
function carryIn(v: Values, c: Operand | undefined): void {
  v.push(c);
  if (!v.isTruth(c)) v.body.i64(1n).op('i64.and');
}

function carry(v: Values, { width, to, a, b, c }: Pure): void {
  const { body } = v;
  const x = keep(v, a, width, 0);
  const y = keep(v, b, width, 1);
  body.get(x).get(y).op('i64.add');
  if (width === 32) {
    carryIn(v, c);
    body.op('i64.add').i64(32n).op('i64.shr_u').op('i32.wrap_i64');
  } else {
    // Either the sum of two passes the top, or the carry does.
    body.set(y).get(y).get(x).op('i64.lt_u');
    body.get(y);
    carryIn(v, c);
    body.op('i64.add').get(y).op('i64.lt_u').op('i32.or');
  }
  v.popTruth(to);
}

function overflow(v: Values, { width, to, a, b, c }: Pure): void {
  const { body } = v;
  const x = keep(v, a, width, 0);
  const y = keep(v, b, width, 1);
  const sum = v.scratch(2);
  body.get(x).get(y).op('i64.add');
  carryIn(v, c);
  body.op('i64.add').set(sum);
  body.get(x).get(sum).op('i64.xor').get(y).get(sum).op('i64.xor').op('i64.and');
  body
    .i64(BigInt(width - 1))
    .op('i64.shr_u')
    .op('i32.wrap_i64');
  if (width === 32) body.i32(1).op('i32.and');
  v.popTruth(to);
}

/** Emits one pure op. */
export function emitPure(v: Values, op: Pure): void {
  const { width, to, a, b } = op;
  const direct = DIRECT[op.op];
  if (direct !== undefined) {
    if ((op.op === 'and' || op.op === 'or' || op.op === 'xor') && v.isTruth(a) && v.isTruth(b)) {
      v.push32(a);
      v.push32(b);
      v.body.op(named(32, direct));
      v.popTruth(to);
    } else binary(v, named(width, direct), op);
    return;
  }
  const comparison = COMPARES[op.op];
  if (comparison !== undefined) {
    compare(v, op, comparison);
    return;
  }
  const count = COUNTS[op.op];
  if (count !== undefined) {
    if (width === 32) {
      v.push32(a);
      v.body.op(named(32, count)).op('i64.extend_i32_u');
    } else {
      v.push(a);
      v.body.op(named(64, count));
    }
    v.pop(to);
    return;
  }
  switch (op.op) {
    case 'copy':
      if (v.isTruth(a)) {
        v.push32(a);
        v.popTruth(to);
      } else if (width === 32) extend(v, { ...op, op: 'zext32' });
      else {
        v.push(a);
        v.pop(to);
      }
      return;
    case 'not':
      binary(v, named(width, 'xor'), { ...op, b: { kind: 'constant', value: 0xffff_ffff_ffff_ffffn } });
      return;
    case 'mulhu':
    case 'mulhs':
      high(v, op, op.op === 'mulhs');
      return;
    case 'divu':
    case 'divs':
    case 'remu':
    case 'rems':
      divide(v, op);
      return;
    case 'bswap':
    case 'rbit':
      reverse(v, op);
      return;
    case 'select':
      select(v, op);
      return;
    case 'carry':
      carry(v, op);
      return;
    case 'overflow':
      overflow(v, op);
      return;
    default:
      extend(v, op);
  }
}
