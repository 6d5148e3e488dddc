/** Policies: role by role what they mean, what a guest then gets, and what each personality of the architecture chooses. */
import type { Demand, PmuRole, PolicyName } from '@countervisor/contract';
import { chosenOptions, POLICY_TABLE } from '@countervisor/core';
import { Absent, type Check, holds, type Lab, type Subject, same } from '../check.ts';
import { kernelOf, NO_CODE, nop, probe, useOf, writerOf } from '../guest.ts';
import { window } from '../window.ts';
import { harmless } from './registers.ts';

type Wanted = Readonly<Record<PmuRole, 'direct' | 'trap'>>;

const DIRECT: Wanted = {
  counter: 'direct',
  selector: 'direct',
  enable: 'direct',
  global: 'direct',
  overflow: 'direct',
  interrupt: 'direct',
  identity: 'direct',
  sampling: 'direct',
  'user-access': 'direct',
};

/** What the policies mean, as published: written apart from core's table. */
const PUBLISHED: Readonly<
  Record<PolicyName, { demand: Wanted; home: string; onSwitch: string; independent: boolean }>
> = {
  off: { demand: allBut('trap', { identity: 'direct' }), home: 'vcpu', onSwitch: 'virtual', independent: true },
  passthrough: { demand: DIRECT, home: 'pcpu', onSwitch: 'leave', independent: false },
  switched: { demand: DIRECT, home: 'pcpu', onSwitch: 'carry', independent: true },
  emulated: { demand: allBut('trap', { identity: 'direct' }), home: 'vcpu', onSwitch: 'virtual', independent: true },
  mediated: {
    demand: { ...DIRECT, selector: 'trap', identity: 'trap', sampling: 'trap' },
    home: 'pcpu',
    onSwitch: 'carry',
    independent: true,
  },
};

function allBut(what: 'direct' | 'trap', others: Partial<Wanted>): Wanted {
  return { ...(Object.fromEntries(Object.keys(DIRECT).map((role) => [role, what])) as Wanted), ...others };
}

function table(policy: PolicyName): Check {
  return {
    suite: 'policy',
    name: `${policy}: what it asks for each role, where registers live, what a switch does`,
    needs: ['policies'],
    async run(): Promise<void> {
      const { demand, home, onSwitch, independent } = POLICY_TABLE[policy];
      const wanted = PUBLISHED[policy];
      for (const role of Object.keys(wanted.demand) as PmuRole[])
        same(`${policy} asks for ${role}`, demand[role], wanted.demand[role]);
      same(`registers under ${policy} live on the`, home, wanted.home);
      same(`registers on a switch under ${policy}`, onSwitch, wanted.onSwitch);
      same(`${policy} is independent of slices and neighbours`, independent, wanted.independent);
    },
  };
}

/** Tables and manual give every register the same role. */
function roles({ arch, facts }: Subject, role: PmuRole): Check {
  return {
    suite: 'policy',
    name: `the role ${role}: which registers have it`,
    async run(): Promise<void> {
      const tabled = Object.entries(arch.registers).filter(
        ([name, row]) => row.role === role && (row.at !== undefined || name in facts.registers),
      );
      const told = Object.entries(facts.registers).filter(([, own]) => own.role === role);
      same(`registers with the role ${role}`, tabled.map(([name]) => name).sort(), told.map(([name]) => name).sort());
    },
  };
}

