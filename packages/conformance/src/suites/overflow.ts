/** Overflow (counting rules 6 and 7): at n events and not at n - 1, each counter's own bit, two at once, masked and unmasked, and the interrupt at the right boundary. */
import type { PmuUse, PolicyName, Program, Signal } from '@countervisor/contract';
import { Absent, type Check, type Lab, type Subject, same } from '../check.ts';
import { factsOn, vague } from '../facts.ts';
import {
  CATCH,
  EXCEPTION,
  INTERRUPTS,
  NO_CODE,
  NO_USE,
  nop,
  useOf,
  counting as withPmu,
  writerOf,
  writes,
} from '../guest.ts';
import type { Session, Setup } from '../target.ts';
import { counterFor, eventOf, short, type Window, type WindowParts, window } from '../window.ts';

type Way = PmuUse['overflows'][number];

interface Make {
  readonly subject: Subject;
  readonly use: PmuUse;
  readonly way: Way;
  readonly policy: PolicyName;
  readonly first: readonly [number, number];
  /** One guest, or more of the same. */
  start(parts: WindowParts, more?: Partial<Setup>, guests?: number): Promise<[Window, Session]>;
  /** Bits that a count has: those that overflow, where no manual tells of more. */
  readonly width: bigint;
  /** What the first counter holds in these bits. */
  count(session: Session): Promise<bigint>;
  /** Overflow status bits of all counters. */
  status(session: Session): Promise<bigint>;
}

interface Row {
  readonly name: string;
  readonly needs?: Check['needs'];
  /** Why there is nothing to check. */
  absent?(use: PmuUse, policy: PolicyName, way: Way): string | undefined;
  run(make: Make): Promise<void>;
}

const SHARED = 'under passthrough a neighbour counts on the same counters';
export const NO_INCREMENT = 'software cannot increment the counters';
export const NO_CARRY = 'no event counts carries';

type Incremented = PmuUse & { readonly increment: NonNullable<PmuUse['increment']> };

/** Bits of the status register that belong to counters. */
const every = (use: PmuUse): bigint =>
  [...use.counters, ...Object.keys(use.fixed).map(Number)].reduce((bits, n) => bits | use.bit(n), 0n);

const EVERY_BIT = 0xffff_ffff_ffff_ffffn;

const hex = (value: bigint): string => `0x${value.toString(16)}`;

