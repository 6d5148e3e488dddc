/** The instruction table, and which of its rows may overlap. */
import type { Row } from '../row.ts';
import { atomic } from './atomic.ts';
import { branch } from './branch.ts';
import { integer } from './integer.ts';
import { memory } from './memory.ts';
import { quiet, system } from './system.ts';
import { vector } from './vector.ts';

export const rows: readonly Row[] = [...integer, ...branch, ...memory, ...atomic, ...system, ...vector];

/** [specific, general]: encodings that both rows match belong to the first. Any other overlap is an error, found by a test. */
export const OVERLAPS: readonly (readonly [specific: string, general: string])[] = [
  ...[...quiet.map((row) => row.name), 'WFE', 'WFI'].map((name) => [name, 'HINT'] as const),
  ['DC ZVA', 'SYS'],
  // immh of 0 makes a shift by immediate a modified immediate.
  ['Advanced SIMD modified immediate', 'Advanced SIMD shift by immediate'],
];
