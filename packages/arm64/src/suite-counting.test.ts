/** What the field's PMU suite counts: cycles, memory accesses, software increments; every number exact. */
import { add, bcond, cmp, csel, type Item, isb, label, ldr, load, lsr, mem, mrs, msr, orr, sub, subs } from './asm.ts';
import {
  CYCLES,
  checks,
  E,
  get,
  instructions,
  LC,
  LP,
  MEM_ACCESS,
  pmcr,
  preset,
  reset,
  run,
  SW_INCR,
  select,
  set,
  stop,
  times,
  V3P5,
} from './testing/suite.ts';

/** The cycle counter alone, from 0, counting at EL1. (At EL2 the suite sets NSH too; a guest has no EL2.) */
const cycles: Item = [reset, set('PMCCFILTR_EL0', 0), set('PMCNTENSET_EL0', CYCLES)];
/** 4, 36, …, 292: ten times each. */
const LENGTHS = Array.from({ length: 10 }, (_, i) => 4 + 32 * i);

const loops = (cyclesPerInstruction: number): Item => [
  cycles,
  [load('X19', 0), load('X20', 0), load('X21', 0), load('X22', -1)],
  LENGTHS.map((n) =>
    times(
      10,
      set('PMCCNTR_EL0', 0),
      instructions(LC | E, n),
      get('X1', 'PMCCNTR_EL0'),
      add('X19', 'X19', 'X1'), // the sum of all
      [load('X2', n * cyclesPerInstruction), sub('X2', 'X1', 'X2'), orr('X20', 'X20', 'X2')], // any difference at all
      [lsr('X2', 'X1', 32), orr('X21', 'X21', 'X2')], // anything in the upper half
      [cmp('X1', 'X22'), csel('X22', 'X1', 'X22', 'LO')], // the least
    ),
  ),
];

checks('cycle-counter', [
  {
    name: '10 reads of PMCCNTR_EL0 one behind the other increase, by exactly one cycle each',
    program: () => [cycles, pmcr(LC | E), Array.from({ length: 10 }, (_, i) => mrs(`X${i + 10}`, 'PMCCNTR_EL0')), stop],
    // The write that enables is not counted, and neither is the first read by itself.
    leaves: () => Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`X${i + 10}`, BigInt(i)])),
  },
  {
    name: '4, 36, … 292 instructions, 10 times each: exactly one cycle per instruction, the upper 32 bits 0',
    program: () => loops(1),
    // The mean of 4 to 292 in steps of 32 is 148; 10 lengths, 10 times.
    leaves: () => ({ X19: 148n * 100n, X20: 0n, X21: 0n, X22: 4n }),
  },
  {
    name: 'the same at 3 cycles per instruction: exactly N × instructions',
    config: {
      costs: {
        ...{ alu: { backend: 2 }, branch: { frontend: 2 }, system: { backend: 2 } },
        ...{ barrier: { backend: 1, frontend: 1 } },
      },
    },
    program: () => loops(3),
    leaves: () => ({ X19: 3n * 148n * 100n, X20: 0n, X21: 0n, X22: 12n }),
  },
  {
    name: 'the write that stops is counted, and so is the isb behind the one that starts',
    program: () => [cycles, run(LC | E, isb()), get('X20', 'PMCCNTR_EL0')],
    leaves: () => ({ X20: 2n }),
  },
]);

/** X2 loads from RAM at X3. */
const loads: Item = [ldr('X4', mem('X3')), subs('X2', 'X2', 1), bcond('GT', -8)];
const memory: Item = [reset, load('X3', 0x4008_0000), select(MEM_ACCESS, MEM_ACCESS), set('PMCNTENSET_EL0', 3)];
const both: Item = [get('X20', 'PMEVCNTR0_EL0'), get('X21', 'PMEVCNTR1_EL0'), get('X22', 'PMOVSCLR_EL0')];

const runs = (bits: number, from: bigint): Item => [
  memory,
  [load('X19', 0), load('X20', 0), load('X21', -1), load('X22', 0), load('X10', 100)],
  label('once-more'),
  preset(from),
  [load('X2', 250), pmcr(bits), loads, stop],
  [get('X1', 'PMEVCNTR0_EL0'), load('X4', from), sub('X1', 'X1', 'X4')],
  add('X19', 'X19', 'X1'), // all of them
  [cmp('X1', 'X20'), csel('X20', 'X1', 'X20', 'HI')], // the most
  [cmp('X1', 'X21'), csel('X21', 'X1', 'X21', 'LO')], // the least
  [get('X1', 'PMOVSCLR_EL0'), orr('X22', 'X22', 'X1')], // a wrap, ever
  subs('X10', 'X10', 1),
  bcond('NE', 'once-more'),
];
/** Preset of all ones less 350, in the width at which it overflows. */
const nearly = (width: 32 | 64): bigint => (1n << BigInt(width)) - 1n - 350n;

