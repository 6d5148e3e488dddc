/** PL011 register values from its TRM, DDI 0183, tables 3-1 and following. */
import { describe, expect, it } from 'vitest';
import { Board } from '../testing/board.ts';
import { virt } from './virt.ts';

const at = (offset: number): bigint => 0x0900_0000n + BigInt(offset);
const uart = (made: Board): boolean => virt.sources.uart?.(made.cpu()) === true;

describe('PL011', () => {
  it('prints bytes, halves and words written to the data register, their low byte', () => {
    const made = new Board();
    made.store(at(0), 0x48, 1);
    made.store(at(0), 0x1269, 2);
    made.store(at(0), 0x1234_5621, 4);
    expect(made.printed).toBe('Hi!');
  });
  it('prints without being set up', () => {
    const made = new Board();
    made.store(at(0x30), 0);
    made.store(at(0), 0x58, 1);
    expect(made.printed).toBe('X');
  });
  it('is never full and has received nothing: TXFE and RXFE', () => {
    expect(new Board().load(at(0x18))).toBe(0x90);
    expect(new Board().load(at(0))).toBe(0);
  });
  it('resets as the TRM says', () => {
    const made = new Board();
    const reset = { 36: 0, 40: 0, 44: 0, 48: 0x300, 52: 0x12, 56: 0, 60: 0, 64: 0, 72: 0 };
    for (const [offset, value] of Object.entries(reset))
      expect([offset, made.load(at(Number(offset)))]).toEqual([offset, value]);
  });
  it('stores the bits that each register has', () => {
    const made = new Board();
    const bits = { 32: 0xff, 36: 0xffff, 40: 0x3f, 44: 0xff, 48: 0xffff, 52: 0x3f, 56: 0x7ff, 72: 0x7 };
    for (const [offset, value] of Object.entries(bits)) {
      expect(made.store(at(Number(offset)), 0xffff_ffff)).toBe(true);
      expect([offset, made.load(at(Number(offset)))]).toEqual([offset, value]);
    }
  });
  it('says who it is: part 011, designer 041, PrimeCell', () => {
    const made = new Board();
    const id = [0xfe0, 0xfe4, 0xfe8, 0xfec, 0xff0, 0xff4, 0xff8, 0xffc].map((o) => made.load(at(o)) as number);
    expect((id[0] as number) | (((id[1] as number) & 15) << 8)).toBe(0x011);
    expect(((id[1] as number) >> 4) | (((id[2] as number) & 15) << 4)).toBe(0x41);
    expect(id.slice(4)).toEqual([0x0d, 0xf0, 0x05, 0xb1]);
  });
  it('interrupts when it has sent, if unmasked, until cleared', () => {
    const made = new Board();
    made.store(at(0), 0x41, 1);
    expect([made.load(at(0x3c)), made.load(at(0x40)), uart(made)]).toEqual([0x20, 0, false]);
    made.store(at(0x38), 0x20);
    expect([made.load(at(0x40)), uart(made)]).toEqual([0x20, true]);
    made.store(at(0x44), 0x20);
    expect([made.load(at(0x3c)), uart(made)]).toEqual([0, false]);
  });
  it('read-only registers ignore writes; there is nothing else', () => {
    const made = new Board();
    for (const offset of [0x18, 0x3c, 0x40, 0xfe0]) expect(made.store(at(offset), 0xff)).toBe(true);
    expect(made.load(at(0x18))).toBe(0x90);
    expect(made.load(at(0x3c))).toBe(0);
    for (const offset of [0x08, 0x4c, 0x80, 0xfd0, 0x19]) {
      expect([offset, made.load(at(offset)), made.store(at(offset), 1)]).toEqual([offset, undefined, false]);
    }
  });
});
