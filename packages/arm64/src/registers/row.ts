/** How this architecture writes register rows: levels, groups of fields that many registers share, reserved bits. */
import type { Field, Register } from '@countervisor/contract';

export type Level = 'el0' | 'el1' | 'el2';
export type Row = Register<string, Level, string>;
export type Rows = Readonly<Record<string, Row>>;
export type Fields = Readonly<Record<string, Field>>;

const name = (kind: string, high: number, low: number): string =>
  high === low ? `${kind}_${high}` : `${kind}_${high}_${low}`;

/** Reserved bits that read as 0 and ignore writes. Each argument is a bit or [high, low]. */
export function res0(...bits: readonly Field['bits'][]): Fields {
  return reserved('RES0', 'zero', bits);
}

/** Reserved bits that read as 1 and ignore writes. */
export function res1(...bits: readonly Field['bits'][]): Fields {
  return reserved('RES1', 'one', bits);
}

function reserved(kind: string, write: 'zero' | 'one', bits: readonly Field['bits'][]): Fields {
  const fields: Record<string, Field> = {};
  for (const where of bits) {
    const [high, low] = typeof where === 'number' ? [where, where] : where;
    fields[name(kind, high, low)] = { bits: where, means: 'Reserved.', write };
  }
  return fields;
}

/** One field over all 64 bits. */
export function whole(means: string, write?: Field['write']): Fields {
  return { VALUE: { bits: [63, 0], means, ...(write !== undefined && { write }) } };
}

/** A bit or field of stored bits. */
export function field(bits: Field['bits'], means: string, write?: Field['write']): Field {
  return { bits, means, ...(write !== undefined && { write }) };
}

/** A register that only the hypervisor model itself touches: no address, storage alone. */
export function slot(means: string, reset: bigint, more: Partial<Row> = {}): Row {
  return { width: 64, reset, read: 'el0', write: 'el0', fields: whole(means), ...more };
}
