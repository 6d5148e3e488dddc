/** Counting: every signal of every program counted by every event, each counter by itself, and the published counting rules by their number. */
import type { PmuUse, PolicyName, Program, ProgramName, Signal } from '@countervisor/contract';
import { Absent, type Check, type Lab, type Subject, same } from '../check.ts';
import { NO_CODE, NO_USE, nop, useOf, counting as withPmu, writes } from '../guest.ts';
import { counterFor, window } from '../window.ts';
import { rules } from './rules.ts';

/** Programs that set counters themselves: what others count from outside would be disturbed. */
const OWN: readonly ProgramName[] = ['read-counter', 'write-then-read', 'overflow-at-n'];
/** More than any program does. */
const PLENTY = 1000;

export async function expectItsEnd(lab: Lab, program: Program, name: string, before: number): Promise<void> {
  const session = lab.session as NonNullable<Lab['session']>;
  const { ended, instructions, console } = await session.progress();
  same(`how ${name} ends`, ended?.reason ?? 'it runs on', 'poweroff');
  same(`instructions of ${name}`, instructions - before, program.counts.instruction);
  same(`console of ${name}`, console, program.console ?? '');
  for (const [register, value] of Object.entries(program.leaves)) {
    same(`${register} at the end of ${name}`, await session.get(register), value as bigint);
  }
}

/** What an event counts of a program. */
const amount = (counts: Program['counts'], signals: readonly Signal[]): number =>
  signals.reduce((sum, signal) => sum + ((signal === 'cycle' ? counts.instruction : counts[signal]) ?? 0), 0);

/** Amounts from outside, by signal: all levels together. */
async function emitted(lab: Lab): Promise<Record<string, number>> {
  const levels = (await lab.session?.signals()) ?? [];
  const sums: Record<string, number> = {};
  for (const level of levels) for (const [signal, n] of Object.entries(level)) sums[signal] = (sums[signal] ?? 0) + n;
  return sums;
}

interface Assigned {
  readonly event: number;
  readonly counter: number;
  readonly signals: readonly Signal[];
}

/** Every event on a counter that can count it, as many at once as there are counters. Those of a fixed counter alone are looked at with it. */
function batches(
  subject: Subject,
  use: PmuUse,
  events: readonly (readonly [number, readonly Signal[]])[],
): Assigned[][] {
  const all: Assigned[][] = [];
  for (const [event, signals] of events) {
    if (counterFor(subject, event) === undefined) continue;
    const free = (batch: readonly Assigned[]): number[] =>
      use.counters.filter((counter) => !batch.some((one) => one.counter === counter));
    let batch = all.find((one) => counterFor(subject, event, free(one)) !== undefined);
    if (batch === undefined) {
      batch = [];
      all.push(batch);
    }
    batch.push({ event, signals, counter: counterFor(subject, event, free(batch)) as number });
  }
  return all;
}

/** Counters are set to events by guest code first; then the program runs in its place. */
function passive(subject: Subject, policy: PolicyName, name: ProgramName, program: Program): Check {
  const { facts } = subject;
  return {
    suite: 'counting',
    name: `${name} under ${policy}: every event counts what the program emits`,
    needs: ['policies'],
    async run(lab: Lab): Promise<void> {
      const use = useOf(subject);
      const events = Object.entries(facts.events)
        .map(([id, signals]) => [Number(id), signals] as const)
        .filter(([, signals]) => !signals.includes('increment') && !signals.includes('carry'));
      for (const [from, some] of batches(subject, use, events).entries()) {
        const counters = some.map(({ event, counter }) => ({ counter, event }));
        const { code, started } = window(subject, { counters, body: [nop()] });
        const session = await lab.start({ guests: [{ code: code.bytes, policy }] });
        await session.run(started);
        const outside = lab.target.lacks.signals === undefined ? await emitted(lab) : undefined;
        await session.place(program.code);
        await session.run(started + program.counts.instruction + PLENTY);
        await expectItsEnd(lab, program, name, started);
        for (const { event, counter, signals } of some) {
          const what = `event 0x${event.toString(16)} (${signals.join(' and ')}) in ${name}, by counter ${counter}`;
          same(what, await session.get(use.value(counter)), BigInt(amount(program.counts, signals)));
        }
        if (outside === undefined || from > 0) continue;
        const all = await emitted(lab);
        for (const signal of Object.keys(outside)) {
          const counted = (all[signal] ?? 0) - (outside[signal] ?? 0);
          same(`${signal} of ${name}, counted from outside`, counted, amount(program.counts, [signal as Signal]));
        }
      }
    },
  };
}

function own(policy: PolicyName, name: ProgramName, program: Program, slice?: number): Check {
  return {
    suite: 'counting',
    name: `${name} under ${policy}${slice === undefined ? '' : ` in slices of ${slice}`}: ${program.means}`,
    needs: ['policies'],
    async run(lab: Lab): Promise<void> {
      const guests = [{ code: program.code, policy }];
      const session = await lab.start({ guests, ...(slice !== undefined && { slice }) });
      await session.run(program.counts.instruction + PLENTY);
      await expectItsEnd(lab, program, name, 0);
    },
  };
}

