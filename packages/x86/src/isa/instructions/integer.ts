/** Integer arithmetic. Intel SDM volume 2, by mnemonic; volume 1, 7.3.2 and 7.3.4. */
import type { Value } from '@countervisor/contract';
import { add, type Flags, logic, negate, type Result, setFlags, step, subtract } from '../flags.ts';
import { type Body, sext, widthOf, zext } from '../operands.ts';
import { type More, type Row, row } from '../row.ts';

type Operation = (x: Body, a: Value, y: Value, size: number) => Result;

const GROUP: readonly (readonly [name: string, operation: Operation, more: More])[] = [
  ['ADD', (x, a, y, size) => add(x.b, a, y, size), {}],
  ['OR', (x, a, y, size) => logic(x.b, x.b.or(a, y, widthOf(size)), size), { leaves: 'AF' }],
  ['ADC', (x, a, y, size) => add(x.b, a, y, size, x.get('CF')), {}],
  ['SBB', (x, a, y, size) => subtract(x.b, a, y, size, x.get('CF')), {}],
  ['AND', (x, a, y, size) => logic(x.b, x.b.and(a, y, widthOf(size)), size), { leaves: 'AF' }],
  ['SUB', (x, a, y, size) => subtract(x.b, a, y, size), {}],
  ['XOR', (x, a, y, size) => logic(x.b, x.b.xor(a, y, widthOf(size)), size), { leaves: 'AF' }],
  ['CMP', (x, a, y, size) => subtract(x.b, a, y, size), {}],
];

const lift =
  (operation: Operation, keeps: boolean) =>
  (x: Body): void => {
    const size = x.sizeOf(0);
    const { value, flags } = operation(x, x.signed(0), x.signed(1), size);
    if (keeps) x.write(0, value);
    setFlags(x.b, flags);
  };

/** Volume 2, A.2: the eight operations in their six forms, and group 1. */
const group = GROUP.flatMap(([name, operation, more], n) => {
  const keeps = name !== 'CMP';
  const mark = keeps ? '+' : '';
  const body = lift(operation, keeps);
  const code = (low: number): string => (8 * n + low).toString(16).toUpperCase().padStart(2, '0');
  const to: More = keeps ? { ...more, lock: true } : more;
  return [
    row(name, code(0), `Eb${mark} Gb`, 'alu', body, to),
    row(name, code(1), `Ev${mark} Gv`, 'alu', body, to),
    row(name, code(2), `Gb${mark} Eb`, 'alu', body, more),
    row(name, code(3), `Gv${mark} Ev`, 'alu', body, more),
    row(name, code(4), `AL${mark} Ib`, 'alu', body, more),
    row(name, code(5), `rAX${mark} Iz`, 'alu', body, more),
    row(name, `80 /${n}`, `Eb${mark} Ib`, 'alu', body, to),
    row(name, `81 /${n}`, `Ev${mark} Iz`, 'alu', body, to),
    row(name, `82 /${n}`, `Eb${mark} Ib`, 'alu', body, { ...to, only: 'legacy', form: '82' }),
    row(name, `83 /${n}`, `Ev${mark} Is`, 'alu', body, to),
  ];
});

const test = (x: Body): void => {
  const size = x.sizeOf(0);
  setFlags(x.b, logic(x.b, x.b.and(x.signed(0), x.signed(1), widthOf(size)), size).flags);
};

const single =
  (operation: (x: Body, a: Value, size: number) => { readonly value: Value; readonly flags: Flags }) =>
  (x: Body): void => {
    const { value, flags } = operation(x, x.signed(0), x.sizeOf(0));
    x.write(0, value);
    setFlags(x.b, flags);
  };

const inc = single((x, a, size) => step(x.b, a, size, 1));
const dec = single((x, a, size) => step(x.b, a, size, -1));
const neg = single((x, a, size) => negate(x.b, a, size));
const not = single((x, a, size) => ({ value: x.b.not(a, widthOf(size)), flags: {} }));

const locked: More = { lock: true };

const unary = [
  row('INC', 'FE /0', 'Eb+', 'alu', inc, locked),
  row('INC', 'FF /0', 'Ev+', 'alu', inc, locked),
  row('INC', '40+r', 'Zv+', 'alu', inc, { only: 'legacy' }),
  row('DEC', 'FE /1', 'Eb+', 'alu', dec, locked),
  row('DEC', 'FF /1', 'Ev+', 'alu', dec, locked),
  row('DEC', '48+r', 'Zv+', 'alu', dec, { only: 'legacy' }),
  row('NOT', 'F6 /2', 'Eb+', 'alu', not, locked),
  row('NOT', 'F7 /2', 'Ev+', 'alu', not, locked),
  row('NEG', 'F6 /3', 'Eb+', 'alu', neg, locked),
  row('NEG', 'F7 /3', 'Ev+', 'alu', neg, locked),
  row('TEST', '84', 'Eb Gb', 'alu', test, { leaves: 'AF' }),
  row('TEST', '85', 'Ev Gv', 'alu', test, { leaves: 'AF' }),
  row('TEST', 'A8', 'AL Ib', 'alu', test, { leaves: 'AF' }),
  row('TEST', 'A9', 'rAX Iz', 'alu', test, { leaves: 'AF' }),
  row('TEST', 'F6 /0', 'Eb Ib', 'alu', test, { leaves: 'AF' }),
  row('TEST', 'F7 /0', 'Ev Iz', 'alu', test, { leaves: 'AF' }),
  row('TEST', 'F6 /1', 'Eb Ib', 'alu', test, { leaves: 'AF', form: '/1' }),
  row('TEST', 'F7 /1', 'Ev Iz', 'alu', test, { leaves: 'AF', form: '/1' }),
];

