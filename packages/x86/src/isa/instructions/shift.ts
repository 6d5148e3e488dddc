/** Shifts and rotates. Intel SDM volume 2: SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD. The count is masked to 5 bits, to 6 at 64; 0 changes no flag. */
import type { Lifter, Value } from '@countervisor/contract';
import { bit, type Flags, setFlags, shifted } from '../flags.ts';
import { type Body, sext, zext } from '../operands.ts';
import { type More, type Row, row } from '../row.ts';

interface Turned {
  /** Zero-extended. */
  readonly value: Value;
  readonly flags: Flags;
}

type Shift = (b: Lifter, value: Value, count: Value, size: number) => Turned;

const top = (b: Lifter, value: Value, size: number): Value => bit(b, value, size - 1);
const one = (b: Lifter): Value => b.constant(1);

/** Left: at most 31 places at up to 32 bits, so the last bit out stands just above the operand in 64 bits. */
const shl: Shift = (b, value, count, size) => {
  const whole = b.shl(value, count);
  const out = size === 64 ? bit(b, b.shr(value, b.sub(b.constant(64), count)), 0) : bit(b, whole, size);
  const result = zext(b, whole, size);
  return { value: result, flags: { CF: out, OF: b.xor(out, top(b, result, size)), ...shifted(b, result, size) } };
};

const shr: Shift = (b, value, count, size) => {
  const before = b.shr(value, b.sub(count, one(b)));
  const result = b.shr(before, one(b));
  const OF = top(b, b.xor(before, result), size);
  return { value: result, flags: { CF: b.and(before, one(b)), OF, ...shifted(b, result, size) } };
};

const sar: Shift = (b, value, count, size) => {
  const before = b.sar(sext(b, value, size), b.sub(count, one(b)));
  const result = zext(b, b.sar(before, one(b)), size);
  return { value: result, flags: { CF: b.and(before, one(b)), OF: b.constant(0), ...shifted(b, result, size) } };
};

/** Rotates by the count modulo the size; a byte or word fills 32 bits with copies of itself first. */
function rotated(b: Lifter, value: Value, right: Value, size: number): Value {
  if (size === 64) return b.rotr(value, right);
  if (size === 32) return b.rotr(value, right, 32);
  const twice = b.or(value, b.shl(value, b.constant(size)));
  const all = size === 16 ? twice : b.or(twice, b.shl(twice, b.constant(16)));
  return zext(b, b.rotr(all, right, 32), size);
}

const rol: Shift = (b, value, count, size) => {
  const result = rotated(b, value, b.sub(b.constant(0), count), size);
  const CF = b.and(result, one(b));
  return { value: result, flags: { CF, OF: b.xor(CF, top(b, result, size)) } };
};

const ror: Shift = (b, value, count, size) => {
  const result = rotated(b, value, count, size);
  const CF = top(b, result, size);
  return { value: result, flags: { CF, OF: b.xor(CF, bit(b, result, size - 2)) } };
};

/** Places in the ring of operand and CF: 9 and 17 are shorter than the count can be. */
const around = (b: Lifter, count: Value, size: number): Value =>
  size < 32 ? b.remu(count, b.constant(size + 1)) : count;

const rcl: Shift = (b, value, count, size) => {
  const carry = b.get('CF');
  if (size === 64) {
    const below = b.sub(count, one(b));
    const back = b.shr(b.shr(value, one(b)), b.sub(b.constant(64), count));
    const result = b.or(b.shl(value, count), b.or(b.shl(carry, below), back));
    const CF = bit(b, b.shr(value, b.sub(b.constant(64), count)), 0);
    return { value: result, flags: { CF, OF: b.xor(CF, top(b, result, size)) } };
  }
  const places = around(b, count, size);
  const ring = b.or(value, b.shl(carry, b.constant(size)));
  const turned = b.or(b.shl(ring, places), b.shr(ring, b.sub(b.constant(size + 1), places)));
  const result = zext(b, turned, size);
  const CF = bit(b, turned, size);
  return { value: result, flags: { CF, OF: b.xor(CF, top(b, result, size)) } };
};

const rcr: Shift = (b, value, count, size) => {
  const carry = b.get('CF');
  let result: Value;
  let CF: Value;
  if (size === 64) {
    const above = b.sub(b.constant(64), count);
    // Twice by one less than 65 - count, since a shift by 64 is one by 0.
    const back = b.shl(b.shl(value, one(b)), above);
    result = b.or(b.shr(value, count), b.or(b.shl(carry, above), back));
    CF = b.and(b.shr(value, b.sub(count, one(b))), one(b));
  } else {
    const places = around(b, count, size);
    const ring = b.or(value, b.shl(carry, b.constant(size)));
    const turned = b.or(b.shr(ring, places), b.shl(ring, b.sub(b.constant(size + 1), places)));
    result = zext(b, turned, size);
    CF = bit(b, turned, size);
  }
  return { value: result, flags: { CF, OF: b.xor(top(b, result, size), bit(b, result, size - 2)) } };
};

