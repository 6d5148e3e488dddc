/** Determinism (counting rule 11): two runs, other slices, neighbours and numbers of physical CPUs; a guest's history is the same where its policy promises that. */
import type { PolicyName, Program, ProgramName } from '@countervisor/contract';
import { type Check, type Lab, type Subject, same } from '../check.ts';
import { counting as withPmu } from '../guest.ts';
import type { Capability, Setup } from '../target.ts';
import { course, history } from './history.ts';

const PLENTY = 1000;

interface Variant {
  readonly name: string;
  readonly needs: readonly Capability[];
  readonly more: Partial<Setup>;
  /** A guest beside it; which of the two it is. */
  readonly place: readonly [guest: number, of: number];
}

const VARIANTS: readonly Variant[] = [
  { name: 'run once more', needs: [], more: {}, place: [0, 1] },
  { name: 'in slices of 1', needs: ['guests'], more: { slice: 1 }, place: [0, 1] },
  { name: 'in slices of 7, beside a neighbour', needs: ['guests'], more: { slice: 7 }, place: [0, 2] },
  { name: 'in slices of 1, behind a neighbour', needs: ['guests'], more: { slice: 1 }, place: [1, 2] },
  {
    name: 'with three physical CPUs and two neighbours',
    needs: ['guests', 'pcpus'],
    more: { pcpus: 3, slice: 3 },
    place: [1, 3],
  },
];

async function told(
  lab: Lab,
  policy: PolicyName,
  program: Program,
  other: Program,
  variant?: Variant,
): Promise<string[]> {
  const [guest, of] = variant?.place ?? [0, 1];
  const guests = Array.from({ length: of }, (_, n) => ({ code: (n === guest ? program : other).code, policy }));
  const session = await lab.start({ guests, ...variant?.more });
  if (lab.target.lacks.events === undefined) await session.watch();
  await session.run(PLENTY);
  const moments = lab.target.lacks.events === undefined ? await session.moments() : [];
  return [...course(moments, guest), ...(await history(session, guest))];
}

function check(subject: Subject, policy: PolicyName, name: ProgramName, program: Program, variant: Variant): Check {
  return {
    suite: 'determinism',
    name: `${name} under ${policy}, ${variant.name}: the same history`,
    needs: ['policies', ...variant.needs],
    async run(lab: Lab): Promise<void> {
      // A neighbour that itself uses the PMU.
      const other = subject.kit.programs['read-counter'];
      const expected = await told(lab, policy, program, other);
      const again = await told(lab, policy, program, other, variant);
      same('lines of its history', again.length, expected.length);
      for (const [n, line] of expected.entries()) same(`${name}, line ${n}`, again[n], line);
      same(
        'instructions',
        expected.includes(
          `instructions ${program.counts.instruction}, cycles ${program.counts.instruction}, level ${levelOf(expected)}`,
        ),
        true,
      );
    },
  };
}

const levelOf = (lines: readonly string[]): string =>
  /level (.+)$/.exec(lines.find((line) => line.startsWith('instructions ')) ?? '')?.[1] ?? '';

export function determinism(subject: Subject): Check[] {
  const entries = Object.entries(subject.kit.programs) as [ProgramName, Program][];
  return withPmu(subject).flatMap((policy) =>
    // Passthrough promises nothing but that a run can be repeated.
    VARIANTS.filter((_, n) => policy !== 'passthrough' || n === 0).flatMap((variant) =>
      entries.map(([name, program]) => check(subject, policy, name, program, variant)),
    ),
  );
}
