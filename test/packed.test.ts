/** What a user installs: every published package, packed, laid out as npm would, and loaded both ways. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
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
      // npm puts a version that others do not share beside the package itself.
      const apart = join(root, 'packages', folder, 'node_modules', dependency);
      const there = existsSync(apart) ? apart : join(root, 'node_modules', dependency);
      symlinkSync(there, join(modules, dependency), 'dir');
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

describe('the conformance kit, packed, in an empty project', () => {
  const proof = `
    const { checks } = await runConformance(arm64, conformance, { groups: ['hypercalls', 'counting/ten-nops'] });
    const bad = checks.filter(({ result }) => result.verdict !== 'pass');
    console.log(checks.length > 20, JSON.stringify(bad), matrix(checks).get('hypercalls').pass > 20);
  `;

  it('proves arm64 as an ES module', () => {
    const imports = `
      import { matrix, runConformance } from '@countervisor/conformance';
      import { arm64, conformance } from '@countervisor/arm64';
    `;
    expect(node('--input-type=module', '-e', imports + proof)).toBe('true [] true\n');
  });

  it('proves arm64 by require', () => {
    const requires = `
      const { matrix, runConformance } = require('@countervisor/conformance');
      const { arm64, conformance } = require('@countervisor/arm64');
    `;
    expect(node('-e', `${requires} (async () => {${proof}})();`)).toBe('true [] true\n');
  });

  it('proves arm64 by the command', () => {
    const bin = join(modules, 'countervisor', 'bin', 'countervisor.js');
    const out = node(bin, 'conformance', 'arm64', '-g', 'hypercalls', '--strict');
    expect(out).toMatch(/^arm64 on emulator\n +pass +fail +absent\nhypercalls +\d\d +0 +0\n/);
  });
});
