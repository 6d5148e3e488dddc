/** Bits of a string of bits, and counting bits. Intel SDM volume 2: BT, BTS, BTR, BTC, BSF, BSR, TZCNT, LZCNT, POPCNT. */
import type { Value } from '@countervisor/contract';
import { setFlags } from '../flags.ts';
import { type Body, sext, widthOf, zext } from '../operands.ts';
import { type More, type Row, row } from '../row.ts';

type Change = (x: Body, value: Value, bit: Value) => Value;

/** Nothing, set, clear, complement: in the order of their opcodes. */
const CHANGES: readonly (readonly [name: string, change: Change | undefined])[] = [
  ['BT', undefined],
  ['BTS', (x, value, bit) => x.b.or(value, bit)],
  ['BTR', (x, value, bit) => x.b.and(value, x.b.not(bit))],
  ['BTC', (x, value, bit) => x.b.xor(value, bit)],
];

/** The address of the word that holds bit `offset`, counted from the operand's, which may lie far before or behind it. */
function word(x: Body, offset: Value, write: boolean): Value {
  const { b, size } = x;
  const m = x.memory(0);
  const width = widthOf(m.addressSize);
  const places = size === 64 ? 6 : size === 32 ? 5 : 4;
  const words = b.sar(sext(b, offset, size), b.constant(places));
  const sum = b.add(x.offset(0), b.shl(words, b.constant(places - 3)), width);
  return x.linear(m.segment, m.addressSize === 16 ? b.zext16(sum) : sum, size / 8, write);
}

const lift =
  (change: Change | undefined) =>
  (x: Body): void => {
    const { b, size } = x;
    const bytes = (size / 8) as 2 | 4 | 8;
    const offset = x.raw(1);
    const far = x.isMemory(0) && x.operand(1).kind === 'register';
    const at = far ? word(x, offset, change !== undefined) : undefined;
    const value = at === undefined ? x.unsigned(0) : b.load(at, { size: bytes });
    const place = b.and(offset, b.constant(size - 1));
    const CF = b.and(b.shr(value, place), b.constant(1));
    if (change !== undefined) {
      const changed = zext(b, change(x, value, b.shl(b.constant(1), place)), size);
      if (at === undefined) x.write(0, changed);
      else b.store(at, changed, { size: bytes });
    }
    setFlags(b, { CF });
  };

const tests = CHANGES.flatMap(([name, change], n) => {
  const mark = change === undefined ? '' : '+';
  const more: More = { leaves: 'OF SF AF PF', ...(change !== undefined && { lock: true }) };
  const code = (0xa3 + 8 * n).toString(16).toUpperCase();
  return [
    row(name, `0F ${code}`, `Ev${mark} Gv`, 'alu', lift(change), more),
    row(name, `0F BA /${4 + n}`, `Ev${mark} Ib`, 'alu', lift(change), more),
  ];
});

/** BSF and BSR leave the whole destination as it was when there is no bit; that is what processors do, and newer manuals say. */
const scan =
  (forward: boolean) =>
  (x: Body): void => {
    const { b } = x;
    const value = x.unsigned(1);
    const found = forward ? b.ctz(value) : b.sub(b.constant(63), b.clz(value));
    x.write(0, b.select(value, found, x.raw(0)));
    setFlags(b, { NONZERO: value });
  };

/** TZCNT and LZCNT: the operand size when there is no bit, with CF set. */
const count =
  (trailing: boolean) =>
  (x: Body): void => {
    const { b, size } = x;
    const value = x.unsigned(1);
    const all = trailing ? b.ctz(value) : b.sub(b.clz(value), b.constant(64 - size));
    const result = trailing && size < 64 ? b.select(value, all, b.constant(size)) : all;
    x.write(0, result);
    setFlags(b, { CF: b.eq(value, b.constant(0)), NONZERO: result });
  };

/** POPCNT: ZF of the operand, the others 0. A RESULT of 1 has no sign and an odd parity. */
function population(x: Body): void {
  const { b } = x;
  const value = x.unsigned(1);
  const zero = b.constant(0);
  x.write(0, b.popcnt(value));
  setFlags(b, { CF: zero, OF: zero, NONZERO: value, RESULT: b.constant(1), AUX: zero });
}

export const bits: readonly Row[] = [
  ...tests,
  row('BSF', '0F BC', 'Gv+ Ev', 'alu', scan(true), { leaves: 'CF OF SF AF PF' }),
  row('BSR', '0F BD', 'Gv+ Ev', 'alu', scan(false), { leaves: 'CF OF SF AF PF' }),
  row('TZCNT', 'F3 0F BC', 'Gv= Ev', 'alu', count(true), { needs: 'bmi1', leaves: 'OF SF AF PF' }),
  row('LZCNT', 'F3 0F BD', 'Gv= Ev', 'alu', count(false), { needs: 'lzcnt', leaves: 'OF SF AF PF' }),
  row('POPCNT', 'F3 0F B8', 'Gv= Ev', 'alu', population, { needs: 'popcnt' }),
];
