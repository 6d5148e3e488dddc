/**
 * The programs that every architecture supplies under agreed names: real machine code, and what must be counted. Comments give each line's share;
 * the sums were made by hand, from them.
 *
 * Each is a flat image for the `pseries` platform, entered big-endian in real mode, and ends by RTAS power-off.
 */
import type { Programs } from '@countervisor/contract';
import {
  addi,
  program as assemble,
  b,
  bcond,
  bl,
  blr,
  cmpdi,
  type Item,
  label,
  li,
  load,
  mflr,
  mfmsr,
  mfspr,
  mr,
  mtspr,
  nop,
  op,
  ori,
  rfid,
  sc,
  srdi,
} from './asm.ts';

/** Where flat images go on `pseries`. */
export const ENTRY = 0x40_0000n;
/** Below the image: the argument buffer of RTAS, data, and a radix tree. */
const ARGUMENTS = 0x18_0000;
const DATA = 0x19_0000;
const TABLE = 0x10_0000;

type Order = 'big' | 'little';

/** Stores a word big-endian: one instruction. A little-endian guest has no such store with a displacement. */
const word = (rs: string, ra: string, order: Order): Item =>
  order === 'big' ? op('stw', rs, 0, ra) : op('stwbrx', rs, 'r0', ra);

/** RTAS power-off: 19 instructions, 5 stores. Changes r3 and r4. */
export const powerOff = (order: Order = 'big'): Item => [
  load('r4', ARGUMENTS), // 1
  [0x2003, 2, 1, -1, -1].map((value, n) => [
    n > 0 ? addi('r4', 'r4', 4) : [],
    li('r3', value),
    word('r3', 'r4', order),
  ]), // 15: 5 stores
  load('r4', ARGUMENTS), // 16
  load('r3', 0xf000), // 18
  sc(1), // 19
];
const off = powerOff();

/** Interrupt vectors that a guest here can meet. */
export const VECTORS: readonly number[] = [
  0x200, 0x300, 0x380, 0x400, 0x480, 0x500, 0x600, 0x700, 0x800, 0x900, 0xc00, 0xd00, 0xf00, 0xf20, 0xf40, 0xf60,
];

/** A radix tree that maps the 2 MiB of the image to themselves, for problem state. */
const WORDS: readonly (readonly [at: number, value: bigint])[] = [
  [TABLE, (1n << 62n) | BigInt(TABLE + 0x1_0000) | 0xadn],
  [TABLE + 0x1_0000, (1n << 63n) | BigInt(TABLE + 0x2_0009)],
  [TABLE + 0x2_0000, (1n << 63n) | BigInt(TABLE + 0x3_0009)],
  [TABLE + 0x3_0010, (3n << 62n) | ENTRY | 7n],
];

/** MSR of problem state, big-endian: SF, EE, PR, IR, DR. */
const PROBLEM = (1n << 63n) | 0xc030n;

/** rt = the address of a label: three instructions, the first a branch. */
const address = (rt: string, to: string): Item => [
  bl(`from ${to}`),
  label(`from ${to}`),
  mflr(rt),
  (offset) => addi(rt, rt, offset(to) + 4),
];

/** To problem state, at a label behind the last instruction. */
export const down = (to: string, order: 'big' | 'little' = 'big'): Item => [
  WORDS.map(([at, value]) => [
    load('r5', at),
    load('r6', value),
    // Tables are big-endian whatever the guest is.
    order === 'big' ? op('std', 'r6', 0, 'r5') : op('stdbrx', 'r6', 'r0', 'r5'),
  ]),
  load('r4', 0x1d),
  load('r5', TABLE),
  load('r6', 0),
  load('r7', 0),
  load('r3', 0x37c),
  sc(1),
  load('r5', 0x7fff_ffff),
  mtspr('DEC', 'r5'),
  address('r5', to),
  mtspr('SRR0', 'r5'),
  load('r5', order === 'big' ? PROBLEM : PROBLEM | 1n),
  mtspr('SRR1', 'r5'),
  rfid(),
  label(to),
];

/** Big-endian instructions that go on little-endian behind them. */
export const LITTLE: Item = [
  mfmsr('r4'),
  ori('r4', 'r4', 1),
  op('bcl', 20, 31, 4),
  mflr('r5'),
  addi('r5', 'r5', 20),
  mtspr('SRR0', 'r5'),
  mtspr('SRR1', 'r4'),
  rfid(),
];

const code = (...items: readonly Item[]): Uint8Array => assemble(items, ENTRY).bytes;
const times = (count: number, item: Item): Item => Array.from({ length: count }, () => item);

