/** Every row of every table: bits described once, names that resolve, and the assembler's own encodings. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mask } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { generic } from '../address.ts';
import { switching } from '../switching.ts';
import { Fake, tables } from '../testing/view.ts';
import { causes, trapGroups } from '../traps.ts';

const rows = Object.entries(tables);

describe('register rows', () => {
  it.each(rows)('%s describes each of its bits once', (_name, row) => {
    let covered = 0n;
    for (const { bits } of Object.values(row.fields)) {
      expect(covered & mask(bits)).toBe(0n);
      covered |= mask(bits);
    }
    expect(covered).toBe((1n << BigInt(row.width)) - 1n);
  });

  it('have one address each', () => {
    const addresses = rows.flatMap(([, row]) => (row.at === undefined ? [] : [row.at.index]));
    expect(new Set(addresses).size).toBe(addresses.length);
  });

  it('name groups that exist, groups name causes that exist and fields that exist', () => {
    for (const [, row] of rows) for (const group of row.traps ?? []) expect(Object.keys(trapGroups)).toContain(group);
    for (const group of Object.values(trapGroups)) {
      expect(Object.keys(causes)).toContain(group.cause);
      if (typeof group.when !== 'function' && 'register' in group.when) {
        expect(Object.keys(tables[group.when.register]?.fields ?? {})).toContain(group.when.field);
      }
    }
  });

  it('every group is named by a row, but those of tables beside these', () => {
    const named = new Set(rows.flatMap(([, row]) => row.traps ?? []));
    const elsewhere = ['UCI', 'DZE'];
    expect(Object.keys(trapGroups).filter((name) => !named.has(name) && !elsewhere.includes(name))).toEqual([]);
  });

  it('resolve in every window, derivation and mask, on every model', () => {
    for (const cpu of ['cortex-a57', 'cortex-a72', 'cortex-a76', 'neoverse-n1', 'neoverse-v1', 'neoverse-n2', 'max']) {
      const view = new Fake({ cpu });
      for (const [name, row] of rows) {
        if (row.derive !== undefined) expect(row.derive(view.vcpu), name).toBeTypeOf('bigint');
        for (let sel = 0; sel < 32 && row.view !== undefined; sel++) {
          view.set('PMSELR_EL0', BigInt(sel));
          const target = row.view(view.vcpu);
          if (target !== 'undefined') expect(tables[target], `${name} to ${target}`).toBeDefined();
        }
        row.implemented?.(view.vcpu);
      }
    }
  });

  it('the switch names stored registers alone', () => {
    for (const name of [...switching.controls, ...switching.counters, ...switching.freeze.map(([n]) => n)]) {
      expect(tables[name], name).toBeDefined();
      expect(tables[name]?.view, name).toBeUndefined();
      expect(tables[name]?.derive, name).toBeUndefined();
    }
  });
});

/** Rows whose name is ours, and why. */
const OUR_NAMES: Readonly<Record<string, string>> = {
  PAN_BY_ADDRESS: 'pan', // PAN is the state itself
};
/** Names newer than this binutils, or reserved space: the generic form is all there is. */
const NAMELESS = /^S3_|^ID_AA64(PFR2|FPFR0|DFR2|ISAR3|MMFR3|MMFR4)_EL1$/;

const AS = 'aarch64-linux-gnu-as';
const present = spawnSync(AS, ['--version']).status === 0;
const required = process.env.CV_REQUIRE?.split(',').includes('as') === true;

describe.skipIf(!present && !required)('the assembler', () => {
  const addressed = rows.flatMap(([name, row]) => (row.at === undefined ? [] : [{ name, row, index: row.at.index }]));

  /** Words of a listing's instructions. */
  function assemble(lines: readonly string[]): number[] {
    const folder = mkdtempSync(join(tmpdir(), 'countervisor-as-'));
    try {
      writeFileSync(join(folder, 'a.s'), `.arch armv8.7-a+memtag+sve+sme+rng+profile\n${lines.join('\n')}\n`);
      execFileSync(AS, ['-o', join(folder, 'a.o'), join(folder, 'a.s')], { stdio: ['ignore', 'pipe', 'pipe'] });
      execFileSync('aarch64-linux-gnu-objcopy', [
        '-O',
        'binary',
        '-j',
        '.text',
        join(folder, 'a.o'),
        join(folder, 'a.bin'),
      ]);
      const bytes = execFileSync('cat', [join(folder, 'a.bin')]);
      return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  const index = (word: number): number => ((word >>> 5) & 0x7fff) | 0x8000;

  it('encodes every name as its row does', () => {
    const read = addressed.filter(({ row }) => row.read !== 'never');
    const written = addressed.filter(({ row }) => row.write !== 'never');
    const named = (name: string, at: number): string => OUR_NAMES[name] ?? (NAMELESS.test(name) ? generic(at) : name);
    const words = assemble([
      ...read.map(({ name, index: at }) => `mrs x0, ${named(name, at)}`),
      ...written.map(({ name, index: at }) => `msr ${named(name, at)}, x0`),
    ]);
    expect(words.length).toBe(read.length + written.length);
    words.forEach((word, i) => {
      const { name, index: at } = [...read, ...written][i] as (typeof addressed)[number];
      expect([name, index(word)]).toEqual([name, at]);
      // Bit 21 is the direction.
      expect((word >>> 21) & 1).toBe(i < read.length ? 1 : 0);
    });
  });

  it('knows no name of those given in the generic form', () => {
    const nameless = addressed.filter(({ name }) => NAMELESS.test(name) && !name.startsWith('S3_'));
    for (const { name } of nameless) expect(() => assemble([`mrs x0, ${name}`]), name).toThrow();
  });
});
