/** From 32 bits to one instruction. Arm DDI 0487, C4.1: rows stand in buckets by bits 28:21, the more specific first. */
import type { CodeReader, Decoded, View } from '@countervisor/contract';
import { OVERLAPS, rows } from './instructions/index.ts';
import { type FieldName, fieldsOf, type Row } from './row.ts';

/** Instruction length, bytes. */
const LENGTH = 4;

/** Mode bits for `decode`: set while PSTATE.IL is, when every instruction raises the Illegal Execution state exception (D1.4). */
export const ILLEGAL_STATE = 1;

/** One decoded A64 instruction, with what it was decoded from. */
export interface Instruction extends Decoded {
  readonly row: Row;
  readonly word: number;
  readonly fields: Readonly<Record<FieldName, number>>;
}

const bucketOf = (word: number): number => (word >>> 21) & 0xff;

/** Rows by bits 28:21. A row stands in each bucket that its pattern allows, specific rows before the general ones they overlap. */
export function buckets(all: readonly Row[]): readonly (readonly Row[])[] {
  const general = new Set(OVERLAPS.map(([, wide]) => wide));
  const order = [...all.filter((r) => !general.has(r.name)), ...all.filter((r) => general.has(r.name))];
  return Array.from({ length: 256 }, (_, bucket) =>
    order.filter((r) => ((bucket ^ bucketOf(r.match)) & bucketOf(r.mask)) === 0),
  );
}

const table = buckets(rows);

/** The row of a word, were every feature present. `undefined`: unallocated. */
export function rowOf(word: number): Row | undefined {
  return (table[bucketOf(word)] as readonly Row[]).find(
    (r) => (word & r.mask) >>> 0 === r.match && r.allocated(fieldsOf(r, word)),
  );
}

/** The instruction of a word, were every feature present. */
export function instruction(word: number): Instruction | undefined {
  const row = rowOf(word);
  if (row === undefined) return undefined;
  const fields = fieldsOf(row, word);
  const { name, cost, signals } = row;
  return { name, length: LENGTH, cost, signals, row, word, fields, lift: (b) => row.lift(b, fields) };
}

const illegal: Decoded = {
  name: 'illegal-state',
  length: LENGTH,
  cost: 'system',
  signals: [],
  lift: (b) => b.raise('illegal-state'),
};

/** Decodes the word at the reader's start. `undefined`: UNDEFINED on this CPU, or no memory there. */
export function decode(code: CodeReader, _pc: bigint, mode: number, view: Pick<View, 'cpu'>): Decoded | undefined {
  if ((mode & ILLEGAL_STATE) !== 0) return illegal;
  const word = code.u32(0);
  if (word === undefined) return undefined;
  const found = instruction(word);
  if (found === undefined) return undefined;
  const { needs } = found.row;
  return needs === undefined || view.cpu.features.has(needs) ? found : undefined;
}
