/** What the assembler refuses; what it makes is compared with GNU as in test/differential. */
import { describe, expect, it } from 'vitest';
import * as a from './asm.ts';

describe('the assembler refuses', () => {
  it.each([
    ['a register that is none', () => a.mov('X31', 'X0'), "'X31' is no register."],
    [
      'the stack pointer where the zero register stands',
      () => a.madd('SP', 'X0', 'X1', 'X2'),
      "The stack pointer can't stand here: SP.",
    ],
    [
      'the zero register where the stack pointer stands',
      () => a.add('X0', 'XZR', 1),
      "The zero register can't stand here: XZR.",
    ],
    ['an immediate that does not fit', () => a.add('X0', 'X1', 4097), 'ADD (immediate): imm12 is'],
    ['a number that is no logical immediate', () => a.and('X0', 'X1', 5), '5 is no logical immediate.'],
    ['a shift that is none', () => a.add('X0', 'X1', 'X2', 'UXT #1'), "'UXT' is none of LSL, LSR, ASR, ROR."],
    ['a condition that is none', () => a.cset('X0', 'XX'), "'XX' is none of EQ, NE"],
    ['an offset out of reach', () => a.ldr('X0', a.mem('X1', -257)), 'The offset -257 does not fit in 9 bits.'],
    [
      'an index shifted by another amount',
      () => a.ldr('X0', a.mem('X1', 'X2', 'LSL #2')),
      "can't shift its index by 2.",
    ],
    ['a branch to half a word', () => a.b(6), 'The offset 6 is no multiple of 4.'],
    ['a branch too far', () => a.tbz('X0', 1, 32768), 'The offset in words 8192 does not fit in 14 bits.'],
    [
      'a system register without a name',
      () => a.mrs('X0', 'NOBODY_EL1'),
      'No table names the system register NOBODY_EL1.',
    ],
    ['a label that is missing', () => a.program([a.b('away')]), "There is no label 'away'."],
    ['a label given twice', () => a.program([a.label('x'), a.nop(), a.label('x')]), "The label 'x' is given twice."],
    [
      'two labels of a name at one place',
      () => a.program([a.label('x'), a.label('x')]),
      "The label 'x' is given twice.",
    ],
  ])('%s', (_what, make, why) => {
    expect(make).toThrow(why);
  });
});

describe('a program', () => {
  it('stands at its base, its labels at what follows them', () => {
    const { base, bytes, labels } = a.program(
      [a.label('code'), [a.nop(), [a.nop()]], a.label('text'), a.data(new Uint8Array([1, 2, 3]), 1), a.label('end')],
      0x1000n,
    );
    expect(base).toBe(0x1000n);
    expect(bytes).toHaveLength(12);
    expect([...labels]).toEqual([
      ['code', 0x1000n],
      ['text', 0x1008n],
      ['end', 0x100cn],
    ]);
  });

  it('loads constants by as few words as there are chunks', () => {
    expect(a.load('X0', 0)).toHaveLength(1);
    expect(a.load('X0', 0x1_0000_0000)).toHaveLength(1);
    expect(a.load('X0', -1)).toHaveLength(4);
  });

  it('takes addresses for names', () => {
    expect(a.mrs('X0', { space: 'sysreg', index: 0xdce8 })).toBe(a.mrs('X0', 'PMCCNTR_EL0'));
  });
});
