/** What is decided about each register, at each level, under each policy, and which rule is named for it. */
import type { Access, Arch, PolicyName, TrapGroup } from '@countervisor/contract';
import { template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import type { Handle } from '../handle.ts';
import { switchTo } from '../switch/switch.ts';
import { type Asked, type Guest, guest } from '../testing/guest.ts';
import { type Decision, decide } from './decide.ts';

/**
 * Kernel reads, kernel writes, user reads, user writes, from the template's tables:
 * d direct, u undefined, t trapped by TPM where the policy arms it, p likewise but first by USER_PMU unless PMUSER.EN is 1.
 */
const TABLE: Readonly<Record<string, string>> = {
  STATUS: 'dduu',
  VECTOR: 'dduu',
  EPC: 'dduu',
  CAUSE: 'duuu',
  FAULT: 'duuu',
  USER_FROM: 'dduu',
  SCRATCH: 'dduu',
  TIME: 'dudu',
  HCTL: 'uuuu',
  CPUID: 'dudu',
  PMINFO: 'tuuu',
  PMEVENTS: 'tuuu',
  PMCTL: 'ttuu',
  PMENSET: 'ttuu',
  PMENCLR: 'ttuu',
  PMSTAT: 'ttuu',
  PMINTEN: 'ttuu',
  PMUSER: 'ttuu',
  PMINC: 'utup',
  ...Object.fromEntries(
    [0, 1, 2, 3].flatMap((n) => [
      [`PMSEL${n}`, 'ttuu'],
      [`PMC${n}`, 'ttpu'],
    ]),
  ),
  PMSAMPLE: 'ttuu',
};
/** Policies under which the template's one trap bit is set. */
const ARMED: Readonly<Record<PolicyName, boolean>> = {
  off: true,
  passthrough: false,
  switched: false,
  emulated: true,
  mediated: true,
};

/** A vCPU on its physical CPU, enforced, not yet running. */
function here(asked: Asked): Guest {
  const g = guest([], asked);
  const [pcpu] = g.machine.pcpus;
  if (pcpu !== undefined) switchTo(g.machine, pcpu, g.v);
  return g;
}
function verdict(g: Guest, name: string, write: boolean): Decision {
  const handle = g.v.handle as Handle;
  const register = handle.register(name);
  return decide(
    handle,
    register,
    write,
    (): Access => ({ register: name, address: register.row.at as Access['address'], ...(write && { write: 1n }) }),
  );
}

it('the table has every register that an instruction can name', () => {
  const addressed = Object.entries(template.registers).filter(([, row]) => row.at !== undefined);
  expect(addressed.map(([name]) => name).sort()).toEqual(Object.keys(TABLE).sort());
});

describe.each(Object.keys(ARMED) as PolicyName[])('under %s', (policy) => {
  it.each([0, 1])('every register, at every level, with PMUSER.EN %i', (en) => {
    const g = here({ policy });
    g.v.handle.set('PMUSER', BigInt(en));
    for (const [name, codes] of Object.entries(TABLE)) {
      [...codes].forEach((code, i) => {
        g.v.level = i < 2 ? 1 : 0;
        const d = verdict(g, name, i % 2 === 1);
        const trapped =
          code === 'p' && en === 0 ? 'USER_PMU' : (code === 't' || code === 'p') && ARMED[policy] ? 'TPM' : undefined;
        const where = `${name} ${code} ${i}`;
        expect(d.verdict, where).toBe(code === 'u' ? 'undefined' : trapped === undefined ? 'direct' : 'trapped');
        if (d.verdict === 'trapped')
          expect([d.group.name, d.group.cause.name], where).toEqual([trapped, trapped === 'TPM' ? 'pmu' : 'user-pmu']);
      });
    }
  });

  it('at its own level the hypervisor is stopped by nothing', () => {
    const g = here({ policy });
    g.v.level = 2;
    for (const name of Object.keys(TABLE)) {
      const { read, write } = (template.registers as Readonly<Record<string, { read: string; write: string }>>)[
        name
      ] as { read: string; write: string };
      expect([verdict(g, name, false).verdict, verdict(g, name, true).verdict], name).toEqual(
        [read, write].map((least) => (least === 'never' ? 'undefined' : 'direct')),
      );
    }
  });
});

describe('the rule that decided is named', () => {
  it.each<[name: string, write: boolean, level: number, asked: Asked, rule: string]>([
    ['PMC0', false, 1, { policy: 'switched' }, 'no trap is armed'],
    ['PMC0', false, 1, { policy: 'emulated' }, 'TPM (HCTL.TPM is 1: registers/control.ts)'],
    ['PMC0', false, 0, { policy: 'emulated' }, 'USER_PMU (PMUSER.EN is 0: registers/pmu.ts)'],
    ['PMC0', true, 0, { policy: 'emulated' }, 'PMC0 is not writable at this level'],
    ['PMCTL', false, 0, { policy: 'switched' }, 'PMCTL is not readable at this level'],
    ['PMINC', false, 1, { policy: 'switched' }, 'PMINC is never readable'],
    ['CAUSE', true, 1, { policy: 'switched' }, 'CAUSE is never writable'],
    ['PMC0', false, 1, { policy: 'off', cpu: 'tiny-none' }, 'this CPU has no pmu'],
    ['PMSAMPLE', true, 0, { policy: 'emulated', cpu: 'tiny,-sample' }, 'this CPU has no sample'],
  ])('%s', (name, write, level, asked, rule) => {
    const g = here(asked);
    g.v.level = level;
    expect(verdict(g, name, write).rule).toBe(rule);
  });

  it('what the CPU lacks is absent at every level, before anything else is asked', () => {
    const g = here({ cpu: 'tiny-none', policy: 'off' });
    for (const level of [0, 1, 2]) {
      g.v.level = level;
      for (const [name, row] of Object.entries(template.registers)) {
        if (row.at === undefined) continue;
        expect(verdict(g, name, true).verdict === 'absent', name).toBe(name.startsWith('PM'));
      }
    }
  });
});

describe('what arms a group', () => {
  const groups = (more: Readonly<Record<string, TrapGroup>>): Arch =>
    ({ ...template, trapGroups: { ...template.trapGroups, ...more } }) as unknown as Arch;
  const base: Omit<TrapGroup, 'when'> = { on: 'both', at: ['user', 'kernel'], cause: 'pmu', source: 'here' };

  it("per-register: what the policy demands for the register's role", () => {
    const arch = groups({ TPM: { ...base, when: { intercept: 'per-register' } } });
    const trapped = (policy: PolicyName): string[] => {
      const g = here({ arch, policy });
      return Object.keys(TABLE).filter(
        (name) => verdict(g, name, true).verdict === 'trapped' || verdict(g, name, false).verdict === 'trapped',
      );
    };
    const all = Object.keys(TABLE).filter((name) => name.startsWith('PM'));
    const identity = ['PMINFO', 'PMEVENTS'];
    expect(trapped('passthrough')).toEqual([]);
    expect(trapped('switched')).toEqual([]);
    expect(trapped('emulated')).toEqual(all.filter((name) => !identity.includes(name)));
    expect(trapped('off')).toEqual(all.filter((name) => !identity.includes(name)));
    expect(trapped('mediated')).toEqual(['PMINFO', 'PMEVENTS', 'PMSEL0', 'PMSEL1', 'PMSEL2', 'PMSEL3', 'PMSAMPLE']);
  });

  it('a function, which sees the access', () => {
    const asked: Access[] = [];
    const when = (_: unknown, access: Access): boolean => {
      asked.push(access);
      return access.write !== undefined;
    };
    const g = here({ arch: groups({ TPM: { ...base, when } }), policy: 'switched' });
    expect([verdict(g, 'PMC0', false).verdict, verdict(g, 'PMC0', true).verdict]).toEqual(['direct', 'trapped']);
    expect(asked).toEqual([
      { register: 'PMC0', address: { space: 'control', index: 0x1c } },
      { register: 'PMC0', address: { space: 'control', index: 0x1c }, write: 1n },
    ]);
  });

  it.each(['read', 'write'] as const)('on %ss alone', (on) => {
    const g = here({ arch: groups({ TPM: { ...base, on, when: { intercept: 'per-register' } } }), policy: 'emulated' });
    expect([verdict(g, 'PMC0', false).verdict, verdict(g, 'PMC0', true).verdict]).toEqual(
      on === 'read' ? ['trapped', 'direct'] : ['direct', 'trapped'],
    );
  });

  it('at some levels alone', () => {
    const g = here({
      arch: groups({ TPM: { ...base, at: ['user'], when: { intercept: 'per-register' } } }),
      policy: 'emulated',
    });
    g.v.handle.set('PMUSER', 1n);
    expect(verdict(g, 'PMC0', false).verdict).toBe('direct');
    g.v.level = 0;
    expect(verdict(g, 'PMC0', false).verdict).toBe('trapped');
  });

  it('a field of several bits, of a register without a stored value', () => {
    const armed = (is: bigint): string =>
      verdict(
        here({
          arch: groups({ TPM: { ...base, when: { register: 'PMINFO', field: 'COUNTERS', is } } }),
          policy: 'switched',
          cpuSettings: { counters: 3 },
        }),
        'PMC0',
        true,
      ).verdict;
    expect([armed(3n), armed(4n)]).toEqual(['trapped', 'direct']);
  });

  it('not by a register that the CPU lacks, whatever value it would have', () => {
    const arch = {
      ...groups({ TPM: { ...base, when: { register: 'PMUSER', field: 'EN', is: 0n } } }),
      registers: { ...template.registers, SCRATCH: { ...template.registers.SCRATCH, traps: ['TPM'] } },
    } as unknown as Arch;
    expect(verdict(here({ arch, cpu: 'tiny' }), 'SCRATCH', true).verdict).toBe('trapped');
    expect(verdict(here({ arch, cpu: 'tiny-none' }), 'SCRATCH', true).verdict).toBe('direct');
  });
});
