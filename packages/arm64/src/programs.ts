/**
 * The programs that every architecture supplies under agreed names: real machine code, and what must be counted. Comments give each line's share;
 * the sums were made by hand, from them.
 *
 * Each is a flat image for the `virt` platform (a GICv2 where interrupts are meant), and ends by PSCI SYSTEM_OFF.
 */
import type { Programs } from '@countervisor/contract';
import {
  add,
  adr,
  program as assemble,
  b,
  bcond,
  bl,
  data,
  eret,
  hvc,
  type Item,
  label,
  ldp,
  ldr,
  load,
  mem,
  mov,
  movn,
  movz,
  mrs,
  msr,
  nop,
  ret,
  str,
  strb,
  sub,
  subs,
  svc,
  wfi,
} from './asm.ts';

/** Where flat images go on `virt`. */
const BASE = 0x4008_0000n;
const INST_RETIRED = 0x08;

/** PSCI SYSTEM_OFF, 0x84000008: three instructions. */
const OFF: Item = [load('X0', 0x8400_0008), hvc(0)];

const code = (...items: readonly Item[]): Uint8Array => assemble(items, BASE).bytes;
const times = (count: number, item: Item): Item => Array.from({ length: count }, () => item);

/** Vectors at a multiple of 2 KiB, with one handler at its offset in them. */
const vectors = (offset: number, ...handler: readonly Item[]): Item => [
  data(new Uint8Array(0), 2048),
  label('vectors'),
  data(new Uint8Array(offset)),
  handler,
];
const SYNCHRONOUS = 0x200;
const IRQ = 0x280;
const FROM_EL0 = 0x400;

/** GICv2: one private interrupt enabled, any priority let through. Nine instructions, four stores. X3 is 1 afterwards. */
const listen = (intid: number): Item => [
  load('X2', 0x0801_0000), // 1: the CPU interface
  movz('X3', 0xf0), // 2
  str('W3', mem('X2', 4)), // 3: store, access; GICC_PMR
  movz('X3', 1), // 4
  str('W3', mem('X2')), // 5: store, access; GICC_CTLR
  load('X2', 0x0800_0000), // 6: the distributor
  load('X4', 1 << intid), // 7
  str('W4', mem('X2', 0x100)), // 8: store, access; GICD_ISENABLER0
  str('W3', mem('X2')), // 9: store, access; GICD_CTLR
];

