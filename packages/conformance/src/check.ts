/** A check: a suite, a name, and something that is done with a target. It passes, fails with what was expected and what was found, or is absent with a reason. */
import type { Arch, Conformance, Manual } from '@countervisor/contract';
import type { Capability, Session, Setup, Target } from './target.ts';

export const SUITES = [
  'registers',
  'access',
  'counting',
  'overflow',
  'sampling',
  'policy',
  'switching',
  'hypercalls',
  'snapshot',
  'determinism',
  'hostile',
] as const;
export type SuiteName = (typeof SUITES)[number];

/** What is tested against what: an architecture's tables, what it gives the kit, and the facts that its checks are made from. */
export interface Subject {
  readonly arch: Arch;
  readonly kit: Conformance;
  /** The manual's, or where the kit gives none, those of the tables themselves. */
  readonly facts: Manual;
}

/** Absent for want of something: the architecture did not give it to the kit, or the target cannot do it. A strict run lets this pass as little as a failure. */
export class Lack {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }

  toString(): string {
    return this.why;
  }
}

export interface Check {
  readonly suite: SuiteName;
  /** Unique within its suite. */
  readonly name: string;
  readonly needs?: readonly Capability[];
  /** Known beforehand: there is nothing to check, and why. */
  readonly absent?: string | Lack;
  run(lab: Lab): Promise<void>;
}

export type Result =
  | { readonly verdict: 'pass' }
  | {
      readonly verdict: 'absent';
      readonly why: string;
      /** For want of something, and not because the architecture says that there is nothing to check. */
      readonly lacks?: true;
    }
  | {
      readonly verdict: 'fail';
      /** What is not as it should be. */
      readonly why: string;
      readonly expected?: string;
      readonly counted?: string;
      /** The last retired instructions, the latest last. */
      readonly last?: readonly string[];
    };

/** Not as it should be. */
export class Unlike extends Error {
  readonly expected: string;
  readonly counted: string;

  constructor(what: string, expected: string, counted: string) {
    super(what);
    this.expected = expected;
    this.counted = counted;
  }
}

/** There turns out to be nothing to check. */
export class Absent extends Error {
  readonly lacks: boolean;

  constructor(why: string | Lack) {
    super(`${why}`);
    this.lacks = why instanceof Lack;
  }
}

const text = (value: unknown): string => {
  if (typeof value === 'bigint') return value > 9n ? `${value} (0x${value.toString(16)})` : `${value}`;
  if (Array.isArray(value)) return value.map(text).join(', ');
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([key, inner]) => `${key} ${text(inner)}`)
      .join(', ');
  }
  return `${value}`;
};

/** @throws Unlike when the two are not the same, compared by what they print */
export function same<T>(what: string, counted: T, expected: T): void {
  const [a, b] = [text(counted), text(expected)];
  if (a !== b) throw new Unlike(what, b, a);
}

/** @throws Unlike */
export function holds(what: string, condition: boolean, expected: string, counted: string): void {
  if (!condition) throw new Unlike(what, expected, counted);
}

/** Where a check does its work: the target, and the session that a failure is told from. */
export class Lab {
  readonly target: Target;
  session: Session | undefined;
  readonly #usual: Partial<Setup>;

  /** @param usual what every session is set up with, unless a check says otherwise */
  constructor(target: Target, usual: Partial<Setup> = {}) {
    this.target = target;
    this.#usual = usual;
  }

  async start(setup: Setup): Promise<Session> {
    this.session = await this.target.start({ ...this.#usual, ...setup });
    return this.session;
  }
}

/** Retired instructions that a failure shows. */
const LAST = 8;

const absent = (why: string | Lack): Result => ({
  verdict: 'absent',
  why: `${why}`,
  ...(why instanceof Lack && { lacks: true }),
});

/** Does one check. Whatever else it throws is a failure, too: no check may bring the others down. */
export async function perform(check: Check, target: Target, usual: Partial<Setup> = {}): Promise<Result> {
  if (check.absent !== undefined) return absent(check.absent);
  const lacking = (check.needs ?? []).find((capability) => target.lacks[capability] !== undefined);
  if (lacking !== undefined) return absent(new Lack(`${target.name}: ${target.lacks[lacking]}`));
  const lab = new Lab(target, usual);
  try {
    await check.run(lab);
    return { verdict: 'pass' };
  } catch (error) {
    if (error instanceof Absent) return absent(error.lacks ? new Lack(error.message) : error.message);
    const why = error instanceof Error ? error.message : String(error);
    const figures = error instanceof Unlike ? { expected: error.expected, counted: error.counted } : {};
    return { verdict: 'fail', why, ...figures, ...(await trail(lab.session)) };
  }
}

async function trail(session: Session | undefined): Promise<{ last?: readonly string[] }> {
  try {
    const last = await session?.last(LAST);
    return last === undefined || last.length === 0 ? {} : { last };
  } catch {
    // What went wrong already may go wrong again.
    return {};
  }
}
