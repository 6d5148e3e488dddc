import { type Program, type ProgramName, SIGNALS, type Signal } from '@countervisor/contract';
import { boot, Machine, type MachineConfig } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { events } from './events.ts';
import { arm64 } from './index.ts';
import { programs } from './programs.ts';

const entries = Object.entries(programs) as [ProgramName, Program][];

interface Choices extends Partial<MachineConfig> {
  readonly policy?: 'off' | 'passthrough' | 'switched' | 'emulated';
  readonly set?: Readonly<Record<string, bigint>>;
}

function run(program: Program, { policy = 'emulated', set = {}, ...config }: Choices = {}) {
  const machine = new Machine({ arch: arm64, personality: 'plain', ...config });
  const domain = machine.addDomain({ name: 'guest', vcpus: 1, memory: 1024 * 1024, vpmu: true, policy });
  boot(machine, domain, { bytes: program.code, file: 'guest', kind: 'flat' });
  const get = (register: string) => domain.vcpus[0]?.handle.get(register);
  for (const [register, value] of Object.entries(set)) domain.vcpus[0]?.handle.set(register, value);
  machine.run({ until: 100_000 });
  return { domain, get };
}

function expectItsEnd(program: Program, choices: Choices): void {
  const { domain, get } = run(program, choices);
  expect(domain.ended?.reason).toBe('poweroff');
  expect(domain.instructions()).toBe(program.counts.instruction);
  expect(new TextDecoder().decode(domain.consoleBytes())).toBe(program.console ?? '');
  for (const [register, value] of Object.entries(program.leaves)) {
    expect([register, get(register)]).toEqual([register, value]);
  }
}

describe.each(['passthrough', 'switched', 'emulated'] as const)('programs under %s', (policy) => {
  it.each(entries)('%s ends as its comments say', (_, program) => {
    expectItsEnd(program, { policy });
  });
  it.each(entries)('%s: the same in slices of one instruction, on a v3p5 core', (_, program) => {
    expectItsEnd(program, { policy, slice: 1, cpu: 'neoverse-n2' });
  });
});

it.each(entries.filter(([, program]) => !program.pmu))('%s: the same without Performance Monitors', (_, program) => {
  expectItsEnd(program, { policy: 'off', cpu: 'max,-pmuv3' });
});

describe('every signal of every program, counted from outside', () => {
  // Counter 1 was told to count event `id`, unfiltered, before the program began; programs that use the PMU themselves would disturb it.
  const counted = (program: Program, id: number) =>
    run(program, {
      cpu: 'max',
      set: { PMEVTYPER1_EL0: BigInt(id), PMEVCNTR1_EL0: 0n, PMCNTEN: 2n, PMINTEN: 0n, PMOVS: 0n, PMCR: 1n },
    }).get('PMEVCNTR1_EL0');
  const passive = entries.filter(([, program]) => !program.pmu);

  it.each(passive)('%s', (_, program) => {
    const amounts: Partial<Record<Signal, number>> = { ...program.counts, cycle: program.counts.instruction };
    for (const { id, counts } of events) {
      if (counts.includes('increment') || counts.includes('carry')) continue;
      const expected = counts.reduce((sum, signal) => sum + (amounts[signal] ?? 0), 0);
      expect([id, counted(program, id)]).toEqual([id, BigInt(expected)]);
    }
  });

  it('names signals that exist', () => {
    for (const [, { counts }] of entries)
      for (const name of Object.keys(counts)) expect(Object.keys(SIGNALS)).toContain(name);
  });
});
