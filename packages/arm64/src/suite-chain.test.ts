/** CHAIN as the field's PMU suite checks it: an odd counter that counts the overflows of its even neighbour. */
import { type Item, load, msr } from './asm.ts';
import {
  CHAIN,
  CPU_CYCLES,
  checks,
  E,
  get,
  instructions,
  LP,
  preset,
  type Row,
  reset,
  run,
  SW_INCR,
  select,
  set,
  times,
  V3P5,
} from './testing/suite.ts';

const both: Item = [get('X20', 'PMEVCNTR0_EL0'), get('X21', 'PMEVCNTR1_EL0'), get('X22', 'PMOVSCLR_EL0')];
/** #0 and #1, the odd one first. */
const enable: Item = [set('PMCNTENSET_EL0', 2), set('PMCNTENSET_EL0', 1)];
/** 16 before it wraps. */
const LOW = 0xffff_fff0;
/** 22 cycles: with LOW, 6 beyond 2^32; without it, 22. */
const work = (bits = E): Item => instructions(bits, 22);

const chained = (odd: bigint | number, bits = E): Item => [
  reset,
  select(CPU_CYCLES, CHAIN),
  preset(LOW, odd),
  enable,
  work(bits),
];

checks('chained-counters', [
  {
    name: '#0 wraps at 32 bits: #1 is 1, PMOVSCLR_EL0 is 0x1',
    program: () => [chained(0), both],
    leaves: ({ mask }) => ({ X20: 0x1_0000_0006n & mask, X21: 1n, X22: 1n }),
  },
  {
    name: '#1 from 1 becomes 2',
    program: () => [chained(1), both],
    leaves: ({ mask }) => ({ X20: 0x1_0000_0006n & mask, X21: 2n, X22: 1n }),
  },
  {
    name: '#1 from all ones, without a reset in between: #1 is 0, PMOVSCLR_EL0 is 0x3, having kept its first bit',
    program: ({ mask }) => [chained(1), get('X19', 'PMOVSCLR_EL0'), preset(LOW, mask), work(), both],
    leaves: ({ mask }) => ({ X19: 1n, X20: 0x1_0000_0006n & mask, X21: 0n, X22: 3n }),
  },
  {
    name: 'status is sticky: a run in which #1 overflows and #0 had before leaves 0x3, one more leaves it so',
    program: () => [chained(0xffff_ffff), work(), both],
    // v3p5: #1 has 64 bits and its flag is at 32. The second run wraps nothing.
    leaves: ({ mask }) => ({ X20: 0x1_0000_001cn & mask, X21: 0x1_0000_0000n & mask, X22: 3n }),
  },
]);

/** 100 writes of PMSWINC_EL0 = 1. */
const increments = (odd: bigint | number, bits = E): Item => [
  reset,
  select(SW_INCR, CHAIN),
  preset(LOW, odd),
  enable,
  load('X2', 1),
  run(bits, times(100, msr('PMSWINC_EL0', 'X2'))),
  both,
];

checks('chained-sw-incr', [
  {
    name: '100 writes of 1: PMOVSCLR_EL0 is 0x1, #1 is 1',
    program: () => increments(0),
    leaves: ({ mask }) => ({ X20: 0x1_0000_0054n & mask, X21: 1n, X22: 1n }),
  },
  {
    name: '#1 from 0xFFFFFFFF: PMOVSCLR_EL0 is 0x3, #0 is (−16 + 100) & mask, #1 is 2^32 & mask',
    program: () => increments(0xffff_ffff),
    leaves: ({ mask }) => ({ X20: 0x1_0000_0054n & mask, X21: 0x1_0000_0000n & mask, X22: 3n }),
  },
]);

/** Two runs with something done in between; #1 is 0 at the start, #0 is `even`. */
const promotion = (
  name: string,
  [even, events, counters]: readonly [even: number, events: readonly number[], counters: number],
  between: Item,
  leaves: Row['leaves'],
): Row => ({
  name,
  program: () => [
    reset,
    select(...events),
    preset(even, 0),
    set('PMCNTENSET_EL0', counters),
    work(),
    [get('X17', 'PMEVCNTR0_EL0'), get('X18', 'PMEVCNTR1_EL0'), get('X19', 'PMOVSCLR_EL0')],
    between,
    work(),
    both,
  ],
  leaves,
});
const CHAINED = [CPU_CYCLES, CHAIN] as const;
/** 34 before the wrap: 12 before it after one run, 10 beyond it after two. */
const SECOND = 0x1_0000_0000 - 34;

checks('chain-promotion', [
  promotion(
    'only #1 (CHAIN) enabled: #0 stays 0; with #0 enabled too it counts',
    [0, CHAINED, 2],
    set('PMCNTENSET_EL0', 1),
    () => ({ X17: 0n, X18: 0n, X19: 0n, X20: 22n, X21: 0n, X22: 0n }),
  ),
  promotion('only #0 enabled, and it overflows: #1 is 0, PMOVSCLR_EL0 is 0x1', [LOW, CHAINED, 1], [], ({ mask }) => ({
    X17: 0x1_0000_0006n & mask,
    X18: 0n,
    X19: 1n,
    X20: 0x1_0000_001cn & mask,
    X21: 0n,
    X22: 1n,
  })),
  promotion(
    'CHAIN on for a run and off for the next, in which #0 wraps: PMOVSCLR_EL0 is 0x1, #1 is 0',
    [SECOND, CHAINED, 3],
    set('PMCNTENCLR_EL0', 2),
    ({ mask }) => ({ X17: 0xffff_fff4n, X18: 0n, X19: 0n, X20: 0x1_0000_000an & mask, X21: 0n, X22: 1n }),
  ),
  promotion(
    'CHAIN off for a run and on for the next, in which #0 wraps: PMOVSCLR_EL0 is 0x1, #1 is 1',
    [SECOND, CHAINED, 1],
    set('PMCNTENSET_EL0', 2),
    ({ mask }) => ({ X17: 0xffff_fff4n, X18: 0n, X19: 0n, X20: 0x1_0000_000an & mask, X21: 1n, X22: 1n }),
  ),
  promotion(
    '#1 = CPU_CYCLES, then CHAIN from 0: #1 is 1, PMOVSCLR_EL0 is 0x1',
    [SECOND, [CPU_CYCLES, CPU_CYCLES], 3],
    [set('PMEVCNTR1_EL0', 0), set('PMEVTYPER1_EL0', CHAIN)],
    ({ mask }) => ({ X17: 0xffff_fff4n, X18: 22n, X19: 0n, X20: 0x1_0000_000an & mask, X21: 1n, X22: 1n }),
  ),
  promotion(
    '#1 = CHAIN, then CPU_CYCLES: PMOVSCLR_EL0 is 0x1, #1 counts cycles and no overflow of #0',
    [SECOND, CHAINED, 3],
    set('PMEVTYPER1_EL0', CPU_CYCLES),
    ({ mask }) => ({ X17: 0xffff_fff4n, X18: 0n, X19: 0n, X20: 0x1_0000_000an & mask, X21: 22n, X22: 1n }),
  ),
]);

// Beyond the suite's own: CHAIN and 64-bit overflow.
checks('chained-counters, 64 bits', [
  {
    name: 'under LP a wrap at 32 bits is none, and CHAIN does not count',
    on: [V3P5],
    program: () => [chained(0, E | LP), both],
    leaves: () => ({ X20: 0x1_0000_0006n, X21: 0n, X22: 0n }),
  },
]);
