/** Hostile guests: random code, random register writes. Nothing crashes, nothing hangs, and the neighbour lives as if it were alone. */
import type { PolicyName } from '@countervisor/contract';
import { type Check, holds, type Lab, type Subject, same } from '../check.ts';
import { CATCH, END, NO_CODE, nop, useOf, counting as withPmu, write, writerOf } from '../guest.ts';
import type { Setup } from '../target.ts';
import { eventOf, type Window, window } from '../window.ts';
import { history } from './history.ts';
import { Random } from './random.ts';

/** Instructions that a hostile guest may retire. */
const LIMIT = 1000;

/** The guest beside: it counts, and must count right. */
function victim(subject: Subject): Window {
  const counter = useOf(subject).counters[0] as number;
  return window(subject, { counters: [{ counter, event: eventOf(subject, 'instruction') }], body: [nop(100)] });
}

/** The neighbour alone, and beside the hostile guest; then whether the hostile one stayed within bounds. */
async function survives(subject: Subject, lab: Lab, policy: PolicyName, code: Uint8Array, seed: number): Promise<void> {
  const w = victim(subject);
  const good = { code: w.code.bytes, policy };
  const setup: Setup = { guests: [good], slice: 5 };
  const alone = await lab.start(setup);
  await alone.run(LIMIT);
  const expected = await history(alone, 0);
  const memory = await alone.memory(0);
  const beside = await lab.start({ ...setup, guests: [{ code, policy }, good] });
  await beside.run(LIMIT);
  const found = await history(beside, 1);
  if (policy !== 'passthrough') {
    for (const [n, line] of expected.entries()) same(`the neighbour of seed ${seed}`, found[n], line);
    same(
      'instructions that the neighbour counted',
      await beside.get(useOf(subject).value(useOf(subject).counters[0] as number), 1),
      BigInt(w.stopped - w.started),
    );
  }
  const after = await beside.memory(1);
  holds(
    "the neighbour's memory",
    after.every((byte, at) => byte === memory[at]),
    'as it is alone',
    'changed',
  );
  const { instructions } = await beside.progress(0);
  holds('the hostile guest', instructions <= LIMIT, `at most ${LIMIT} instructions`, `${instructions}`);
}

function randomCode(subject: Subject, policy: PolicyName, seed: number): Check {
  return {
    suite: 'hostile',
    name: `random code under ${policy}, seed ${seed}: no crash, no hang, no neighbour harmed`,
    needs: ['policies', 'guests'],
    async run(lab: Lab): Promise<void> {
      const random = new Random(seed * 7919);
      const bytes = new Uint8Array(4096);
      for (let at = 0; at < bytes.length; at++) bytes[at] = random.word() >>> 13;
      await survives(subject, lab, policy, bytes, seed);
    },
  };
}

/** Real programs with a few bits turned over: they get further than noise does. */
function turnedBits(subject: Subject, policy: PolicyName, seed: number): Check {
  return {
    suite: 'hostile',
    name: `programs with bits turned over under ${policy}, seed ${seed}: no crash, no hang, no neighbour harmed`,
    needs: ['policies', 'guests'],
    async run(lab: Lab): Promise<void> {
      const random = new Random(seed * 104_729);
      for (const program of Object.values(subject.kit.programs)) {
        const bytes = program.code.slice();
        for (let n = 0; n < 3; n++) {
          const at = random.below(Math.min(bytes.length, 64));
          bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
        }
        await survives(subject, lab, policy, bytes, seed);
      }
    },
  };
}

function randomWrites(subject: Subject, policy: PolicyName, seed: number): Check {
  const { arch } = subject;
  return {
    suite: 'hostile',
    name: `random register writes under ${policy}, seed ${seed}: no crash, no hang, no neighbour harmed`,
    needs: ['policies', 'guests'],
    async run(lab: Lab): Promise<void> {
      const random = new Random(seed * 15_485_863);
      const writer = writerOf(subject);
      const kernel = arch.levels.length - 2;
      const names = Object.entries(subject.facts.registers)
        .filter(([name, { levels, role }]) => {
          const at = arch.registers[name]?.at;
          const least = levels[1];
          return (
            at !== undefined &&
            role !== undefined &&
            least !== 'never' &&
            arch.levels.indexOf(least) <= kernel &&
            writer.reaches(at, true)
          );
        })
        .map(([name]) => name);
      const steps = Array.from({ length: 60 }, () => write(arch, random.pick(names), random.long()));
      // The first write that is refused would end it: so each is tried alone as well, by chance, over the seeds.
      const code = writer.write([...(seed % 2 === 0 ? [CATCH] : []), ...steps, nop(50), END]);
      await survives(subject, lab, policy, code.bytes, seed);
    },
  };
}

export function hostile(subject: Subject): Check[] {
  const { kit } = subject;
  if (kit.code === undefined || kit.use === undefined) {
    return [{ suite: 'hostile', name: 'guests', absent: NO_CODE, run: () => Promise.resolve() }];
  }
  return withPmu(subject).flatMap((policy) => [
    ...[1, 2, 3, 4, 5, 6].map((seed) => randomCode(subject, policy, seed)),
    ...[1, 2].map((seed) => turnedBits(subject, policy, seed)),
    ...[1, 2, 3, 4].map((seed) => randomWrites(subject, policy, seed)),
  ]);
}
