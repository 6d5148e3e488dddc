/**
 * The field's PEBS matrix (kvm-unit-tests x86/pmu_pebs.c): start values × records × counters. Here the outcome of each of the 1,584 combinations is stated
 * beforehand, from a hand count of the workload, and every byte of every record is compared.
 *
 * The expectation knows nothing of the implementation: it is a list of instructions with what each one counts, and the rule in words: a counter that wraps is
 * armed; the next event of an armed one, or the very event that wraps a precise-distribution one, writes one record for all that are armed and starts them again at 0.
 */
import { type CompiledArch, compile, cpuModel } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { type Item, jmp, label, mem, mov, nop, op, rdtsc } from '../asm.ts';
import { x86 } from '../index.ts';
import { DATA, type Guest, guest, rdmsr, STACK, wrmsr } from '../testing/long.ts';

const BUFFER = DATA + 0x1000n;
const WIDTH = 1n << 48n;

const STARTS = [0n, 0xffff_ffff_fff0n, 0xffff_ffff_fffen, 0xffff_ffff_ffffn];
/** kvm-unit-tests' order; 0x0300 is no event of a general counter. */
const GENERAL = [0xc4, 0xc5, 0x0300, 0x3c, 0xc0, 0x13c, 0x4f2e, 0x412e];
const FIXED = 32;

type Kind = 'plain' | 'adaptive' | 'ignored';
interface Way {
  readonly kind: Kind;
  readonly config: bigint;
}
const lbrEntries = 31n << 24n;
/** Without the MSR, then each of its 16 values with counters that ask for it, and with counters that do not. */
const WAYS: readonly Way[] = [
  { kind: 'plain', config: 0n },
  ...(['adaptive', 'ignored'] as const).flatMap((kind) =>
    Array.from({ length: 16 }, (_, n): Way => ({ kind, config: BigInt(n) | ((n & 8) === 0 ? 0n : lbrEntries) })),
  ),
];
/** Bits of GLOBAL_CTRL: each fixed counter, each general one, and all fixed with the even general ones. */
const SETS: readonly (readonly number[])[] = [
  ...[0, 1, 2].map((i) => [FIXED + i]),
  ...GENERAL.map((_, n) => [n]),
  [FIXED, FIXED + 1, FIXED + 2, 0, 2, 4, 6],
];

/** What one instruction of the workload counts beside itself and a cycle. */
interface Step {
  readonly item: Item;
  readonly length: number;
  readonly branch?: true;
  readonly flush?: true;
  /** Registers that it changes. */
  readonly sets?: Readonly<Record<string, bigint>>;
}

const hop = (n: number): Step[] => [
  { item: jmp(`hop${n}`), length: 5, branch: true },
  { item: label(`hop${n}`), length: 0 },
];
const plain: Step = { item: nop(), length: 1 };
const flush: Step = { item: op('CLFLUSH', [mem('RSI')]), length: 3, flush: true };

/** From behind the WRMSR that starts the counters to the one that stops them, itself included: 40 instructions, 8 branches, 5 flushes. */
const WORK: readonly Step[] = [
  plain, ...hop(0), plain, plain, ...hop(1), flush, plain, ...hop(2), ...hop(3), plain,
  flush, plain, plain, ...hop(4), flush, plain, plain, plain, plain, ...hop(5), plain,
  plain, plain, flush, plain, ...hop(6), plain, plain, plain, plain, flush, plain, ...hop(7), plain, plain, plain,
  { item: mov('ECX', 0x38f), length: 5, sets: { RCX: 0x38fn } },
  { item: mov('EAX', 0), length: 5, sets: { RAX: 0n } },
  { item: mov('EDX', 0), length: 5, sets: { RDX: 0n } },
  { item: op('WRMSR'), length: 2 },
]; // biome-ignore format: rows
const STEPS = WORK.filter(({ length }) => length > 0);

function counts(step: Step, bit: number): boolean {
  if (bit >= FIXED) return true;
  switch (GENERAL[bit]) {
    case 0xc4:
      return step.branch === true;
    case 0x4f2e:
    case 0x412e:
      return step.flush === true;
    case 0x3c:
    case 0xc0:
    case 0x13c:
      return true;
    default:
      return false;
  }
}

