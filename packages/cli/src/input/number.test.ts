import { describe, expect, it } from 'vitest';
import { UsageError } from '../exit.ts';
import { countOption, readAddress, readCount } from './number.ts';

describe('readCount', () => {
  it.each([
    ['0', 0],
    ['5000', 5000],
    ['1_000_000', 1_000_000],
    ['10k', 10_000],
    ['10M', 10_000_000],
    ['1G', 1_000_000_000],
    ['2.3M', 2_300_000],
    ['1.1k', 1100],
    ['0x1000', 4096],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('%s is %i', (text, value) => expect(readCount(text)).toBe(value));

  it.each([
    '',
    'x',
    '-1',
    '1.5',
    '1.0001k',
    '10 M',
    '1e6',
    '0x',
    '9007199254740992',
    '9999T9',
    'M',
    '1MM',
    '99999999999999999999999',
  ])('%j is no count', (text) => expect(readCount(text)).toBeUndefined());
});

describe('countOption', () => {
  it('takes icount: as an explicit unit, and says the range', () => {
    const read = countOption('--until', 1, 1000);
    expect(read('icount:10')).toBe(10);
    expect(read('1k')).toBe(1000);
    for (const bad of ['0', '1001', 'soon']) expect(() => read(bad), bad).toThrow(UsageError);
    expect(() => read('1001')).toThrow('--until is 1001; it lies from 1 to 1000.');
  });
});

describe('readAddress', () => {
  it('has 64 bits', () => {
    expect(readAddress('0xffff_ffff_ffff_ffff')).toBe(2n ** 64n - 1n);
    expect(readAddress('18446744073709551615')).toBe(2n ** 64n - 1n);
    for (const bad of ['18446744073709551616', '0x10000000000000000', '0x', '-1', 'main'])
      expect(readAddress(bad), bad).toBeUndefined();
  });
});
