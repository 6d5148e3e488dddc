/** Where an oracle is not the manual: what QEMU 7.2 does otherwise, and what a processor may do. Everything else that differs is a fault of ours. */
import type { Decoded } from '@countervisor/contract';
import { type Instruction, instruction } from '../../packages/x86/src/isa/decode.ts';
import { CODE_SIZE, PLACES, type X86Case, type X86Result } from './x86-cases.ts';
import { codeOf, FEATURES, modeOf } from './x86-code.ts';
import { DRIVER, DRIVER_SIZE } from './x86-user.ts';

export type Oracle = 'qemu' | 'native';

/** Parts of a result that are not compared. */
export type Part = 'all' | 'registers' | 'flags' | 'address' | 'state' | 'status' | 'rounding' | 'x87';

interface Excuse {
  readonly rows: RegExp;
  readonly oracles: readonly Oracle[];
  readonly when: (i: Instruction, ours: X86Result, theirs: X86Result) => boolean;
  readonly part: Part;
  readonly why: string;
}

const faulted = (_i: Instruction, ours: X86Result): boolean => ours.end === '#PF' || ours.end === '#GP';
/** Where QEMU's user mode puts what a program maps without saying where: the records of the cases. */
const QEMU_MAPS = 0x40_0000_0000n;

/** Around the data of 32-bit cases. */
const NEAR = [0x1007_0000n, 0x1009_0000n] as const;

const isRelative = (i: Instruction): boolean => i.operands.some((o) => o.kind === 'memory' && o.relative);

