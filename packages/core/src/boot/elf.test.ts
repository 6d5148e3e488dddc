import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CountervisorError } from '@countervisor/contract';
import { describeWith } from '@countervisor/house/needs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ElfImage, readElf, segmentBytes } from './elf.ts';
import { elfNotes } from './elf-notes.ts';
import { type Made, makeElf } from './testing/make-elf.ts';
import { readelf } from './testing/readelf.ts';

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.replace(/#.*$/gm, '').match(/[0-9a-f]{2}/g)!, (byte) => Number.parseInt(byte, 16));

/** The code of the refusal, and its sentence. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (!(error instanceof CountervisorError)) throw error;
    expect(error.remedy).not.toBe('');
    return `${error.code} ${error.message}`;
  }
  return 'not refused';
}

// Written by hand from gABI figures 4-3 and 5-1.
const GOLDEN_64 = bytesOf(`
  7f 45 4c 46 02 01 01 00 00 00 00 00 00 00 00 00  # e_ident: class 64, little-endian, version 1
  02 00 b7 00 01 00 00 00                          # ET_EXEC, machine 183, version 1
  04 00 08 40 00 00 00 00                          # e_entry 0x40080004
  40 00 00 00 00 00 00 00                          # e_phoff 64
  00 00 00 00 00 00 00 00                          # e_shoff: none
  05 00 00 00                                      # e_flags 5
  40 00 38 00 01 00 40 00 00 00 00 00              # e_ehsize 64, 1 program header of 56, sections of 64: none
  01 00 00 00 05 00 00 00                          # PT_LOAD, R E
  78 00 00 00 00 00 00 00                          # p_offset 120
  00 00 08 40 00 00 00 00                          # p_vaddr 0x40080000
  00 00 09 40 00 00 00 00                          # p_paddr 0x40090000
  08 00 00 00 00 00 00 00                          # p_filesz 8
  10 00 00 00 00 00 00 00                          # p_memsz 16
  08 00 00 00 00 00 00 00                          # p_align 8
  1f 20 03 d5 1f 20 03 d5
`);
const GOLDEN_32_BIG = bytesOf(`
  7f 45 4c 46 01 02 01 00 00 00 00 00 00 00 00 00  # e_ident: class 32, big-endian, version 1
  00 03 00 14 00 00 00 01                          # ET_DYN, machine 20, version 1
  00 00 00 04 00 00 00 34 00 00 00 00              # e_entry 4, e_phoff 52, no sections
  80 00 00 00                                      # e_flags 0x80000000
  00 34 00 20 00 01 00 00 00 00 00 00              # e_ehsize 52, 1 program header of 32
  00 00 00 01 00 00 00 54 00 00 00 00 00 00 00 00  # PT_LOAD, p_offset 84, p_vaddr 0, p_paddr 0
  00 00 00 08 00 00 10 00 00 00 00 07 00 01 00 00  # p_filesz 8, p_memsz 4096, RWE, p_align 65536
  60 00 00 00 4e 80 00 20
`);

describe('readElf: golden bytes', () => {
  it('64-bit, little-endian', () => {
    const image = readElf(GOLDEN_64, 'golden');
    expect(image).toMatchObject({ class: 64, order: 'little', type: 2, machine: 183, entry: 0x40080004n, flags: 5 });
    expect(image.segments).toEqual([
      {
        index: 0,
        type: 1,
        flags: 5,
        offset: 120,
        vaddr: 0x40080000n,
        paddr: 0x40090000n,
        filesz: 8,
        memsz: 16n,
        align: 8n,
      },
    ]);
    expect([...segmentBytes(image, image.segments[0]!)]).toEqual([0x1f, 0x20, 3, 0xd5, 0x1f, 0x20, 3, 0xd5]);
    expect(image.sections).toEqual([]);
    expect(image.symbols.length).toBe(0);
    expect(image.symbols.find(0x40080004n)).toBeUndefined();
  });

  it('32-bit, big-endian, in a Buffer that does not begin at its store', () => {
    const store = Buffer.concat([Buffer.from('xyz'), GOLDEN_32_BIG]);
    const image = readElf(store.subarray(3), 'golden');
    expect(image).toMatchObject({ class: 32, order: 'big', type: 3, machine: 20, entry: 4n, flags: 0x80000000 });
    expect(image.segments[0]).toMatchObject({
      offset: 84,
      vaddr: 0n,
      filesz: 8,
      memsz: 4096n,
      flags: 7,
      align: 65536n,
    });
    const bytes = segmentBytes(image, image.segments[0]!);
    expect(Buffer.isBuffer(bytes)).toBe(false);
    expect([...bytes]).toEqual([0x60, 0, 0, 0, 0x4e, 0x80, 0, 0x20]);
  });
});

const SMALL: Made = {
  class: 64,
  order: 'little',
  type: 2,
  machine: 183,
  entry: 0x1000n,
  segments: [{ vaddr: 0x1000n, bytes: Uint8Array.from({ length: 32 }, (_, i) => i) }],
  symbols: [{ name: 'start', value: 0x1000n, size: 32n, type: 2, bind: 1 }],
};
const small = makeElf(SMALL);

/** A copy with a little-endian number written over it. */
function patched(bytes: Uint8Array, at: number, value: bigint | number, size: number): Uint8Array {
  const copy = bytes.slice();
  for (let i = 0; i < size; i++) copy[at + i] = Number((BigInt(value) >> BigInt(8 * i)) & 0xffn);
  return copy;
}

/** Offset of the n-th section header in `small`. */
const section = (index: number): number => small.length - 64 * (5 - index);

describe('readElf: what it refuses', () => {
  it.each([
    [
      'nothing at all',
      new Uint8Array(0),
      'CV_ELF_MAGIC x is not an ELF file: it begins with nothing, not with 7f 45 4c 46.',
    ],
    [
      'a script',
      new TextEncoder().encode('#!/bin/sh'),
      'CV_ELF_MAGIC x is not an ELF file: it begins with 23 21 2f 62, not with 7f 45 4c 46.',
    ],
    [
      'a class that does not exist',
      patched(small, 4, 3, 1),
      'CV_ELF_FIELD x: EI_CLASS is 0x3; it must be 1 (32-bit) or 2 (64-bit).',
    ],
    [
      'no byte order',
      patched(small, 5, 0, 1),
      'CV_ELF_FIELD x: EI_DATA is 0x0; it must be 1 (little-endian) or 2 (big-endian).',
    ],
    ['a later identification', patched(small, 6, 2, 1), 'CV_ELF_FIELD x: EI_VERSION is 0x2; it must be 1.'],
    ['a later version', patched(small, 20, 2, 4), 'CV_ELF_FIELD x: e_version is 0x2; it must be 1.'],
    [
      'the wrong class for its header',
      patched(small, 52, 52, 2),
      'CV_ELF_FIELD x: e_ehsize is 0x34; it must be 64 in this class.',
    ],
    [
      'program headers of another class',
      patched(small, 54, 32, 2),
      'CV_ELF_FIELD x: e_phentsize is 0x20; it must be 56 in this class.',
    ],
    [
      'section headers of another class',
      patched(small, 58, 40, 2),
      'CV_ELF_FIELD x: e_shentsize is 0x28; it must be 64 in this class.',
    ],
    [
      'sections at offset 0',
      patched(small, 40, 0, 8),
      'CV_ELF_FIELD x: e_shoff is 0x0; it must be an offset, as e_shnum is not 0.',
    ],
    [
      'a far e_phoff',
      patched(small, 32, 1n << 63n, 8),
      `CV_ELF_TRUNCATED x is truncated: the table of program headers ends at byte ${(1n << 63n) + 56n}, and the file has ${small.length}.`,
    ],
    [
      'more program headers than file',
      patched(small, 56, 65_534, 2),
      `CV_ELF_TRUNCATED x is truncated: the table of program headers ends at byte ${64 + 65_534 * 56}, and the file has ${small.length}.`,
    ],
    [
      'a count in section 0 beyond the limit',
      patched(patched(small, 56, 0xffff, 2), section(0) + 44, 65_536, 4),
      'CV_ELF_LIMIT x has 65536 program headers; at most 65535 are read.',
    ],
    [
      'a section count beyond the limit',
      patched(patched(small, 60, 0, 2), section(0) + 32, 70_000, 8),
      'CV_ELF_LIMIT x has 70000 section headers; at most 65535 are read.',
    ],
    [
      'a section count of 64 bits',
      patched(patched(small, 60, 0, 2), section(0) + 32, 1n << 40n, 8),
      'CV_ELF_FIELD x: e_shnum is 0x10000000000; it must be a count of 32 bits.',
    ],
    [
      'a segment beyond the file',
      patched(small, 64 + 8, small.length - 31, 8),
      `CV_ELF_TRUNCATED x is truncated: segment 0 ends at byte ${small.length + 1}, and the file has ${small.length}.`,
    ],
    [
      'a segment that wraps',
      patched(small, 64 + 8, (1n << 64n) - 8n, 8),
      `CV_ELF_TRUNCATED x is truncated: segment 0 ends at byte ${(1n << 64n) + 24n}, and the file has ${small.length}.`,
    ],
    [
      'more file than memory',
      patched(small, 64 + 40, 31, 8),
      'CV_ELF_FIELD x: p_filesz of segment 0 is 0x20; it must be at most its p_memsz, 0x1f.',
    ],
    [
      'memory beyond the top',
      patched(small, 64 + 40, (1n << 64n) - 1n, 8),
      'CV_ELF_FIELD x: p_vaddr of segment 0 is 0x1000; it must be low enough for all of p_memsz.',
    ],
    [
      'physical memory beyond the top',
      patched(small, 64 + 24, (1n << 64n) - 1n, 8),
      'CV_ELF_FIELD x: p_paddr of segment 0 is 0xffffffffffffffff; it must be low enough for all of p_memsz.',
    ],
    [
      'an alignment of 3',
      patched(small, 64 + 48, 3, 8),
      'CV_ELF_FIELD x: p_align of segment 0 is 0x3; it must be 0 or a power of two.',
    ],
    [
      'a section beyond the file',
      patched(small, section(1) + 32, small.length, 8),
      /CV_ELF_TRUNCATED x is truncated: section 1 ends at byte/,
    ],
    [
      'section names that are no strings',
      patched(small, 62, 1, 2),
      "CV_ELF_FIELD x: e_shstrndx's string table is 0x1; it must be the index of a section of type STRTAB.",
    ],
    [
      'section names in no section',
      patched(small, 62, 77, 2),
      "CV_ELF_FIELD x: e_shstrndx's string table is 0x4d; it must be the index of a section of type STRTAB.",
    ],
    [
      'open-ended section names',
      patched(small, section(0) - 1, 0x41, 1),
      "CV_ELF_FIELD x: e_shstrndx's string table is open-ended; it must be ended by a NUL.",
    ],
    [
      'a section name outside its table',
      patched(small, section(2), 1000, 4),
      'CV_ELF_FIELD x: the name of section 2 is 0x3e8; it must be an offset in the section name table.',
    ],
    [
      'symbols of another size',
      patched(small, section(2) + 56, 16, 8),
      'CV_ELF_FIELD x: sh_entsize of the symbol table is 0x10; it must be 24 in this class.',
    ],
    [
      'half a symbol',
      patched(small, section(2) + 32, 36, 8),
      'CV_ELF_FIELD x: the size of the symbol table is 0x24; it must be a multiple of 24.',
    ],
    [
      'symbols without strings',
      patched(small, section(2) + 40, 2, 4),
      "CV_ELF_FIELD x: the symbol table's string table is 0x2; it must be the index of a section of type STRTAB.",
    ],
    [
      'a symbol name outside its table',
      patched(small, 64 + 56 + 32 + 24, 7, 4),
      'CV_ELF_FIELD x: the name of symbol 1 is 0x7; it must be an offset in its string table.',
    ],
    [
      'two symbol tables',
      patched(small, section(1) + 4, 2, 4),
      'CV_ELF_FIELD x: the number of symbol tables is 0x2; it must be 0 or 1.',
    ],
  ])('%s', (_, bytes, says) => {
    if (typeof says === 'string') expect(refusal(() => readElf(bytes, 'x'))).toBe(says);
    else expect(refusal(() => readElf(bytes, 'x'))).toMatch(says);
  });

  it('a file cut at any length', () => {
    for (const made of [SMALL, { ...SMALL, class: 32, order: 'big' } as const]) {
      const whole = makeElf(made);
      expect(readElf(whole, 'x').symbols.named('start')?.value).toBe(0x1000n);
      for (let length = 0; length < whole.length; length++) {
        expect(refusal(() => readElf(whole.subarray(0, length), 'x'))).toMatch(
          length < 4 ? /^CV_ELF_MAGIC / : /^CV_ELF_TRUNCATED /,
        );
      }
    }
  });

  it('reads the most headers that there can be, in no time', () => {
    const segments = Array.from({ length: 65_534 }, (_, i) => ({
      vaddr: BigInt(i) * 16n,
      bytes: new Uint8Array(0),
      memsz: 16n,
    }));
    const image = readElf(makeElf({ ...SMALL, symbols: [], segments }), 'x');
    expect(image.segments.length).toBe(65_534);
  }, 20_000);
});

describe('elfNotes', () => {
  // gABI figure 5-3: namesz, descsz, type, name, desc, each padded to 4.
  const note = bytesOf('04000000 05000000 03000000 474e5500 0102030405 000000  03000000 00000000 07000000 58 65 6e 00');
  const withNote = (bytes: Uint8Array, align = 4n): ElfImage =>
    readElf(makeElf({ ...SMALL, segments: [{ type: 4, vaddr: 0n, bytes, align }] }), 'x');

  it('reads owner, type and description', () => {
    expect(elfNotes(withNote(note))).toEqual([
      { owner: 'GNU', type: 3, description: Uint8Array.of(1, 2, 3, 4, 5) },
      { owner: 'Xen', type: 7, description: new Uint8Array(0) },
    ]);
  });

  it('refuses a note that leaves its segment, cut anywhere', () => {
    for (let length = 1; length < note.length; length++) {
      // Whole notes may end where the first does, padded or not.
      if (length >= 21 && length <= 24) continue;
      expect(refusal(() => elfNotes(withNote(note.subarray(0, length))))).toMatch(
        /^CV_ELF_FIELD x: the note at byte \d+ of segment 0 is cut off/,
      );
    }
  });

  it('refuses segments that hold more than the file', () => {
    const bytes = makeElf({
      ...SMALL,
      segments: Array.from({ length: 20 }, () => ({ type: 4, vaddr: 0n, bytes: note })),
    });
    let hostile = bytes;
    for (let i = 0; i < 20; i++) {
      hostile = patched(patched(hostile, 64 + 56 * i + 8, 0, 8), 64 + 56 * i + 32, bytes.length, 8);
    }
    expect(refusal(() => elfNotes(readElf(hostile, 'x')))).toMatch(/^CV_ELF_LIMIT x has \d+ bytes of notes/);
  });
});

describeWith(['as'], 'readElf against readelf', () => {
  let folder = '';
  const built: string[] = [];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'elf-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const SOURCE = `
    .section .note.test, "a", %note
    .long 5, 6, 0x12345678
    .asciz "Test"
    .balign 4
    .byte 1, 2, 3, 4, 5, 6
    .balign 4
    .text
    .global start, twice, outer, weak
    .weak weak
    .type start, %function
start: nop
local_label: nop
    .size start, . - start
    .type outer, %function
outer: nop
inner: nop
weak: nop
    .size outer, . - outer
twice = start
constant = 0x1234
    .data
    .type table, %object
table: .quad 1, 2
    .size table, . - table
    .bss
    .skip 256
  `;

  /** Assembles and links the source: [file, its options]. */
  function build(name: string, as: readonly string[], ld: readonly string[]): string {
    const path = join(folder, name);
    writeFileSync(`${path}.s`, SOURCE);
    execFileSync('aarch64-linux-gnu-as', [...as, '-o', `${path}.o`, `${path}.s`]);
    execFileSync('aarch64-linux-gnu-ld', [...ld, '-e', 'start', '-o', path, `${path}.o`], { stdio: 'pipe' });
    built.push(path);
    return path;
  }

  function agree(path: string): void {
    const image = readElf(readFileSync(path), path);
    const said = readelf(path);
    expect(said.segments.length + said.sections.length).toBeGreaterThan(1);
    expect(image.entry).toBe(said.entry);
    const flags = (bits: number) => `${bits & 4 ? 'R' : ' '}${bits & 2 ? 'W' : ' '}${bits & 1 ? 'E' : ' '}`;
    expect(
      image.segments.map(({ index: _, type: __, flags: bits, ...rest }) => ({ ...rest, flags: flags(bits) })),
    ).toEqual(said.segments);
    expect(image.sections.map(({ type: _, flags: __, ...rest }) => rest)).toEqual(said.sections);
    const place = (index: number) => ({ 0: 'UND', 65521: 'ABS', 65522: 'COM' })[index] ?? String(index);
    const ours = Array.from(image.symbols, ({ name, section, type, ...rest }) => ({
      ...rest,
      type,
      section: place(section),
      name: type === 'SECTION' ? image.sections[section]!.name : name.replace(/@.*$/, ''),
    }));
    expect(ours).toEqual(said.symbols);
  }

  it.each([
    ['le64', ['-EL'], ['-EL', '-Ttext=0x40080000']],
    ['be64', ['-EB'], ['-EB', '-maarch64linuxb', '-Ttext=0x40080000']],
    ['le32', ['-EL', '-mabi=ilp32'], ['-maarch64linux32', '-Ttext=0x80000']],
    ['be32', ['-EB', '-mabi=ilp32'], ['-EB', '-maarch64linux32b', '-Ttext=0x80000']],
    ['pie', ['-EL'], ['-EL', '-pie']],
    ['stripped-pie', ['-EL'], ['-EL', '-pie', '-s', '-E']],
  ] as const)('%s: headers, segments, sections, symbols', (name, as, ld) => {
    const path = build(name, as, ld);
    agree(path);
    const notes = elfNotes(readElf(readFileSync(path), path));
    expect(notes).toContainEqual({ owner: 'Test', type: 0x12345678, description: Uint8Array.of(1, 2, 3, 4, 5, 6) });
    agree(`${path}.o`);
    // An object file has no segments: its notes are sections.
    expect(elfNotes(readElf(readFileSync(`${path}.o`), path))).toEqual([
      { owner: 'Test', type: 0x12345678, description: Uint8Array.of(1, 2, 3, 4, 5, 6) },
    ]);
  });

  const guests = fileURLToPath(new URL('../../../../guests/arm64/images/', import.meta.url));
  const programs = ['/bin/true', '/bin/sh', '/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1'].filter(existsSync);
  const images = readdirSync(guests).filter((name) => name.endsWith('.elf'));
  it('the guests’ images and programs of the machine', () => {
    expect(images.length).toBeGreaterThan(3);
    for (const path of [...images.map((name) => join(guests, name)), ...programs]) agree(path);
  }, 60_000);

  it('what the test’s own writer makes', () => {
    for (const made of [SMALL, { ...SMALL, class: 32, order: 'big' } as const]) {
      const path = join(folder, `made-${made.class}`);
      writeFileSync(path, makeElf(made));
      agree(path);
    }
  });
});
