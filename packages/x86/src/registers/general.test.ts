import { describe, expect, it } from 'vitest';
import { flags, general, SYSTEM_FLAGS, setFlags } from './general.ts';

const STATUS = 0x8d5n;

function slots(): { get(name: string): bigint; set(name: string, value: bigint): void } {
  const held = new Map<string, bigint>();
  return { get: (name) => held.get(name) ?? 0n, set: (name, value) => void held.set(name, value) };
}

describe('RFLAGS', () => {
  it('comes back as it was put, whichever of its bits are set', () => {
    const view = slots();
    for (let n = 0; n < 0x1000; n++) {
      const value = (BigInt(n) & STATUS) | ((BigInt(n) << 10n) & SYSTEM_FLAGS);
      setFlags(view, value);
      expect(flags(view)).toBe(value | 2n);
    }
  });

  it('keeps the bits that do not exist at 0, and bit 1 at 1', () => {
    const view = slots();
    setFlags(view, (1n << 64n) - 1n);
    expect(flags(view)).toBe(STATUS | SYSTEM_FLAGS | 2n);
    setFlags(view, 0n);
    expect(flags(view)).toBe(2n);
  });

  it('reads results as the manual says: SF bit 63, PF of the low byte, AF where operands and result disagree', () => {
    const view = slots();
    // 0x0f + 1 = 0x10: one 1, a carry out of bit 3.
    for (const [name, value] of [
      ['RESULT', 0x10n],
      ['NONZERO', 0x10n],
      ['AUX', 0x0fn ^ 1n],
    ] as const) {
      view.set(name, value);
    }
    expect(flags(view)).toBe(0x12n);
    // -128 as a byte, sign-extended; 0x180 and 0x380 have the same low byte.
    view.set('RESULT', 0xffff_ffff_ffff_ff80n);
    view.set('AUX', 0x80n);
    expect(flags(view) & 0x94n).toBe(0x80n);
  });

  it('is one register to guests, and its parts stand apart', () => {
    expect(general.RFLAGS?.derive).toBe(flags);
    expect(general.RFLAGS?.parts).toBe(setFlags);
    for (const name of ['CF', 'OF', 'NONZERO', 'RESULT', 'AUX', 'SYSTEM_FLAGS'])
      expect(general[name]?.derive).toBeUndefined();
  });
});
