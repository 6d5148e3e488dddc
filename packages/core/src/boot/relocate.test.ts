import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CountervisorError } from '@countervisor/contract';
import { describeWith } from '@countervisor/house/needs';
import { describe, expect, it } from 'vitest';
import { readElf } from './elf.ts';
import { type LoadedElf, loadElf } from './elf-load.ts';
import { type MadePie, pieWithRelocations, RELATIVE } from './testing/make-pie.ts';

const PLACE = { machines: [183], base: 0x4008_0000n, ram: [{ base: 0x4000_0000n, bytes: 0x10_0000 }] };

const loadBytes = (bytes: Uint8Array, bits: 32 | 64, apply = true): LoadedElf =>
  loadElf(readElf(bytes, 'a.elf'), { ...PLACE, ...(apply && { relative: [{ machine: 183, type: RELATIVE[bits] }] }) });
const load = (pie: MadePie): LoadedElf => loadBytes(pieWithRelocations(pie), pie.class);

/** The first `count` words at address 16. */
function words(loaded: LoadedElf, count: number): bigint[] {
  const { bytes } = loaded.segments[0]!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = loaded.order === 'little';
  return Array.from({ length: count }, (_, i) =>
    loaded.class === 64 ? view.getBigUint64(16 + 8 * i, little) : BigInt(view.getUint32(16 + 4 * i, little)),
  );
}

function refusal(pie: Partial<MadePie>): string {
  try {
    load({ class: 64, order: 'little', ...pie });
  } catch (error) {
    if (!(error instanceof CountervisorError)) throw error;
    return `${error.code} ${error.message}`;
  }
  return 'not refused';
}

const KINDS = [
  { class: 64, order: 'little' },
  { class: 64, order: 'big' },
  { class: 32, order: 'little' },
  { class: 32, order: 'big' },
] as const;

describe('relative relocations', () => {
  it.each(KINDS)('are applied from all three tables: %o', (kind) => {
    // RELA: base + addend 0x20. REL and RELR: base + what stands there.
    expect(words(load(kind), 6)).toEqual([
      0x4008_0020n,
      0x4008_0222n,
      0x4008_0333n,
      0x4008_0444n,
      0x555n,
      0x4008_0666n,
    ]);
  });

  it.each(KINDS)('are left to the image without a row for its machine, and the file is never changed: %o', (kind) => {
    const bytes = pieWithRelocations(kind);
    const before = bytes.slice();
    const left = loadBytes(bytes, kind.class, false);
    expect(words(left, 6)).toEqual([0x111n, 0x222n, 0x333n, 0x444n, 0x555n, 0x666n]);
    expect(words(loadBytes(bytes, kind.class), 1)).toEqual([0x4008_0020n]);
    expect(bytes).toEqual(before);
  });

  it('wrap at the width of the class', () => {
    const rela = [{ offset: 16n, type: RELATIVE[32], addend: 0xffff_ffffn }];
    expect(words(load({ class: 32, order: 'big', words: [0n], rela }), 1)).toEqual([0x4007_ffffn]);
    const rela64 = [{ offset: 16n, type: RELATIVE[64], addend: (1n << 64n) - 1n }];
    expect(words(load({ class: 64, order: 'big', words: [0n], rela: rela64 }), 1)).toEqual([0x4007_ffffn]);
  });

  it('a RELR bitmap goes on where the last one ended', () => {
    // 64 bits: the word at index 0; a bitmap of indices 1 to 63 without any; one whose bit 1 is index 64.
    const given = Array.from({ length: 66 }, () => 5n);
    const loaded = load({ class: 64, order: 'little', words: given, relr: [16n, 1n, 0b11n] });
    expect(words(loaded, 66)).toEqual(given.map((_, i) => (i === 0 || i === 64 ? 0x4008_0005n : 5n)));
  });

  it('of type 0 (R_…_NONE) do nothing', () => {
    expect(
      words(load({ class: 64, order: 'little', words: [7n], rela: [{ offset: 16n, type: 0, addend: 9n }] }), 1),
    ).toEqual([7n]);
  });

  it('are not passed over in an image that hides them', () => {
    const bytes = pieWithRelocations({ class: 64, order: 'little' });
    bytes[64 + 56] = 4; // PT_DYNAMIC becomes PT_NOTE
    expect(() => loadBytes(bytes, 64)).toThrow('the image has no dynamic section, so its relocations cannot be found.');
    expect(words(loadBytes(bytes, 64, false), 1)).toEqual([0x111n]);
  });

  const rela = [{ offset: 16n, type: 1027, addend: 0n }];
  it.each<[string, Partial<MadePie>, string]>([
    [
      'another type',
      { words: [0n], rela: [{ offset: 16n, type: 1025, addend: 0n }] },
      'CV_ELF_RELOCATION a.elf: RELA relocation 0 is of type 1025; only relative ones (type 1027) are applied.',
    ],
    [
      'a place outside',
      { rela: [{ offset: 0x2000n, type: 1027, addend: 0n }] },
      'CV_ELF_RELOCATION a.elf: RELA relocation 0 is at 0x2000, which no segment of the file fills.',
    ],
    [
      'a place half outside',
      { rel: [{ offset: 28n, type: 1027 }] },
      'CV_ELF_RELOCATION a.elf: REL relocation 0 is at 0x1c, which no segment of the file fills.',
    ],
    [
      'a place in memory that the file does not fill',
      { rela: [{ offset: 40n, type: 1027, addend: 0n }], bss: 64n },
      'CV_ELF_RELOCATION a.elf: RELA relocation 0 is at 0x28, which no segment of the file fills.',
    ],
    [
      'a wild RELR entry',
      { relr: [0x2000n] },
      'CV_ELF_RELOCATION a.elf: RELR entry 0 is at 0x2000, which no segment of the file fills.',
    ],
    [
      'a wild table',
      {
        dynamic: [
          [7n, 0x9000n],
          [8n, 24n],
          [9n, 24n],
        ],
      },
      'CV_ELF_RELOCATION a.elf: its RELA table is at 0x9000, which no segment of the file fills.',
    ],
    [
      'a table longer than the file',
      { words: [0n], rela, dynamic: [[8n, 24n << 40n]] },
      'CV_ELF_RELOCATION a.elf: its RELA table is at 0x18, which no segment of the file fills.',
    ],
    [
      'a table without an address',
      { dynamic: [[8n, 24n]] },
      'CV_ELF_RELOCATION a.elf: its RELA table has a size and no address.',
    ],
    [
      'entries of another size',
      { words: [0n], rela, dynamic: [[9n, 16n]] },
      'CV_ELF_RELOCATION a.elf: its RELA table has entries of 16 bytes, not 24.',
    ],
    [
      'half an entry',
      { words: [0n], rela, dynamic: [[8n, 12n]] },
      'CV_ELF_RELOCATION a.elf: its RELA table is not a whole number of entries long (12 bytes).',
    ],
    [
      'a shared library',
      { dynamic: [[1n, 1n]] },
      'CV_ELF_RELOCATION a.elf: its dynamic section needs a shared library, and none is loaded here.',
    ],
    ['a PLT', { dynamic: [[2n, 24n]] }, 'CV_ELF_RELOCATION a.elf: its dynamic section has relocations for a PLT.'],
  ])('refuse %s', (_, pie, says) => {
    expect(refusal(pie)).toBe(says);
  });
});

