/** Access: each addressed register, at each level, under each control and each policy: absent, undefined, trapped or direct, and the explanation names the rule. */
import type { Control, Model, PolicyName, RegisterFacts } from '@countervisor/contract';
import { type Check, holds, type Lab, Lack, type Subject, same } from '../check.ts';
import { NO_MANUAL, untold } from '../facts.ts';
import { type Change, change, guestLevels, NO_CODE, type Probed, plainest, probe } from '../guest.ts';
import { harmless, onModel } from './registers.ts';

const never = Number.POSITIVE_INFINITY;

interface Way {
  readonly level: string;
  readonly write: boolean;
}

/** The accesses to a register that its privilege allows and that machine code can do. */
function waysOf({ arch, kit }: Subject, name: string, { levels: [read, write] }: RegisterFacts): Way[] {
  const at = arch.registers[name]?.at;
  if (at === undefined || kit.code === undefined) return [];
  const least = (which: string): number => (which === 'never' ? never : arch.levels.indexOf(which));
  const ways = guestLevels(arch).flatMap((level, n) => [
    ...(n >= least(read) ? [{ level, write: false }] : []),
    ...(n >= least(write) ? [{ level, write: true }] : []),
  ]);
  return ways.filter((way) => kit.code?.reaches(at, way.write));
}

const stops = (control: Control, { level, write }: Way): boolean =>
  control.levels.includes(level) && (control.stops === undefined || (control.stops === 'write') === write);

/** Does what was decided for one access agree with the control that must have decided, or with none? */
function judge(subject: Subject, what: string, got: Probed, control: string | undefined, performed: boolean): void {
  const { to } = (control === undefined ? undefined : subject.facts.controls[control]) ?? { to: undefined };
  const exit = to === 'hypervisor' ? 1 : 0;
  const verdict = control === undefined ? 'direct' : 'trapped';
  const done = control === undefined || (to === 'hypervisor' && performed);
  if (got.access !== undefined) {
    same(`${what}: decided as`, got.access.verdict, verdict);
    if (control !== undefined) {
      const { rule } = got.access;
      const named = subject.facts.controls[control]?.named ?? control;
      holds(`${what}: the explanation names ${control}`, rule.includes(named), named, rule);
    }
  }
  same(`${what}: exits to the hypervisor`, got.exits, exit);
  same(`${what}: the access`, got.retired ? 'is done' : 'is not done', done ? 'is done' : 'is not done');
}

/**
 * Changes that turn some controls on and all others off. Two may be about the same bits: then those that have a say in this access (`here`) are laid
 * over those that have none, and what is on over what is off.
 */
function armed({ facts }: Subject, on: ReadonlySet<string>, here: readonly string[]): Change[] {
  const names = Object.keys(facts.controls);
  const others = names.filter((name) => !here.includes(name));
  const laid = (some: readonly string[], which: boolean): Change[] =>
    some.filter((name) => on.has(name) === which).map((name) => change(facts.controls[name] as Control, which));
  return [...laid(others, false), ...laid(others, true), ...laid(here, false), ...laid(here, true)];
}

function controls(subject: Subject, name: string, own: RegisterFacts, model?: Model): Check {
  const { facts } = subject;
  const listed = own.controls ?? [];
  const usual = facts.registers[name]?.controls ?? [];
  const why = untold(subject, name);
  const by = listed.length === 0 ? 'no control' : `${listed.join(', then ')}, and by nothing else`;
  return {
    suite: 'access',
    name: `${name}: stopped by ${by}${onModel(model)}`,
    needs: model === undefined ? ['raw'] : ['raw', 'models'],
    ...(why !== undefined && { absent: why }),
    async run(lab: Lab): Promise<void> {
      for (const control of listed) {
        holds(`${control}, which stops ${name}`, control in facts.controls, 'facts of it', 'none');
      }
      for (const way of waysOf(subject, name, own)) {
        const what = `a ${way.write ? 'write' : 'read'} of ${name} at the level ${way.level}`;
        const asked = {
          register: name,
          policy: plainest(subject),
          level: way.level,
          ...(model !== undefined && { model }),
          ...(way.write && { value: harmless(own) }),
        };
        const here = listed.filter((control) => stops(facts.controls[control] as Control, way));
        const others = Object.keys(facts.controls).filter((control) => !here.includes(control));
        const with_ = (on: readonly string[], value = asked.value): Promise<Probed> =>
          probe(subject, lab, {
            ...asked,
            ...(value !== undefined && { value }),
            first: armed(subject, new Set(on), here),
          });
        judge(subject, `${what}, while every other control is on`, await with_(others), undefined, true);
        for (const [n, control] of here.entries()) {
          // Of a model's controls only those that others lack, and whoever comes right before them.
          const news = [control, here[n + 1]].some((one) => one !== undefined && !usual.includes(one));
          if (model !== undefined && !news) continue;
          const alone = await with_([control]);
          judge(subject, `${what}, while ${control} is on`, alone, control, alone.retired);
          if (way.write && own.refuses !== undefined) {
            // Whoever is asked is asked before anybody looks at the value.
            const refused = await with_([control], harmless(own) | own.refuses);
            judge(subject, `${what} that would be refused, while ${control} is on`, refused, control, refused.retired);
          }
          if (n === here.length - 1) continue;
          const later = await with_(here.slice(n));
          judge(subject, `${what}, while ${here.slice(n).join(' and ')} are on`, later, control, later.retired);
        }
      }
    },
  };
}

