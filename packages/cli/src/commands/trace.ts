/** `countervisor trace`: what was decided, moment by moment, and by which rule. */
import { didYouMean } from '@countervisor/core';
import { drive, type Stopped } from '../drive.ts';
import { EXIT, UsageError } from '../exit.ts';
import { type Io, OutputFile } from '../io.ts';
import { exitCode, explain } from '../outcome.ts';
import { type CommonFlags, diagnose, prepare } from '../prepare.ts';
import { printWarning } from '../print/error.ts';
import { grouped } from '../print/number.ts';
import { reports } from '../report.ts';
import { TRACE_KINDS, type TraceKind, type TraceLine, traceAddress } from '../schemas/trace.ts';
import { create } from '../session.ts';
import { traceText, tracing } from '../tracing.ts';

export interface TraceFlags extends CommonFlags {
  readonly log?: readonly string[];
  readonly output?: string;
  readonly limit?: number;
}

/** Lines, unless said: some hundred megabytes at most. */
const LIMIT = 1_000_000;

function kindsOf(log: readonly string[] | undefined): TraceKind[] {
  if (log === undefined) return [...TRACE_KINDS];
  const names = log.flatMap((list) => list.split(',')).map((name) => name.trim());
  for (const name of names) {
    if ((TRACE_KINDS as readonly string[]).includes(name)) continue;
    throw new UsageError(
      'CV_USAGE',
      `--log knows no '${name}'.`,
      didYouMean(name, TRACE_KINDS, `Kinds: ${TRACE_KINDS.join(', ')}.`),
    );
  }
  return TRACE_KINDS.filter((kind) => names.includes(kind));
}

export async function trace(io: Io, args: readonly string[], flags: TraceFlags): Promise<number> {
  const kinds = kindsOf(flags.log);
  const limit = flags.limit ?? LIMIT;
  const plan = await prepare(io, args, flags);
  const session = create(plan);
  const { machine } = session;
  const file = flags.output === undefined ? undefined : new OutputFile(io, flags.output);
  let stopped: Stopped;
  let full = false;
  try {
    diagnose(io, machine, flags);
    const write = (text: string): void => (file === undefined ? io.out(text) : file.write(text));
    const json = (line: TraceLine): string => `${JSON.stringify(line)}\n`;
    if (flags.json === true) write(json({ $schema: traceAddress, type: 'trace', log: kinds }));
    let written = 0;
    tracing(machine, new Set(kinds), (line) => {
      if (written === limit) {
        full = true;
        return;
      }
      written++;
      write(flags.json === true ? json(line) : traceText(line));
    });
    stopped = await drive(io, machine, {
      until: flags.until,
      progress: flags.quiet !== true && file !== undefined,
      done: () => full,
    });
    if (stopped === 'interrupt') file?.discard();
    else file?.commit();
  } catch (error) {
    file?.discard();
    throw error;
  }
  if (stopped === 'interrupt') return EXIT.interrupted;
  if (full && flags.quiet !== true) {
    printWarning(io, {
      code: 'CV_TRACE_LIMIT',
      message: `The trace was full after ${grouped(limit)} lines, and the run was stopped.`,
      remedy: 'Raise --limit, or name fewer kinds with --log.',
      place: undefined,
    });
  }
  const results = reports(machine);
  explain(io, session, results, stopped, flags.quiet === true || full);
  return exitCode(results, stopped, true);
}
