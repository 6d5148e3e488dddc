/** Switching: leaving and coming back is the identity for every carried register, a counter is the sum of its own increments, and nothing of a neighbour shows. */
import type { PmuUse, PolicyName, Step, Writes } from '@countervisor/contract';
import { type Check, holds, type Lab, type Subject, same } from '../check.ts';
import { factsOn, LOUD, vague } from '../facts.ts';
import { behind, END, NO_CODE, nop, placeOf, read, useOf, counting as withPmu, writerOf, writes } from '../guest.ts';
import type { Moment, Session } from '../target.ts';
import { eventOf, type Window, window } from '../window.ts';
import { storedBits } from './registers.ts';

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** Policies that promise a guest its own history. */
const own = (subject: Subject): readonly PolicyName[] => withPmu(subject).filter((policy) => policy !== 'passthrough');
const carrying: readonly PolicyName[] = ['switched', 'mediated'];

/** A guest that counts its own instructions on its first counter, in forty steps: the evidence that something was counted at all. */
function counted(subject: Subject, nops = 40): Window {
  const [counter] = useOf(subject).counters as readonly [number];
  return window(subject, { counters: [{ counter, event: eventOf(subject, 'instruction') }], body: [nop(nops)] });
}

async function evidence(subject: Subject, session: Session, w: Window, guest = 0): Promise<void> {
  const use = useOf(subject);
  const counter = use.counters[0] as number;
  same(
    `instructions that guest ${guest} counted`,
    await session.get(use.value(counter), guest),
    BigInt(w.stopped - w.started),
  );
}

/** Something to tell registers apart by: another value for each, in the bits that are stored. */
function pattern(subject: Subject, name: string, n: number): bigint {
  const facts = factsOn(subject, name, subject.facts.cpu);
  return facts === undefined ? 0n : BigInt.asUintN(64, LOUD * BigInt(2 * n + 1)) & storedBits(facts);
}

/** Registers that store what a window's guest writes. */
function touched({ facts }: Subject, use: PmuUse): ReadonlySet<string> {
  const counter = use.counters[0] as number;
  const lists = [use.quiet, use.select(counter, 0), use.enable([counter]), use.start, use.stop];
  const names = [...lists.flat().map(([register]) => register), use.value(counter)];
  return new Set(names.map((name) => facts.registers[name]?.of ?? name));
}

/** Guest writes that leave the opposite of a value in a register, through whatever windows there are. */
function opposite({ arch, facts, kit }: Subject, name: string, value: bigint): Writes {
  const kernel = arch.levels.length - 2;
  return Object.entries(facts.registers).flatMap(([window, own]) => {
    const at = arch.registers[window]?.at;
    const least = own.levels[1];
    if ((own.of ?? window) !== name || at === undefined || kit.code?.reaches(at, true) !== true) return [];
    if (least === 'never' || arch.levels.indexOf(least) > kernel || own.acts !== undefined) return [];
    const { plain = 0n, sets = 0n, clears = 0n } = own;
    return [[window, (~value & (plain | sets)) | (value & clears)] as const];
  });
}

/** One register: beside a neighbour in which everything is different it ends as it does alone. */
function identity(subject: Subject, policy: PolicyName, name: string): Check {
  return {
    suite: 'switching',
    name: `${name} under ${policy}: a neighbour does not change it`,
    needs: ['policies', 'guests', 'raw'],
    async run(lab: Lab): Promise<void> {
      const { arch, facts } = subject;
      const use = useOf(subject);
      const bits = (register: string): bigint =>
        storedBits(factsOn(subject, register, facts.cpu) ?? { levels: ['never', 'never'] });
      const w = counted(subject);
      // Before counting stops: then the control that starts it still has something to lose.
      const until = w.body[0] as number;
      const guest = { code: w.code.bytes, policy };
      const setup = { slice: 3 };
      const mine = facts.carried.map((register, at) => [register, pattern(subject, register, at)] as const);

      const alone = await lab.start({ ...setup, guests: [guest] });
      for (const [register, value] of mine) await alone.set(register, value);
      const put = vague(subject, name) ? await alone.get(name) : mine.find(([register]) => register === name)?.[1];
      await alone.run(until);
      const expected = await alone.get(name);
      if (!touched(subject, use).has(name))
        same(`${name}, which the guest does not write`, hex(expected), hex(put ?? 0n));

      const against = writes(arch, opposite(subject, name, expected));
      const steps = [nop(w.started), ...against, nop(until), END];
      const neighbour = { code: writerOf(subject).write(steps).bytes, policy };
      const beside = await lab.start({ ...setup, guests: [guest, neighbour] });
      for (const [register, value] of mine) {
        await beside.set(register, value);
        await beside.set(register, register === name ? ~expected & bits(name) : ~value & bits(register), 1);
      }
      await beside.run(until);
      same(`${name}, beside a neighbour`, hex(await beside.get(name)), hex(expected));
      const other = await beside.get(name, 1);
      holds(`${name} of the neighbour is another`, other !== expected, `not ${hex(expected)}`, hex(other));
      const counter = use.counters[0] as number;
      same('instructions that it counted meanwhile', await beside.get(use.value(counter)), BigInt(until - w.started));
    },
  };
}

