import { describe, expect, it } from 'vitest';
import { count, grouped, hex } from './number.ts';
import { table } from './table.ts';
import { visible } from './text.ts';

describe('numbers', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1234567, '1,234,567'],
    [-1234, '-1,234'],
    [2n ** 64n, '18,446,744,073,709,551,616'],
  ])('%s is %s', (value, text) => expect(grouped(value)).toBe(text));

  it('counts are numbers up to 2^53 and decimal strings beyond', () => {
    expect(count(2n ** 53n)).toBe(9007199254740992);
    expect(count(2n ** 53n + 1n)).toBe('9007199254740993');
    expect(count(7)).toBe(7);
  });

  it('register values are padded to their width', () => {
    expect(hex(0x1fn, 32)).toBe('0x0000001f');
    expect(hex(1n, 1)).toBe('0x1');
    expect(hex(10n)).toBe('0xa');
  });
});

describe('table', () => {
  it('aligns, and leaves nothing at the end of a line', () => {
    expect(
      table([
        ['', 'a', 'bb'],
        ['long', '1', ''],
        ['x', '22', '333'],
      ]),
    ).toBe('       a   bb\nlong   1\nx     22  333\n');
    expect(
      table(
        [
          ['a', 'b', 'c'],
          ['1', '22', '3'],
        ],
        { left: [1], indent: 2 },
      ),
    ).toBe('  a  b   c\n  1  22  3\n');
    expect(table([])).toBe('');
  });
});

describe('visible', () => {
  it('lets nothing through that steers a terminal', () => {
    expect(visible('a\tb\u001b[2J\r\u0007\u202e\u009bx ü 漢')).toBe('a\tb\\x1b[2J\\x0d\\x07\\u202e\\x9bx ü 漢');
  });
});
