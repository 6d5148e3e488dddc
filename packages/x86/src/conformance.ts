/** What the conformance kit needs to test this architecture: machine code for its neutral steps, how the PMU is used, and the programs. */
import type { Address, Code, CodeWriter, Conformance, PmuUse, Signal, Step, Writes } from '@countervisor/contract';
import {
  data,
  dword,
  type Item,
  int,
  iretq,
  label,
  lea,
  lidt,
  mem,
  mov,
  nop,
  op,
  at as place,
  pop,
  popf,
  program,
  push,
  rdmsr,
  rdpmc,
  rdtsc,
  vmcall,
  wrmsr,
  xor,
} from './asm.ts';
import { BASE, enter, off, PRELUDE, programs, SELECTOR, tables } from './programs.ts';
import type { Level } from './registers/row.ts';

/** Local APIC: on, LVTPC with vector 32. */
const LISTEN: Item = [
  mov('ECX', 0xfee0_0000), // 1
  mov(dword(mem('RCX', 0xf0)), 0x1ff), // 2
  mov(dword(mem('RCX', 0x340)), 0x20), // 3
];

/** Whatever is taken ends the domain; R15 tells where. */
const HANDLERS: Item = [
  // Far enough from any access that nobody takes it for the next instruction.
  data(new Uint8Array(64)),
  label('handler-code'),
  pop('RAX'),
  label('handler'),
  mov('R15', mem('RSP')),
  off,
];

const SLOTS = ['R8', 'R9', 'R10', 'R11', 'R12', 'R13'] as const;

/** Moves of control and debug registers have a column of numbers each. */
const NUMBERED: Readonly<Record<string, readonly number[]>> = { cr: [0, 2, 3, 4, 8], dr: [0, 1, 2, 3, 6, 7] };

/** Into EDX:EAX; the access is the last instruction. */
function reading({ space, index }: Address): readonly Item[] {
  if (space === 'msr') return [mov('ECX', index), rdmsr()];
  if (space === 'pmc') return [mov('ECX', index), rdpmc()];
  if (space === 'tsc') return [rdtsc()];
  return [xor('EDX', 'EDX'), mov('RAX', `${space.toUpperCase()}${index}`)];
}

function writing({ space, index }: Address, value: bigint): readonly Item[] {
  if (space === 'msr') return [mov('ECX', index), mov('EAX', value & 0xffff_ffffn), mov('EDX', value >> 32n), wrmsr()];
  return [mov('RAX', value), mov(`${space.toUpperCase()}${index}`, 'RAX')];
}

/** Straight-line code, step by step, behind the way to 64-bit mode. */
function write(steps: readonly Step[]): Code {
  let user = false;
  let interrupts = 0;

  /** One instruction each. */
  const lines = (step: Step, n: number): readonly Item[] => {
    switch (step.do) {
      case 'nop':
        return Array.from({ length: step.times }, () => nop());
      case 'read':
        return reading(step.from);
      case 'keep':
        return [mov((SLOTS[step.slot] as string).concat('D'), 'EAX')];
      case 'write':
        return writing(step.to, step.value);
      case 'level': {
        if (user || step.level !== 'user') throw new RangeError(`there is no way to the level ${step.level} from here`);
        user = true;
        return [
          ...[mov('EAX', SELECTOR.userData), push('RAX'), push('RSP'), push(2 | interrupts), push(SELECTOR.userCode)],
          ...[lea('RAX', place(`level${n}`)), push('RAX'), iretq()],
        ];
      }
      case 'catch':
        return [mov('R15', 0), lidt(place('idtr')), ...(LISTEN as readonly Item[])];
      case 'interrupts':
        interrupts = 0x200;
        return [push(0x202), popf()];
      case 'repeat':
        return [mov('ECX', step.times), lea('RSI', place('gdt')), op('LODSB', [], { repeat: 'REP' })];
      case 'exception':
        return [int(0x80)];
      case 'call': {
        const registers = ['RBX', 'RCX', 'RDX', 'RSI'];
        return [
          ...step.arguments.map((value, i) => mov(registers[i] as string, value)),
          mov('RAX', step.number),
          vmcall(),
        ];
      }
      case 'end':
        return user ? [int(0x80)] : (off as readonly Item[]);
    }
  };

  const blocks = steps.map(lines);
  const items = blocks.map(
    (block, n): Item => [label(`step${n}`), block, ...(steps[n]?.do === 'level' ? [label(`level${n}`)] : [])],
  );
  const { bytes, labels } = program([enter, items, HANDLERS, tables], BASE);
  let before = PRELUDE;
  const places = blocks.map((block, n) => {
    const made = { at: labels.get(`step${n}`) ?? 0n, before, instructions: block.length };
    before += block.length;
    return made;
  });
  return { bytes, places };
}

