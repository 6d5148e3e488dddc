/** Checks of the PMU's tables (events, counters) and of the switch plan. */
import {
  type Counter,
  isNone,
  ones,
  type PmuEvent,
  type Sampling,
  SIGNALS,
  type SwitchPlan,
} from '@countervisor/contract';
import { loosely, type Names } from './names.ts';
import { type Problems, show } from './problems.ts';
import { SHAPES } from './shapes.ts';

const EVENT = Object.keys({ id: 0, name: 0, means: 0, counts: 0, needs: 0, source: 0 } satisfies Record<
  keyof PmuEvent,
  0
>);
const COUNTER = Object.keys({
  value: 0,
  width: 0,
  overflowWidth: 0,
  event: 0,
  counting: 0,
  neighbour: 0,
  divisor: 0,
  threshold: 0,
  needs: 0,
} satisfies Record<keyof Counter, 0>);
const SAMPLING = Object.keys({ armed: 0, boundary: 0, branches: 0, branched: 0 } satisfies Record<keyof Sampling, 0>);
export const PLAN: readonly string[] = Object.keys({
  controls: 0,
  freeze: 0,
  counters: 0,
  because: 0,
  travels: 0,
  contextSwitchFrom: 0,
  contextSwitchTo: 0,
} satisfies Record<keyof SwitchPlan, 0>);
const SIGNAL_NAMES: ReadonlySet<string> = new Set(Object.keys(SIGNALS));

export function checkPmu(problems: Problems, thing: unknown, names: Names): void {
  const pmu = problems.named('pmu', thing, 'the PMU');
  if (pmu === undefined) return;
  problems.only('pmu', pmu, SHAPES.pmu);
  checkEvents(problems, pmu.events, names);
  checkCounters(problems, pmu.counters, names);
  for (const name of ['exists', 'overflow', 'line']) problems.function(`pmu.${name}`, pmu[name]);
  problems.text('pmu.source', pmu.source);
}

export function checkSampling(problems: Problems, thing: unknown): void {
  const sampling = problems.named('sampling', thing, "what samples, or none('why')");
  if (sampling === undefined) return;
  if (isNone(sampling)) {
    problems.text('sampling.none', sampling.none);
    return;
  }
  problems.only('sampling', sampling, SAMPLING);
  for (const name of SAMPLING) problems.function(`sampling.${name}`, sampling[name], 'optional');
  for (const [asks, tells] of [
    ['armed', 'boundary'],
    ['branches', 'branched'],
  ] as const) {
    if (sampling[asks] === undefined || sampling[tells] !== undefined) continue;
    problems.note('CV_CONTRADICTION', 'sampling', {
      where: 'sampling',
      why: `says when with ${asks}, and not what then`,
      remedy: `Write ${tells}, or leave out ${asks}.`,
    });
  }
}

function checkEvents(problems: Problems, table: unknown, names: Names): void {
  const byId = new Map<number, string>();
  const byName = new Set<string>();
  const called = (name: string | undefined): string | undefined =>
    name === undefined ? undefined : names.called('events', name);
  problems.items('pmu.events', table).forEach((thing, i) => {
    const event = problems.named(`pmu.events[${i}]`, thing, 'an event');
    if (event === undefined) return;
    const name = problems.text(`pmu.events[${i}].name`, event.name);
    const where = `pmu.events[${i}]${name === undefined ? '' : ` (${name})`}`;
    problems.only(where, event, EVENT);
    problems.text(`${where}.means`, event.means);
    if (name !== undefined && byName.has(name)) {
      problems.note('CV_LISTED_TWICE', where, { where, name, before: 'another event' });
    }
    if (name !== undefined) byName.add(name);
    const id = problems.whole(`${where}.id`, event.id, 0, Number.MAX_SAFE_INTEGER);
    const other = id === undefined ? undefined : byId.get(id);
    if (id !== undefined && other !== undefined) {
      problems.note('CV_SAME_EVENT', where, { event: called(name) ?? `[${i}]`, other, id: `0x${id.toString(16)}` });
    }
    if (id !== undefined) byId.set(id, called(name) ?? `[${i}]`);
    const counts = problems.items(`${where}.counts`, event.counts);
    for (const [n, signal] of counts.entries()) {
      problems.name(`${where}.counts[${n}]`, 'signal', signal, SIGNAL_NAMES);
    }
    if (Array.isArray(event.counts) && counts.length === 0) {
      problems.shape(`${where}.counts`, 'a list with a signal', event.counts);
    }
    if (event.needs !== undefined) problems.name(`${where}.needs`, 'CPU feature', event.needs, names.features);
  });
}

