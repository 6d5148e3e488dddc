/** Access: each addressed register, at each level, under each control and each policy: absent, undefined, trapped or direct, and the explanation names the rule. */
import type { Control, PolicyName, RegisterFacts } from '@countervisor/contract';
import { type Check, holds, type Lab, Lack, type Subject, same } from '../check.ts';
import { NO_MANUAL, untold } from '../facts.ts';
import { type Change, change, guestLevels, NO_CODE, type Probed, plainest, probe } from '../guest.ts';
import { harmless } from './registers.ts';

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

function controls(subject: Subject, name: string, own: RegisterFacts): Check {
  const { facts } = subject;
  const listed = own.controls ?? [];
  const why = untold(subject, name);
  const by = listed.length === 0 ? 'no control' : `${listed.join(', then ')}, and by nothing else`;
  return {
    suite: 'access',
    name: `${name}: stopped by ${by}`,
    needs: ['raw'],
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
          ...(way.write && { value: harmless(own) }),
        };
        const here = listed.filter((control) => stops(facts.controls[control] as Control, way));
        const others = Object.keys(facts.controls).filter((control) => !here.includes(control));
        const with_ = (on: readonly string[]): Promise<Probed> =>
          probe(subject, lab, { ...asked, first: armed(subject, new Set(on), here) });
        judge(subject, `${what}, while every other control is on`, await with_(others), undefined, true);
        for (const [n, control] of here.entries()) {
          const alone = await with_([control]);
          judge(subject, `${what}, while ${control} is on`, alone, control, alone.retired);
          if (n === here.length - 1) continue;
          const later = await with_(here.slice(n));
          judge(subject, `${what}, while ${here.slice(n).join(' and ')} are on`, later, control, later.retired);
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
  return checks;
}
