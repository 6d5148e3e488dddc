/**
 * Checks of what the field's own PMU suite looks at (kvm-unit-tests, x86/pmu.c), on the model with eight general and three fixed counters: its 251 reports, one
 * named check each, with the exact number where the suite has a range. Programs leave words in memory; a check is a word and what it must be.
 *
 * Everything runs again on a PMU that is inert (its registers hold what is written, nothing counts): each check must fail there, but those marked as being
 * about the register file alone.
 */
import type { Arch } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import {
  add,
  call,
  clflush,
  cli,
  type Item,
  inc,
  iretq,
  jmp,
  label,
  loop,
  mem,
  mfence,
  mov,
  nop,
  or,
  pop,
  qword,
  rdmsr,
  ret,
  shl,
  shr,
  sti,
  wrmsr,
  xor,
} from '../asm.ts';
import { x86 } from '../index.ts';
import { type Asked, DATA, type Guest, guest } from './long.ts';

export { DATA };

/** Turns of the suite's loop. */
export const N = 1_000_000;
/** What its window retires: ten for each turn, and 17 around; a LOOP for each turn, a call and a jump. */
export const INSTRUCTIONS = 10n * BigInt(N) + 17n;
export const BRANCHES = BigInt(N) + 2n;

export const GENERAL = 8;
export const FIXED = 3;
export const USR = 1n << 16n;
export const OS = 1n << 17n;
export const INT = 1n << 20n;
export const EN = 1n << 22n;

export const MSR = {
  PMC: 0xc1,
  A_PMC: 0x4c1,
  EVNTSEL: 0x186,
  FIXED_CTR: 0x309,
  FIXED_CTRL: 0x38d,
  STATUS: 0x38e,
  GLOBAL_CTRL: 0x38f,
  RESET: 0x390,
} as const;

/** The seven events of CPUID.0AH, in the suite's order, and what its window makes of each. */
export const EVENTS: readonly { readonly name: string; readonly event: bigint; readonly counts: bigint }[] = [
  { name: 'core cycles', event: 0x003cn, counts: INSTRUCTIONS },
  { name: 'instructions', event: 0x00c0n, counts: INSTRUCTIONS },
  { name: 'ref cycles', event: 0x013cn, counts: INSTRUCTIONS },
  { name: 'llc references', event: 0x4f2en, counts: 1n },
  { name: 'llc misses', event: 0x412en, counts: 1n },
  { name: 'branches', event: 0x00c4n, counts: BRANCHES },
  { name: 'branch misses', event: 0x00c5n, counts: 1n },
];

/** A pass over the counters: by the addresses that take 32 bits, then by those that take all. */
export interface Pass {
  readonly name: string;
  readonly counter: number;
}
export const PASSES: readonly Pass[] = [
  { name: 'PERFCTRn', counter: MSR.PMC },
  { name: 'full width', counter: MSR.A_PMC },
];

/** RCX, EDX:EAX and the write. */
export const write = (msr: number, value: bigint): Item => [
  mov('ECX', msr),
  mov('EAX', value & 0xffff_ffffn),
  mov('EDX', (value >> 32n) & 0xffff_ffffn),
  wrmsr(),
];
/** An MSR whole, in RAX. */
export const read = (msr: number): Item => [mov('ECX', msr), rdmsr(), shl('RDX', 32), or('RAX', 'RDX')];
/** RAX to the n-th word of what is left. */
export const keep = (n: number): Item => [mov('R12', DATA + 8n * BigInt(n)), mov(qword(mem('R12')), 'RAX')];
export const result = (n: number, msr: number): Item => [read(msr), keep(n)];

const APIC = 0xfee0_0000n;
export const LVTPC: bigint = APIC + 0x340n;
export const store = (at: bigint, value: number): Item => [
  mov('R12', at),
  mov('EAX', value),
  mov({ ...mem('R12'), size: 32 }, 'EAX'),
];
export const loaded = (at: bigint): Item => [mov('R12', at), mov('EAX', { ...mem('R12'), size: 32 })];

/** Interrupts taken so far; LVTPC as the handler found it. */
const TAKEN = DATA + 0x1000n;
const FOUND = DATA + 0x1008n;
/** Lets interrupts through for a moment, as the suite does behind its window. */
export const interrupts: Item = [sti(), nop(), nop(), cli()];
export const taken = (n: number): Item => [mov('R12', TAKEN), mov('RAX', qword(mem('R12'))), keep(n)];
export const found = (n: number): Item => [mov('R12', FOUND), mov('RAX', qword(mem('R12'))), keep(n)];

/** Turns of the loop, in RBX, between the write of R8 to GLOBAL_CTRL and that of 0. Uses RAX, RCX, RDX, RDI, R9 and R10. */
const window: Item = [
  label('window'),
  mov('RSI', DATA + 0x2000n),
  [mov('ECX', MSR.GLOBAL_CTRL), mov('RAX', 'R8'), mov('RDX', 'R8'), shr('RDX', 32)],
  wrmsr(), // starts, and is not counted
  [mov('EDI', 'ECX'), mov('ECX', 'EBX')], // 2
  [clflush(mem('RSI')), mfence()], // 4: one reference, one miss
  label('turn'),
  [mov('R9', qword(mem('RSI'))), add('R10', 64)],
  Array.from({ length: 7 }, () => nop()),
  loop('turn'), // ten of them each turn
  [mov('EAX', 1), xor('EDX', 'EDX'), mov('ECX', 0x49)], // 7
  wrmsr(), // 8: IBPB, one branch miss
  call('here'), // 9: a branch
  label('here'),
  [pop('RAX'), add('RAX', 8), jmp('RAX')], // 12: a branch; these have 1, 4 and 2 bytes, and the NOP one
  nop(), // skipped
  nop(), // 13
  [mov('ECX', 'EDI'), xor('EAX', 'EAX'), xor('EDX', 'EDX')], // 16
  wrmsr(), // 17: stops, and is counted
  ret(),
];

