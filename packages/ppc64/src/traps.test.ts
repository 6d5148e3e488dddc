/** MMCR0[PMCC] and what problem state may do with every alias: Power ISA 3.0B, book III, 9.4.4; PMCCEXT 3.1B. The table is written from there. */
import { describe, expect, it } from 'vitest';
import { addi, type Item, li, load, mfspr, mtspr, op, rfid, sc } from './asm.ts';
import { MMCR0 } from './registers/mmcr.ts';
import { left, NOTES, notes, run } from './testing/guest.ts';
import { radix, toProblem } from './testing/problem.ts';

const COUNTERS = [1, 2, 3, 4].map((n) => `UPMC${n}`);
const FIXED = ['UPMC5', 'UPMC6'];
const CONTROLS = ['UMMCR0', 'UMMCR2', 'UMMCRA'];
const READ_ONLY = ['UMMCR1', 'USIAR', 'USDAR', 'USIER'];
const ALL = [...COUNTERS, ...FIXED, ...CONTROLS, ...READ_ONLY];

/** done; facility unavailable; illegal, as the hypervisor's emulation assistance reflects it. */
type Answer = 'done' | 'facility' | 'illegal';
const ANSWERS: readonly Answer[] = ['done', 'facility', 'illegal'];

function expected(name: string, write: boolean, pmcc: number, extended: boolean): Answer {
  // What is never writable is no register to write, whatever PMCC says.
  if (write && READ_ONLY.includes(name)) return 'illegal';
  if (pmcc === 1 || (pmcc === 0 && extended)) return 'facility';
  if (pmcc === 0) return write ? 'illegal' : 'done';
  if (pmcc === 3 && FIXED.includes(name)) return 'facility';
  return 'done';
}

/** Power-off from a handler; r3 to r5 are free. */
const END: readonly Item[] = [
  load('r4', 0x51_0000),
  [0x2003, 2, 1, -1, -1].map((word, n) => [li('r3', word), op('stw', 'r3', 4 * n, 'r4')]),
  load('r3', 0xf000),
  sc(1),
];

/** Notes what came of it, and goes on behind it. */
const handler = (what: number): readonly Item[] => [
  li('r20', what),
  mfspr('r21', 'SRR0'),
  addi('r21', 'r21', 4),
  mtspr('SRR0', 'r21'),
  rfid(),
];

const ways = ALL.flatMap((name) => [false, true].map((write) => ({ name, write })));

function outcomes(cpu: string, pmcc: number, extended: boolean): readonly Answer[] {
  const mmcr0 = MMCR0.FC | (BigInt(pmcc) << 18n) | (extended ? MMCR0.PMCCEXT : 0n);
  const machine = run({
    cpu,
    vpmu: true,
    program: [
      radix,
      load('r28', NOTES),
      load('r5', mmcr0),
      mtspr('MMCR0', 'r5'),
      toProblem('user'),
      { label: 'user' },
      ways.map(({ name, write }, n) => [
        li('r20', 0),
        li('r22', 0),
        // Writing FC keeps the counters still.
        load('r22', name === 'UMMCR0' ? 0x8000_0000n : 0n),
        write ? mtspr(name, 'r22') : mfspr('r22', name),
        op('std', 'r20', 8 * n, 'r28'),
      ]),
      sc(0),
    ],
    vectors: {
      1792: handler(2),
      3936: handler(1),
      // Power-off from here; r3 to r5 are free.
      3072: [
        load('r4', 0x51_0000),
        [0x2003, 2, 1, -1, -1].map((word, n) => [li('r3', word), op('stw', 'r3', 4 * n, 'r4')]),
        load('r3', 0xf000),
        sc(1),
      ],
    },
  });
  left(machine, 'GPR20');
  return notes(machine, ways.length).map((n) => ANSWERS[Number(n)] as Answer);
}

describe.each([
  ['power9', false],
  ['power10', false],
  ['power10', true],
] as const)('problem state on a %s, PMCCEXT %s', (cpu, extended) => {
  it.each([0, 1, 2, 3])('PMCC %i', (pmcc) => {
    const got = outcomes(cpu, pmcc, extended);
    const table = (answers: readonly Answer[]): Record<string, Answer> =>
      Object.fromEntries(
        ways.map(({ name, write }, n) => [`${write ? 'write' : 'read'} ${name}`, answers[n] as Answer]),
      );
    expect(table(got)).toEqual(table(ways.map(({ name, write }) => expected(name, write, pmcc, extended))));
  });
});

describe('through the aliases', () => {
  it('problem state sees and changes FC, PMAE and PMAO of MMCR0, and FCnP0 of MMCR2', () => {
    // With EBE, PMAO is no interrupt.
    const open = (2n << 18n) | MMCR0.EBE;
    const { FC, FCS, FCP, PMAE, PMAO, PMC1CE } = MMCR0;
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      program: [
        radix,
        load('r5', (1n << 64n) - 1n),
        mtspr('MMCR2', 'r5'),
        load('r5', FC | FCS | PMC1CE | PMAO | open),
        mtspr('MMCR0', 'r5'),
        toProblem('user'),
        { label: 'user' },
        mfspr('r20', 'UMMCR2'),
        load('r6', 0n),
        mtspr('UMMCR2', 'r6'),
        mfspr('r22', 'UMMCR0'),
        load('r6', FC | PMAE | FCP),
        mtspr('UMMCR0', 'r6'),
        sc(0),
      ],
      vectors: { 3072: END },
    });
    expect(left(machine, 'GPR20', 'MMCR2', 'GPR22', 'MMCR0')).toEqual([
      0x4020_1008_0402_0000n,
      0xbfdf_eff7_fbfd_ffffn,
      FC | PMAO,
      FC | FCS | PMC1CE | PMAE | open,
    ]);
  });
  it('32-bit registers read with a zero upper half', () => {
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      program: [
        load('r5', 0xcafe_face_c0de_baben),
        ['MMCR0', 'PMC1', 'PMC6'].map((name, n) => [mtspr(name, 'r5'), mfspr(`r${20 + n}`, name)]),
        load('r5', 0n),
        mtspr('PMC1', 'r5'),
        mtspr('PMC6', 'r5'),
      ],
    });
    for (const value of left(machine, 'GPR20', 'GPR21', 'GPR22')) expect(value >> 32n).toBe(0n);
  });
});
