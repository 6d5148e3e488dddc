/** Random template programs for the plain model and for core: straight lines with every kind of PMU access, exceptions, waits and user code. */
import { asm } from '@countervisor/template';
import fc from 'fast-check';
import type { GeneralName, Line } from './guest.ts';
import type { Instruction } from './model.ts';

/** Registers: R0 and R1 are the handler's, R2 and R3 scratch, R4 data, R5 the log's end, R6 the data's base; R7 is what calls leave. */
export const DATA = 0x4000;
/** Selector values, 64 of them. */
export const SELECTORS = 0x4800;
export const LOG = 0x6000;
export const HANDLED = 0x7000;

const STATUS = 0x00;
const TIME = 0x07;
/** Counts keep running for the most part: what stops them is rare. */
const PMU_WRITES: readonly (readonly [register: number, values: readonly number[]])[] = [
  [0x10, [0, 1, 1, 1, 1, 2, 3, 3]],
  [0x11, [1, 2, 4, 8, 15, 15]],
  [0x12, [0, 0, 1, 2, 4, 8]],
  [0x13, [0, 1, 2, 3, 4, 8, 15]],
  [0x14, [0, 1, 2, 4, 8, 10, 15]],
  [0x15, [0, 1, 1]],
  [0x16, [1, 2, 3, 4, 7, 8, 15]],
];
const READ = [
  0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x31, 0x77,
];

const read = (register: number): Instruction[] => [
  ['readreg', register, 'R3'],
  ['store', 'R3', 'R5', 0],
  ['addi', 'R5', 'R5', 8],
];
const write = (register: number, value: number): Instruction[] => [
  ['movi', 'R2', value],
  ['writereg', register, 'R2'],
];

const select = (n: number, k: number): Instruction[] => [
  ['load', 'R2', 'R6', SELECTORS - DATA + 8 * k],
  ['writereg', 0x18 + n, 'R2'],
];

const anywhere = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Instruction[]>([['nop']]) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 2 }).map((v): Instruction[] => [['movi', 'R4', v]]) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom('load', 'store'), fc.integer({ min: 0, max: 40 }))
      .map(([op, at]): Instruction[] => [[op, 'R4', 'R6', at]]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('beqz', 'bnez'), fc.integer({ min: 1, max: 3 }))
      .map(([op, to]): Instruction[] => [[op, 'R4', to], ['nop'], ['nop']]),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Instruction[]>(
      [['jump', 2], ['nop']],
      [['call', 1]],
      [['here', 'R7', 2], ['ret']],
      [['load', 'R4', 'R6', -0x3800]],
      [['syscall', 5]],
    ),
  },
  { weight: 6, arbitrary: fc.constantFrom(...READ).map(read) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }).map((n) => read(0x1c + n)) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 15 }).map((v) => write(0x16, v)) },
);

const kernel = fc.oneof(
  { weight: 18, arbitrary: anywhere },
  {
    weight: 8,
    arbitrary: fc
      .constantFrom(...PMU_WRITES)
      .chain(([register, values]) => fc.constantFrom(...values).map((v) => write(register, v))),
  },
  { weight: 2, arbitrary: fc.constant([...write(0x11, 15), ...write(0x10, 1)]) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: -30, max: 3 }))
      .map(([n, v]) => write(0x1c + n, v)),
  },
  {
    weight: 5,
    arbitrary: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 63 })).map(([n, k]) => select(n, k)),
  },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 1 }).map((v) => write(STATUS, v)) },
  {
    weight: 2,
    arbitrary: fc.integer({ min: 1, max: 60 }).map((k): Instruction[] => [
      ['readreg', TIME, 'R2'],
      ['addi', 'R2', 'R2', k],
      ['movi', 'R3', 0],
      ['store', 'R2', 'R3', 0x200],
    ]),
  },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 1, max: 90 })
      .map((k): Instruction[] => [
        ['readreg', TIME, 'R2'],
        ['addi', 'R2', 'R2', k],
        ['movi', 'R3', 0],
        ['store', 'R2', 'R3', 0x200],
        ['wait'],
      ]),
  },
);

/** To the user level and back: interrupts stay off until the sysret. */
const user = fc
  .tuple(
    fc.constantFrom(0, 2),
    fc.array(
      fc.oneof(
        { weight: 9, arbitrary: anywhere },
        { weight: 1, arbitrary: fc.constantFrom<Instruction[]>([['exit']], [['sysret']], write(0x10, 0)) },
      ),
      { maxLength: 8 },
    ),
  )
  .map(([status, body]): Instruction[] => [
    ...write(STATUS, 0),
    ['here', 'R2', 5],
    ['writereg', 0x02, 'R2'],
    ...write(STATUS, status),
    ['sysret'],
    ...body.flat(),
    ['syscall', 7],
  ]);

const item = fc.oneof({ weight: 12, arbitrary: kernel }, { weight: 1, arbitrary: user });

