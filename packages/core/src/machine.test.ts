import type { PolicyName, ProgramName, Signal } from '@countervisor/contract';
import { programs, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { Machine, type MachineConfig } from './machine.ts';
import { restore, state } from './snapshot/state.ts';
import { bootFlat } from './testing/boot.ts';

function machine(program: ProgramName, policy: PolicyName, config: Partial<MachineConfig> = {}): Machine {
  const m = new Machine({ arch: template, ...config });
  const domain = m.addDomain({ name: 'a', vcpus: 1, memory: 65536, vpmu: true, policy });
  bootFlat(m, domain, programs[program].code);
  return m;
}

const register = (m: Machine, name: string): bigint => m.domains[0]?.vcpus[0]?.handle.get(name) as bigint;

describe('the template programs', () => {
  for (const [name, program] of Object.entries(programs)) {
    for (const policy of ['passthrough', 'switched', 'emulated'] as const) {
      it(`${name} under ${policy}: ${program.means}`, () => {
        const m = machine(name as ProgramName, policy);
        m.run({ until: 10_000 });
        const [domain] = m.domains;
        expect(domain?.ended).toEqual({ reason: 'poweroff', status: 0 });
        expect(domain?.instructions()).toBe(program.counts.instruction);
        for (const [r, value] of Object.entries(program.leaves)) expect(register(m, r), r).toBe(value);
        expect(domain?.console).toBe(program.console ?? '');
      });
    }
  }
});

describe('slices and state', () => {
  for (const name of Object.keys(programs) as ProgramName[]) {
    it(`${name}: saved after every instruction, restored, saved again: the same; and it ends the same`, () => {
      const whole = machine(name, 'emulated');
      whole.run({ until: 10_000 });
      const end = JSON.stringify(state(whole), (_, v) => (typeof v === 'bigint' ? `${v}n` : v));
      const total = programs[name].counts.instruction;
      for (let at = 1; at < Math.min(total, 60); at++) {
        const first = machine(name, 'emulated');
        first.run({ until: at });
        const saved = state(first);
        const second = machine(name, 'emulated');
        restore(second, saved);
        expect(state(second)).toEqual(saved);
        second.run({ until: 10_000 });
        expect(JSON.stringify(state(second), (_, v) => (typeof v === 'bigint' ? `${v}n` : v))).toBe(end);
      }
    });
  }
});

describe('signals', () => {
  const signals: readonly Signal[] = [
    'instruction',
    'branch',
    'taken',
    'load',
    'store',
    'access',
    'unaligned',
    'exception',
    'exception-return',
    'call',
    'return',
  ];
  it('every program has a count for some of them', () => {
    for (const program of Object.values(programs))
      expect(signals.some((s) => program.counts[s] !== undefined)).toBe(true);
  });
});
