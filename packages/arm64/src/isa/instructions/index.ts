/** The instruction table, and which of its rows may overlap. */
import type { Row } from '../row.ts';
import { branch } from './branch.ts';
import { integer } from './integer.ts';
import { memory } from './memory.ts';

export const rows: readonly Row[] = [...integer, ...branch, ...memory];

/** [specific, general]: encodings that both rows match belong to the first. Any other overlap is an error, found by a test. */
export const OVERLAPS: readonly (readonly [specific: string, general: string])[] = [];
