/**
 * interrupts.S on QEMU and here: every line of the console the same, but for what QEMU does otherwise than the manual, each with its reason. QEMU boots a flat image at
 * 0 as firmware; here it is an ELF image at 0.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { boot, Machine } from '@countervisor/core';
import { afterAll, expect, it } from 'vitest';
import { ppc64 } from '../../../packages/ppc64/src/index.ts';
import { describeWith } from '../../needs.ts';

const SOURCE = fileURLToPath(new URL('interrupts.S', import.meta.url));
const CAPABILITIES = 'pseries,cap-htm=off,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off';

/** Where a case's values stand in its line. */
const [GROUP, VECTOR, SRR0, SRR1, DSISR, MSR, R3] = [1, 2, 3, 4, 5, 7, 8] as const;

interface Difference {
  readonly why: string;
  /** Groups of cases, as interrupts.S names them. */
  readonly groups: string;
  /** What QEMU and we print where they disagree; compared behind it. Undefined: this is another difference. */
  same(qemu: readonly string[], ours: readonly string[]): readonly [string[], string[]] | undefined;
}

const without = (fields: readonly string[], ...places: readonly number[]): string[] =>
  fields.map((field, n) => (places.includes(n) ? '-' : field));

const masked = (field: string | undefined, keep: bigint): string => (BigInt(`0x${field ?? '0'}`) & keep).toString(16);
const only = (fields: readonly string[], place: number, keep: bigint): string[] =>
  fields.map((field, n) => (n === place ? masked(field, keep) : field));

const DIFFERENCES: readonly Difference[] = [
  {
    why: 'SPR 0, 4, 5, 6 in supervisor state are illegal (mtspr: 0), and QEMU calls them privileged: book III, 4.4.4.',
    groups: 'rw',
    same: (q, o) =>
      q[VECTOR] === '700' && o[SRR1]?.endsWith('81000') === true ? [without(q, SRR1), without(o, SRR1)] : undefined,
  },
  {
    why: 'QEMU sets bits of DSISR where version 3.0 leaves it alone, and other bits than version 2.07 has. Ours: exceptions.test.ts.',
    groups: 'a',
    same: (q, o) => [without(q, DSISR), without(o, DSISR)],
  },
  {
    why: 'An unaligned store-conditional takes an alignment interrupt: book II, 4.6.2. QEMU fails it silently.',
    groups: 'c',
    same: (q, o) =>
      o[VECTOR] === '600' && q[VECTOR] === '0'
        ? [without(q, VECTOR, SRR0, SRR1, DSISR, 6), without(o, VECTOR, SRR0, SRR1, DSISR, 6)]
        : undefined,
  },
  {
    why: 'MSR[TM], MSR[TS] and MSR[POW] are hidden here.',
    groups: 'mi',
    same: (q, o) => [only(q, R3, ~0x7_0004_0000n), only(o, R3, ~0x7_0004_0000n)],
  },
  {
    why: 'rfid outside hypervisor state leaves MSR[ME] alone: book III, 3.3.1. QEMU takes it from SRR1. MSR[TM] and MSR[POW] as above.',
    groups: 'i',
    same: (q, o) => [without(only(q, R3, ~0x7_0004_1000n), MSR), without(only(o, R3, ~0x7_0004_1000n), MSR)],
  },
  {
    why: 'SRR1 of a trace interrupt says 0b10 in bits 33:34, and load or store: 2.07B, book III-S, 6.5.15. QEMU leaves these bits 0.',
    groups: 't',
    same: (q, o) => [only(q, SRR1, ~0x5800_0000n), only(o, SRR1, ~0x5800_0000n)],
  },
];

interface Model {
  readonly cpu: string;
  readonly version: number;
  readonly radix: boolean;
  /** Lines that there must be. */
  readonly lines: number;
}

const MODELS: readonly Model[] = [
  { cpu: '970', version: 200, radix: false, lines: 126 },
  { cpu: 'power8', version: 207, radix: false, lines: 128 },
  { cpu: 'power9', version: 300, radix: true, lines: 596 },
  { cpu: 'power10', version: 310, radix: true, lines: 596 },
];