const ROWS: readonly Row[] = [
  {
    name: 'at n events, and not at n - 1',
    async run({ use, way: { bits }, first: [a], start, status, subject, width, count }) {
      for (const n of [1, 2, 7]) {
        const counters = [{ counter: a, event: eventOf(subject, 'instruction'), from: short(bits, n) }];
        const [w, session] = await start({ counters, body: [nop(12)] });
        await session.run(w.started + n - 1);
        same(`status after ${n - 1} of ${n}`, hex(await status(session)), hex(0n));
        same(`count after ${n - 1} of ${n}`, await session.get(use.value(a)), short(bits, 1));
        await session.run(w.started + n);
        same(`status after ${n} of ${n}`, hex(await status(session)), hex(use.bit(a)));
        same(`count after ${n} of ${n}`, await count(session), (1n << BigInt(bits)) & width);
        await session.run(w.started + n + 3);
        same('count three later', BigInt.asUintN(bits, await session.get(use.value(a))), 3n);
      }
    },
  },
  {
    name: 'two at once, a third one later',
    async run({ use, way: { bits }, first: [a, b], start, status, subject }) {
      const [, , d] = use.counters;
      if (d === undefined) throw new Absent('fewer than three counters count any event');
      const event = eventOf(subject, 'instruction');
      const counters = [
        { counter: a, event, from: short(bits, 5) },
        { counter: b, event, from: short(bits, 5) },
        { counter: d, event, from: short(bits, 7) },
      ];
      const [w, session] = await start({ counters, body: [nop(12)] });
      for (const [after, expected] of [
        [4, 0n],
        [5, use.bit(a) | use.bit(b)],
        [6, use.bit(a) | use.bit(b)],
        [7, use.bit(a) | use.bit(b) | use.bit(d)],
      ] as const) {
        await session.run(w.started + after);
        same(`status after ${after}`, hex(await status(session)), hex(expected));
      }
    },
  },
  {
    name: 'the status stays until it is cleared, whatever the counter does',
    async run({ use, way: { bits }, first: [a, b], start, status, subject }) {
      const event = eventOf(subject, 'instruction');
      const clear = writes(subject.arch, use.clear([a]));
      const counters = [
        { counter: a, event, from: short(bits, 3) },
        { counter: b, event, from: short(bits, 4) },
      ];
      const [w, session] = await start({ counters, body: [nop(9), ...clear, nop(4)] });
      await session.run(w.body[0] as number);
      same('status before', hex(await status(session)), hex(use.bit(a) | use.bit(b)));
      await session.run(w.body[clear.length] as number);
      same('status behind the write that clears one', hex(await status(session)), hex(use.bit(b)));
      await session.run(w.stopped);
      same('status later', hex(await status(session)), hex(use.bit(b)));
    },
  },
  {
    name: 'while its interrupt is off: the status is set, the line is down; turned on, the line comes up',
    absent: ({ edge }) => (edge ? 'the interrupt is an edge: no level follows its enable' : undefined),
    async run({ use, way: { bits }, first: [a], start, status, subject }) {
      const on = writes(subject.arch, use.interrupt([a]));
      const clear = writes(subject.arch, use.clear([a]));
      const counters = [{ counter: a, event: eventOf(subject, 'instruction'), from: short(bits, 4) }];
      const [w, session] = await start({ counters, body: [nop(6), ...on, nop(3), ...clear, nop(2)] });
      await session.run(w.body[0] as number);
      same('status', hex(await status(session)), hex(use.bit(a)));
      same('line while the interrupt is off', (await session.progress()).line, false);
      await session.run(w.body[on.length] as number);
      same('line behind the write that turns it on', (await session.progress()).line, true);
      await session.run(w.body[on.length + 1] as number);
      same('line, a level', (await session.progress()).line, true);
      await session.run(w.body[on.length + 1 + clear.length] as number);
      same('line behind the write that clears the status', (await session.progress()).line, false);
    },
  },
  {
    name: 'the interrupt is taken at the boundary of the n-th event',
    async run({ use, way: { bits }, first: [a], start, status, subject }) {
      for (const n of [1, 5]) {
        const counters = [{ counter: a, event: eventOf(subject, 'instruction'), from: short(bits, n) }];
        const ready = [...writes(subject.arch, use.interrupt([a])), INTERRUPTS];
        const [w, session] = await start({ counters, before: [CATCH], ready, body: [nop(20)] });
        await session.run(w.stopped + 100);
        same('status', hex(await status(session)), hex(use.bit(a)));
        const where = await session.get(writerOf(subject).caught);
        same(`address that the interrupt after ${n} returns to`, hex(where), hex(addressOf(w, n)));
      }
    },
  },
  {
    name: 'while interrupts are masked: taken as soon as they are let through',
    async run({ use, way: { bits }, first: [a], start, subject }) {
      const counters = [{ counter: a, event: eventOf(subject, 'instruction'), from: short(bits, 3) }];
      const ready = writes(subject.arch, use.interrupt([a]));
      const [w, session] = await start({ counters, before: [CATCH], ready, body: [nop(10), INTERRUPTS, nop(20)] });
      await session.run(w.stopped + 100);
      const where = await session.get(writerOf(subject).caught);
      const masked = w.body[1] as number;
      same('address that the interrupt returns to', hex(where), hex(addressOf(w, masked - w.started)));
    },
  },
  {
    name: 'in slices, beside a neighbour: at the same instruction',
    needs: ['guests'],
    absent: (_use, policy) => (policy === 'passthrough' ? SHARED : undefined),
    async run({ use, way: { bits }, first: [a], subject, start, status }) {
      const counters = [{ counter: a, event: eventOf(subject, 'instruction'), from: short(bits, 6) }];
      for (const slice of [1, 4]) {
        const [w, session] = await start({ counters, body: [nop(12)] }, { slice }, 2);
        await session.run(w.started + 5);
        same(`status after 5 of 6, in slices of ${slice}`, hex(await status(session)), hex(0n));
        await session.run(w.started + 6);
        same(`status after 6 of 6, in slices of ${slice}`, hex(await status(session)), hex(use.bit(a)));
        same("the neighbour's", hex((await session.get(use.status, 1)) & every(use)), hex(use.bit(a)));
      }
    },
  },
  {
    name: 'of a rare event: at the exception itself',
    async run({ use, way: { bits }, first: [a], start, status, subject }) {
      const counters = [{ counter: a, event: eventOf(subject, 'exception'), from: short(bits, 1) }];
      const [w, session] = await start({ counters, before: [CATCH], body: [nop(4), EXCEPTION] });
      await session.run(w.body[0] as number);
      same('status before', hex(await status(session)), hex(0n));
      await session.run(w.body[1] as number);
      same('status behind', hex(await status(session)), hex(use.bit(a)));
    },
  },
  {
    name: 'of every rare event, in one go: at the instruction that emits it',
    needs: ['events', 'signals'],
    async run({ subject, use, way: { bits, cpu }, start }) {
      let looked = 0;
      for (const [signal, program] of emitters(subject)) {
        const event = eventOf(subject, signal);
        const counter = counterFor(subject, event, use.counters, cpu);
        if (counter === undefined) continue;
        const counters = [{ counter, event, from: short(bits, 1) }];
        const until = program.counts.instruction;
        const [w, slow] = await start({ counters, body: [nop()] });
        await slow.run(w.started);
        await slow.signals();
        await slow.place(program.code);
        const emitted = async (): Promise<number> =>
          (await slow.signals()).reduce((sum, level) => sum + level[signal], 0);
        let at = w.started;
        while ((await emitted()) === 0 && at < w.started + until) await slow.run(++at);
        const [, whole] = await start({ counters, body: [nop()] });
        await whole.run(w.started);
        await whole.place(program.code);
        await whole.watch();
        await whole.run(w.started + until);
        const told = (await whole.moments()).filter((m) => m.kind === 'overflow');
        same(`instructions behind the first ${signal}`, told[0]?.at, at);
        same('whose overflow it is', told[0]?.counter, subject.arch.pmu.counters[counter]?.value);
        looked++;
      }
      if (looked === 0) throw new Absent('no program emits a rare signal that an event counts alone');
    },
  },
  {
    name: 'of software increments: at the increment itself',
    absent: ({ increment }) => (increment === undefined ? NO_INCREMENT : undefined),
    async run({ use, way: { bits }, first: [a], start, status, subject }) {
      const { increment } = use as Incremented;
      const by = writes(subject.arch, increment.by([a]));
      const counters = [{ counter: a, event: increment.event, from: short(bits, 2) }];
      const [w, session] = await start({ counters, body: [...by, nop(3), ...by] });
      await session.run(w.body[by.length] as number);
      same('status after one of two', hex(await status(session)), hex(0n));
      await session.run(w.body[2 * by.length] as number);
      same('status after two of two', hex(await status(session)), hex(use.bit(a)));
    },
  },
  {
    name: 'of the counter of carries: at the carry itself',
    absent: ({ carry }, _policy, { bits }) =>
      carry === undefined
        ? NO_CARRY
        : bits === 32
          ? undefined
          : `a counter that overflows at ${bits} bits carries into none`,
    async run({ use, first: [a, b], start, status, subject }) {
      const counters = [
        { counter: a, event: eventOf(subject, 'instruction'), from: short(32, 4) },
        { counter: b, event: use.carry as number, from: short(32, 1) },
      ];
      const [w, session] = await start({ counters, body: [nop(9)] });
      await session.run(w.started + 3);
      same('status before', hex(await status(session)), hex(0n));
      await session.run(w.started + 4);
      same('status behind', hex(await status(session)), hex(use.bit(a) | use.bit(b)));
    },
  },
];

