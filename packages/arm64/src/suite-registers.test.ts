/** Identification, reset and register behaviour that the field's PMU suite looks at before it counts. */
import { add, eor, ldr, load, lsr, mem, mrs, msr, nop, orr, ubfx } from './asm.ts';
import {
  ALL,
  C,
  CPU_CYCLES,
  checks,
  E,
  get,
  INST_RETIRED,
  instructions,
  LC,
  LP,
  P,
  pmcr,
  preset,
  probe,
  reset,
  run,
  SW_INCR,
  select,
  set,
  times,
  V3P5,
} from './testing/suite.ts';

/** The bits of six event counters and of the cycle counter. */
const THERE = 0x8000_003fn;
const SIX = [0, 1, 2, 3, 4, 5];
/** PMCR_EL0 bits 31:8: N = 6 is bits 15:11. */
const ro = ({ imp, idcode }: { imp: bigint; idcode: bigint }): bigint => (imp << 24n) | (idcode << 16n) | 0x3000n;

checks('probe', [
  {
    name: 'ID_AA64DFR0_EL1.PMUVer is neither 0 nor 0xF',
    registersOnly: true,
    program: () => [mrs('X20', 'ID_AA64DFR0_EL1'), ubfx('X20', 'X20', 8, 4)],
    leaves: ({ pmuver }) => ({ X20: pmuver }),
  },
  {
    name: 'PMCR_EL0 shows N, IMP and IDCODE',
    registersOnly: true,
    program: () => [
      mrs('X1', 'PMCR_EL0'),
      ubfx('X20', 'X1', 11, 5),
      ubfx('X21', 'X1', 24, 8),
      ubfx('X22', 'X1', 16, 8),
    ],
    leaves: ({ imp, idcode }) => ({ X20: 6n, X21: imp, X22: idcode }),
  },
  {
    name: 'PMCR_EL0 bits 31:8 stay, whatever is written there',
    registersOnly: true,
    program: () => [
      probe,
      [msr('PMCR_EL0', 'X9'), mrs('X20', 'PMCR_EL0')],
      [eor('X1', 'X9', 0xffff_ff00), msr('PMCR_EL0', 'X1'), mrs('X21', 'PMCR_EL0')],
      [msr('PMCR_EL0', 'XZR'), mrs('X22', 'PMCR_EL0')],
    ],
    leaves: (version) => ({ X20: ro(version), X21: ro(version), X22: ro(version) }),
  },
]);

checks('reset helper', [
  {
    name: 'PMCR_EL0 = LC|C|P, E = 0: PMCCNTR_EL0 and every PMEVCNTR<n>_EL0 become 0',
    program: () => [
      reset,
      set('PMCCFILTR_EL0', 0),
      select(...SIX.map(() => INST_RETIRED)),
      preset(...SIX.map((n) => 0x100 * (n + 1))),
      set('PMCNTENSET_EL0', ALL),
      run(LC | E, times(6, nop())), // 6, and the write that stops: 7
      load('X20', 0),
      SIX.map((n) => [get('X1', `PMEVCNTR${n}_EL0`), add('X20', 'X20', 'X1')]),
      get('X21', 'PMCCNTR_EL0'),
      reset,
      load('X22', 0),
      SIX.map((n) => [get('X1', `PMEVCNTR${n}_EL0`), orr('X22', 'X22', 'X1')]),
      get('X23', 'PMCCNTR_EL0'),
    ],
    // 0x100 * (1 + 2 + 3 + 4 + 5 + 6) + 6 * 7
    leaves: () => ({ X20: 0x1500n + 42n, X21: 7n, X22: 0n, X23: 0n }),
  },
  {
    name: 'it keeps every PMEVTYPER<n>_EL0',
    registersOnly: true,
    program: () => [
      select(...SIX.map((n) => 0x11 + n)),
      reset,
      load('X20', 0),
      SIX.map((n) => [get('X1', `PMEVTYPER${n}_EL0`), add('X20', 'X1', 'X20', 'LSL #8')]),
    ],
    leaves: () => ({ X20: 0x11_12_13_14_15_16n }),
  },
  {
    name: 'PMCNTENCLR_EL0, PMOVSCLR_EL0 and PMINTENCLR_EL1 = 0xFFFFFFFF leave nothing set',
    registersOnly: true,
    program: () => [
      probe,
      pmcr(0),
      [set('PMCNTENSET_EL0', ALL), set('PMOVSSET_EL0', ALL), set('PMINTENSET_EL1', ALL)],
      [get('X20', 'PMCNTENSET_EL0'), get('X21', 'PMOVSSET_EL0'), get('X22', 'PMINTENSET_EL1')],
      reset,
      [get('X23', 'PMCNTENSET_EL0'), get('X24', 'PMOVSSET_EL0'), get('X25', 'PMINTENSET_EL1')],
    ],
    leaves: () => ({ X20: THERE, X21: THERE, X22: THERE, X23: 0n, X24: 0n, X25: 0n }),
  },
]);

