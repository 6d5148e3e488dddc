/** Helpers of lifts: by examples of the manual and by plain models; QEMU has the last word in test/differential/ppc64. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bitHelpers } from './bits.ts';

const call = (name: string, a: bigint, b = 0n): bigint =>
  (bitHelpers[name] as (vcpu: never, args: readonly bigint[]) => bigint)(undefined as never, [a, b]);

const ONES = (1n << 64n) - 1n;
const word = fc.oneof(fc.bigInt({ min: 0n, max: ONES }), fc.constantFrom(0n, 1n, ONES, 1n << 63n, 0xff00ff00n));

describe('decimal', () => {
  it('packs and unpacks every three digits, and repacks what is canonical', () => {
    const seen = new Set<bigint>();
    for (let n = 0; n < 1000; n++) {
      const digits = BigInt(`0x${String(n).padStart(3, '0')}`);
      const declet = call('cbcdtd', digits);
      expect(declet < 1024n).toBe(true);
      seen.add(declet);
      expect(call('cdtbcd', declet)).toBe(digits);
    }
    expect(seen.size).toBe(1000);
  });

  it('knows the packings that the standard prints', () => {
    // IEEE 754-2008, table 3.4, and its usual examples: 005, 009, 055, 099, 999; 80 and 1,000,000's digits in two groups.
    const table: readonly (readonly [bigint, bigint])[] = [
      [0x005n, 0b000_000_0101n],
      [0x009n, 0b000_000_1001n],
      [0x055n, 0b000_101_0101n],
      [0x079n, 0b000_111_1001n],
      [0x080n, 0b000_000_1010n],
      [0x099n, 0b000_101_1111n],
      [0x555n, 0b101_101_0101n],
      [0x999n, 0b001_111_1111n],
    ];
    for (const [digits, declet] of table) expect(call('cbcdtd', digits).toString(2)).toBe(declet.toString(2));
    expect(call('cbcdtd', 0x555_999n)).toBe((0b101_101_0101n << 10n) | 0b001_111_1111n);
    expect(call('cbcdtd', 0x555_999n << 32n)).toBe(((0b101_101_0101n << 10n) | 0b001_111_1111n) << 32n);
  });

  it('addg6s has a six for each digit without a carry', () => {
    expect(call('addg6s', 0n, 0n)).toBe(0x6666_6666_6666_6666n);
    expect(call('addg6s', ONES, 1n)).toBe(0n);
    expect(call('addg6s', 0x0f0n, 0x010n)).toBe(0x6666_6666_6666_6606n);
  });
});

describe('permutations', () => {
  it('bpermd takes bits by number, the most significant 0, and nothing beyond 63', () => {
    expect(call('bpermd', 0x00_3f_40_ff_00_00_00_01n, 1n << 63n)).toBe(0b1000_1110n);
    expect(call('bpermd', 0x3fn, 1n)).toBe(1n);
  });

  it('pextd gathers and pdepd scatters', () => {
    expect(call('pextd', 0xabcdn, 0xf0f0n)).toBe(0xacn);
    expect(call('pdepd', 0xacn, 0xf0f0n)).toBe(0xa0c0n);
    fc.assert(fc.property(word, word, (a, mask) => call('pdepd', call('pextd', a, mask), mask) === (a & mask)));
  });

  it('cfuged puts the rest to the left', () => {
    // Bits under f0f0 of abcd are a and c; the others, b and d, lie above them.
    expect(call('cfuged', 0xabcdn, 0xf0f0n)).toBe(0xbdacn);
    fc.assert(
      fc.property(word, word, (a, mask) => {
        const count = BigInt([...mask.toString(2)].filter((bit) => bit === '1').length);
        const whole = call('cfuged', a, mask);
        const low = whole & ((1n << count) - 1n);
        return low === call('pextd', a, mask) && whole >> count === call('pextd', a, ONES ^ mask);
      }),
    );
  });

  it('counts zeros under a mask', () => {
    // Under f0f0 the bits are 0000 0001.
    expect(call('cntlzdm', 0x0010n, 0xf0f0n)).toBe(7n);
    expect(call('cntlzdm', 0n, 0xf0f0n)).toBe(8n);
    expect(call('cnttzdm', 0x0010n, 0xf0f0n)).toBe(0n);
    expect(call('cnttzdm', 0x1000n, 0xf0f0n)).toBe(4n);
    expect(call('cnttzdm', 0n, 0xf0f0n)).toBe(8n);
    expect(call('cnttzdm', 5n, 0n)).toBe(0n);
  });
});

describe('extended division', () => {
  it.each([
    ['divdeu', 1n, 2n, 1n << 63n],
    ['divdeu', 1n, 1n, 0n],
    ['divdeu', 5n, 0n, 0n],
    ['divde', 1n, 4n, 1n << 62n],
    ['divde', ONES, 2n, 1n << 63n],
    ['divde', 1n, 2n, 0n],
  ] as const)('%s', (name, a, b, quotient) => {
    expect(call(name, a, b)).toBe(quotient);
  });

  it('says when a signed quotient does not fit', () => {
    expect(call('divde-overflow', 1n, 2n)).toBe(1n);
    expect(call('divde-overflow', ONES, 2n)).toBe(0n);
    expect(call('divde-overflow', 1n, 0n)).toBe(1n);
    expect(call('divde-overflow', 0n, 7n)).toBe(0n);
  });
});