/** One counter counts between two writes, from where it was set; the others hold still. */
function alone(subject: Subject, policy: PolicyName, counter: number, event: number | undefined): Check {
  return {
    suite: 'counting',
    name: `counter ${counter} under ${policy}: counts alone, from where it was set`,
    needs: ['policies'],
    async run(lab: Lab): Promise<void> {
      const use = useOf(subject);
      const all = [...use.counters, ...Object.keys(use.fixed).map(Number)];
      const others = all.filter((n) => n !== counter);
      const first = others.map((n) => [use.value(n), BigInt(n) * 3n + 7n] as const);
      const w = window(subject, {
        counters: [{ counter, from: 1000n, ...(event !== undefined && { event }) }],
        first,
        body: [nop(9)],
        after: [nop(3)],
      });
      const session = await lab.start({ guests: [{ code: w.code.bytes, policy }] });
      await session.run(w.stopped + 2);
      same(`counter ${counter}`, await session.get(use.value(counter)), 1000n + BigInt(w.stopped - w.started));
      for (const [register, value] of first)
        same(`${register}, which is not enabled`, await session.get(register), value);
    },
  };
}

function divided(subject: Subject, policy: PolicyName): Check[] {
  return (subject.kit.use?.divides ?? []).map(({ counter, start, by }) => ({
    suite: 'counting',
    name: `counter ${counter} under ${policy}: counts every ${by}th`,
    needs: ['policies'],
    async run(lab: Lab): Promise<void> {
      const use = useOf(subject);
      const w = window(subject, { counters: [{ counter, from: 5n }], start, body: [nop(4 * by)] });
      const session = await lab.start({ guests: [{ code: w.code.bytes, policy }] });
      for (const [events, expected] of [
        [by - 1, 5n],
        [by, 6n],
        [2 * by - 1, 6n],
        [3 * by, 8n],
      ] as const) {
        await session.run(w.started + events);
        same(`counter ${counter} after ${events} events`, await session.get(use.value(counter)), expected);
      }
    },
  }));
}

/** A number that no event has selects nothing. */
function unknown(subject: Subject, policy: PolicyName): Check {
  return {
    suite: 'counting',
    name: `a selector under ${policy} that names no event counts nothing`,
    needs: ['policies'],
    async run(lab: Lab): Promise<void> {
      const use = useOf(subject);
      const [a, b] = use.counters as readonly [number, number];
      const instruction = Number(Object.entries(subject.facts.events).find(([, s]) => s.join() === 'instruction')?.[0]);
      const names = new Set(Object.keys(subject.facts.events).map(Number));
      const none = Array.from({ length: 0x80 }, (_, n) => n).filter((n) => !names.has(n));
      if (none.length === 0) throw new Absent('every number below 0x80 is an event');
      for (let at = 0; at < none.length; at += 8) {
        const some = none.slice(at, at + 8);
        const w = window(subject, {
          counters: [
            { counter: a, event: instruction },
            { counter: b, event: some[0] as number, from: 3n },
          ],
          body: some.flatMap((event) => [...writes(subject.arch, use.select(b, event)), nop()]),
        });
        const session = await lab.start({ guests: [{ code: w.code.bytes, policy }] });
        await session.run(w.stopped);
        same(`instructions beside it`, await session.get(use.value(a)), BigInt(w.stopped - w.started));
        same(`events ${some.map((n) => `0x${n.toString(16)}`).join(', ')}`, await session.get(use.value(b)), 3n);
      }
    },
  };
}

export function counting(subject: Subject): Check[] {
  const { kit, facts } = subject;
  const entries = Object.entries(kit.programs) as [ProgramName, Program][];
  const checks: Check[] = [];
  for (const policy of withPmu(subject)) {
    for (const [name, program] of entries) {
      if (OWN.includes(name)) checks.push(own(policy, name, program), own(policy, name, program, 1));
      else checks.push(passive(subject, policy, name, program));
    }
    if (kit.use === undefined || kit.code === undefined) continue;
    const instruction = Object.entries(facts.events).find(([, s]) => s.join() === 'instruction')?.[0];
    for (const counter of kit.use.counters) checks.push(alone(subject, policy, counter, Number(instruction)));
    for (const counter of Object.keys(kit.use.fixed)) checks.push(alone(subject, policy, Number(counter), undefined));
    checks.push(...divided(subject, policy), unknown(subject, policy), ...rules(subject, policy));
  }
  if (kit.code === undefined)
    checks.push({ suite: 'counting', name: 'windows', absent: NO_CODE, run: () => Promise.resolve() });
  else if (kit.use === undefined)
    checks.push({ suite: 'counting', name: 'windows', absent: NO_USE, run: () => Promise.resolve() });
  return checks;
}
