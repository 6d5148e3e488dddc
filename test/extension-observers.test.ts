/**
 * What observers may do to a guest: nothing. Guest images and random machine code, under every policy, with nobody listening and with everybody: the whole
 * state of the machine is the same at the end, and so are consoles, counters, instructions and what a summary says.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { arm64, asm } from '@countervisor/arm64';
import type { Arch, PolicyName } from '@countervisor/contract';
import {
  boot,
  compile,
  cpuModel,
  EVENTS,
  extendArch,
  load,
  Machine,
  type MachineConfig,
  state,
  summaries,
  summary,
} from '@countervisor/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { image, root } from './countervisor.ts';
import { extension as guard } from './fixtures/extensions/guard/index.js';
import { extension as traceUnit } from './fixtures/extensions/trace-unit/index.js';

const MEMORY = 2 * 1024 * 1024;
const cpu = 'neoverse-n1';
const base = load(arm64 as unknown as Arch);
const extended = extendArch(base, traceUnit, guard);
const compiled = new Map([base, extended].map((arch) => [arch, compile(arch, cpuModel(arch, cpu))]));

/** Everybody: each event alone, some by filters, and now and then one that looks at all there is. Returns how many moments were heard. */
function everybody(machine: Machine): () => number {
  let heard = 0;
  const look = (): void => {
    for (const domain of machine.domains) {
      for (const v of domain.vcpus) for (const { name } of machine.arch.registers) v.handle.get(name);
      summary(domain);
    }
    state(machine);
  };
  for (const name of EVENTS) {
    let mine = 0;
    machine.events.on(name, () => {
      heard++;
      if ([3, 40, 500].includes(++mine)) look();
    });
  }
  machine.events.on('access', () => heard++, { register: ['PMCR_EL0', 'PMCCNTR_EL0'], write: true });
  machine.events.on('overflow', () => heard++, { counter: 'PMEVCNTR0_EL0' });
  machine.events.on('trap', () => heard++, { cause: 'hypercall' });
  machine.events.on('switch', () => heard++, { to: 'idle' });
  return () => heard;
}

interface Case {
  readonly images: readonly (readonly [name: string, bytes: Uint8Array])[];
  readonly vcpus?: number;
  readonly policy?: PolicyName;
  readonly config?: Partial<MachineConfig>;
  readonly until?: number;
}

/** The end of it all as text: state, consoles, summaries. */
function history({ images, vcpus = 1, policy, config, until }: Case, arch: Arch, observed: boolean): [string, number] {
  const known = compiled.get(arch);
  const machine = new Machine({ arch, cpu, personality: 'plain', ...(known && { compiled: known }), ...config });
  const heard = observed ? everybody(machine) : () => 0;
  for (const [name, bytes] of images) {
    const domain = machine.addDomain({ name, vcpus, memory: MEMORY, vpmu: true, ...(policy && { policy }) });
    boot(machine, domain, { bytes, file: name });
    if (observed) domain.observe();
  }
  machine.run(until === undefined ? {} : { until });
  const told = { state: state(machine), consoles: machine.domains.map((d) => d.console), ends: summaries(machine) };
  return [JSON.stringify(told, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)), heard()];
}

/** Under both back ends. Returns how many moments the observers heard. */
const same = (one: Case, arch: Arch = base): number =>
  Math.min(...(['stepper', 'translator'] as const).map((engine) => sameUnder(one, arch, engine)));

function sameUnder({ config, ...rest }: Case, arch: Arch, engine: 'stepper' | 'translator'): number {
  const one = { ...rest, config: { ...config, engine } };
  const [alone] = history(one, arch, false);
  const [watched, heard] = history(one, arch, true);
  // Not toBe alone: a difference of a megabyte is printed as one.
  if (watched !== alone) {
    const at = [...alone].findIndex((c, i) => c !== watched[i]);
    expect(watched.slice(at - 100, at + 100)).toBe(alone.slice(at - 100, at + 100));
  }
  return heard;
}

const elf = (name: string): readonly [string, Uint8Array] => [
  name,
  new Uint8Array(readFileSync(join(root, image(name)))),
];

