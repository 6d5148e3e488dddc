/**
 * A third party's packages: contract, core and arm64 from their tarballs, in a project outside the repository, with two packages of some forty lines that
 * extend arm64. Their register, trap, handler, hooks, service and personality work for a guest, in both orders; what does not fit is refused by name.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, spawned } from './countervisor.ts';

const FIXTURES = join(root, 'test/fixtures/extensions');
const PACKAGES = ['trace-unit', 'guard'] as const;

interface Result {
  readonly refused?: string;
  readonly ended: readonly string[];
  readonly x10: string;
  readonly x11: string;
  readonly x12: string;
  readonly x13: string;
  readonly events: readonly string[];
  readonly switches: readonly (readonly string[])[];
  readonly exits: readonly string[];
}

let site: string;

beforeAll(() => {
  site = mkdtempSync(join(tmpdir(), 'countervisor-extension-'));
  const tarballs = ['contract', 'core', 'arm64'].map((folder) => {
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', site];
    const told = execFileSync('npm', pack, {
      cwd: join(root, 'packages', folder),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return `./${(JSON.parse(told) as [{ filename: string }])[0].filename}`;
  });
  for (const name of PACKAGES) cpSync(join(FIXTURES, name), join(site, name), { recursive: true });
  cpSync(join(FIXTURES, 'run.mjs'), join(site, 'run.mjs'));
  writeFileSync(join(site, 'package.json'), JSON.stringify({ name: 'site', private: true, type: 'module' }));
  // Copies, as from a registry, and nothing that is not in the tarballs: no network is asked.
  const install = ['install', '--offline', '--no-audit', '--no-fund', '--install-links', ...tarballs];
  execFileSync('npm', [...install, ...PACKAGES.map((name) => `./${name}`)], { cwd: site, stdio: 'pipe' });
}, 120_000);

afterAll(() => {
  rmSync(site, { recursive: true, force: true });
});

interface Asked {
  readonly extensions: readonly string[];
  readonly personality?: string;
  readonly policy?: string;
  readonly also?: object;
}
const run = (asked: Asked): Result =>
  JSON.parse(
    execFileSync(process.execPath, ['run.mjs', JSON.stringify(asked)], { cwd: site, encoding: 'utf8' }),
  ) as Result;

const NOT_SUPPORTED = '0xffffffffffffffff';

describe('two packages of a third party', () => {
  it('are of some forty lines each', () => {
    for (const name of PACKAGES) {
      const lines = readFileSync(join(FIXTURES, name, 'index.js'), 'utf8')
        .trimEnd()
        .split('\n');
      expect(lines.length, name).toBeLessThanOrEqual(55);
    }
  });

  it("one: a guest's register, without a trap under plain", () => {
    const one = run({ extensions: ['trace-unit'] });
    expect(one.refused).toBe(undefined);
    expect(one.ended).toEqual(['poweroff', 'poweroff']);
    // EN, and COME: the hook of its first switch has counted.
    expect(one.x10).toBe('0x3');
    expect(one.events[0]).toBe('IMP_TRACE_EL1 direct: no trap is armed');
    expect(one.x11).toMatch(/1$/);
    // 10 instructions a slice, and two domains in turn: it has come several times by the 45th.
    expect(Number(one.x12)).toBeGreaterThan(0x7);
    expect(one.x13).toBe(NOT_SUPPORTED);
  });

  it('its personality: the same register traps, and its handler keeps the write', () => {
    const one = run({ extensions: ['trace-unit'], personality: 'tracer' });
    expect(one.events[0]).toBe('IMP_TRACE_EL1 trapped: TRACE (tracer); the tracer keeps its setting');
    expect(one.x10).toBe('0x2');
    expect(one.exits).toContain('trace');
  });

  it('the other one: a register of the architecture that it guards, and a hypercall', () => {
    const other = run({ extensions: ['guard'], policy: 'switched' });
    expect(other.events).toEqual([
      'IMP_GUARD_EL1 direct: no trap is armed',
      'PMCR_EL0 trapped: GUARD (IMP_GUARD_EL1.ON); guarded',
    ]);
    expect(other.ended).toEqual(['poweroff', 'poweroff']);
    expect(other.exits).toContain('guard');
    // PMCR_EL0.E was written, and lost; without the guard it is there.
    const e = (result: Result): bigint => BigInt(result.x11) & 1n;
    expect([e(other), e(run({ extensions: ['trace-unit'], policy: 'switched' }))]).toEqual([0n, 1n]);
    expect(Number(other.x13) & 1).toBe(1);
    expect(Number(other.x13)).toBeGreaterThan(1);
  });

  it.each([[PACKAGES], [[...PACKAGES].reverse()]])(
    'both, in the order %s: hooks in this order, and back',
    (extensions) => {
      const both = run({ extensions });
      expect(both.ended).toEqual(['poweroff', 'poweroff']);
      expect([both.x10, Number(both.x13) & 1]).toEqual(['0x3', 1]);
      const [first] = both.switches;
      expect(first).toEqual(['idle', 'a', 'contextSwitchTo trace-unit']);
      expect(both.switches[1]).toEqual(['a', 'b', 'contextSwitchFrom guard', 'contextSwitchTo trace-unit']);
      expect(both.switches.at(-1)).toEqual(['b', 'idle', 'contextSwitchFrom guard']);
    },
  );

  it.each([[PACKAGES], [[...PACKAGES].reverse()]])('a third one stands where it is stated, after %s', (extensions) => {
    const third = { name: 'third', switching: { because: 'A test.' } };
    const { refused } = run({ extensions, also: third });
    expect(refused).toContain(`arm64 with ${extensions.join(' and ')} and third is refused: one problem`);
    expect(refused).toContain(
      'extensions.third.switching is an object; it must be registers that travel, writes or hooks.',
    );
  });

  it('what both declare is refused with both names, all of it at once', () => {
    const row = { width: 64, reset: '0', read: 'el1', write: 'el1', fields: {} };
    const registers = {
      IMP_TRACE_EL1: row,
      IMP_MINE_EL1: { ...row, at: { space: 'sysreg', index: (3 << 14) | (15 << 7) | (3 << 3) } },
    };
    const { refused } = run({ extensions: PACKAGES, also: { name: 'mine', registers, after: ['gard'] } });
    for (const sentence of [
      'mine must come behind gard, which is not there.\n    Did you mean guard?',
      'mine and trace-unit both declare the register IMP_TRACE_EL1.',
      'IMP_MINE_EL1 (mine) and IMP_GUARD_EL1 (guard) are both at sysreg 0xc798, and a CPU can have both.',
      'registers.IMP_MINE_EL1.reset of mine',
    ]) {
      expect(refused).toContain(sentence);
    }
  });
});

describe('from the command line', () => {
  const image = join(root, 'guests/arm64/images/hello.elf');

  it('--extension takes the installed package, or its path', () => {
    const list = (...what: string[]): string => {
      const { code, out, err } = spawned(['list', 'personalities', ...what.flatMap((w) => ['--extension', w])], site);
      expect([code, err]).toEqual([0, '']);
      return out;
    };
    expect(list()).not.toContain('tracer');
    for (const what of ['trace-unit', './trace-unit', './trace-unit/index.js']) expect(list(what)).toMatch(/^tracer /m);
  });

  it('and a guest runs on the extended machine', () => {
    const flags = ['--extension', 'trace-unit', '--extension', './guard', '--personality', 'tracer'];
    const { code, out } = spawned(['run', image, ...flags], site);
    expect(code).toBe(0);
    expect(out).toContain('hello');
    const trace = spawned(['trace', image, ...flags, '--log', 'switch', '--limit', '1'], site);
    expect(trace.out).toContain('contextSwitchTo trace-unit');
  });

  it('refuses what does not fit, and says what to do', () => {
    const twice = spawned(['run', image, '--extension', 'guard', '--extension', './guard'], site);
    expect([twice.code, twice.out]).toEqual([5, '']);
    expect(twice.err).toContain('guard is composed twice.');
    const nothing = spawned(['run', image, '--extension', 'gaurd'], site);
    expect(nothing.code).toBe(2);
    expect(nothing.err).toContain(
      "--extension finds no package 'gaurd'.\n  npm install gaurd, or write its path: ./gaurd",
    );
    const other = spawned(['run', image, '--extension', './node_modules/@countervisor/arm64'], site);
    expect(other.err).toContain('is no package of an extension.');
  });
});

describe('types, as a user installs them', () => {
  it('the two packages are sound, and a misspelt level is not', () => {
    const tsc = (...files: string[]): string => {
      const flags = ['--noEmit', '--checkJs', '--allowJs', '--strict', '--target', 'es2022', '--module', 'nodenext'];
      try {
        execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...flags, ...files], {
          cwd: site,
        });
        return '';
      } catch (error) {
        return String((error as { stdout: unknown }).stdout);
      }
    };
    expect(tsc(...PACKAGES.map((name) => `${name}/index.js`))).toBe('');
    const source = readFileSync(join(site, 'guard/index.js'), 'utf8').replace("read: 'el1'", "read: 'el7'");
    writeFileSync(join(site, 'guard/wrong.js'), source);
    expect(tsc('guard/wrong.js')).toContain(`Type '"el7"' is not assignable to type`);
  });
});
