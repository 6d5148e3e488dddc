/** Reads ELF files of both classes and byte orders, trusting nothing in them. System V gABI, chapters 4 (object files) and 5 (loading). */
import { ElfFields, HEADER, SECTION, SEGMENT, SYMBOL } from './elf-fields.ts';
import { ElfSymbols } from './elf-symbols.ts';
import { refuse } from './errors.ts';
import { hex } from './image.ts';

export const PT = { LOAD: 1, DYNAMIC: 2, INTERP: 3, NOTE: 4 } as const;
export const SHT = { NULL: 0, SYMTAB: 2, STRTAB: 3, DYNAMIC: 6, NOTE: 7, NOBITS: 8, DYNSYM: 11 } as const;
export const ET = { REL: 1, EXEC: 2, DYN: 3, CORE: 4 } as const;
const TYPES: Readonly<Record<number, string>> = {
  0: 'ET_NONE',
  1: 'a relocatable object (ET_REL)',
  2: 'an executable (ET_EXEC)',
  3: 'a position-independent executable or shared object (ET_DYN)',
  4: 'a core dump (ET_CORE)',
};

/** More program or section headers than this are refused: the file's own 16-bit counts reach no further. */
export const MOST_HEADERS = 65_535;
/** Bytes of a section's name that are kept. */
const LONGEST_NAME = 1024;
const PN_XNUM = 0xffff;
const SHN_XINDEX = 0xffff;

/** A program header. Offsets and file sizes are checked against the file, so they are plain numbers. */
export interface ElfSegment {
  /** Its place in the table. */
  readonly index: number;
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: bigint;
  readonly paddr: bigint;
  readonly filesz: number;
  readonly memsz: bigint;
  readonly align: bigint;
}

/** A section header. `size` is in memory; in the file for every type but NOBITS. */
export interface ElfSection {
  readonly index: number;
  /** Cut, and ended by `…`, beyond 1,024 bytes. */
  readonly name: string;
  readonly type: number;
  readonly flags: bigint;
  readonly addr: bigint;
  readonly offset: bigint;
  readonly size: bigint;
  readonly link: number;
  readonly info: number;
  readonly align: bigint;
  readonly entsize: bigint;
}