export const programs: Programs = {
  'ten-nops': {
    means: 'Ten instructions that do nothing.',
    code: code(
      times(10, nop()), // 10
      OFF, // 13
    ),
    counts: { instruction: 13 },
    leaves: {},
    pmu: false,
  },

  'count-loop': {
    means: 'A loop of five turns: its branch is taken four times.',
    code: code(
      movz('X1', 5), // 1
      label('again'),
      subs('X1', 'X1', 1), // 5 times: 6
      bcond('NE', 'again'), // 5 times: 11; 5 branches, 4 taken
      OFF, // 14
    ),
    counts: { instruction: 14, branch: 5, 'branch-immediate': 5, taken: 4 },
    leaves: { X1: 0n },
    pmu: false,
  },

  'call-return': {
    means: 'Two calls, two returns.',
    code: code(
      movz('X1', 0), // 1
      bl('function'), // 2: branch, immediate, taken, call
      bl('function'), // 3: likewise
      OFF, // 6
      label('function'),
      add('X1', 'X1', 1), // twice: 8
      ret(), // twice: 10; branch, taken, return
    ),
    counts: { instruction: 10, branch: 4, 'branch-immediate': 2, taken: 4, call: 2, return: 2 },
    leaves: { X1: 2n, X30: BASE + 12n },
    pmu: false,
  },

  'touch-memory': {
    means:
      'Two stores and four loads, one of them a pair. All are aligned: with translation off, memory is Device memory.',
    code: code(
      adr('X2', 'data'), // 1
      movz('X3', 77), // 2
      str('X3', mem('X2')), // 3: store, access
      str('X3', mem('X2', 8)), // 4: store, access
      ldr('X4', mem('X2', 8)), // 5: load, access
      ldr('W5', mem('X2', 4)), // 6: load, access; the upper half of the first 77
      ldp('X6', 'X7', mem('X2')), // 7: load, two accesses
      ldr('X8', mem('X2', 16)), // 8: load, access; nobody stored there
      OFF, // 11
      data(new Uint8Array(0), 8),
      label('data'),
      data(new Uint8Array(24)),
    ),
    counts: { instruction: 11, load: 4, store: 2, access: 7 },
    leaves: { X4: 77n, X5: 0n, X6: 77n, X7: 77n, X8: 0n },
    pmu: false,
  },

  'take-exception': {
    means: 'One system call to its own kernel, and back.',
    code: code(
      adr('X1', 'vectors'), // 1
      msr('VBAR_EL1', 'X1'), // 2
      svc(5), // 3: retires, then exception
      OFF, // 8
      vectors(
        SYNCHRONOUS,
        mrs('X4', 'ESR_EL1'), // 4: EC 0x15, IL, the immediate
        eret(), // 5: exception-return
      ),
    ),
    counts: { instruction: 8, exception: 1, 'exception-return': 1 },
    leaves: { X4: 0x5600_0005n },
    pmu: false,
  },

  'read-counter': {
    means: 'Counts instructions between two writes of PMCR_EL0: the enabling one is not counted, the disabling one is.',
    code: code(
      movz('X0', INST_RETIRED), // 1
      msr('PMEVTYPER0_EL0', 'X0'), // 2
      msr('PMEVCNTR0_EL0', 'XZR'), // 3
      movz('X0', 1), // 4
      msr('PMCNTENSET_EL0', 'X0'), // 5
      msr('PMCR_EL0', 'X0'), // 6: counting from the next one on
      times(10, nop()), // 16: the counter is 10
      msr('PMCR_EL0', 'XZR'), // 17: 11
      mrs('X4', 'PMEVCNTR0_EL0'), // 18
      OFF, // 21
    ),
    counts: { instruction: 21 },
    leaves: { X4: 11n },
    pmu: true,
  },

  'write-then-read': {
    means: 'An explicit write wins over its own instruction; a read sees what retired before it.',
    code: code(
      movz('X0', INST_RETIRED), // 1
      msr('PMEVTYPER0_EL0', 'X0'), // 2
      movz('X0', 1), // 3
      msr('PMCNTENSET_EL0', 'X0'), // 4
      movz('X1', 100), // 5
      msr('PMCR_EL0', 'X0'), // 6
      msr('PMEVCNTR0_EL0', 'X1'), // 7: the counter is 100, not 101
      mrs('X4', 'PMEVCNTR0_EL0'), // 8: reads 100, then is counted
      mrs('X5', 'PMEVCNTR0_EL0'), // 9: reads 101
      OFF, // 12
    ),
    counts: { instruction: 12 },
    leaves: { X4: 100n, X5: 101n },
    pmu: true,
  },

  'overflow-at-n': {
    means: 'A counter set to wrap at the fifth instruction interrupts after exactly five.',
    code: code(
      adr('X1', 'vectors'), // 1
      msr('VBAR_EL1', 'X1'), // 2
      listen(23), // 11: 4 stores, 4 accesses
      movn('X0', 0), // 12
      msr('PMOVSCLR_EL0', 'X0'), // 13: all of these are UNKNOWN at reset
      msr('PMINTENCLR_EL1', 'X0'), // 14
      msr('PMCNTENCLR_EL0', 'X0'), // 15
      movz('X0', INST_RETIRED), // 16
      msr('PMEVTYPER0_EL0', 'X0'), // 17
      load('X0', 0xffff_fffb), // 19: five before the wrap at 32 bits
      msr('PMEVCNTR0_EL0', 'X0'), // 20
      movz('X0', 1), // 21
      msr('PMINTENSET_EL1', 'X0'), // 22
      msr('PMCNTENSET_EL0', 'X0'), // 23
      msr('DAIF', 'XZR'), // 24: interrupts on
      msr('PMCR_EL0', 'X0'), // 25: counting from the next one on
      label('first'),
      times(8, nop()), // 30: five of them, then the interrupt
      b('first'), // never reached
      vectors(
        IRQ,
        mrs('X4', 'ELR_EL1'), // 31: the sixth nop
        adr('X5', 'first'), // 32
        sub('X4', 'X4', 'X5'), // 33: 5 instructions of 4 bytes
        mrs('X6', 'PMOVSCLR_EL0'), // 34
        OFF, // 37
      ),
    ),
    counts: { instruction: 37, exception: 1, store: 4, access: 4 },
    leaves: { X4: 20n, X6: 1n },
    pmu: true,
  },

  'forbidden-read': {
    means: 'EL0 reads a counter without leave: an exception to its own EL1, no instruction retired.',
    code: code(
      adr('X1', 'vectors'), // 1
      msr('VBAR_EL1', 'X1'), // 2
      msr('PMUSERENR_EL0', 'XZR'), // 3
      adr('X1', 'user'), // 4
      msr('ELR_EL1', 'X1'), // 5
      msr('SPSR_EL1', 'XZR'), // 6: EL0
      eret(), // 7: exception-return
      label('user'),
      movz('X4', 1), // 8: at EL0
      mrs('X4', 'PMCCNTR_EL0'), // exception: not retired, X4 as it was
      vectors(
        FROM_EL0,
        mrs('X5', 'ESR_EL1'), // 9: EC 0x18, IL; Op0 3, Op1 3, CRn 9, Rt 4, CRm 13, read
        OFF, // 12
      ),
    ),
    counts: { instruction: 12, exception: 1, 'exception-return': 1 },
    leaves: { X4: 1n, X5: 0x6230_e49bn },
    pmu: true,
  },

  'wait-for-timer': {
    means: 'Waits until the virtual timer’s count is 100: the time between passes without an instruction.',
    code: code(
      listen(27), // 9: 4 stores, 4 accesses
      movz('X5', 100), // 10
      msr('CNTV_CVAL_EL0', 'X5'), // 11
      msr('CNTV_CTL_EL0', 'X3'), // 12: on
      wfi(), // 13: retires; interrupts are masked, and it wakes all the same
      mrs('X4', 'CNTVCT_EL0'), // 14
      OFF, // 17
    ),
    counts: { instruction: 17, store: 4, access: 4 },
    leaves: { X4: 100n },
    pmu: false,
  },

  'call-host': {
    means: 'Hypercalls: PSCI_VERSION, and a number that no service has; and two bytes to the console.',
    code: code(
      load('X0', 0x8400_0000), // 1
      hvc(0), // 2
      mov('X4', 'X0'), // 3: 1.1
      load('X0', 0x8400_ffff), // 5
      hvc(0), // 6
      mov('X5', 'X0'), // 7: NOT_SUPPORTED
      load('X2', 0x0900_0000), // 8: the PL011's data register
      movz('X3', 0x68), // 9: 'h'
      strb('W3', mem('X2')), // 10: store, access
      movz('X3', 0x69), // 11: 'i'
      strb('W3', mem('X2')), // 12: store, access
      OFF, // 15
    ),
    counts: { instruction: 15, store: 2, access: 2 },
    leaves: { X4: 0x1_0001n, X5: 0xffff_ffff_ffff_ffffn },
    console: 'hi',
    pmu: false,
  },
};
