/** What a user installs: every published package, packed, laid out as npm would, and loaded both ways. */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Manifest {
  name: string;
  private?: boolean;
  dependencies?: Record<string, string>;
  exports: Record<string, string | Record<string, unknown>>;
}

const published = readdirSync(join(root, 'packages'))
  .map((folder) => ({
    folder,
    manifest: JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8')) as Manifest,
  }))
  .filter(({ manifest }) => manifest.private !== true);

/** Subpaths with code behind them; the others are files as they stand. */
const entriesOf = ({ exports }: Manifest): string[] =>
  Object.keys(exports).filter((key) => typeof exports[key] === 'object');

let site: string;
let modules: string;

function node(...args: string[]): string {
  return execFileSync(process.execPath, args, { cwd: site, encoding: 'utf8' });
}

beforeAll(() => {
  site = mkdtempSync(join(tmpdir(), 'countervisor-packed-'));
  modules = join(site, 'node_modules');
  writeFileSync(join(site, 'package.json'), '{}');
  for (const { folder, manifest } of published) {
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', site];
    const told = execFileSync('npm', pack, {
      cwd: join(root, 'packages', folder),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [{ filename }] = JSON.parse(told) as [{ filename: string }];
    execFileSync('tar', ['-xzf', filename], { cwd: site });
    const home = join(modules, manifest.name);
    mkdirSync(dirname(home), { recursive: true });
    renameSync(join(site, 'package'), home);
    for (const dependency of Object.keys(manifest.dependencies ?? {})) {
      if (published.some((other) => other.manifest.name === dependency)) continue;
      mkdirSync(dirname(join(modules, dependency)), { recursive: true });
      symlinkSync(join(root, 'node_modules', dependency), join(modules, dependency), 'dir');
    }
  }
}, 120_000);

afterAll(() => {
  rmSync(site, { recursive: true, force: true });
});

describe.each(published)('$manifest.name, packed', ({ folder, manifest }) => {
  it('holds its build, its licence and its readme, and no test', () => {
    const files = readdirSync(join(modules, manifest.name), { recursive: true }).map(String);
    const needed = ['LICENSE', 'README.md', 'package.json'];
    for (const subpath of entriesOf(manifest)) {
      const entry = subpath === '.' ? 'index' : subpath.slice(2);
      for (const extension of ['js', 'cjs', 'd.ts', 'd.cts', 'js.map', 'cjs.map'])
        needed.push(join('dist', `${entry}.${extension}`));
    }
    if (folder === 'cli') {
      needed.push(join('bin', 'countervisor.js'), join('dist', 'bin.js'), join('schemas', 'host.schema.json'));
    }
    expect(files).toEqual(expect.arrayContaining(needed));
    expect(files.filter((file) => /\.test\.|testing|tsconfig|\.tsbuildinfo/.test(file))).toEqual([]);
  });

  it('gives the same names to import and to require', () => {
    for (const subpath of entriesOf(manifest)) {
      const specifier = JSON.stringify(manifest.name + subpath.slice(1));
      const imported = node(
        '-e',
        `import(${specifier}).then((m) => console.log(JSON.stringify(Object.keys(m).sort())))`,
      );
      const required = node('-e', `console.log(JSON.stringify(Object.keys(require(${specifier})).sort()))`);
      expect(JSON.parse(required)).toEqual(JSON.parse(imported));
    }
  });
});
