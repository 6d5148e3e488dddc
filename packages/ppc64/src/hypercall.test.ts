/** Hypercalls between threads, and RTAS; their return codes for wrong arguments are compared with QEMU's in test/differential/ppc64/interrupts.test.ts. */
import { describe, expect, it } from 'vitest';
import { bcond, cmpdi, type Item, label, li, load, mfspr, mtmsrd, mtspr, nop, op, sc } from './asm.ts';
import { H } from './platform/papr.ts';
import { civil } from './platform/rtas.ts';
import { BASE, hcall, left, NOTES, notes, run } from './testing/guest.ts';

const BUFFER = NOTES + 0x2_0000;

/** An RTAS call from supervisor state; the first outputs are in r3 and r4. */
const rtas = (token: number, inputs: readonly number[], outputs: number): readonly Item[] => [
  load('r30', BUFFER),
  ...[token, inputs.length, outputs, ...inputs].flatMap((word, n) => [load('r3', word), op('stw', 'r3', 4 * n, 'r30')]),
  hcall(0xf000, BUFFER),
  load('r30', BUFFER + 12 + 4 * inputs.length),
  op('lwa', 'r3', 0, 'r30'),
  op('lwa', 'r4', 4, 'r30'),
];

const note = (register: string, n: number): readonly Item[] => [load('r29', NOTES), op('std', register, 8 * n, 'r29')];

describe('threads', () => {
  // Thread 1: notes its argument and its PIR, then cedes and notes the run latch; then notes that it is back, and stops.
  const second: readonly Item[] = [
    label('second'),
    op('mfmsr', 'r31'),
    load('r28', -(1n << 63n)),
    op('or', 'r31', 'r31', 'r28'),
    mtmsrd('r31'),
    load('r5', 0x7fff_ffff),
    mtspr('DEC', 'r5'),
    note('r3', 0),
    mfspr('r5', 'PIR'),
    note('r5', 1),
    hcall(0xe0),
    mfspr('r5', 'CTRLF'),
    note('r5', 2),
    li('r5', 7),
    note('r5', 3),
    rtas(0x2007, [], 1),
  ];
  const started = (more: readonly Item[]): readonly Item[] => [
    rtas(0x2005, [1], 2),
    note('r4', 4),
    // The second program stands behind the first.
    rtas(0x2006, [1, Number(BASE) + 0x1000, 0x1234], 1),
    note('r3', 5),
    rtas(0x2006, [1, Number(BASE) + 0x1000, 0], 1),
    note('r3', 6),
    rtas(0x2005, [1], 2),
    note('r4', 7),
    label('there'),
    load('r29', NOTES),
    op('ld', 'r5', 8, 'r29'),
    cmpdi('r5', 1),
    bcond('ne', 'there'),
    // It has ceded by now: a whole round and more.
    Array.from({ length: 2500 }, nop),
    op('ld', 'r6', 24, 'r29'),
    more,
  ];
  const placed = (first: readonly Item[]): ReturnType<typeof run> =>
    run({
      vcpus: 2,
      program: [
        op('b', 0x2_0000),
        { bytes: () => new Uint8Array(0xffc), length: 0xffc, align: 4 },
        second,
        { bytes: () => new Uint8Array(0), length: 0, align: 0x2_0000 },
        first,
      ],
    });

  it('are started, wait in a cede, are prodded and stop', () => {
    const machine = placed(
      started([
        hcall(0xe8, 1),
        note('r3', 8),
        label('back'),
        op('ld', 'r5', 24, 'r29'),
        cmpdi('r5', 7),
        bcond('ne', 'back'),
        Array.from({ length: 2500 }, nop),
        rtas(0x2005, [1], 2),
        note('r4', 9),
        note('r6', 10),
      ]),
    );
    // Argument, PIR, CTRL behind the cede (the run latch is off), back; stopped, started, refused, running; prodded, stopped; not back before.
    expect(notes(machine, 11)).toEqual([0x1234n, 1n, 0n, 7n, 0n, 0n, 0xffff_ffff_ffff_ffffn, 2n, 0n, 0n, 0n]);
  });

  it('a prod beforehand makes the next cede return at once, with interrupts on', () => {
    const machine = run({
      program: [
        hcall(0xe8, 0),
        load('r5', 0x7fff_ffff),
        mtspr('DEC', 'r5'),
        hcall(0xe0),
        op('mfmsr', 'r7'),
        mfspr('r8', 'CTRLF'),
      ],
    });
    expect(left(machine, 'GPR7', 'GPR8')).toEqual([0x9000n, 0x8001n]);
  });
});

