/**
 * `npm run mutants`: does the conformance suite catch a slip? Single mutants of core's rules and of an architecture's tables, chosen by a seed, each run
 * against the suite until a check fails. Prints what was caught, by kind, and every survivor with the reason that `mutants/explained.ts` gives;
 * ends with 1 when less than 97 % are caught or a survivor has no reason.
 *
 *   --arch NAME     default arm64       --seed N --count N     which mutants of the tables; 300 of seed 1
 *   --jobs N        threads             --only KIND            of one kind; 'core', 'tables'
 *   --named REGEXP  those alone whose name it matches
 *   --aimed         quick: every mutant meets only the checks that aim at it, so that more survive than would
 *   --all           explained mutants meet the whole suite as well, not only the checks that aim at them
 *   --blind         instead of all others, those of somebody who had not read the suite (`mutants/blind.ts`), for arm64
 *   --verbose       every mutant as it is done, with who caught it
 *   --checks        the other way round: which checks does no mutant of any kind make fail?
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort } from 'node:worker_threads';
import { BLIND } from './mutants/blind.ts';
import { CORE } from './mutants/core.ts';
import { EXPLAINED, type Explained } from './mutants/explained.ts';
import { passing } from './mutants/judge.ts';
import { sample, shuffled } from './mutants/sample.ts';
import { HANGS, inThreads } from './mutants/threads.ts';
import { type Answer, Bench, type Task } from './mutants/work.ts';

/** Of the mutants. */
const ENOUGH = 0.97;
/** Milliseconds for one check. */
const LIMIT = 180_000;
/** Milliseconds between two signs of life. */
const SIGN = 1000;
/** Mutants of the tables that are tried against one check, and against all that are left in the end. */
const AIMED = 40;
const TRIES = 60;

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: 'arm64' },
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '300' },
    jobs: { type: 'string', default: String(Math.min(4, availableParallelism())) },
    only: { type: 'string' },
    named: { type: 'string', default: '' },
    checks: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    aimed: { type: 'boolean', default: false },
    blind: { type: 'boolean', default: false },
  },
});

const { arch } = values;
const bench = new Bench(process.cwd());
const here = new URL(import.meta.url);

const explained = (what: string): Explained | undefined =>
  values.blind ? undefined : EXPLAINED.find((one) => one.what.test(what) && (one.arch ?? arch) === arch);

interface Mutant {
  readonly kind: string;
  readonly what: string;
  readonly first: readonly string[];
  readonly task: Task;
}

async function mutants(): Promise<Mutant[]> {
  if (values.blind) {
    return BLIND.map(({ package: of = 'core', file, what, first }, n) => ({
      kind: `blind, ${of}`,
      what: `packages/${of}/src/${file}: ${what}`,
      first,
      task: { arch, mutant: { blind: n } },
    }));
  }
  const core = CORE.map(({ file, what, first }, n) => ({
    kind: 'core',
    what: `${file}: ${what}`,
    first,
    task: { arch, mutant: { core: n } },
  }));
  const tables = (await bench.tables(arch)).map(({ kind, what, first }, n) => ({
    kind,
    what,
    first,
    task: { arch, mutant: { table: n } },
  }));
  const { only } = values;
  const wanted = ({ kind, what }: Mutant): boolean =>
    (only === undefined || kind === only || (only === 'tables' && kind !== 'core')) &&
    new RegExp(values.named).test(what);
  return [...core, ...tables].filter(wanted);
}

const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
};

function table(rows: readonly (readonly [string, string | number])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  for (const [name, value] of rows) console.log(`${name.padEnd(width)}${value}`);
}

