/** Snapshots: saved after every instruction and restored into another machine, a guest ends as if nothing had happened. */
import type { PolicyName, Program, ProgramName } from '@countervisor/contract';
import { type Check, type Lab, type Subject, same } from '../check.ts';
import { NO_CODE, nop, useOf, counting as withPmu } from '../guest.ts';
import type { Session, Setup } from '../target.ts';
import { eventOf, window } from '../window.ts';
import { history } from './history.ts';

const PLENTY = 1000;

/** Compares saved states: they are plain data. */
const printed = (saved: unknown): string =>
  JSON.stringify(saved, (_, v: unknown) => (typeof v === 'bigint' ? `${v}n` : v));

async function everywhere(lab: Lab, setup: Setup, from: number, to: number, end: number): Promise<void> {
  const guests = setup.guests.map((_, n) => n);
  const tell = async (session: Session): Promise<string[]> => {
    const lines: string[] = [];
    for (const guest of guests) lines.push(...(await history(session, guest)));
    return lines;
  };
  const whole = await lab.start(setup);
  await whole.run(end);
  const expected = await tell(whole);
  const first = await lab.start(setup);
  for (let at = from; at < to; at++) {
    await first.run(at);
    const saved = await first.save();
    const second = await lab.start(setup);
    await second.restore(saved);
    // Whole states once; more than that would say the same again.
    if (at === from || at === to - 1)
      same(`saved again at ${at}`, printed(await second.save()) === printed(saved), true);
    await second.run(end);
    for (const [n, line] of (await tell(second)).entries())
      same(`at the end, saved after ${at} instructions`, line, expected[n]);
  }
}

function program(policy: PolicyName, name: ProgramName, one: Program): Check {
  return {
    suite: 'snapshot',
    name: `${name} under ${policy}: saved after every instruction`,
    needs: ['snapshot', 'policies'],
    async run(lab: Lab): Promise<void> {
      const setup = { guests: [{ code: one.code, policy }] };
      await everywhere(lab, setup, 0, one.counts.instruction, one.counts.instruction + PLENTY);
    },
  };
}

/** Two guests that count, saved in the middle of a slice and at its end. */
function neighbours(subject: Subject, policy: PolicyName): Check {
  return {
    suite: 'snapshot',
    name: `two guests that count, under ${policy}: saved between their slices`,
    needs: ['snapshot', 'policies', 'guests'],
    async run(lab: Lab): Promise<void> {
      const use = useOf(subject);
      const counter = use.counters[0] as number;
      const made = [12, 20].map((nops) =>
        window(subject, { counters: [{ counter, event: eventOf(subject, 'instruction') }], body: [nop(nops)] }),
      );
      const setup = {
        guests: made.map(({ code }) => ({ code: code.bytes, policy })),
        slice: 3,
      };
      const [w] = made;
      if (w === undefined) return;
      await everywhere(lab, setup, w.started - 2, w.started + 8, PLENTY);
      const session = lab.session as Session;
      for (const [n, one] of made.entries()) {
        same(`instructions of guest ${n}`, await session.get(use.value(counter), n), BigInt(one.stopped - one.started));
      }
    },
  };
}

export function snapshot(subject: Subject): Check[] {
  const { kit } = subject;
  const policies = withPmu(subject);
  // A policy whose counters are the physical CPU's, and one whose counters are the vCPU's.
  const two = [policies.find((p) => p === 'switched' || p === 'mediated'), policies.find((p) => p === 'emulated')];
  const some = two.some((p) => p !== undefined) ? two.filter((p) => p !== undefined) : policies.slice(0, 1);
  const entries = Object.entries(kit.programs) as [ProgramName, Program][];
  return [
    ...some.flatMap((policy) => entries.map(([name, one]) => program(policy, name, one))),
    ...(kit.code === undefined || kit.use === undefined
      ? [{ suite: 'snapshot' as const, name: 'two guests that count', absent: NO_CODE, run: () => Promise.resolve() }]
      : // Under passthrough it matters to a guest where its neighbour was stopped.
        policies.filter((policy) => policy !== 'passthrough').map((policy) => neighbours(subject, policy))),
  ];
}
