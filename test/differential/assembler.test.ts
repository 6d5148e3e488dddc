/** Our assembler functions against GNU as: the same text must give the same word. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as a from '../../packages/arm64/src/asm.ts';
import { describeWith } from '../needs.ts';

const { mem, pre, post } = a;

const PAIRS: readonly (readonly [text: string, code: a.Item])[] = [
  ['nop', a.nop()],
  ['yield', a.yields()],
  ['wfe', a.wfe()],
  ['wfi', a.wfi()],
  ['sev', a.sev()],
  ['sevl', a.sevl()],
  ['hint #20', a.hint(20)],
  ['isb', a.isb()],
  ['dsb sy', a.dsb()],
  ['dmb sy', a.dmb()],
  ['clrex', a.clrex()],
  ['eret', a.eret()],
  ['svc #0x1234', a.svc(0x1234)],
  ['hvc #1', a.hvc(1)],
  ['smc #0xffff', a.smc(0xffff)],
  ['brk #7', a.brk(7)],
  ['udf #3', a.udf(3)],
  ['movz x0, #5', a.movz('X0', 5)],
  ['movz w1, #0xffff, lsl #16', a.movz('W1', 0xffff, 16)],
  ['movn x2, #1, lsl #48', a.movn('X2', 1, 48)],
  ['movk x3, #0xabcd, lsl #32', a.movk('X3', 0xabcd, 32)],
  ['movz x5, #0x5678\n movk x5, #0x1234, lsl #16', a.load('X5', 0x12345678)],
  ['movz w5, #0', a.load('W5', 0)],
  ['mov x1, x2', a.mov('X1', 'X2')],
  ['mov w1, w30', a.mov('W1', 'W30')],
  ['mov sp, x3', a.mov('SP', 'X3')],
  ['mov x29, sp', a.mov('X29', 'SP')],
  ['add x0, x1, #4095', a.add('X0', 'X1', 4095)],
  ['add sp, sp, #0x5000', a.add('SP', 'SP', 0x5000)],
  ['adds w3, wsp, #1', a.adds('W3', 'WSP', 1)],
  ['sub w0, w1, w2, lsl #31', a.sub('W0', 'W1', 'W2', 'LSL #31')],
  ['subs x0, x1, x2, asr #63', a.subs('X0', 'X1', 'X2', 'ASR #63')],
  ['add x0, sp, x2', a.add('X0', 'SP', 'X2')],
  ['sub sp, x1, x2, lsl #2', a.sub('SP', 'X1', 'X2', 'LSL #2')],
  ['add x7, x8, w9, sxtw #3', a.add('X7', 'X8', 'W9', 'SXTW #3')],
  ['sub w7, w8, w9, uxtb', a.sub('W7', 'W8', 'W9', 'UXTB')],
  ['cmp x1, #16', a.cmp('X1', 16)],
  ['cmp sp, x3', a.cmp('SP', 'X3')],
  ['cmn w1, w2, lsr #5', a.cmn('W1', 'W2', 'LSR #5')],
  ['neg x3, x4', a.neg('X3', 'X4')],
  ['adc x1, x2, x3', a.adc('X1', 'X2', 'X3')],
  ['adcs w1, w2, w3', a.adcs('W1', 'W2', 'W3')],
  ['sbc x1, x2, x3', a.sbc('X1', 'X2', 'X3')],
  ['sbcs w1, w2, w3', a.sbcs('W1', 'W2', 'W3')],
  ['and x0, x1, #0xff00ff00ff00ff00', a.and('X0', 'X1', 0xff00ff00ff00ff00n)],
  ['and w0, w1, #1', a.and('W0', 'W1', 1)],
  ['orr sp, x1, #0x7ffffffffffffffe', a.orr('SP', 'X1', 0x7ffffffffffffffen)],
  ['eor w5, w6, #0xaaaaaaaa', a.eor('W5', 'W6', 0xaaaaaaaa)],
  ['ands x0, x1, #-2', a.ands('X0', 'X1', -2)],
  ['tst x4, #0x8000000000000000', a.tst('X4', 1n << 63n)],
  ['orr x1, x2, x3, ror #17', a.orr('X1', 'X2', 'X3', 'ROR #17')],
  ['bic x1, x2, x3', a.bic('X1', 'X2', 'X3')],
  ['orn w1, w2, w3, lsl #4', a.orn('W1', 'W2', 'W3', 'LSL #4')],
  ['eon x1, x2, x3', a.eon('X1', 'X2', 'X3')],
  ['bics x1, x2, x3', a.bics('X1', 'X2', 'X3')],
  ['mvn w9, w10', a.mvn('W9', 'W10')],
  ['adr x1, .+12', a.adr('X1', 12)],
  ['sbfm x1, x2, #3, #40', a.sbfm('X1', 'X2', 3, 40)],
  ['bfm w1, w2, #3, #20', a.bfm('W1', 'W2', 3, 20)],
  ['ubfm x1, x2, #63, #0', a.ubfm('X1', 'X2', 63, 0)],
  ['ubfx x0, x1, #8, #16', a.ubfx('X0', 'X1', 8, 16)],
  ['sbfx w0, w1, #8, #16', a.sbfx('W0', 'W1', 8, 16)],
  ['bfi x0, x1, #40, #24', a.bfi('X0', 'X1', 40, 24)],
  ['bfi w0, w1, #0, #5', a.bfi('W0', 'W1', 0, 5)],
  ['bfxil x0, x1, #10, #20', a.bfxil('X0', 'X1', 10, 20)],
  ['lsl x0, x1, #3', a.lsl('X0', 'X1', 3)],
  ['lsl w0, w1, #31', a.lsl('W0', 'W1', 31)],
  ['lsr x0, x1, #0', a.lsr('X0', 'X1', 0)],
  ['asr w0, w1, #7', a.asr('W0', 'W1', 7)],
  ['ror x0, x1, #9', a.ror('X0', 'X1', 9)],
  ['lsl x0, x1, x2', a.lsl('X0', 'X1', 'X2')],
  ['lsr w0, w1, w2', a.lsr('W0', 'W1', 'W2')],
  ['asr x0, x1, x2', a.asr('X0', 'X1', 'X2')],
  ['ror x0, x1, x2', a.ror('X0', 'X1', 'X2')],
  ['extr x0, x1, x2, #5', a.extr('X0', 'X1', 'X2', 5)],
  ['clz x0, x1', a.clz('X0', 'X1')],
  ['cls w0, w1', a.cls('W0', 'W1')],
  ['rbit x0, x1', a.rbit('X0', 'X1')],
  ['rev16 w0, w1', a.rev16('W0', 'W1')],
  ['rev w0, w1', a.rev('W0', 'W1')],
  ['rev x0, x1', a.rev('X0', 'X1')],
  ['rev32 x0, x1', a.rev32('X0', 'X1')],
  ['madd x0, x1, x2, x3', a.madd('X0', 'X1', 'X2', 'X3')],
  ['msub w0, w1, w2, w3', a.msub('W0', 'W1', 'W2', 'W3')],
  ['mul x0, x1, x2', a.mul('X0', 'X1', 'X2')],
  ['smaddl x0, w1, w2, x3', a.smaddl('X0', 'W1', 'W2', 'X3')],
  ['smsubl x0, w1, w2, x3', a.smsubl('X0', 'W1', 'W2', 'X3')],
  ['umaddl x0, w1, w2, x3', a.umaddl('X0', 'W1', 'W2', 'X3')],
  ['umsubl x0, w1, w2, x3', a.umsubl('X0', 'W1', 'W2', 'X3')],
  ['smulh x0, x1, x2', a.smulh('X0', 'X1', 'X2')],
  ['umulh x0, x1, x2', a.umulh('X0', 'X1', 'X2')],
  ['udiv w0, w1, w2', a.udiv('W0', 'W1', 'W2')],
  ['sdiv x0, x1, x2', a.sdiv('X0', 'X1', 'X2')],
  ['crc32b w0, w1, w2', a.crc32('B', 'W0', 'W1', 'W2')],
  ['crc32x w0, w1, x2', a.crc32('X', 'W0', 'W1', 'X2')],
  ['crc32ch w0, w1, w2', a.crc32c('H', 'W0', 'W1', 'W2')],
  ['csel x0, x1, x2, hi', a.csel('X0', 'X1', 'X2', 'HI')],
  ['csinc w0, w1, w2, lo', a.csinc('W0', 'W1', 'W2', 'LO')],
  ['csinv x0, x1, x2, ne', a.csinv('X0', 'X1', 'X2', 'NE')],
  ['csneg x0, x1, x2, al', a.csneg('X0', 'X1', 'X2', 'AL')],
  ['cset x0, eq', a.cset('X0', 'EQ')],
  ['csetm w0, lt', a.csetm('W0', 'LT')],
  ['ccmp x0, x1, #5, vs', a.ccmp('X0', 'X1', 5, 'VS')],
  ['ccmp w0, #31, #0, ge', a.ccmp('W0', 31, 0, 'GE')],
  ['ccmn x0, #1, #15, hs', a.ccmn('X0', 1, 15, 'HS')],
  ['b .+8', a.b(8)],
  ['bl .-4', a.bl(-4)],
  ['b.gt .+0x1000', a.bcond('GT', 0x1000)],
  ['cbz w0, .-16', a.cbz('W0', -16)],
  ['cbnz x0, .+16', a.cbnz('X0', 16)],
  ['tbz x0, #63, .+32', a.tbz('X0', 63, 32)],
  ['tbnz w0, #3, .-32', a.tbnz('W0', 3, -32)],
  ['br x17', a.br('X17')],
  ['blr x30', a.blr('X30')],
  ['ret', a.ret()],
  ['ret x5', a.ret('X5')],
  ['ldr x0, [x1]', a.ldr('X0', mem('X1'))],
  ['ldr w0, [sp, #16380]', a.ldr('W0', mem('SP', 16380))],
  ['ldur x0, [x1, #-1]', a.ldr('X0', mem('X1', -1))],
  ['stur w0, [x1, #3]', a.str('W0', mem('X1', 3))],
  ['str x0, [sp, #-16]!', a.str('X0', pre('SP', -16))],
  ['ldr x0, [sp], #16', a.ldr('X0', post('SP', 16))],
  ['ldr x0, [x1, x2]', a.ldr('X0', mem('X1', 'X2'))],
  ['ldr x0, [x1, x2, lsl #3]', a.ldr('X0', mem('X1', 'X2', 'LSL #3'))],
  ['str w0, [x1, w2, sxtw #2]', a.str('W0', mem('X1', 'W2', 'SXTW #2'))],
  ['ldrb w0, [x1, w2, uxtw]', a.ldrb('W0', mem('X1', 'W2', 'UXTW'))],
  ['ldrb w0, [x1, #4095]', a.ldrb('W0', mem('X1', 4095))],
  ['strb w0, [x1], #-1', a.strb('W0', post('X1', -1))],
  ['ldrh w0, [x1, #2]', a.ldrh('W0', mem('X1', 2))],
  ['strh w0, [x1, #2]!', a.strh('W0', pre('X1', 2))],
  ['ldrsb x0, [x1]', a.ldrsb('X0', mem('X1'))],
  ['ldrsb w0, [x1]', a.ldrsb('W0', mem('X1'))],
  ['ldrsh x0, [x1, x2, lsl #1]', a.ldrsh('X0', mem('X1', 'X2', 'LSL #1'))],
  ['ldrsw x0, [x1, #4]', a.ldrsw('X0', mem('X1', 4))],
  ['ldp x0, x1, [sp], #16', a.ldp('X0', 'X1', post('SP', 16))],
  ['stp x29, x30, [sp, #-32]!', a.stp('X29', 'X30', pre('SP', -32))],
  ['ldp w0, w1, [x2, #-256]', a.ldp('W0', 'W1', mem('X2', -256))],
  ['ldpsw x0, x1, [x2, #8]', a.ldpsw('X0', 'X1', mem('X2', 8))],
  ['ldxr x0, [x1]', a.ldxr('X0', 'X1')],
  ['ldaxrb w0, [x1]', a.ldaxr('W0', 'X1', 'B')],
  ['stxr w2, x0, [x1]', a.stxr('W2', 'X0', 'X1')],
  ['stlxrh w2, w0, [sp]', a.stlxr('W2', 'W0', 'SP', 'H')],
  ['ldar w0, [x1]', a.ldar('W0', 'X1')],
  ['stlr x0, [x1]', a.stlr('X0', 'X1')],
  ['ldaprb w0, [x1]', a.ldapr('W0', 'X1', 'B')],
  ['ldxp x0, x1, [x2]', a.ldxp('X0', 'X1', 'X2')],
  ['stxp w3, w0, w1, [x2]', a.stxp('W3', 'W0', 'W1', 'X2')],
  ['ldaddal x0, x1, [x2]', a.atomic('LDADD', 'X0', 'X1', 'X2')],
  ['swpalb w0, w1, [x2]', a.atomic('SWP', 'W0', 'W1', 'X2', 'B')],
  ['casal w0, w1, [x2]', a.cas('W0', 'W1', 'X2')],
  ['mrs x0, pmccntr_el0', a.mrs('X0', 'S3_3_C9_C13_0')],
  ['msr s2_7_c15_c15_7, x30', a.msr('S2_7_C15_C15_7', 'X30')],
  ['msr sctlr_el1, x1', a.msr('SCTLR_EL1', 'X1')],
  ['mrs x2, daif', a.mrs('X2', 'DAIF')],
  ['msr daifset, #15', a.msrImmediate('DAIFSet', 15)],
  ['msr daifclr, #2', a.msrImmediate('DAIFClr', 2)],
  ['msr spsel, #1', a.msrImmediate('SPSel', 1)],
  ['msr pan, #1', a.msrImmediate('PAN', 1)],
  ['mrs x1, pmevcntr30_el0', a.mrs('X1', 'PMEVCNTR30_EL0')],
  ['msr cntv_ctl_el0, x1', a.msr('CNTV_CTL_EL0', 'X1')],
  ['dc zva, x3', a.dcZva('X3')],
  ['tlbi vaae1is, x2', a.operate('TLBI_VAAE1IS', 'X2')],
  ['ic iallu', a.operate('IC_IALLU')],
  ['tlbi vmalle1', a.sys(0, 8, 7, 0)],
  ['dc civac, x1', a.sys(3, 7, 14, 1, 'X1')],
  ['sysl x1, #3, c7, c4, #1', a.sysl('X1', 3, 7, 4, 1)],
];

/** The words GNU as makes of a text. */
export function assembled(text: string): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-as-'));
  try {
    const [source, object, image] = ['a.s', 'a.o', 'a.bin'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(source, `.arch armv8.5-a+rcpc+crc\n${text}\n`);
    execFileSync('aarch64-linux-gnu-as', [source, '-o', object]);
    execFileSync('aarch64-linux-gnu-objcopy', ['-O', 'binary', '-j', '.text', object, image]);
    const bytes = readFileSync(image);
    return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describeWith(['as'], 'our assembler and GNU as', () => {
  it('make the same words of the same instructions', () => {
    const theirs = assembled(PAIRS.map(([text]) => text).join('\n'));
    const ours: [string, number][] = [];
    for (const [text, code] of PAIRS) {
      const { bytes } = a.program([code]);
      const lines = text.split('\n');
      const view = new DataView(bytes.buffer);
      lines.forEach((line, i) => {
        ours.push([line.trim(), view.getUint32(4 * i, true)]);
      });
    }
    expect(ours.map(([line, word]) => `${line}: ${word.toString(16)}`)).toEqual(
      ours.map(([line], i) => `${line}: ${(theirs[i] as number).toString(16)}`),
    );
    expect(theirs.length).toBe(ours.length);
  });

  it('place labels, data and branches alike', () => {
    const { bytes, labels } = a.program(
      [
        a.label('start'),
        a.ldr('X0', 'value'),
        a.label('loop'),
        a.sub('X0', 'X0', 1),
        a.cbnz('X0', 'loop'),
        a.bcond('NE', 'start'),
        a.adr('X1', 'end'),
        a.label('value'),
        a.quads(3, -1),
        a.label('end'),
        a.bl('start'),
      ],
      0x40080000n,
    );
    const theirs = assembled(`
      start: ldr x0, value
      loop: sub x0, x0, #1
      cbnz x0, loop
      b.ne start
      adr x1, end
      .balign 8
      value: .quad 3, -1
      end: bl start`);
    const view = new DataView(bytes.buffer);
    // Padding between code and data is NOP there and 0 here.
    const ours = theirs.map((_, i) => (i === 5 ? theirs[5] : view.getUint32(4 * i, true)));
    expect(ours).toEqual(theirs);
    expect(bytes.length).toBe(4 * theirs.length);
    expect(labels.get('value')).toBe(0x40080018n);
    expect(labels.get('end')).toBe(0x40080028n);
  });
});