/** What every instruction emits, what cannot be told beforehand, and what comes with a change of level (which is looked at anyway). */
const USUAL: readonly string[] = [
  'instruction',
  'cycle',
  'stall-backend',
  'stall-frontend',
  'increment',
  'carry',
  'exception',
  'exception-return',
];

/** Each signal that an event counts alone, with a program that emits it and does not use the PMU itself. */
function emitters({ facts, kit }: Subject): (readonly [Signal, Program])[] {
  const signals = Object.values(facts.events).flatMap((counts) => (counts.length === 1 ? counts : []));
  return [...new Set(signals)]
    .filter((signal) => !USUAL.includes(signal))
    .flatMap((signal) => {
      const found = Object.values(kit.programs).find(({ counts, pmu }) => !pmu && (counts[signal] ?? 0) > 0);
      return found === undefined ? [] : [[signal, found] as const];
    });
}

/** Address of the instruction n behind the start of counting. All instructions of these windows are of one length: taken from the places. */
function addressOf(w: Window, n: number): bigint {
  for (const { at, before, instructions } of w.code.places) {
    if (w.started + n < before || w.started + n >= before + instructions) continue;
    return at + BigInt(w.started + n - before) * w.length;
  }
  throw new RangeError(`no instruction stands ${n} behind the start`);
}

