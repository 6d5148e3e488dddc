/** Exact floating point against this machine's own: JavaScript's numbers are IEEE 754 doubles, rounded to nearest. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addExact,
  classOf,
  DOUBLE,
  divideExact,
  EXTENDED,
  type Exact,
  exactOf,
  FLAG,
  multiplyExact,
  narrowed,
  order,
  ROUND,
  rootExact,
  round,
  SINGLE,
  toInteger,
  widen,
} from './softfloat.ts';

const view = new DataView(new ArrayBuffer(8));
const bitsOf = (n: number): bigint => {
  view.setFloat64(0, n);
  return view.getBigUint64(0);
};
const numberOf = (bits: bigint): number => {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
};
const singleOf = (n: number): bigint => {
  view.setFloat32(0, n);
  return BigInt(view.getUint32(0));
};

const edges = [0, -0, 1, -1, 2 ** -1074, 2 ** -1022, 2 ** -1022 - 2 ** -1074, Number.MAX_VALUE, 2 ** 53, 1 + 2 ** -52];
const finite = fc.oneof(
  fc.constantFrom(...edges),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc
    .bigInt({ min: 0n, max: (1n << 64n) - 1n })
    .map(numberOf)
    .filter(Number.isFinite),
);

const exact = (n: number): Exact => exactOf({ ...widen(bitsOf(n), DOUBLE), tiny: false });
const double = (x: Exact): number => numberOf(narrowed(round(x, 53, 11, ROUND.nearest).value, DOUBLE));

describe('rounded once to a double', () => {
  const agree = (name: string, ours: (x: Exact, y: Exact) => Exact, its: (x: number, y: number) => number): void => {
    it(name, () => {
      fc.assert(
        fc.property(finite, finite, (x, y) => {
          if (name === 'quotients' && y === 0) return;
          expect(double(ours(exact(x), exact(y)))).toBe(its(x, y));
        }),
        { numRuns: 5000 },
      );
    });
  };
  agree(
    'sums',
    (x, y) => addExact(x, y, ROUND.nearest),
    (x, y) => x + y,
  );
  agree('products', multiplyExact, (x, y) => x * y);
  agree('quotients', divideExact, (x, y) => x / y);

  it('square roots', () => {
    fc.assert(
      fc.property(finite, (x) => {
        expect(double(rootExact(exact(Math.abs(x))))).toBe(Math.sqrt(Math.abs(x)));
      }),
      { numRuns: 5000 },
    );
  });

  it('singles', () => {
    fc.assert(
      fc.property(finite, (x) => {
        expect(narrowed(round(exact(x), 24, 8, ROUND.nearest).value, SINGLE)).toBe(singleOf(x));
        expect(numberOf(narrowed(widen(singleOf(x), SINGLE), DOUBLE))).toBe(Math.fround(x));
      }),
      { numRuns: 5000 },
    );
  });

  it('order, and whole numbers in every mode', () => {
    fc.assert(
      fc.property(finite, finite, (x, y) => {
        const [a, b] = [widen(bitsOf(x), DOUBLE), widen(bitsOf(y), DOUBLE)];
        expect(order(a, b)).toBe(x === y ? 0 : x < y ? -1 : 1);
        if (Math.abs(x) > 2 ** 200) return;
        const whole = (mode: number): bigint => toInteger(a, mode).value;
        expect(whole(ROUND.down)).toBe(BigInt(Math.floor(x)));
        expect(whole(ROUND.up)).toBe(BigInt(Math.ceil(x)));
        expect(whole(ROUND.zero)).toBe(BigInt(Math.trunc(x)));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('flags and directions, by hand', () => {
  const one: Exact = { sign: 0, integer: 1n, power: 0 };
  /** 1 + 2^-64: one bit more than 64 hold. */
  const more: Exact = { sign: 0, integer: (1n << 64n) | 1n, power: -64 };

  it('says what was inexact, and whether it went up', () => {
    const of = (x: Exact, mode: number): readonly [bigint, number, boolean] => {
      const { value, flags, up } = round(x, 64, EXTENDED.bits, mode);
      return [value.significand, flags, up];
    };
    expect(of(one, ROUND.up)).toEqual([1n << 63n, 0, false]);
    expect(of(more, ROUND.nearest)).toEqual([1n << 63n, FLAG.PE, false]);
    expect(of(more, ROUND.up)).toEqual([(1n << 63n) | 1n, FLAG.PE, true]);
    expect(of({ ...more, sign: 1 }, ROUND.up)).toEqual([1n << 63n, FLAG.PE, false]);
    expect(of({ ...more, sign: 1 }, ROUND.down)).toEqual([(1n << 63n) | 1n, FLAG.PE, true]);
  });

  it('overflows to infinity or to the largest, and underflows when tiny and inexact', () => {
    const huge: Exact = { sign: 0, integer: 1n, power: 16384 };
    expect(classOf(round(huge, 64, 15, ROUND.nearest).value)).toBe('infinity');
    expect(round(huge, 64, 15, ROUND.zero).value).toMatchObject({ exponent: 0x7ffe, significand: (1n << 64n) - 1n });
    expect(round(huge, 64, 15, ROUND.zero).flags).toBe(FLAG.OE | FLAG.PE);
    // Half of the least denormal goes to even: 0.
    const half: Exact = { sign: 0, integer: 1n, power: -16446 };
    expect(round(half, 64, 15, ROUND.nearest)).toMatchObject({ value: { significand: 0n }, flags: FLAG.UE | FLAG.PE });
    expect(round(half, 64, 15, ROUND.up)).toMatchObject({ value: { exponent: 0, significand: 1n }, up: true });
    // The least denormal itself is exact.
    expect(round({ ...half, power: -16445 }, 64, 15, ROUND.nearest)).toMatchObject({ flags: 0, tiny: true });
  });
});
