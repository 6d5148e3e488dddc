/**
 * Random guests against a plain model of CPU and PMU that goes one instruction at a time: every register, every count that was read, every place at
 * which an exception came, and all memory are the model's, whatever the policy, the slices, the neighbours and the physical CPUs.
 */
import type { Arch, PolicyName } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Domain } from '../domain.ts';
import { Machine } from '../machine.ts';
import { bootFlat } from '../testing/boot.ts';
import { BASE, type Facts, type Instruction, Model } from '../testing/model.ts';
import { assembly, bodies, DATA, HANDLED, LOG, program, SELECTORS, selectors } from '../testing/random.ts';

const LIMIT = 5000;
const GENERAL = ['R0', 'R1', 'R2', 'R3', 'R4', 'R5', 'R6', 'R7'];
const CONTROL: Readonly<Record<string, number>> = { STATUS: 0, VECTOR: 1, EPC: 2, CAUSE: 3, FAULT: 4, TIME: 7 };
const PMU: Readonly<Record<string, number>> = {
  PMCTL: 0x10,
  PMENSET: 0x11,
  PMSTAT: 0x13,
  PMINTEN: 0x14,
  PMUSER: 0x15,
  PMSEL0: 0x18,
  PMSEL1: 0x19,
  PMSEL2: 0x1a,
  PMSEL3: 0x1b,
  PMSAMPLE: 0x20,
};

const data: readonly (readonly [number, bigint])[] = [
  ...selectors.map((value, k) => [SELECTORS + 8 * k, value] as const),
  ...[0x0123_4567_89ab_cdefn, 0n, 1n, 0xffff_ffff_ffff_ffffn].map((value, k) => [DATA + 8 * k, value] as const),
];

interface Setting {
  readonly policy: PolicyName;
  readonly slice: number;
  readonly pcpus: number;
  readonly wide: boolean;
  readonly counters: number;
  readonly costs: Facts['costs'];
}

/** What a guest can see, as lists that say where they differ. */
interface Seen {
  readonly log: readonly string[];
  readonly handled: readonly string[];
  readonly registers: Readonly<Record<string, bigint>>;
  readonly counts: readonly bigint[];
  readonly done: readonly unknown[];
  readonly memory: Uint8Array;
}

const words = (bytes: Uint8Array, at: number, end: number): string[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: (end - at) / 8 }, (_, i) => view.getBigUint64(at + 8 * i, true).toString(16));
};

function expected(instructions: readonly Instruction[], s: Setting): Seen {
  const m = new Model(
    instructions,
    { pmu: s.policy !== 'off', counters: s.counters, wide: s.wide, costs: s.costs },
    data,
  ).run(LIMIT);
  const pmu = s.policy === 'off' ? {} : PMU;
  return {
    log: words(m.bytes, LOG, Number(m.r.R5)),
    handled: words(m.bytes, HANDLED, Number(m.r.R1 === 0n ? HANDLED : m.r.R1)),
    registers: {
      ...Object.fromEntries(GENERAL.map((r) => [r, m.r[r] as bigint])),
      ...Object.fromEntries(
        Object.entries({ ...CONTROL, ...pmu }).map(([name, n]) => [name, n === 7 ? m.now : m.get(n)]),
      ),
      PC: BigInt(m.pc),
      LEVEL: BigInt(m.level),
    },
    counts: s.policy === 'off' ? [] : m.count.map((c, n) => (n < s.counters ? c : 0n)),
    done: [m.ended, m.instructions, m.cycles],
    memory: m.bytes.subarray(DATA),
  };
}

function seen(domain: Domain, like: Seen): Seen {
  const [v] = domain.vcpus;
  const get = (name: string): bigint => v?.handle.get(name) as bigint;
  const memory = domain.memory.slice(BigInt(DATA), like.memory.length) as Uint8Array;
  return {
    log: words(memory, LOG - DATA, LOG - DATA + 8 * like.log.length),
    handled: words(memory, HANDLED - DATA, HANDLED - DATA + 8 * like.handled.length),
    registers: Object.fromEntries(Object.keys(like.registers).map((name) => [name, get(name)])),
    counts: like.counts.map((_, n) => get(`PMC${n}`)),
    done: [domain.ended?.reason, v?.instructions, v?.cycles],
    memory,
  };
}

/** Runs may take their time on a loaded machine. */
const PATIENCE = 60_000;

/** Two guests beside each other, each as if it were alone. */
function check(guests: readonly (readonly Instruction[])[], s: Setting): void {
  const { policy, slice, pcpus, wide, counters, costs } = s;
  const machine = new Machine({
    arch: template as Arch,
    cpu: wide ? 'tiny-wide' : 'tiny',
    cpuSettings: { counters },
    slice,
    pcpus,
    costs,
  });
  const domains = guests.map((body, i) => {
    const domain = machine.addDomain({ name: `d${i}`, vcpus: 1, memory: 0x10000, vpmu: policy !== 'off', policy });
    bootFlat(machine, domain, asm.assemble(assembly(program(body, policy !== 'off'), BASE)));
    for (const [at, value] of data) domain.memory.write(BigInt(at), 8, value);
    // The model begins at 0 where the template has a value that nobody knows.
    for (const name of ['EPC', 'PMC0', 'PMC1', 'PMC2', 'PMC3']) domain.vcpus[0]?.handle.set(name, 0n);
    return domain;
  });
  machine.run({ until: LIMIT });
  guests.forEach((body, i) => {
    const like = expected(program(body, policy !== 'off'), s);
    const was = seen(domains[i] as Domain, like);
    expect({ ...was, memory: [] }).toEqual({ ...like, memory: [] });
    expect(Buffer.compare(was.memory, like.memory), 'memory').toBe(0);
  });
}

const cost = fc.record({ backend: fc.constantFrom(0, 0, 1, 3, 20), frontend: fc.constantFrom(0, 0, 2, 7) });
const costs: fc.Arbitrary<Facts['costs']> = fc.oneof(
  fc.constant({}),
  fc.record({ plain: cost, memory: cost, branch: cost, system: cost }),
);
const machines = fc.record({
  slice: fc.integer({ min: 1, max: 50 }),
  pcpus: fc.constantFrom(1, 2),
  wide: fc.boolean(),
  counters: fc.constantFrom(1, 2, 3, 4, 4, 4, 4),
  costs,
});

describe('random guests are what a plain model says', () => {
  it.each(['off', 'switched', 'emulated', 'mediated'] as const)(
    '%s',
    (policy) => {
      fc.assert(
        fc.property(bodies, bodies, machines, (a, b, setting) => check([a, b], { ...setting, policy })),
        { numRuns: 60, seed: 20_260_101 },
      );
    },
    PATIENCE,
  );
});

describe('every slice from 1 to 50, on one physical CPU and on two', () => {
  const pair = fc.sample(bodies, { seed: 7, numRuns: 2 });
  const prices = {
    plain: { backend: 1, frontend: 0 },
    memory: { backend: 6, frontend: 1 },
    system: { backend: 0, frontend: 2 },
  };
  it.each(['off', 'switched', 'emulated', 'mediated'] as const)(
    '%s',
    (policy) => {
      for (let slice = 1; slice <= 50; slice++) {
        for (const pcpus of policy === 'switched' || policy === 'emulated' ? [1, 2] : [1 + (slice % 2)])
          check(pair, { policy, slice, pcpus, wide: false, counters: 4, costs: prices });
      }
    },
    PATIENCE,
  );
});
