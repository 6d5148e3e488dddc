/** Bit matters that are too rare for ops, over bigint: helpers of lifts. Power ISA 3.0B, book I, 3.3.13 (bpermd) and 3.3.15; 3.1, 3.3.13 for the rest. */
import type { Isa } from '@countervisor/contract';

const cut = (value: bigint): bigint => BigInt.asUintN(64, value);
const bit = (value: bigint, n: number): bigint => (value >> BigInt(n)) & 1n;

/** Bits of `value` where `mask` has ones, moved together to the right; and how many. */
function gathered(value: bigint, mask: bigint): readonly [bits: bigint, count: number] {
  let out = 0n;
  let count = 0;
  for (let n = 0; n < 64; n++) {
    if (bit(mask, n) === 0n) continue;
    out |= bit(value, n) << BigInt(count);
    count += 1;
  }
  return [out, count];
}

function scattered(value: bigint, mask: bigint): bigint {
  let out = 0n;
  let count = 0;
  for (let n = 0; n < 64; n++) {
    if (bit(mask, n) === 0n) continue;
    out |= bit(value, count) << BigInt(n);
    count += 1;
  }
  return out;
}

/** Byte i of RS names a bit of RB, counted from the most significant; 64 and more are 0. */
function bpermd(selectors: bigint, from: bigint): bigint {
  let out = 0n;
  for (let i = 0; i < 8; i++) {
    const index = Number((selectors >> BigInt(8 * i)) & 0xffn);
    if (index < 64) out |= bit(from, 63 - index) << BigInt(i);
  }
  return out;
}

/** Sixes for the decimal digits whose sum carried nothing out. */
function addg6s(a: bigint, c: bigint): bigint {
  let out = 0n;
  for (let digit = 0n; digit < 16n; digit++) {
    const below = (1n << (4n * (digit + 1n))) - 1n;
    const carried = (a & below) + (c & below) > below;
    if (!carried) out |= 6n << (4n * digit);
  }
  return out;
}

/** Three binary-coded digits to the ten bits of a declet: IEEE 754-2008's densely packed decimal. */
function packed(digits: number): number {
  const [p, q, r] = [digits >> 8, (digits >> 4) & 15, digits & 15];
  const low = (d: number): number => d & 7;
  const last = (d: number): number => d & 1;
  const large = (p >> 3) * 4 + (q >> 3) * 2 + (r >> 3);
  switch (large) {
    case 0:
      return (low(p) << 7) | (low(q) << 4) | low(r);
    case 1:
      return (low(p) << 7) | (low(q) << 4) | 8 | last(r);
    case 2:
      return (low(p) << 7) | ((r & 6) << 4) | (last(q) << 4) | 10 | last(r);
    case 3:
      return (low(p) << 7) | (2 << 5) | (last(q) << 4) | 14 | last(r);
    case 4:
      return ((r & 6) << 7) | (last(p) << 7) | (low(q) << 4) | 12 | last(r);
    case 5:
      return ((q & 6) << 7) | (last(p) << 7) | (1 << 5) | (last(q) << 4) | 14 | last(r);
    case 6:
      return ((r & 6) << 7) | (last(p) << 7) | (last(q) << 4) | 14 | last(r);
    default:
      return (last(p) << 7) | (3 << 5) | (last(q) << 4) | 14 | last(r);
  }
}

/** Ten bits of a declet to three digits; all 1,024 of them mean something. */
function unpacked(declet: number): number {
  const b = (n: number): number => (declet >> n) & 1;
  const [upper, middle, lower] = [(declet >> 7) & 7, (declet >> 4) & 7, declet & 7];
  if (b(3) === 0) return (upper << 8) | (middle << 4) | lower;
  const large = (declet >> 1) & 3;
  const tail = (n: number): number => 8 | b(n);
  const high = (declet >> 8) & 3;
  const mid = (declet >> 5) & 3;
  switch (large) {
    case 0:
      return (upper << 8) | (middle << 4) | tail(0);
    case 1:
      return (upper << 8) | (tail(4) << 4) | (mid << 1) | b(0);
    case 2:
      return (tail(7) << 8) | (middle << 4) | (high << 1) | b(0);
    default:
      switch (mid) {
        case 0:
          return (tail(7) << 8) | (tail(4) << 4) | (high << 1) | b(0);
        case 1:
          return (tail(7) << 8) | (((high << 1) | b(4)) << 4) | tail(0);
        case 2:
          return (upper << 8) | (tail(4) << 4) | tail(0);
        default:
          return (tail(7) << 8) | (tail(4) << 4) | tail(0);
      }
  }
}

/** Two groups of each word: six digits, 24 bits, and two declets, 20 bits. */
function groups(value: bigint, from: number, to: number, each: (part: number) => number): bigint {
  let out = 0n;
  for (const word of [0n, 32n]) {
    for (const half of [0, 1]) {
      const part = Number((value >> (word + BigInt(half * from))) & ((1n << BigInt(from)) - 1n));
      out |= BigInt(each(part)) << (word + BigInt(half * to));
    }
  }
  return out;
}

function divided(high: bigint, divisor: bigint, signed: boolean): bigint | undefined {
  const of = (v: bigint): bigint => (signed ? BigInt.asIntN(64, v) : v);
  if (divisor === 0n) return undefined;
  const quotient = (of(high) << 64n) / of(divisor);
  const fits = signed ? BigInt.asIntN(64, quotient) === quotient : cut(quotient) === quotient;
  return fits ? cut(quotient) : undefined;
}

const pure =
  (of: (a: bigint, b: bigint) => bigint): Isa['helpers'][string] =>
  (_vcpu, [a = 0n, b = 0n]) =>
    of(a, b);

export const bitHelpers: Isa['helpers'] = {
  bpermd: pure(bpermd),
  addg6s: pure(addg6s),
  cbcdtd: pure((a) => groups(a, 12, 10, packed)),
  cdtbcd: pure((a) => groups(a, 10, 12, unpacked)),
  // The dividend is a with 64 zeros behind it.
  divdeu: pure((a, b) => divided(a, b, false) ?? 0n),
  divde: pure((a, b) => divided(a, b, true) ?? 0n),
  'divde-overflow': pure((a, b) => (divided(a, b, true) === undefined ? 1n : 0n)),
  // Sheep to the right, goats to the left.
  cfuged: pure((a, mask) => {
    const [right, count] = gathered(a, mask);
    return right | (gathered(a, cut(~mask))[0] << BigInt(count));
  }),
  pextd: pure((a, mask) => gathered(a, mask)[0]),
  pdepd: pure(scattered),
  cntlzdm: pure((a, mask) => {
    const [bits, count] = gathered(a, mask);
    return BigInt(count - (bits === 0n ? 0 : bits.toString(2).length));
  }),
  cnttzdm: pure((a, mask) => {
    const [bits, count] = gathered(a, mask);
    return bits === 0n ? BigInt(count) : BigInt((bits & -bits).toString(2).length - 1);
  }),
};
