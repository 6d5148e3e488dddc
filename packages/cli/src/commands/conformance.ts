/** `countervisor conformance`: proves an architecture, suite by suite. Results on stdout, progress on stderr. */
import {
  chosen,
  type Done,
  junit,
  type Outcome,
  runConformance,
  type Shard,
  tap,
  text,
} from '@countervisor/conformance';
import type { Arch, Conformance } from '@countervisor/contract';
import { load } from '@countervisor/core';
import { EXIT, UnsupportedError, UsageError } from '../exit.ts';
import { type ExtensionFlags, subjectWithExtensions } from '../extension.ts';
import { type Found, findArchitectures, inFolder, named } from '../find.ts';
import { type Io, OutputFile } from '../io.ts';
import { job, parts } from '../jobs.ts';

export interface ConformanceFlags extends ExtensionFlags {
  readonly group?: readonly string[];
  readonly strict?: boolean;
  readonly jobs?: number;
  readonly shard?: string;
  readonly tap?: boolean;
  readonly junit?: string;
  readonly quiet?: boolean;
  /** One result a line, for the process that asked: `jobs.ts`. */
  readonly lines?: boolean;
}

/** Milliseconds between two lines of progress. */
const EVERY = 200;
const MOST_PARTS = 10_000;

/** @throws UsageError for anything but i/n with 1 <= i <= n */
export function readShard(written: string | undefined): Shard | undefined {
  if (written === undefined) return undefined;
  const [, part, of] = /^([0-9]{1,9})\/([0-9]{1,9})$/.exec(written)?.map(Number) ?? [];
  if (part === undefined || of === undefined || part < 1 || part > of || of > MOST_PARTS) {
    throw new UsageError(
      'CV_USAGE',
      `--shard takes a part and the number of parts, and '${written}' is none.`,
      'Write 1/2 and 2/2: together they do every check once.',
    );
  }
  return { part, of };
}

/** The architecture that an argument means: a folder's, when it is written as a path, else one by its name. */
const meant = (io: Io, what: string): Found =>
  /^\.|[/\\]/.test(what) ? inFolder(io, what) : named(findArchitectures(io), what);

interface Subject {
  readonly arch: Arch;
  readonly kit: Conformance;
}

async function subject(found: Found): Promise<Subject> {
  // Refused tables would make checks that mean nothing.
  const [arch, kit] = [load(await found.load()), await found.conformance()];
  if (kit !== undefined) return { arch, kit };
  throw new UnsupportedError(
    'CV_NO_CONFORMANCE',
    `The package ${found.package} gives the conformance kit nothing to test ${arch.name} with.`,
    "Export 'conformance' with at least its programs: see Conformance of @countervisor/contract.",
  );
}

/** Says on a terminal how far it is. */
function progress(io: Io, quiet: boolean, of: number): { tell(done: Done, number: number): void; clear(): void } {
  let shown = Number.NEGATIVE_INFINITY;
  const asked = !quiet && io.tty.err;
  return {
    tell({ suite }, number) {
      if (!asked || io.now() - shown < EVERY) return;
      shown = io.now();
      io.err(`\r\u001b[K${number} of ${of}  ${suite}`);
    },
    clear() {
      if (shown !== Number.NEGATIVE_INFINITY) io.err('\r\u001b[K');
    },
  };
}

async function inProcesses(
  io: Io,
  what: string,
  flags: ConformanceFlags,
  jobs: number,
  onDone: (done: Done) => void,
): Promise<ReadonlyMap<string, Done>> {
  const results = new Map<string, Done>();
  const same = [
    ...(flags.group ?? []).flatMap((group) => ['-g', group]),
    ...(flags.extension ?? []).flatMap((extension) => ['--extension', extension]),
  ];
  const shards = parts(readShard(flags.shard) ?? { part: 1, of: 1 }, jobs);
  const ended = await Promise.all(
    shards.map(({ part, of }) =>
      job(
        ['conformance', what, '--lines', '--shard', `${part}/${of}`, ...same],
        (done) => {
          results.set(`${done.suite}/${done.name}`, done);
          onDone(done);
        },
        () => io.stop !== undefined,
      ),
    ),
  );
  const broken = ended.find((one) => one.ended !== EXIT.ok && one.ended !== EXIT.failed);
  if (broken !== undefined && io.stop === undefined) {
    throw new Error(`a process of --jobs ended with ${broken.ended}: ${broken.err}`);
  }
  return results;
}

async function outcomeOf(io: Io, what: string, { arch, kit }: Subject, flags: ConformanceFlags): Promise<Outcome> {
  const shard = readShard(flags.shard);
  const some = { ...(flags.group !== undefined && { groups: flags.group }), ...(shard !== undefined && { shard }) };
  const checks = chosen(arch, kit, some);
  const shown = progress(io, flags.quiet === true || flags.lines === true, checks.length);
  // A part of very few checks may be empty; a group without any is a slip of the pen.
  if (checks.length === 0 && chosen(arch, kit, { groups: flags.group ?? [] }).length === 0) {
    throw new UsageError(
      'CV_USAGE',
      `No check of ${arch.name} is called like ${(flags.group ?? []).map((g) => `'${g}'`).join(' or ')}.`,
      "-g takes a suite's name or a part of a check's name; without it all are done.",
    );
  }
  const jobs = Math.min(flags.jobs ?? 1, Math.max(1, checks.length));
  try {
    if (jobs > 1 && io.architectures === undefined) {
      let number = 0;
      const results = await inProcesses(io, what, flags, jobs, (done) => shown.tell(done, ++number));
      const found = checks.flatMap(({ suite, name }) => results.get(`${suite}/${name}`) ?? []);
      return { arch: arch.name, target: 'emulator', checks: found, stopped: io.stop !== undefined };
    }
    return await runConformance(arch, kit, {
      ...some,
      stop: () => io.stop !== undefined,
      breathe: () => io.breathe(),
      onResult: (done, { done: number }) => {
        if (flags.lines === true) io.out(`${JSON.stringify(done)}\n`);
        shown.tell(done, number);
      },
    });
  } finally {
    shown.clear();
  }
}

export async function conformance(io: Io, what: string, flags: ConformanceFlags): Promise<number> {
  readShard(flags.shard);
  const tested = await subjectWithExtensions(io, flags, await subject(meant(io, what)));
  // Opened first: whoever cannot write there is told before the work.
  const file = flags.junit === undefined ? undefined : new OutputFile(io, flags.junit);
  let outcome: Outcome;
  try {
    outcome = await outcomeOf(io, what, tested, flags);
    if (flags.lines !== true) io.out(flags.tap === true ? tap(outcome) : text(outcome));
    if (!outcome.stopped) file?.write(junit(outcome));
  } catch (error) {
    file?.discard();
    throw error;
  }
  if (outcome.stopped) file?.discard();
  else file?.commit();
  if (outcome.stopped) return EXIT.interrupted;
  const bad = ({ result }: Done): boolean =>
    result.verdict === 'fail' || (flags.strict === true && result.verdict === 'absent' && result.lacks === true);
  return outcome.checks.some(bad) ? EXIT.failed : EXIT.ok;
}