/** The two halves of a product: AX, DX:AX, EDX:EAX or RDX:RAX. */
function setPair(x: Body, size: number, low: Value, high: Value): void {
  if (size === 8) {
    x.setRegister(0, 16, x.b.or(x.b.zext8(low), x.b.shl(high, x.constant(8))));
    return;
  }
  x.setRegister(0, size, low);
  x.setRegister(2, size, high);
}

/** MUL and IMUL of one operand. CF and OF say whether the upper half says something. */
const multiply =
  (signed: boolean) =>
  (x: Body): void => {
    const { b } = x;
    const size = x.sizeOf(0);
    if (size === 64) {
      const a = b.get('RAX');
      const y = x.raw(0);
      const low = b.mul(a, y);
      const high = signed ? b.mulhs(a, y) : b.mulhu(a, y);
      const over = b.ne(high, signed ? b.sar(low, b.constant(63)) : b.constant(0));
      setPair(x, size, low, high);
      setFlags(b, { CF: over, OF: over });
      return;
    }
    const extend = signed ? sext : zext;
    const product = b.mul(extend(b, b.get('RAX'), size), extend(b, x.unsigned(0), size));
    const over = b.ne(product, extend(b, product, size));
    setPair(x, size, zext(b, product, size), zext(b, b.shr(product, b.constant(size)), size));
    setFlags(b, { CF: over, OF: over });
  };

/** IMUL of two and three operands: the product cut to the operand size. */
const product =
  (a: number, y: number) =>
  (x: Body): void => {
    const { b, size } = x;
    const [first, second] = [x.unsigned(a), x.unsigned(y)];
    let value: Value;
    let over: Value;
    if (size === 64) {
      value = b.mul(first, second);
      over = b.ne(b.mulhs(first, second), b.sar(value, b.constant(63)));
    } else {
      const whole = b.mul(sext(b, first, size), sext(b, second, size));
      value = zext(b, whole, size);
      over = b.ne(whole, sext(b, whole, size));
    }
    x.write(0, value);
    setFlags(b, { CF: over, OF: over });
  };

/** AX, or the pair of registers, as one number of up to 64 bits. */
function dividend(x: Body, size: number): Value {
  const { b } = x;
  if (size === 8) return x.register(0, 16);
  return b.or(b.shl(x.register(2, size), b.constant(size)), x.register(0, size));
}

function setQuotient(x: Body, size: number, quotient: Value, rest: Value): void {
  const { b } = x;
  if (size === 8) {
    x.setRegister(0, 16, b.or(b.zext8(quotient), b.shl(b.zext8(rest), b.constant(8))));
    return;
  }
  x.setRegister(0, size, zext(b, quotient, size));
  x.setRegister(2, size, zext(b, rest, size));
}

/** The quotient fits exactly when the upper half is less than the divisor, which also refuses 0. */
function divide(x: Body): void {
  const { b } = x;
  const size = x.sizeOf(0);
  const divisor = x.unsigned(0);
  if (size < 64) {
    const all = dividend(x, size);
    b.when(b.leu(divisor, b.shr(all, b.constant(size))), () => x.raise('#DE'));
    const quotient = b.divu(all, divisor);
    setQuotient(x, size, quotient, b.sub(all, b.mul(quotient, divisor)));
    return;
  }
  const [high, low] = [b.get('RDX'), b.get('RAX')];
  b.when(b.leu(divisor, high), () => x.raise('#DE'));
  const quotient = b.variable(b.divu(low, divisor));
  b.when(high, () => b.assign(quotient, x.call('quotient', b.constant(0), high, low, divisor)));
  const result = b.copy(quotient);
  setQuotient(x, size, result, b.sub(low, b.mul(result, divisor)));
}

