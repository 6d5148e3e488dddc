/**
 * The programs that every architecture supplies under agreed names: real machine code, and what must be counted. Comments give each line's share;
 * the sums were made by hand, from them.
 *
 * Each is a flat image for the start of RAM, ends by the hypercall `exit`, and exits with status 0 when the guest itself is content.
 */
import type { Programs } from '@countervisor/contract';
import {
  addi,
  assemble,
  bnez,
  call,
  type Line,
  label,
  load,
  movi,
  nop,
  readreg,
  ret,
  store,
  sub,
  syscall,
  sysret,
  trap,
  wait,
  writereg,
} from './asm.ts';
import { EVENT_IDS } from './events.ts';
import { SERVICES } from './hypercall.ts';
import { TIMER } from './platform/timer.ts';
import type { GeneralName } from './registers/general.ts';

/** Exit with the status in R1: two instructions. */
const EXIT: readonly Line[] = [movi('R0', SERVICES.exit), trap(0)];

const times = (count: number, line: Line): Line[] => Array.from({ length: count }, () => line);

export const programs: Programs<GeneralName> = {
  'ten-nops': {
    means: 'Ten instructions that do nothing.',
    code: assemble([
      ...times(10, nop()), // 10
      movi('R1', 0), // 11
      ...EXIT, // 13
    ]),
    counts: { instruction: 13 },
    leaves: { R1: 0n },
    pmu: false,
  },

  'count-loop': {
    means: 'A loop of five turns: its branch is taken four times.',
    code: assemble([
      movi('R1', 5), // 1
      label('again'),
      addi('R1', 'R1', -1), // 5 times: 6
      bnez('R1', 'again'), // 5 times: 11; 5 branches, 4 taken
      ...EXIT, // 13
    ]),
    counts: { instruction: 13, branch: 5, 'branch-immediate': 5, taken: 4 },
    leaves: { R1: 0n },
    pmu: false,
  },

  'call-return': {
    means: 'Two calls, two returns.',
    code: assemble([
      movi('R1', 0), // 1
      call('function'), // 2: branch, immediate, taken, call
      call('function'), // 3: likewise
      ...EXIT, // 5
      label('function'),
      addi('R1', 'R1', 0), // twice: 7
      ret(), // twice: 9; branch, taken, return
    ]),
    counts: { instruction: 9, branch: 4, 'branch-immediate': 2, taken: 4, call: 2, return: 2 },
    leaves: { R1: 0n, R7: 0x100cn },
    pmu: false,
  },

  'touch-memory': {
    means: 'Two stores and four loads, one of them unaligned.',
    code: assemble([
      movi('R2', 0x2000), // 1
      movi('R3', 77), // 2
      store('R3', 'R2', 0), // 3: store, access
      store('R3', 'R2', 8), // 4: store, access
      load('R4', 'R2', 8), // 5: load, access
      load('R5', 'R2', 4), // 6: load, access, unaligned; upper half of the first 77 (0), lower half of the second
      load('R1', 'R2', 0), // 7: load, access
      load('R6', 'R2', 16), // 8: load, access; nobody stored there
      sub('R1', 'R1', 'R3'), // 9
      ...EXIT, // 11
    ]),
    counts: { instruction: 11, load: 4, store: 2, access: 6, unaligned: 1 },
    leaves: { R1: 0n, R4: 77n, R5: 77n << 32n, R6: 0n },
    pmu: false,
  },

  'take-exception': {
    means: 'One system call to its own kernel, and back.',
    code: assemble([
      movi('R2', 'handler'), // 1
      writereg('VECTOR', 'R2'), // 2
      syscall(5), // 3: retires, then exception
      ...EXIT, // 5
      label('handler'),
      readreg('R4', 'CAUSE'), // 6: kind 3, detail 5
      addi('R1', 'R4', -0x503), // 7
      sysret(), // 8: exception-return
    ]),
    counts: { instruction: 8, exception: 1, 'exception-return': 1 },
    leaves: { R1: 0n, R4: 0x503n },
    pmu: false,
  },

  'read-counter': {
    means: 'Counts instructions between two writes of PMCTL: the enabling one is not counted, the disabling one is.',
    code: assemble([
      movi('R2', EVENT_IDS.INSTRUCTIONS), // 1
      writereg('PMSEL0', 'R2'), // 2
      movi('R2', 0), // 3
      writereg('PMC0', 'R2'), // 4
      movi('R2', 1), // 5
      writereg('PMENSET', 'R2'), // 6
      writereg('PMCTL', 'R2'), // 7: counting from the next one on
      ...times(10, nop()), // 17: PMC0 is 10
      movi('R2', 0), // 18: 11
      writereg('PMCTL', 'R2'), // 19: 12
      readreg('R4', 'PMC0'), // 20
      addi('R1', 'R4', -12), // 21
      ...EXIT, // 23
    ]),
    counts: { instruction: 23 },
    leaves: { R1: 0n, R4: 12n },
    pmu: true,
  },

  'write-then-read': {
    means: 'An explicit write wins over its own instruction; a read sees what retired before it.',
    code: assemble([
      movi('R2', EVENT_IDS.INSTRUCTIONS), // 1
      writereg('PMSEL0', 'R2'), // 2
      movi('R2', 1), // 3
      writereg('PMENSET', 'R2'), // 4
      movi('R3', 100), // 5
      writereg('PMCTL', 'R2'), // 6
      writereg('PMC0', 'R3'), // 7: PMC0 is 100, not 101
      readreg('R4', 'PMC0'), // 8: reads 100, then is counted
      readreg('R5', 'PMC0'), // 9: reads 101
      addi('R1', 'R4', -100), // 10
      ...EXIT, // 12
    ]),
    counts: { instruction: 12 },
    leaves: { R1: 0n, R4: 100n, R5: 101n },
    pmu: true,
  },

  'overflow-at-n': {
    means: 'A counter set to wrap at the fifth instruction interrupts after exactly five.',
    code: assemble([
      movi('R2', 'handler'), // 1
      writereg('VECTOR', 'R2'), // 2
      movi('R2', EVENT_IDS.INSTRUCTIONS), // 3
      writereg('PMSEL0', 'R2'), // 4
      movi('R2', -5), // 5: five before the wrap, at 32 bits and at 64
      writereg('PMC0', 'R2'), // 6
      movi('R2', 1), // 7
      writereg('PMENSET', 'R2'), // 8
      writereg('PMINTEN', 'R2'), // 9
      writereg('STATUS', 'R2'), // 10: interrupts on
      writereg('PMCTL', 'R2'), // 11: counting from the next one on
      label('first'),
      ...times(8, nop()), // 16: five of them, then the interrupt
      movi('R1', 1), // never reached
      ...EXIT,
      label('handler'),
      readreg('R4', 'EPC'), // 17: the sixth nop
      readreg('R5', 'PMSTAT'), // 18
      readreg('R6', 'PMSAMPLE'), // 19
      movi('R2', 'first'), // 20
      sub('R4', 'R4', 'R2'), // 21: 5 instructions of 4 bytes
      sub('R6', 'R6', 'R2'), // 22
      addi('R1', 'R4', -20), // 23
      ...EXIT, // 25
    ]),
    counts: { instruction: 25, exception: 1 },
    leaves: { R1: 0n, R4: 20n, R5: 1n, R6: 20n },
    pmu: true,
  },

  'forbidden-read': {
    means: 'The user level reads a counter without leave: an exception of the guest, no instruction retired, no exit.',
    code: assemble([
      movi('R2', 'handler'), // 1
      writereg('VECTOR', 'R2'), // 2
      movi('R2', 'user'), // 3
      writereg('EPC', 'R2'), // 4
      movi('R2', 0), // 5
      writereg('STATUS', 'R2'), // 6: PLEVEL is user
      sysret(), // 7: exception-return
      label('user'),
      movi('R4', 1), // 8: at the user level
      readreg('R4', 'PMC0'), // exception: not retired, R4 as it was
      label('handler'),
      readreg('R5', 'CAUSE'), // 9: kind 2, detail the address 0x1c
      movi('R1', 0), // 10
      ...EXIT, // 12
    ]),
    counts: { instruction: 12, exception: 1, 'exception-return': 1 },
    leaves: { R1: 0n, R4: 1n, R5: 0x1c02n },
    pmu: true,
  },

  'wait-for-timer': {
    means: 'Waits until the timer interrupts at cycle 1000: the time between passes without an instruction.',
    code: assemble([
      movi('R2', 'handler'), // 1
      writereg('VECTOR', 'R2'), // 2
      movi('R2', 1), // 3
      writereg('STATUS', 'R2'), // 4: interrupts on
      movi('R3', Number(TIMER)), // 5
      movi('R2', 1000), // 6
      store('R2', 'R3', 0), // 7: store, access
      wait(), // 8: retires
      movi('R1', 1), // never reached
      ...EXIT,
      label('handler'),
      readreg('R4', 'TIME'), // 9
      readreg('R5', 'CAUSE'), // 10: kind 7, detail 2, the timer
      addi('R1', 'R4', -1000), // 11
      ...EXIT, // 13
    ]),
    counts: { instruction: 13, store: 1, access: 1, exception: 1 },
    leaves: { R1: 0n, R4: 1000n, R5: 0x207n },
    pmu: false,
  },

  'call-host': {
    means: 'Hypercalls: a version, two bytes to the console, and a number that no service has.',
    code: assemble([
      movi('R0', SERVICES.version), // 1
      trap(0), // 2
      addi('R4', 'R0', 0), // 3
      movi('R0', SERVICES.console), // 4
      movi('R1', 0x68), // 5: 'h'
      trap(0), // 6
      movi('R0', SERVICES.console), // 7
      movi('R1', 0x69), // 8: 'i'
      trap(0), // 9
      movi('R0', 99), // 10
      trap(0), // 11
      addi('R5', 'R0', 0), // 12
      movi('R1', 0), // 13
      ...EXIT, // 15
    ]),
    counts: { instruction: 15 },
    leaves: { R1: 0n, R4: 1n, R5: 0xffff_ffff_ffff_ffffn },
    console: 'hi',
    pmu: false,
  },
};
