/** Sampling: what is remembered of the place of an overflow. */
import { isNone, type PolicyName } from '@countervisor/contract';
import { type Check, type Lab, Lack, type Subject, same } from '../check.ts';
import { nop, placeOf, useOf, counting as withPmu } from '../guest.ts';
import { eventOf, short, window } from '../window.ts';

const hex = (value: bigint): string => `0x${value.toString(16)}`;

function latch(subject: Subject, policy: PolicyName, sample: string, guests: 1 | 2): Check {
  return {
    suite: 'sampling',
    name: `${sample} under ${policy}${guests === 1 ? '' : ', beside a neighbour that samples'}: the address behind the overflow, and only then`,
    needs: ['policies', ...(guests === 1 ? [] : (['guests'] as const))],
    async run(lab: Lab): Promise<void> {
      const use = useOf(subject);
      const [a] = use.counters as readonly [number];
      for (const n of [1, 4]) {
        const made = [n, n + 2].map((events) =>
          window(subject, {
            counters: [{ counter: a, event: eventOf(subject, 'instruction'), from: short(32, events) }],
            body: [nop(12)],
          }),
        );
        const [w] = made;
        if (w === undefined) return;
        const session = await lab.start({
          guests: made.slice(0, guests).map(({ code }) => ({ code: code.bytes, policy })),
          slice: 3,
        });
        const start = placeOf(
          w.code,
          w.code.places.findIndex(({ before }) => before >= w.started),
        ).at;
        await session.run(w.started + n - 1);
        const before = await session.get(sample);
        await session.run(w.started + n);
        const expected = start + BigInt(n) * w.length;
        same(`${sample} after ${n} of ${n}`, hex(await session.get(sample)), hex(expected));
        same(`${sample} before is another`, before === expected, false);
        await session.run(w.started + 9);
        same(`${sample} later`, hex(await session.get(sample)), hex(expected));
        if (guests === 2)
          same(`${sample} of the neighbour`, hex(await session.get(sample, 1)), hex(expected + 2n * w.length));
      }
    },
  };
}

export function sampling(subject: Subject): Check[] {
  const { arch, kit } = subject;
  const sample = kit.use?.sample;
  if (isNone(arch.sampling)) {
    return [
      { suite: 'sampling', name: 'what an overflow leaves', absent: arch.sampling.none, run: () => Promise.resolve() },
    ];
  }
  if (sample === undefined || kit.code === undefined) {
    const absent = new Lack('the architecture samples, and does not say how (Conformance.use.sample)');
    return [{ suite: 'sampling', name: 'what an overflow leaves', absent, run: () => Promise.resolve() }];
  }
  return withPmu(subject).flatMap((policy) => [
    latch(subject, policy, sample, 1),
    // Under passthrough the neighbour's samples are one's own.
    ...(policy === 'passthrough' ? [] : [latch(subject, policy, sample, 2)]),
  ]);
}
