/** The instruction table, and which of its rows may overlap. */
import type { Row } from '../row.ts';
import { atomic } from './atomic.ts';
import { branch } from './branch.ts';
import { condition } from './condition.ts';
import { integer } from './integer.ts';
import { logical } from './logical.ts';
import { memory } from './memory.ts';
import { prefixed } from './prefixed.ts';
import { system } from './system.ts';
import { vector } from './vector.ts';

export const rows: readonly Row[] = [
  ...integer,
  ...logical,
  ...memory,
  ...atomic,
  ...branch,
  ...condition,
  ...system,
  ...prefixed,
  ...vector,
];

/** [specific, general]: encodings that both rows match belong to the first. Any other overlap is an error, found by a test. */
export const OVERLAPS: readonly (readonly [specific: string, general: string])[] = [
  ...['maddhd', 'maddhdu', 'maddld'].map((name) => [name, 'vector (opcode 4)'] as const),
  ['quad-precision (opcode 63)', 'floating point (opcode 63)'],
];
