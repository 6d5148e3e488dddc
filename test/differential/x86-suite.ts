/** The differential run of x86: cases for every row that user mode can show, what QEMU or a processor makes of them, and what we do. */
import { rows } from '../../packages/x86/src/isa/instructions/index.ts';
import type { Row } from '../../packages/x86/src/isa/row.ts';
import { Random } from './random.ts';
import { type X86Backend, x86Evaluator } from './x86-backend.ts';
import { describeCase, difference, type X86Case, type X86Result } from './x86-cases.ts';
import { excuse, type Oracle } from './x86-excuses.ts';
import { generate } from './x86-generate.ts';
import { mutations } from './x86-mutate.ts';
import { x86UserMode } from './x86-user.ts';

export interface X86Answered {
  readonly oracle: Oracle;
  readonly cases: readonly { readonly c: X86Case; readonly theirs: X86Result }[];
}

export interface X86Finding {
  readonly row: string;
  readonly times: number;
  readonly first: string;
}

/** Rows that a user program cannot show, and why: other tests do. */
const ELSEWHERE: readonly (readonly [names: RegExp, why: string])[] = [
  [/^(CPUID|RDTSC|RDTSCP|RDPMC|XGETBV|SGDT|SIDT|SLDT|STR|SMSW) ?/, 'shows the machine it runs on'],
  [/^(SYSCALL|SYSENTER|INT|INT1|INT3)( |$)/, 'calls the kernel that runs the test'],
  [/^(INTO|IRET|JMP far|CALL far|RET far|SYSRET|SYSEXIT)/, 'transfers through descriptors'],
  [/^(L[EDSFG]S|MOV Sw|POP \(|LAR|LSL|VERR|VERW|RD[FG]SBASE|WR[FG]SBASE)/, 'loads or looks at descriptors'],
  [/^(VMCALL|VMMCALL)/, 'leaves for a hypervisor'],
  [/^(F2XM1|FYL2X|FPTAN|FPATAN|FYL2XP1|FSINCOS|FSIN|FCOS|FBLD|FBSTP)( |$)/, 'is not modelled, and says so'],
  [/^(FNSTENV|FLDENV|FNSAVE|FRSTOR) /, 'has pointers to instructions that are not kept up to date'],
  [/^(FXSAVE|FXRSTOR) /, 'has reserved bytes, and pointers that are not kept up to date'],
  [/^CLFLUSH/, 'QEMU does not even look at the address'],
];

/** F6 /1 and F7 /1 do as /0 does on processors, and share its lift. */
const UNKNOWN_TO_QEMU = /^TEST .*\(\/1\)/;

export function elsewhere(row: Row, oracle: Oracle = 'qemu'): string | undefined {
  if (oracle === 'qemu' && UNKNOWN_TO_QEMU.test(row.name)) return 'QEMU does not know it';
  if (oracle === 'native' && /^(MOV .*Sw|PUSH \()/.test(row.name)) return "selectors are the kernel's choice";
  return ELSEWHERE.find(([names]) => names.test(row.name))?.[1];
}

function seedOf(seed: number, name: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const letter of name) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0;
  return hash;
}

/** Makes `instances` cases of every row and asks the oracle. */
export function askX86(
  seed: number,
  instances: number,
  oracle: Oracle = 'qemu',
  only: (row: Row) => boolean = () => true,
): X86Answered {
  const chosen = rows.filter((row) => elsewhere(row, oracle) === undefined && only(row));
  const cases = chosen.flatMap((row) => {
    const random = new Random(seedOf(seed, row.name));
    return Array.from({ length: instances }, () => generate(row, random));
  });
  const user = x86UserMode(oracle === 'native');
  try {
    return { oracle, cases: user.run(cases).map((theirs, i) => ({ c: cases[i] as X86Case, theirs })) };
  } finally {
    user.close();
  }
}

function differs(oracle: Oracle, backend: X86Backend, c: X86Case, theirs: X86Result): string | undefined {
  const ours = backend.run(c);
  return difference(c, ours, theirs) && difference(c, ours, theirs, excuse(oracle, c, ours, theirs)?.part);
}

export function judgeX86({ oracle, cases }: X86Answered, backend: X86Backend): X86Finding[] {
  const findings = new Map<string, X86Finding>();
  for (const { c, theirs } of cases) {
    const what = differs(oracle, backend, c, theirs);
    if (what === undefined) continue;
    const before = findings.get(c.row);
    const first = before?.first ?? `${describeCase(c)}\n    ${what}`;
    findings.set(c.row, { row: c.row, times: (before?.times ?? 0) + 1, first });
  }
  return [...findings.values()];
}

/** Cases by row. */
export function x86InstancesOf({ cases }: X86Answered): ReadonlyMap<string, number> {
  const count = new Map<string, number>();
  for (const { c } of cases) count.set(c.row, (count.get(c.row) ?? 0) + 1);
  return count;
}

/** Points that QEMU's user mode does not look at: where near branches go, x87 exceptions that are pending, flags that FCOMI clears. */
const BEYOND_QEMU: readonly (readonly [names: RegExp, points: readonly string[]])[] = [
  [/^(JMP|CALL|RET|F[A-Z0-9]+|(ANDN?|X?OR)P[SD]|LDMXCSR)( |$)/, ['raise']],
  [/^FU?COMIP?$/, ['OF', 'SF', 'AF']],
  // The ends of flat segments; of helpers' faults only those of ports show.
  [/^(?!IN|OUT)/, ['raise fault']],
  // Nothing of these shows but the status word.
  [/^(FI?COM|FUCOM|FTST|FXAM|FNCLEX|FLDCW|FSTP? .STi.)( |$)/, ['call x87']],
];

export interface X86Missed {
  readonly row: string;
  readonly point: string;
}

/** Plants each fault that a row can have and returns how many, and those that no case of the row shows. */
export function plantX86({ oracle, cases }: X86Answered): {
  readonly planted: number;
  readonly missed: readonly X86Missed[];
} {
  const missed: X86Missed[] = [];
  let planted = 0;
  const byRow = new Map<string, { readonly c: X86Case; readonly theirs: X86Result }[]>();
  for (const one of cases) {
    const list = byRow.get(one.c.row) ?? [];
    byRow.set(one.c.row, list);
    list.push(one);
  }
  for (const [name, list] of byRow) {
    const row = rows.find((r) => r.name === name) as Row;
    for (const { point, mutate } of mutations(
      row,
      list.map(({ c }) => c),
    )) {
      if (oracle === 'qemu' && BEYOND_QEMU.some(([names, points]) => names.test(name) && points.includes(point)))
        continue;
      planted += 1;
      const backend = x86Evaluator((_name, lift) => mutate(lift));
      const found = list.some(({ c, theirs }) => {
        try {
          return differs(oracle, backend, c, theirs) !== undefined;
        } catch {
          return true;
        }
      });
      if (!found) missed.push({ row: name, point });
    }
  }
  return { planted, missed };
}

/** How often a part of a result was excused, by reason. */
export function excusedOf({ oracle, cases }: X86Answered): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  const backend = x86Evaluator();
  for (const { c, theirs } of cases) {
    const ours = backend.run(c);
    if (difference(c, ours, theirs) === undefined) continue;
    const why = excuse(oracle, c, ours, theirs)?.why;
    if (why !== undefined) times.set(why, (times.get(why) ?? 0) + 1);
  }
  return times;
}