/** A count that is known is masked here, and 0 leaves the value; one in CL may be 0, and then leaves the flags. */
function apply(x: Body, count: number, value: Value, turn: (count: Value) => Turned): void {
  const { b } = x;
  const size = x.sizeOf(0);
  const mask = size === 64 ? 63 : 31;
  const operand = x.operand(count);
  if (operand.kind === 'constant') {
    const places = Number(operand.value) & mask;
    if (places === 0) {
      x.write(0, value);
      return;
    }
    const { value: result, flags } = turn(b.constant(places));
    x.write(0, result);
    setFlags(b, flags);
    return;
  }
  const places = b.and(b.get('RCX'), b.constant(mask));
  const { value: result, flags } = turn(places);
  x.write(0, b.select(places, result, value));
  b.when(places, () => setFlags(b, flags));
}

const lift =
  (shift: Shift) =>
  (x: Body): void => {
    const value = x.unsigned(0);
    apply(x, 1, value, (count) => shift(x.b, value, count, x.sizeOf(0)));
  };

const GROUP: readonly (readonly [name: string, digit: number, shift: Shift, leaves: string])[] = [
  ['ROL', 0, rol, ''],
  ['ROR', 1, ror, ''],
  ['RCL', 2, rcl, ''],
  ['RCR', 3, rcr, ''],
  ['SHL', 4, shl, 'AF'],
  ['SHR', 5, shr, 'AF'],
  ['SAL', 6, shl, 'AF'],
  ['SAR', 7, sar, 'AF'],
];

/** Group 2. OF is left undefined for counts other than 1, CF of SHL and SHR for counts beyond the operand. */
const group = GROUP.flatMap(([name, digit, shift, leaves]) => {
  const body = lift(shift);
  const more: More = { leaves };
  return [
    row(name, `C0 /${digit}`, 'Eb+ Ib', 'alu', body, more),
    row(name, `C1 /${digit}`, 'Ev+ Ib', 'alu', body, more),
    row(name, `D0 /${digit}`, 'Eb+ 1', 'alu', body, more),
    row(name, `D1 /${digit}`, 'Ev+ 1', 'alu', body, more),
    row(name, `D2 /${digit}`, 'Eb+ CL', 'alu', body, more),
    row(name, `D3 /${digit}`, 'Ev+ CL', 'alu', body, more),
  ];
});

/** SHLD: what leaves is replaced from the other register's top. At 16 bits counts beyond 16 are undefined: here the first operand follows once more. */
function double(x: Body, left: boolean, value: Value, filler: Value, count: Value): Turned {
  const { b, size } = x;
  let result: Value;
  let CF: Value;
  if (size === 64) {
    const rest = b.sub(b.constant(63), count);
    if (left) {
      result = b.or(b.shl(value, count), b.shr(b.shr(filler, one(b)), rest));
      CF = b.and(b.shr(value, b.sub(b.constant(64), count)), one(b));
    } else {
      result = b.or(b.shr(value, count), b.shl(b.shl(filler, one(b)), rest));
      CF = b.and(b.shr(value, b.sub(count, one(b))), one(b));
    }
  } else {
    const [high, low] = left ? [value, filler] : [filler, value];
    let all = b.or(b.shl(high, b.constant(size)), low);
    if (size === 16) {
      if (left) all = b.or(b.shl(all, b.constant(16)), value);
      else all = b.or(all, b.shl(value, b.constant(32)));
    }
    const bits = size === 16 ? 48 : 64;
    if (left) {
      const before = b.shl(all, b.sub(count, one(b)));
      result = zext(b, b.shr(b.shl(before, one(b)), b.constant(bits - size)), size);
      CF = bit(b, before, bits - 1);
    } else {
      const before = b.shr(all, b.sub(count, one(b)));
      result = zext(b, b.shr(before, one(b)), size);
      CF = b.and(before, one(b));
    }
  }
  const OF = top(b, b.xor(value, result), size);
  return { value: result, flags: { CF, OF, ...shifted(b, result, size) } };
}

const liftDouble =
  (left: boolean) =>
  (x: Body): void => {
    const value = x.unsigned(0);
    const filler = x.unsigned(1);
    apply(x, 2, value, (count) => double(x, left, value, filler, count));
  };

const doubles = [
  row('SHLD', '0F A4', 'Ev+ Gv Ib', 'alu', liftDouble(true), { leaves: 'AF' }),
  row('SHLD', '0F A5', 'Ev+ Gv CL', 'alu', liftDouble(true), { leaves: 'AF' }),
  row('SHRD', '0F AC', 'Ev+ Gv Ib', 'alu', liftDouble(false), { leaves: 'AF' }),
  row('SHRD', '0F AD', 'Ev+ Gv CL', 'alu', liftDouble(false), { leaves: 'AF' }),
];

export const shift: readonly Row[] = [...group, ...doubles];
