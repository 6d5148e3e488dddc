/**
 * Binary floating point, exactly: numbers as integers times powers of two, rounded once. Intel SDM volume 1, 4.2 (formats), 4.8 (rounding, NaNs), 4.9
 * (exceptions), 8.2 (double extended). Tininess is looked for after rounding.
 */

/** Double extended: sign, biased exponent, 64 bits of significand with the integer bit. */
export interface Extended {
  readonly sign: 0 | 1;
  readonly exponent: number;
  readonly significand: bigint;
  /** It was a denormal of a narrower format. */
  readonly tiny?: boolean;
}

/** Exception flags, as x87 and SSE status words have them. */
export const FLAG = { IE: 1, DE: 2, ZE: 4, OE: 8, UE: 16, PE: 32 } as const;

/** RC of the control word. */
export const ROUND = { nearest: 0, down: 1, up: 2, zero: 3 } as const;

export interface Format {
  /** Bits of the significand, the integer bit included. */
  readonly precision: number;
  /** Of the exponent's field. */
  readonly bits: number;
}

export const SINGLE: Format = { precision: 24, bits: 8 };
export const DOUBLE: Format = { precision: 53, bits: 11 };
export const EXTENDED: Format = { precision: 64, bits: 15 };

const J = 1n << 63n;
const QUIET = 1n << 62n;
const MOST = 0x7fff;
const BIAS = 16383;

export const INDEFINITE: Extended = { sign: 1, exponent: MOST, significand: J | QUIET };
export const infinity = (sign: 0 | 1): Extended => ({ sign, exponent: MOST, significand: J });
export const zeroOf = (sign: 0 | 1): Extended => ({ sign, exponent: 0, significand: 0n });

export type Class = 'zero' | 'denormal' | 'normal' | 'infinity' | 'quiet' | 'signaling' | 'unsupported';

export function classOf(x: Extended): Class {
  if (x.tiny === true) return 'denormal';
  if (x.exponent === 0) return x.significand === 0n ? 'zero' : 'denormal';
  if ((x.significand & J) === 0n) return 'unsupported';
  if (x.exponent < MOST) return 'normal';
  if (x.significand === J) return 'infinity';
  return (x.significand & QUIET) === 0n ? 'signaling' : 'quiet';
}

/** A number as an integer times a power of two, with a bit that says there is more below. */
export interface Exact {
  readonly sign: 0 | 1;
  readonly integer: bigint;
  readonly power: number;
  readonly more?: boolean;
}

/** Of what is finite. */
export function exactOf(x: Extended): Exact {
  return { sign: x.sign, integer: x.significand, power: Math.max(x.exponent, 1) - BIAS - 63 };
}

const length = (n: bigint): number => (n === 0n ? 0 : n.toString(2).length);

/** Is the magnitude to go up, given what is cut off? */
function goesUp(sign: 0 | 1, kept: bigint, rest: bigint, half: bigint, more: boolean, mode: number): boolean {
  const inexact = rest !== 0n || more;
  if (!inexact) return false;
  if (mode === ROUND.up) return sign === 0;
  if (mode === ROUND.down) return sign === 1;
  if (mode === ROUND.zero) return false;
  if (rest !== half) return rest > half;
  return more || (kept & 1n) === 1n;
}

interface Cut {
  readonly kept: bigint;
  readonly inexact: boolean;
  readonly up: boolean;
}

/** Drops the low `count` bits of an integer, with rounding; adds zeros where it is negative. */
function cut(x: Exact, count: number, mode: number): Cut {
  const more = x.more ?? false;
  if (count <= 0) return { kept: x.integer << BigInt(-count), inexact: more, up: false };
  const kept = x.integer >> BigInt(count);
  const rest = x.integer & ((1n << BigInt(count)) - 1n);
  const up = goesUp(x.sign, kept, rest, 1n << BigInt(count - 1), more, mode);
  return { kept: up ? kept + 1n : kept, inexact: rest !== 0n || more, up };
}