function checkCounters(problems: Problems, table: unknown, names: Names): void {
  const counters = problems.items('pmu.counters', table);
  const used = new Map<string, number>();
  counters.forEach((thing, i) => {
    const where = `pmu.counters[${i}]`;
    const counter = problems.named(where, thing, 'a counter');
    if (counter === undefined) return;
    problems.only(where, counter, COUNTER);
    for (const name of ['width', 'overflowWidth', 'event', 'counting'])
      problems.function(`${where}.${name}`, counter[name]);
    for (const name of ['divisor', 'threshold']) problems.function(`${where}.${name}`, counter[name], 'optional');
    if (counter.needs !== undefined) problems.name(`${where}.needs`, 'CPU feature', counter.needs, names.features);
    if (counter.neighbour !== undefined) {
      const neighbour = problems.whole(`${where}.neighbour`, counter.neighbour, 0, counters.length - 1);
      if (neighbour === i) problems.shape(`${where}.neighbour`, 'another counter', neighbour);
    }
    const value = problems.name(`${where}.value`, 'register', counter.value, names.registers);
    if (value === undefined) return;
    if (names.register(value).role !== 'counter') problems.note('CV_NOT_A_COUNTER', where, { where, register: value });
    const before = used.get(value);
    if (before !== undefined) {
      problems.note('CV_LISTED_TWICE', where, { where, name: value, before: `pmu.counters[${before}]` });
    }
    used.set(value, i);
  });
}

/** Policies under which a switch carries the PMU. */
const CARRIES = ['switched', 'mediated'];

export function checkSwitching(problems: Problems, thing: unknown, pmu: unknown, names: Names): void {
  const plan = problems.named('switching', thing, 'the switch plan');
  if (plan === undefined) return;
  problems.only('switching', plan, PLAN);
  const carried = checkLists(problems, 'switching', plan, names);
  checkWrites(problems, 'switching.freeze', plan.freeze, names);
  problems.text('switching.because', plan.because);
  problems.function('switching.travels', plan.travels, 'optional');
  problems.function('switching.contextSwitchFrom', plan.contextSwitchFrom, 'optional');
  problems.function('switching.contextSwitchTo', plan.contextSwitchTo, 'optional');
  if (!CARRIES.some((policy) => names.policies.has(policy))) return;
  const counters = loosely(pmu).counters;
  if (!Array.isArray(counters)) return;
  for (const counter of counters as unknown[]) {
    const { value } = loosely(counter);
    if (typeof value !== 'string' || !names.registers.has(value) || carried.has(value)) continue;
    problems.note('CV_CONTRADICTION', 'switching.counters', {
      where: 'switching',
      why: `carries no ${value}, in which pmu.counters counts: one guest would read another's count`,
      remedy: `Add '${value}' to switching.counters.`,
    });
  }
}

/** The ordered lists of a plan, or of a personality's part of one. Returns what they carry. */
export function checkLists(
  problems: Problems,
  where: string,
  plan: Readonly<Record<string, unknown>>,
  names: Names,
  partial?: 'partial',
): ReadonlySet<string> {
  const carried = new Map<string, string>();
  for (const list of ['controls', 'counters']) {
    if (partial !== undefined && plan[list] === undefined) continue;
    problems.items(`${where}.${list}`, plan[list]).forEach((thing, i) => {
      const at = `${where}.${list}[${i}]`;
      const name = problems.name(at, 'register', thing, names.registers);
      if (name === undefined) return;
      const { role, home } = names.register(name);
      if (role === undefined && home !== 'pcpu') problems.note('CV_NOT_SWITCHABLE', at, { where: at, register: name });
      const before = carried.get(name);
      if (before !== undefined) problems.note('CV_LISTED_TWICE', at, { where: at, name, before });
      carried.set(name, at);
    });
  }
  return new Set(carried.keys());
}

export function checkWrites(problems: Problems, where: string, thing: unknown, names: Names): void {
  problems.items(where, thing).forEach((write, i) => {
    const at = `${where}[${i}]`;
    if (!Array.isArray(write) || write.length !== 2) {
      problems.shape(at, 'a pair of register and value', write);
      return;
    }
    const name = problems.name(`${at}[0]`, 'register', write[0], names.registers);
    const value = problems.natural(`${at}[1]`, write[1]);
    if (name === undefined || value === undefined) return;
    const { width } = names.register(name);
    if (typeof width !== 'number' || !(width >= 1 && width <= 64) || value <= ones(Math.trunc(width))) return;
    problems.note('CV_FIELD_VALUE', at, { where: at, value: show(value), bits: `the ${width} bits of ${name}` });
  });
}