/** Each counter has its own bit. */
function own(subject: Subject, policy: PolicyName, way: Way, counter: number, event: number | undefined): Check {
  return {
    suite: 'overflow',
    name: `${wayName(policy, way)}: counter ${counter} sets its own bit`,
    needs: ['policies', 'models'],
    async run(lab: Lab): Promise<void> {
      const use = useOf(subject);
      const counters = [{ counter, from: short(way.bits, 3), ...(event !== undefined && { event }) }];
      const w = window(subject, { counters, body: [nop(8)], ...(way.start !== undefined && { start: way.start }) });
      const session = await lab.start({ guests: [{ code: w.code.bytes, policy }], cpu: way.cpu });
      await session.run(w.started + 2);
      same('status before', hex((await session.get(use.status)) & every(use)), hex(0n));
      await session.run(w.started + 3);
      same('status behind', hex((await session.get(use.status)) & every(use)), hex(use.bit(counter)));
      // A wrap of the lower half is none.
      const lowest = way.bits >> 1;
      const half = 1n << BigInt(lowest);
      const lower = window(subject, {
        counters: [{ counter, from: half - 3n, ...(event !== undefined && { event }) }],
        body: [nop(8)],
        ...(way.start !== undefined && { start: way.start }),
      });
      const other = await lab.start({ guests: [{ code: lower.code.bytes, policy }], cpu: way.cpu });
      await other.run(lower.started + 5);
      const what = `status behind a wrap at ${lowest} bits`;
      same(what, hex((await other.get(use.status)) & every(use)), hex(0n));
      same(`count behind a wrap at ${lowest} bits`, await other.get(use.value(counter)), half + 2n);
    },
  };
}

const wayName = (policy: PolicyName, { cpu, bits }: Way): string => `under ${policy} at ${bits} bits on ${cpu}`;

export function overflow(subject: Subject): Check[] {
  const { kit } = subject;
  const { use } = kit;
  if (use === undefined || kit.code === undefined) {
    return [
      {
        suite: 'overflow',
        name: 'windows',
        absent: kit.code === undefined ? NO_CODE : NO_USE,
        run: () => Promise.resolve(),
      },
    ];
  }
  const checks: Check[] = [];
  for (const policy of withPmu(subject)) {
    for (const way of use.overflows) {
      if (way.of !== undefined) {
        for (const counter of way.of) checks.push(own(subject, policy, way, counter, undefined));
        continue;
      }
      for (const row of ROWS) checks.push(rowCheck(subject, policy, way, row));
      const event = Number(Object.entries(subject.facts.events).find(([, s]) => s.join() === 'instruction')?.[0]);
      for (const counter of use.counters) checks.push(own(subject, policy, way, counter, event));
    }
  }
  return checks;
}

function rowCheck(subject: Subject, policy: PolicyName, way: Way, row: Row): Check {
  const why = subject.kit.use && row.absent?.(subject.kit.use, policy, way);
  return {
    suite: 'overflow',
    ...(why !== undefined && { absent: why }),
    name: `${wayName(policy, way)}: ${row.name}`,
    needs: ['policies', 'models', ...(row.needs ?? [])],
    async run(lab: Lab): Promise<void> {
      const use = useOf(subject);
      const [a, b] = use.counters as readonly [number, number];
      const unsaid = vague(subject, use.value(a));
      const overflowing = (1n << BigInt(way.bits)) - 1n;
      await row.run({
        subject,
        use,
        way,
        policy,
        first: [a, b],
        status: async (session) => (await session.get(use.status)) & every(use),
        width: unsaid ? overflowing : (factsOn(subject, use.value(a), way.cpu)?.plain ?? 0n),
        count: async (session) => (await session.get(use.value(a))) & (unsaid ? overflowing : EVERY_BIT),
        async start(parts, more = {}, guests = 1) {
          const w = window(subject, { ...parts, ...(way.start !== undefined && { start: way.start }) });
          const guest = { code: w.code.bytes, policy };
          return [w, await lab.start({ guests: Array.from({ length: guests }, () => guest), cpu: way.cpu, ...more })];
        },
      });
    },
  };
}
