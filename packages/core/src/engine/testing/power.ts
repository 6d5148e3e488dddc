/**
 * Rows of the fake architecture's set 1, with the meaning of the Power ISA's instructions of the same names in 64-bit mode. Power ISA 3.0B, book I:
 * 3.2.2 (XER), 2.3.1 (CR), 3.3.2-3.3.5 (loads and stores), 3.3.9 (arithmetic), 3.3.14.1 (rotates), 3.3.17 (moves). Its bit 0 is the most
 * significant; comments here number bits of values from the least significant one, as everywhere in this project.
 */
import type { Lifter, Value } from '@countervisor/contract';
import { GPRS, type Row } from './arch.ts';

const gpr = (number: number | undefined): string => GPRS[number as number] as string;
/** (RA|0): register 0 as a base is the number 0. */
const base = (b: Lifter, number: number | undefined): Value => (number === 0 ? b.constant(0) : b.get(gpr(number)));

/** CR0 of a record form: the result compared with 0, then SO as it is after the instruction. */
function record(b: Lifter, result: Value, summary: Value): Value {
  const zero = b.constant(0);
  const less = b.shl(b.lts(result, zero), b.constant(3));
  const greater = b.shl(b.lts(zero, result), b.constant(2));
  const equal = b.shl(b.eq(result, zero), b.constant(1));
  return b.or(b.or(less, greater), b.or(equal, summary));
}

const addeoRecord: Row = {
  name: 'addeo.',
  lift(b, [t, x, y]) {
    const left = b.get(gpr(x));
    const right = b.get(gpr(y));
    const carry = b.get('CA');
    const sum = b.add(b.add(left, right), carry);
    const overflow = b.overflow(left, right, carry);
    const summary = b.or(b.get('SO'), overflow);
    const carryOut = b.carry(left, right, carry);
    const carry32 = b.carry(left, right, carry, 32);
    const overflow32 = b.overflow(left, right, carry, 32);
    b.set(gpr(t), sum);
    b.set('CA', carryOut);
    b.set('CA32', carry32);
    b.set('OV', overflow);
    b.set('OV32', overflow32);
    b.set('SO', summary);
    b.set('CR0', record(b, sum, summary));
  },
};

const mulldoRecord: Row = {
  name: 'mulldo.',
  lift(b, [t, x, y]) {
    const left = b.get(gpr(x));
    const right = b.get(gpr(y));
    const low = b.mul(left, right);
    // It fits when the high half is nothing but the sign of the low one.
    const overflow = b.ne(b.mulhs(left, right), b.sar(low, b.constant(63)));
    const summary = b.or(b.get('SO'), overflow);
    b.set(gpr(t), low);
    b.set('OV', overflow);
    b.set('OV32', overflow);
    b.set('SO', summary);
    b.set('CR0', record(b, low, summary));
  },
};

/** MASK(x, y), 3.3.14: ones from bit x to bit y of the manual's numbering, around the end when x > y. */
function maskOf(x: number, y: number): bigint {
  const all = (1n << 64n) - 1n;
  const from = all >> BigInt(x);
  const to = all ^ (y === 63 ? 0n : all >> BigInt(y + 1));
  return x <= y ? from & to : from | to;
}

const rlwimi: Row = {
  name: 'rlwimi',
  lift(b, [s, a, sh, mb, me]) {
    const word = b.rotr(b.get(gpr(s)), b.constant(32 - (sh as number)), 32);
    // ROTL32 is the rotated word twice, so a mask that wraps inserts into the upper half as well.
    const rotated = b.or(word, b.shl(word, b.constant(32)));
    const mask = maskOf((mb as number) + 32, (me as number) + 32);
    b.set(gpr(a), b.or(b.and(rotated, b.constant(mask)), b.and(b.get(gpr(a)), b.constant(~mask))));
  },
};

const lwbrx: Row = {
  name: 'lwbrx',
  signals: ['load', 'access'],
  lift: (b, [t, a, x]) => b.set(gpr(t), b.load(b.add(base(b, a), b.get(gpr(x))), { size: 4 })),
};

/** Displacements stand in the last three operands: 15 bits, signed. */
const displacement = ([, , c = 0, d = 0, e = 0]: readonly number[]): bigint =>
  BigInt.asIntN(15, BigInt((c << 10) | (d << 5) | e));

const lwz: Row = {
  name: 'lwz',
  signals: ['load', 'access'],
  lift: (b, f) => b.set(gpr(f[0]), b.load(b.add(base(b, f[1]), b.constant(displacement(f))), { size: 4, big: true })),
};

const stdu: Row = {
  name: 'stdu',
  signals: ['store', 'access'],
  lift(b, f) {
    const at = b.add(b.get(gpr(f[1])), b.constant(displacement(f)));
    b.store(at, b.get(gpr(f[0])), { size: 8, big: true });
    b.set(gpr(f[1]), at);
  },
};

/** CR0 is the most significant nibble of the low word; FXM's most significant bit selects it. */
const nibble = (b: Lifter, value: Value, field: number): Value =>
  b.and(b.shr(value, b.constant(28 - 4 * field)), b.constant(15));

/** FXM stands in the last two operands: 8 bits. */
const mtcrf: Row = {
  name: 'mtcrf',
  lift(b, [s, , , d = 0, e = 0]) {
    const mask = (d << 5) | e;
    for (let field = 0; field < 8; field++) {
      if ((mask & (0x80 >> field)) !== 0) b.set(`CR${field}`, nibble(b, b.get(gpr(s)), field));
    }
  },
};

const mfcr: Row = {
  name: 'mfcr',
  lift(b, [t]) {
    let all = b.constant(0);
    for (let field = 0; field < 8; field++) all = b.or(all, b.shl(b.get(`CR${field}`), b.constant(28 - 4 * field)));
    b.set(gpr(t), all);
  },
};

/** XER as mtspr and mfspr see it; the string length in bits 6:0 is left out. */
const XER: readonly (readonly [name: string, bit: number])[] = [
  ['SO', 31],
  ['OV', 30],
  ['CA', 29],
  ['OV32', 19],
  ['CA32', 18],
];

const mtxer: Row = {
  name: 'mtxer',
  lift(b, [s]) {
    for (const [name, at] of XER) b.set(name, b.and(b.shr(b.get(gpr(s)), b.constant(at)), b.constant(1)));
  },
};

const mfxer: Row = {
  name: 'mfxer',
  lift: (b, [t]) =>
    b.set(
      gpr(t),
      XER.reduce((all, [name, at]) => b.or(all, b.shl(b.get(name), b.constant(at))), b.constant(0)),
    ),
};

export const set1: readonly Row[] = [addeoRecord, mulldoRecord, rlwimi, lwbrx, lwz, stdu, mtcrf, mfcr, mtxer, mfxer];
