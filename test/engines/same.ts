/** Runs one machine under each back end and says where they differ: everything a snapshot holds, every event in its order, what the user is told. */
import type { Machine } from '../../packages/core/src/index.ts';
import { state } from '../../packages/core/src/index.ts';

export const ENGINES = ['stepper', 'translator'] as const;
export type EngineName = (typeof ENGINES)[number];

/** A machine that is ready to run, its domains booted. Called once for each back end. */
export type Make = (engine: EngineName) => Machine;

const EVENTS = ['access', 'trap', 'switch', 'overflow', 'irq', 'exception', 'console', 'exit', 'diagnostic'] as const;

const plain = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? `0x${v.toString(16)}` : v));

export interface Options {
  /** Retired instructions of a domain at which to stop. */
  readonly until: number;
  /** Arrivals after which the translator translates. */
  readonly hot: number;
  /** Events that nobody listens to: a listener for accesses makes the engine report them. */
  readonly deaf?: readonly string[];
}

interface Ran {
  readonly events: readonly string[];
  /** Lines of the state, each with its place. */
  readonly lines: readonly string[];
  readonly translated: number;
  readonly instructions: number;
}

function flat(value: unknown, at: string, into: string[]): void {
  if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) flat(inner, `${at}.${key}`, into);
  } else into.push(`${at} ${plain(value)}`);
}

function run(make: Make, engine: EngineName, { until, hot, deaf = [] }: Options): Ran {
  const machine = make(engine);
  const events: string[] = [];
  for (const name of EVENTS) {
    if (!deaf.includes(name)) machine.events.on(name, (event: object) => events.push(`${name} ${plain(event)}`));
  }
  for (const domain of machine.domains) domain.engine.hot = hot;
  machine.run({ until });
  const lines: string[] = [];
  flat(state(machine), 'state', lines);
  return {
    events,
    lines,
    translated: machine.domains.reduce((sum, d) => sum + (d.translator?.counts.translated ?? 0), 0),
    instructions: machine.domains.reduce((sum, d) => sum + d.instructions(), 0),
  };
}

export interface Outcome {
  /** The first thing that is not the same; absent when everything is. */
  readonly differs?: string;
  readonly instructions: number;
  /** Of those, by translated code. */
  readonly translated: number;
}

/** Where two texts part: a little before, and what each has there. */
function parting(a: string, b: string): string {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  const cut = (s: string): string => s.slice(Math.max(0, i - 60), i + 200);
  return `at ${i}:\n  stepper    …${cut(a)}\n  translator …${cut(b)}`;
}

export function compare(make: Make, options: Options): Outcome {
  const one = run(make, 'stepper', options);
  const two = run(make, 'translator', options);
  const figures = { instructions: two.instructions, translated: two.translated };
  for (const [what, a, b] of [
    ['events', one.events, two.events],
    ['state', one.lines, two.lines],
  ] as const) {
    for (let i = 0; i < Math.max(a.length, b.length); i++) {
      if (a[i] === b[i]) continue;
      return { ...figures, differs: `${what} ${i}: ${parting(a[i] ?? '(nothing)', b[i] ?? '(nothing)')}` };
    }
  }
  return figures;
}
