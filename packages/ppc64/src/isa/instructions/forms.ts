/** How the manual's formats turn into rows: patterns by format, and the forms with and without OE, Rc, LK. Power ISA 3.0B, book I, 1.6.1. */
import type { Lifter } from '@countervisor/contract';
import { bin, type CostClass, type Fields, type Mode, type Row, row } from '../row.ts';

/** What stands in all forms of one mnemonic. */
export interface Form {
  readonly name: string;
  /** Extended opcode. */
  readonly xo: number;
  readonly source: string;
  readonly needs?: string;
  readonly cost?: CostClass;
  readonly allocated?: (f: Fields) => boolean;
}

export interface Variant {
  readonly oe: boolean;
  readonly rc: boolean;
}

const more = ({ needs, allocated }: Form) => ({
  ...(needs !== undefined && { needs }),
  ...(allocated && { allocated }),
});

/** XO-form of opcode 31: with OE and Rc, four rows; `b` says what stands where RB does. */
export function xoForms(
  form: Form & { readonly b?: 'RB' | '/////'; readonly oe?: false; readonly rc?: false },
  lift: (b: Lifter, f: Fields, mode: Mode, variant: Variant) => void,
): Row[] {
  const third = form.b ?? 'RB';
  const syntax = third === 'RB' ? 'RT RA RB' : 'RT RA';
  const all = [false, true].flatMap((oe) => [false, true].map((rc) => ({ oe, rc })));
  return all
    .filter(({ oe, rc }) => (!oe || form.oe !== false) && (!rc || form.rc !== false))
    .map(({ oe, rc }) =>
      row(
        `${form.name}${oe ? 'o' : ''}${rc ? '.' : ''}`,
        form.cost ?? 'alu',
        // Where there is no OE, its place is reserved, or belongs to the opcode.
        `011111 RT RA ${third} ${form.oe === false ? '/' : oe ? '1' : '0'} ${bin(form.xo, 9)} ${rc ? '1' : '0'}` as string,
        syntax,
        form.source,
        (b, f, mode) => lift(b, f, mode, { oe, rc }),
        more(form),
      ),
    );
}

/** X-form of opcode 31 with Rc: `operands` are the three fields of the pattern, `syntax` the assembler's order. */
export function xForms(
  form: Form & { readonly rc?: false },
  operands: string,
  syntax: string,
  lift: (b: Lifter, f: Fields, mode: Mode, rc: boolean) => void,
): Row[] {
  return [false, true]
    .filter((rc) => !rc || form.rc !== false)
    .map((rc) =>
      row(
        `${form.name}${rc ? '.' : ''}`,
        form.cost ?? 'alu',
        `011111 ${operands} ${bin(form.xo, 10)} ${form.rc === false ? '/' : rc ? '1' : '0'}` as string,
        syntax,
        form.source,
        (b, f, mode) => lift(b, f, mode, rc),
        more(form),
      ),
    );
}

/** X-form of opcode 31 without Rc. */
export const xForm = (
  form: Form,
  operands: string,
  syntax: string,
  lift: (b: Lifter, f: Fields, mode: Mode) => void,
): Row => xForms({ ...form, rc: false }, operands, syntax, (b, f, mode) => lift(b, f, mode))[0] as Row;

/** D-form: opcode, register, RA, 16 bits. */
export function dForm(
  name: string,
  opcode: number,
  operands: string,
  syntax: string,
  source: string,
  lift: (b: Lifter, f: Fields, mode: Mode) => void,
  cost: CostClass = 'alu',
): Row {
  return row(name, cost, `${bin(opcode, 6)} ${operands}` as string, syntax, source, lift);
}