const code: CodeWriter = {
  value: 'EDX_EAX',
  slots: SLOTS,
  caught: 'R15',
  reaches({ space, index }, isWrite) {
    if (space === 'msr') return true;
    if (space === 'pmc' || space === 'tsc') return !isWrite;
    return NUMBERED[space]?.includes(index) ?? false;
  },
  repeats: true,
  write,
};

const USR = 1n << 16n;
const OS = 1n << 17n;
const INT = 1n << 20n;
const EN = 1n << 22n;

/** General counters of the default model. Fixed ones share a control register, so that none can be enabled alone: they are not used here. */
const GENERAL = [0, 1, 2, 3];
const bit = (n: number): bigint => 1n << BigInt(n);
const mask = (counters: readonly number[]): bigint => counters.reduce((bits, n) => bits | bit(n), 0n);

const levels = (except: readonly string[]): bigint =>
  (except.includes('user') ? 0n : USR) | (except.includes('supervisor') ? 0n : OS);

/** EN stands in the selector, beside what it selects: what each counter was last told to count, until it is enabled. */
const chosen = new Map<number, bigint>();
const ANYTHING = 0xc0n | INT | USR | OS;
function choose(n: number, value: bigint): Writes {
  chosen.set(n, value);
  return [[`IA32_PERFEVTSEL${n}`, value]];
}
function enable(n: number): readonly [string, bigint] {
  const value = chosen.get(n) ?? ANYTHING;
  chosen.delete(n);
  return [`IA32_PERFEVTSEL${n}`, value | EN];
}

const use: PmuUse<string, Level> = {
  counters: GENERAL,
  fixed: {},
  quiet: [
    ['IA32_PERF_GLOBAL_CTRL', 0n],
    ['IA32_PERF_GLOBAL_STATUS_RESET', 0x8000_0007_0000_0003n],
    ['IA32_FIXED_CTR_CTRL', 0n],
  ],
  // Every selector interrupts: whoever does not listen has interrupts off.
  select: (n, event, except = []): Writes => choose(n, BigInt(event) | INT | levels(except)),
  include: (n, event): Writes => choose(n, BigInt(event) | INT | USR | OS),
  value: (n) => `IA32_A_PMC${n}`,
  enable: (counters): Writes => counters.map(enable),
  disable: (counters): Writes => counters.map((n) => [`IA32_PERFEVTSEL${n}`, 0n] as const),
  start: [['IA32_PERF_GLOBAL_CTRL', mask(GENERAL)]],
  stop: [['IA32_PERF_GLOBAL_CTRL', 0n]],
  interrupt: (): Writes => [],
  edge: true,
  status: 'IA32_PERF_GLOBAL_STATUS',
  bit,
  clear: (counters): Writes => [['IA32_PERF_GLOBAL_STATUS_RESET', mask(counters)]],
  overflows: [
    { cpu: 'skylake', bits: 48 },
    { cpu: 'silvermont', bits: 40, of: [0, 1], start: [['IA32_PERF_GLOBAL_CTRL', 3n]] },
  ],
};

/** Events of the default model. SDM volume 3, 20.2.1.2; the events of Skylake. */
const EVENTS: Readonly<Record<number, readonly Signal[]>> = {
  60: ['cycle'],
  316: ['cycle'],
  192: ['instruction'],
  448: ['instruction'],
  196: ['branch'],
  708: ['call'],
  2244: ['return'],
  8388: ['taken'],
  33232: ['load'],
  33488: ['store'],
};

export const conformance: Conformance = {
  programs,
  code,
  use,
  facts: {
    events: EVENTS,
    registers: {
      // As the platform enters a guest: protected mode.
      CR0: { levels: ['supervisor', 'supervisor'], reset: 0x11n },
    },
  },
} as Conformance;
