import { CountervisorError } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { readElf } from './elf.ts';
import { type ElfPlace, type LoadedElf, loadElf } from './elf-load.ts';
import { loadFlat } from './flat.ts';
import { type Made, makeElf } from './testing/make-elf.ts';

const RAM = [{ base: 0x4000_0000n, bytes: 0x10_0000 }];
const PLACE: ElfPlace = { machines: [183], base: 0x4008_0000n, ram: RAM };
const code = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(0xc3);

const STATIC: Made = {
  class: 64,
  order: 'little',
  type: 2,
  machine: 183,
  entry: 0x4000_1004n,
  segments: [{ vaddr: 0x4000_1000n, bytes: code(16) }],
};
const PIE: Made = {
  ...STATIC,
  type: 3,
  entry: 0x14n,
  segments: [
    { vaddr: 0x10n, bytes: code(16), align: 0x1000n },
    { vaddr: 0x2000n, bytes: code(8), memsz: 0x1000n, align: 0x1000n },
  ],
  symbols: [{ name: 'main', value: 0x14n, size: 4n, type: 2 }],
};

const load = (made: Made, place: Partial<ElfPlace> = {}): LoadedElf =>
  loadElf(readElf(makeElf(made), 'a.elf'), { ...PLACE, ...place });

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

