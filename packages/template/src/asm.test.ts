import { describe, expect, it } from 'vitest';
import * as asm from './asm.ts';
import { assemble, type Line, label } from './asm.ts';
import { rows } from './isa/decode.ts';

/** The word of one instruction that stands at 0x1000. */
const word = (line: Line): number => new DataView(assemble([line]).buffer).getUint32(0, true);

describe('asm', () => {
  // Words by hand, from the drawing in isa/row.ts: opcode, a, b, imm.
  it.each([
    ['nop', asm.nop(), 0x01_0_0_0000],
    ['movi R3, 0x1234', asm.movi('R3', 0x1234), 0x02_3_0_1234],
    ['movi R3, -1', asm.movi('R3', -1), 0x02_3_0_ffff],
    ['addi R1, R2, 5', asm.addi('R1', 'R2', 5), 0x03_1_2_0005],
    ['add R1, R2, R3', asm.add('R1', 'R2', 'R3'), 0x04_1_2_0003],
    ['sub R7, R6, R5', asm.sub('R7', 'R6', 'R5'), 0x05_7_6_0005],
    ['load R4, [R2 + 8]', asm.load('R4', 'R2', 8), 0x06_4_2_0008],
    ['store R4, [R2 - 8]', asm.store('R4', 'R2', -8), 0x07_4_2_fff8],
    ['beqz R1, two ahead', asm.beqz('R1', 2), 0x08_1_0_0002],
    ['bnez R1, one back', asm.bnez('R1', -1), 0x09_1_0_ffff],
    ['jump, here', asm.jump(0), 0x0a_0_0_0000],
    ['call, four ahead', asm.call(4), 0x0b_0_0_0004],
    ['ret', asm.ret(), 0x0c_0_0_0000],
    ['readreg R2, PMC0', asm.readreg('R2', 'PMC0'), 0x0d_2_0_001c],
    ['writereg PMCTL, R5', asm.writereg('PMCTL', 'R5'), 0x0e_5_0_0010],
    ['readreg of a number', asm.readreg('R2', 0xffff), 0x0d_2_0_ffff],
    ['writereg of a number', asm.writereg(0x40, 'R0'), 0x0e_0_0_0040],
    ['syscall 7', asm.syscall(7), 0x0f_0_0_0007],
    ['sysret', asm.sysret(), 0x10_0_0_0000],
    ['trap 0xffff', asm.trap(0xffff), 0x11_0_0_ffff],
    ['wait', asm.wait(), 0x12_0_0_0000],
  ])('%s', (_, line, expected) => {
    expect(word(line).toString(16)).toBe(expected.toString(16));
  });

  it('has a function for every row, by its name', () => {
    expect(Object.keys(asm).filter((name) => rows.some((row) => row.name === name))).toHaveLength(rows.length);
  });

  it('writes words with the least significant byte first', () => {
    expect([...assemble([asm.movi('R1', 0x1234)])]).toEqual([0x34, 0x12, 0x10, 0x02]);
  });

  it('knows a label as an address in an immediate, and as a distance in a branch', () => {
    const code = assemble(
      [asm.movi('R1', 'end'), asm.jump('end'), asm.nop(), label('end'), asm.beqz('R0', 'end')],
      0x2000,
    );
    const view = new DataView(code.buffer);
    expect(view.getUint32(0, true)).toBe(0x02_1_0_200c);
    expect(view.getUint32(4, true)).toBe(0x0a_0_0_0002);
    expect(view.getUint32(12, true)).toBe(0x08_0_0_0000);
  });

  it('refuses what does not fit, and labels that are missing or twice', () => {
    expect(() => assemble([asm.movi('R1', 0x8000)])).toThrow('movi: 32768 does not fit 16 bits from -32768.');
    expect(() => assemble([asm.movi('R1', -0x8001)])).toThrow(RangeError);
    expect(() => assemble([asm.readreg('R1', -1)])).toThrow('readreg: -1 does not fit 16 bits from 0.');
    expect(() => assemble([asm.trap(1.5)])).toThrow(RangeError);
    expect(() => assemble([asm.jump('nowhere')])).toThrow('There is no label nowhere.');
    expect(() => assemble([label('a'), label('a')])).toThrow('The label a stands twice.');
  });
});
