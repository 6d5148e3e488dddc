/** The published counting rules (ARCHITECTURE.md), by number, where guest code can show them on any architecture. Rule 6 is the suite `overflow`, rule 11 the suite `determinism`. */
import { type CallFacts, isNone, type PmuUse, type PolicyName, type Signal, type Step } from '@countervisor/contract';
import { Absent, type Check, type Lab, type Lack, type Subject, same } from '../check.ts';
import { factsOn, NO_MANUAL, vague } from '../facts.ts';
import {
  CATCH,
  END,
  EXCEPTION,
  guestLevels,
  keep,
  kernelOf,
  level,
  nop,
  placeOf,
  read,
  useOf,
  write,
  writerOf,
  writes,
} from '../guest.ts';
import type { Session, Setup } from '../target.ts';
import { type Counting, counterFor, eventOf, short, type Window, type WindowParts, window } from '../window.ts';
import { NO_CARRY, NO_INCREMENT } from './overflow.ts';

interface Rule {
  readonly name: string;
  readonly needs?: Check['needs'];
  /** Why there is nothing to check. */
  absent?(subject: Subject): string | Lack | undefined;
  run(make: Make): Promise<void>;
}

/** What a rule's check works with. */
interface Make {
  readonly subject: Subject;
  readonly lab: Lab;
  readonly policy: PolicyName;
  /** The first counters that count any event. */
  readonly c: readonly [number, number, number, number];
  event(signal: Parameters<typeof eventOf>[1]): number;
  /** Starts a guest with one window. */
  start(parts: WindowParts, more?: Partial<Setup>): Promise<[Window, Session]>;
  /** A counter, against what it must be. */
  counted(session: Session, what: string, counter: number, expected: number | bigint): Promise<void>;
}

type Incremented = PmuUse & { readonly increment: NonNullable<PmuUse['increment']> };

const oneLevel = ({ arch }: Subject): string | undefined =>
  guestLevels(arch).length > 1 ? undefined : 'guests run at one level only';

const comesBack = ({ facts }: Subject): CallFacts | undefined =>
  facts.calls.find(({ answers }) => typeof answers === 'bigint');

