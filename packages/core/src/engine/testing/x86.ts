/**
 * Rows of the fake architecture's set 0, with the meaning of the Intel 64 instructions of the same names. Intel SDM volume 2: ADC, RCL, IDIV,
 * CMPXCHG8B/CMPXCHG16B, MOVS and REP. Operands are register numbers; the size is in the name.
 */
import type { Isa, Lifter, Value } from '@countervisor/contract';
import { GENERAL, type Row } from './arch.ts';

type Size = 8 | 16 | 32 | 64;
const SIZES: readonly Size[] = [8, 16, 32, 64];

const name = (number: number | undefined): string => GENERAL[number as number] as string;

function cut(b: Lifter, value: Value, size: Size): Value {
  if (size === 64) return value;
  if (size === 32) return b.zext32(value);
  return size === 16 ? b.zext16(value) : b.zext8(value);
}

/** Volume 1, 3.4.1.1: results of 8 and 16 bits keep the rest of the register, those of 32 bits clear it. */
function setPart(b: Lifter, register: string, value: Value, size: Size): void {
  const part = cut(b, value, size);
  const kept = size >= 32 ? 0n : ~((1n << BigInt(size)) - 1n);
  b.set(register, kept === 0n ? part : b.or(b.and(b.get(register), b.constant(kept)), part));
}

const bit = (b: Lifter, value: Value, at: number): Value => b.and(b.shr(value, b.constant(at)), b.constant(1));

interface Sum {
  readonly sum: Value;
  readonly flags: Readonly<Record<'CF' | 'PF' | 'AF' | 'ZF' | 'SF' | 'OF', Value>>;
}

/** x + y + CF and the six status flags (volume 1, 3.4.3.1). */
function addWithCarry(b: Lifter, x: Value, y: Value, size: Size): Sum {
  const carryIn = b.get('CF');
  const width = size === 64 ? 64 : 32;
  const whole = b.add(b.add(x, y, width), carryIn, width);
  const sum = cut(b, whole, size);
  const narrow = size < 32;
  // Below 32 bits the carry is simply the next bit of the sum, and the sign bits say the rest.
  const overflow = narrow ? bit(b, b.and(b.xor(x, sum), b.xor(y, sum)), size - 1) : b.overflow(x, y, carryIn, width);
  return {
    sum,
    flags: {
      CF: narrow ? bit(b, whole, size) : b.carry(x, y, carryIn, width),
      OF: overflow,
      // A carry into bit 4 shows as the difference between the sum there and the sum without any carry.
      AF: bit(b, b.xor(b.xor(x, y), sum), 4),
      PF: b.xor(bit(b, b.popcnt(b.zext8(sum)), 0), b.constant(1)),
      ZF: b.eq(sum, b.constant(0)),
      SF: bit(b, sum, size - 1),
    },
  };
}

function setFlags(b: Lifter, flags: Sum['flags']): void {
  for (const [flag, value] of Object.entries(flags)) b.set(flag, value);
}

const adc = (size: Size): Row => ({
  name: `adc${size}`,
  operands: 2,
  lift(b, [d, s]) {
    const { sum, flags } = addWithCarry(b, cut(b, b.get(name(d)), size), cut(b, b.get(name(s)), size), size);
    setPart(b, name(d), sum, size);
    setFlags(b, flags);
  },
});

/** ADC to memory: the store can fault, so it comes before the flags. */
const adcToMemory = (size: Size): Row => ({
  name: `adc${size} to memory`,
  operands: 2,
  signals: ['load', 'store', 'access', 'access'],
  lift(b, [m, s]) {
    const shape = { size: (size / 8) as 1 | 2 | 4 | 8 };
    const at = b.get(name(m));
    const { sum, flags } = addWithCarry(b, b.load(at, shape), cut(b, b.get(name(s)), size), size);
    b.store(at, sum, shape);
    setFlags(b, flags);
  },
});