interface Expected {
  /** Position of the instruction in STEPS. */
  readonly step: number;
  readonly counters: bigint;
}

/** The records, by the rule. `distributed`: counters whose own wrap already records. */
function expected(start: bigint, set: readonly number[], distributed: readonly number[]): Expected[] {
  const value = new Map(set.map((bit) => [bit, start]));
  const armed = new Set<number>();
  const records: Expected[] = [];
  STEPS.forEach((step, n) => {
    let now = false;
    const wasArmed = new Set(armed);
    for (const bit of set) {
      if (!counts(step, bit)) continue;
      const next = ((value.get(bit) as bigint) + 1n) % WIDTH;
      value.set(bit, next);
      if (wasArmed.has(bit)) now = true;
      if (next !== 0n) continue;
      armed.add(bit);
      if (distributed.includes(bit)) now = true;
    }
    if (!now) return;
    records.push({ step: n, counters: [...armed].reduce((bits, bit) => bits | (1n << BigInt(bit)), 0n) });
    for (const bit of armed) value.set(bit, 0n);
    armed.clear();
  });
  return records;
}

function program({ kind, config }: Way, start: bigint, set: readonly number[]): Item[] {
  const adaptive = kind === 'adaptive';
  const bits = set.reduce((all, bit) => all | (1n << BigInt(bit)), 0n);
  let fixedControl = 0n;
  const counters: Item[] = set.flatMap((bit) => {
    if (bit < FIXED) {
      const select = 0x43_0000n | BigInt(GENERAL[bit] as number) | (adaptive ? 1n << 34n : 0n);
      return [wrmsr(0x186 + bit, select), wrmsr(0x4c1 + bit, start)];
    }
    const i = bit - FIXED;
    fixedControl |= (0xbn << BigInt(4 * i)) | (adaptive ? 1n << BigInt(32 + 4 * i) : 0n);
    return [wrmsr(0x309 + i, start)];
  });
  return [
    wrmsr(0x38f, 0n),
    ...(kind === 'plain' ? [] : [wrmsr(0x3f2, config)]),
    ...counters,
    wrmsr(0x38d, fixedControl),
    wrmsr(0x600, DATA),
    wrmsr(0x3f1, bits),
    ...['RBX', 'RBP', 'RDI', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14'].map((name, n) =>
      mov(name, 0x1111n * BigInt(n + 1)),
    ),
    mov('RSI', DATA + 0x8000n),
    mov('ECX', 0x38f),
    rdtsc(),
    mov('R15', 'RAX'),
    mov('EAX', bits & 0xffff_ffffn),
    mov('EDX', bits >> 32n),
    op('WRMSR'),
    label('work'),
    ...WORK.map(({ item }) => item),
    rdmsr(0x38e),
    mov('RDI', 'RAX'),
  ];
}

const compiled = new Map<string, CompiledArch>();
function compiledFor(cpu: string): CompiledArch {
  const known = compiled.get(cpu) ?? compile(x86, cpuModel(x86, cpu));
  compiled.set(cpu, known);
  return known;
}

function run(cpu: string, way: Way, start: bigint, set: readonly number[]): Guest {
  const g = guest(program(way, start, set), { cpu, compiled: compiledFor(cpu), policy: 'emulated' });
  for (const [offset, value] of [
    [0x20n, BUFFER],
    [0x28n, BUFFER],
    [0x30n, BUFFER + 0x1000n],
    [0x38n, BUFFER + 0x20n],
  ] as const) {
    g.write(DATA + offset, value);
  }
  return g.run();
}

/** Where each step of STEPS stands, and what follows it. */
function addresses(g: Guest): { at: bigint; next: bigint }[] {
  let at = g.label('work');
  return STEPS.map(({ length }) => {
    const here = at;
    at += BigInt(length);
    return { at: here, next: at };
  });
}