const RULES: readonly Rule[] = [
  {
    name: 'rule 1: the level before an instruction decides whether a filter leaves it out',
    absent: oneLevel,
    async run({ subject, lab, c: [a, b, d], event, start, counted }) {
      const { arch } = subject;
      const user = guestLevels(arch)[0] as string;
      const kernel = kernelOf(arch);
      const instruction = event('instruction');
      const counters: Counting[] = [
        { counter: a, event: instruction, except: [user] },
        { counter: b, event: instruction, except: [kernel] },
        { counter: d, event: instruction },
      ];
      const [w, session] = await start({ counters, before: [CATCH], body: [nop(4), level(user), nop(7), nop(1)] });
      const [, down = 0, , end = 0] = w.body;
      const outside = lab.target.lacks.signals === undefined;
      await session.run(w.started);
      if (outside) await session.signals();
      await session.run(end);
      await counted(session, `instructions but those at ${user}`, a, down - w.started);
      await counted(session, `instructions but those at ${kernel}`, b, end - down);
      await counted(session, 'instructions at both', d, end - w.started);
      if (!outside) return;
      const levels = (await session.signals()).map(({ instruction: retired }) => retired);
      const expected = arch.levels.map((name) => (name === user ? end - down : name === kernel ? down - w.started : 0));
      same('instructions by level, counted from outside', levels, expected);
    },
  },
  {
    name: 'rule 1: another event is counted from behind the write that selects it',
    async run({ subject, c: [a, b], event, start, counted }) {
      const use = useOf(subject);
      const other = writes(subject.arch, use.select(a, event('exception')));
      const back = writes(subject.arch, use.select(a, event('instruction')));
      const [w, session] = await start({
        counters: [
          { counter: a, event: event('instruction') },
          { counter: b, event: event('instruction') },
        ],
        body: [nop(3), ...other, nop(6), ...back, nop(2)],
      });
      await session.run(w.stopped);
      const selected = w.body[other.length] as number;
      const again = w.body[other.length + 1 + back.length] as number;
      await counted(session, 'instructions while they were selected', a, selected - w.started + w.stopped - again);
      await counted(session, 'instructions beside it', b, w.stopped - w.started);
    },
  },
  {
    name: 'rule 2: the write that starts counting is not counted, the one that stops it is',
    async run({ c: [a], event, start, counted }) {
      for (const body of [[], [nop()], [nop(5)]] as Step[][]) {
        const [w, session] = await start({
          counters: [{ counter: a, event: event('instruction') }],
          body,
          after: [nop(4)],
        });
        await session.run(w.stopped + 4);
        await counted(session, 'instructions in the window', a, w.stopped - w.started);
      }
    },
  },
  {
    name: 'rule 2: the write that enables a counter is not counted by it, the one that disables it is',
    async run({ subject, c: [a, b], event, start, counted }) {
      const use = useOf(subject);
      const on = writes(subject.arch, use.enable([b]));
      const off = writes(subject.arch, use.disable([b]));
      const select = [...use.select(b, event('instruction')), [use.value(b), 50n] as const];
      const [w, session] = await start({
        counters: [{ counter: a, event: event('instruction') }],
        first: select,
        body: [nop(2), ...on, nop(6), ...off, nop(3)],
      });
      await session.run(w.stopped);
      const enabled = w.body[on.length] as number;
      const disabled = w.body[on.length + 1 + off.length] as number;
      await counted(session, 'instructions while it was enabled', b, 50 + disabled - enabled);
      await counted(session, 'instructions beside it', a, w.stopped - w.started);
    },
  },
  {
    name: "rule 3: an explicit write wins over the instruction's own increment",
    async run({ subject, c: [a], event, start }) {
      const use = useOf(subject);
      const { arch, kit } = subject;
      const [w, session] = await start({
        counters: [{ counter: a, event: event('instruction') }],
        body: [
          nop(5),
          write(arch, use.value(a), 100n),
          read(arch, use.value(a)),
          keep(0),
          read(arch, use.value(a)),
          keep(1),
        ],
      });
      await session.run(w.stopped);
      const slots = kit.code?.slots ?? [];
      // A read may be more than one instruction, of which the last one is the access.
      const k = BigInt(placeOf(writerOf(subject).write([read(arch, use.value(a)), END]), 0).instructions);
      same('read behind the write', await session.get(slots[0] as string), 99n + k);
      same('read behind that and what keeps it', await session.get(slots[1] as string), 100n + 2n * k);
    },
  },
  {
    name: 'rule 4: a read sees what retired before it; what was counted before a change stays',
    async run({ subject, c: [a, b], event, start, counted }) {
      const use = useOf(subject);
      const { arch, kit } = subject;
      const off = writes(arch, use.disable([b]));
      const instruction = event('instruction');
      const [w, session] = await start({
        counters: [
          { counter: a, event: instruction },
          { counter: b, event: instruction },
        ],
        body: [nop(3), read(arch, use.value(a)), keep(0), nop(20), ...off, nop(9)],
      });
      await session.run(w.stopped);
      const { instructions } = placeOf(writerOf(subject).write([read(arch, use.value(a)), END]), 0);
      same(
        'read behind three instructions',
        await session.get(kit.code?.slots[0] as string),
        2n + BigInt(instructions),
      );
      await counted(
        session,
        'what it had counted when it was disabled',
        b,
        (w.body[3 + off.length] as number) - w.started,
      );
      await counted(session, 'instructions in the window', a, w.stopped - w.started);
    },
  },
  {
    name: 'rule 5: an access retires once, trapped or not',
    async run({ subject, c: [a, b], event, start, counted }) {
      const use = useOf(subject);
      const reads = Array.from({ length: 6 }, () => read(subject.arch, use.value(b)));
      const [w, session] = await start({
        counters: [{ counter: a, event: event('instruction') }],
        first: [[use.value(b), 9n]],
        body: [...reads, ...writes(subject.arch, use.enable([])), nop()],
      });
      await session.run(w.body[5] as number);
      same('what the last read left', await session.get(subject.kit.code?.value as string), 9n);
      await session.run(w.stopped);
      await counted(session, 'instructions, accesses among them', a, w.stopped - w.started);
      same('retired instructions', (await session.progress()).instructions, w.stopped);
    },
  },
  {
    name: 'rule 5: an exception is counted at the level it leaves, and so is the return',
    absent: oneLevel,
    async run({ subject, c: [a, b, d, e], event, start, counted }) {
      const { arch } = subject;
      const user = guestLevels(arch)[0] as string;
      const kernel = kernelOf(arch);
      const counters: Counting[] = [
        { counter: a, event: event('exception'), except: [user] },
        { counter: b, event: event('exception'), except: [kernel] },
        { counter: d, event: event('exception-return'), except: [user] },
        { counter: e, event: event('exception-return'), except: [kernel] },
      ];
      const [w, session] = await start({ counters, before: [CATCH], body: [nop(2), level(user), nop(3), EXCEPTION] });
      await session.run(w.body[3] as number);
      await counted(session, `exceptions but those from ${user}`, a, 0);
      await counted(session, `exceptions but those from ${kernel}`, b, 1);
      await counted(session, `returns but those from ${user}`, d, 1);
      await counted(session, `returns but those from ${kernel}`, e, 0);
    },
  },
  {
    name: 'rule 5: a faulting instruction does not retire',
    async run({ subject, lab, policy, c: [a], event }) {
      const use = useOf(subject);
      const program = subject.kit.programs['forbidden-read'];
      const w = window(subject, { counters: [{ counter: a, event: event('instruction') }], body: [nop()] });
      const session = await lab.start({ guests: [{ code: w.code.bytes, policy }] });
      await session.run(w.started);
      await session.place(program.code);
      await session.run(w.started + program.counts.instruction + 100);
      same('instructions of forbidden-read', await session.get(use.value(a)), BigInt(program.counts.instruction));
    },
  },
  {
    name: 'rule 7: a software increment is one for each counter named, if it runs',
    absent: ({ kit }) => (kit.use?.increment === undefined ? NO_INCREMENT : undefined),
    async run({ subject, c: [a, b, d], start, counted }) {
      const use = useOf(subject);
      const { increment } = use as Incremented;
      const by = writes(subject.arch, increment.by([a, b, d]));
      const one = writes(subject.arch, increment.by([a]));
      const off = writes(subject.arch, use.disable([b]));
      const [w, session] = await start({
        counters: [
          { counter: a, event: increment.event },
          { counter: b, event: increment.event, from: 10n },
        ],
        // The third selects the same event, and is not enabled.
        first: [...use.select(d, increment.event), [use.value(d), 20n]],
        body: [...by, ...one, nop(3), ...off, ...by],
        after: by,
      });
      await session.run(w.stopped + 1);
      await counted(session, 'increments of the first', a, 3);
      await counted(session, 'increments of the second, until it was disabled', b, 11);
      await counted(session, 'increments of the third, which is not enabled', d, 20);
    },
  },
  {
    name: 'rule 7: a software increment is filtered by level',
    absent: ({ kit }) => (kit.use?.increment === undefined ? NO_INCREMENT : undefined),
    async run({ subject, c: [a, b], start, counted }) {
      const { increment } = useOf(subject) as Incremented;
      const [user] = guestLevels(subject.arch);
      const kernel = kernelOf(subject.arch);
      const counters: Counting[] = [
        { counter: a, event: increment.event, except: [kernel] },
        { counter: b, event: increment.event, except: user === undefined ? [] : [user] },
      ];
      const by = writes(subject.arch, increment.by([a, b]));
      const [w, session] = await start({ counters, body: [nop(), ...by, nop(2)] });
      await session.run(w.stopped);
      await counted(session, `increments at ${kernel} by the counter that leaves it out`, a, 0);
      await counted(session, `increments at ${kernel} by the other`, b, 1);
    },
  },
  {
    name: 'rule 7: a carry reaches the neighbour at the same boundary, and nothing else does',
    absent: ({ kit }) => (kit.use?.carry === undefined ? NO_CARRY : undefined),
    needs: ['models'],
    async run({ subject, c: [a, b], event, start, counted }) {
      const use = useOf(subject);
      for (const { cpu, start: by, bits, of } of use.overflows) {
        if (of !== undefined) continue;
        const [w, session] = await start(
          {
            counters: [
              { counter: a, event: event('instruction'), from: short(bits, 4) },
              { counter: b, event: use.carry as number, from: 6n },
            ],
            ...(by !== undefined && { start: by }),
            body: [nop(12)],
          },
          { cpu },
        );
        const carried = bits === 32 ? 1 : 0;
        await session.run(w.started + 3);
        await counted(session, `carries before the wrap at ${bits} bits on ${cpu}`, b, 6);
        await session.run(w.started + 4);
        // Without a manual nobody says whether the count has bits above those that overflow.
        const unsaid = vague(subject, use.value(a));
        const wrapped = unsaid ? 0n : (1n << BigInt(bits)) & (factsOn(subject, use.value(a), cpu)?.plain ?? 0n);
        const count = async (): Promise<bigint> => BigInt.asUintN(unsaid ? bits : 64, await session.get(use.value(a)));
        same(`the wrapped count on ${cpu} (counter ${a})`, await count(), wrapped);
        await counted(session, `carries at the wrap at ${bits} bits on ${cpu}`, b, 6 + carried);
        await session.run(w.started + 9);
        await counted(session, `carries later`, b, 6 + carried);
        same(`the count later (counter ${a})`, await count(), wrapped + 5n);
      }
    },
  },
  {
    name: "rule 8: the hypervisor's work is at its own level: not counted unless asked for",
    absent: (subject) =>
      comesBack(subject) === undefined
        ? subject.kit.manual === undefined
          ? NO_MANUAL
          : 'the manual tells of no hypercall that comes back'
        : undefined,
    needs: ['costs'],
    async run({ subject, c: [a, b], event, start, counted, policy }) {
      const use = useOf(subject);
      const call = comesBack(subject) as CallFacts;
      const step: Step = { do: 'call', number: call.number, arguments: call.arguments };
      const hypervisor = { trap: { instructions: 100, cycles: 300 }, switch: { instructions: 0, cycles: 0 } };
      const [w, session] = await start(
        {
          counters: [
            { counter: a, event: event('instruction') },
            { counter: b, event: event('instruction') },
          ],
          ready: writes(subject.arch, use.include(b, event('instruction'))),
          body: [nop(2), step, nop(2)],
        },
        { hypervisor },
      );
      await session.run(w.body[2] as number);
      const own = (w.body[2] as number) - w.started;
      await counted(session, 'instructions of the guest', a, own);
      // On the physical counters of a machine without a policy of its own, who asks for the hypervisor's level gets it.
      if (policy === 'passthrough') await counted(session, "with the hypervisor's", b, own + 100);
    },
  },
  {
    name: 'rule 9: cycles follow the cost table',
    needs: ['costs'],
    async run({ subject, c: [a, b, d, e], event, start, counted }) {
      const classes = Object.keys(subject.arch.isa.costs);
      const costs = Object.fromEntries(classes.map((name) => [name, { backend: 2, frontend: 1 }]));
      const counters: Counting[] = [
        { counter: a, event: event('cycle') },
        { counter: b, event: event('stall-backend') },
        { counter: d, event: event('stall-frontend') },
        { counter: e, event: event('instruction') },
      ];
      const [w, session] = await start({ counters, body: [nop(11)] }, { costs });
      await session.run(w.stopped);
      const n = w.stopped - w.started;
      await counted(session, 'instructions', e, n);
      await counted(session, 'cycles at 1 + 2 + 1 each', a, 4 * n);
      await counted(session, 'cycles lost behind', b, 2 * n);
      await counted(session, 'cycles lost fetching', d, n);
    },
  },
  {
    name: 'rule 9: every event of instructions, cycles and stalls, however it mixes them',
    needs: ['costs'],
    async run({ subject, start, counted }) {
      const costs = Object.fromEntries(
        Object.keys(subject.arch.isa.costs).map((name) => [name, { backend: 5, frontend: 3 }]),
      );
      const each: Readonly<Partial<Record<Signal, number>>> = {
        instruction: 1,
        cycle: 9,
        'stall-backend': 5,
        'stall-frontend': 3,
      };
      for (const [id, signals] of Object.entries(subject.facts.events)) {
        if (!signals.every((signal) => signal in each)) continue;
        const counter = counterFor(subject, Number(id));
        if (counter === undefined) continue;
        const [w, session] = await start({ counters: [{ counter, event: Number(id) }], body: [nop(7)] }, { costs });
        await session.run(w.stopped);
        const amount = signals.reduce((sum, signal) => sum + (each[signal] ?? 0), 0);
        await counted(session, `event 0x${Number(id).toString(16)}`, counter, amount * (w.stopped - w.started));
      }
    },
  },
  {
    name: 'rule 10: an instruction that repeats itself costs a cycle each time and retires once',
    absent: ({ kit: { code } }) => (code !== undefined && isNone(code.repeats) ? code.repeats.none : undefined),
    async run({ c: [a, b], event, start, counted }) {
      const counters: Counting[] = [
        { counter: a, event: event('instruction') },
        { counter: b, event: event('cycle') },
      ];
      const [w, session] = await start({ counters, body: [{ do: 'repeat', times: 6 }] });
      await session.run(w.body[0] as number);
      // Whatever it loads first is not repeated.
      const own = (w.body[0] as number) - w.started;
      await counted(session, 'instructions', a, own);
      await counted(session, 'cycles', b, own + 5);
    },
  },
  {
    name: 'rule 9: every instruction is of one cost class',
    needs: ['costs'],
    async run({ subject, lab, policy, c: [a], event }) {
      const use = useOf(subject);
      const classes = Object.keys(subject.arch.isa.costs);
      for (const name of ['touch-memory', 'call-return', 'take-exception'] as const) {
        const program = subject.kit.programs[name];
        const n = program.counts.instruction;
        let extra = 0n;
        for (const cost of classes) {
          const w = window(subject, { counters: [{ counter: a, event: event('cycle') }], body: [nop()] });
          const setup: Setup = {
            guests: [{ code: w.code.bytes, policy }],
            costs: { [cost]: { backend: 1 } },
          };
          const session = await lab.start(setup);
          await session.run(w.started);
          await session.place(program.code);
          await session.run(w.started + n + 100);
          extra += (await session.get(use.value(a))) - BigInt(n);
        }
        same(`one more cycle for each instruction of ${name}, by its class`, extra, BigInt(n));
      }
    },
  },
];

export function rules(subject: Subject, policy: PolicyName): Check[] {
  return RULES.map((rule): Check => {
    const why = rule.absent?.(subject);
    return {
      suite: 'counting',
      name: rule.name.replace(/^(rule \d+)/, `$1 under ${policy}`),
      needs: ['policies', ...(rule.needs ?? [])],
      ...(why !== undefined && { absent: why }),
      run: (lab) => rule.run(making(subject, policy, lab)),
    };
  });
}

function making(subject: Subject, policy: PolicyName, lab: Lab): Make {
  const use = useOf(subject);
  const [a, b, d, e] = use.counters;
  if (a === undefined || b === undefined || d === undefined || e === undefined)
    throw new Absent('fewer than four counters count any event');
  return {
    subject,
    lab,
    policy,
    c: [a, b, d, e],
    event: (signal) => eventOf(subject, signal),
    async start(parts, more = {}) {
      const w = window(subject, parts);
      return [w, await lab.start({ guests: [{ code: w.code.bytes, policy }], ...more })];
    },
    async counted(session, what, counter, expected) {
      same(`${what} (counter ${counter})`, await session.get(use.value(counter)), BigInt(expected));
    },
  };
}