export interface Rounded {
  readonly value: Extended;
  readonly flags: number;
  /** The magnitude went up. */
  readonly up: boolean;
  /** Below the least normal number, exact or not. */
  readonly tiny: boolean;
}

/**
 * A number rounded to a precision and to the range of a format, as a double extended. What is not exact must have at least two bits more than the
 * precision.
 */
export function round(x: Exact, precision: number, bits: number, mode: number): Rounded {
  if (x.integer === 0n) return { value: zeroOf(x.sign), flags: 0, up: false, tiny: false };
  const most = 2 ** (bits - 1) - 1;
  const least = 1 - most;
  const size = length(x.integer);
  const exponent = x.power + size - 1;
  const free = cut(x, size - precision, mode);
  // Would it be tiny with exponents as small as one likes?
  const after = exponent + (length(free.kept) > precision ? 1 : 0);
  const tiny = after < least;
  const lowest = Math.max(exponent, least) - (precision - 1);
  const { kept, inexact, up } = exponent < least ? cut(x, lowest - x.power, mode) : free;
  let flags = inexact ? FLAG.PE : 0;
  if (tiny && inexact) flags |= FLAG.UE;
  if (kept === 0n) return { value: zeroOf(x.sign), flags, up, tiny };
  const reached = lowest + length(kept) - 1;
  if (reached > most) {
    const toInfinity = mode === ROUND.nearest || mode === (x.sign === 0 ? ROUND.up : ROUND.down);
    const biggest = ((1n << BigInt(precision)) - 1n) << BigInt(64 - precision);
    const value = toInfinity ? infinity(x.sign) : { sign: x.sign, exponent: most + BIAS, significand: biggest };
    return { value, flags: flags | FLAG.OE | FLAG.PE, up: toInfinity, tiny };
  }
  return { value: pack(x.sign, kept, lowest), flags, up, tiny };
}

/** An integer of at most 64 bits times a power of two as a double extended; it must fit. */
export function pack(sign: 0 | 1, integer: bigint, power: number): Extended {
  if (integer === 0n) return zeroOf(sign);
  const size = length(integer);
  const exponent = power + size - 1 + BIAS;
  if (exponent > 0) return { sign, exponent, significand: integer << BigInt(64 - size) };
  const significand = integer << BigInt(power - (1 - BIAS - 63));
  // A denormal that has grown an integer bit is the least normal number.
  return { sign, exponent: significand >= J ? 1 : 0, significand };
}

/** A single or double as a double extended, exactly. */
export function widen(bits: bigint, format: Format): Extended {
  const fraction = format.precision - 1;
  const sign = Number(bits >> BigInt(fraction + format.bits)) as 0 | 1;
  const top = 2 ** format.bits - 1;
  const exponent = Number((bits >> BigInt(fraction)) & BigInt(top));
  const low = bits & ((1n << BigInt(fraction)) - 1n);
  if (exponent === top) return { sign, exponent: MOST, significand: J | (low << BigInt(63 - fraction)) };
  const bias = 2 ** (format.bits - 1) - 1;
  const integer = exponent === 0 ? low : low | (1n << BigInt(fraction));
  const value = pack(sign, integer, Math.max(exponent, 1) - bias - fraction);
  return exponent === 0 && low !== 0n ? { ...value, tiny: true } : value;
}

