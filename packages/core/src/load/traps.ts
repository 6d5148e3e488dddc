/** Checks of the trap tables: a group names its control, its levels and its cause; a cause names its handler. */
import { type Cause, type Field, mask, ones, span, type TrapGroup } from '@countervisor/contract';
import { loosely, type Names } from './names.ts';
import { bitsOf, type Problems, show } from './problems.ts';

const GROUP = Object.keys({ when: 0, on: 0, at: 0, cause: 0, source: 0 } satisfies Record<keyof TrapGroup, 0>);
const CAUSE = Object.keys({ to: 0, handler: 0, means: 0 } satisfies Record<keyof Cause, 0>);

export function checkTraps(problems: Problems, groups: unknown, causes: unknown, names: Names): void {
  for (const [name, thing] of problems.entries('trapGroups', groups)) {
    const where = `trapGroups.${name}`;
    const group = problems.named(where, thing, 'a group');
    if (group === undefined) continue;
    problems.only(where, group, GROUP);
    checkWhen(problems, `${where}.when`, group.when, names);
    problems.oneOf(`${where}.on`, group.on, ['read', 'write', 'both']);
    const levels = problems.items(`${where}.at`, group.at);
    for (const [i, level] of levels.entries()) {
      problems.name(`${where}.at[${i}]`, 'level', level, names.levels);
    }
    if (Array.isArray(group.at) && levels.length === 0) problems.shape(`${where}.at`, 'a list with a level', group.at);
    problems.name(`${where}.cause`, 'cause', group.cause, names.causes);
    problems.text(`${where}.source`, group.source);
  }
  for (const [name, thing] of problems.entries('causes', causes)) {
    const where = `causes.${name}`;
    const cause = problems.named(where, thing, 'a cause');
    if (cause === undefined) continue;
    problems.only(where, cause, CAUSE);
    problems.oneOf(`${where}.to`, cause.to, ['hypervisor', 'guest']);
    problems.text(`${where}.means`, cause.means);
    checkHandler(problems, `${where}.handler`, cause.handler);
  }
}

function checkHandler(problems: Problems, where: string, handler: unknown): void {
  if (typeof handler === 'function' || handler === 'hypercall' || handler === 'wait') return;
  problems.shape(where, "a function, 'hypercall' or 'wait'", handler);
}

function checkWhen(problems: Problems, where: string, thing: unknown, names: Names): void {
  if (typeof thing === 'function') return;
  const when = problems.named(where, thing, "a register's field, { intercept: 'per-register' } or a function");
  if (when === undefined) return;
  if (when.intercept !== undefined) {
    problems.oneOf(`${where}.intercept`, when.intercept, ['per-register']);
    return;
  }
  const register = problems.name(`${where}.register`, 'register', when.register, names.registers);
  const is = problems.natural(`${where}.is`, when.is);
  if (register === undefined) {
    problems.text(`${where}.field`, when.field);
    return;
  }
  const fields = loosely(names.register(register).fields);
  const field = problems.name(`${where}.field`, `field of ${register}`, when.field, new Set(Object.keys(fields)));
  if (field === undefined || is === undefined) return;
  const bits = loosely(fields[field]).bits;
  if (!wellFormed(bits)) return;
  const [high, low] = span(bits);
  if (is <= ones(high - low + 1)) return;
  problems.note('CV_FIELD_VALUE', `${where}.is`, { where: `${where}.is`, value: show(is), bits: bitsOf(mask(bits)) });
}

/** Bits that the register table's own check has nothing against. */
function wellFormed(bits: unknown): bits is Field['bits'] {
  const [high, low] = Array.isArray(bits) ? bits : [bits, bits];
  return Number.isInteger(high) && Number.isInteger(low) && high >= low && low >= 0 && high < 64;
}