/** Whatever the slices, each guest's counters are the sum of what it did itself. */
function conservation(subject: Subject, policy: PolicyName, slice: number): Check {
  return {
    suite: 'switching',
    name: `conservation under ${policy} in slices of ${slice}: three guests count their own instructions, cycles and nothing else`,
    needs: ['policies', 'guests'],
    async run(lab: Lab): Promise<void> {
      const use = useOf(subject);
      const [a, b] = use.counters as readonly [number, number];
      const made = [5, 23, 60].map((nops, n) => {
        const counters = [
          { counter: a, event: eventOf(subject, 'instruction'), from: BigInt(1000 * n) },
          { counter: b, event: eventOf(subject, 'cycle'), from: BigInt(7 * n) },
        ];
        return window(subject, { counters, body: [nop(nops)], after: [nop(10)] });
      });
      const session = await lab.start({
        guests: made.map(({ code }) => ({ code: code.bytes, policy })),
        slice,
      });
      await session.run(1000);
      for (const [n, w] of made.entries()) {
        const events = BigInt(w.stopped - w.started);
        same(`instructions of guest ${n}`, await session.get(use.value(a), n), BigInt(1000 * n) + events);
        same(`cycles of guest ${n}`, await session.get(use.value(b), n), BigInt(7 * n) + events);
      }
    },
  };
}

/** A guest that only reads: it sees the same, whoever its neighbour is. */
function nothingLeaks(subject: Subject, policy: PolicyName): Check {
  return {
    suite: 'switching',
    name: `nothing leaks under ${policy}: what a guest reads does not depend on its neighbour`,
    needs: ['policies', 'guests', 'events'],
    async run(lab: Lab): Promise<void> {
      const { arch, facts } = subject;
      const writer = writerOf(subject);
      const kernel = arch.levels.length - 2;
      const names = Object.entries(facts.registers).filter(
        ([
          name,
          {
            role,
            levels: [least],
          },
        ]) => {
          const at = arch.registers[name]?.at;
          return (
            role !== undefined &&
            at !== undefined &&
            least !== 'never' &&
            arch.levels.indexOf(least) <= kernel &&
            writer.reaches(at, false)
          );
        },
      );
      // Twice, with the neighbour's work between.
      const round = names.flatMap(([name]) => [read(arch, name), nop()]);
      const steps: Step[] = [...round, nop(20), ...round, END];
      const code = writer.write(steps);
      const reader = { code: code.bytes, policy };
      const w = counted(subject, 2 * names.length + 30);
      const busy = { code: w.code.bytes, policy };
      const length = behind(placeOf(code, steps.length - 1));
      const seen = async (guests: readonly (typeof reader)[], which: number): Promise<string[]> => {
        const session = await lab.start({ guests, slice: 2 });
        await session.watch();
        await session.run(Math.max(length, w.stopped) + 10);
        const moments = await session.moments();
        if (guests.length > 1) await evidence(subject, session, w, 1 - which);
        return moments
          .filter((m): m is Moment & { kind: 'access' } => m.kind === 'access' && m.guest === which)
          .map(({ register, value }) => `${register} ${value === undefined ? 'undefined' : hex(value)}`);
      };
      const alone = await seen([reader], 0);
      for (const [which, guests] of [
        [0, [reader, busy]],
        [1, [busy, reader]],
      ] as const) {
        const beside = await seen(guests, which);
        holds('it reads', alone.length >= 2 * names.length, `${2 * names.length} accesses`, `${alone.length}`);
        for (const [n, line] of alone.entries()) same(`access ${n} of the guest that reads`, beside[n], line);
      }
    },
  };
}