export interface ElfImage {
  /** As the user named it; every message begins with it. */
  readonly file: string;
  readonly fields: ElfFields;
  readonly class: 32 | 64;
  readonly order: 'little' | 'big';
  /** `e_type`, one of `ET`. */
  readonly type: number;
  readonly machine: number;
  readonly flags: number;
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  readonly sections: readonly ElfSection[];
  /** Of SHT_SYMTAB, or of SHT_DYNSYM in a stripped file; empty without either. Link-time addresses. */
  readonly symbols: ElfSymbols;
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** What the type of a file is called. */
export const elfType = (type: number): string => TYPES[type] ?? `of type ${type}`;

/**
 * Reads and checks the headers, the section table and the symbol table. Copies nothing: `segmentBytes` gives views into `bytes`.
 * @param file how the user named it
 * @throws CV_ELF_MAGIC, CV_ELF_TRUNCATED (an offset or size beyond the file), CV_ELF_FIELD, CV_ELF_LIMIT
 */
export function readElf(bytes: Uint8Array, file: string): ElfImage {
  const length = bytes.length;
  if (!isElf(bytes)) {
    const found = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    throw refuse('CV_ELF_MAGIC', { file, found: found === '' ? 'nothing' : found });
  }
  const field = (name: string, value: number | bigint, must: string) =>
    refuse('CV_ELF_FIELD', { file, field: name, value: hex(value), must });
  const within = (what: string, offset: bigint | number, size: bigint | number): void => {
    const end = BigInt(offset) + BigInt(size);
    if (end > BigInt(length)) throw refuse('CV_ELF_TRUNCATED', { file, what, end, length });
  };

  within('its identification', 0, 16);
  const [klass, data, version] = bytes.subarray(4, 7) as unknown as [number, number, number];
  if (klass !== 1 && klass !== 2) throw field('EI_CLASS', klass, '1 (32-bit) or 2 (64-bit)');
  if (data !== 1 && data !== 2) throw field('EI_DATA', data, '1 (little-endian) or 2 (big-endian)');
  if (version !== 1) throw field('EI_VERSION', version, '1');
  const read = new ElfFields(bytes, klass === 2, data === 1);
  const headerBytes = read.of(HEADER.bytes);
  within('its file header', 0, headerBytes);
  const half = (name: keyof typeof HEADER): number => read.u16(0, HEADER[name]);
  if (read.u32(0, HEADER.version) !== 1) throw field('e_version', read.u32(0, HEADER.version), '1');
  if (half('ehsize') !== headerBytes) throw field('e_ehsize', half('ehsize'), `${headerBytes} in this class`);

  /** Checks that a table of headers lies in the file, and says where it begins. */
  const table = (
    what: string,
    row: 'phoff' | 'shoff',
    size: 'phentsize' | 'shentsize',
    each: number,
    count: number,
  ) => {
    const offset = read.word(0, HEADER[row]);
    if (half(size) !== each) throw field(`e_${size}`, half(size), `${each} in this class`);
    if (count > MOST_HEADERS) throw refuse('CV_ELF_LIMIT', { file, what, count, most: MOST_HEADERS });
    within(`the table of ${what}`, offset, count * each);
    return Number(offset);
  };

  // Counts that do not fit 16 bits stand in section header 0 (gABI, "ELF Header": e_phnum, e_shnum, e_shstrndx).
  const shoff = read.word(0, HEADER.shoff);
  if (shoff === 0n && half('shnum') !== 0) throw field('e_shoff', shoff, 'an offset, as e_shnum is not 0');
  if (shoff !== 0n) table('section headers', 'shoff', 'shentsize', read.of(SECTION.bytes), Math.max(1, half('shnum')));
  const first = shoff === 0n ? undefined : readSection(read, Number(shoff), 0);
  const extended = (
    name: 'phnum' | 'shnum' | 'shstrndx',
    absent: number,
    value: bigint | number | undefined,
  ): number => {
    const short = half(name);
    if (short !== absent || value === undefined) return short;
    const long = BigInt(value);
    if (long > 0xffff_ffffn) throw field(`e_${name}`, long, 'a count of 32 bits');
    return Number(long);
  };
  const phnum = extended('phnum', PN_XNUM, first?.info || undefined);
  const shnum = extended('shnum', 0, first?.size);
  const shstrndx = extended('shstrndx', SHN_XINDEX, first?.link);

  const segments: ElfSegment[] = [];
  if (phnum > 0) {
    const each = read.of(SEGMENT.bytes);
    const start = table('program headers', 'phoff', 'phentsize', each, phnum);
    for (let index = 0; index < phnum; index++) {
      const at = start + index * each;
      const offset = read.word(at, SEGMENT.offset);
      const filesz = read.word(at, SEGMENT.filesz);
      // A null entry's other members are undefined.
      if (read.u32(at, SEGMENT.type) !== 0) within(`segment ${index}`, filesz === 0n ? 0n : offset, filesz);
      segments.push({
        index,
        type: read.u32(at, SEGMENT.type),
        flags: read.u32(at, SEGMENT.flags),
        offset: Number(offset),
        vaddr: read.word(at, SEGMENT.vaddr),
        paddr: read.word(at, SEGMENT.paddr),
        filesz: Number(filesz),
        memsz: read.word(at, SEGMENT.memsz),
        align: read.word(at, SEGMENT.align),
      });
    }
  }
  for (const segment of segments) checkSegment(segment, klass === 2, field);

  let sections: RawSection[] = [];
  if (shnum > 0) {
    const each = read.of(SECTION.bytes);
    const start = table('section headers', 'shoff', 'shentsize', each, shnum);
    sections = Array.from({ length: shnum }, (_, index) => readSection(read, start + index * each, index));
  }
  for (const section of sections) {
    if (section.type === SHT.NULL || section.type === SHT.NOBITS || section.size === 0n) continue;
    within(`section ${section.index}`, section.offset, section.size);
  }
  const strings = (owner: string, index: number): RawSection => {
    const found = sections[index];
    if (found?.type !== SHT.STRTAB)
      throw field(`${owner}'s string table`, index, 'the index of a section of type STRTAB');
    if (found.size > 0n && bytes[Number(found.offset + found.size) - 1] !== 0) {
      throw refuse('CV_ELF_FIELD', {
        file,
        field: `${owner}'s string table`,
        value: 'open-ended',
        must: 'ended by a NUL',
      });
    }
    return found;
  };

  return {
    file,
    fields: read,
    class: klass === 2 ? 64 : 32,
    order: data === 1 ? 'little' : 'big',
    type: half('type'),
    machine: half('machine'),
    flags: read.u32(0, HEADER.flags),
    entry: read.word(0, HEADER.entry),
    segments,
    sections: named(shstrndx === 0 || sections.length === 0 ? undefined : strings('e_shstrndx', shstrndx)),
    symbols: symbols(),
  };

  function named(table: RawSection | undefined): ElfSection[] {
    // Many sections may share one name; a hostile file must not make us decode it thousands of times.
    const known = new Map<number, string>();
    return sections.map(({ nameAt, ...section }) => {
      if (table === undefined) return { ...section, name: '' };
      if (BigInt(nameAt) >= table.size && nameAt !== 0) {
        throw field(`the name of section ${section.index}`, nameAt, 'an offset in the section name table');
      }
      let name = known.get(nameAt);
      if (name === undefined) {
        const start = Number(table.offset);
        name = read.string(start + nameAt, start + Number(table.size), LONGEST_NAME);
        known.set(nameAt, name);
      }
      return { ...section, name };
    });
  }

  function symbols(): ElfSymbols {
    const tables = sections.filter((section) => section.type === SHT.SYMTAB);
    if (tables.length > 1) throw field('the number of symbol tables', tables.length, '0 or 1');
    const symtab = tables[0] ?? sections.find((section) => section.type === SHT.DYNSYM);
    if (symtab === undefined) return new ElfSymbols(read, { start: 0, count: 0, names: 0, namesEnd: 0 }, sections);
    const each = BigInt(read.of(SYMBOL.bytes));
    if (symtab.entsize !== each) throw field('sh_entsize of the symbol table', symtab.entsize, `${each} in this class`);
    if (symtab.size % each !== 0n) throw field('the size of the symbol table', symtab.size, `a multiple of ${each}`);
    const table = strings('the symbol table', symtab.link);
    const start = Number(symtab.offset);
    const count = Number(symtab.size / each);
    for (let index = 0; index < count; index++) {
      const name = read.u32(start + index * Number(each), SYMBOL.name);
      if (name !== 0 && BigInt(name) >= table.size) {
        throw field(`the name of symbol ${index}`, name, 'an offset in its string table');
      }
    }
    const names = Number(table.offset);
    return new ElfSymbols(read, { start, count, names, namesEnd: names + Number(table.size) }, sections);
  }
}

type RawSection = Omit<ElfSection, 'name'> & { readonly nameAt: number };

function readSection(read: ElfFields, at: number, index: number): RawSection {
  return {
    index,
    nameAt: read.u32(at, SECTION.name),
    type: read.u32(at, SECTION.type),
    flags: read.word(at, SECTION.flags),
    addr: read.word(at, SECTION.addr),
    offset: read.word(at, SECTION.offset),
    size: read.word(at, SECTION.size),
    link: read.u32(at, SECTION.link),
    info: read.u32(at, SECTION.info),
    align: read.word(at, SECTION.align),
    entsize: read.word(at, SECTION.entsize),
  };
}

/**
 * gABI chapter 5: memory is at least as large as what fills it, alignment is a power of two. That vaddr and offset are congruent matters to
 * those who map pages; we copy, and images rewrapped by objcopy need not keep it.
 */
function checkSegment(
  segment: ElfSegment,
  wide: boolean,
  field: (name: string, value: number | bigint, must: string) => Error,
): void {
  if (segment.type !== PT.LOAD) return;
  const top = 1n << (wide ? 64n : 32n);
  const name = (row: string): string => `${row} of segment ${segment.index}`;
  const { filesz, memsz, align } = segment;
  if (BigInt(filesz) > memsz) throw field(name('p_filesz'), filesz, `at most its p_memsz, ${hex(memsz)}`);
  for (const row of ['vaddr', 'paddr'] as const) {
    if (segment[row] + memsz > top) throw field(name(`p_${row}`), segment[row], 'low enough for all of p_memsz');
  }
  if ((align & (align - 1n)) !== 0n && align !== 0n) throw field(name('p_align'), align, '0 or a power of two');
}

/** The file's bytes of a segment: a view, not a copy. */
export function segmentBytes(image: ElfImage, segment: ElfSegment): Uint8Array {
  return image.fields.bytes.subarray(segment.offset, segment.offset + segment.filesz);
}
