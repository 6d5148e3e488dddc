/** Position-independent ELF files with relocations, for tests; written from gABI chapters 4 (Relocation) and 5 (Dynamic Section). */
import { type Made, makeElf, Writer } from './make-elf.ts';

export interface MadePie {
  readonly class: 32 | 64;
  readonly order: 'little' | 'big';
  /** Words at address 16 and on. */
  readonly words?: readonly bigint[];
  readonly rela?: readonly { readonly offset: bigint; readonly type: number; readonly addend: bigint }[];
  readonly rel?: readonly { readonly offset: bigint; readonly type: number }[];
  readonly relr?: readonly bigint[];
  /** Entries of the dynamic array, after those of the tables: later ones win. */
  readonly dynamic?: readonly (readonly [tag: bigint, value: bigint])[];
  /** Bytes of memory behind the file's. */
  readonly bss?: bigint;
}

/** R_AARCH64_RELATIVE and R_AARCH64_P32_RELATIVE (AAELF64, "Dynamic relocations"). */
export const RELATIVE = { 64: 1027, 32: 183 } as const;

const EXAMPLE = (bits: 32 | 64): Pick<Required<MadePie>, 'words' | 'rela' | 'rel' | 'relr'> => {
  const word = BigInt(bits / 8);
  return {
    words: [0x111n, 0x222n, 0x333n, 0x444n, 0x555n, 0x666n],
    rela: [{ offset: 16n, type: RELATIVE[bits], addend: 0x20n }],
    rel: [{ offset: 16n + word, type: RELATIVE[bits] }],
    // The word at index 2, then a bitmap: bit 1 is index 3, bit 3 is index 5.
    relr: [16n + 2n * word, 0b1011n],
  };
};

/** One loadable segment at 0: 16 bytes of code, the words, the three tables; a dynamic segment; with no tables given, an example of each. */
export function pieWithRelocations(pie: MadePie): Uint8Array {
  const { words, rela, rel, relr } =
    pie.rela || pie.rel || pie.relr || pie.dynamic
      ? { words: [], rela: [], rel: [], relr: [], ...pie }
      : EXAMPLE(pie.class);
  const word = pie.class / 8;
  const info = (type: number): bigint => BigInt(type); // symbol index 0 above it
  const image = new Writer(pie.order).raw(new Uint8Array(16));
  for (const value of words) image.put(value, word);
  const relaAt = image.out.length;
  for (const { offset, type, addend } of rela) image.put(offset, word).put(info(type), word).put(addend, word);
  const relAt = image.out.length;
  for (const { offset, type } of rel) image.put(offset, word).put(info(type), word);
  const relrAt = image.out.length;
  for (const value of relr) image.put(value, word);
  const end = image.out.length;

  const entries: (readonly [number | bigint, number | bigint])[] = [];
  if (rela.length > 0) entries.push([7, relaAt], [8, relAt - relaAt], [9, 3 * word]);
  if (rel.length > 0) entries.push([17, relAt], [18, relrAt - relAt], [19, 2 * word]);
  if (relr.length > 0) entries.push([36, relrAt], [35, end - relrAt], [37, word]);
  entries.push(...(pie.dynamic ?? []), [0, 0]);
  const dynamic = new Writer(pie.order);
  for (const [tag, value] of entries) dynamic.put(tag, word).put(value, word);

  const made: Made = {
    class: pie.class,
    order: pie.order,
    type: 3,
    machine: 183,
    entry: 0n,
    segments: [
      { vaddr: 0n, bytes: Uint8Array.from(image.out), memsz: BigInt(end) + (pie.bss ?? 0n), align: 0x1000n },
      { type: 2, vaddr: 0n, bytes: Uint8Array.from(dynamic.out), align: 8n },
    ],
    symbols: [{ name: 'start', value: 0n, size: 16n, type: 2 }],
  };
  return makeElf(made);
}
