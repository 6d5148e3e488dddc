/** One program name, every architecture, equal signal counts where the program itself fixes them: counted from outside, and by each policy's own counters. */
import { emulator, type Session } from '@countervisor/conformance';
import type { ProgramName, Signal } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { type Installed, installed } from './architectures.ts';

const ALL = await installed();

/**
 * What a program's description fixes whatever the instruction set: how often it loops, loads, stores, calls, is interrupted. How many instructions it
 * takes to do so is each architecture's own.
 */
const FIXED: Readonly<Partial<Record<ProgramName, Readonly<Partial<Record<Signal, number>>>>>> = {
  // No loop, no memory, no exception.
  'ten-nops': { branch: 0, taken: 0, load: 0, store: 0, exception: 0, 'exception-return': 0 },
  // Five turns: the branch at the end is taken four times.
  'count-loop': { branch: 5, taken: 4, load: 0, store: 0, exception: 0 },
  // Two calls, two returns.
  'call-return': { call: 2, return: 2, branch: 4, taken: 4, exception: 0 },
  // Two stores and four loads.
  'touch-memory': { load: 4, store: 2, exception: 0 },
  // One exception of the guest's own, and one return from it.
  'take-exception': { exception: 1, 'exception-return': 1 },
  'forbidden-read': { exception: 1, 'exception-return': 1 },
};

/** What the way into a program and out of it emits, where a machine cannot do without: it is no part of what the description fixes. */
const AROUND: Readonly<Record<string, Readonly<Partial<Record<Signal, number>>>>> = {
  // Entered in protected mode, it goes on in long mode behind a far return.
  x86: { branch: 1, load: 1 },
  // Power-off is an RTAS call: its buffer has five words.
  ppc64: { store: 5 },
};

async function emitted({ arch, kit }: Installed, name: ProgramName): Promise<Record<string, number>> {
  const program = kit.programs[name];
  const { cpu = arch.defaultCpu, settings, domain } = kit.manual ?? {};
  const policy = arch.offers.policies.find((one) => one !== 'off') ?? 'off';
  const session: Session = await emulator(arch).start({
    guests: [{ code: program.code, policy }],
    cpu,
    ...(settings !== undefined && { cpuSettings: settings }),
    ...(domain !== undefined && { domain }),
  });
  await session.signals();
  await session.run(10_000);
  const { ended } = await session.progress();
  if (ended === undefined) throw new Error(`${name} of ${arch.name} does not end`);
  const sums: Record<string, number> = {};
  for (const level of await session.signals()) {
    for (const [signal, n] of Object.entries(level)) sums[signal] = (sums[signal] ?? 0) + n;
  }
  return sums;
}

describe.each(Object.entries(FIXED) as [ProgramName, Record<string, number>][])('%s', (name, fixed) => {
  it.each(ALL)('emits on $name what its description fixes', async (one) => {
    const all = await emitted(one, name);
    const around: Readonly<Record<string, number>> = AROUND[one.name] ?? {};
    const own = Object.keys(fixed).map((signal) => [signal, (all[signal] ?? 0) - (around[signal] ?? 0)]);
    expect(Object.fromEntries(own)).toEqual(fixed);
    // And an instruction at least for every one of them.
    expect(all.instruction).toBeGreaterThan(Math.max(...Object.values(fixed)));
  });
});

describe('each program name', () => {
  it.each(Object.keys(ALL[0]?.kit.programs ?? {}) as ProgramName[])('%s means the same everywhere', (name) => {
    for (const { kit } of ALL) expect(kit.programs[name]).toBeDefined();
    expect(new Set(ALL.map(({ kit }) => kit.programs[name].pmu)).size).toBe(1);
  });
});