/** The record's words, group by group, as the manual orders them. */
function words(
  g: Guest,
  { step, counters }: Expected,
  groups: bigint,
  begun: Readonly<Record<string, bigint>>,
): bigint[] {
  const { at, next } = addresses(g)[step] as { at: bigint; next: bigint };
  const sets: Record<string, bigint> = {};
  for (const done of STEPS.slice(0, step + 1)) Object.assign(sets, done.sets);
  const value = (name: string): bigint => sets[name] ?? (begun[name] as bigint);
  const body: bigint[] = [];
  if ((groups & 1n) !== 0n) body.push(0n, 0n, 0n, 0n);
  if ((groups & 2n) !== 0n) {
    const order = [
      'RAX',
      'RCX',
      'RDX',
      'RBX',
      'RSP',
      'RBP',
      'RSI',
      'RDI',
      'R8',
      'R9',
      'R10',
      'R11',
      'R12',
      'R13',
      'R14',
      'R15',
    ];
    body.push(2n, next, ...order.map(value));
  }
  if ((groups & 4n) !== 0n) body.push(...new Array<bigint>(32).fill(0n));
  if ((groups & 8n) !== 0n) body.push(...new Array<bigint>(96).fill(0n));
  const size = BigInt(32 + 8 * body.length);
  // R15 is the time before RDTSC; it and four more instructions, the WRMSR last of them, and the workload up to this one: a cycle each.
  const tsc = g.get('R15') + 5n + BigInt(step + 1);
  return [(size << 48n) | groups, at, counters, tsc, ...body];
}

/** Registers as the workload begins. */
function started(g: Guest, bits: bigint): Record<string, bigint> {
  const fixed = Object.fromEntries(
    ['RBX', 'RBP', 'RDI', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14'].map((name, n) => [
      name,
      0x1111n * BigInt(n + 1),
    ]),
  );
  return {
    ...fixed,
    RAX: bits & 0xffff_ffffn,
    RDX: bits >> 32n,
    RSI: DATA + 0x8000n,
    RCX: 0x38fn,
    RSP: STACK,
    R15: g.get('R15'),
  };
}

const groupsOf = ({ kind, config }: Way): bigint => (kind === 'adaptive' ? config : 0n);

describe.each([
  { cpu: 'icelake-server', distributed: [FIXED] },
  { cpu: 'sapphire-rapids', distributed: [FIXED, 0] },
])('the matrix on $cpu', ({ cpu, distributed }) => {
  const total = { combinations: 0, withRecords: 0, records: 0 };

  it.each(STARTS)('from %#: 396 combinations write exactly what the hand count says', (start) => {
    for (const way of WAYS) {
      for (const set of SETS) {
        total.combinations++;
        const wanted = expected(start, set, distributed);
        const g = run(cpu, way, start, set);
        const what = `${cpu} start 0x${start.toString(16)} ${way.kind} 0x${way.config.toString(16)} counters ${set.join()}`;
        const bits = set.reduce((all, bit) => all | (1n << BigInt(bit)), 0n);
        const fits: bigint[][] = [];
        let used = 0n;
        for (const one of wanted) {
          const made = words(g, one, groupsOf(way), started(g, bits));
          const size = BigInt(8 * made.length);
          if (used + size > 0x1000n) break;
          used += size;
          fits.push(made);
        }
        expect(g.word(DATA + 0x28n), `${what}: index`).toBe(BUFFER + used);
        expect((g.get('RDI') >> 62n) & 1n, `${what}: bit 62`).toBe(fits.length > 0 ? 1n : 0n);
        let at = BUFFER;
        for (const [n, made] of fits.entries()) {
          const read = made.map((_, i) => g.word(at + BigInt(8 * i)));
          expect(read, `${what}: record ${n}`).toEqual(made);
          at += BigInt(8 * made.length);
        }
        expect(g.word(at), `${what}: behind the last`).toBe(0n);
        if (fits.length > 0) total.withRecords++;
        total.records += fits.length;
      }
    }
  });

  it('has 1,584 combinations in all', () => {
    const { combinations, withRecords, records } = total;
    console.log(`PEBS matrix on ${cpu}: ${combinations} combinations, ${withRecords} with records, ${records} records`);
    expect(total).toEqual({ combinations: 1584, withRecords: 891, records: 1023 });
  });
});