/** Nothing is saved: what the neighbour counted is what is read. The other policies' checks would be blind if this one did not see it. */
function leaks(subject: Subject): Check {
  return {
    suite: 'switching',
    name: 'passthrough: the registers stay as the neighbour left them',
    needs: ['policies', 'guests'],
    async run(lab: Lab): Promise<void> {
      const use = useOf(subject);
      const counter = use.counters[0] as number;
      const w = counted(subject);
      const reader = writerOf(subject).write([nop(w.stopped), read(subject.arch, use.value(counter)), nop(9), END]);
      const policy = 'passthrough' as const;
      const session = await lab.start({
        guests: [
          { code: w.code.bytes, policy },
          { code: reader.bytes, policy },
        ],
        slice: w.stopped,
      });
      const seen = behind(placeOf(reader, 1));
      await session.run(seen);
      const value = await session.get(writerOf(subject).value, 1);
      same("what the neighbour's counter shows", value, BigInt(w.stopped - w.started));
    },
  };
}

/** Save and restore mirror one list, in an order that keeps counters still while they travel. */
function order(subject: Subject, policy: PolicyName): Check {
  const { facts } = subject;
  return {
    suite: 'switching',
    name: `${policy}: every register of the manual's travels, in its order, out and in`,
    needs: ['policies', 'guests', 'events'],
    async run(lab: Lab): Promise<void> {
      const w = counted(subject);
      const guest = { code: w.code.bytes, policy };
      const session = await lab.start({ guests: [guest, guest], slice: 5 });
      await session.watch();
      await session.run(w.stopped);
      const switches = (await session.moments()).filter((m): m is Moment & { kind: 'switch' } => m.kind === 'switch');
      const whole = switches.filter(({ from }) => from !== 'idle');
      holds('there are switches', whole.length > 3, 'more than 3', `${whole.length}`);
      for (const { steps } of whole) {
        const parts = steps.map((step) => step.split(' '));
        const at = (verb: string, register: string): number =>
          parts.findIndex(([v, r]) => v === verb && r === register);
        const moved = (verb: string): string[] =>
          parts.filter(([v]) => v === verb).map(([, register = '']) => register);
        same('saved', moved('save').sort(), [...facts.carried].sort());
        same('restored, the mirror image', moved('restore'), moved('save').reverse());
        const frozen = parts.findLastIndex(([v]) => v === 'freeze');
        holds('counting is frozen', frozen >= 0, 'a freeze', 'none');
        if (facts.freezes !== undefined) same('frozen', moved('freeze').sort(), [...facts.freezes].sort());
        for (const [before, after] of facts.order) {
          holds(
            `${before} is restored before ${after}`,
            at('restore', before) < at('restore', after),
            'before',
            'behind',
          );
          holds(`${before} is saved behind ${after}`, at('save', before) > at('save', after), 'behind', 'before');
        }
        for (const register of facts.carried) {
          const counter = facts.registers[register]?.role === 'counter';
          if (counter)
            holds(`${register} is saved behind the freeze`, at('save', register) > frozen, 'behind', 'before');
        }
        for (const [verb, register = ''] of parts) {
          if (verb === 'freeze')
            holds(`${register} is saved before the freeze`, at('save', register) < frozen, 'before', 'behind');
        }
      }
      await evidence(subject, session, w);
      await evidence(subject, session, w, 1);
    },
  };
}

export function switching(subject: Subject): Check[] {
  const { facts, kit } = subject;
  if (kit.code === undefined || kit.use === undefined) {
    return [{ suite: 'switching', name: 'guests', absent: NO_CODE, run: () => Promise.resolve() }];
  }
  const offered = subject.arch.offers.policies;
  return [
    ...own(subject).flatMap((policy) => [
      ...facts.carried.map((name) => identity(subject, policy, name)),
      ...[1, 2, 7, 50].map((slice) => conservation(subject, policy, slice)),
      nothingLeaks(subject, policy),
      ...(carrying.includes(policy) ? [order(subject, policy)] : []),
    ]),
    ...(offered.includes('passthrough') ? [leaks(subject)] : []),
  ];
}
