/** The condition register. Power ISA 3.0B, book I, 2.5 and 3.3.17. */
import type { Lifter, Value } from '@countervisor/contract';
import { CR, crBit, gpr, setCrBit, setGpr, wholeCr } from '../operands.ts';
import { bin, type Row, row } from '../row.ts';

const LOGIC: readonly (readonly [name: string, xo: number, of: (b: Lifter, x: Value, y: Value) => Value])[] = [
  ['crand', 257, (b, x, y) => b.and(x, y)],
  ['cror', 449, (b, x, y) => b.or(x, y)],
  ['crxor', 193, (b, x, y) => b.xor(x, y)],
  ['crnand', 225, (b, x, y) => b.not(b.and(x, y))],
  ['crnor', 33, (b, x, y) => b.not(b.or(x, y))],
  ['creqv', 289, (b, x, y) => b.not(b.xor(x, y))],
  ['crandc', 129, (b, x, y) => b.and(x, b.not(y))],
  ['crorc', 417, (b, x, y) => b.or(x, b.not(y))],
];

const logic: readonly Row[] = LOGIC.map(([name, xo, of]) =>
  row(name, 'condition', `010011 BT BA BB ${bin(xo, 10)} /` as string, 'BT BA BB', '2.5.1', (b, f) =>
    setCrBit(b, f.BT, b.and(of(b, crBit(b, f.BA), crBit(b, f.BB)), b.constant(1))),
  ),
);

/** Sets the fields that FXM selects, most significant bit first, from the low word of a register. */
function setFields(b: Lifter, from: number, fxm: number): void {
  const word = gpr(b, from);
  for (let field = 0; field < 8; field++) {
    if ((fxm & (0x80 >> field)) === 0) continue;
    b.set(CR[field] as string, b.and(b.shr(word, b.constant(28 - 4 * field)), b.constant(15)));
  }
}

const moves: readonly Row[] = [
  row('mcrf', 'condition', '010011 BF // BFA // ///// 0000000000 /', 'BF BFA', '2.5.2', (b, f) =>
    b.set(CR[f.BF] as string, b.get(CR[f.BFA] as string)),
  ),
  row(
    'mcrxrx',
    'condition',
    '011111 BF // ///// ///// 1001000000 /',
    'BF',
    '3.3.17',
    (b, f) => {
      const bit = (name: string, at: number): Value => b.shl(b.get(name), b.constant(at));
      const high = b.or(bit('OV', 3), bit('OV32', 2));
      b.set(CR[f.BF] as string, b.or(high, b.or(bit('CA', 1), b.get('CA32'))));
    },
    { needs: 'isa-3.0' },
  ),
  row('mtcrf', 'condition', '011111 RS 0 FXM / 0010010000 /', 'FXM RS', '3.3.17', (b, f) => setFields(b, f.RS, f.FXM)),
  // With other than one bit in FXM what these two do is undefined: mtocrf sets every field named, mfocrf gets them.
  row('mtocrf', 'condition', '011111 RS 1 FXM / 0010010000 /', 'FXM RS', '3.3.17', (b, f) => setFields(b, f.RS, f.FXM)),
  row('mfcr', 'condition', '011111 RT 0 ///////// 0000010011 /', 'RT', '3.3.17', (b, f) => setGpr(b, f.RT, wholeCr(b))),
  row('mfocrf', 'condition', '011111 RT 1 FXM / 0000010011 /', 'RT FXM', '3.3.17', (b, f) => {
    let all = b.constant(0);
    for (let field = 0; field < 8; field++) {
      if ((f.FXM & (0x80 >> field)) === 0) continue;
      all = b.or(all, b.shl(b.get(CR[field] as string), b.constant(28 - 4 * field)));
    }
    setGpr(b, f.RT, all);
  }),
];

export const condition: readonly Row[] = [...logic, ...moves];
