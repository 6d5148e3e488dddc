/** Relative relocations, applied to a position-independent image that does not relocate itself. System V gABI, chapters 4 (Relocation) and 5 (Dynamic Section). */
import { type ElfImage, type ElfSegment, PT, SHT, segmentBytes } from './elf.ts';
import { DYNAMIC, RELOCATION } from './elf-fields.ts';
import type { Placed } from './elf-load.ts';
import { refuse } from './errors.ts';
import { hex } from './image.ts';

/** The number of R_<machine>_RELATIVE, "base address plus addend", which each machine's ABI supplement gives. */
export interface ElfRelative {
  /** `e_machine`. */
  readonly machine: number;
  readonly type: number;
}

/** gABI figure 5-10. */
const DT = {
  NULL: 0n,
  NEEDED: 1n,
  PLTRELSZ: 2n,
  RELA: 7n,
  RELASZ: 8n,
  RELAENT: 9n,
  REL: 17n,
  RELSZ: 18n,
  RELENT: 19n,
  RELRSZ: 35n,
  RELR: 36n,
  RELRENT: 37n,
} as const;

/**
 * Segments whose bytes differ from the file's, as copies.
 * @throws CV_ELF_RELOCATION for another type of relocation, a shared library that is needed, and places outside the file's bytes
 */
export function relocate(
  image: ElfImage,
  placed: readonly Placed[],
  bias: bigint,
  relative: ElfRelative,
): ReadonlyMap<ElfSegment, Uint8Array> {
  const { fields, file } = image;
  const patched = new Map<ElfSegment, Uint8Array>();
  const sorted = placed.map(({ segment }) => segment).filter((segment) => segment.filesz > 0);
  sorted.sort((a, b) => (a.vaddr < b.vaddr ? -1 : a.vaddr > b.vaddr ? 1 : 0));
  const wrong = (where: string, why: string) => refuse('CV_ELF_RELOCATION', { file, where, why });
  const wordBytes = fields.wide ? 8 : 4;

  /** The segment whose file bytes hold these addresses, by binary search: a hostile file has many segments and many relocations. */
  const holder = (address: bigint, size: bigint, where: string): ElfSegment => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]!.vaddr <= address) low = middle + 1;
      else high = middle;
    }
    const segment = sorted[low - 1];
    if (segment === undefined || address + size > segment.vaddr + BigInt(segment.filesz)) {
      throw wrong(where, `is at ${hex(address)}, which no segment of the file fills`);
    }
    return segment;
  };

  const dynamic = new Map<bigint, bigint>();
  // A linker script that lists its program headers may leave out PT_DYNAMIC; the section is there all the same.
  const segment = image.segments.find(({ type }) => type === PT.DYNAMIC);
  const section = image.sections.find(({ type }) => type === SHT.DYNAMIC);
  const [start, bytes] = segment
    ? [segment.offset, segment.filesz]
    : [Number(section?.offset ?? 0), Number(section?.size ?? 0)];
  if (bytes === 0) throw wrong('the image', 'has no dynamic section, so its relocations cannot be found');
  const each = fields.of(DYNAMIC.bytes);
  for (let at = start; at + each <= start + bytes; at += each) {
    const tag = fields.word(at, DYNAMIC.tag);
    if (tag === DT.NULL) break;
    if (tag === DT.NEEDED) throw wrong('its dynamic section', 'needs a shared library, and none is loaded here');
    dynamic.set(tag, fields.word(at, DYNAMIC.value));
  }
  if ((dynamic.get(DT.PLTRELSZ) ?? 0n) !== 0n) throw wrong('its dynamic section', 'has relocations for a PLT');

  /** Where a table of relocations stands in the file. */
  const table = (what: string, start: bigint, size: bigint, entry: bigint, expected: number) => {
    const bytes = dynamic.get(size) ?? 0n;
    if (bytes === 0n) return { at: 0, end: 0 };
    const address = dynamic.get(start);
    if (address === undefined) throw wrong(`its ${what} table`, 'has a size and no address');
    const given = dynamic.get(entry) ?? BigInt(expected);
    if (given !== BigInt(expected)) throw wrong(`its ${what} table`, `has entries of ${given} bytes, not ${expected}`);
    if (bytes % given !== 0n)
      throw wrong(`its ${what} table`, `is not a whole number of entries long (${bytes} bytes)`);
    const segment = holder(address, bytes, `its ${what} table`);
    const at = segment.offset + Number(address - segment.vaddr);
    return { at, end: at + Number(bytes) };
  };

  /** Adds the bias to the word at a link-time address; `addend` replaces what stands there. */
  const patch = (address: bigint, addend: bigint | undefined, where: string): void => {
    const segment = holder(address, BigInt(wordBytes), where);
    let bytes = patched.get(segment);
    if (bytes === undefined) {
      bytes = segmentBytes(image, segment).slice();
      patched.set(segment, bytes);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const at = Number(address - segment.vaddr);
    if (fields.wide) {
      view.setBigUint64(at, (addend ?? view.getBigUint64(at, fields.little)) + bias, fields.little);
    } else {
      const base = addend ?? BigInt(view.getUint32(at, fields.little));
      view.setUint32(at, Number(BigInt.asUintN(32, base + bias)), fields.little);
    }
  };

  const relaBytes = fields.of(RELOCATION.relaBytes);
  const relBytes = fields.of(RELOCATION.relBytes);
  for (const [what, bytes, { at: start, end }] of [
    ['RELA', relaBytes, table('RELA', DT.RELA, DT.RELASZ, DT.RELAENT, relaBytes)],
    ['REL', relBytes, table('REL', DT.REL, DT.RELSZ, DT.RELENT, relBytes)],
  ] as const) {
    for (let at = start; at < end; at += bytes) {
      const where = `${what} relocation ${(at - start) / bytes}`;
      const info = fields.word(at, RELOCATION.info);
      const type = Number(info & (fields.wide ? 0xffff_ffffn : 0xffn));
      if (type === 0) continue; // R_<machine>_NONE is 0 on every machine
      if (type !== relative.type)
        throw wrong(where, `is of type ${type}; only relative ones (type ${relative.type}) are applied`);
      patch(
        fields.word(at, RELOCATION.offset),
        what === 'RELA' ? fields.word(at, RELOCATION.addend) : undefined,
        where,
      );
    }
  }

  // RELR: an even word is an address; an odd one is a bitmap of the words after the last address (gABI, "Relative Relocation Table").
  const relr = table('RELR', DT.RELR, DT.RELRSZ, DT.RELRENT, wordBytes);
  const word = BigInt(wordBytes);
  let next = 0n;
  for (let at = relr.at; at < relr.end; at += wordBytes) {
    const entry = fields.word(at, [0, 0]);
    const where = `RELR entry ${(at - relr.at) / wordBytes}`;
    if ((entry & 1n) === 0n) {
      patch(entry, undefined, where);
      next = entry + word;
      continue;
    }
    for (let bit = 1n; bit < word * 8n; bit++) {
      if ((entry >> bit) & 1n) patch(next + (bit - 1n) * word, undefined, where);
    }
    next += (word * 8n - 1n) * word;
  }
  return patched;
}