/** What a CPU does not have is undefined for everybody, whatever is armed, and nobody is asked. */
function nowhere(subject: Subject, name: string, base: RegisterFacts, model?: Model): Check {
  const { facts } = subject;
  return {
    suite: 'access',
    name: `${name}: undefined, whatever is on${onModel(model)}`,
    needs: model === undefined ? ['raw'] : ['raw', 'models'],
    async run(lab: Lab): Promise<void> {
      const every = new Set(Object.keys(facts.controls));
      const [lowest = ''] = guestLevels(subject.arch);
      for (const way of waysOf(subject, name, { levels: [lowest, lowest] })) {
        const what = `a ${way.write ? 'write' : 'read'} of ${name} at the level ${way.level}`;
        const got = await probe(subject, lab, {
          register: name,
          policy: plainest(subject),
          level: way.level,
          ...(model !== undefined && { model }),
          ...(way.write && { value: 0n }),
          first: armed(subject, every, base.controls ?? []),
        });
        same(what, got.retired ? 'is done' : 'is undefined', 'is undefined');
        same(`${what}: exits to the hypervisor`, got.exits, 0);
        const rule = got.access?.rule ?? '';
        for (const control of base.controls ?? []) {
          const named = facts.controls[control]?.named ?? control;
          holds(`${what}: decided before ${control} is asked`, !rule.includes(named), 'another rule', rule);
        }
      }
    },
  };
}

function underPolicy(subject: Subject, policy: PolicyName, name: string, own: RegisterFacts): Check {
  const { facts } = subject;
  const told = facts.policies[policy];
  return {
    suite: 'access',
    name: `${name} under ${policy}`,
    needs: ['raw', 'policies'],
    ...(told === undefined && {
      absent: new Lack(
        `nobody says which controls the policy ${policy} turns on: ${subject.kit.manual === undefined ? NO_MANUAL : 'the manual does not'}`,
      ),
    }),
    async run(lab: Lab): Promise<void> {
      if (told === undefined) return;
      const kernel = Object.values(facts.controls).filter(({ to }) => to !== 'hypervisor');
      for (const way of waysOf(subject, name, own)) {
        for (const shut of way.level === guestLevels(subject.arch)[0] ? [false, true] : [false]) {
          const what = `a ${way.write ? 'write' : 'read'} of ${name} at the level ${way.level} under ${policy}${shut ? ', which the kernel forbids' : ''}`;
          const decides = (own.controls ?? []).find((control) => {
            const about = facts.controls[control];
            if (about === undefined || !stops(about, way)) return false;
            if (about.to === 'hypervisor') return told.controls.includes(control);
            return shut && told.ignores?.includes(control) !== true;
          });
          const got = await probe(subject, lab, {
            register: name,
            level: way.level,
            policy,
            first: kernel.map((control) => change(control, shut)),
            ...(way.write && { value: harmless(own) }),
          });
          judge(subject, what, got, decides, own.role === undefined || told.pmu === 'performed');
        }
      }
    },
  };
}

export function access(subject: Subject): Check[] {
  const { arch, facts, kit } = subject;
  if (kit.code === undefined)
    return [{ suite: 'access', name: 'guest accesses', absent: NO_CODE, run: () => Promise.resolve() }];
  const checks: Check[] = [];
  for (const [name, own] of Object.entries(facts.registers)) {
    if (arch.registers[name]?.at === undefined || waysOf(subject, name, own).length === 0) continue;
    checks.push(controls(subject, name, own));
    for (const policy of arch.offers.policies) checks.push(underPolicy(subject, policy, name, own));
  }
  for (const [name, own] of Object.entries(facts.registers)) {
    if (own.nowhere === true && arch.registers[name]?.at !== undefined) checks.push(nowhere(subject, name, own));
  }
  for (const model of facts.models) {
    for (const [name, more] of Object.entries(model.registers)) {
      const base = facts.registers[name];
      if (base === undefined || arch.registers[name]?.at === undefined) continue;
      if (more.nowhere === true) checks.push(nowhere(subject, name, base, model));
      else if (more.controls !== undefined) checks.push(controls(subject, name, { ...base, ...more }, model));
    }
  }
  return checks;
}
