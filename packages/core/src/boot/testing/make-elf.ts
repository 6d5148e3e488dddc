/**
 * Writes ELF files for tests, field after field in the order in which gABI chapters 4 and 5 print the structures. It shares nothing with the
 * reader; readelf judges what it writes (elf.test.ts).
 */
export interface MadeSegment {
  readonly type?: number;
  readonly flags?: number;
  readonly vaddr: bigint;
  /** As vaddr, if not given. */
  readonly paddr?: bigint;
  readonly bytes: Uint8Array;
  /** As many as bytes, if not given. */
  readonly memsz?: bigint;
  readonly align?: bigint;
}

export interface MadeSymbol {
  readonly name: string;
  readonly value: bigint;
  readonly size?: bigint;
  /** STT_ number; NOTYPE if not given. */
  readonly type?: number;
  /** STB_ number; LOCAL if not given. */
  readonly bind?: number;
  /** Section 1, `.text`, if not given. */
  readonly section?: number;
}

export interface Made {
  readonly class: 32 | 64;
  readonly order: 'little' | 'big';
  readonly type: number;
  readonly machine: number;
  readonly entry: bigint;
  readonly segments: readonly MadeSegment[];
  /** With symbols the file gets sections: .text (the first segment), .symtab, .strtab, .shstrtab. */
  readonly symbols?: readonly MadeSymbol[];
}

/** Bytes one after another, in one byte order. */
export class Writer {
  readonly out: number[] = [];
  readonly little: boolean;
  constructor(order: 'little' | 'big') {
    this.little = order === 'little';
  }
  put(value: bigint | number, bytes: number): this {
    const each = Array.from({ length: bytes }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 0xffn));
    this.out.push(...(this.little ? each : each.reverse()));
    return this;
  }
  raw(bytes: Iterable<number>): this {
    for (const byte of bytes) this.out.push(byte);
    return this;
  }
}

const text = (names: readonly string[]): { bytes: Uint8Array; at: (name: string) => number } => {
  const joined = `\0${names.join('\0')}\0`;
  return {
    bytes: new TextEncoder().encode(joined),
    at: (name) => (name === '' ? 0 : joined.indexOf(`\0${name}\0`) + 1),
  };
};

export function makeElf(made: Made): Uint8Array {
  const wide = made.class === 64;
  const word = wide ? 8 : 4;
  const headerBytes = wide ? 64 : 52;
  const segmentBytes = wide ? 56 : 32;
  const sectionBytes = wide ? 64 : 40;
  let at = headerBytes + segmentBytes * made.segments.length;
  const placed = made.segments.map((segment) => {
    const offset = at;
    at += segment.bytes.length;
    return { ...segment, offset };
  });

  const symbols = made.symbols;
  const names = text((symbols ?? []).map(({ name }) => name));
  const sectionNames = text(['.text', '.symtab', '.strtab', '.shstrtab']);
  const table = new Writer(made.order);
  if (symbols !== undefined) {
    for (const symbol of [{ name: '', value: 0n, section: 0 }, ...symbols] as MadeSymbol[]) {
      const info = ((symbol.bind ?? 0) << 4) | (symbol.type ?? 0);
      table.put(names.at(symbol.name), 4);
      if (wide)
        table
          .put(info, 1)
          .put(0, 1)
          .put(symbol.section ?? 1, 2)
          .put(symbol.value, 8)
          .put(symbol.size ?? 0n, 8);
      else
        table
          .put(symbol.value, 4)
          .put(symbol.size ?? 0n, 4)
          .put(info, 1)
          .put(0, 1)
          .put(symbol.section ?? 1, 2);
    }
  }
  const symtabAt = at;
  const strtabAt = symtabAt + table.out.length;
  const shstrtabAt = strtabAt + names.bytes.length;
  const shoff = shstrtabAt + sectionNames.bytes.length;
  const withSections = symbols !== undefined;

  const out = new Writer(made.order);
  out.raw([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, made.order === 'little' ? 1 : 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  out.put(made.type, 2).put(made.machine, 2).put(1, 4).put(made.entry, word);
  out
    .put(made.segments.length > 0 ? headerBytes : 0, word)
    .put(withSections ? shoff : 0, word)
    .put(0, 4);
  out.put(headerBytes, 2).put(segmentBytes, 2).put(made.segments.length, 2);
  out
    .put(sectionBytes, 2)
    .put(withSections ? 5 : 0, 2)
    .put(withSections ? 4 : 0, 2);
  for (const { type = 1, flags = 5, offset, vaddr, paddr = vaddr, bytes, memsz, align = 1n } of placed) {
    const sizes = () => out.put(bytes.length, word).put(memsz ?? bytes.length, word);
    if (wide) out.put(type, 4).put(flags, 4).put(offset, 8).put(vaddr, 8).put(paddr, 8);
    else out.put(type, 4).put(offset, 4).put(vaddr, 4).put(paddr, 4);
    sizes();
    if (!wide) out.put(flags, 4);
    out.put(align, word);
  }
  for (const { bytes } of placed) out.raw(bytes);
  if (!withSections) return Uint8Array.from(out.out);

  out.raw(table.out).raw(names.bytes).raw(sectionNames.bytes);
  const section = (
    name: string,
    type: number,
    flags: number,
    addr: bigint,
    offset: number,
    size: number,
    link = 0,
    entsize = 0,
  ) =>
    out
      .put(sectionNames.at(name), 4)
      .put(type, 4)
      .put(flags, word)
      .put(addr, word)
      .put(offset, word)
      .put(size, word)
      .put(link, 4)
      .put(type === 2 ? 1 : 0, 4)
      .put(1, word)
      .put(entsize, word);
  const first = placed[0];
  section('', 0, 0, 0n, 0, 0);
  section('.text', 1, 6, first?.vaddr ?? 0n, first?.offset ?? 0, first?.bytes.length ?? 0);
  section('.symtab', 2, 0, 0n, symtabAt, table.out.length, 3, wide ? 24 : 16);
  section('.strtab', 3, 0, 0n, strtabAt, names.bytes.length);
  section('.shstrtab', 3, 0, 0n, shstrtabAt, sectionNames.bytes.length);
  return Uint8Array.from(out.out);
}