/** The bits of a number of a format that is held exactly in a double extended. NaNs lose what does not fit. */
export function narrowed(x: Extended, format: Format): bigint {
  const fraction = format.precision - 1;
  const bias = 2 ** (format.bits - 1) - 1;
  const top = BigInt(2 ** format.bits - 1);
  const put = (exponent: bigint, low: bigint): bigint =>
    (BigInt(x.sign) << BigInt(fraction + format.bits)) | (exponent << BigInt(fraction)) | low;
  if (x.exponent === MOST) return put(top, (x.significand & (J - 1n)) >> BigInt(63 - fraction));
  if (x.significand === 0n) return put(0n, 0n);
  const { integer, power } = exactOf(x);
  const exponent = power + length(integer) - 1;
  const lowest = Math.max(exponent, 1 - bias) - fraction;
  const kept = lowest >= power ? integer >> BigInt(lowest - power) : integer << BigInt(power - lowest);
  if (kept < 1n << BigInt(fraction)) return put(0n, kept);
  return put(BigInt(exponent + bias), kept & ((1n << BigInt(fraction)) - 1n));
}

/** The rounded integer of a finite number. */
export function toInteger(
  x: Extended,
  mode: number,
): { readonly value: bigint; readonly inexact: boolean; readonly up: boolean } {
  const exact = exactOf(x);
  // Far below 1 the distance does not matter.
  const near = exact.power < -200 ? { ...exact, integer: exact.integer === 0n ? 0n : 1n, power: -200 } : exact;
  const { kept, inexact, up } = cut(near, -near.power, mode);
  return { value: x.sign === 1 ? -kept : kept, inexact, up };
}

export function addExact(x: Exact, y: Exact, mode: number): Exact {
  const power = Math.min(x.power, y.power);
  const of = (n: Exact): bigint => (n.integer << BigInt(n.power - power)) * (n.sign === 1 ? -1n : 1n);
  const sum = of(x) + of(y);
  // An exact 0 of opposite signs is +0, or -0 when rounding down.
  const sign: 0 | 1 = sum === 0n ? (x.sign === y.sign ? x.sign : mode === ROUND.down ? 1 : 0) : sum < 0n ? 1 : 0;
  return { sign, integer: sum < 0n ? -sum : sum, power };
}

export const multiplyExact = (x: Exact, y: Exact): Exact => ({
  sign: x.sign === y.sign ? 0 : 1,
  integer: x.integer * y.integer,
  power: x.power + y.power,
});

/** The divisor is not 0. */
export function divideExact(x: Exact, y: Exact): Exact {
  const shift = Math.max(0, 70 + length(y.integer) - length(x.integer));
  const over = x.integer << BigInt(shift);
  const integer = over / y.integer;
  return {
    sign: x.sign === y.sign ? 0 : 1,
    integer,
    power: x.power - y.power - shift,
    more: integer * y.integer !== over,
  };
}

function root(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((length(n) + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

/** Of what is not negative. */
export function rootExact(x: Exact): Exact {
  let shift = Math.max(0, 140 - length(x.integer));
  if ((x.power - shift) % 2 !== 0) shift += 1;
  const square = x.integer << BigInt(shift);
  const integer = root(square);
  return { sign: x.sign, integer, power: (x.power - shift) / 2, more: integer * integer !== square };
}

/** -1, 0, 1 of two finite numbers. */
export function order(x: Extended, y: Extended): -1 | 0 | 1 {
  const { integer, sign } = addExact(exactOf(x), { ...exactOf(y), sign: y.sign === 0 ? 1 : 0 }, ROUND.nearest);
  if (integer === 0n) return 0;
  return sign === 1 ? -1 : 1;
}

/** A NaN that signals no more. */
export const quieted = (x: Extended): Extended => ({ ...x, significand: x.significand | QUIET });

/** Table 4-7: which NaN comes out of two operands, at least one of them a NaN. */
export function propagate(x: Extended, y: Extended): Extended {
  const [a, b] = [classOf(x), classOf(y)];
  const isNan = (c: Class): boolean => c === 'quiet' || c === 'signaling';
  if (!isNan(b)) return quieted(x);
  if (!isNan(a)) return quieted(y);
  if (a !== b) return a === 'quiet' ? x : y;
  if (x.significand !== y.significand) return quieted(x.significand > y.significand ? x : y);
  return quieted(x.sign <= y.sign ? x : y);
}
