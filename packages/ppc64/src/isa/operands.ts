/**
 * What most lifts say in the same words: general registers, effective addresses, CR0, XER, conditions. Power ISA 3.0B, book I, 1.11.3 (effective
 * addresses), 2.3.1 (CR), 3.2.2 (XER), 3.3.9 (what sets them), 3.3.14 (ROTL and MASK).
 *
 * Bits of values are numbered here from the least significant one; the manual counts from the other end.
 */
import type { Lifter, Value, Width } from '@countervisor/contract';
import { type Mode, PRIVILEGED } from './row.ts';

const GPR: readonly string[] = Array.from({ length: 32 }, (_, n) => `GPR${n}`);
export const CR: readonly string[] = Array.from({ length: 8 }, (_, n) => `CR${n}`);

export const widthOf = (mode: Mode): Width => (mode.sf ? 64 : 32);

/** Bits `width`-1:0 of a number as a signed one. */
export const signed = (value: number, width: number): number => {
  const sign = 2 ** (width - 1);
  return value >= sign ? value - 2 * sign : value;
};

export const gpr = (b: Lifter, n: number): Value => b.get(GPR[n] as string);
export const setGpr = (b: Lifter, n: number, value: Value): void => b.set(GPR[n] as string, value);

/** (RA|0): register 0 as a base or a first operand is the number 0. */
export const orZero = (b: Lifter, n: number): Value => (n === 0 ? b.constant(0) : gpr(b, n));

/** (RA|0) + displacement, all 64 bits of it: what an update form leaves in RA. */
export function displaced(b: Lifter, ra: number, by: number | bigint): Value {
  if (ra === 0) return b.constant(by);
  return by === 0 ? gpr(b, ra) : b.add(gpr(b, ra), b.constant(by));
}

/** (RA|0) + (RB). */
export const indexed = (b: Lifter, ra: number, rb: number): Value =>
  ra === 0 ? gpr(b, rb) : b.add(gpr(b, ra), gpr(b, rb));

/** The address that storage is reached by: in 32-bit mode the low word alone. */
export const address = (b: Lifter, mode: Mode, sum: Value): Value => (mode.sf ? sum : b.zext32(sum));

/** A byte's address some bytes further on. In 32-bit mode an operand that wraps is undefined; here it goes on behind 2^32. */
export const plus = (b: Lifter, at: Value, bytes: number): Value => (bytes === 0 ? at : b.add(at, b.constant(bytes)));

/** Sets a CR field, given LT, GT and EQ (8, 4, 2) and the summary overflow that goes with them. */
export function setCr(b: Lifter, field: number, order: Value, summary: Value): void {
  b.set(CR[field] as string, b.or(order, summary));
}

/** 8 where a < c, 2 where equal, else 4. */
export function order(b: Lifter, a: Value, c: Value, width: Width, how: 'lts' | 'ltu'): Value {
  const rest = b.select(b.eq(a, c, width), b.constant(2), b.constant(4));
  return b.select(b[how](a, c, width), b.constant(8), rest);
}

/** CR0 of a record form: the result against 0, by 64 or 32 bits as the mode says, and SO as it is behind the instruction. */
export function record(b: Lifter, mode: Mode, result: Value, summary: Value = b.get('SO')): void {
  setCr(b, 0, order(b, result, b.constant(0), widthOf(mode), 'lts'), summary);
}

/** What an instruction says about XER; each part is 0 or 1, and a part that is missing stays as it was. */
export interface Xer {
  readonly ca?: Value;
  readonly ca32?: Value;
  readonly ov?: Value;
  readonly ov32?: Value;
}

/** Sets the target, XER and, for a record form, CR0, in that order. Everything given was computed before. */
export function finish(b: Lifter, mode: Mode, target: number, result: Value, xer: Xer, rc: boolean): void {
  const summary = xer.ov === undefined ? b.get('SO') : b.or(b.get('SO'), xer.ov);
  const order0 = rc ? order(b, result, b.constant(0), widthOf(mode), 'lts') : undefined;
  setGpr(b, target, result);
  if (xer.ca !== undefined) b.set('CA', xer.ca);
  if (xer.ca32 !== undefined && mode.low) b.set('CA32', xer.ca32);
  if (xer.ov !== undefined) {
    b.set('OV', xer.ov);
    if (xer.ov32 !== undefined && mode.low) b.set('OV32', xer.ov32);
    b.set('SO', summary);
  }
  if (order0 !== undefined) setCr(b, 0, order0, summary);
}

/** CR bit n, 0 to 31 as the manual counts, as 0 or 1. */
export function crBit(b: Lifter, n: number): Value {
  const field = b.get(CR[n >> 2] as string);
  const low = 3 - (n & 3);
  return b.and(low === 0 ? field : b.shr(field, b.constant(low)), b.constant(1));
}

/** Sets CR bit n to 0 or 1. */
export function setCrBit(b: Lifter, n: number, bit: Value): void {
  const field = CR[n >> 2] as string;
  const low = 3 - (n & 3);
  const rest = b.and(b.get(field), b.constant(15 & ~(1 << low)));
  b.set(field, b.or(rest, low === 0 ? bit : b.shl(bit, b.constant(low))));
}

/** All of CR in the low word. */
export function wholeCr(b: Lifter): Value {
  let all = b.get('CR7');
  for (let field = 0; field < 7; field++)
    all = b.or(all, b.shl(b.get(CR[field] as string), b.constant(28 - 4 * field)));
  return all;
}

/** MASK(x, y): ones from the manual's bit x to its bit y, around the end when x > y. */
export function maskOf(x: number, y: number): bigint {
  const all = (1n << 64n) - 1n;
  const from = all >> BigInt(x);
  const to = all ^ (y === 63 ? 0n : all >> BigInt(y + 1));
  return x <= y ? from & to : from | to;
}

/** ROTL64 by a constant. */
export const rotl = (b: Lifter, value: Value, by: number): Value =>
  by === 0 ? value : b.rotr(value, b.constant(64 - by));

/** The low word rotated left, and a copy of it in the high word where `twice` asks for that. */
export function rotl32(b: Lifter, value: Value, by: Value, twice: boolean): Value {
  const word = b.rotr(value, b.sub(b.constant(32), by, 32), 32);
  return twice ? b.or(word, b.shl(word, b.constant(32))) : word;
}

/** Bits of MSR, least significant 0. Power ISA 3.0B, book III, 3.2.1. */
export const MSR = { LE: 0, PMM: 2, FP: 13, PR: 14, EE: 15, VSX: 23, VEC: 25, HV: 60, SF: 63 } as const;

export const msrBit = (b: Lifter, bit: number): Value => b.and(b.get('MSR'), b.constant(1n << BigInt(bit)));

/** A privileged instruction: in problem state a program interrupt. */
export function privileged(b: Lifter): void {
  b.when(msrBit(b, MSR.PR), () => b.raise('program', b.constant(PRIVILEGED)));
}

/** Bits of FSCR, and the numbers by which the facility interrupt names them. Book III, 6.2.10. */
export const FACILITY = { EBB: 7, TAR: 8, SCV: 12, PREFIX: 13 } as const;

/** Raises the facility interrupt where FSCR's bit is 0. */
export function facility(b: Lifter, bit: number): void {
  const there = b.and(b.get('FSCR'), b.constant(1 << bit));
  b.when(b.eq(there, b.constant(0)), () => b.raise('facility-unavailable', b.constant(bit)));
}

/** The same for what FSCR closes to problem state alone. */
export function facilityOfUser(b: Lifter, bit: number): void {
  b.when(msrBit(b, MSR.PR), () => facility(b, bit));
}