const introspection = [mrs('X20', 'PMCEID0_EL0'), mrs('X21', 'PMCEID1_EL0')];

checks('event-introspection', [
  {
    name: 'PMCEID0_EL0 has SW_INCR, CPU_CYCLES, and INST_RETIRED or INST_SPEC; 31:0 are events 0 to 31, 63:32 are 0x4000 to 0x401F',
    registersOnly: true,
    program: () => introspection,
    // 00; 06 07; 08 09 0A 0C 0D 0E 0F; 11 13; 1B 1E. None of 0x4000 to 0x401F.
    leaves: () => ({ X20: 0x48_0a_f7_c1n }),
  },
  {
    name: 'PMCEID1_EL0 has STALL_FRONTEND and STALL_BACKEND from PMUv3p1 on; 31:0 are events 32 to 63',
    registersOnly: true,
    program: () => introspection,
    // 21; from v3p1 on 23 24 as well, from v3p4 on 3C (STALL).
    leaves: ({ pmuver }) => ({ X21: pmuver >= 5n ? 0x1000_001an : pmuver >= 4n ? 0x1an : 0x02n }),
  },
  {
    name: 'what is required does count',
    // A load loses 2 cycles fetching and 3 executing.
    config: { costs: { load: { frontend: 2, backend: 3 } } },
    program: () => [
      reset,
      select(SW_INCR, CPU_CYCLES, INST_RETIRED, 0x1b, 0x23, 0x24),
      set('PMCNTENSET_EL0', ALL),
      load('X2', 0x4008_0000),
      load('X3', ALL),
      run(E, msr('PMSWINC_EL0', 'X3'), times(4, ldr('X4', mem('X2')))),
      load('X20', 0),
      SIX.map((n) => [get('X1', `PMEVCNTR${n}_EL0`), add('X20', 'X1', 'X20', 'LSL #8')]),
    ],
    // 1 + 4 + 1 instructions; 4 * 2 and 4 * 3 cycles more. On v3 the stalls are no events.
    leaves: ({ pmuver }) => ({ X20: pmuver >= 4n ? 0x01_1a_06_06_08_0cn : 0x01_1a_06_06_00_00n }),
  },
]);

checks('event-counter-config', [
  {
    name: 'PMSELR_EL0 = 0, PMXEVTYPER_EL0 = 0xEA: PMEVTYPER0_EL0 keeps the number of an event that is not supported',
    registersOnly: true,
    program: () => [
      reset,
      [set('PMSELR_EL0', 0), set('PMXEVTYPER_EL0', 0xea)],
      [get('X20', 'PMEVTYPER0_EL0'), ubfx('X20', 'X20', 0, 12)],
    ],
    leaves: () => ({ X20: 0xean }),
  },
  {
    name: 'PMXEVCNTR_EL0 = 0xDEADBEEF: PMEVCNTR0_EL0 equals it',
    registersOnly: true,
    program: () => [reset, [set('PMSELR_EL0', 0), set('PMXEVCNTR_EL0', 0xdead_beef)], get('X20', 'PMEVCNTR0_EL0')],
    leaves: () => ({ X20: 0xdead_beefn }),
  },
  {
    name: 'a counter with an event that is not supported reads what was written, while its neighbour counts',
    program: () => [
      reset,
      select(0xea, INST_RETIRED),
      preset(0xdead_beef, 0),
      set('PMCNTENSET_EL0', ALL),
      instructions(E, 100),
      [get('X20', 'PMEVCNTR0_EL0'), get('X21', 'PMEVCNTR1_EL0')],
    ],
    leaves: () => ({ X20: 0xdead_beefn, X21: 100n }),
  },
  {
    name: 'PMCEID0_EL0 and PMCEID1_EL0 do not claim all of 0x00 to 0x3F, so that this is not skipped',
    registersOnly: true,
    program: () => [introspection, orr('X20', 'X20', 'X21', 'LSL #32'), lsr('X22', 'X20', 3), ubfx('X22', 'X22', 0, 1)],
    // Bit 3: L1D_CACHE_REFILL has no model.
    leaves: () => ({ X22: 0n }),
  },
]);

/** 0x11 on #0, 0x08 on #1, EL0 left out (U, bit 30). */
const basic = [reset, select(0x4000_0000 | CPU_CYCLES, 0x4000_0000 | INST_RETIRED)];

