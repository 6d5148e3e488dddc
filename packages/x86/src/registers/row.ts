/** How this architecture writes register rows: levels, groups of fields that many registers share, reserved bits. */
import type { Field, Register } from '@countervisor/contract';

/** CPL 3; CPL 0 to 2 (page tables know no more; CPL itself tells them apart); VMX root or the host of SVM. */
export type Level = 'user' | 'supervisor' | 'root';
export type Row = Register<string, Level, string>;
export type Rows = Readonly<Record<string, Row>>;
export type Fields = Readonly<Record<string, Field>>;

const name = (kind: string, high: number, low: number): string =>
  high === low ? `${kind}_${high}` : `${kind}_${high}_${low}`;

/** Reserved bits that read as 0 and ignore writes. Each argument is a bit or [high, low]. */
export function zero(...bits: readonly Field['bits'][]): Fields {
  return reserved('zero', bits);
}

/** Reserved bits that read as 1 and ignore writes. */
export function one(...bits: readonly Field['bits'][]): Fields {
  return reserved('one', bits);
}

/** Reserved bits: a write that sets one is refused with #GP(0). */
export function mustBe0(...bits: readonly Field['bits'][]): Fields {
  return reserved('must-be-0', bits);
}

function reserved(write: 'zero' | 'one' | 'must-be-0', bits: readonly Field['bits'][]): Fields {
  const fields: Record<string, Field> = {};
  for (const where of bits) {
    const [high, low] = typeof where === 'number' ? [where, where] : where;
    fields[name('RESERVED', high, low)] = { bits: where, means: 'Reserved.', write };
  }
  return fields;
}

/** One field over the low `width` bits. */
export function whole(means: string, write?: Field['write'], width = 64): Fields {
  return { VALUE: { bits: [width - 1, 0], means, ...(write !== undefined && { write }) } };
}

/** A bit or field of stored bits. */
export function field(bits: Field['bits'], means: string, write?: Field['write']): Field {
  return { bits, means, ...(write !== undefined && { write }) };
}

/** A register that no instruction names by an address: storage alone. */
export function slot(means: string, reset: bigint, more: Partial<Row> = {}): Row {
  return { width: 64, reset, read: 'user', write: 'user', fields: whole(means), ...more };
}

/** Storage of fewer bits. */
export function narrow(width: number, means: string, reset: bigint, more: Partial<Row> = {}): Row {
  return { width, reset, read: 'user', write: 'user', fields: whole(means, undefined, width), ...more };
}
