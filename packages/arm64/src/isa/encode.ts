/** From a row of the instruction table and its fields back to 32 bits: the table read the other way. */
import { rows } from './instructions/index.ts';
import { type FieldName, fieldsOf, type Row } from './row.ts';

const byName: ReadonlyMap<string, Row> = new Map(rows.map((row) => [row.name, row]));

/** The row of this name. Throws for a name that no row has: a slip in a program, not in a guest. */
export function rowNamed(name: string): Row {
  const row = byName.get(name);
  if (row === undefined) throw new Error(`The instruction table has no row '${name}'.`);
  return row;
}

/**
 * The word of an instruction. Every field of the pattern must be given, in range and allocated; ignored bits (`x`) are written as 1, which is
 * what the manual asks for where it says should-be-one.
 */
export function encode(name: string, fields: Readonly<Partial<Record<FieldName, number>>>): number {
  const row = rowNamed(name);
  const used = row.slots.reduce((sum, { low, width }) => sum + (2 ** width - 1) * 2 ** low, row.mask);
  let word = row.match + (0xffff_ffff - used);
  for (const { name: field, low, width } of row.slots) {
    const value = fields[field];
    if (value === undefined || !Number.isInteger(value) || value < 0 || value >= 2 ** width) {
      throw new Error(`${name}: ${field} is ${value}, and should be 0 to ${2 ** width - 1}.`);
    }
    word += value * 2 ** low;
  }
  const odd = Object.keys(fields).find((field) => !row.slots.some((slot) => slot.name === field));
  if (odd !== undefined) throw new Error(`${name} has no field ${odd}.`);
  if (!row.allocated(fieldsOf(row, word)))
    throw new Error(`${name}: these fields are not allocated: ${JSON.stringify(fields)}.`);
  return word;
}