describe('guest images, with all observers and with none', () => {
  it.each<readonly [string, Case, number]>([
    ['pmu-count, emulated', { images: [elf('pmu-count')], policy: 'emulated' }, 1000],
    [
      'pmu-overflow and pmu-count, switched',
      { images: [elf('pmu-overflow'), elf('pmu-count')], policy: 'switched', config: { slice: 777 } },
      1000,
    ],
    [
      'pmu-overflow and pmu-count, mediated',
      { images: [elf('pmu-overflow'), elf('pmu-count')], policy: 'mediated', config: { slice: 500 } },
      1000,
    ],
    [
      'pmu-leak twice, passthrough',
      { images: [elf('pmu-leak'), ['other', elf('pmu-leak')[1]]], policy: 'passthrough', config: { slice: 100 } },
      200,
    ],
    ['smp, two vCPUs on two pCPUs', { images: [elf('smp')], vcpus: 2, config: { pcpus: 2 } }, 20],
    ['timer', { images: [elf('timer')] }, 20],
    ['mmu', { images: [elf('mmu')] }, 20],
    ['pmu-probe under xen-arm', { images: [elf('pmu-probe')], config: { personality: 'xen-arm' } }, 20],
    [
      'pmu-overflow under kvm-arm64, with costs',
      {
        images: [elf('pmu-overflow')],
        config: { personality: 'kvm-arm64', hypervisor: { trap: { instructions: 7, cycles: 9 } } },
      },
      300,
    ],
  ])('%s', (_, one, least) => {
    expect(same(one)).toBeGreaterThan(least);
  });

  it('on an architecture that two packages extend', () => {
    const one: Case = {
      images: [elf('pmu-overflow'), elf('hello')],
      policy: 'switched',
      config: { slice: 333, personality: 'tracer' },
    };
    expect(same(one, extended)).toBeGreaterThan(300);
  });
});

describe('random machine code', () => {
  const { add, b, load: put, mov, mrs, msr, movz, nop, str, ldr, mem, program, hvc, subs } = asm;
  const registers = [
    'PMCR_EL0',
    'PMCNTENSET_EL0',
    'PMCNTENCLR_EL0',
    'PMEVTYPER0_EL0',
    'PMEVCNTR0_EL0',
    'PMCCNTR_EL0',
    'PMSELR_EL0',
    'PMXEVTYPER_EL0',
    'PMOVSCLR_EL0',
    'PMOVSSET_EL0',
    'PMINTENSET_EL1',
    'PMSWINC_EL0',
    'PMUSERENR_EL0',
    'CNTVCT_EL0',
    'MIDR_EL1',
    'S3_0_C15_C2_1',
    'S3_0_C15_C3_0',
    'S3_0_C15_C7_7',
  ];
  const X = fc.integer({ min: 1, max: 7 }).map((n) => `X${n}`);
  const name = fc.constantFrom(...registers);
  const line = fc.oneof<fc.Arbitrary<asm.Item>[]>(
    fc.tuple(X, name).map(([x, r]) => mrs(x, r)),
    fc.tuple(X, name).map(([x, r]) => msr(r, x)),
    fc.tuple(X, fc.constantFrom(0, 1, 7, 0x11, 0x8, 0x1e, 0xffff_fff0, 0x8000_0001)).map(([x, n]) => put(x, n)),
    fc.tuple(X, X, X).map(([x, y, z]) => add(x, y, z)),
    fc.tuple(X, X).map(([x, y]) => mov(x, y)),
    fc.tuple(X, fc.integer({ min: 0, max: 8 })).map(([x, n]) => str(x, mem('X20', 8 * n))),
    fc.tuple(X, fc.integer({ min: 0, max: 8 })).map(([x, n]) => ldr(x, mem('X20', 8 * n))),
    fc.constant(nop()),
    fc.constant(subs('X1', 'X1', 1)),
    fc.constant([put('X0', 0x8400_0000), hvc(0)].flat()),
    fc.constant(b(4)),
  );
  /** Where an exception goes: into code without vectors, which the run's length ends. */
  const guest = fc
    .array(line, { minLength: 20, maxLength: 120 })
    .map((lines) => program([put('X20', 0x4010_0000), movz('X1', 3), lines, put('X0', 0x8400_0008), hvc(0)]).bytes);

  it.each<PolicyName>(['off', 'passthrough', 'switched', 'emulated', 'mediated'])(
    'under %s: the same state',
    (policy) => {
      let heard = 0;
      fc.assert(
        fc.property(guest, guest, fc.integer({ min: 1, max: 60 }), (one, two, slice) => {
          heard += same(
            {
              images: [
                ['one', one],
                ['two', two],
              ],
              policy,
              config: { slice },
              until: 600,
            },
            extended,
          );
        }),
        { seed: 20_261_121, numRuns: 25 },
      );
      expect(heard).toBeGreaterThan(1000);
    },
    120_000,
  );
});