/** Stores `ba` to a label at a vector. Eight instructions: a branch, and one store, one access. Changes r4 to r6. */
const handle = (vector: number, at: string): Item => [
  address('r4', at), // 3: branch, immediate, taken, call
  load('r5', 0x4800_0002), // 5
  op('or', 'r4', 'r4', 'r5'), // 6
  li('r5', 0), // 7
  op('stw', 'r4', vector, 'r5'), // 8: store, access
];

/** MMCR1: run-time independent selectors 02, instructions, on PMC1 to PMC4. */
const INSTRUCTIONS = 0x0202_0202;

export const programs: Programs = {
  'ten-nops': {
    means: 'Ten instructions that do nothing.',
    code: code(
      times(10, nop()), // 10
      off, // 29
    ),
    counts: { instruction: 29, store: 5, access: 5 },
    leaves: {},
    pmu: false,
  },

  'count-loop': {
    means: 'A loop of five turns: its branch is taken four times.',
    code: code(
      li('r10', 5), // 1
      label('again'),
      addi('r10', 'r10', -1), // 5 times: 6
      cmpdi('r10', 0), // 5 times: 11
      bcond('ne', 'again'), // 5 times: 16; 5 branches, 4 taken
      off, // 35
    ),
    counts: { instruction: 35, branch: 5, 'branch-immediate': 5, taken: 4, store: 5, access: 5 },
    leaves: { GPR10: 0n },
    pmu: false,
  },

  'call-return': {
    means: 'Two calls, two returns.',
    code: code(
      li('r10', 0), // 1
      bl('function'), // 2: branch, immediate, taken, call
      bl('function'), // 3: likewise
      off, // 22
      label('function'),
      addi('r10', 'r10', 1), // twice: 24
      blr(), // twice: 26; branch, taken, return
    ),
    counts: {
      instruction: 26,
      branch: 4,
      'branch-immediate': 2,
      taken: 4,
      call: 2,
      return: 2,
      store: 5,
      access: 5,
    },
    leaves: { GPR10: 2n, LR: ENTRY + 12n },
    pmu: false,
  },

  'touch-memory': {
    means: 'Two stores and four loads, one of which is not aligned.',
    code: code(
      load('r10', DATA), // 1
      li('r11', 77), // 2
      op('std', 'r11', 0, 'r10'), // 3: store, access
      op('std', 'r11', 8, 'r10'), // 4: store, access
      op('ld', 'r12', 8, 'r10'), // 5: load, access
      op('lwz', 'r13', 0, 'r10'), // 6: load, access; the upper half of 77
      op('lwz', 'r14', 4, 'r10'), // 7: load, access; the lower half
      op('lwz', 'r15', 2, 'r10'), // 8: load, access, unaligned
      off, // 27
    ),
    counts: { instruction: 27, load: 4, store: 7, access: 11, unaligned: 1 },
    leaves: { GPR12: 77n, GPR13: 0n, GPR14: 77n, GPR15: 0n },
    pmu: false,
  },

  'take-exception': {
    means: 'One system call to its own kernel, and back.',
    code: code(
      handle(0xc00, 'kernel'), // 8: one store, one access; branch, immediate, taken, call
      sc(0), // 9: retires, then exception
      off, // 28
      label('kernel'), // behind `ba`: 29; branch, immediate, taken
      mfspr('r10', 'SRR0'), // 30
      rfid(), // 31: exception-return
    ),
    counts: {
      instruction: 31,
      exception: 1,
      'exception-return': 1,
      branch: 2,
      'branch-immediate': 2,
      taken: 2,
      call: 1,
      store: 6,
      access: 6,
    },
    leaves: { GPR10: ENTRY + 36n },
    pmu: false,
  },

  'read-counter': {
    means: 'Counts instructions between two writes of MMCR0: the enabling one is not counted, the disabling one is.',
    code: code(
      load('r5', INSTRUCTIONS), // 2
      mtspr('MMCR1', 'r5'), // 3
      li('r5', 0), // 4
      load('r6', 0x8000_0000n), // 7
      mtspr('PMC1', 'r5'), // 8
      mtspr('MMCR0', 'r5'), // 9: counting from the next one on
      times(10, nop()), // 19: the counter is 10
      mtspr('MMCR0', 'r6'), // 20: 11
      mfspr('r10', 'PMC1'), // 21
      off, // 40
    ),
    counts: { instruction: 40, store: 5, access: 5 },
    leaves: { GPR10: 11n },
    pmu: true,
  },

  'write-then-read': {
    means: 'An explicit write wins over its own instruction; a read sees what retired before it.',
    code: code(
      load('r5', INSTRUCTIONS), // 2
      mtspr('MMCR1', 'r5'), // 3
      li('r5', 0), // 4
      li('r6', 100), // 5
      mtspr('MMCR0', 'r5'), // 6
      mtspr('PMC1', 'r6'), // 7: the counter is 100, not 101
      mfspr('r10', 'PMC1'), // 8: reads 100, then is counted
      mfspr('r11', 'PMC1'), // 9: reads 101
      off, // 28
    ),
    counts: { instruction: 28, store: 5, access: 5 },
    leaves: { GPR10: 100n, GPR11: 101n },
    pmu: true,
  },

  'overflow-at-n': {
    means: 'A counter set to turn negative at the fifth instruction interrupts after exactly five.',
    code: code(
      handle(0xf00, 'handler'), // 8
      load('r5', 0x7fff_ffff), // 10
      mtspr('DEC', 'r5'), // 11
      load('r5', INSTRUCTIONS), // 13
      mtspr('MMCR1', 'r5'), // 14
      load('r5', 0x7fff_fffb), // 16: five before it is negative
      mtspr('PMC1', 'r5'), // 17
      load('r5', 0x8002), // 19
      op('mtmsrd', 'r5', 1), // 20: interrupts on
      load('r5', 0x0400_8000), // 22: PMAE, PMC1CE
      mtspr('MMCR0', 'r5'), // 23: counting from the next one on
      label('first'),
      times(8, nop()), // 28: five of them, then the interrupt
      b('first'), // never reached
      label('handler'), // behind `ba`: 29
      mfspr('r10', 'SRR0'), // 30: the sixth nop
      address('r11', 'first'), // 33: branch
      op('subf', 'r10', 'r11', 'r10'), // 34: 5 instructions of 4 bytes
      mfspr('r11', 'MMCR0'), // 35: PMAO, PMC1CE
      off, // 54
    ),
    counts: {
      instruction: 54,
      exception: 1,
      branch: 3,
      'branch-immediate': 3,
      taken: 3,
      call: 2,
      store: 6,
      access: 6,
    },
    leaves: { GPR10: 20n, GPR11: 0x8080n },
    pmu: true,
  },

  'forbidden-read': {
    means: 'Problem state reads a counter that MMCR0[PMCC] closes: facility unavailable, no instruction retired.',
    code: code(
      handle(0xf60, 'handler'), // 8: a store
      mfspr('r5', 'MMCR0'), // 9
      op('oris', 'r5', 'r5', 4), // 10: PMCC 01
      mtspr('MMCR0', 'r5'), // 11
      down('user'), // 54: four stores; branch, immediate, taken, call; exception-return
      li('r10', 1), // 55: in problem state
      mfspr('r10', 'UPMC1'), // exception: not retired, r10 as it was
      label('handler'), // behind `ba`: 56; branch, immediate, taken
      mfspr('r11', 'FSCR'), // 57: its highest byte is 3
      off, // 76
    ),
    counts: {
      instruction: 76,
      exception: 1,
      'exception-return': 1,
      branch: 3,
      'branch-immediate': 3,
      taken: 3,
      call: 2,
      store: 10,
      access: 10,
    },
    leaves: { GPR10: 1n, GPR11: 3n << 56n },
    pmu: true,
  },

  'wait-for-timer': {
    means: 'Waits until the decrementer is negative: the time between passes without an instruction. Version 3.0.',
    code: code(
      mfspr('r5', 'TB'), // 1
      op('subfic', 'r5', 'r5', 640), // 2
      mtspr('DEC', 'r5'), // 3: 0 at tick 640, or one later where a tick passed since
      op('wait', 0, 0), // 4: its interrupt is masked, and it wakes all the same
      mfspr('r10', 'TB'), // 5: 641 to 643
      srdi('r10', 'r10', 6), // 6
      off, // 25
    ),
    counts: { instruction: 25, store: 5, access: 5 },
    leaves: { GPR10: 10n },
    pmu: false,
  },

  'call-host': {
    means: 'Hypercalls: a number that no service has, and two bytes to the console.',
    code: code(
      li('r3', 0x7ffc), // 1
      sc(1), // 2
      mr('r10', 'r3'), // 3: H_FUNCTION
      li('r4', 0), // 4
      li('r5', 2), // 5
      load('r6', 0x6869n << 48n), // 7: 'hi'
      li('r3', 0x58), // 8
      sc(1), // 9: H_PUT_TERM_CHAR
      mr('r11', 'r3'), // 10: H_SUCCESS
      off, // 29
    ),
    counts: { instruction: 29, store: 5, access: 5 },
    leaves: { GPR10: 0xffff_ffff_ffff_fffen, GPR11: 0n },
    console: 'hi',
    pmu: false,
  },
};
