/** What the assembler refuses; what it makes is compared with GNU as in test/differential/ppc64. */
import { describe, expect, it } from 'vitest';
import * as a from './asm.ts';

describe('the assembler refuses', () => {
  it.each([
    ['an instruction that is none', () => a.op('addq', 'r0'), "The instruction table has no row 'addq'."],
    ['a register that is none', () => a.op('add', 'r3', 'r32', 'r1'), "'r32' is none of r0 to r31."],
    ['a number where a register stands', () => a.op('add', 'r3', 4, 'r1'), "'4' is none of r0 to r31."],
    ['a CR field that is none', () => a.cmpdi('r3', 1, 'cr8'), "'cr8' is none of cr0 to cr7."],
    ['too few operands', () => a.op('add', 'r3', 'r4'), 'add takes RT, RA, RB.'],
    ['operands of what takes none', () => a.op('isync', 1), 'isync takes nothing.'],
    ['a register where a number stands', () => a.op('addi', 'r3', 'r4', 'r5'), "addi: 'r5' is no number."],
    ['an immediate that does not fit', () => a.addi('r3', 'r4', 0x8000), 'addi: 32768 does not fit in 16 bits.'],
    ['a displacement of half a word', () => a.op('ld', 'r3', 6, 'r4'), 'ld: 6 is no multiple of 4.'],
    ['a displacement that lq cannot have', () => a.op('lq', 'r4', 8, 'r5'), 'lq: 8 is no multiple of 16.'],
    ['an invalid form', () => a.op('lwzu', 'r3', 0, 'r3'), 'lwzu: this form is invalid'],
    ['an amount that is too large', () => a.op('srawi', 'r3', 'r4', 32), 'srawi: SH is 32, and should be 0 to 31.'],
    ['a branch to half a word', () => a.b(6), 'b: 6 is no multiple of 4.'],
    ['a branch too far', () => a.bdnz(0x8000), 'bc: 8192 does not fit in 14 bits.'],
    [
      'a register without a number',
      () => a.mfspr('r3', 'NOBODY'),
      'No table names the special-purpose register NOBODY.',
    ],
    ['a register that no number names', () => a.mfspr('r3', 'SO'), 'No table names the special-purpose register SO.'],
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
      [
        a.label('code'),
        [a.nop(), [a.op('pnop')]],
        a.label('text'),
        a.data(new Uint8Array([1, 2, 3]), 1),
        a.label('end'),
        a.align(16),
      ],
      0x1000n,
    );
    expect(base).toBe(0x1000n);
    expect(bytes).toHaveLength(16);
    expect([...labels]).toEqual([
      ['code', 0x1000n],
      ['text', 0x100cn],
      ['end', 0x1010n],
    ]);
  });

  it('stands in either byte order, but for bytes', () => {
    const items = [a.nop(), a.quads(1), a.data(new Uint8Array([1, 2]))];
    const hex = (order: 'big' | 'little'): string => Buffer.from(a.program(items, 0n, order).bytes).toString('hex');
    expect(hex('big')).toBe('60000000000000000000000000000001'.concat('01020000'));
    expect(hex('little')).toBe('00000060000000000100000000000000'.concat('01020000'));
  });

  it('loads any constant, by as few words as it takes', () => {
    // Performed by hand: li and lis extend the sign, ori and oris do not, sldi moves up by 32.
    const value = (words: readonly a.Words[]): bigint => {
      let v = 0n;
      for (const [word = 0] of words) {
        const imm = BigInt(word & 0xffff);
        const opcode = word >>> 26;
        if (opcode === 14) v = BigInt.asIntN(16, imm);
        else if (opcode === 15) v = BigInt.asIntN(16, imm) << 16n;
        else if (opcode === 24) v |= imm;
        else if (opcode === 25) v |= imm << 16n;
        else v <<= 32n;
      }
      return BigInt.asUintN(64, v);
    };
    const constants: readonly (readonly [bigint | number, number])[] = [
      [0, 1],
      [-1, 1],
      [0x7fff, 1],
      [0x8000, 2],
      [-0x8001, 2],
      [0x7fff_0000, 1],
      [0x1234_5678, 2],
      [0x8000_0000, 3],
      [1n << 63n, 2],
      [1n << 32n, 2],
      [0x0123_4567_89ab_cdefn, 5],
      [0xffff_ffff_0000_0001n, 3],
    ];
    for (const [constant, count] of constants) {
      const words = a.load('r3', constant);
      expect(value(words).toString(16)).toBe(BigInt.asUintN(64, BigInt(constant)).toString(16));
      expect(words.length, String(constant)).toBe(count);
    }
  });

  it('takes addresses and names for special-purpose registers', () => {
    expect(a.mtspr({ space: 'spr', index: 8 }, 'r3')).toEqual(a.mtspr('LR', 'r3'));
    expect(a.mtspr(9, 'r3')).toEqual(a.mtctr('r3'));
  });
});