checks('basic-event-count', [
  {
    name: 'PMCNTENCLR_EL0 of everything: PMCNTENSET_EL0 and PMCNTENCLR_EL0 read 0',
    registersOnly: true,
    program: () => [
      basic,
      set('PMCNTENSET_EL0', ALL),
      set('PMCNTENCLR_EL0', ALL),
      [get('X20', 'PMCNTENSET_EL0'), get('X21', 'PMCNTENCLR_EL0')],
    ],
    leaves: () => ({ X20: 0n, X21: 0n }),
  },
  {
    name: 'PMCR_EL0 reads back what was written: P and C as 0, LP where it is',
    registersOnly: true,
    program: () => [basic, [pmcr(LC | C | P), get('X20', 'PMCR_EL0')], [pmcr(LC | C | P | LP), get('X21', 'PMCR_EL0')]],
    leaves: (version) => ({
      X20: ro(version) | 0x40n,
      X21: ro(version) | (version.long ? 0xc0n : 0x40n),
    }),
  },
  {
    name: 'presets read back, 32 bits wide',
    registersOnly: true,
    program: () => [basic, preset(0xffff_fff0, 0), get('X20', 'PMEVCNTR0_EL0'), get('X21', 'PMEVCNTR1_EL0')],
    leaves: () => ({ X20: 0xffff_fff0n, X21: 0n }),
  },
  {
    name: 'presets of 64 bits read back from PMUv3p5 on, and lose bits 63:32 before',
    registersOnly: true,
    program: () => [basic, preset(0xffff_ffff_ffff_fff0n, 0), get('X20', 'PMEVCNTR0_EL0')],
    leaves: ({ mask }) => ({ X20: 0xffff_ffff_ffff_fff0n & mask }),
  },
  {
    name: 'PMCNTENSET_EL0 of everything: only what is implemented sticks, and PMCNTENCLR_EL0 reads the same',
    registersOnly: true,
    program: () => [basic, set('PMCNTENSET_EL0', ALL), [get('X20', 'PMCNTENSET_EL0'), get('X21', 'PMCNTENCLR_EL0')]],
    leaves: () => ({ X20: THERE, X21: THERE }),
  },
  {
    name: 'a partial clear leaves 0x3',
    registersOnly: true,
    program: () => [
      basic,
      set('PMCNTENSET_EL0', ALL),
      set('PMCNTENCLR_EL0', 0xffff_fffc),
      [get('X20', 'PMCNTENSET_EL0'), get('X21', 'PMCNTENCLR_EL0')],
    ],
    leaves: () => ({ X20: 3n, X21: 3n }),
  },
  {
    name: 'PMOVSCLR_EL0: only what is implemented can be set, a partial clear leaves 0x3, a full one 0',
    registersOnly: true,
    program: () => [
      basic,
      [set('PMOVSSET_EL0', ALL), get('X20', 'PMOVSCLR_EL0')],
      [set('PMOVSCLR_EL0', 0xffff_fffc), get('X21', 'PMOVSCLR_EL0')],
      [set('PMOVSCLR_EL0', ALL), get('X22', 'PMOVSCLR_EL0')],
    ],
    leaves: () => ({ X20: THERE, X21: 3n, X22: 0n }),
  },
  {
    name: 'PMINTENSET_EL1 and PMINTENCLR_EL1: the same masking, and they read the same',
    registersOnly: true,
    program: () => [
      basic,
      [set('PMINTENSET_EL1', ALL), get('X20', 'PMINTENSET_EL1'), get('X21', 'PMINTENCLR_EL1')],
      [set('PMINTENCLR_EL1', 0xffff_fffc), get('X22', 'PMINTENSET_EL1'), get('X23', 'PMINTENCLR_EL1')],
      [set('PMINTENCLR_EL1', ALL), get('X24', 'PMINTENSET_EL1'), get('X25', 'PMINTENCLR_EL1')],
    ],
    leaves: () => ({ X20: THERE, X21: THERE, X22: 3n, X23: 3n, X24: 0n, X25: 0n }),
  },
  {
    name: '42 instructions: PMOVSCLR_EL0 is exactly 0x1, and #1 has not wrapped',
    program: () => [
      basic,
      preset(0xffff_fff0, 0),
      set('PMCNTENSET_EL0', 3),
      instructions(E, 42),
      [get('X20', 'PMEVCNTR0_EL0'), get('X21', 'PMEVCNTR1_EL0'), get('X22', 'PMOVSCLR_EL0')],
    ],
    // 0xFFFFFFF0 + 42 is 26 beyond 2^32.
    leaves: ({ mask }) => ({ X20: 0x1_0000_001an & mask, X21: 42n, X22: 1n }),
  },
  {
    name: '42 instructions, PMCR_EL0 = E alone (no LP) from a preset of 64 bits: 0x1 as well, at bit 31',
    on: [V3P5],
    program: () => [
      basic,
      preset(0xffff_ffff_ffff_fff0n, 0),
      set('PMCNTENSET_EL0', 3),
      instructions(E, 42),
      [get('X20', 'PMEVCNTR0_EL0'), get('X21', 'PMEVCNTR1_EL0'), get('X22', 'PMOVSCLR_EL0')],
    ],
    leaves: () => ({ X20: 26n, X21: 42n, X22: 1n }),
  },
  {
    name: 'the filter U keeps nothing of EL1 out; P keeps everything out',
    program: () => [
      basic,
      select(0x4000_0000 | CPU_CYCLES, 0x8000_0000 | INST_RETIRED),
      set('PMCNTENSET_EL0', 3),
      instructions(E, 42),
      [get('X20', 'PMEVCNTR0_EL0'), get('X21', 'PMEVCNTR1_EL0')],
    ],
    leaves: () => ({ X20: 42n, X21: 0n }),
  },
]);
