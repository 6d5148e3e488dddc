/** SYS operations: names and encodings against the assembler, TLB invalidation, AT against PAR_EL1 put together by hand. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mask } from '@countervisor/contract';
import { describeWith } from '@countervisor/house/needs';
import { describe, expect, it } from 'vitest';
import { generic } from '../address.ts';
import { Board, type FakeVcpu } from '../testing/board.ts';
import { gic } from './gic.ts';
import type { Rows } from './row.ts';
import { system } from './system.ts';
import { timer } from './timer.ts';

const RAM = 0x4000_0000n;
const rows = Object.entries({ ...system, ...timer, ...gic });

describe('rows', () => {
  it.each(rows)('%s describes each of its bits once', (_name, row) => {
    let covered = 0n;
    for (const { bits } of Object.values(row.fields)) {
      expect(covered & mask(bits)).toBe(0n);
      covered |= mask(bits);
    }
    expect(covered).toBe((1n << BigInt(row.width)) - 1n);
  });
});

describe('TLBI', () => {
  const told = (name: string): readonly number[] => {
    const made = new Board({ vcpus: 3 });
    made.cpu(1).write(name, 0n);
    return made.vcpus.map((cpu) => cpu.told.filter((what) => what === 'translation').length);
  };
  const names = Object.keys(system).filter((name) => name.startsWith('TLBI_'));
  it('has six of each reach', () => expect(names.length).toBe(12));
  it.each(names)('%s reaches whom it says', (name) => {
    expect(told(name)).toEqual(name.endsWith('IS') ? [1, 1, 1] : [0, 1, 0]);
  });
});

describe('cache operations', () => {
  it('change nothing', () => {
    const cpu = new Board().cpu();
    for (const name of Object.keys(system).filter((n) => /^[ID]C_/.test(n))) cpu.write(name, RAM);
    expect([...cpu.stored.keys(), ...cpu.told]).toEqual([]);
  });
  it('EL0 may execute those by address that SCTLR_EL1 opens to it, and no others', () => {
    const open = Object.entries(system).filter(([, row]) => row.write === 'el0' && row.at !== undefined);
    expect(Object.fromEntries(open.map(([name, row]) => [name, row.traps]))).toEqual({
      IC_IVAU: ['UCI'],
      DC_CVAC: ['UCI'],
      DC_CVAU: ['UCI'],
      DC_CVAP: ['UCI'],
      DC_CIVAC: ['UCI'],
      DC_ZVA: ['DZE'],
    });
  });
});

describe('AT', () => {
  /** One level-2 start table at RAM: 25 bits, blocks of 2 MiB. */
  function at(entry: bigint, registers: Readonly<Record<string, bigint>> = {}): FakeVcpu {
    const made = new Board();
    made.word(RAM + 8n, entry);
    return made.cpu().put({
      SCTLR_EL1: 1n,
      TCR_EL1: 39n | (5n << 32n),
      TTBR0_EL1: RAM,
      // 0: Device-nGnRE, 1: Normal write-back, 2: Normal non-cacheable.
      MAIR_EL1: 0x44_ff04n,
      PAR_EL1: 0xdeadn,
      ...registers,
    });
  }
  const VA = (1n << 21n) | 0x12_3456n;
  const BLOCK = (attribute: bigint, more: bigint): bigint => 0x8020_0000n | 1n | (1n << 10n) | (attribute << 2n) | more;
  const INNER = 3n << 8n;
  const USER = 1n << 6n;
  const READONLY = 1n << 7n;

  it.each([
    // ATTR in 63:56, PA[47:12], bit 11, SH in 8:7.
    ['normal, inner shareable', BLOCK(1n, INNER), 0xff00_0000_8032_3980n],
    ['normal, not shareable', BLOCK(1n, 0n), 0xff00_0000_8032_3800n],
    ['device memory is outer shareable', BLOCK(0n, INNER), 0x0400_0000_8032_3900n],
    ['so is what is not cacheable', BLOCK(2n, INNER), 0x4400_0000_8032_3900n],
  ] as const)('finds %s', (_name, entry, par) => {
    const cpu = at(entry);
    cpu.write('AT_S1E1R', VA);
    expect(cpu.get('PAR_EL1')).toBe(par);
  });

  it('asks with the rights of its level and direction', () => {
    const failed = (cpu: FakeVcpu, name: string): bigint => {
      cpu.write(name, VA);
      return cpu.get('PAR_EL1') & 1n;
    };
    const names = ['AT_S1E1R', 'AT_S1E1W', 'AT_S1E0R', 'AT_S1E0W'];
    const all = (entry: bigint): readonly bigint[] => names.map((name) => failed(at(entry, { PAN: 1n }), name));
    expect(all(BLOCK(1n, 0n))).toEqual([0n, 0n, 1n, 1n]);
    expect(all(BLOCK(1n, USER))).toEqual([0n, 0n, 0n, 0n]);
    expect(all(BLOCK(1n, READONLY))).toEqual([0n, 1n, 1n, 1n]);
    expect(all(BLOCK(1n, READONLY | USER))).toEqual([0n, 1n, 0n, 1n]);
  });

  it.each([
    // F, FST in 6:1, bit 11: permission level 2 is 0b001110, translation 0b000110, access flag 0b001010.
    ['permission', BLOCK(1n, READONLY), 0x81dn],
    ['translation', 0n, 0x80dn],
    ['access flag', BLOCK(1n, 0n) & ~(1n << 10n), 0x815n],
  ] as const)('reports a %s fault', (_name, entry, par) => {
    const cpu = at(entry);
    cpu.write('AT_S1E1W', VA);
    expect(cpu.get('PAR_EL1')).toBe(par);
  });

  it('reports an external abort on the walk', () => {
    const cpu = at(0n, { TTBR0_EL1: 0x1000n });
    cpu.write('AT_S1E1R', VA);
    // 0b010110.
    expect(cpu.get('PAR_EL1')).toBe(0x82dn);
  });

  it('with translation off is the address itself, device memory', () => {
    const cpu = at(0n, { SCTLR_EL1: 0n });
    cpu.write('AT_S1E0W', 0x1234_5678n);
    expect(cpu.get('PAR_EL1')).toBe(0x1234_5900n);
  });
});