describeWith(['as'], 'relative relocations against a static link at the same address', () => {
  it.each([
    ['little', ['-EL'], []],
    ['big', ['-EB'], ['-maarch64linuxb']],
  ] as const)('%s-endian', (_, order, ld) => {
    const folder = mkdtempSync(join(tmpdir(), 'pie-'));
    try {
      const [source, object, pie, fixed] = ['a.s', 'a.o', 'pie', 'fixed'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
        string,
      ];
      writeFileSync(
        source,
        '.text\n.global start\nstart: nop\n.data\n.quad start, table, end - 8, 0x77\ntable: .quad table\nend:\n',
      );
      execFileSync('aarch64-linux-gnu-as', [...order, '-o', object, source]);
      // The same layout for both, at 0 and at the base.
      const script = (at: string): string => {
        const path = join(folder, `${at}.ld`);
        writeFileSync(
          path,
          `SECTIONS { . = ${at}; .text : { *(.text) } .dynamic : { *(.dynamic) } .rela : { *(.rela*) } .rest : { *(.dynsym) *(.dynstr) *(.hash) *(.gnu.hash) } . = ${at} + 0x4000; .data : { *(.data) } }`,
        );
        return path;
      };
      const link = (...options: string[]) =>
        execFileSync('aarch64-linux-gnu-ld', [...order, ...ld, '-e', 'start', ...options, object], { stdio: 'pipe' });
      link('-pie', '--no-dynamic-linker', '-T', script('0x0'), '-o', pie);
      link('-T', script('0x40080000'), '-o', fixed);
      const moved = loadBytes(readFileSync(pie), 64);
      const there = loadBytes(readFileSync(fixed), 64);
      const data = (loaded: LoadedElf) => {
        const segment = loaded.segments.find(
          ({ address, bytes }) => address <= 0x4008_4000n && 0x4008_4000n < address + BigInt(bytes.length),
        )!;
        const start = Number(0x4008_4000n - segment.address);
        return Buffer.from(segment.bytes.subarray(start, start + 40)).toString('hex');
      };
      expect(data(moved)).toBe(data(there));
      expect(data(loadBytes(readFileSync(pie), 64, false))).not.toBe(data(there));
      expect(moved.entry).toBe(there.entry);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('of a guest whose linker script leaves out PT_DYNAMIC, as readelf lists them', () => {
    const file = fileURLToPath(new URL('../../../../guests/arm64/images/hello-pie.elf', import.meta.url));
    const listed = execFileSync('aarch64-linux-gnu-readelf', ['-rW', file], { encoding: 'utf8' });
    const rows = [...listed.matchAll(/^([0-9a-f]{16}) +[0-9a-f]+ R_AARCH64_RELATIVE +([0-9a-f]+)$/gm)];
    expect(rows.length).toBeGreaterThan(0);
    const { segments } = loadBytes(readFileSync(file), 64);
    for (const [, offset, addend] of rows) {
      const address = 0x4008_0000n + BigInt(`0x${offset}`);
      const segment = segments.find(
        (one) => address >= one.address && address < one.address + BigInt(one.bytes.length),
      )!;
      const at = Number(address - segment.address);
      const word = new DataView(segment.bytes.buffer, segment.bytes.byteOffset).getBigUint64(at, true);
      expect(word).toBe(0x4008_0000n + BigInt(`0x${addend}`));
    }
  });
});