checks('mem-access', [
  {
    name: '20 loads on both counters: equal, 20, and PMOVSCLR_EL0 is 0',
    program: () => [memory, load('X2', 20), run(E, loads), both],
    leaves: () => ({ X20: 20n, X21: 20n, X22: 0n }),
  },
  {
    name: '20 loads from −16 on both: PMOVSCLR_EL0 is 0x3',
    program: () => [memory, preset(0xffff_fff0, 0xffff_fff0), load('X2', 20), run(E, loads), both],
    leaves: ({ mask }) => ({ X20: 0x1_0000_0004n & mask, X21: 0x1_0000_0004n & mask, X22: 3n }),
  },
  {
    name: '64 bits: 20 loads on both under LP: equal, 20, and PMOVSCLR_EL0 is 0, past bit 31 too',
    on: [V3P5],
    program: () => [memory, preset(0, 0xffff_fff0), load('X2', 20), run(E | LP, loads), both],
    leaves: () => ({ X20: 20n, X21: 0x1_0000_0004n, X22: 0n }),
  },
  {
    name: '64 bits: 20 loads from −16 on both under LP: PMOVSCLR_EL0 is 0x3',
    on: [V3P5],
    program: () => [memory, preset(-16, -16), load('X2', 20), run(E | LP, loads), both],
    leaves: () => ({ X20: 4n, X21: 4n, X22: 3n }),
  },
]);

checks('mem-access-reliability', [
  {
    name: '100 times 250 loads from 2^32 − 1 − 350: 250 each time, the least and the most, and no wrap',
    program: () => runs(E, nearly(32)),
    leaves: () => ({ X19: 25_000n, X20: 250n, X21: 250n, X22: 0n }),
  },
  {
    name: '64 bits: 100 times 250 loads from 2^64 − 1 − 350 under LP: the same',
    on: [V3P5],
    program: () => runs(E | LP, nearly(64)),
    leaves: () => ({ X19: 25_000n, X20: 250n, X21: 250n, X22: 0n }),
  },
]);

/** X5 and X6: what 100 writes left before E was set. Then 100 more with it. */
const increments = (bits: number, from: bigint | number): Item => [
  reset,
  select(SW_INCR, SW_INCR),
  preset(from, 0),
  set('PMCNTENSET_EL0', 3),
  load('X2', 3),
  times(100, msr('PMSWINC_EL0', 'X2')),
  [get('X5', 'PMEVCNTR0_EL0'), get('X6', 'PMEVCNTR1_EL0'), get('X7', 'PMOVSCLR_EL0')],
  run(bits, times(100, msr('PMSWINC_EL0', 'X2'))),
  both,
];

checks('sw-incr', [
  {
    name: 'PMSWINC_EL0 with E = 0 does nothing; one with E = 1 then does',
    program: () => [increments(E, 0), sub('X19', 'X20', 'X5')],
    leaves: () => ({ X5: 0n, X6: 0n, X7: 0n, X19: 100n }),
  },
  {
    name: '100 writes of 3 with E = 1: #0 is (preset + 100) & mask, #1 is 100, PMOVSCLR_EL0 is 0x1',
    program: () => increments(E, 0xffff_fff0),
    // 0xFFFFFFF0 + 100 is 84 beyond 2^32; v3p5 keeps bit 32, and overflows at 32 bits all the same.
    leaves: ({ mask }) => ({ X5: 0xffff_fff0n, X20: 0x1_0000_0054n & mask, X21: 100n, X22: 1n }),
  },
  {
    name: '64 bits: under LP from −16: #0 is 84, #1 is 100, PMOVSCLR_EL0 is 0x1',
    on: [V3P5],
    program: () => increments(E | LP, -16),
    leaves: () => ({ X20: 84n, X21: 100n, X22: 1n }),
  },
  {
    name: '64 bits: under LP past bit 31 alone: no overflow',
    on: [V3P5],
    program: () => increments(E | LP, 0xffff_fff0),
    leaves: () => ({ X20: 0x1_0000_0054n, X21: 100n, X22: 0n }),
  },
]);