/** Counts by GLOBAL_CTRL. */
export const run = (mask: bigint, turns: number): Item => [mov('R8', mask), mov('EBX', turns), call('window')];

/** #GP: R15 says so, and the guest goes on at R14. The PMU's interrupt: counted, LVTPC's mask taken away, EOI. */
const handlers: Item = [
  label('gp'),
  [mov('R15', 1), add('RSP', 8), mov(qword(mem('RSP')), 'R14'), iretq()],
  label('pmi'),
  [mov('R11', 'RAX'), mov('R13', 'R12')],
  [mov('R12', TAKEN), inc(qword(mem('R12')))],
  [loaded(LVTPC), mov('R12', FOUND), mov(qword(mem('R12')), 'RAX')],
  [store(LVTPC, 32), store(APIC + 0xb0n, 0)],
  [mov('RAX', 'R11'), mov('R12', 'R13'), iretq()],
];

let attempts = 0;
/** 1 in the n-th word when the lines raise #GP, else 0. */
export function faults(n: number, ...lines: readonly Item[]): Item {
  const on = `on${attempts++}`;
  return [mov('R15', 0), mov('R14', { addressOf: on }), lines, label(on), mov('RAX', 'R15'), keep(n)];
}

const GDT = DATA + 0x3000n;
const IDT = DATA + 0x4000n;

/** The guest with its tables; interrupts are off, LVTPC holds vector 32. */
export function prepared(program: Item, asked: Asked = {}): Guest {
  const items: Item = [
    [store(APIC + 0xf0n, 0x1ff), store(LVTPC, 32)],
    // Power-up enables the general counters; without a PMU this is #GP, and the guest goes on.
    [mov('R14', { addressOf: 'prepared' }), write(MSR.GLOBAL_CTRL, 0n), label('prepared')],
    program,
    jmp('off'),
    [window, handlers],
    label('off'),
  ];
  const made = guest([items], {
    cpu: 'icelake-server',
    personality: 'plain',
    ...asked,
    set: { GDTR_BASE: GDT, GDTR_LIMIT: 0x1fn, IDTR_BASE: IDT, IDTR_LIMIT: 0xfffn, ...asked.set },
  });
  made.write(GDT + 8n, 0x00af_9b00_0000_ffffn);
  made.write(GDT + 16n, 0x00cf_9300_0000_ffffn);
  for (const [vector, name] of [
    [13, 'gp'],
    [32, 'pmi'],
  ] as const) {
    const at = made.label(name);
    made.write(IDT + 16n * BigInt(vector), (at & 0xffffn) | (8n << 16n) | (0x8en << 40n) | ((at >> 16n) << 48n));
  }
  return made;
}

export interface Row {
  readonly name: string;
  /** Passed by an inert PMU too: nothing is counted in it. */
  readonly registersOnly?: true;
  /** Position of the word. */
  readonly word: number;
  readonly is: bigint;
}

export interface Group {
  readonly program: (turns: number) => Item;
  readonly rows: readonly Row[];
  readonly asked?: Asked;
}

const inert: Arch = {
  ...x86,
  pmu: { ...x86.pmu, counters: x86.pmu.counters.map((counter) => ({ ...counter, counting: () => false })) },
} as Arch;

function words(group: Group, asked: Asked, turns: number): (n: number) => bigint {
  const made = prepared(group.program(turns), { ...group.asked, ...asked }).run(2_000_000_000);
  const { ended } = made.domain;
  if (ended?.reason !== 'poweroff') throw new Error(`the guest ended by ${ended?.reason ?? 'nothing'}`);
  return (n) => made.word(DATA + 8n * BigInt(n));
}

/** One named check for each row; and all of them on an inert PMU. */
export function checks(
  subject: string,
  groups: readonly Group[],
  policies: readonly ('emulated' | 'switched')[],
): void {
  for (const group of groups) {
    for (const policy of policies) {
      describe(`6.2 ${subject}, ${policy}`, () => {
        let seen: ((n: number) => bigint) | undefined;
        for (const row of group.rows) {
          it(row.name, () => {
            seen ??= words(group, { policy }, N);
            expect(seen(row.word)).toBe(row.is);
          });
        }
      });
    }
    describe(`6.2 ${subject}, on an inert PMU`, () => {
      it('fails all but those about registers', () => {
        const seen = words(group, { arch: inert }, 10);
        const passes = group.rows.filter((row) => seen(row.word) === row.is).map(({ name }) => name);
        expect(passes).toEqual(group.rows.filter((row) => row.registersOnly).map(({ name }) => name));
      });
    });
  }
}
