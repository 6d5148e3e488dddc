/** From 32 or 64 bits to one instruction. Power ISA 3.1B, book I, 1.6: rows stand in buckets by primary opcode and by bits 5:1, the specific before the general. */
import type { CodeReader, Decoded, Lifter, View } from '@countervisor/contract';
import { OVERLAPS, rows } from './instructions/index.ts';
import { FACILITY, facilityOfUser } from './operands.ts';
import { type Fields, fieldsOf, type Mode, type Row } from './row.ts';

/** Mode bits for `decode`. */
export const LITTLE_ENDIAN = 1;
export const NARROW = 2;
/** Before version 3.0: no OV32 and no CA32. */
export const EARLY = 4;

const MODES: readonly Mode[] = Array.from({ length: 8 }, (_, bits) => ({
  big: (bits & LITTLE_ENDIAN) === 0,
  sf: (bits & NARROW) === 0,
  low: (bits & EARLY) === 0,
}));

/** What the decoder must know beside the bytes: MSR[LE], MSR[SF] and the version. */
export function mode(view: Pick<View, 'get' | 'cpu'>): number {
  const msr = view.get('MSR');
  const little = (msr & 1n) === 0n ? 0 : LITTLE_ENDIAN;
  const narrow = msr >> 63n === 0n ? NARROW : 0;
  return little | narrow | (view.cpu.features.has('isa-3.0') ? 0 : EARLY);
}

/** The meaning of mode bits. */
export const modeOf = (bits: number): Mode => MODES[bits & 7] as Mode;

/** One decoded instruction, with what it was decoded from. */
export interface Instruction extends Decoded {
  readonly row: Row;
  readonly word: number;
  readonly suffix: number;
  readonly fields: Fields;
}

const bucketOf = (word: number): number => ((word >>> 26) << 5) | ((word >>> 1) & 31);

/** Rows by primary opcode and bits 5:1, each in every bucket that its pattern allows, specific rows before the general ones they overlap. */
export function buckets(all: readonly Row[]): readonly (readonly Row[])[] {
  const general = new Set(OVERLAPS.map(([, wide]) => wide));
  const order = [...all.filter((r) => !general.has(r.name)), ...all.filter((r) => general.has(r.name))];
  return Array.from({ length: 2048 }, (_, bucket) =>
    order.filter((r) => ((bucket ^ bucketOf(r.match)) & bucketOf(r.mask)) === 0),
  );
}

const table = buckets(rows);

/** Bits 0 to 5 of a prefix. */
export const isPrefix = (word: number): boolean => word >>> 26 === 1;

/** The row of a word, were every feature present; `suffix` counts behind a prefix alone. `undefined`: no instruction, or an invalid form. */
export function rowOf(word: number, suffix = 0): Row | undefined {
  return (table[bucketOf(word)] as readonly Row[]).find(
    (r) =>
      (word & r.mask) >>> 0 === r.match &&
      (r.suffix === undefined || (suffix & r.suffix.mask) >>> 0 === r.suffix.match) &&
      r.allocated(fieldsOf(r, word, suffix)),
  );
}

/** The instruction of a word, were every feature present. */
export function instruction(word: number, suffix: number, bits: number): Instruction | undefined {
  const row = rowOf(word, suffix);
  if (row === undefined) return undefined;
  const fields = fieldsOf(row, word, suffix);
  const { name, cost } = row;
  const signals = typeof row.signals === 'function' ? row.signals(fields) : row.signals;
  const means = modeOf(bits);
  const length = row.suffix === undefined ? 4 : 8;
  const lift = (b: Lifter): void => {
    // Book III, 6.2.10: FSCR[PREFIX] closes prefixed instructions to problem state.
    if (length === 8) facilityOfUser(b, FACILITY.PREFIX);
    row.lift(b, fields, means);
  };
  return { name, length, cost, signals, row, word, suffix, fields, lift };
}

const swapped = (word: number): number =>
  ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;

/** A prefixed instruction across a 64-byte boundary: 3.1, book I, 1.6.3; book III, 7.5.8. */
const across: Decoded = {
  name: 'prefix-across-64',
  length: 8,
  cost: 'system',
  signals: [],
  lift: (b) => b.raise('alignment', b.constant(b.pc)),
};

/** Decodes what stands at the reader's start. `undefined`: illegal on this CPU, or no memory there. */
export function decode(code: CodeReader, pc: bigint, bits: number, view: Pick<View, 'cpu'>): Decoded | undefined {
  const { big } = modeOf(bits);
  const word = code.u32(0);
  if (word === undefined) return undefined;
  const first = big ? swapped(word) : word;
  let suffix = 0;
  const { features } = view.cpu;
  if (isPrefix(first)) {
    if (!features.has('isa-3.1')) return undefined;
    if ((pc & 63n) === 60n) return across;
    const second = code.u32(4);
    if (second === undefined) return undefined;
    suffix = big ? swapped(second) : second;
  }
  const found = instruction(first, suffix, bits);
  if (found === undefined) return undefined;
  const { needs } = found.row;
  return needs === undefined || features.has(needs) ? found : undefined;
}