/** Hypercalls that a 970 does not have here: H_SET_MODE is for version 2.07. QEMU answers it. They follow the case numbered 0x5c. */
const SET_MODE_ON_970 = { first: 0x5d, last: 0x66 } as const;

describeWith(['qemu-ppc64', 'as-ppc64', 'gcc-ppc64'], 'interrupts, MSR and hypercalls against QEMU', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function build({ cpu, version, radix }: Model): { readonly elf: string; readonly flat: string } {
    const path = (ending: string): string => join(folder, `${cpu}.${ending}`);
    const defines = [`-DVERSION=${version}`, `-DRADIX=${radix ? 1 : 0}`];
    execFileSync('powerpc64-linux-gnu-gcc', ['-mcpu=power10', ...defines, '-c', SOURCE, '-o', path('o')]);
    execFileSync('powerpc64-linux-gnu-ld', ['-Ttext=0', '-e', '0x100', path('o'), '-o', path('elf')]);
    execFileSync('powerpc64-linux-gnu-objcopy', ['-O', 'binary', path('elf'), path('bin')]);
    return { elf: path('elf'), flat: path('bin') };
  }

  function onQemu(cpu: string, flat: string): string[] {
    const argv = ['-M', CAPABILITIES, '-cpu', cpu, '-m', '512', '-nographic', '-nodefaults', '-serial', 'stdio'];
    const { stdout } = spawnSync('qemu-system-ppc64', [...argv, '-bios', flat], { encoding: 'utf8', timeout: 120_000 });
    return stdout.replaceAll('\r', '').trimEnd().split('\n');
  }

  function here(cpu: string, elf: string): string[] {
    const machine = new Machine({ arch: ppc64, cpu });
    const domain = machine.addDomain({ name: 'd', vcpus: 1, memory: 512 << 20, vpmu: false });
    boot(machine, domain, { bytes: new Uint8Array(readFileSync(elf)), file: elf });
    machine.run({ until: 20_000_000 });
    expect(domain.ended).toEqual({ reason: 'poweroff', status: 0 });
    return domain.console.trimEnd().split('\n');
  }

  it.each(MODELS)('$cpu: $lines lines', { timeout: 240_000 }, (model) => {
    const { elf, flat } = build(model);
    const ours = here(model.cpu, elf);
    const qemu = onQemu(model.cpu, flat);
    expect(ours).toHaveLength(model.lines);
    const used = new Set<Difference>();
    const left: [string[], string[]][] = [];
    const there: [string[], string[]][] = [];
    ours.forEach((line, n) => {
      let pair: [string[], string[]] = [(qemu[n] ?? '').split(' '), line.split(' ')];
      const number = Number.parseInt(pair[1][0] ?? '', 16);
      const mode = model.cpu === '970' && pair[1].length === 2;
      if (mode && number >= SET_MODE_ON_970.first && number <= SET_MODE_ON_970.last) return;
      if (pair[0].join(' ') !== line) {
        for (const difference of DIFFERENCES) {
          if (!difference.groups.includes(pair[1][GROUP] ?? '?') || pair[1].length < 9) continue;
          const same = difference.same(...pair);
          if (same === undefined || same[0].join(' ') !== same[1].join(' ')) continue;
          used.add(difference);
          pair = [same[0], same[1]];
          break;
        }
      }
      there.push(pair);
      if (pair[0].join(' ') !== pair[1].join(' ')) left.push(pair);
    });
    expect(left.map(([q, o]) => ({ qemu: q.join(' '), here: o.join(' ') }))).toEqual([]);
    expect(qemu).toHaveLength(model.lines);
    // Each reason is one that is needed.
    expect(DIFFERENCES.filter((one) => !used.has(one)).map(({ why }) => why)).toEqual([]);
    expect(there.length).toBeGreaterThan(100);
  });
});