/** An access at the kernel's level to each register of a role: who gets it. */
function met(subject: Subject, policy: PolicyName, role: PmuRole): Check | undefined {
  const { arch, facts, kit } = subject;
  const told = facts.policies[policy];
  const writer = kit.code;
  if (told === undefined || writer === undefined) return undefined;
  const kernel = arch.levels.indexOf(kernelOf(arch));
  const names = Object.entries(facts.registers).filter(
    ([name, own]) => own.role === role && arch.registers[name]?.at !== undefined,
  );
  if (names.length === 0) return undefined;
  return {
    suite: 'policy',
    name: `${policy} × ${role}: who gets an access of the guest's kernel`,
    needs: ['policies', 'raw'],
    async run(lab: Lab): Promise<void> {
      let looked = 0;
      for (const [name, own] of names) {
        for (const write of [false, true]) {
          const least = own.levels[write ? 1 : 0];
          const at = arch.registers[name]?.at;
          if (
            least === 'never' ||
            arch.levels.indexOf(least) > kernel ||
            at === undefined ||
            !writer.reaches(at, write)
          )
            continue;
          looked++;
          const decides = (own.controls ?? []).find(
            (control) => facts.controls[control]?.to === 'hypervisor' && told.controls.includes(control),
          );
          const asked = { register: name, level: kernelOf(arch), policy };
          const got = await probe(subject, lab, write ? { ...asked, value: harmless(own) } : asked);
          const what = `a ${write ? 'write' : 'read'} of ${name} under ${policy}`;
          same(`${what}: exits`, got.exits, decides === undefined ? 0 : 1);
          same(`${what}: done`, got.retired, decides === undefined || told.pmu === 'performed');
          // Whatever a policy wants to see must be trapped; hardware may trap more.
          const demand: Demand = PUBLISHED[policy].demand;
          if (demand[role] === 'trap' && own.controls !== undefined) {
            holds(`${what}: ${policy} wants to see ${role}`, got.exits === 1 || role === 'identity', 'an exit', 'none');
          }
        }
      }
      if (looked === 0) throw new Absent(`the guest's kernel reaches no register with the role ${role}`);
    },
  };
}

/** A guest counts under every policy that gives it a PMU, and under `off` it does not. */
function works(subject: Subject, policy: PolicyName): Check {
  return {
    suite: 'policy',
    name: `${policy}: ${policy === 'off' ? 'there is no PMU to count with' : 'a guest can count with it'}`,
    needs: ['policies'],
    async run(lab: Lab): Promise<void> {
      const use = useOf(subject);
      const [counter] = use.counters as readonly [number];
      const event = Object.entries(subject.facts.events).find(([, s]) => s.join() === 'instruction')?.[0];
      const w = window(subject, {
        before: [{ do: 'catch' }],
        counters: [{ counter, event: Number(event) }],
        body: [nop(8)],
      });
      const session = await lab.start({ guests: [{ code: w.code.bytes, policy }] });
      await session.run(w.stopped);
      const caught = await session.get(writerOf(subject).caught);
      if (policy === 'off') {
        holds('the first access to the PMU', caught !== 0n, 'an exception', 'none');
        return;
      }
      same('instructions counted', await session.get(use.value(counter)), BigInt(w.stopped - w.started));
    },
  };
}

function personalities({ arch, kit }: Subject): Check[] {
  return Object.entries(arch.personalities).flatMap(([name, personality]) =>
    (['compat', 'strict'] as const).map(
      (mode): Check => ({
        suite: 'policy',
        name: `the personality ${name} in ${mode}: chooses policies that are offered`,
        async run(): Promise<void> {
          for (const vpmu of [false, true]) {
            const chosen = personality.policy(mode, vpmu, chosenOptions(personality));
            holds(
              `${name} ${vpmu ? 'with' : 'without'} a vPMU`,
              arch.offers.policies.includes(chosen),
              arch.offers.policies.join(', '),
              chosen,
            );
            holds(
              `${name} can be told to use it`,
              personality.policies.includes(chosen),
              personality.policies.join(', '),
              chosen,
            );
          }
          for (const policy of personality.policies) {
            holds(
              `${policy} of ${name}`,
              arch.offers.policies.includes(policy),
              arch.offers.policies.join(', '),
              policy,
            );
          }
          void kit;
        },
      }),
    ),
  );
}

export function policy(subject: Subject): Check[] {
  const { arch, kit } = subject;
  const { policies } = arch.offers;
  const all = Object.keys(DIRECT) as PmuRole[];
  if (kit.code === undefined) {
    return [
      ...policies.map(table),
      { suite: 'policy', name: 'guest accesses', absent: NO_CODE, run: () => Promise.resolve() },
    ];
  }
  return [
    ...policies.map(table),
    ...all.map((role) => roles(subject, role)),
    ...policies.flatMap((name) => all.flatMap((role) => met(subject, name, role) ?? [])),
    ...(kit.use === undefined ? [] : policies.map((name) => works(subject, name))),
    ...personalities(subject),
  ];
}
