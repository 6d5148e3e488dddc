import { describe, expect, it } from 'vitest';
import { add, addi, beqz, bnez, call, jump, type Line, label, movi, readreg, ret, sub, writereg } from '../../asm.ts';
import { runLines } from '../../testing/run.ts';

/** R3 after the lines. */
const r3 = (...lines: Line[]): bigint => runLines([movi('R3', 0), ...lines]).get('R3');

describe('instructions on a machine', () => {
  it.each<[string, bigint, Line[]]>([
    ['movi extends the sign', 0xffff_ffff_ffff_8000n, [movi('R3', -0x8000)]],
    ['addi wraps at 64 bits', 1n, [movi('R4', -1), addi('R3', 'R4', 2)]],
    ['add reads both before it writes', 14n, [movi('R3', 7), add('R3', 'R3', 'R3')]],
    ['sub goes below zero', 0xffff_ffff_ffff_fffdn, [movi('R4', 4), movi('R5', 7), sub('R3', 'R4', 'R5')]],
    ['beqz of 0 is taken', 0n, [movi('R4', 0), beqz('R4', 'on'), movi('R3', 1), label('on')]],
    ['beqz of 1 is not', 1n, [movi('R4', 1), beqz('R4', 'on'), movi('R3', 1), label('on')]],
    ['bnez of 0 is not taken', 1n, [movi('R4', 0), bnez('R4', 'on'), movi('R3', 1), label('on')]],
    ['bnez of -1 is', 0n, [movi('R4', -1), bnez('R4', 'on'), movi('R3', 1), label('on')]],
    [
      'jump goes backward, too',
      5n,
      [jump('b'), label('a'), movi('R3', 5), jump('c'), label('b'), jump('a'), label('c')],
    ],
    ['call leaves the next address in R7', 0x1008n, [call(1), addi('R3', 'R7', 0)]],
    ['ret goes there', 0n, [movi('R7', 'on'), ret(), movi('R3', 1), label('on')]],
    ['TIME counts cycles: two before this one', 2n, [readreg('R2', 'TIME'), readreg('R3', 'TIME')]],
    ['SCRATCH keeps what was written', 9n, [movi('R4', 9), writereg('SCRATCH', 'R4'), readreg('R3', 'SCRATCH')]],
  ])('%s', (_, expected, lines) => {
    expect(r3(...lines)).toBe(expected);
  });

  it('VECTOR refuses 0, and keeps what it held', () => {
    const { get } = runLines([
      movi('R2', 'handler'),
      writereg('VECTOR', 'R2'),
      movi('R4', 0),
      writereg('VECTOR', 'R4'), // undefined
      movi('R3', 1), // never reached
      label('handler'),
      readreg('R5', 'VECTOR'),
      readreg('R6', 'CAUSE'),
    ]);
    expect([get('R5'), get('R6')]).toEqual([0x1014n, 0x0e01n]);
  });
});
