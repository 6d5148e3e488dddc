/** What a machine and a domain cannot be asked for. */
import type { Arch, Personality } from '@countervisor/contract';
import { template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import type { DomainConfig } from './domain.ts';
import { Machine, type MachineConfig } from './machine.ts';

const arch = template as Arch;
const machine = (config: Partial<MachineConfig> = {}): Machine => new Machine({ arch, ...config });
const one: DomainConfig = { name: 'a', vcpus: 1, memory: 65536, vpmu: true };

describe('a machine', () => {
  it.each<[Partial<MachineConfig>, string, string]>([
    [{ pcpus: 0 }, 'CV_VALUE', 'pcpus cannot be 0.\n  It may be a whole number from 1 to 512.'],
    [{ pcpus: 513 }, 'CV_VALUE', 'pcpus cannot be 513.\n  It may be a whole number from 1 to 512.'],
    [{ slice: 0 }, 'CV_VALUE', 'slice cannot be 0.\n  It may be a whole number from 1.'],
    [{ slice: 1.5 }, 'CV_VALUE', 'slice cannot be 1.5.\n  It may be a whole number from 1.'],
    [{ quantum: Number.NaN }, 'CV_VALUE', 'quantum cannot be NaN.\n  It may be a whole number from 1.'],
    [{ engine: 'jit' as never }, 'CV_VALUE', 'engine cannot be jit.\n  It may be auto, translator, stepper.'],
    [
      { hypervisor: { trap: { instructions: -1 } } },
      'CV_VALUE',
      'hypervisor.trap.instructions cannot be -1.\n  It may be a whole number from 0.',
    ],
    [
      { hypervisor: { switch: { cycles: 0.1 } } },
      'CV_VALUE',
      'hypervisor.switch.cycles cannot be 0.1.\n  It may be a whole number from 0.',
    ],
    [
      { costs: { memory: { backend: -2 } } },
      'CV_VALUE',
      'costs.memory.backend cannot be -2.\n  It may be a whole number from 0 to 1000000.',
    ],
    [
      { costs: { memory: { frontend: 2e6 } } },
      'CV_VALUE',
      'costs.memory.frontend cannot be 2000000.\n  It may be a whole number from 0 to 1000000.',
    ],
    [
      { costs: { memroy: {} } },
      'CV_UNKNOWN_NAME',
      'costs names the cost class memroy, which does not exist.\n  Did you mean memory?',
    ],
    [{ personality: 'nobody' }, 'CV_UNKNOWN_PERSONALITY', 'template has no personality nobody.\n  Known: plain.'],
  ])('%o', (config, code, message) => {
    let said = '';
    try {
      machine(config);
    } catch (error) {
      said = (error as { format(): string }).format();
    }
    expect(said).toBe(`${code}  ${message}`);
  });

  it('passes the options of its personality on, each with its value', () => {
    const asked: unknown[] = [];
    const plain = arch.personalities.plain as Personality;
    const options: NonNullable<Personality['options']> = {
      pin: { means: 'How.', values: ['off', 'on'], default: 'off', source: 'here' },
      boot: {
        means: 'A line.',
        values: 'text',
        default: '',
        problem: (text) => (text.includes(' ') ? 'a text without spaces' : undefined),
        source: 'here',
      },
    };
    const settings: Personality['settings'] = (_mode, _vpmu, given) => {
      asked.push(given);
      return given;
    };
    const own = { ...arch, personalities: { plain: { ...plain, options, settings } } } as unknown as Arch;
    const made = new Machine({ arch: own, options: { boot: 'ipc,bts' } });
    expect(made.options).toEqual({ pin: 'off', boot: 'ipc,bts' });
    expect(made.addDomain(one).settings).toMatchObject({ pin: 'off', boot: 'ipc,bts' });
    // Twice for each mode when it was loaded, with the defaults.
    expect(asked).toContainEqual({ pin: 'off', boot: '' });
    for (const [given, message] of [
      [{ pni: 'on' }, 'plain names the option pni, which does not exist.'],
      [{ pin: 'maybe' }, 'the option pin of plain cannot be maybe.'],
      [{ boot: 'a b' }, 'the option boot of plain cannot be a b.'],
    ] as const) {
      expect(() => new Machine({ arch: own, options: given as Record<string, string> })).toThrow(message);
    }
  });

  it('without anything said has one physical CPU and the first personality', () => {
    const m = machine();
    expect([m.pcpus.length, m.personality.name, m.mode, m.time, m.slice, m.quantum, m.unmodelled]).toEqual([
      1,
      'plain',
      'compat',
      'virtual',
      10_000,
      1000,
      'fault',
    ]);
  });
});

describe('a domain', () => {
  it.each<[Partial<DomainConfig>, string]>([
    [{ vcpus: 0 }, 'CV_VALUE  vcpus of the domain a cannot be 0.\n  It may be a whole number from 1 to 512.'],
    [
      { memory: 0 },
      'CV_VALUE  memory of the domain a cannot be 0.\n  It may be a whole number from 4096 to 268435456.',
    ],
    [{ memory: 6000 }, 'CV_VALUE  memory of the domain a cannot be 6000.\n  It may be a multiple of 4096.'],
    [
      { memory: 2 ** 28 + 4096 },
      'CV_VALUE  memory of the domain a cannot be 268439552.\n  It may be a whole number from 4096 to 268435456.',
    ],
    [{ pins: [[]] }, 'CV_VALUE  pins[0] of the domain a cannot be empty.\n  It may be a list with a physical CPU.'],
    [
      { pins: [[0], [1, 2]] },
      'CV_VALUE  pins[1] of the domain a cannot be 2.\n  It may be a whole number from 0 to 1.',
    ],
    [{ name: 'b' }, 'CV_VALUE  the name of a domain cannot be b.\n  It may be any name that no other domain has.'],
    [{ platform: 'tinny' }, 'CV_UNKNOWN_PLATFORM  template has no platform tinny.\n  Did you mean tiny?'],
  ])('%o', (config, message) => {
    const m = machine({ pcpus: 2 });
    m.addDomain({ ...one, name: 'b' });
    let said = '';
    try {
      m.addDomain({ ...one, ...config });
    } catch (error) {
      said = (error as { format(): string }).format();
    }
    expect(said).toBe(message);
    expect(m.domains.map((d) => d.name)).toEqual(['b']);
  });

  it('of a policy that the architecture does not offer', () => {
    const few = {
      ...arch,
      offers: { policies: ['off', 'emulated'] },
      personalities: { plain: { ...arch.personalities.plain, policies: ['off', 'emulated'] } },
    } as unknown as Arch;
    expect(() => machine({ arch: few }).addDomain({ ...one, policy: 'mediated' })).toThrow(
      "template asks for the policy 'mediated', which is not offered.",
    );
    expect(machine({ arch: few }).addDomain(one).policyName).toBe('emulated');
  });

  it('of a policy that the hypervisor it is to run under does not know', () => {
    const plain = { ...arch.personalities.plain, policies: ['off', 'emulated'] };
    const few = { ...arch, personalities: { plain } } as unknown as Arch;
    expect(() => machine({ arch: few }).addDomain({ ...one, policy: 'mediated' })).toThrow(
      "plain asks for the policy 'mediated', which is not offered.",
    );
  });

  it('is found by its name, or not', () => {
    const m = machine();
    const a = m.addDomain(one);
    expect(m.domain('a')).toBe(a);
    expect(() => m.domain('b')).toThrow(RangeError);
  });

  it('has the policy that its personality gives it, with a vPMU and without, and its settings', () => {
    const m = machine();
    expect(m.addDomain(one).policyName).toBe('emulated');
    expect(m.addDomain({ ...one, name: 'b', vpmu: false }).policyName).toBe('off');
    expect(m.addDomain({ ...one, name: 'c', settings: { extra: 5 } }).settings).toEqual({ vpmu: true, extra: 5 });
  });
});

describe('resets', () => {
  it('are fixed, loud, or made from the CPU model; fields that never vary have their values', () => {
    const registers = {
      ...template.registers,
      SCRATCH: {
        ...template.registers.SCRATCH,
        reset: (view: { cpu: { name: string }; index: number }) => BigInt(view.cpu.name.length) + 2n ** 70n,
      },
      EPC: {
        ...template.registers.EPC,
        fields: {
          A: { bits: [63, 3], means: 'x' },
          O: { bits: 2, means: 'x', write: 'one' },
          Z: { bits: [1, 0], means: 'x', write: 'zero' },
        },
      },
      PMUSER: { ...template.registers.PMUSER, reset: (view: { index: number }) => BigInt(view.index) },
    };
    const m = machine({ arch: { ...arch, registers } as unknown as Arch, cpu: 'tiny-wide' });
    const v = m.addDomain({ ...one, vcpus: 2 }).vcpus[1]?.handle;
    expect([v?.get('SCRATCH'), v?.get('EPC'), v?.get('R3'), v?.get('PMUSER'), v?.get('PMSTAT')]).toEqual([
      9n,
      (0x1de7_ec7e_dbad_c0den & ~3n) | 4n,
      0x1de7_ec7e_dbad_c0den,
      1n,
      0n,
    ]);
  });
});
