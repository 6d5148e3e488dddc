import type { Field } from '@countervisor/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fieldMasks } from '../load/compile.ts';
import { type FieldMasks, legalize, withFixedBits } from './legalize.ts';

const register = (width: number, fields: Readonly<Record<string, Field>>): FieldMasks => ({
  name: 'R',
  mask: (1n << BigInt(width)) - 1n,
  ...fieldMasks(fields),
});

/** One eight-bit field of one behaviour. */
const of = (write: Field['write']): FieldMasks =>
  register(8, { F: { bits: [7, 0], means: 'All of it.', ...(write && { write }) } });

// before and written hold every combination of two bits in their low four: 0 then 0, 0 then 1, 1 then 0, 1 then 1.
const BEFORE = 0b0011n;
const WRITTEN = 0b0101n;

describe('legalize: one behaviour each', () => {
  it.each([
    [undefined, 0b0101n], // plain is the default
    ['plain', 0b0101n],
    ['one-sets', 0b0111n],
    ['one-clears', 0b0010n],
    ['ignored', 0b0011n],
    ['zero', 0b0000n],
    ['one', 0b1111_1111n],
  ] as const)('%s', (write, stored) => {
    expect(legalize(of(write), BEFORE, WRITTEN)).toBe(stored);
  });

  it('must-be-0: a 1 is refused and named, a 0 is stored', () => {
    expect(legalize(of('must-be-0'), 0n, 0b0101n)).toEqual({ refuse: 'R: bit 2 and bit 0 must be 0', bits: 0b0101n });
    expect(legalize(of('must-be-0'), 0n, 0n)).toBe(0n);
  });

  it('must-be-1: a 0 is refused and named, a 1 is stored', () => {
    expect(legalize(of('must-be-1'), 0xffn, 0b1111_0001n)).toEqual({
      refuse: 'R: bits 3 to 1 must be 1',
      bits: 0b1110n,
    });
    expect(legalize(of('must-be-1'), 0xffn, 0xffn)).toBe(0xffn);
  });
});

describe('legalize: fields side by side', () => {
  // After an overflow status register: status by writing ones, an enable, a read-only count, a reserved bit and a constant one.
  const mixed = register(12, {
    STATUS: { bits: [3, 0], means: 'Write 1 to clear.', write: 'one-clears' },
    ENABLE: { bits: 4, means: 'Stored.' },
    SET: { bits: 5, means: 'Write 1 to set.', write: 'one-sets' },
    N: { bits: [8, 6], means: 'Read-only.', write: 'ignored' },
    RESERVED: { bits: 9, means: 'Reads as 0.', write: 'zero' },
    HIGH: { bits: 10, means: 'Reads as 1.', write: 'one' },
    MUST: { bits: 11, means: 'Writing 1 faults.', write: 'must-be-0' },
  });

  it('each keeps to its own bits', () => {
    // before: STATUS 1111, ENABLE 0, SET 0, N 101; written: STATUS 0110, ENABLE 1, SET 1, N 010, RESERVED 1, HIGH 0.
    const before = 0b0_1_0_101_0_0_1111n;
    const written = 0b0_0_1_010_1_1_0110n;
    expect(legalize(mixed, before, written)).toBe(0b0_1_0_101_1_1_1001n);
  });

  it('one refused bit refuses the whole write', () => {
    expect(legalize(mixed, 0n, 0b1_0_0_000_1_0_0000n)).toEqual({ refuse: 'R: bit 11 must be 0', bits: 1n << 11n });
  });

  it('drops what is written beyond the width', () => {
    expect(legalize(of('plain'), 0n, 0xabcdn)).toBe(0xcdn);
    expect(legalize(mixed, 0n, 1n << 40n)).toBe(0b0_1_0_000_0_0_0000n);
  });
});

describe('withFixedBits', () => {
  it('leaves the stored bits of a pattern alone, and puts the others right', () => {
    const r = register(8, {
      ONE: { bits: 7, means: 'One.', write: 'one' },
      ZERO: { bits: 6, means: 'Zero.', write: 'zero' },
      MUST1: { bits: 5, means: 'Must be 1.', write: 'must-be-1' },
      MUST0: { bits: 4, means: 'Must be 0.', write: 'must-be-0' },
      REST: { bits: [3, 0], means: 'Stored.' },
    });
    expect(withFixedBits(r, 0x1de7_ec7e_0000_005an)).toBe(0b1010_1010n);
  });
});

describe('legalize: properties', () => {
  const behaviours = ['plain', 'one-sets', 'one-clears', 'ignored', 'zero', 'one', 'must-be-0', 'must-be-1'] as const;
  const bit = { before: fc.boolean(), written: fc.boolean(), write: fc.constantFrom(...behaviours) };
  const word = fc.array(fc.record(bit), { minLength: 1, maxLength: 64 });

  // The behaviours again, said for one bit at a time, as the contract's comments say them.
  const stored = (write: (typeof behaviours)[number], before: boolean, written: boolean): boolean | 'refused' => {
    if (write === 'plain') return written;
    if (write === 'one-sets') return written ? true : before;
    if (write === 'one-clears') return written ? false : before;
    if (write === 'ignored') return before;
    if (write === 'zero') return false;
    if (write === 'one') return true;
    if (write === 'must-be-0') return written ? 'refused' : false;
    return written ? true : 'refused';
  };

  const made = (bits: readonly { before: boolean; written: boolean; write: (typeof behaviours)[number] }[]) => {
    const pick = (f: (b: (typeof bits)[number]) => boolean) =>
      bits.reduce((v, b, i) => (f(b) ? v | (1n << BigInt(i)) : v), 0n);
    return {
      r: register(
        bits.length,
        Object.fromEntries(bits.map((b, i) => [`B${i}`, { bits: i, means: '.', write: b.write }])),
      ),
      before: pick((b) => b.before),
      written: pick((b) => b.written),
      pick,
    };
  };

  it('is the bit-by-bit meaning, for any mixture', () => {
    fc.assert(
      fc.property(word, (bits) => {
        const { r, before, written, pick } = made(bits);
        const got = legalize(r, before, written);
        const refused = pick((b) => stored(b.write, b.before, b.written) === 'refused');
        if (refused === 0n) expect(got).toBe(pick((b) => stored(b.write, b.before, b.written) === true));
        else {
          const { bits } = got as { bits: bigint };
          expect(bits).not.toBe(0n);
          expect(bits & ~refused).toBe(0n);
        }
      }),
    );
  });

  it('never refuses what it stored itself but for the bits that clear or set, and then changes nothing new', () => {
    fc.assert(
      fc.property(word, (bits) => {
        const { r, before, written } = made(bits);
        const once = legalize(r, before, written);
        fc.pre(typeof once === 'bigint');
        const again = legalize(r, once as bigint, written);
        expect(again).toBe(once);
      }),
    );
  });

  it('stays within the width', () => {
    fc.assert(
      fc.property(word, fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (bits, beyond) => {
        const { r, before } = made(bits);
        const got = legalize(r, before, beyond);
        if (typeof got === 'bigint') expect(got & ~r.mask).toBe(0n);
      }),
    );
  });
});
