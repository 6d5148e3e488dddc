/** `countervisor stat`: what each domain really did, counted from outside, in the lines of perf-stat(1). */
import { drive, type Stopped } from '../drive.ts';
import { EXIT, UnsupportedError } from '../exit.ts';
import { checkDomains, differences, type Expectation, expectedEvents, readExpectation, record } from '../expect.ts';
import { DEFAULT_EVENTS, type EventSpec, parseEvents } from '../input/events.ts';
import type { Io } from '../io.ts';
import { exitCode, explain } from '../outcome.ts';
import type { Plan } from '../plan.ts';
import { type CommonFlags, diagnose, prepare } from '../prepare.ts';
import { printError } from '../print/error.ts';
import { count, grouped } from '../print/number.ts';
import { endOf, type Report, reports } from '../report.ts';
import { type Count, exitJson, schemaAddress } from '../schemas/parts.ts';
import type { DifferenceJson, StatJson } from '../schemas/stat.ts';
import { create, type Session } from '../session.ts';

export interface StatFlags extends CommonFlags {
  readonly event?: readonly string[];
  readonly repeat?: number;
  readonly expect?: string;
  readonly recordExpect?: string;
}

interface Measured {
  readonly session: Session;
  readonly results: readonly Report[];
  readonly stopped: Stopped;
  /** By domain, by event; `undefined` where it is not supported. */
  readonly counts: readonly (readonly (number | undefined)[])[];
}

async function measure(
  io: Io,
  plan: Plan,
  events: readonly EventSpec[],
  flags: StatFlags,
  first: boolean,
): Promise<Measured> {
  const session = create(plan);
  const observers = session.guests.map(({ domain }) => domain.observe());
  if (first) diagnose(io, session.machine, flags);
  const stopped = await drive(io, session.machine, { until: flags.until, progress: flags.quiet !== true });
  const counts = observers.map((observer) =>
    events.map(({ signals, levels }) => signals && observer.total(signals, levels)),
  );
  return { session, results: reports(session.machine), stopped, counts };
}

function lines(
  name: string,
  file: string,
  report: Report,
  events: readonly EventSpec[],
  counts: readonly (number | undefined)[],
  runs: number,
): string {
  const rows = events.map(({ text, why }, i) => {
    const value = counts[i];
    const shown = value === undefined ? '<not supported>' : grouped(value);
    const tail = value === undefined ? `  # ${why}` : runs > 1 ? `  ( ± 0, ${runs} runs )` : '';
    return `${shown.padStart(20)}      ${tail === '' ? text : text.padEnd(28) + tail}\n`;
  });
  return ` Performance counter stats for '${name}' (${file}):\n\n${rows.join('')}\n ${endOf(report)}\n`;
}

function deviation({ domain, event, expected, counted }: DifferenceJson): string {
  if (counted === null) return `${domain} ${event}: expected ${grouped(BigInt(expected))}, and it is not supported\n`;
  const by = BigInt(counted) - BigInt(expected);
  return `${domain} ${event}: expected ${grouped(BigInt(expected))}, counted ${grouped(BigInt(counted))} (${by > 0n ? '+' : ''}${grouped(by)})\n`;
}

/** The first count that another run had otherwise: a defect, since nothing may make them differ. */
function unlike(a: Measured, b: Measured, events: readonly EventSpec[]): string | undefined {
  for (const [d, counts] of a.counts.entries()) {
    for (const [e, value] of counts.entries()) {
      const again = b.counts[d]?.[e];
      if (value !== again) return `${a.results[d]?.name} ${events[e]?.text}: ${value}, then ${again}`;
    }
  }
  return undefined;
}

export async function stat(io: Io, args: readonly string[], flags: StatFlags): Promise<number> {
  const plan = await prepare(io, args, flags);
  const expectation: Expectation | undefined =
    flags.expect === undefined ? undefined : readExpectation(io, flags.expect);
  if (expectation !== undefined)
    checkDomains(
      expectation,
      plan.guests.map((guest) => guest.xl.name),
    );
  const expected = expectation === undefined ? [] : expectedEvents(expectation);
  const asked = flags.event ?? (expectation === undefined ? DEFAULT_EVENTS : []);
  const events = parseEvents([...asked, ...expected], plan.selected.arch, plan.toolstack.cpu);
  const runs = flags.repeat ?? 1;

  const first = await measure(io, plan, events, flags, true);
  for (let n = 1; n < runs && first.stopped !== 'interrupt' && first.stopped !== 'closed'; n++) {
    const again = await measure(io, plan, events, flags, false);
    if (again.stopped === 'interrupt' || again.stopped === 'closed') return exitCode([], again.stopped, true);
    const different = unlike(first, again, events);
    if (different !== undefined) throw new Error(`two runs of the same configuration differ: ${different}`);
  }

  const { results, stopped, counts } = first;
  const named = (domain: string, event: string): Count | null => {
    const value = counts[results.findIndex((r) => r.name === domain)]?.[events.findIndex((e) => e.text === event)];
    return value === undefined ? null : count(value);
  };
  const wrong = expectation === undefined ? [] : differences(expectation, named);
  const json: StatJson = {
    $schema: schemaAddress('stat'),
    runs,
    domains: results.map((r, d) => ({
      name: r.name,
      events: events.map(({ text, why }, e) => {
        const value = counts[d]?.[e];
        return {
          event: text,
          count: value === undefined ? null : count(value),
          why: value === undefined ? (why ?? null) : null,
        };
      }),
      exit: exitJson(r),
    })),
    expectation: expectation === undefined ? null : { met: wrong.length === 0, differences: wrong },
  };
  if (flags.json === true) io.out(`${JSON.stringify(json, undefined, 2)}\n`);
  else {
    const blocks = results.map((r, d) =>
      lines(r.name, plan.guests[d]?.source.file ?? '', r, events, counts[d] ?? [], runs),
    );
    io.out(blocks.join('\n'));
    if (wrong.length > 0) io.out(`\n${wrong.map(deviation).join('')}`);
    else if (expectation !== undefined) io.out(`\nAll counts are as ${expectation.file} expects.\n`);
  }
  explain(io, first.session, results, stopped, flags.quiet === true);

  const end = exitCode(results, stopped, flags.until !== undefined);
  const missing = events.filter(({ signals }) => signals === undefined);
  for (const { text, why } of missing) {
    printError(
      io,
      new UnsupportedError(
        'CV_NOT_SUPPORTED',
        `'${text}' cannot be counted: ${why}.`,
        '`countervisor list events` names what can.',
      ),
    );
  }
  if (stopped === 'interrupt' || end === EXIT.faulted) return end;
  if (missing.length > 0 || end === EXIT.unsupported) return EXIT.unsupported;
  if (flags.recordExpect !== undefined) {
    const domains = Object.fromEntries(
      json.domains.map(({ name, events: list }) => [
        name,
        Object.fromEntries(list.map(({ event, count: n }) => [event, n as Count])),
      ]),
    );
    record(io, flags.recordExpect, domains);
  }
  return wrong.length > 0 ? EXIT.failed : end;
}