function divideSigned(x: Body): void {
  const { b } = x;
  const size = x.sizeOf(0);
  if (size < 64) {
    const divisor = sext(b, x.unsigned(0), size);
    const all = size === 32 ? dividend(x, size) : sext(b, dividend(x, size), 2 * size);
    b.when(b.eq(divisor, b.constant(0)), () => x.raise('#DE'));
    const quotient = b.divs(all, divisor);
    b.when(b.ne(quotient, sext(b, quotient, size)), () => x.raise('#DE'));
    setQuotient(x, size, quotient, b.sub(all, b.mul(quotient, divisor)));
    return;
  }
  const [high, low, divisor] = [b.get('RDX'), b.get('RAX'), x.unsigned(0)];
  b.when(b.eq(divisor, b.constant(0)), () => x.raise('#DE'));
  const quotient = b.variable(b.divs(low, divisor));
  // Only what fits 64 bits can do without the helper; the least number by -1 does not fit, and divides to itself.
  const wide = b.ne(high, b.sar(low, b.constant(63)));
  const least = b.and(b.eq(low, b.constant(1n << 63n)), b.eq(divisor, b.constant(-1)));
  b.when(b.or(wide, least), () => {
    const fits = x.call('divide-fits', b.constant(1), high, low, divisor);
    b.when(b.eq(fits, b.constant(0)), () => x.raise('#DE'));
    b.assign(quotient, x.call('quotient', b.constant(1), high, low, divisor));
  });
  const result = b.copy(quotient);
  setQuotient(x, size, result, b.sub(low, b.mul(result, divisor)));
}

const half: More = { leaves: 'SF ZF AF PF' };
const none: More = { leaves: 'CF OF SF ZF AF PF' };

const products = [
  row('MUL', 'F6 /4', 'Eb', 'multiply', multiply(false), half),
  row('MUL', 'F7 /4', 'Ev', 'multiply', multiply(false), half),
  row('IMUL', 'F6 /5', 'Eb', 'multiply', multiply(true), half),
  row('IMUL', 'F7 /5', 'Ev', 'multiply', multiply(true), half),
  row('IMUL', '0F AF', 'Gv+ Ev', 'multiply', product(0, 1), half),
  row('IMUL', '69', 'Gv= Ev Iz', 'multiply', product(1, 2), half),
  row('IMUL', '6B', 'Gv= Ev Is', 'multiply', product(1, 2), half),
  row('DIV', 'F6 /6', 'Eb', 'divide', divide, none),
  row('DIV', 'F7 /6', 'Ev', 'divide', divide, none),
  row('IDIV', 'F6 /7', 'Eb', 'divide', divideSigned, none),
  row('IDIV', 'F7 /7', 'Ev', 'divide', divideSigned, none),
];

/** CBW, CWDE, CDQE. */
function extendAccumulator(x: Body): void {
  const { b, size } = x;
  x.setRegister(0, size, zext(b, sext(b, b.get('RAX'), size / 2), size));
}

/** CWD, CDQ, CQO. */
function extendToPair(x: Body): void {
  const { b, size } = x;
  x.setRegister(2, size, zext(b, b.sar(sext(b, b.get('RAX'), size), b.constant(63)), size));
}

/** Decimal adjustments are rare and long: a helper works out AX and the flags. */
const decimal =
  (kind: number, mask: number) =>
  (x: Body): void => {
    const { b } = x;
    const base = x.i.operands.length === 0 ? b.constant(0) : x.unsigned(0);
    if (kind === DECIMAL.AAM) b.when(b.eq(base, b.constant(0)), () => x.raise('#DE'));
    const before = kind < DECIMAL.AAM ? x.call('flags') : b.constant(0);
    const all = x.call('decimal', b.constant(kind), x.register(0, 16), before, base);
    x.call('set-flags', b.shr(all, b.constant(32)), b.constant(mask));
    x.setRegister(0, 16, all);
  };

/** What the helper `decimal` can do. */
export const DECIMAL = { DAA: 0, DAS: 1, AAA: 2, AAS: 3, AAM: 4, AAD: 5 } as const;

const ALL = 0x8d5;
const ALL_BUT_OF = 0xd5;

const adjustments = [
  row('CBW', '98', '', 'alu', extendAccumulator),
  row('CWD', '99', '', 'alu', extendToPair),
  row('DAA', '27', '', 'alu', decimal(DECIMAL.DAA, ALL_BUT_OF), { only: 'legacy', leaves: 'OF' }),
  row('DAS', '2F', '', 'alu', decimal(DECIMAL.DAS, ALL_BUT_OF), { only: 'legacy', leaves: 'OF' }),
  row('AAA', '37', '', 'alu', decimal(DECIMAL.AAA, 0x11), { only: 'legacy', leaves: 'OF SF ZF PF' }),
  row('AAS', '3F', '', 'alu', decimal(DECIMAL.AAS, 0x11), { only: 'legacy', leaves: 'OF SF ZF PF' }),
  row('AAM', 'D4', 'Ib', 'alu', decimal(DECIMAL.AAM, ALL), { only: 'legacy', leaves: 'OF AF CF' }),
  row('AAD', 'D5', 'Ib', 'alu', decimal(DECIMAL.AAD, ALL), { only: 'legacy', leaves: 'OF AF CF' }),
];

export const integer: readonly Row[] = [...group, ...unary, ...products, ...adjustments];
