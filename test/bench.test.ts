/** The benchmark's own parts: what its kernels compute, what it sends to QEMU, and its arithmetic. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { imageBytes, imageFile, KERNELS, Marks } from '../scripts/bench/kernels.ts';
import { flat } from '../scripts/bench/qemu.ts';
import { compare, geometricMean, spread, text } from '../scripts/bench/report.ts';
import { describeWith } from './needs.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const bench = (...argv: string[]) =>
  spawnSync(process.execPath, ['scripts/source.mjs', 'scripts/bench.ts', ...argv], { cwd: root, encoding: 'utf8' });

describe('kernels', () => {
  it.each([
    ['crc', 'd660af09', 'zlib.crc32 of the 65,536 bytes 7 i + 3'],
    ['sieve', (78_498).toString(16), 'primes below a million'],
    ['fib', (196_418).toString(16), 'the 27th Fibonacci number'],
  ])('%s computes %s: %s', (kernel, result) => {
    for (const mmu of [[], ['--mmu']]) {
      for (const engine of ['translator', 'stepper']) {
        const { stdout, stderr } = bench('--own', engine, kernel, '1', ...mmu);
        expect(stderr).toBe('');
        expect(JSON.parse(stdout)).toMatchObject({ repeat: 1, result });
      }
    }
  });

  it('prints its marks in pieces of any length', () => {
    const printed = 'S\nE 2ff42\n\nEXIT: STATUS=1\n';
    const marks = new Marks();
    const seen = [...printed].map((c) => marks.add(c));
    expect(seen.findIndex(({ started }) => started)).toBe(0);
    expect(seen.findIndex(({ ended }) => ended)).toBe(printed.indexOf('E'));
    expect(seen.findIndex(({ result }) => result !== undefined)).toBe(printed.indexOf('\n', 3));
    expect(new Marks().add(printed).result).toBe('2ff42');
  });
});

describeWith(['as'], 'flat images', () => {
  it.each(KERNELS)('%s is what objcopy makes of it', (kernel) => {
    const folder = mkdtempSync(join(tmpdir(), 'countervisor-'));
    try {
      const out = join(folder, kernel);
      execFileSync('aarch64-linux-gnu-objcopy', ['-O', 'binary', join(root, imageFile(kernel)), out]);
      expect(Buffer.compare(flat(imageBytes(kernel)), readFileSync(out))).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('figures', () => {
  it('median of an odd and of an even number of rounds', () => {
    expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
    expect(spread([4, 1, 3, 2])).toEqual({ min: 1, median: 2.5, max: 4 });
  });

  it('ratios are taken within a round', () => {
    const a = {
      name: 'a',
      mips: new Map([
        ['x', [10, 40]],
        ['y', [8, 8]],
      ]),
    };
    const b = {
      name: 'b',
      mips: new Map([
        ['x', [20, 160]],
        ['y', [1, 1]],
      ]),
    };
    const c = compare(a, b, ['x', 'y']);
    expect(c.kernels.x).toEqual({ min: 0.25, median: 0.375, max: 0.5 });
    expect(c.geometricMean).toBeCloseTo(Math.sqrt(0.375 * 8), 12);
    expect(geometricMean([1, 4, 16])).toBeCloseTo(4, 12);
    expect(text([a, b], [c], ['x', 'y'])).toContain('a / b');
  });
});

describe('usage', () => {
  it.each([
    [['--rounds', '0'], 'whole number'],
    [['--kernel', 'nap'], "no kernel 'nap'"],
    [['--fast'], '--fast'],
  ])('%j is refused with the options', (argv, words) => {
    const { status, stderr } = bench(...argv);
    expect(status).toBe(2);
    expect(stderr).toContain(words);
    expect(stderr).toContain('npm run bench -- [options]');
  });
});