describe('sc 1 of problem state', () => {
  it('is refused, known or not', () => {
    // Problem state is translated, so: one page of 2 MiB, for both states, and the same addresses.
    const TABLE = 0x60_0000;
    const words: readonly (readonly [number, bigint])[] = [
      [0, (1n << 62n) | 0x61_0000n | 0xadn],
      [0x1_0000, (1n << 63n) | 0x62_0009n],
      [0x2_0000, (1n << 63n) | 0x63_0009n],
      // 4 MiB, where the program is, for problem state.
      [0x3_0000 + 8 * 2, (3n << 62n) | 0x40_0007n],
    ];
    const machine = run({
      cpu: 'power9',
      vectors: { 3072: [op('b', Number(BASE) + 0x800 - 0xc00)] },
      program: [
        words.flatMap(([at, value]) => [load('r5', TABLE + at), load('r6', value), op('std', 'r6', 0, 'r5')]),
        hcall(0x37c, 0x1d, TABLE, 0, 0),
        load('r5', 0x7fff_ffff_0000),
        mtspr('DEC', 'r5'),
        load('r5', BASE + 0x400n),
        mtspr(26, 'r5'),
        load('r5', (1n << 63n) | 0xd030n),
        mtspr(27, 'r5'),
        op('rfid'),
        { bytes: () => new Uint8Array(0), length: 0, align: 0x400 },
        li('r3', 0x58),
        sc(1),
        op('or', 'r20', 'r3', 'r3'),
        li('r3', 0x60),
        sc(1),
        op('or', 'r21', 'r3', 'r3'),
        sc(0),
        { bytes: () => new Uint8Array(0), length: 0, align: 0x800 },
        nop(),
      ],
    });
    expect(left(machine, 'GPR20', 'GPR21')).toEqual([H.PRIVILEGE, H.PRIVILEGE]);
  });
});

describe('the time of day', () => {
  it('is that of the domain’s clock, which began in 2000', () => {
    const machine = run({
      program: [rtas(0x2001, [], 8), ...[0, 1, 2, 7].map((n) => op('lwa', `r${20 + n}`, 4 * n, 'r30'))],
    });
    // One instruction for the buffer, six for three words, three for the arguments: ten cycles before sc.
    expect(left(machine, 'GPR20', 'GPR21', 'GPR22', 'GPR27')).toEqual([0n, 2000n, 1n, 10n]);
  });
  it('agrees with the calendar', () => {
    for (const seconds of [0, 951_782_399, 951_782_400, 951_868_800, 1_709_164_800, 4_107_542_399, 4_107_542_400]) {
      const date = new Date(seconds * 1000);
      expect(civil(seconds)).toEqual([
        date.getUTCFullYear(),
        date.getUTCMonth() + 1,
        date.getUTCDate(),
        date.getUTCHours(),
        date.getUTCMinutes(),
        date.getUTCSeconds(),
      ]);
    }
  });
});

it('RTAS refuses what it does not know, and numbers of arguments that are wrong', () => {
  const machine = run({
    program: [
      rtas(0x2fff, [], 1),
      note('r3', 0),
      rtas(0x2006, [1], 1),
      note('r3', 1),
      hcall(0xf000, 0x7fff_ffff),
      note('r3', 2),
      rtas(0xa, [0x21], 1),
    ],
  });
  expect(notes(machine, 3)).toEqual([BigInt.asUintN(64, -3n), BigInt.asUintN(64, -3n), H.PARAMETER]);
  expect(machine.domain('d').console).toBe('!');
});
