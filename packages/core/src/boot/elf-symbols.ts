/** The symbols of an ELF file, decoded when asked for, and the search from an address to the symbol around it. System V gABI, chapter 4, "Symbol Table". */
import { type ElfFields, SYMBOL } from './elf-fields.ts';

const TYPES: Readonly<Record<number, string>> = {
  0: 'NOTYPE',
  1: 'OBJECT',
  2: 'FUNC',
  3: 'SECTION',
  4: 'FILE',
  5: 'COMMON',
  6: 'TLS',
  10: 'IFUNC', // STT_GNU_IFUNC
};
const BINDINGS: Readonly<Record<number, string>> = { 0: 'LOCAL', 1: 'GLOBAL', 2: 'WEAK', 10: 'UNIQUE' };
const SHN_UNDEF = 0;
const SHN_LORESERVE = 0xff00;
/** Bytes of a symbol's name that are kept. */
const LONGEST_NAME = 4096;
const DOLLAR = 0x24;

export interface ElfSymbol {
  /** Cut, and ended by `…`, beyond 4,096 bytes. */
  readonly name: string;
  /** Its address, where the image was loaded; `st_value` as it stands for undefined and absolute symbols. */
  readonly value: bigint;
  /** Bytes; 0 where the file gives none, as for most labels of assembly. */
  readonly size: bigint;
  /** As readelf prints it: FUNC, OBJECT, NOTYPE …; `STT_n` for others. */
  readonly type: string;
  /** As readelf prints it: LOCAL, GLOBAL, WEAK; `STB_n` for others. */
  readonly binding: string;
  /** `st_shndx`: the index of its section, or a reserved number from 0xff00 on. */
  readonly section: number;
}

export interface SymbolTable {
  readonly start: number;
  readonly count: number;
  /** The string table, as offsets into the file. */
  readonly names: number;
  readonly namesEnd: number;
}

interface SectionSpan {
  readonly addr: bigint;
  readonly size: bigint;
}

/** Sorted by start, one symbol for each start; `around` is the row that encloses it, or -1. */
interface Index {
  readonly symbols: Int32Array;
  readonly starts: BigUint64Array;
  readonly ends: BigUint64Array;
  readonly around: Int32Array;
}

export class ElfSymbols implements Iterable<ElfSymbol> {
  readonly length: number;
  readonly #fields: ElfFields;
  readonly #table: SymbolTable;
  readonly #sections: readonly SectionSpan[];
  readonly #bias: bigint;
  #index: Index | undefined;

  constructor(fields: ElfFields, table: SymbolTable, sections: readonly SectionSpan[], bias: bigint = 0n) {
    this.length = table.count;
    this.#fields = fields;
    this.#table = table;
    this.#sections = sections;
    this.#bias = bias;
  }

