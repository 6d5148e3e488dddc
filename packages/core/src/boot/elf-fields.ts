/** Where each field of an ELF structure stands, and how to read it in either class and byte order. System V gABI, chapters 4 and 5. */

/** Byte offset in the 32-bit and in the 64-bit class. */
type At = readonly [class32: number, class64: number];

/** File header, chapter 4, "ELF Header". */
export const HEADER = {
  bytes: [52, 64],
  type: [16, 16],
  machine: [18, 18],
  version: [20, 20],
  entry: [24, 24],
  phoff: [28, 32],
  shoff: [32, 40],
  flags: [36, 48],
  ehsize: [40, 52],
  phentsize: [42, 54],
  phnum: [44, 56],
  shentsize: [46, 58],
  shnum: [48, 60],
  shstrndx: [50, 62],
} as const;

/** Program header, chapter 5. */
export const SEGMENT = {
  bytes: [32, 56],
  type: [0, 0],
  flags: [24, 4],
  offset: [4, 8],
  vaddr: [8, 16],
  paddr: [12, 24],
  filesz: [16, 32],
  memsz: [20, 40],
  align: [28, 48],
} as const;

/** Section header, chapter 4, "Sections". */
export const SECTION = {
  bytes: [40, 64],
  name: [0, 0],
  type: [4, 4],
  flags: [8, 8],
  addr: [12, 16],
  offset: [16, 24],
  size: [20, 32],
  link: [24, 40],
  info: [28, 44],
  align: [32, 48],
  entsize: [36, 56],
} as const;

/** Symbol table entry, chapter 4, "Symbol Table". */
export const SYMBOL = {
  bytes: [16, 24],
  name: [0, 0],
  value: [4, 8],
  size: [8, 16],
  info: [12, 4],
  section: [14, 6],
} as const;

/** Relocation entries with and without addend, chapter 4, "Relocation"; and the dynamic array, chapter 5. */
export const RELOCATION = {
  relBytes: [8, 16],
  relaBytes: [12, 24],
  offset: [0, 0],
  info: [4, 8],
  addend: [8, 16],
} as const;

export const DYNAMIC = { bytes: [8, 16], tag: [0, 0], value: [4, 8] } as const;

/** Reads fields of one file. Callers have checked that what they read lies inside it. */
export class ElfFields {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly wide: boolean;
  readonly little: boolean;

  constructor(bytes: Uint8Array, wide: boolean, little: boolean) {
    // A plain Uint8Array: a Node Buffer would slice to Buffers.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.wide = wide;
    this.little = little;
  }

  /** The offset, or the size, of a row for this file's class. */
  of(row: At): number {
    return row[this.wide ? 1 : 0];
  }

  u8(at: number, row: At): number {
    return this.view.getUint8(at + this.of(row));
  }

  u16(at: number, row: At): number {
    return this.view.getUint16(at + this.of(row), this.little);
  }

  u32(at: number, row: At): number {
    return this.view.getUint32(at + this.of(row), this.little);
  }

  /** An address-sized field: 4 bytes or 8. */
  word(at: number, row: At): bigint {
    const offset = at + this.of(row);
    return this.wide ? this.view.getBigUint64(offset, this.little) : BigInt(this.view.getUint32(offset, this.little));
  }

  /** Does the string at an offset of a table go on past `most` bytes, it is cut there and ends in `…`. */
  string(start: number, end: number, most: number): string {
    const stop = Math.min(end, start + most + 1);
    let at = start;
    while (at < stop && this.bytes[at] !== 0) at++;
    const cut = at - start > most;
    const text = decoder.decode(this.bytes.subarray(start, cut ? start + most : at));
    return cut ? `${text}…` : text;
  }
}

const decoder = new TextDecoder();