const EXCUSES: readonly Excuse[] = [
  {
    rows: /./,
    oracles: ['qemu', 'native'],
    when: (_i, { address }) =>
      (address >= DRIVER && address < DRIVER + DRIVER_SIZE) ||
      (address >= QEMU_MAPS && address < QEMU_MAPS + (1n << 30n)) ||
      Object.values(PLACES).some(({ code }) => address > code - 16n && address < code + BigInt(CODE_SIZE)),
    part: 'all',
    why: 'there lies the driver of the test, or the code of its cases',
  },
  {
    rows: /./,
    oracles: ['qemu'],
    when: (_i, ours, theirs) =>
      /^#(GP|SS)$/.test(ours.end) &&
      ['#PF', 'ran'].includes(theirs.end) &&
      (ours.address !== 0n || BigInt.asUintN(64, BigInt.asIntN(48, theirs.rip)) !== theirs.rip),
    part: 'all',
    why: "QEMU's user mode knows neither canonical addresses nor the ends of flat segments",
  },
  {
    rows: /./,
    oracles: ['qemu', 'native'],
    when: (i, ours, theirs) =>
      (i.mode & 3) === 1 &&
      ours.end === '#PF' &&
      theirs.end !== '#PF' &&
      (ours.address < NEAR[0] || ours.address > NEAR[1]),
    part: 'all',
    why: 'in 32 bits there are other things of the test in memory',
  },
  {
    rows: /^FU?COMIP?$/,
    oracles: ['native'],
    when: (_i, _ours, { state, end }) => end === 'ran' && ((state?.[0] ?? 0x3f) & 0x3f) !== 0x3f,
    part: 'all',
    why: 'AMD changes RFLAGS even where an exception is not masked, which Intel does not',
  },
  {
    rows: /^F[A-Z0-9]+( |$)/,
    oracles: ['qemu'],
    when: (_i, { state }, theirs) =>
      ((theirs.state?.[0] ?? 0x3f) & 0x3f) !== 0x3f ||
      ((theirs.state?.[1] ?? 3) & 3) !== 3 ||
      ((state?.[2] ?? 0) & 0x40) !== 0,
    part: 'all',
    why: 'QEMU models neither x87 exceptions that are not masked nor stack faults, and rounds loads to the precision in force',
  },
  {
    rows: /^FPREM/,
    oracles: ['qemu', 'native'],
    when: (_i, { state }) => ((state?.[3] ?? 0) & 4) !== 0,
    part: 'x87',
    why: 'how far a partial remainder goes is left to the processor',
  },
  {
    rows: /^(ANDN?|X?OR)P[SD] |^LDMXCSR/,
    oracles: ['qemu'],
    when: (_i, ours, theirs) => ours.end === '#GP' && theirs.end !== '#GP',
    part: 'all',
    why: 'QEMU does not ask whether operands of SSE are aligned, nor for reserved bits of MXCSR',
  },
  {
    rows: /^F(ADD|MUL|SUBR?|DIVR?) M/,
    oracles: ['qemu'],
    when: (_i, { state }) => ((state?.[41] ?? 0) & 0x7f) === 0x7f && state?.[40] === 0xff,
    part: 'x87',
    why: 'QEMU makes a signaling NaN in memory quiet before it chooses between two NaNs',
  },
  {
    rows: /^FSCALE/,
    oracles: ['qemu'],
    when: (_i, { state }) => ((state?.[41] ?? 0) & 0x7f) === 0x7f && state?.[40] === 0xff,
    part: 'x87',
    why: 'QEMU takes the other NaN of two, and does not scale what is beyond the range',
  },
  {
    rows: /^FSTP? .STi/,
    oracles: ['qemu'],
    when: () => true,
    part: 'x87',
    why: 'QEMU leaves a register that is stored to empty',
  },
  {
    rows: /^FLDCW/,
    oracles: ['qemu'],
    when: () => true,
    part: 'all',
    why: 'QEMU keeps what is reserved in the x87 control word',
  },
  {
    rows: /^F[A-Z0-9]+( |$)/,
    oracles: ['qemu'],
    when: () => true,
    part: 'status',
    why: 'QEMU does not keep C1, denormal operands and much else of the x87 status word, nor SF, OF and AF of FCOMI',
  },
  {
    rows: /^FU?COMIP?$/,
    oracles: ['native'],
    when: () => true,
    part: 'rounding',
    why: 'AMD leaves C1 alone, where Intel clears it',
  },
  {
    rows: /^BS[FR]/,
    oracles: ['qemu'],
    when: (i) => i.size === 32,
    part: 'registers',
    why: 'QEMU clears the upper half of a destination that is left alone',
  },
  {
    rows: /^NOP E \(18\)/,
    oracles: ['qemu'],
    when: (_i, _ours, theirs) => theirs.end === '#UD',
    part: 'all',
    why: 'QEMU lets 0F 18 have memory operands alone',
  },
  {
    rows: /^RC[LR] /,
    oracles: ['qemu'],
    when: faulted,
    part: 'flags',
    why: 'QEMU changes CF before a store that faults',
  },
  {
    rows: /^POPA/,
    oracles: ['qemu', 'native'],
    when: faulted,
    part: 'state',
    why: 'what was popped before the fault stays popped, and QEMU does not look at the place of SP',
  },
  { rows: /^PUSHA/, oracles: ['qemu'], when: faulted, part: 'address', why: 'QEMU stores DI first' },
  { rows: /^CMPS/, oracles: ['qemu'], when: faulted, part: 'address', why: 'QEMU loads from ES:DI first' },
  {
    rows: /^ARPL/,
    oracles: ['qemu'],
    when: (_i, ours, theirs) => ours.end === 'ran' && theirs.end === '#PF',
    part: 'all',
    why: 'QEMU writes what has not changed',
  },
  {
    rows: /^SH[LR]D .*Ib/,
    oracles: ['qemu'],
    when: isRelative,
    part: 'all',
    why: 'QEMU forgets the byte behind an address relative to RIP',
  },
  {
    rows: /./,
    oracles: ['native'],
    when: (i, ours) => faulted(i, ours) && (i.row.slots[0]?.writes ?? false),
    part: 'address',
    why: 'a processor asks for the right to write before it reads what it will write, so another page of two may fault first',
  },
];

export interface Excused {
  readonly part: Part;
  readonly why: string;
}

export function excuse(oracle: Oracle, c: X86Case, ours: X86Result, theirs: X86Result): Excused | undefined {
  const decoded: Instruction | Decoded | undefined = instruction(codeOf(c), modeOf(c.bits), FEATURES);
  if (decoded === undefined || !('row' in decoded)) return undefined;
  return EXCUSES.find((e) => e.rows.test(c.row) && e.oracles.includes(oracle) && e.when(decoded, ours, theirs));
}