  /** The same symbols in an image that was loaded this far from where it was linked (modulo 2^64). */
  biased(bias: bigint): ElfSymbols {
    return new ElfSymbols(this.#fields, this.#table, this.#sections, bias);
  }

  /** The symbol at a place of the table, in file order. */
  at(index: number): ElfSymbol | undefined {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) return undefined;
    const read = this.#fields;
    const at = this.#record(index);
    const info = read.u8(at, SYMBOL.info);
    const section = read.u16(at, SYMBOL.section);
    const value = read.word(at, SYMBOL.value);
    return {
      name: read.string(this.#table.names + read.u32(at, SYMBOL.name), this.#table.namesEnd, LONGEST_NAME),
      value: section === SHN_UNDEF || section >= SHN_LORESERVE ? value : BigInt.asUintN(64, value + this.#bias),
      size: read.word(at, SYMBOL.size),
      type: TYPES[info & 15] ?? `STT_${info & 15}`,
      binding: BINDINGS[info >> 4] ?? `STB_${info >> 4}`,
      section,
    };
  }

  *[Symbol.iterator](): IterableIterator<ElfSymbol> {
    for (let index = 0; index < this.length; index++) yield this.at(index)!;
  }

  /** The first defined symbol of a name; global and weak ones before local ones. */
  named(name: string): ElfSymbol | undefined {
    const wanted = new TextEncoder().encode(name);
    let local: number | undefined;
    for (let index = 0; index < this.length; index++) {
      const at = this.#record(index);
      if (this.#fields.u16(at, SYMBOL.section) === SHN_UNDEF || !this.#isNamed(at, wanted)) continue;
      if (this.#fields.u8(at, SYMBOL.info) >> 4 !== 0) return this.at(index);
      local ??= index;
    }
    return local === undefined ? undefined : this.at(local);
  }

  /**
   * The innermost function, object or label around an address, and how far into it the address is. A symbol without a size reaches to
   * the next one, or to the end of its section.
   */
  find(address: bigint): { readonly symbol: ElfSymbol; readonly offset: bigint } | undefined {
    this.#index ??= this.#build();
    const { symbols, starts, ends, around } = this.#index;
    const linked = BigInt.asUintN(64, address - this.#bias);
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= linked) low = middle + 1;
      else high = middle;
    }
    let row = low - 1;
    while (row >= 0 && ends[row]! <= linked) row = around[row]!;
    return row < 0 ? undefined : { symbol: this.at(symbols[row]!)!, offset: linked - starts[row]! };
  }

  #record(index: number): number {
    return this.#table.start + index * this.#fields.of(SYMBOL.bytes);
  }

  #isNamed(at: number, wanted: Uint8Array): boolean {
    const { bytes } = this.#fields;
    const start = this.#table.names + this.#fields.u32(at, SYMBOL.name);
    if (start + wanted.length >= this.#table.namesEnd || bytes[start + wanted.length] !== 0) return false;
    return wanted.every((byte, i) => bytes[start + i] === byte);
  }

  /** Code, data and labels of this file's own sections. `$…` names are the mapping symbols that several ABIs put between code and data. */
  #isPlace(at: number): boolean {
    const type = this.#fields.u8(at, SYMBOL.info) & 15;
    const section = this.#fields.u16(at, SYMBOL.section);
    if (type > 2 && type !== 10) return false;
    if (section === SHN_UNDEF || section >= SHN_LORESERVE) return false;
    const name = this.#fields.bytes[this.#table.names + this.#fields.u32(at, SYMBOL.name)];
    return name !== undefined && name !== 0 && name !== DOLLAR;
  }

  /** Of several symbols at one address: a function before an object before a label, then the larger, then a global one. */
  #rank(at: number): readonly [type: number, size: bigint, binding: number] {
    const info = this.#fields.u8(at, SYMBOL.info);
    const type = info & 15;
    return [type === 10 ? 2 : ([0, 1, 2][type] ?? 0), this.#fields.word(at, SYMBOL.size), info >> 4 === 0 ? 0 : 1];
  }

  #build(): Index {
    const value = (index: number): bigint => this.#fields.word(this.#record(index), SYMBOL.value);
    const best = new Map<bigint, number>();
    for (let index = 0; index < this.length; index++) {
      const at = this.#record(index);
      if (!this.#isPlace(at)) continue;
      const before = best.get(value(index));
      if (before === undefined || better(this.#rank(at), this.#rank(this.#record(before))))
        best.set(value(index), index);
    }
    const starts = BigUint64Array.from(best.keys()).sort();
    const symbols = Int32Array.from(starts, (start) => best.get(start)!);
    const ends = new BigUint64Array(starts.length);
    const around = new Int32Array(starts.length).fill(-1);
    const open: number[] = [];
    starts.forEach((start, row) => {
      while (open.length > 0 && ends[open.at(-1)!]! <= start) open.pop();
      around[row] = open.at(-1) ?? -1;
      ends[row] = this.#end(symbols[row]!, start, starts[row + 1], around[row] === -1 ? undefined : ends[around[row]!]);
      open.push(row);
    });
    return { symbols, starts, ends, around };
  }

  #end(index: number, start: bigint, next: bigint | undefined, enclosing: bigint | undefined): bigint {
    const at = this.#record(index);
    const most = (1n << 64n) - 1n;
    const size = this.#fields.word(at, SYMBOL.size);
    if (size > 0n) return start + size > most ? most : start + size;
    const section = this.#sections[this.#fields.u16(at, SYMBOL.section)];
    const limits = [next, enclosing, section === undefined ? undefined : section.addr + section.size];
    const end = limits.reduce<bigint>((least, limit) => (limit !== undefined && limit < least ? limit : least), most);
    return end > start ? end : start + 1n;
  }
}

type Rank = readonly [number, bigint, number];

function better(a: Rank, b: Rank): boolean {
  if (a[0] !== b[0]) return a[0] > b[0];
  if (a[1] !== b[1]) return a[1] > b[1];
  return a[2] > b[2];
}
