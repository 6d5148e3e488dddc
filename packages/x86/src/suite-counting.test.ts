/** What the field's PMU suite counts: every event on every counter, fixed counters, all at once; every number exact. */
import { type Item, mov } from './asm.ts';
import {
  BRANCHES,
  checks,
  EN,
  EVENTS,
  FIXED,
  GENERAL,
  type Group,
  INSTRUCTIONS,
  keep,
  MSR,
  OS,
  PASSES,
  type Pass,
  result,
  run,
  USR,
  write,
} from './testing/suite.ts';

const each = <T>(n: number, make: (i: number) => T): readonly T[] => Array.from({ length: n }, (_, i) => make(i));

/** A general counter from 0, its selector with EN, the window, the selector without. */
const measured = (pass: Pass, counter: number, select: bigint, word: number): Item => [
  [write(pass.counter + counter, 0n), write(MSR.EVNTSEL + counter, select)],
  run(1n << BigInt(counter)),
  write(MSR.EVNTSEL + counter, select & ~EN),
  result(word, pass.counter + counter),
];

const general = (pass: Pass): readonly Group[] =>
  each(GENERAL, (counter) => ({
    program: EVENTS.map(({ event }, n) => measured(pass, counter, EN | OS | USR | event, n)),
    rows: EVENTS.map(({ name, counts }, word) => ({ name: `${pass.name}: ${name}-${counter}`, word, is: counts })),
  }));

const ALL_FIXED = 7n << 32n;

const fixed = (pass: Pass): Group => ({
  program: each(FIXED, (i) => [
    [write(MSR.FIXED_CTR + i, 0n), write(MSR.FIXED_CTRL, 3n << BigInt(4 * i))],
    run(1n << BigInt(32 + i)),
    result(i, MSR.FIXED_CTR + i),
  ]),
  rows: each(FIXED, (i) => ({ name: `${pass.name}: fixed-${i}`, word: i, is: INSTRUCTIONS })),
});

/** Counter n has event n of the seven, and the last one the first again; a wrong one leaves a bit in the word. */
const many = (pass: Pass): Group => {
  const expected = each(GENERAL, (n) => EVENTS[n % EVENTS.length]?.counts ?? 0n);
  const counts = (word: number): Item => [
    mov('R15', 0),
    each(GENERAL, (n) => compared(pass.counter + n, expected[n] ?? 0n)),
    each(FIXED, (i) => compared(MSR.FIXED_CTR + i, INSTRUCTIONS)),
    [mov('RAX', 'R15'), keep(word)],
  ];
  return {
    program: [
      each(GENERAL, (n) => [
        write(pass.counter + n, 0n),
        write(MSR.EVNTSEL + n, EN | OS | USR | (EVENTS[n % EVENTS.length]?.event ?? 0n)),
      ]),
      [each(FIXED, (i) => write(MSR.FIXED_CTR + i, 0n)), write(MSR.FIXED_CTRL, 0x333n)],
      run(0xffn | ALL_FIXED),
      counts(0),
    ],
    rows: [{ name: `${pass.name}: all counters`, word: 0, is: 0n }],
  };
};

/** Adds the difference to R15. */
const compared = (msr: number, expected: bigint): Item => [
  result(20, msr),
  [mov('R11', expected), { assemble: () => [0x4c, 0x29, 0xd8] }], // SUB RAX, R11
  { assemble: () => [0x49, 0x09, 0xc7] }, // OR R15, RAX
];

/** No cycle retires two instructions, and every one retires one. */
const cmask = (pass: Pass): Group => ({
  program: [
    measured(pass, 0, EN | OS | USR | 0xc0n | (2n << 24n), 0),
    measured(pass, 0, EN | OS | USR | 0xc0n | (1n << 24n), 1),
    [{ assemble: () => [] }, sum(0, 1, 2)],
  ],
  rows: [{ name: `${pass.name}: cmask, of 2 none and of 1 every cycle`, word: 2, is: INSTRUCTIONS }],
});

/** Word c = 4 × word a + word b. */
function sum(a: number, b: number, c: number): Item {
  const at = (n: number): Item => mov('RAX', { base: 'R12', index: undefined, scale: 1, displacement: BigInt(8 * n), label: undefined, segment: undefined, size: 64 });
  return [
    [mov('R12', 0x20_0000n), at(a), { assemble: () => [0x48, 0xc1, 0xe0, 0x02] }, mov('R11', 'RAX')],
    [mov('R12', 0x20_0000n), at(b), { assemble: () => [0x4c, 0x01, 0xd8] }, keep(c)],
  ];
}

for (const pass of PASSES) {
  checks('events on general counters', general(pass), ['emulated']);
  checks('fixed counters', [fixed(pass)], ['emulated', 'switched']);
  checks('all counters at once', [many(pass)], ['emulated', 'switched']);
  checks('cmask', [cmask(pass)], ['emulated']);
}

void BRANCHES;