describe('loadElf', () => {
  it('puts a static image where it was linked', () => {
    const loaded = load(STATIC);
    expect(loaded).toMatchObject({
      entry: 0x4000_1004n,
      bias: 0n,
      end: 0x4000_1010n,
      machine: 183,
      class: 64,
      order: 'little',
    });
    expect(loaded.segments).toEqual([{ address: 0x4000_1000n, bytes: code(16), size: 16 }]);
    expect(loaded.interpreter).toBeUndefined();
  });

  it('enters where the descriptor at the entry point says, in a section of descriptors alone', () => {
    const words = new DataView(new ArrayBuffer(24));
    words.setBigUint64(8, 0x4000_1000n);
    const made: Made = {
      ...STATIC,
      order: 'big',
      entry: 0x4000_1008n,
      segments: [{ vaddr: 0x4000_1000n, bytes: new Uint8Array(words.buffer) }],
      symbols: [],
    };
    const entry = (descriptors?: string): bigint => load(made, { descriptors }).entry;
    expect([entry(), entry('.opd'), entry('.text')]).toEqual([0x4000_1008n, 0x4000_1008n, 0x4000_1000n]);
    words.setBigUint64(8, 0x5000_0000n);
    expect(refusal(() => entry('.text'))).toContain('CV_ELF_ENTRY a.elf: the entry point 0x50000000');
    // The last word of the section cannot hold one.
    expect(load({ ...made, entry: 0x4000_1014n }, { descriptors: '.text' }).entry).toBe(0x4000_1014n);
  });

  it('puts a position-independent image at the base, and its symbols with it', () => {
    const loaded = load(PIE);
    // The lowest segment, at 0x10, lies in the page of the file's address 0: that page goes to the base.
    expect(loaded.bias).toBe(0x4008_0000n);
    expect(loaded.entry).toBe(0x4008_0014n);
    expect(loaded.segments).toEqual([
      { address: 0x4008_0010n, bytes: code(16), size: 16 },
      { address: 0x4008_2000n, bytes: code(8), size: 0x1000 },
    ]);
    expect(loaded.end).toBe(0x4008_3000n);
    expect(loaded.symbols.find(0x4008_0016n)).toMatchObject({
      symbol: { name: 'main', value: 0x4008_0014n },
      offset: 2n,
    });
  });

  it('does the same for one that was linked elsewhere, down to a negative bias', () => {
    const segments = [{ vaddr: 0x8000_2000n, bytes: code(16), align: 0x1000n }];
    const loaded = load({ ...PIE, entry: 0x8000_2008n, segments });
    expect(loaded.bias).toBe(0x4008_0000n - 0x8000_2000n);
    expect(loaded.entry).toBe(0x4008_0008n);
    expect(loaded.segments[0]?.address).toBe(0x4008_0000n);
  });

  it('goes by physical addresses, and takes the entry along with its segment', () => {
    const segments = [{ vaddr: 0xffff_8000_0000_0000n, paddr: 0x4000_2000n, bytes: code(16) }];
    const loaded = load({ ...STATIC, entry: 0xffff_8000_0000_0008n, segments });
    expect(loaded.entry).toBe(0x4000_2008n);
    expect(loaded.segments[0]?.address).toBe(0x4000_2000n);
  });

  it('leaves out segments without memory, and names the interpreter', () => {
    const segments = [
      ...STATIC.segments,
      { vaddr: 0n, bytes: code(0) },
      { type: 3, vaddr: 0n, bytes: new TextEncoder().encode('/lib/ld.so\0') },
    ];
    const loaded = load({ ...STATIC, segments });
    expect(loaded.segments.length).toBe(1);
    expect(loaded.interpreter).toBe('/lib/ld.so');
  });

  it('gives views into the file, not copies', () => {
    const bytes = makeElf(STATIC);
    const [segment] = loadElf(readElf(bytes, 'a.elf'), PLACE).segments;
    expect(segment?.bytes.buffer).toBe(bytes.buffer);
  });

  it('ends on the last byte of RAM, and not one further', () => {
    const last = { ...STATIC, entry: 0x400f_fff0n };
    expect(load({ ...last, segments: [{ vaddr: 0x400f_fff0n, bytes: code(8), memsz: 16n }] }).end).toBe(0x4010_0000n);
    expect(refusal(() => load({ ...last, segments: [{ vaddr: 0x400f_fff0n, bytes: code(8), memsz: 17n }] }))).toMatch(
      /^CV_IMAGE_OUTSIDE_RAM/,
    );
  });

  it.each<[string, Made, Partial<ElfPlace>, string]>([
    [
      'another machine',
      { ...STATIC, machine: 62 },
      {},
      'CV_ELF_MACHINE a.elf is for EM_X86_64 (62); this platform runs EM_AARCH64 (183).',
    ],
    [
      'a machine without a name',
      { ...STATIC, machine: 4711 },
      { machines: [183, 21] },
      'CV_ELF_MACHINE a.elf is for e_machine 4711; this platform runs EM_AARCH64 (183) and EM_PPC64 (21).',
    ],
    [
      'an object file',
      { ...STATIC, type: 1 },
      {},
      'CV_ELF_TYPE a.elf is a relocatable object (ET_REL), not a program that can be loaded.',
    ],
    [
      'a core dump',
      { ...STATIC, type: 4 },
      {},
      'CV_ELF_TYPE a.elf is a core dump (ET_CORE), not a program that can be loaded.',
    ],
    [
      'a type that does not exist',
      { ...STATIC, type: 99 },
      {},
      'CV_ELF_TYPE a.elf is of type 99, not a program that can be loaded.',
    ],
    ['the wrong class', STATIC, { classes: [32] }, 'CV_ELF_KIND a.elf is ELF64; this platform loads ELF32.'],
    [
      'the wrong byte order',
      { ...STATIC, order: 'big' },
      { orders: ['little'] },
      'CV_ELF_KIND a.elf is big-endian; this platform loads little-endian.',
    ],
    ['no segment', { ...STATIC, segments: [] }, {}, 'CV_ELF_EMPTY a.elf has no loadable segment with memory in it.'],
    [
      'an empty segment',
      { ...STATIC, segments: [{ vaddr: 0x4000_1000n, bytes: code(0) }] },
      {},
      'CV_ELF_EMPTY a.elf has no loadable segment with memory in it.',
    ],
    [
      'below RAM',
      { ...STATIC, entry: 0x100n, segments: [{ vaddr: 0x100n, bytes: code(16) }] },
      {},
      "CV_IMAGE_OUTSIDE_RAM a.elf: segment 0 at 0x100–0x10f does not lie in the domain's RAM (0x40000000–0x400fffff).",
    ],
    [
      'no RAM',
      STATIC,
      { ram: [] },
      "CV_IMAGE_OUTSIDE_RAM a.elf: segment 0 at 0x40001000–0x4000100f does not lie in the domain's RAM (it has none).",
    ],
    [
      'a vast segment',
      { ...STATIC, segments: [{ vaddr: 0x4000_1000n, bytes: code(16), memsz: 1n << 62n }] },
      {},
      "CV_IMAGE_OUTSIDE_RAM a.elf: segment 0 at 0x40001000–0x4000000040000fff does not lie in the domain's RAM (0x40000000–0x400fffff).",
    ],
    [
      'an overlap',
      {
        ...STATIC,
        segments: [
          { vaddr: 0x4000_1010n, bytes: code(4) },
          { vaddr: 0x4000_1000n, bytes: code(16), memsz: 17n },
        ],
      },
      {},
      'CV_ELF_OVERLAP a.elf: segment 1 at 0x40001000–0x40001010 and segment 0 at 0x40001010–0x40001013 overlap in memory.',
    ],
    [
      'an entry before',
      { ...STATIC, entry: 0x4000_0fffn },
      {},
      'CV_ELF_ENTRY a.elf: the entry point 0x40000fff lies in no loadable segment.',
    ],
    [
      'an entry behind',
      { ...STATIC, entry: 0x4000_1010n },
      {},
      'CV_ELF_ENTRY a.elf: the entry point 0x40001010 lies in no loadable segment.',
    ],
    [
      'a base between pages',
      PIE,
      { base: 0x4008_0800n },
      'CV_ELF_BASE a.elf is position-independent with segments aligned to 0x1000, and the load address 0x40080800 is not.',
    ],
  ])('refuses %s', (_, made, place, says) => {
    expect(refusal(() => load(made, place))).toBe(says);
  });

  it('accepts segments that touch', () => {
    const segments = [
      { vaddr: 0x4000_1000n, bytes: code(16) },
      { vaddr: 0x4000_1010n, bytes: code(16) },
    ];
    expect(load({ ...STATIC, segments }).end).toBe(0x4000_1020n);
  });
});