async function caughtBy(): Promise<void> {
  const all = await mutants();
  const tables = all.filter(({ kind }) => kind !== 'core');
  const chosen = values.blind
    ? all
    : [...all.filter(({ kind }) => kind === 'core'), ...sample(tables, Number(values.count), Number(values.seed))];
  console.log(
    values.blind
      ? `${arch}: ${chosen.length} mutants by somebody who had not read the suite`
      : `${arch}: ${chosen.length} single mutants, ${CORE.length} of core at most and the rest of ${tables.length} of the tables, seed ${values.seed}`,
  );
  const answers: (Answer | undefined)[] = [];
  const began = performance.now();
  let done = 0;
  await inThreads(
    here,
    chosen.map(({ task, what }) => () => ({
      ...task,
      aimed: values.aimed || (!values.all && explained(what) !== undefined),
    })),
    Number(values.jobs),
    LIMIT,
    (n, answer) => {
      answers[n] = answer;
      progress(`${++done} of ${chosen.length}`);
      const { what } = chosen[n] as Mutant;
      if (values.verbose)
        console.log(
          `${((performance.now() - began) / 1000).toFixed(0).padStart(5)} s  ${what}: ${answer.by ?? 'SURVIVED'}`,
        );
    },
  );
  progress('');
  let unexplained = 0;
  let equivalent = 0;
  for (const [n, { kind, what }] of chosen.entries()) {
    if (answers[n]?.by !== undefined) continue;
    const reason = explained(what);
    if (reason === undefined) unexplained++;
    if (reason?.equivalent === true) equivalent++;
    console.log(
      `survived  ${kind}: ${what}\n          ${reason?.equivalent === true ? 'equivalent: ' : ''}${reason?.why ?? 'NOT EXPLAINED'}`,
    );
  }
  const kinds = [...new Set(chosen.map(({ kind }) => kind))];
  const good = (n: number): boolean => answers[n]?.by !== undefined;
  table(
    kinds.map((kind) => {
      const own = chosen.flatMap((one, n) => (one.kind === kind ? [n] : []));
      return [kind, `${own.filter(good).length} of ${own.length}`];
    }),
  );
  const suites = new Map<string, number>();
  for (const answer of answers) {
    const by = answer?.by?.replace(/^[a-z0-9]+: (?!refused)/, '') ?? 'nobody';
    const suite = by === HANGS ? 'hung' : by.split(/[/ ]/)[0];
    suites.set(suite as string, (suites.get(suite as string) ?? 0) + 1);
  }
  console.log(`caught by: ${[...suites].map(([suite, n]) => `${suite} ${n}`).join(', ')}`);
  const total = chosen.filter((_, n) => good(n)).length;
  const real = chosen.length - equivalent;
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${total} of ${real} caught, ${((100 * total) / real).toFixed(1)} %, in ${seconds.toFixed(0)} s; ${equivalent} equivalent ones left out, ${unexplained} survivors not explained`,
  );
  process.exitCode = total / real >= ENOUGH && unexplained === 0 ? 0 : 1;
}

/** Mutants are tried against those checks alone that nothing has made fail yet. */
async function killedNothing(): Promise<void> {
  const alive = new Set(await passing(await bench.plain(arch), await bench.tested(arch)));
  const checks = alive.size;
  let tried = 0;
  const killed = (failing: readonly string[] = []): void => {
    for (const name of failing) alive.delete(name);
    const said = `${++tried} mutants, ${alive.size} of ${checks} checks have not failed yet`;
    if (values.verbose) console.log(said);
    progress(said);
  };
  const all = shuffled(await mutants(), Number(values.seed));
  const core = all.filter(({ kind }) => kind === 'core');
  const broad = core.map(({ task }) => () => ({ ...task, checks: [...alive] }));
  await inThreads(here, broad, Number(values.jobs), LIMIT, (_, { failing }) => killed(failing));
  // Whoever is left is tried with mutants that aim at it, and last with some that do not.
  const tables = all.filter(({ kind }) => kind !== 'core');
  const aims = ({ first }: Mutant, name: string): boolean =>
    first.some((group) => name.includes(group) || name.startsWith(`${group}/`));
  for (const name of [...alive]) {
    for (const one of tables.filter((mutant) => aims(mutant, name)).slice(0, AIMED)) {
      if (!alive.has(name)) break;
      killed((await bench.do({ ...one.task, checks: [...alive].filter((other) => aims(one, other)) })).failing);
    }
  }
  for (const { task } of alive.size === 0 ? [] : tables.slice(0, TRIES)) {
    killed((await bench.do({ ...task, checks: [...alive] })).failing);
  }
  progress('');
  for (const name of alive) console.log(`never failed  ${name}`);
  console.log(`${arch}: ${checks - alive.size} of ${checks} checks fail for at least one of ${tried} mutants`);
  process.exitCode = alive.size === 0 ? 0 : 1;
}

if (isMainThread) await (values.checks ? killedNothing() : caughtBy());
else {
  let told = 0;
  const alive = (): void => {
    if (performance.now() - told < SIGN) return;
    told = performance.now();
    parentPort?.postMessage('alive');
  };
  parentPort?.on('message', (task: Task) => {
    bench.do(task, alive).then(
      (answer) => parentPort?.postMessage([answer]),
      (error: Error) => parentPort?.postMessage([undefined, error.stack]),
    );
  });
}
