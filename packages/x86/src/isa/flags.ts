/** Arithmetic and its flags. Intel SDM volume 1, 3.4.3.1; the slots are those of registers/general.ts. */
import type { Lifter, Value } from '@countervisor/contract';
import { sext, widthOf } from './operands.ts';

/** The slots that the status flags stand in; those left out stay as they are. */
export interface Flags {
  readonly CF?: Value;
  readonly OF?: Value;
  readonly NONZERO?: Value;
  readonly RESULT?: Value;
  readonly AUX?: Value;
}

const SLOTS = ['CF', 'OF', 'NONZERO', 'RESULT', 'AUX'] as const;

export function setFlags(b: Lifter, flags: Flags): void {
  for (const slot of SLOTS) {
    const value = flags[slot];
    if (value !== undefined) b.set(slot, value);
  }
}

export interface Result {
  /** Cut to its size at 32 bits, sign-extended at 8 and 16. */
  readonly value: Value;
  readonly flags: Flags;
}

/** ZF, SF and PF of a result, and what AUX must be for AF to be that of `operands`, the xor of the operands. */
function of(b: Lifter, value: Value, size: number, operands: Value): Flags {
  return { NONZERO: value, RESULT: size === 32 ? b.sext32(value) : value, AUX: operands };
}

const bit = (b: Lifter, value: Value, n: number): Value => b.and(b.shr(value, b.constant(n)), b.constant(1));

/** Operands as `Body.signed` gives them. At 8 and 16 bits the sum of 64 bits is exact, so overflow is that it does not fit, and order is that of the extended values. */
export function add(b: Lifter, x: Value, y: Value, size: number, carry?: Value): Result {
  const width = widthOf(size);
  if (size >= 32) {
    const sum = b.add(x, y, width);
    const value = carry === undefined ? sum : b.add(sum, carry, width);
    const CF = carry === undefined ? b.ltu(value, x, width) : b.carry(x, y, carry, width);
    const OF = b.overflow(x, y, carry ?? b.constant(0), width);
    return { value, flags: { CF, OF, ...of(b, value, size, b.xor(x, y)) } };
  }
  const sum = b.add(x, y);
  const exact = carry === undefined ? sum : b.add(sum, carry);
  const value = sext(b, exact, size);
  const below = b.ltu(value, x);
  const CF = carry === undefined ? below : b.or(below, b.and(carry, b.eq(value, x)));
  return { value, flags: { CF, OF: b.ne(exact, value), ...of(b, value, size, b.xor(x, y)) } };
}

export function subtract(b: Lifter, x: Value, y: Value, size: number, borrow?: Value): Result {
  const width = widthOf(size);
  const below = b.ltu(x, y, width);
  const CF = borrow === undefined ? below : b.or(below, b.and(borrow, b.eq(x, y, width)));
  if (size >= 32) {
    const rest = b.sub(x, y, width);
    const value = borrow === undefined ? rest : b.sub(rest, borrow, width);
    const OF =
      borrow === undefined
        ? b.xor(b.lts(x, y, width), b.shr(value, b.constant(size - 1), width))
        : b.overflow(x, b.not(y, width), b.xor(borrow, b.constant(1)), width);
    return { value, flags: { CF, OF, ...of(b, value, size, b.xor(x, y)) } };
  }
  const rest = b.sub(x, y);
  const exact = borrow === undefined ? rest : b.sub(rest, borrow);
  const value = sext(b, exact, size);
  return { value, flags: { CF, OF: b.ne(exact, value), ...of(b, value, size, b.xor(x, y)) } };
}

/** Flags of AND, OR, XOR and TEST: CF and OF 0. AF is undefined; here it is 0. */
export function logic(b: Lifter, result: Value, size: number): Result {
  const value = size < 32 ? sext(b, result, size) : result;
  const signed = size === 32 ? b.sext32(value) : value;
  const zero = b.constant(0);
  return { value, flags: { CF: zero, OF: zero, NONZERO: value, RESULT: signed, AUX: signed } };
}

const least = (size: number): bigint => -(1n << BigInt(size - 1));

/** INC and DEC: CF stays. */
export function step(b: Lifter, x: Value, size: number, by: 1 | -1): Result {
  const width = widthOf(size);
  const exact = b.add(x, b.constant(by), width);
  const value = size < 32 ? sext(b, exact, size) : exact;
  const edge = by === 1 ? least(size) : -least(size) - 1n;
  const OF = b.eq(value, b.constant(edge), width);
  return { value, flags: { OF, ...of(b, value, size, b.xor(x, b.constant(1))) } };
}

export function negate(b: Lifter, x: Value, size: number): Result {
  const width = widthOf(size);
  const exact = b.sub(b.constant(0), x, width);
  const value = size < 32 ? sext(b, exact, size) : exact;
  const OF = b.eq(value, b.constant(least(size)), width);
  return { value, flags: { CF: b.ne(x, b.constant(0), width), OF, ...of(b, value, size, x) } };
}

/** ZF, SF and PF of a result that is zero-extended; AF becomes 0. */
export function shifted(b: Lifter, value: Value, size: number): Flags {
  const signed = sext(b, value, size);
  return { NONZERO: value, RESULT: signed, AUX: signed };
}

export { bit };

/** SF as 0 or 1. */
export const sign = (b: Lifter): Value => b.shr(b.get('RESULT'), b.constant(63));

/** A condition of Jcc, SETcc and CMOVcc: a value that is not 0 when it holds; or, when `inverted`, not 0 when it does not. Volume 1, table B-1. */
export function condition(b: Lifter, code: number): { readonly value: Value; readonly inverted: boolean } {
  const inverted = (code & 1) === 1;
  const zero = b.get('NONZERO');
  switch (code >> 1) {
    case 0:
      return { value: b.get('OF'), inverted };
    case 1:
      return { value: b.get('CF'), inverted };
    case 2:
      // What holds NZ as it stands need not be computed.
      return { value: zero, inverted: !inverted };
    case 3:
      return { value: b.select(zero, b.get('CF'), b.constant(1)), inverted };
    case 4:
      return { value: sign(b), inverted };
    case 5:
      return { value: bit(b, b.popcnt(b.zext8(b.get('RESULT'))), 0), inverted: !inverted };
    case 6:
      return { value: b.xor(sign(b), b.get('OF')), inverted };
    default:
      return { value: b.select(zero, b.xor(sign(b), b.get('OF')), b.constant(1)), inverted };
  }
}

/** 1 when the condition holds, else 0. */
export function holds(b: Lifter, code: number): Value {
  const { value, inverted } = condition(b, code);
  if (code >> 1 === 2) return inverted ? b.eq(value, b.constant(0)) : b.ne(value, b.constant(0));
  return inverted ? b.xor(value, b.constant(1)) : value;
}

export function choose(b: Lifter, code: number, yes: Value, no: Value): Value {
  const { value, inverted } = condition(b, code);
  return inverted ? b.select(value, no, yes) : b.select(value, yes, no);
}
