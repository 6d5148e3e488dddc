/** Hypercalls: every service of the convention with its answer, and numbers that nobody answers. */
import type { CallFacts } from '@countervisor/contract';
import { type Check, holds, type Lab, type Subject, same } from '../check.ts';
import { NO_MANUAL } from '../facts.ts';
import { behind, END, NO_CODE, nop, placeOf, plainest, writerOf } from '../guest.ts';

const UNKNOWN = 'CV_UNKNOWN_HYPERCALL';

function call(subject: Subject, facts: CallFacts, known: boolean, n: number): Check {
  const { arch } = subject;
  const { number, arguments: args, answers } = facts;
  const service = arch.hypercalls.services[number.toString()];
  const shown = `0x${number.toString(16)}${service === undefined ? '' : ` ${service.name}`}(${args.map((a) => `0x${a.toString(16)}`).join(', ')})`;
  return {
    suite: 'hypercalls',
    name: `${n}: ${shown}`,
    needs: ['policies'],
    async run(lab: Lab): Promise<void> {
      const code = writerOf(subject).write([nop(), { do: 'call', number, arguments: args }, nop(3), END]);
      const session = await lab.start({
        guests: [{ code: code.bytes, policy: plainest(subject) }],
      });
      const until = behind(placeOf(code, 1));
      if (lab.target.lacks.events === undefined) await session.watch();
      await session.run(until - 1);
      const before = await session.progress();
      same(
        'exits before the call',
        Object.values(before.exits).reduce((a, b) => a + b, 0),
        0,
      );
      await session.run(until);
      const after = await session.progress();
      same(
        'exits that the call makes',
        Object.values(after.exits).reduce((a, b) => a + b, 0),
        1,
      );
      same('instructions when it is done', after.instructions, until);
      if (typeof answers === 'bigint') {
        same('answer', await session.get(arch.hypercalls.convention.result), answers);
        same('the domain', after.ended?.reason ?? 'runs on', 'runs on');
      } else {
        if (answers.woken !== undefined) {
          same('answer, were it woken', await session.get(arch.hypercalls.convention.result), answers.woken);
        }
        // What waits or stops shows it once somebody asks for more.
        await session.run(until + 10);
        const { ended } = await session.progress();
        same('how the domain ends', ended?.reason ?? 'it runs on', answers.ends);
        same('its status', ended?.status, answers.status);
      }
      if (lab.target.lacks.events !== undefined) return;
      const told = (await session.moments()).some((m) => m.kind === 'diagnostic' && m.code === UNKNOWN);
      same('said to be unknown', told, !known);
    },
  };
}

/** Without a manual's word: the service is there, and comes back or ends the domain. */
function answered(subject: Subject, number: string): Check {
  const { arch } = subject;
  return {
    suite: 'hypercalls',
    name: `service ${number} ${arch.hypercalls.services[number]?.name ?? ''}: answered`,
    needs: ['policies', 'events'],
    async run(lab: Lab): Promise<void> {
      const code = writerOf(subject).write([{ do: 'call', number: BigInt(number), arguments: [] }, nop(), END]);
      const session = await lab.start({ guests: [{ code: code.bytes, policy: plainest(subject) }] });
      await session.watch();
      await session.run(behind(placeOf(code, 0)));
      const { exits } = await session.progress();
      same(
        'exits that the call makes',
        Object.values(exits).reduce((a, b) => a + b, 0),
        1,
      );
      const told = (await session.moments()).some((m) => m.kind === 'diagnostic' && m.code === UNKNOWN);
      same('said to be unknown', told, false);
    },
  };
}

function complete({ arch, facts, kit }: Subject): Check {
  return {
    suite: 'hypercalls',
    name: 'the manual tells of every service',
    ...(kit.manual === undefined && { absent: NO_MANUAL }),
    async run(): Promise<void> {
      const told = new Set(facts.calls.map(({ number }) => number.toString()));
      for (const [number, { name }] of Object.entries(arch.hypercalls.services)) {
        holds(`${name} (${number}) is in the manual`, told.has(number), 'facts of it', 'none');
      }
      for (const register of [arch.hypercalls.convention.number, arch.hypercalls.convention.result]) {
        holds(`${register} of the convention`, arch.registers[register] !== undefined, 'a register', 'none');
      }
    },
  };
}

export function hypercalls(subject: Subject): Check[] {
  const { arch, facts, kit } = subject;
  if (kit.code === undefined)
    return [{ suite: 'hypercalls', name: 'calls', absent: NO_CODE, run: () => Promise.resolve() }];
  const known = (number: bigint): boolean => arch.hypercalls.services[number.toString()] !== undefined;
  const told = new Set(facts.calls.map(({ number }) => number.toString()));
  const untold = Object.keys(arch.hypercalls.services).filter((number) => !told.has(number));
  return [
    complete(subject),
    ...facts.calls.map((one, n) => call(subject, one, known(one.number), n)),
    ...untold.map((number) => answered(subject, number)),
  ];
}
