/** Untrusted ELF files: whatever is in them, a CountervisorError or a sound image, soon. */
import { CountervisorError } from '@countervisor/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readElf, segmentBytes } from './elf.ts';
import { loadElf } from './elf-load.ts';
import { elfNotes } from './elf-notes.ts';
import { type Made, makeElf, Writer } from './testing/make-elf.ts';
import { pieWithRelocations, RELATIVE } from './testing/make-pie.ts';

const RAM = [{ base: 0x4000_0000n, bytes: 0x10_0000 }];

/** Reads, loads, relocates, walks symbols and notes; true when nothing was refused. Anything but a CountervisorError is thrown on. */
function swallow(bytes: Uint8Array): boolean {
  try {
    const image = readElf(bytes, 'x');
    for (const segment of image.segments) segmentBytes(image, segment);
    const loaded = loadElf(image, {
      machines: [183],
      base: 0x4008_0000n,
      ram: RAM,
      relative: [{ machine: 183, type: RELATIVE[image.class] }],
    });
    const places = loaded.segments
      .map(({ address, bytes, size }) => {
        expect(bytes.length).toBeLessThanOrEqual(size);
        return { address, end: address + BigInt(size) };
      })
      .sort((a, b) => (a.address < b.address ? -1 : 1));
    let before = 0x4000_0000n;
    for (const { address, end } of places) {
      expect(address).toBeGreaterThanOrEqual(before);
      before = end;
    }
    expect(before).toBeLessThanOrEqual(0x4010_0000n);
    expect(places.some(({ address, end }) => loaded.entry >= address && loaded.entry < end)).toBe(true);
    for (const { value, name } of loaded.symbols) {
      loaded.symbols.find(value);
      loaded.symbols.named(name);
    }
    elfNotes(image);
    return true;
  } catch (error) {
    if (!(error instanceof CountervisorError)) throw error;
    expect(error.format()).not.toMatch(/undefined|NaN|\[object/);
    return false;
  }
}

const SYMBOLS = [
  { name: 'start', value: 0n, size: 16n, type: 2, bind: 1 },
  { name: 'data', value: 0x1000n, size: 8n, type: 1, bind: 1 },
];
const note = (order: 'little' | 'big'): Uint8Array =>
  Uint8Array.from(new Writer(order).put(4, 4).put(4, 4).put(1, 4).raw([0x47, 0x4e, 0x55, 0, 1, 2, 3, 4]).out);
const seeds: readonly [string, Uint8Array][] = (
  [
    [64, 'little'],
    [64, 'big'],
    [32, 'little'],
    [32, 'big'],
  ] as const
).flatMap(([bits, order]) => {
  const made: Made = {
    class: bits,
    order,
    type: 2,
    machine: 183,
    entry: 0x4000_1000n,
    segments: [
      { vaddr: 0x4000_1000n, bytes: new Uint8Array(16), memsz: 64n },
      { type: 4, vaddr: 0n, bytes: note(order), align: 4n },
    ],
    symbols: SYMBOLS,
  };
  return [
    [`static ELF${bits} ${order}`, makeElf(made)],
    [`PIE ELF${bits} ${order}`, pieWithRelocations({ class: bits, order })],
  ];
});

describe('hostile ELF files', () => {
  it.each(seeds)('%s: is sound as it stands', (_, bytes) => {
    expect(swallow(bytes)).toBe(true);
  });

  // 8 × 2,500 mutations. A number of 1, 2, 4 or 8 bytes that means something to ELF, or noise, over the headers or anywhere.
  const edges = [0n, 1n, 2n, 3n, 7n, 8n, 0xffn, 0xffffn, 0xffff_fffen, 0xffff_ffffn, 1n << 63n, (1n << 64n) - 1n];
  const mutation = fc.record({
    at: fc.nat(),
    size: fc.constantFrom(1, 2, 4, 8),
    value: fc.oneof(fc.constantFrom(...edges), fc.bigInt(0n, 0xffn), fc.bigInt(0n, (1n << 64n) - 1n)),
    cut: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat() }),
  });
  it.each(seeds)(
    '%s: 2,500 mutations',
    (_, original) => {
      let sound = 0;
      let longest = 0;
      fc.assert(
        fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
          let bytes = original.slice();
          for (const { at, size, value, cut } of mutations) {
            for (let i = 0; i < size; i++) bytes[(at + i) % bytes.length] = Number((value >> BigInt(8 * i)) & 0xffn);
            if (cut !== undefined) bytes = bytes.slice(0, 1 + (cut % bytes.length));
          }
          const start = performance.now();
          if (swallow(bytes)) sound++;
          longest = Math.max(longest, performance.now() - start);
        }),
        { seed: 0x7f454c46, numRuns: 2500 },
      );
      // Both ways are taken, or the mutations test nothing.
      expect(sound).toBeGreaterThan(25);
      expect(sound).toBeLessThan(2475);
      expect(longest, 'milliseconds for the slowest').toBeLessThan(2000);
    },
    60_000,
  );

  it('many segments and many symbols stay quick', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => i);
    const bytes = makeElf({
      class: 64,
      order: 'little',
      type: 2,
      machine: 183,
      entry: 0x4000_0000n,
      segments: many.map((i) => ({ vaddr: 0x4000_0000n + 16n * BigInt(i), bytes: new Uint8Array(0), memsz: 16n })),
      // Each inside the one before: the deepest nest that a table can describe.
      symbols: many.map((i) => ({ name: 'n', value: 0x4000_0000n + BigInt(i), size: BigInt(80_000 - 2 * i), type: 2 })),
    });
    const start = performance.now();
    const { symbols } = loadElf(readElf(bytes, 'x'), { machines: [183], base: 0n, ram: RAM });
    expect(symbols.find(0x4000_0000n + 79_999n)?.offset).toBe(79_999n);
    expect(performance.now() - start).toBeLessThan(5000);
  }, 30_000);
});
