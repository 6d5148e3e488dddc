/** How this architecture writes register rows: levels, whole registers, reserved bits, slots without an address. */
import type { Field, Register } from '@countervisor/contract';

export type Level = 'problem' | 'supervisor' | 'hypervisor';
export type Row = Register<string, Level, string>;
export type Rows = Readonly<Record<string, Row>>;
export type Fields = Readonly<Record<string, Field>>;

/**
 * The manual numbers bits from 0 = most significant; tables here from 0 = least significant, as everywhere in this project.
 * `ibm(48)` is bit 48 of a doubleword, `ibm(44, 47)` a field of it; for a 32-bit register as the manual draws it, bits 32 to 63.
 */
export function ibm(first: number, last: number = first): Field['bits'] {
  return first === last ? 63 - first : [63 - first, 63 - last];
}

/** Reserved bits that read as 0 and ignore writes. Each argument is a bit or [high, low]. */
export function reserved(...bits: readonly Field['bits'][]): Fields {
  const fields: Record<string, Field> = {};
  for (const where of bits) {
    const [high, low] = typeof where === 'number' ? [where, where] : where;
    const name = high === low ? `RESERVED_${high}` : `RESERVED_${high}_${low}`;
    fields[name] = { bits: where, means: 'Reserved.', write: 'zero' };
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

/** A register that instructions reach by name alone: no address, so the access road never sees it. */
export function slot(means: string, reset: bigint, more: Partial<Row> = {}): Row {
  return { width: 64, reset, read: 'problem', write: 'problem', fields: whole(means), ...more };
}
