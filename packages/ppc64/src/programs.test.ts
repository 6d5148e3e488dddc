/** Each program ends as its comments say, and what it emits adds up, under every policy. */
import type { Program, ProgramName } from '@countervisor/contract';
import { boot, Machine } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { ppc64 } from './index.ts';
import { programs } from './programs.ts';

const entries = Object.entries(programs) as [ProgramName, Program][];

describe.each(['passthrough', 'switched', 'emulated'] as const)('programs under %s', (policy) => {
  it.each(entries)('%s', (_, program) => {
    for (const slice of [1, 1000]) {
      const machine = new Machine({ arch: ppc64, personality: 'plain', slice });
      const domain = machine.addDomain({ name: 'guest', vcpus: 1, memory: 8 << 20, vpmu: true, policy });
      boot(machine, domain, { bytes: program.code, file: 'guest', kind: 'flat' });
      machine.run({ until: 100_000 });
      expect(domain.ended?.reason).toBe('poweroff');
      const { handle } = domain.vcpus[0] ?? {};
      const leaves = Object.keys(program.leaves).map((register) => [register, handle?.get(register)]);
      expect(Object.fromEntries(leaves)).toEqual(program.leaves);
      expect(new TextDecoder().decode(domain.consoleBytes())).toBe(program.console ?? '');
      expect(domain.instructions()).toBe(program.counts.instruction);
    }
  });
});