/** The rotated value of size + 1 bits: CF on top of the operand. At 64 bits it takes two words. */
const rcl = (size: Size): Row => ({
  name: `rcl${size}`,
  operands: 1,
  lift(b, [d]) {
    const register = name(d);
    const masked = b.and(b.get('RCX'), b.constant(size === 64 ? 63 : 31));
    const carry = b.get('CF');
    const value = cut(b, b.get(register), size);
    let rotated: Value;
    let out: Value;
    if (size === 64) {
      // Bits that come around: CF to bit count - 1, the operand's below it. Shifts are modulo 64, hence the one in front.
      const around = b.shr(b.shr(value, b.constant(1)), b.sub(b.constant(64), masked));
      const low = b.or(b.shl(value, masked), b.or(b.shl(carry, b.sub(masked, b.constant(1))), around));
      rotated = b.select(masked, low, value);
      out = b.select(masked, bit(b, b.shr(value, b.sub(b.constant(64), masked)), 0), carry);
    } else {
      const count = size === 32 ? masked : b.remu(masked, b.constant(size + 1));
      const whole = b.or(value, b.shl(carry, b.constant(size)));
      const turned = b.or(b.shl(whole, count), b.shr(whole, b.sub(b.constant(size + 1), count)));
      rotated = cut(b, turned, size);
      out = bit(b, turned, size);
    }
    // OF is defined for a masked count of 1 alone; here it stays for the others. SF, ZF, AF and PF stay always.
    const overflow = b.select(b.eq(masked, b.constant(1)), b.xor(bit(b, rotated, size - 1), out), b.get('OF'));
    setPart(b, register, rotated, size);
    b.set('CF', out);
    b.set('OF', overflow);
  },
});

/** RDX:RAX by a register. The quotient of 128 bits by 64 is beyond the ops, so helpers say whether it fits, and what it is. */
const idiv: Row = {
  name: 'idiv64',
  operands: 1,
  lift(b, [s]) {
    const operands = [b.get('RDX'), b.get('RAX'), b.get(name(s))] as const;
    b.when(b.eq(b.call('quotient-fits', ...operands), b.constant(0)), () => b.raise('divide-error'));
    const quotient = b.call('quotient', ...operands);
    const remainder = b.sub(operands[1], b.mul(quotient, operands[2]));
    b.set('RAX', quotient);
    b.set('RDX', remainder);
  },
};

function divided([high = 0n, low = 0n, divisor = 0n]: readonly bigint[]): bigint | undefined {
  const by = BigInt.asIntN(64, divisor);
  if (by === 0n) return undefined;
  const quotient = BigInt.asIntN(128, (high << 64n) | low) / by;
  return BigInt.asIntN(64, quotient) === quotient ? quotient : undefined;
}

export const helpers: Isa['helpers'] = {
  'quotient-fits': (_vcpu, args) => (divided(args) === undefined ? 0n : 1n),
  quotient: (_vcpu, args) => BigInt.asUintN(64, divided(args) ?? 0n),
};

/**
 * CMPXCHG16B; `aligned` false is the same without its #GP, for memory that no instruction of that manual can reach: two halves on two pages.
 * Memory is written whether or not it was equal, so a page that cannot be written faults in both cases.
 */
const cmpxchg16b = (aligned: boolean): Row => ({
  name: aligned ? 'cmpxchg16b' : 'cmpxchg16b at any address',
  operands: 1,
  signals: ['load', 'store', 'access', 'access'],
  lift(b, [m]) {
    const at = b.get(name(m));
    if (aligned) b.when(b.and(at, b.constant(15)), () => b.raise('general-protection'));
    const next = b.add(at, b.constant(8));
    const low = b.load(at, { size: 8 });
    const high = b.load(next, { size: 8 });
    const same = b.and(b.eq(low, b.get('RAX')), b.eq(high, b.get('RDX')));
    b.probe(at, 16, true);
    b.store(at, b.select(same, b.get('RBX'), low), { size: 8 });
    b.store(next, b.select(same, b.get('RCX'), high), { size: 8 });
    b.set('RAX', low);
    b.set('RDX', high);
    b.set('ZF', same);
  },
});

/** REP MOVS: one element, then the registers, then once more while RCX is not 0. Without elements nothing is accessed. */
const repMovs = (size: Size): Row => ({
  name: `rep movs${size}`,
  cost: 'slow',
  lift(b) {
    const bytes = (size / 8) as 1 | 2 | 4 | 8;
    const count = b.get('RCX');
    const from = b.get('RSI');
    const to = b.get('RDI');
    b.when(count, () => {
      b.store(to, b.load(from, { size: bytes }), { size: bytes });
      const way = b.select(b.get('DF'), b.constant(-bytes), b.constant(bytes));
      const left = b.sub(count, b.constant(1));
      b.set('RSI', b.add(from, way));
      b.set('RDI', b.add(to, way));
      b.set('RCX', left);
      for (const signal of ['load', 'store', 'access', 'access'] as const) b.emit(signal);
      b.again(left);
    });
  },
});

export const set0: readonly Row[] = [
  { name: 'nop', lift: () => {} },
  ...SIZES.map(adc),
  ...SIZES.map(adcToMemory),
  ...SIZES.map(rcl),
  idiv,
  cmpxchg16b(true),
  cmpxchg16b(false),
  ...SIZES.map(repMovs),
];
