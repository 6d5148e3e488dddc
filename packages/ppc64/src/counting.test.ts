/** Counting on whole machines, exact: events of each model by their real codes. Counts in comments were made by hand. */
import { describe, expect, it } from 'vitest';
import { b, bcond, cmpdi, type Item, label, load, mtspr, nop, op } from './asm.ts';
import { MMCR0 } from './registers/mmcr.ts';
import { left, NOTES, run } from './testing/guest.ts';

/** Selectors of PMC1 to PMC4, each a unit and a selector, as Linux puts them into MMCR1. */
const mmcr1 = (...codes: readonly number[]): bigint =>
  codes.reduce(
    (all, code, n) =>
      all | (BigInt((code >> 12) & 15) << BigInt(60 - 4 * n)) | (BigInt(code & 0xff) << BigInt(24 - 8 * n)),
    0n,
  );

/** The counters count while the body runs; the write that starts them is not counted, the one that stops them is. */
const counted = (selectors: bigint, body: readonly Item[], start = 0n, stop: bigint = MMCR0.FC): readonly Item[] => [
  load('r3', selectors),
  mtspr('MMCR1', 'r3'),
  load('r30', stop),
  load('r29', start),
  load('r28', NOTES),
  mtspr('MMCR0', 'r29'),
  body,
  mtspr('MMCR0', 'r30'),
];

const BODY: readonly Item[] = [
  nop(), // 1
  op('ld', 'r4', 0, 'r28'), // 2, load
  op('ld', 'r4', 8, 'r28'), // 3, load
  op('std', 'r4', 0, 'r28'), // 4, store
  cmpdi('r4', 1), // 5
  bcond('eq', 'never'), // 6, branch, not taken
  b('on'), // 7, branch, taken
  nop(),
  label('never'),
  nop(),
  label('on'),
  nop(), // 8
];
/** The body and the write that stops. */
const INSTRUCTIONS = 9n;

describe.each(['power8', 'power9', 'power10'])('events of a %s', (cpu) => {
  it.each([
    [
      'instructions and cycles',
      [0x1001e, 0x20002, 0x30002, 0x4001e],
      [INSTRUCTIONS, INSTRUCTIONS, INSTRUCTIONS, INSTRUCTIONS],
    ],
    [
      'branches, taken ones, nothing',
      [cpu === 'power8' ? 0x10068 : cpu === 'power9' ? 0x10012 : 0x1001e, 0x200fa, 0x30055, 0x40066],
      [cpu === 'power10' ? INSTRUCTIONS : 2n, 1n, 0n, 0n],
    ],
    [
      'loads and stores',
      [cpu === 'power8' ? 0x100ee : 0x100fc, cpu === 'power10' ? 0x20016 : 0x200f0, 0x3001e, 0x40002],
      [2n, 1n, INSTRUCTIONS, INSTRUCTIONS],
    ],
    [
      'branches by a unit',
      [0x10002, 0x2001e, 0x30002, 0x4d05e],
      [INSTRUCTIONS, INSTRUCTIONS, INSTRUCTIONS, cpu === 'power8' ? 0n : 2n],
    ],
  ] as const)('%s', (_what, codes, expected) => {
    const machine = run({ cpu, vpmu: true, program: counted(mmcr1(...codes), BODY) });
    expect(left(machine, 'PMC1', 'PMC2', 'PMC3', 'PMC4')).toEqual(expected);
    // The fixed ones: run instructions and run cycles, with the run latch on.
    expect(left(machine, 'PMC5', 'PMC6')).toEqual([INSTRUCTIONS, INSTRUCTIONS]);
  });

  it('the fixed counters follow the run latch, or C56RUN', () => {
    const off: readonly Item[] = [load('r5', 0n), mtspr('CTRLT', 'r5')];
    const program = (start: bigint): readonly Item[] => [...off, ...counted(mmcr1(0x10002), BODY, start)];
    const asleep = run({ cpu, vpmu: true, program: program(0n) });
    expect(left(asleep, 'PMC5', 'PMC6')).toEqual([0n, 0n]);
    expect(left(asleep, 'PMC1')).toEqual([cpu === 'power10' ? 0n : INSTRUCTIONS]);
    expect(left(run({ cpu, vpmu: true, program: program(MMCR0.C56RUN) }), 'PMC5', 'PMC6')).toEqual([
      INSTRUCTIONS,
      INSTRUCTIONS,
    ]);
  });
});

describe('the 970', () => {
  it('has eight counters, with selectors in MMCR0 and MMCR1', () => {
    const select = (1n << 27n) | (7n << 22n) | (8n << 17n) | (1n << 12n) | (7n << 7n) | (1n << 2n);
    const own = (1n << 8n) | (7n << 1n);
    const machine = run({
      cpu: '970',
      vpmu: true,
      program: [
        load('r3', select),
        mtspr('MMCR1', 'r3'),
        load('r30', MMCR0.FC | own),
        load('r29', own),
        load('r28', NOTES),
        mtspr('MMCR0', 'r29'),
        BODY,
        mtspr('MMCR0', 'r30'),
      ],
    });
    const n = INSTRUCTIONS;
    expect(left(machine, 'PMC1', 'PMC2', 'PMC3', 'PMC4', 'PMC5', 'PMC6', 'PMC7', 'PMC8')).toEqual([
      n,
      n,
      n,
      n,
      0n,
      n,
      n,
      n,
    ]);
  });
});
