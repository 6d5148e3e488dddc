import { describe, expect, it } from 'vitest';
import { bitmask, encodeBitmask } from './bitmask.ts';

describe('logical immediates', () => {
  // Assembled by GNU as: AND X0, X1, #value, bits 22:10.
  it.each([
    [1, 0, 0, 1n],
    [0, 0, 0b111100, 0x5555555555555555n],
    [0, 1, 0b111100, 0xaaaaaaaaaaaaaaaan],
    [1, 63, 61, 0x7ffffffffffffffen],
    [0, 8, 0b100111, 0xff00ff00ff00ff00n],
    [1, 1, 62, 0xbfffffffffffffffn],
  ])('N=%i immr=%i imms=%i', (n, immr, imms, value) => {
    expect(bitmask(n, immr, imms, 64)).toBe(value);
  });

  it('are 5334 values of 64 bits and 1302 of 32, a run of ones in an element of 2, 4 … bits: sum of e(e-1)', () => {
    const all = (width: 32 | 64): number => {
      const values = new Set<bigint>();
      for (let code = 0; code < 0x2000; code++) {
        const value = bitmask(code >> 12, (code >> 6) & 63, code & 63, width);
        if (value !== undefined) values.add(value);
      }
      return values.size;
    };
    expect(all(64)).toBe(2 + 12 + 56 + 240 + 992 + 4032);
    expect(all(32)).toBe(2 + 12 + 56 + 240 + 992);
  });

  it('are reserved where a run would fill its element, and for N at 32 bits', () => {
    expect(bitmask(1, 0, 63, 64)).toBeUndefined();
    expect(bitmask(0, 0, 63, 64)).toBeUndefined();
    expect(bitmask(0, 0, 0b111101, 64)).toBeUndefined();
    expect(bitmask(1, 0, 0, 32)).toBeUndefined();
  });

  it('can be found again', () => {
    for (const value of [1n, 0xff00ff00ff00ff00n, 0x7ffffffffffffffen, 0x5555555555555555n, 0x8000000000000001n]) {
      const [n, immr, imms] = encodeBitmask(value, 64) as [number, number, number];
      expect(bitmask(n, immr, imms, 64)).toBe(value);
    }
    expect(encodeBitmask(0n, 64)).toBeUndefined();
    expect(encodeBitmask(5n, 64)).toBeUndefined();
    expect(encodeBitmask(0xffffffffn, 32)).toBeUndefined();
  });
});
