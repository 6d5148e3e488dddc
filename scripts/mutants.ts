/**
 * `npm run mutants`: does the conformance suite catch a slip? Single mutants of arm64's tables and of core's rules, chosen by a seed, each run against
 * the suite until a check fails. Prints what was caught, by kind, and every survivor. `--seed N --count N --only KIND --core-only --tables-only`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { arm64, conformance } from '@countervisor/arm64';
import { chosen, emulator, perform, SUITES, setupOf, subject } from '@countervisor/conformance';
import type { Arch, Conformance } from '@countervisor/contract';
import { build } from 'esbuild';
import { CORE, type CoreMutant } from './mutants/core.ts';
import { type TableMutant, tableMutants } from './mutants/tables.ts';

interface Verdict {
  readonly kind: string;
  readonly what: string;
  /** The check, or the refusal at load, that caught it. */
  readonly by: string | undefined;
}

/** What runs a mutant: the kit, built with or without a change of core. */
interface Kit {
  readonly chosen: typeof chosen;
  readonly emulator: typeof emulator;
  readonly perform: typeof perform;
}

/** The first check that fails. Those named first come first, then everything else, in the order of the suites. */
async function caught(kit: Kit, arch: Arch, own: Conformance, first: readonly string[]): Promise<string | undefined> {
  let target: ReturnType<typeof emulator>;
  try {
    target = kit.emulator(arch);
  } catch (error) {
    return `refused at load: ${(error as Error).message.split('\n')[0]}`;
  }
  const usual = setupOf(subject(arch, own).facts);
  const early = first.length === 0 ? [] : kit.chosen(arch, own, { groups: first });
  const done = new Set(early.map(({ suite, name }) => `${suite}/${name}`));
  const late = kit.chosen(arch, own).filter(({ suite, name }) => !done.has(`${suite}/${name}`));
  for (const check of [...early, ...late]) {
    const result = await kit.perform(check, target, usual);
    if (result.verdict === 'fail') return `${check.suite}/${check.name}`;
  }
  return undefined;
}

/** Numbers that are the same for the same seed: xorshift32. */
function shuffled<T>(list: readonly T[], seed: number): T[] {
  let state = seed >>> 0 || 1;
  const below = (n: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % n;
  };
  const all = [...list];
  for (let n = all.length - 1; n > 0; n--) {
    const other = below(n + 1);
    [all[n], all[other]] = [all[other] as T, all[n] as T];
  }
  return all;
}

/** As many of each kind as of every other, as far as they go. */
function sample(all: readonly TableMutant[], count: number, seed: number): TableMutant[] {
  const kinds = new Map<string, TableMutant[]>();
  for (const one of shuffled(all, seed)) kinds.set(one.kind, [...(kinds.get(one.kind) ?? []), one]);
  const picked: TableMutant[] = [];
  for (let round = 0; picked.length < Math.min(count, all.length); round++) {
    for (const some of kinds.values()) {
      const one = some[round];
      if (one !== undefined && picked.length < count) picked.push(one);
    }
  }
  return picked;
}

const root = process.cwd();

/** The kit with one line of core said otherwise. */
async function mutated({ file, find, replace }: CoreMutant): Promise<{ kit: Kit; arch: Arch; own: Conformance }> {
  const path = join(root, 'packages/core/src', file);
  const source = readFileSync(path, 'utf8');
  if (source.split(find).length !== 2)
    throw new Error(`${file}: this stands there ${source.split(find).length - 1} times: ${find}`);
  const changed = source.replace(find, () => replace);
  const entry = `export * from '@countervisor/conformance'; export { arm64, conformance as kit } from '@countervisor/arm64';`;
  const bundle = await build({
    stdin: { contents: entry, resolveDir: root, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    conditions: ['countervisor-source'],
    logLevel: 'error',
    plugins: [
      {
        name: 'mutant',
        setup({ onLoad }) {
          onLoad({ filter: /\.ts$/ }, ({ path: loaded }) =>
            loaded === path ? { contents: changed, loader: 'ts' } : undefined,
          );
        },
      },
    ],
  });
  const code = (bundle.outputFiles[0] as { text: string }).text;
  const module = await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);
  return { kit: module as Kit, arch: module.arm64 as Arch, own: module.kit as Conformance };
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '300' },
    only: { type: 'string' },
    'core-only': { type: 'boolean', default: false },
    'tables-only': { type: 'boolean', default: false },
  },
});

const verdicts: Verdict[] = [];
const tell = (verdict: Verdict): void => {
  verdicts.push(verdict);
  if (verdict.by === undefined) console.log(`survived  ${verdict.kind}: ${verdict.what}`);
};

const arch = arm64 as Arch;
if (!values['tables-only']) {
  for (const mutant of CORE) {
    const { kit, arch: own, own: facts } = await mutated(mutant);
    tell({ kind: 'core', what: `${mutant.file}: ${mutant.what}`, by: await caught(kit, own, facts, mutant.first) });
  }
}
if (!values['core-only']) {
  const told = new Set(Object.keys(subject(arch, conformance).facts.registers));
  const all = tableMutants(arch, told).filter(({ kind }) => values.only === undefined || kind === values.only);
  console.log(
    `${all.length} single mutants of the tables of ${arch.name}; ${values.count} of them, seed ${values.seed}`,
  );
  for (const { kind, what, first, make } of sample(all, Number(values.count), Number(values.seed))) {
    tell({ kind, what, by: await caught({ chosen, emulator, perform }, make(), conformance, first) });
  }
}

const kinds = [...new Set(verdicts.map(({ kind }) => kind))];
for (const kind of kinds) {
  const own = verdicts.filter((verdict) => verdict.kind === kind);
  console.log(`${kind.padEnd(18)} ${own.filter(({ by }) => by !== undefined).length} of ${own.length}`);
}
const suites = SUITES.map((suite) => [suite, verdicts.filter(({ by }) => by?.startsWith(`${suite}/`)).length] as const);
console.log(
  `caught by: ${suites.map(([suite, n]) => `${suite} ${n}`).join(', ')}, load ${verdicts.filter(({ by }) => by?.startsWith('refused')).length}`,
);
const total = verdicts.filter(({ by }) => by !== undefined).length;
console.log(`${total} of ${verdicts.length} caught, ${((100 * total) / verdicts.length).toFixed(1)} %`);
process.exitCode = total / verdicts.length >= 0.97 ? 0 : 1;
