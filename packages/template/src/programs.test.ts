import type { Program, ProgramName } from '@countervisor/contract';
import { SIGNALS, type Signal } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { events } from './events.ts';
import { programs } from './programs.ts';
import { type Choices, run } from './testing/run.ts';

const entries = Object.entries(programs) as [ProgramName, Program][];

function expectItsEnd(program: Program, choices: Choices): void {
  const { domain, get } = run(program.code, choices);
  expect(domain.ended).toEqual({ reason: 'poweroff', status: 0 });
  expect(domain.instructions()).toBe(program.counts.instruction);
  expect(domain.console).toBe(program.console ?? '');
  for (const [register, value] of Object.entries(program.leaves)) {
    expect([register, get(register)]).toEqual([register, value]);
  }
}

describe.each(['passthrough', 'switched', 'emulated', 'mediated'] as const)('programs under %s', (policy) => {
  it.each(entries)('%s ends as its comments say', (_, program) => {
    expectItsEnd(program, { policy });
  });

  it.each(entries)('%s: the same in slices of one instruction', (_, program) => {
    expectItsEnd(program, { policy, slice: 1 });
  });
});

describe('programs on other CPUs', () => {
  it.each(entries)('%s: the same with counters of 64 bits', (_, program) => {
    expectItsEnd(program, { cpu: 'tiny-wide' });
  });

  it.each(entries.filter(([, program]) => !program.pmu))('%s: the same without a PMU', (_, program) => {
    expectItsEnd(program, { cpu: 'tiny-none' });
  });

  it('a program that needs the PMU does not get it under the policy off', () => {
    // VECTOR is unknown, so its first PMU access ends in a loop of exceptions: nothing of it is counted as done.
    const { domain } = run(programs['read-counter'].code, { policy: 'off' });
    expect(domain.ended?.reason).toBe('exception-loop');
    expect(domain.instructions()).toBe(1);
  });
});

describe('every signal of every program, counted from outside', () => {
  // Counter 1 was told to count event `id` before the program began; programs that use the PMU themselves would disturb it.
  const counted = (program: Program, id: number): bigint =>
    run(program.code, { set: { PMSEL1: BigInt(id), PMC1: 0n, PMENSET: 2n, PMCTL: 1n } }).get('PMC1');
  const single = events.flatMap(({ id, counts: [signal, second] }) =>
    signal === undefined || second !== undefined ? [] : [{ id, signal }],
  );

  it.each(entries.filter(([, program]) => !program.pmu))('%s', (_, program) => {
    const expected: Partial<Record<Signal, number>> = { ...program.counts, cycle: program.counts.instruction };
    for (const { id, signal } of single) {
      expect([signal, counted(program, id)]).toEqual([signal, BigInt(expected[signal] ?? 0)]);
    }
  });

  it('together the programs show every signal that instructions emit', () => {
    const shown = new Set(entries.flatMap(([, { counts }]) => Object.keys(counts)));
    const silent = Object.keys(SIGNALS).filter((signal) => !shown.has(signal));
    // `cycle` is shown above; there is no cache, and nothing is predicted; costs are 0 by default; the last two are made by counting, not by instructions.
    const absent = ['far', 'cache-reference', 'cache-miss', 'branch-miss'];
    expect(silent).toEqual(['cycle', ...absent, 'stall-frontend', 'stall-backend', 'increment', 'carry']);
  });
});
