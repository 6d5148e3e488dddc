import { SIGNALS } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { decode, rows } from './decode.ts';
import { costs } from './row.ts';

const at = (word: number) => decode({ u8: (n) => (word >>> (8 * n)) & 0xff, u32: () => word >>> 0 });

describe('decode', () => {
  it.each([
    [0x01_0_0_0000, 'nop'],
    [0x02_3_0_ffff, 'movi'],
    [0x04_1_2_0003, 'add'],
    [0x09_7_0_8000, 'bnez'],
    [0x0c_0_0_0000, 'ret'],
    [0x0d_2_0_001c, 'readreg'],
    [0x12_0_0_0000, 'wait'],
  ])('%i is %s', (word, name) => {
    expect(at(word)).toMatchObject({ name, length: 4 });
  });

  it.each([
    ['zero', 0x00_0_0_0000],
    ['an opcode without a row', 0x13_0_0_0000],
    ['the last opcode', 0xff_0_0_0000],
    ['a register R8', 0x02_8_0_0000],
    ['a register R15 as c', 0x04_1_2_000f],
    ['a bit where nop has no operand', 0x01_0_0_0001],
    ['a bit between b and c', 0x04_1_2_0013],
    ['a b where movi has none', 0x02_1_1_0000],
  ])('%s is undefined', (_, word) => {
    expect(at(word)).toBeUndefined();
  });

  it('is undefined past mapped memory', () => {
    expect(decode({ u8: () => undefined, u32: () => undefined })).toBeUndefined();
  });
});

describe('the instruction table', () => {
  it('has no opcode and no name twice', () => {
    expect(new Set(rows.map((row) => row.opcode)).size).toBe(rows.length);
    expect(new Set(rows.map((row) => row.name)).size).toBe(rows.length);
  });

  it('names cost classes and signals that exist', () => {
    for (const row of rows) {
      expect(Object.keys(costs)).toContain(row.cost);
      for (const signal of row.signals) expect(Object.keys(SIGNALS)).toContain(signal);
    }
  });
});
