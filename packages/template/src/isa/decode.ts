/** From 32 bits to one instruction. */
import type { CodeReader, Decoded } from '@countervisor/contract';
import { GENERAL_NAMES, type GeneralName } from '../registers/general.ts';
import { branch } from './instructions/branch.ts';
import { integer } from './instructions/integer.ts';
import { memory } from './instructions/memory.ts';
import { system } from './instructions/system.ts';
import { LENGTH, type OperandName, type Operands, type Row } from './row.ts';

/** Every instruction there is. An opcode without a row is undefined; so is 0, lest a jump into nothing run on. */
export const rows: readonly Row[] = [...integer, ...memory, ...branch, ...system];

const byOpcode: ReadonlyMap<number, Row> = new Map(rows.map((row) => [row.opcode, row]));

/** Where an operand stands in the word: its lowest bit and its width. */
export const PLACES: Readonly<Record<OperandName, readonly [low: number, width: number]>> = {
  a: [20, 4],
  b: [16, 4],
  c: [0, 4],
  imm: [0, 16],
  index: [0, 16],
};

const bits = (word: number, name: OperandName): number => (word >>> PLACES[name][0]) & (2 ** PLACES[name][1] - 1);

/** Bits that a row's operands take; all others are 0. */
const used = (row: Row): number =>
  row.operands.reduce((mask, name) => mask | ((2 ** PLACES[name][1] - 1) << PLACES[name][0]), 0xff << 24) >>> 0;

/** `undefined`: no such opcode, no such register, or a bit set that means nothing. */
export function decode(code: CodeReader): Decoded | undefined {
  const word = code.u32(0);
  const row = word === undefined ? undefined : byOpcode.get(word >>> 24);
  if (word === undefined || row === undefined || (word & ~used(row)) !== 0) return undefined;
  for (const name of row.operands) {
    if ((name === 'a' || name === 'b' || name === 'c') && GENERAL_NAMES[bits(word, name)] === undefined)
      return undefined;
  }
  const register = (name: 'a' | 'b' | 'c'): GeneralName => GENERAL_NAMES[bits(word, name)] ?? 'R0';
  const operands: Operands = {
    a: register('a'),
    b: register('b'),
    c: register('c'),
    imm: (word << 16) >> 16,
    index: word & 0xffff,
  };
  return {
    name: row.name,
    length: LENGTH,
    cost: row.cost,
    signals: row.signals,
    lift: (b) => row.lift(b, operands),
  };
}