describe('loadFlat', () => {
  const place = { address: 0x4008_0000n, ram: RAM };

  it('puts the bytes at the address', () => {
    expect(loadFlat(code(8), 'a.bin', place)).toEqual({
      entry: 0x4008_0000n,
      segments: [{ address: 0x4008_0000n, bytes: code(8), size: 8 }],
      end: 0x4008_0008n,
    });
    expect(loadFlat(code(8), 'a.bin', { ...place, entry: 4 }).entry).toBe(0x4008_0004n);
  });

  it('fills RAM to its last byte', () => {
    expect(loadFlat(code(0x8_0000), 'a.bin', place).end).toBe(0x4010_0000n);
  });

  it.each<[string, Uint8Array, Partial<Parameters<typeof loadFlat>[2]>, string]>([
    ['nothing', code(0), {}, 'CV_FLAT_EMPTY a.bin is empty.'],
    [
      'an ELF file',
      makeElf(STATIC),
      {},
      'CV_FLAT_IS_ELF a.bin is an ELF file, and was to be loaded as a raw flat image.',
    ],
    [
      'too much',
      code(0x8_0001),
      {},
      "CV_IMAGE_OUTSIDE_RAM a.bin: the image at 0x40080000–0x40100000 does not lie in the domain's RAM (0x40000000–0x400fffff).",
    ],
    [
      'an address of 65 bits',
      code(8),
      { address: 1n << 64n },
      'CV_FLAT_NUMBER a.bin: the load address is 0x10000000000000000, which is no address of 64 bits.',
    ],
    [
      'an entry behind the end',
      code(8),
      { entry: 8 },
      'CV_FLAT_ENTRY a.bin: the entry at offset 8 is not inside the image of 8 bytes.',
    ],
    [
      'half an entry',
      code(8),
      { entry: 0.5 },
      'CV_FLAT_ENTRY a.bin: the entry at offset 0.5 is not inside the image of 8 bytes.',
    ],
  ])('refuses %s', (_, bytes, change, says) => {
    expect(refusal(() => loadFlat(bytes, 'a.bin', { ...place, ...change }))).toBe(says);
  });
});
