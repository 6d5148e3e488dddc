/** A seeded share of `npm run mutants`: slips in core's rules and in the tables are caught by the conformance suite; those that are not have a reason. */
import { describe, expect, it } from 'vitest';
import { changed } from '../scripts/mutants/build.ts';
import { CORE } from '../scripts/mutants/core.ts';
import { EXPLAINED } from '../scripts/mutants/explained.ts';
import { sample } from '../scripts/mutants/sample.ts';
import { Bench, type Task } from '../scripts/mutants/work.ts';
import { root } from './countervisor.ts';

const SEED = 20;
const LONG = { timeout: 600_000 };
const bench = new Bench(root);
const arch = 'arm64';

const told = (what: string): string | undefined =>
  EXPLAINED.find((one) => one.what.test(what) && (one.arch ?? arch) === arch)?.why;

/** Those that nobody catches and nobody explains. */
async function survivors(some: readonly { readonly what: string; readonly task: Task }[]): Promise<string[]> {
  const found: string[] = [];
  for (const { what, task } of some) {
    if (told(what) === undefined && (await bench.do(task)).by === undefined) found.push(what);
  }
  return found;
}

describe('mutants of core', () => {
  it('each says one line otherwise, that stands there once', () => {
    for (const mutant of CORE) expect(changed(root, mutant).text).not.toBe('');
    const names = CORE.map(({ file, what }) => `${file}: ${what}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it(`a few of them are caught (seed ${SEED})`, LONG, async () => {
    const all = CORE.map(({ file, what }, core) => ({
      kind: file,
      what: `${file}: ${what}`,
      task: { arch, mutant: { core } },
    }));
    expect(await survivors(sample(all, 6, SEED))).toEqual([]);
  });
});

describe('mutants of the tables', () => {
  it(`a few of arm64's, of every kind another, are caught (seed ${SEED})`, LONG, async () => {
    const tables = await bench.tables(arch);
    expect(tables.length).toBeGreaterThan(1000);
    const all = tables.map(({ kind, what }, table) => ({ kind, what, task: { arch, mutant: { table } } }));
    expect(await survivors(sample(all, 8, SEED))).toEqual([]);
  });

  it('an explanation is about a mutant that there is', async () => {
    const names = [
      ...CORE.map(({ file, what }) => `${file}: ${what}`),
      ...(await bench.tables(arch)).map(({ what }) => what),
    ];
    const idle = EXPLAINED.filter((one) => (one.arch ?? arch) === arch && !names.some((name) => one.what.test(name)));
    expect(idle).toEqual([]);
  });
});
