/** From a row of the instruction table and its fields back to its words: the table read the other way. */
import { rows } from './instructions/index.ts';
import { type FieldName, fieldsOf, type Row } from './row.ts';

const byName: ReadonlyMap<string, Row> = new Map(rows.map((row) => [row.name, row]));

/** The row of this name. Throws for a name that no row has: a slip in a program, not in a guest. */
export function rowNamed(name: string): Row {
  const row = byName.get(name);
  if (row === undefined) throw new Error(`The instruction table has no row '${name}'.`);
  return row;
}

/** Bits of a field, all its parts together. */
export function widthOf(row: Row, field: FieldName): number {
  return row.slots.reduce((most, { name, width, shift }) => (name === field ? Math.max(most, width + shift) : most), 0);
}

/**
 * The word of an instruction, or a prefix and its suffix. Every field of the pattern must be given, in range and allocated; reserved bits are written as 0,
 * which is what the manual asks of software (book I, 1.3.3).
 */
export function encode(name: string, fields: Readonly<Partial<Record<FieldName, number>>>): readonly number[] {
  const row = rowNamed(name);
  const words = [row.match, row.suffix?.match ?? 0];
  for (const { name: field } of row.slots) {
    const value = fields[field];
    const width = widthOf(row, field);
    if (value === undefined || !Number.isInteger(value) || value < 0 || value >= 2 ** width) {
      throw new Error(`${name}: ${field} is ${value}, and should be 0 to ${2 ** width - 1}.`);
    }
  }
  for (const { name: field, word, low, width, shift } of row.slots) {
    const part = Math.floor((fields[field] as number) / 2 ** shift) % 2 ** width;
    words[word] = (words[word] as number) + part * 2 ** low;
  }
  const odd = Object.keys(fields).find((field) => !row.slots.some((slot) => slot.name === field));
  if (odd !== undefined) throw new Error(`${name} has no field ${odd}.`);
  const [word = 0, suffix = 0] = words;
  if (!row.allocated(fieldsOf(row, word, suffix)))
    throw new Error(`${name}: this form is invalid: ${JSON.stringify(fields)}.`);
  return row.suffix === undefined ? [word] : [word, suffix];
}
