/** Interrupts that QEMU does not show, or shows otherwise than the manual; all others: test/differential/ppc64/interrupts.test.ts. */
import { describe, expect, it } from 'vitest';
import { b, bl, blr, type Item, label, load, mfmsr, mfspr, mtmsrd, mtspr, nop, op, program, sc, trap } from '../asm.ts';
import { BASE, hcall, left, NOTES, notes, run } from '../testing/guest.ts';
import { alignmentSyndrome, kinds } from './exceptions.ts';

const SF = 1n << 63n;
const sixtyFour: readonly Item[] = [load('r31', SF), mtmsrd('r31')];

/** Keeps what an interrupt left in r20 to r24, and goes on behind the instruction. */
const keep: readonly Item[] = [
  mfspr('r20', 'SRR0'),
  mfspr('r21', 'SRR1'),
  mfspr('r22', 'DSISR'),
  mfspr('r23', 'DAR'),
  mfmsr('r24'),
  op('addi', 'r20', 'r20', 4),
  mtspr('SRR0', 'r20'),
  op('rfid'),
];

describe('an alignment interrupt', () => {
  // Power ISA 2.07B, book III-S, 6.5.8: 44:45 and 30:31 of a DS-form; 47:48 29:30, 49 25, 50:53 21:24 of an X-form; 49 5, 50:53 1:4 of a D-form; RT; RA.
  it.each([
    // lwarx r3, 0, r5: 31, XO 20 = 00000 10100.
    ['lwarx', 0x7c60_2828, 0b00000_0_00000_0000_00_0_00_0_0000_00011_00000],
    // stwcx. r3, r4, r5: XO 150 = 00100 10110, and Rc: bits 21:24 0010, 25 0, 29:30 10.
    ['stwcx.', 0x7c64_292d, (0b10 << 15) | (0b0010 << 10) | (3 << 5) | 4],
    // lmw r3, 0(r4): opcode 46 = 101110: bits 1:4 0111, bit 5 0.
    ['lmw', 0xb864_0000, (0b0111 << 10) | (3 << 5) | 4],
    // stfd f1, 0(r2): opcode 54 = 110110: bits 1:4 1011.
    ['stfd', 0xd822_0000, (0b1011 << 10) | (1 << 5) | 2],
    // lwa r3, 0(r4): opcode 58 = 111010, bits 30:31 10; bits 1:4 1101, bit 5 0.
    ['lwa', 0xe864_0002, (0b10 << 18) | (0b1101 << 10) | (3 << 5) | 4],
  ])('says which access it was: %s', (_name, word, expected) => {
    expect(alignmentSyndrome(word)).toBe(BigInt(expected));
  });

  it.each([
    ['power8', 0x60n],
    ['power9', 0x2222n],
  ])('on a %s', (cpu, dsisr) => {
    const machine = run({
      cpu,
      vectors: { 1536: keep },
      program: [load('r5', 0x2222), mtspr('DSISR', 'r5'), load('r5', NOTES + 2), op('lwarx', 'r3', 'r0', 'r5', 0)],
    });
    expect(left(machine, 'GPR22', 'GPR23')).toEqual([dsisr, BigInt(NOTES + 2)]);
  });
});

describe('a machine check', () => {
  const far = [load('r5', 0x0fff_ffff_0000_0000n), op('ld', 'r6', 0, 'r5')];
  it('comes where no memory answers: load, store, fetch', () => {
    const load_ = run({ vectors: { 512: keep }, program: [sixtyFour, far] });
    expect(left(load_, 'GPR21', 'GPR22', 'GPR23')).toEqual([SF | 0x20_1000n, 0x40n, 0x0fff_ffff_0000_0000n]);
    const store = run({ vectors: { 512: keep }, program: [sixtyFour, far[0] as Item, op('std', 'r6', 0, 'r5')] });
    expect(left(store, 'GPR21', 'GPR23')).toEqual([SF | 0x834_1000n, 0x0fff_ffff_0000_0000n]);
    const fetch = run({
      // Back by LR.
      vectors: { 512: [mfspr('r20', 'SRR0'), mfspr('r21', 'SRR1'), mfspr('r6', 8), mtspr('SRR0', 'r6'), op('rfid')] },
      program: [sixtyFour, load('r5', 0x1_0000_0000n), mtspr(9, 'r5'), op('bcctrl', 20, 0, 0)],
    });
    expect(left(fetch, 'GPR20', 'GPR21')).toEqual([0x1_0000_0000n, SF | 0x80c_1000n]);
  });
  it('without MSR[ME] stops the machine', () => {
    const machine = run({ program: [sixtyFour, far], start: { MSR: 0n } });
    expect(machine.domain('d').ended).toEqual({ reason: 'crash', status: 0x200 });
  });
});