describeWith(['as'], 'the assembler', () => {
  function assemble(lines: readonly string[]): readonly number[] {
    const folder = mkdtempSync(join(tmpdir(), 'countervisor-as-'));
    try {
      const path = (name: string): string => join(folder, name);
      writeFileSync(path('a.s'), `.arch armv8.2-a\n${lines.join('\n')}\n`);
      execFileSync('aarch64-linux-gnu-as', ['-o', path('a.o'), path('a.s')], { stdio: ['ignore', 'pipe', 'pipe'] });
      execFileSync('aarch64-linux-gnu-objcopy', ['-O', 'binary', '-j', '.text', path('a.o'), path('a.bin')]);
      const bytes = readFileSync(path('a.bin'));
      return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  /** Op0 to op2 as an instruction has them. */
  const index = (word: number): number => (word >>> 5) & 0xffff;
  const WITHOUT_ADDRESS = /VMALL|IALLU/;

  it('encodes every operation as its row does', () => {
    const operations = Object.entries(system).filter(([, row]) => row.at !== undefined);
    const lines = operations.map(([name]) => {
      const [mnemonic, operation] = name.split('_');
      return `${mnemonic} ${operation}${WITHOUT_ADDRESS.test(name) ? '' : ', x0'}`;
    });
    const words = assemble(lines);
    expect(words.length).toBe(operations.length);
    words.forEach((word, i) => {
      const [name, row] = operations[i] as (typeof operations)[number];
      expect([name, generic(index(word))]).toEqual([name, generic(row.at?.index ?? 0)]);
    });
  });

  it.each([
    ['timer', timer],
    ['GIC', gic],
  ] as readonly (readonly [string, Rows])[])('encodes every %s register as its row does', (_name, table) => {
    const addressed = Object.entries(table).filter(([, row]) => row.at !== undefined);
    expect(addressed.length).toBeGreaterThan(8);
    const words = assemble(
      addressed.map(([name, row]) => (row.read === 'never' ? `msr ${name}, x0` : `mrs x0, ${name}`)),
    );
    words.forEach((word, i) => {
      const [name, row] = addressed[i] as (typeof addressed)[number];
      expect([name, generic(index(word) | 0x8000)]).toEqual([name, generic(row.at?.index ?? 0)]);
    });
  });
});
