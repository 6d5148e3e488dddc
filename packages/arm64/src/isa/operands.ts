/** What most A64 lifts say in the same words: general registers, shifts, extensions, flags, conditions. Arm DDI 0487, C1.2, and the pseudocode of J1 (ShiftReg, ExtendReg, AddWithCarry, ConditionHolds). */
import type { Lifter, Value, Width } from '@countervisor/contract';

const X: readonly string[] = Array.from({ length: 31 }, (_, n) => `X${n}`);

export const widthOf = (sf: number): Width => (sf === 1 ? 64 : 32);

/** Bits `width`-1:0 of a number as a signed one. */
export const signed = (value: number, width: number): number => {
  const sign = 2 ** (width - 1);
  return value >= sign ? value - 2 * sign : value;
};

/** Register n; 31 reads as zero. */
export function x(b: Lifter, n: number): Value {
  return n === 31 ? b.constant(0) : b.get(X[n] as string);
}

/** Register n, or the stack pointer for 31. */
export function xsp(b: Lifter, n: number): Value {
  return b.get(n === 31 ? 'SP' : (X[n] as string));
}

/** Writes all 64 bits of register n; 31 discards. The value must be cut to the instruction's width already. */
export function setX(b: Lifter, n: number, value: Value): void {
  if (n !== 31) b.set(X[n] as string, value);
}

/** The same, with the stack pointer for 31. */
export function setXsp(b: Lifter, n: number, value: Value): void {
  b.set(n === 31 ? 'SP' : (X[n] as string), value);
}

/** A value that may have a register's upper half still: cut where the instruction is a 32-bit one. */
export function cut(b: Lifter, value: Value, width: Width): Value {
  return width === 32 ? b.zext32(value) : value;
}

/** Register n shifted by a constant: LSL, LSR, ASR, ROR. The upper half is not cut when the amount is 0. */
export function shifted(b: Lifter, n: number, kind: number, amount: number, width: Width): Value {
  const value = x(b, n);
  if (n === 31 || amount === 0) return value;
  const by = b.constant(amount);
  if (kind === 0) return b.shl(value, by, width);
  if (kind === 1) return b.shr(value, by, width);
  return kind === 2 ? b.sar(value, by, width) : b.rotr(value, by, width);
}

/** Register n extended (UXTB, UXTH, UXTW, UXTX, SXTB, SXTH, SXTW, SXTX) and shifted left. */
export function extended(b: Lifter, n: number, option: number, amount: number, width: Width): Value {
  if (n === 31) return b.constant(0);
  const value = extend(b, x(b, n), option, width);
  return amount === 0 ? value : b.shl(value, b.constant(amount), width);
}

function extend(b: Lifter, value: Value, option: number, width: Width): Value {
  if (option === 0) return b.zext8(value);
  if (option === 1) return b.zext16(value);
  if (option === 4) return b.sext8(value, width);
  if (option === 5) return b.sext16(value, width);
  // At 32 bits a word or doubleword is the register as it stands.
  if (width === 32) return value;
  if (option === 2) return b.zext32(value);
  return option === 6 ? b.sext32(value) : value;
}

/** Four values, each 0 or 1. */
export interface Flags {
  readonly n: Value;
  readonly z: Value;
  readonly c: Value;
  readonly v: Value;
}

export function setFlags(b: Lifter, { n, z, c, v }: Flags): void {
  b.set('N', n);
  b.set('Z', z);
  b.set('C', c);
  b.set('V', v);
}

const sign = (b: Lifter, result: Value, width: Width): Value => b.shr(result, b.constant(width - 1), width);

/** Sum and the flags of it. */
export function addFlags(
  b: Lifter,
  a: Value,
  by: Value,
  width: Width,
): { readonly result: Value; readonly flags: Flags } {
  const result = b.add(a, by, width);
  const flags = {
    n: sign(b, result, width),
    z: b.eq(result, b.constant(0)),
    c: b.ltu(result, a, width),
    v: b.overflow(a, by, b.constant(0), width),
  };
  return { result, flags };
}

/** Difference and the flags of it: C is "no borrow"; V is where the sign differs from the true order. */
export function subFlags(
  b: Lifter,
  a: Value,
  by: Value,
  width: Width,
): { readonly result: Value; readonly flags: Flags } {
  const result = b.sub(a, by, width);
  const n = sign(b, result, width);
  const flags = { n, z: b.eq(a, by, width), c: b.leu(by, a, width), v: b.xor(b.lts(a, by, width), n) };
  return { result, flags };
}

/** a + by + C. */
export function addCarry(b: Lifter, a: Value, by: Value, width: Width): Value {
  return b.add(b.add(a, by, width), b.get('C'), width);
}

export function addCarryFlags(
  b: Lifter,
  a: Value,
  by: Value,
  width: Width,
): { readonly result: Value; readonly flags: Flags } {
  const c = b.get('C');
  const result = b.add(b.add(a, by, width), c, width);
  const flags = {
    n: sign(b, result, width),
    z: b.eq(result, b.constant(0)),
    c: b.carry(a, by, c, width),
    v: b.overflow(a, by, c, width),
  };
  return { result, flags };
}

/** N and Z of a result that is cut to its width; C and V are 0. */
export function logicFlags(b: Lifter, result: Value, width: Width): Flags {
  const zero = b.constant(0);
  return { n: sign(b, result, width), z: b.eq(result, zero), c: zero, v: zero };
}

/**
 * A condition code as a value: not 0 when the condition holds, or, when `inverted`, not 0 when it does not; whichever takes fewer ops.
 * ConditionHolds() of J1. The codes AL and NV both mean always.
 */
export function condition(b: Lifter, code: number): { readonly value: Value; readonly inverted: boolean } {
  const plain = (value: Value) => ({ value, inverted: false });
  const odd = (code & 1) === 1;
  switch (code >> 1) {
    case 0:
      return { value: b.get('Z'), inverted: odd };
    case 1:
      return { value: b.get('C'), inverted: odd };
    case 2:
      return { value: b.get('N'), inverted: odd };
    case 3:
      return { value: b.get('V'), inverted: odd };
    // HI is C and not Z: with bits, Z < C.
    case 4:
      return plain(odd ? b.leu(b.get('C'), b.get('Z')) : b.ltu(b.get('Z'), b.get('C')));
    case 5:
      return plain(odd ? b.ne(b.get('N'), b.get('V')) : b.eq(b.get('N'), b.get('V')));
    // GT is not Z and N = V.
    case 6: {
      const same = b.eq(b.get('N'), b.get('V'));
      return plain(odd ? b.leu(same, b.get('Z')) : b.ltu(b.get('Z'), same));
    }
    default:
      return plain(b.constant(1));
  }
}

/** 1 when the condition holds, else 0. */
export function holds(b: Lifter, code: number): Value {
  const { value, inverted } = condition(b, code);
  return inverted ? b.xor(value, b.constant(1)) : value;
}

/** One of two values, by condition. */
export function choose(b: Lifter, code: number, yes: Value, no: Value, width: Width = 64): Value {
  const { value, inverted } = condition(b, code);
  return inverted ? b.select(value, no, yes, width) : b.select(value, yes, no, width);
}