describe('SRR1 says that a prefixed instruction did it', () => {
  const words = (...list: readonly number[]): Item => list;
  it.each([
    // pnop's prefix with a suffix that is nobody's; pld r3, 2(r5) from where nothing may be read is a machine check, so: plfd with FP off.
    ['an illegal one', 0x700, words(0x0400_0000, 0x0000_0000), 0x2008_1000n],
    ['plfd', 0x800, words(0x0600_0000, 0xc825_0000), 0x2000_1000n],
    ['lfd, which is none', 0x800, words(0xc825_0000), 0x1000n],
  ])('%s', (_name, vector, instruction, srr1) => {
    const back: readonly Item[] = [mfspr('r21', 'SRR1'), load('r20', BASE + 0x100n), mtspr('SRR0', 'r20'), op('rfid')];
    const machine = run({
      cpu: 'power10',
      vectors: { [vector]: back },
      program: [sixtyFour, instruction, { bytes: () => new Uint8Array(0), length: 0, align: 0x100 }, nop()],
    });
    expect(left(machine, 'GPR21')).toEqual([SF | srr1]);
  });
});

describe('byte order', () => {
  it('of a handler is that of LPCR[ILE], and comes back with rfid', () => {
    const handler = program([mfmsr('r24'), mfspr('r21', 'SRR1'), mfspr('r20', 'SRR0'), op('rfid')], 0xc00n, 'little');
    const machine = run({
      cpu: 'power8',
      vectors: { 3072: [{ bytes: () => handler.bytes, length: handler.bytes.length, align: 4 }] },
      program: [sixtyFour, hcall(0x31c, 1, 4, 0, 0), sc(0), mfmsr('r25')],
    });
    expect(left(machine, 'GPR24', 'GPR21', 'GPR25')).toEqual([SF | 0x1001n, SF | 0x1000n, SF | 0x1000n]);
  });
  it('of a program that returns to little-endian code, and of its data', () => {
    const little = program([load('r6', NOTES), load('r7', 0x1122_3344), op('stw', 'r7', 0, 'r6'), sc(0)], 0n, 'little');
    const machine = run({
      vectors: {
        3072: [
          load('r6', NOTES),
          op('lwz', 'r8', 0, 'r6'),
          load('r6', BASE + 0x800n),
          mtspr('SRR0', 'r6'),
          load('r6', SF),
          mtspr('SRR1', 'r6'),
          op('rfid'),
        ],
      },
      program: [
        load('r5', BASE + 0x400n),
        mtspr('SRR0', 'r5'),
        load('r5', SF | 1n),
        mtspr('SRR1', 'r5'),
        op('rfid'),
        { bytes: () => little.bytes, length: little.bytes.length, align: 0x400 },
        { bytes: () => new Uint8Array(0), length: 0, align: 0x800 },
        nop(),
      ],
    });
    expect(left(machine, 'GPR8')).toEqual([0x4433_2211n]);
  });
});

describe('a trace interrupt', () => {
  it('comes behind each instruction, and says what it was', () => {
    // The handler writes SRR0 and SRR1 where r28 points, and returns.
    const note: readonly Item[] = [
      mfspr('r20', 'SRR0'),
      op('std', 'r20', 0, 'r28'),
      mfspr('r20', 'SRR1'),
      op('std', 'r20', 8, 'r28'),
      op('addi', 'r28', 'r28', 16),
      op('rfid'),
    ];
    const SE = SF | 0x1400n;
    const machine = run({
      start: { GPR28: BigInt(NOTES), GPR27: BigInt(NOTES + 0x1000) },
      vectors: {
        3328: note,
        1792: [mfspr('r20', 'SRR0'), op('addi', 'r20', 'r20', 4), mtspr('SRR0', 'r20'), op('rfid')],
      },
      program: [
        load('r5', SE),
        mtmsrd('r5'),
        // 5 words so far; traced from here on.
        label('here'),
        nop(),
        op('ld', 'r6', 0, 'r27'),
        op('std', 'r6', 0, 'r27'),
        trap(),
        bl('sub'),
        load('r5', SF),
        mtmsrd('r5'),
        b('end'),
        label('sub'),
        blr(),
        label('end'),
      ],
    });
    left(machine);
    const seen = notes(machine, 18);
    const at = (n: number): bigint => seen[n] ?? 0n;
    const from = program([load('r5', SE), mtmsrd('r5')]).bytes.length / 4;
    const each = Array.from({ length: 8 }, (_, n) => [Number(at(2 * n) - BASE) / 4 - from, at(2 * n + 1) & ~SE]);
    // nop, ld, std; trap is not traced; bl to its target, blr back; two instructions that load SF; mtmsrd, behind which it ends.
    expect(each).toEqual([
      [1, 0x4000_0000n],
      [2, 0x5000_0000n],
      [3, 0x4800_0000n],
      [9, 0x4000_0000n],
      [5, 0x4000_0000n],
      [6, 0x4000_0000n],
      [7, 0x4000_0000n],
      [8, 0x4000_0000n],
    ]);
    expect(at(16)).toBe(0n);
  });
});

describe('the table of kinds', () => {
  it('has vectors in their places, each once', () => {
    const vectors = Object.values(kinds).map(({ vector }) => vector);
    expect(new Set(vectors).size).toBe(vectors.length);
    for (const vector of vectors) expect(vector % 0x20n).toBe(0n);
  });
});
