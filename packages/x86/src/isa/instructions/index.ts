/** The instruction table. */
import type { Row } from '../row.ts';
import { atomic } from './atomic.ts';
import { bits } from './bits.ts';
import { branches } from './branch.ts';
import { transfers } from './far.ts';
import { float } from './float.ts';
import { integer } from './integer.ts';
import { moving } from './move.ts';
import { shift } from './shift.ts';
import { string } from './string.ts';
import { system } from './system.ts';
import { vector } from './vector.ts';

export const rows: readonly Row[] = [
  ...integer,
  ...shift,
  ...moving,
  ...bits,
  ...atomic,
  ...string,
  ...branches,
  ...transfers,
  ...system,
  ...float,
  ...vector,
];