/** Every counter with an event, its count shortly before the end, most of them with their interrupt; then counting. */
const begin = fc
  .record({
    selected: fc.array(fc.integer({ min: 0, max: 63 }), { minLength: 4, maxLength: 4 }),
    counts: fc.array(fc.integer({ min: -25, max: 1 }), { minLength: 4, maxLength: 4 }),
    interrupts: fc.constantFrom(0, 15, 15, 6, 9),
    status: fc.constantFrom(0, 1, 1),
    user: fc.constantFrom(0, 1, 1),
  })
  .map(({ selected, counts, interrupts, status, user }): Instruction[] => [
    ...selected.flatMap((k, n) => select(n, k)),
    ...counts.flatMap((v, n) => write(0x1c + n, v)),
    ...write(0x14, interrupts),
    ...write(0x15, user),
    ...write(STATUS, status),
    ...write(0x11, 15),
    ...write(0x10, 1),
  ]);

export const bodies: fc.Arbitrary<Instruction[]> = fc
  .tuple(begin, fc.array(item, { minLength: 5, maxLength: 70 }))
  .map(([first, items]) => [...first, ...items.flat()]);

/** Selectors: every event, instructions, cycles and carries more often; a quarter with filters; one that does not exist, one with a reserved bit. */
export const selectors: readonly bigint[] = Array.from({ length: 64 }, (_, k) => {
  if (k >= 62) return k === 62 ? 0x55n : 0x101n;
  const event = k < 18 ? k : ([0x11, 0x01, 0x02, 0x11, 0x00, 0x10, 0x0c, 0x05][k % 8] as number);
  return BigInt(event) | (k % 4 === 3 ? BigInt(1 + ((k >> 2) % 3)) << 30n : 0n);
});

/** The handler: writes down cause and place; interrupts are acknowledged, `syscall 7` returns to the kernel, what cannot be done is skipped. */
const handler = (pmu: boolean): Instruction[] => [
  ['readreg', 0x03, 'R0'],
  ['store', 'R0', 'R1', 0],
  ['readreg', 0x02, 'R0'],
  ['store', 'R0', 'R1', 8],
  ['addi', 'R1', 'R1', 16],
  ['readreg', 0x03, 'R0'],
  ['addi', 'R0', 'R0', -0x703],
  ['beqz', 'R0', 15], // to the kernel
  ['addi', 'R0', 'R0', 0x200],
  ['beqz', 'R0', 12], // back
  ['addi', 'R0', 'R0', 0x3fc],
  ['beqz', 'R0', 14], // an interrupt of the PMU
  ['addi', 'R0', 'R0', -0x100],
  ['beqz', 'R0', 12], // of the timer
  ['addi', 'R0', 'R0', -0x100],
  ['beqz', 'R0', 10], // of both
  ['readreg', 0x02, 'R0'],
  ['addi', 'R0', 'R0', 4],
  ['writereg', 0x02, 'R0'],
  ['nop'],
  ['nop'],
  ['sysret'], // back
  ['movi', 'R0', 6], // to the kernel
  ['writereg', STATUS, 'R0'],
  ['sysret'],
  ['movi', 'R0', 0], // interrupts
  ['store', 'R0', 'R0', 0x200],
  ['movi', 'R0', 15],
  ...(pmu ? [['writereg', 0x13, 'R0'] as const] : [['nop'] as const]),
  ['sysret'],
];

const prologue: readonly Instruction[] = [
  ['movi', 'R0', 0],
  ['movi', 'R1', HANDLED],
  ['movi', 'R2', 0],
  ['movi', 'R3', 0],
  ['movi', 'R4', 0],
  ['movi', 'R5', LOG],
  ['movi', 'R6', DATA],
  ['movi', 'R7', 0],
];

/** A whole program; the handler stands at its end, the exit before it. */
export function program(lines: readonly Instruction[], pmu: boolean): Instruction[] {
  const exit: Instruction[] = [['movi', 'R1', 0], ['movi', 'R0', 2], ['exit'], ['nop']];
  const vector: Instruction[] = [
    ['here', 'R2', 2 + lines.length + exit.length],
    ['writereg', 0x01, 'R2'],
  ];
  return [...prologue, ...vector, ...lines, ...exit, ...handler(pmu)];
}

/** The same as template assembly. */
export function assembly(instructions: readonly Instruction[], base: number): Line[] {
  const of = asm as unknown as Readonly<Record<string, (...args: unknown[]) => Line>>;
  return instructions.map(([op, a, b, c], i): Line => {
    if (op === 'here') return asm.movi(a as GeneralName, base + 4 * (i + (b as number)));
    if (op === 'exit') return asm.trap(0);
    if (op === 'readreg') return asm.readreg(b as GeneralName, a as number);
    const make = of[op];
    if (make === undefined) throw new RangeError(op);
    return make(...[a, b, c].filter((x) => x !== undefined));
  });
}
