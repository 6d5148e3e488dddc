/** What the field's PMU suite counts: every event on every counter, fixed counters, all at once; every number exact. */
import { type Item, mov, or, sub } from './asm.ts';
import {
  checks,
  EN,
  EVENTS,
  FIXED,
  GENERAL,
  type Group,
  INSTRUCTIONS,
  keep,
  MSR,
  N,
  OS,
  PASSES,
  type Pass,
  read,
  result,
  run,
  USR,
  write,
} from './testing/suite.ts';

const each = <T>(n: number, make: (i: number) => T): readonly T[] => Array.from({ length: n }, (_, i) => make(i));

/** A general counter from 0, and its selector. */
const set = (pass: Pass, counter: number, select: bigint): Item => [
  write(pass.counter + counter, 0n),
  write(MSR.EVNTSEL + counter, EN | OS | USR | select),
];
const event = (n: number): (typeof EVENTS)[number] => EVENTS[n % EVENTS.length] as (typeof EVENTS)[number];

/** In the turn-th window, counter i counts event i + turn: seven windows bring every event to every counter. */
const general = (pass: Pass): readonly Group[] =>
  each(EVENTS.length, (turn) => ({
    program: (turns) => [
      each(GENERAL, (i) => set(pass, i, event(i + turn).event)),
      run(0xffn, turns),
      each(GENERAL, (i) => [write(MSR.EVNTSEL + i, 0n), result(i, pass.counter + i)]),
    ],
    rows: each(GENERAL, (i) => ({
      name: `${pass.name}: ${event(i + turn).name}-${i}`,
      word: i,
      is: event(i + turn).counts,
    })),
  }));

const fixed = (pass: Pass): Group => ({
  program: (turns) =>
    each(FIXED, (i) => [
      [write(MSR.FIXED_CTR + i, 0n), write(MSR.FIXED_CTRL, 3n << BigInt(4 * i))],
      run(1n << BigInt(32 + i), turns),
      result(i, MSR.FIXED_CTR + i),
    ]),
  rows: each(FIXED, (i) => ({ name: `${pass.name}: fixed-${i}`, word: i, is: INSTRUCTIONS })),
});

/** What differs from the expected leaves a bit in R15. */
const compared = (msr: number, expected: bigint): Item => [
  [read(msr), mov('R11', expected)],
  [sub('RAX', 'R11'), or('R15', 'RAX')],
];

const many = (pass: Pass): Group => ({
  program: (turns) => [
    each(GENERAL, (n) => set(pass, n, event(n).event)),
    [each(FIXED, (i) => write(MSR.FIXED_CTR + i, 0n)), write(MSR.FIXED_CTRL, 0x333n)],
    run(0x7_0000_00ffn, turns),
    mov('R15', 0),
    each(GENERAL, (n) => compared(pass.counter + n, event(n).counts)),
    each(FIXED, (i) => compared(MSR.FIXED_CTR + i, INSTRUCTIONS)),
    [mov('RAX', 'R15'), keep(0)],
  ],
  rows: [{ name: `${pass.name}: all counters`, word: 0, is: 0n }],
});

/** No cycle retires two instructions, and every one retires one: ten for each turn, and 17. */
const cmask = (pass: Pass): Group => ({
  program: (turns) => [
    [set(pass, 0, 0xc0n | (2n << 24n)), set(pass, 1, 0xc0n | (1n << 24n))],
    run(3n, Math.min(turns, N / 50)),
    mov('R15', 0),
    [compared(pass.counter, 0n), compared(pass.counter + 1, BigInt(N) / 5n + 17n)],
    [mov('RAX', 'R15'), keep(0)],
  ],
  rows: [{ name: `${pass.name}: cmask, none of 2 and all of 1`, word: 0, is: 0n }],
});

for (const pass of PASSES) {
  checks('events on general counters', general(pass), ['emulated']);
  checks('fixed counters', [fixed(pass)], ['switched']);
  checks('all counters at once', [many(pass)], ['emulated']);
  checks('cmask', [cmask(pass)], ['emulated']);
}
