/**
 * What x87 instructions do, as one helper with many operations. Intel SDM volume 1, chapter 8; volume 2, by mnemonic.
 * Exceptions that are not masked: with IE, ZE and DE nothing is stored; with OE and UE registers take the result with its exponent wrapped by 24,576, and memory
 * nothing (volume 1, 8.5.4 and 8.5.5).
 */
import { CountervisorError, type Vcpu } from '@countervisor/contract';
import {
  addExact,
  classOf,
  DOUBLE,
  divideExact,
  EXTENDED,
  type Exact,
  type Extended,
  exactOf,
  FLAG,
  type Format,
  INDEFINITE,
  infinity,
  multiplyExact,
  narrowed,
  order,
  propagate,
  quieted,
  ROUND,
  type Rounded,
  rootExact,
  round,
  SINGLE,
  toInteger,
  widen,
  zeroOf,
} from './softfloat.ts';

type Registers = Pick<Vcpu, 'get' | 'set'>;

const SF = 0x40;
const ES = 0x80;
const C0 = 0x100;
const C1 = 0x200;
const C2 = 0x400;
const C3 = 0x4000;
const B = 0x8000;
const CODES = C0 | C1 | C2 | C3;
/** What an exponent is wrapped by. */
const WRAP = 24576;
/** Precision control. */
const PRECISIONS = [24, 64, 53, 64];

const isNan = (x: Extended): boolean => ['quiet', 'signaling'].includes(classOf(x));
const negative = (x: Extended): Extended => ({ ...x, sign: x.sign === 0 ? 1 : 0 });

/** The registers for the length of one instruction. */
class Fpu {
  readonly #r: Registers;
  control: number;
  status: number;
  tags: number;
  /** Flags of this instruction. */
  raised = 0;
  #kept = false;

  constructor(r: Registers) {
    this.#r = r;
    this.control = Number(r.get('FCW'));
    this.status = Number(r.get('FSW'));
    this.tags = Number(r.get('FTW'));
  }

  get top(): number {
    return (this.status >> 11) & 7;
  }
  set top(n: number) {
    this.status = (this.status & ~0x3800) | ((n & 7) << 11);
  }
  get mode(): number {
    return (this.control >> 10) & 3;
  }
  get precision(): number {
    return PRECISIONS[(this.control >> 8) & 3] as number;
  }

  #number(i: number): number {
    return (this.top + i) & 7;
  }
  isEmpty(i: number): boolean {
    return (this.tags & (1 << this.#number(i))) === 0;
  }
  raw(i: number): Extended {
    const n = this.#number(i);
    const se = Number(this.#r.get(`FPR${n}_SE`));
    return { sign: (se >> 15) as 0 | 1, exponent: se & 0x7fff, significand: this.#r.get(`FPR${n}`) };
  }
  put(i: number, x: Extended): void {
    const n = this.#number(i);
    this.#r.set(`FPR${n}`, x.significand);
    this.#r.set(`FPR${n}_SE`, BigInt((x.sign << 15) | x.exponent));
    this.tags |= 1 << n;
  }
  free(i: number): void {
    this.tags &= ~(1 << this.#number(i));
  }

  raise(flags: number): void {
    this.raised |= flags;
  }
  /** Not masked, and of those that come before a result: nothing is to be stored. */
  get holds(): boolean {
    return this.#kept || (this.raised & ~this.control & (FLAG.IE | FLAG.DE | FLAG.ZE)) !== 0;
  }
  code(bits: number): void {
    this.status = (this.status & ~CODES) | bits;
  }
  set c1(on: boolean) {
    this.status = on ? this.status | C1 : this.status & ~C1;
  }

  /** ST(i), or the indefinite where it is empty. */
  st(i: number): Extended {
    if (!this.isEmpty(i)) return this.raw(i);
    this.underflow();
    return INDEFINITE;
  }
  underflow(): void {
    this.raise(FLAG.IE | SF);
    this.c1 = false;
  }

  push(x: Extended): void {
    if (!this.isEmpty(7)) {
      this.raise(FLAG.IE | SF);
      this.c1 = true;
      if (this.holds) return;
      this.top -= 1;
      this.put(0, INDEFINITE);
      return;
    }
    if (this.holds) return;
    this.top -= 1;
    this.put(0, x);
  }
  pop(): void {
    if (this.holds) return;
    this.free(0);
    this.top += 1;
  }

  /** A rounded result's flags and C1. */
  took(r: Rounded): Extended {
    this.raise(r.flags);
    this.c1 = r.up;
    return r.value;
  }
  /** A result for a register. */
  rounded(x: Exact, precision: number = this.precision): Extended {
    const usual = round(x, precision, EXTENDED.bits, this.mode);
    const under = usual.tiny && !this.#masks(FLAG.UE);
    const over = (usual.flags & FLAG.OE) !== 0 && !this.#masks(FLAG.OE);
    if (!under && !over) return this.took(usual);
    this.raise(under ? FLAG.UE : FLAG.OE);
    const wrapped = round({ ...x, power: x.power + (under ? WRAP : -WRAP) }, precision, EXTENDED.bits, this.mode);
    // FSCALE can go further than that.
    if ((wrapped.flags & FLAG.OE) !== 0) return this.took({ ...wrapped, value: infinity(x.sign), up: true });
    if (under && wrapped.tiny) return this.took({ ...wrapped, value: zeroOf(x.sign), up: false });
    return this.took(wrapped);
  }
  /** A result for memory. */
  stored(x: Exact, format: Format): Extended {
    const usual = round(x, format.precision, format.bits, this.mode);
    const under = usual.tiny && !this.#masks(FLAG.UE);
    const over = (usual.flags & FLAG.OE) !== 0 && !this.#masks(FLAG.OE);
    if (under || over) {
      this.raise(under ? FLAG.UE : FLAG.OE);
      this.#kept = true;
      return usual.value;
    }
    return this.took(usual);
  }
  #masks(flag: number): boolean {
    return (this.control & flag) !== 0;
  }

  finish(): void {
    this.status |= this.raised;
    const pending = (this.status & ~this.control & 0x3f) !== 0;
    this.status = pending ? this.status | ES | B : this.status & ~(ES | B);
    this.#r.set('FCW', BigInt(this.control));
    this.#r.set('FSW', BigInt(this.status & 0xffff));
    this.#r.set('FTW', BigInt(this.tags & 0xff));
    this.#r.set('X87_HELD', this.holds ? 1n : 0n);
  }
  output(high: bigint): void {
    this.#r.set('X87_HIGH', high);
  }
  /** Everything as FNINIT leaves it. */
  initialize(): void {
    this.status = 0;
    this.tags = 0;
    this.raised = 0;
    for (const name of ['FOP', 'FIP', 'FDP']) this.#r.set(name, 0n);
    this.#r.set('FCW', 0x37fn);
    this.#r.set('FSW', 0n);
    this.#r.set('FTW', 0n);
  }
}

/** Looks at the operands of an arithmetic operation; the answer is the result when it is a NaN. */
function operands(f: Fpu, x: Extended, y: Extended): Extended | undefined {
  const classes = [classOf(x), classOf(y)];
  if (classes.includes('unsupported')) {
    f.raise(FLAG.IE);
    return INDEFINITE;
  }
  if (classes.includes('signaling')) f.raise(FLAG.IE);
  if (isNan(x) || isNan(y)) return propagate(x, y);
  if (classes.includes('denormal')) f.raise(FLAG.DE);
  return f.holds ? INDEFINITE : undefined;
}

function invalid(f: Fpu): Extended {
  f.raise(FLAG.IE);
  return INDEFINITE;
}

function sum(f: Fpu, x: Extended, y: Extended): Extended {
  const nan = operands(f, x, y);
  if (nan !== undefined) return nan;
  const [a, b] = [classOf(x) === 'infinity', classOf(y) === 'infinity'];
  if (a && b && x.sign !== y.sign) return invalid(f);
  if (a || b) return a ? x : y;
  return f.rounded(addExact(exactOf(x), exactOf(y), f.mode));
}

function difference(f: Fpu, x: Extended, y: Extended): Extended {
  return isNan(y) ? sum(f, x, y) : sum(f, x, negative(y));
}

function product(f: Fpu, x: Extended, y: Extended): Extended {
  const nan = operands(f, x, y);
  if (nan !== undefined) return nan;
  const sign: 0 | 1 = x.sign === y.sign ? 0 : 1;
  const classes = [classOf(x), classOf(y)];
  if (classes.includes('infinity')) return classes.includes('zero') ? invalid(f) : infinity(sign);
  return f.rounded(multiplyExact(exactOf(x), exactOf(y)));
}

function quotient(f: Fpu, x: Extended, y: Extended): Extended {
  // A denormal by zero is a division by zero and nothing else.
  if (classOf(x) === 'denormal' && classOf(y) === 'zero') {
    f.raise(FLAG.ZE);
    return infinity(x.sign === y.sign ? 0 : 1);
  }
  const nan = operands(f, x, y);
  if (nan !== undefined) return nan;
  const sign: 0 | 1 = x.sign === y.sign ? 0 : 1;
  const [a, b] = [classOf(x), classOf(y)];
  if (a === 'infinity') return b === 'infinity' ? invalid(f) : infinity(sign);
  if (b === 'infinity') return zeroOf(sign);
  if (b === 'zero') {
    if (a === 'zero') return invalid(f);
    f.raise(FLAG.ZE);
    return infinity(sign);
  }
  if (a === 'zero') return zeroOf(sign);
  return f.rounded(divideExact(exactOf(x), exactOf(y)));
}

type Binary = (f: Fpu, x: Extended, y: Extended) => Extended;

/** In the order of ModRM.reg of D8; 2 and 3 are comparisons. */
const ARITHMETIC: readonly (Binary | undefined)[] = [
  sum,
  product,
  undefined,
  undefined,
  difference,
  (f, x, y) => difference(f, y, x),
  quotient,
  (f, x, y) => quotient(f, y, x),
];

/** ST(to) = ST(to) op y. A stack fault makes the indefinite. */
function arithmetic(f: Fpu, which: number, to: number, x: Extended, y: Extended, empty: boolean): void {
  f.c1 = false;
  let result: Extended;
  if (empty) {
    f.underflow();
    result = INDEFINITE;
  } else result = (ARITHMETIC[which] as Binary)(f, x, y);
  if (!f.holds) f.put(to, result);
}

/** C3, C2, C0 of a comparison; `quiet`: of NaNs those that signal alone are invalid. */
function compared(f: Fpu, x: Extended, y: Extended, quiet: boolean): number {
  const classes = [classOf(x), classOf(y)];
  if (classes.includes('unsupported') || isNan(x) || isNan(y)) {
    const bad = classes.includes('unsupported') || classes.includes('signaling') || !quiet;
    if (bad) f.raise(FLAG.IE);
    return C3 | C2 | C0;
  }
  if (classes.includes('denormal')) f.raise(FLAG.DE);
  const infinite = (z: Extended): number => (classOf(z) === 'infinity' ? (z.sign === 0 ? 1 : -1) : 0);
  const [a, b] = [infinite(x), infinite(y)];
  const found = a !== 0 || b !== 0 ? Math.sign(a - b) : order(x, y);
  return found > 0 ? 0 : found < 0 ? C0 : C3;
}

function compare(f: Fpu, y: Extended, empty: boolean, quiet: boolean): number {
  f.c1 = false;
  if (f.isEmpty(0) || empty) {
    f.underflow();
    return C3 | C2 | C0;
  }
  return compared(f, f.raw(0), y, quiet);
}

const FORMATS: Readonly<Record<number, Format>> = { 32: SINGLE, 64: DOUBLE };

/** A memory operand of an arithmetic operation: a single, a double, or an integer. */
function operandOf(bits: bigint, kind: number): Extended {
  const format = FORMATS[kind];
  return format === undefined ? integer(bits, -kind) : widen(bits, format);
}

/** A signed integer, exactly. */
function integer(bits: bigint, size: number): Extended {
  const value = BigInt.asIntN(size, bits);
  return roundExact({ sign: value < 0n ? 1 : 0, integer: value < 0n ? -value : value, power: 0 });
}

const roundExact = (x: Exact): Extended => round(x, 64, EXTENDED.bits, ROUND.nearest).value;

/** ST(0) as a single or double, with its exceptions. */
function toFormat(f: Fpu, x: Extended, format: Format): bigint {
  const kind = classOf(x);
  if (kind === 'unsupported') return narrowed(invalid(f), format);
  if (kind === 'signaling') f.raise(FLAG.IE);
  if (kind === 'signaling' || kind === 'quiet') return narrowed(quieted(x), format);
  if (kind === 'infinity' || kind === 'zero') return narrowed(x, format);
  return narrowed(f.stored(exactOf(x), format), format);
}

function toSize(f: Fpu, x: Extended, size: number, mode: number): bigint {
  const indefinite = 1n << BigInt(size - 1);
  const kind = classOf(x);
  if (['unsupported', 'signaling', 'quiet', 'infinity'].includes(kind)) {
    f.raise(FLAG.IE);
    return indefinite;
  }
  // Beyond any integer, without making one.
  if (x.exponent > 16383 + 70) {
    f.raise(FLAG.IE);
    return indefinite;
  }
  const { value, inexact, up } = toInteger(x, mode);
  if (BigInt.asIntN(size, value) !== value) {
    f.raise(FLAG.IE);
    return indefinite;
  }
  if (inexact) f.raise(FLAG.PE);
  f.c1 = up;
  return BigInt.asUintN(size, value);
}

/** The constants of D9 E8 to EE: nearest, down and to zero, up. Exponents are those of the binary point behind bit 63. */
const CONSTANTS: readonly (readonly [nearest: bigint, down: bigint, up: bigint, power: number])[] = [
  [1n << 63n, 1n << 63n, 1n << 63n, -63],
  [0xd49a_784b_cd1b_8afen, 0xd49a_784b_cd1b_8afen, 0xd49a_784b_cd1b_8affn, -62],
  [0xb8aa_3b29_5c17_f0bcn, 0xb8aa_3b29_5c17_f0bbn, 0xb8aa_3b29_5c17_f0bcn, -63],
  [0xc90f_daa2_2168_c235n, 0xc90f_daa2_2168_c234n, 0xc90f_daa2_2168_c235n, -62],
  [0x9a20_9a84_fbcf_f799n, 0x9a20_9a84_fbcf_f798n, 0x9a20_9a84_fbcf_f799n, -65],
  [0xb172_17f7_d1cf_79acn, 0xb172_17f7_d1cf_79abn, 0xb172_17f7_d1cf_79acn, -64],
  [0n, 0n, 0n, 0],
];

function constant(f: Fpu, which: number): void {
  const [nearest, down, up, power] = CONSTANTS[which] as (typeof CONSTANTS)[number];
  const value = f.mode === ROUND.nearest ? nearest : f.mode === ROUND.up ? up : down;
  f.c1 = false;
  f.push(roundExact({ sign: 0, integer: value, power }));
}

function examine(f: Fpu): void {
  const x = f.raw(0);
  const sign = x.sign === 1 ? C1 : 0;
  if (f.isEmpty(0)) {
    f.code(C3 | C0 | sign);
    return;
  }
  const codes = {
    unsupported: 0,
    quiet: C0,
    signaling: C0,
    normal: C2,
    infinity: C2 | C0,
    zero: C3,
    denormal: C3 | C2,
  } as const;
  f.code(codes[classOf(x)] | sign);
}

/** FPREM (towards zero) and FPREM1 (nearest): the low bits of the quotient in C0, C3, C1, or C2 where the work is not done. */
function remainder(f: Fpu, nearest: boolean): void {
  f.code(f.status & (C0 | C3));
  if (f.isEmpty(0) || f.isEmpty(1)) {
    f.underflow();
    if (!f.holds) f.put(0, INDEFINITE);
    return;
  }
  const [x, y] = [f.raw(0), f.raw(1)];
  const [a, b] = [classOf(x), classOf(y)];
  const numbers = ![a, b].includes('unsupported') && !isNan(x) && !isNan(y);
  // Invalid, and then nobody looks for denormals.
  const bad = numbers && (a === 'infinity' || b === 'zero');
  const nan = bad ? undefined : operands(f, x, y);
  let result: Extended;
  if (nan !== undefined) result = nan;
  else if (bad) result = invalid(f);
  else if (b === 'infinity' || a === 'zero') {
    f.code(0);
    result = roundExact(exactOf(x));
  } else {
    const [p, q] = [exactOf(x), exactOf(y)];
    const apart = p.power + length(p.integer) - (q.power + length(q.integer));
    const power = Math.min(p.power, q.power);
    const over = p.integer << BigInt(p.power - power);
    let by = q.integer << BigInt(q.power - power);
    const partial = apart >= 64;
    if (partial) by <<= BigInt(apart - 63);
    let times = over / by;
    let rest = over - times * by;
    let { sign } = x;
    if (nearest && !partial && (2n * rest > by || (2n * rest === by && (times & 1n) === 1n))) {
      times += 1n;
      rest = by - rest;
      sign = sign === 0 ? 1 : 0;
    }
    result = rest === 0n ? zeroOf(x.sign) : f.rounded({ sign, integer: rest, power }, 64);
    const bit = (n: bigint, code: number): number => (((times >> n) & 1n) === 1n ? code : 0);
    f.code(partial ? C2 : bit(2n, C0) | bit(1n, C3) | bit(0n, C1));
  }
  if (!f.holds) f.put(0, result);
}

const length = (n: bigint): number => (n === 0n ? 0 : n.toString(2).length);

function squareRoot(f: Fpu): Extended {
  const x = f.st(0);
  if (f.raised !== 0) return x;
  const kind = classOf(x);
  if (x.sign === 1 && ['denormal', 'normal', 'infinity'].includes(kind)) return invalid(f);
  const nan = operands(f, x, x);
  if (nan !== undefined) return nan;
  if (kind === 'zero') return x;
  return kind === 'infinity' ? x : f.rounded(rootExact(exactOf(x)));
}

function toWhole(f: Fpu): Extended {
  const x = f.st(0);
  if (f.raised !== 0) return x;
  const nan = operands(f, x, x);
  if (nan !== undefined) return nan;
  // From 2^63 on everything is whole.
  if (classOf(x) === 'infinity' || classOf(x) === 'zero' || x.exponent >= 16383 + 63) return x;
  const { value, inexact, up } = toInteger(x, f.mode);
  if (inexact) f.raise(FLAG.PE);
  f.c1 = up;
  return value === 0n ? zeroOf(x.sign) : roundExact({ sign: x.sign, integer: value < 0n ? -value : value, power: 0 });
}

function scale(f: Fpu): Extended {
  if (f.isEmpty(0) || f.isEmpty(1)) {
    f.underflow();
    return INDEFINITE;
  }
  const [x, y] = [f.raw(0), f.raw(1)];
  const nan = operands(f, x, y);
  if (nan !== undefined) return nan;
  const [a, b] = [classOf(x), classOf(y)];
  if (b === 'infinity') {
    if (y.sign === 0) return a === 'zero' ? invalid(f) : infinity(x.sign);
    return a === 'infinity' ? invalid(f) : zeroOf(x.sign);
  }
  if (a === 'infinity' || a === 'zero') return x;
  const by = y.exponent > 16383 + 20 ? 1 << 20 : Math.abs(Number(toInteger(y, ROUND.zero).value));
  const exact = exactOf(x);
  return f.rounded({ ...exact, power: exact.power + (y.sign === 1 ? -by : by) }, 64);
}

/** FXTRACT: the exponent stays, the significand is pushed. */
function extract(f: Fpu): void {
  f.c1 = false;
  if (f.isEmpty(0) || !f.isEmpty(7)) {
    f.raise(FLAG.IE | SF);
    f.c1 = !f.isEmpty(0);
    if (f.holds) return;
    f.put(0, INDEFINITE);
    f.top -= 1;
    f.put(0, INDEFINITE);
    return;
  }
  const x = f.st(0);
  let exponent: Extended = x;
  let significand: Extended = x;
  if (f.raised === 0) {
    const nan = operands(f, x, x);
    const kind = classOf(x);
    if (nan !== undefined) exponent = significand = nan;
    else if (kind === 'infinity') exponent = infinity(0);
    else if (kind === 'zero') {
      f.raise(FLAG.ZE);
      exponent = infinity(1);
    } else {
      const exact = exactOf(x);
      const size = length(exact.integer);
      const power = exact.power + size - 1;
      exponent = roundExact({ sign: power < 0 ? 1 : 0, integer: BigInt(Math.abs(power)), power: 0 });
      significand = roundExact({ ...exact, power: 1 - size });
    }
  }
  if (f.holds) return;
  f.put(0, exponent);
  f.push(significand);
}

/** EFLAGS of FCOMI: ZF PF CF where RFLAGS has them. */
const asFlags = (codes: number): bigint =>
  BigInt((codes & C3 ? 0x40 : 0) | (codes & C2 ? 4 : 0) | (codes & C0 ? 1 : 0));

/** Bit 6 reads as 1, what is reserved as 0. */
const controlOf = (word: bigint): number => (Number(word & 0xffffn) & 0x1f3f) | 0x40;

type Operation = (f: Fpu, a: bigint, b: bigint) => bigint;
const nothing = 0n;

const comparing =
  (pops: number, quiet: boolean): Operation =>
  (f, i) => {
    const n = Number(i);
    f.code(compare(f, f.raw(n), f.isEmpty(n), quiet));
    for (let k = 0; k < pops; k++) f.pop();
    return nothing;
  };

const comparingFlags =
  (pops: number, quiet: boolean): Operation =>
  (f, i) => {
    const n = Number(i);
    const codes = compare(f, f.raw(n), f.isEmpty(n), quiet);
    const held = f.holds;
    for (let k = 0; k < pops; k++) f.pop();
    return held ? 1n << 63n : asFlags(codes);
  };

const unmodelled =
  (name: string): Operation =>
  () => {
    throw new CountervisorError(
      'CV_X87_UNMODELLED',
      `x86: the guest executed ${name}, which is not modelled.`,
      'Model it in packages/x86/src/isa/x87.ts.',
    );
  };

/** One register, changed in place. */
const changing =
  (change: (f: Fpu, x: Extended) => Extended): Operation =>
  (f) => {
    f.c1 = false;
    const x = f.st(0);
    const result = f.raised === 0 ? change(f, x) : x;
    if (!f.holds) f.put(0, result);
    return nothing;
  };

/** The operations, by name. */
export type X87 =
  | 'st0-sti'
  | 'sti-st0'
  | 'memory'
  | 'fcom'
  | 'fcomp'
  | 'fcompp'
  | 'fucom'
  | 'fucomp'
  | 'fucompp'
  | 'fcomi'
  | 'fcomip'
  | 'fucomi'
  | 'fucomip'
  | 'ftst'
  | 'fxam'
  | 'load'
  | 'load-extended'
  | 'load-register'
  | 'constant'
  | 'store'
  | 'store-extended'
  | 'store-truncated'
  | 'store-register'
  | 'conditional-move'
  | 'exchange'
  | 'fchs'
  | 'fabs'
  | 'fsqrt'
  | 'frndint'
  | 'fscale'
  | 'fxtract'
  | 'fprem'
  | 'fprem1'
  | 'ffree'
  | 'rotate'
  | 'fnclex'
  | 'fninit'
  | 'control'
  | 'environment'
  | 'restore'
  | 'place'
  | 'peek'
  | 'tags'
  | 'unmodelled';

/** `a` and `b` are the words that the row says. */
const OPERATIONS: Readonly<Record<X87, Operation>> = {
  /** (which, i): ST(0) op ST(i). */
  'st0-sti': (f, which, i) => {
    const n = Number(i);
    arithmetic(f, Number(which), 0, f.raw(0), f.raw(n), f.isEmpty(0) || f.isEmpty(n));
    return nothing;
  },
  /** (which, i): ST(i) op ST(0). Bit 8 of `which` pops. */
  'sti-st0': (f, which, i) => {
    const n = Number(i);
    arithmetic(f, Number(which) & 7, n, f.raw(n), f.raw(0), f.isEmpty(0) || f.isEmpty(n));
    if (Number(which) & 0x100) f.pop();
    return nothing;
  },
  /** (which, kind in bits 15:8, operand): with memory. Kinds are those of `KINDS`. */
  memory: (f, which, bits) => {
    const y = operandOf(bits, KINDS[Number(which) >> 8] as number);
    const n = Number(which) & 7;
    if (n === 2 || n === 3) {
      f.code(compare(f, y, false, false));
      if (n === 3) f.pop();
    } else arithmetic(f, n, 0, f.raw(0), y, f.isEmpty(0));
    return nothing;
  },
  fcom: comparing(0, false),
  fcomp: comparing(1, false),
  fcompp: comparing(2, false),
  fucom: comparing(0, true),
  fucomp: comparing(1, true),
  fucompp: comparing(2, true),
  fcomi: comparingFlags(0, false),
  fcomip: comparingFlags(1, false),
  fucomi: comparingFlags(0, true),
  fucomip: comparingFlags(1, true),
  ftst: (f) => {
    f.code(compare(f, zeroOf(0), false, false));
    return nothing;
  },
  fxam: (f) => {
    examine(f);
    return nothing;
  },
  /** (kind, operand). */
  load: (f, kind, bits) => {
    const format = FORMATS[KINDS[Number(kind)] as number];
    f.c1 = false;
    if (format === undefined) {
      f.push(operandOf(bits, KINDS[Number(kind)] as number));
      return nothing;
    }
    let x = widen(bits, format);
    if (!f.isEmpty(7)) {
      f.push(x);
      return nothing;
    }
    if (classOf(x) === 'denormal') f.raise(FLAG.DE);
    if (classOf(x) === 'signaling') {
      f.raise(FLAG.IE);
      x = quieted(x);
    }
    f.push(x);
    return nothing;
  },
  'load-extended': (f, low, se) => {
    f.c1 = false;
    f.push({ sign: Number((se >> 15n) & 1n) as 0 | 1, exponent: Number(se & 0x7fffn), significand: low });
    return nothing;
  },
  'load-register': (f, i) => {
    f.c1 = false;
    const n = Number(i);
    if (!f.isEmpty(n)) {
      f.push(f.raw(n));
      return nothing;
    }
    f.underflow();
    if (f.holds) return nothing;
    f.top -= 1;
    f.put(0, INDEFINITE);
    return nothing;
  },
  constant: (f, which) => {
    constant(f, Number(which));
    return nothing;
  },
  /** (kind, 1 to pop): what is to be stored. */
  store: (f, kind, pops) => {
    f.c1 = false;
    const x = f.st(0);
    const wanted = KINDS[Number(kind)] as number;
    const format = FORMATS[wanted];
    const value = format === undefined ? toSize(f, x, -wanted, f.mode) : toFormat(f, x, format);
    if (pops === 1n) f.pop();
    return value;
  },
  'store-extended': (f) => {
    f.c1 = false;
    const x = f.st(0);
    f.output(BigInt((x.sign << 15) | x.exponent));
    f.pop();
    return x.significand;
  },
  'store-truncated': (f, kind) => {
    f.c1 = false;
    const value = toSize(f, f.st(0), -(KINDS[Number(kind)] as number), ROUND.zero);
    f.c1 = false;
    f.pop();
    return value;
  },
  /** (i, 1 to pop). */
  'store-register': (f, i, pops) => {
    f.c1 = false;
    const x = f.st(0);
    if (!f.holds) f.put(Number(i), x);
    if (pops === 1n) f.pop();
    return nothing;
  },
  /** (i, 1 when the condition holds). An empty register is a fault in either case. */
  'conditional-move': (f, i, moves) => {
    const n = Number(i);
    if (f.isEmpty(0) || f.isEmpty(n)) {
      f.underflow();
      if (!f.holds) f.put(0, INDEFINITE);
    } else if (moves === 1n) f.put(0, f.raw(n));
    return nothing;
  },
  exchange: (f, i) => {
    f.c1 = false;
    const n = Number(i);
    const [x, y] = [f.st(0), f.st(n)];
    if (f.holds) return nothing;
    f.put(0, y);
    f.put(n, x);
    return nothing;
  },
  fchs: changing((_f, x) => negative(x)),
  fabs: changing((_f, x) => ({ ...x, sign: 0 })),
  fsqrt: changing((f) => squareRoot(f)),
  frndint: changing((f) => toWhole(f)),
  fscale: (f) => {
    f.c1 = false;
    const result = scale(f);
    if (!f.holds) f.put(0, result);
    return nothing;
  },
  fxtract: (f) => {
    extract(f);
    return nothing;
  },
  fprem: (f) => {
    remainder(f, false);
    return nothing;
  },
  fprem1: (f) => {
    remainder(f, true);
    return nothing;
  },
  /** (i, 1 to pop). */
  ffree: (f, i, pops) => {
    f.c1 = false;
    f.free(Number(i));
    if (pops === 1n) f.pop();
    return nothing;
  },
  rotate: (f, by) => {
    f.c1 = false;
    f.top += Number(BigInt.asIntN(64, by));
    return nothing;
  },
  fnclex: (f) => {
    f.status &= ~(0xff | B);
    return nothing;
  },
  fninit: (f) => {
    f.initialize();
    return nothing;
  },
  /** (control word): FLDCW. Whether an exception is pending may change. */
  control: (f, word) => {
    f.control = controlOf(word);
    return nothing;
  },
  /** (tag word of two bits each, control and status word): FLDENV and FRSTOR. */
  environment: (f, tags, words) => {
    f.control = controlOf(words);
    f.status = Number((words >> 16n) & 0xffffn);
    f.tags = 0;
    for (let n = 0n; n < 8n; n++) if (((tags >> (2n * n)) & 3n) !== 3n) f.tags |= 1 << Number(n);
    return nothing;
  },
  /** (tags of one bit each, control and status word): FXRSTOR. */
  restore: (f, tags, words) => {
    f.control = controlOf(words);
    f.status = Number((words >> 16n) & 0xffffn);
    f.tags = Number(tags & 0xffn);
    return nothing;
  },
  /** (significand, sign and exponent, i from bit 16): FRSTOR; whether it is empty the tags have said. */
  place: (f, significand, word) => {
    const { tags } = f;
    const se = Number(word & 0xffffn);
    f.put(Number(word >> 16n), { sign: (se >> 15) as 0 | 1, exponent: se & 0x7fff, significand });
    f.tags = tags;
    return nothing;
  },
  /** (i): what FNSAVE stores. */
  peek: (f, i) => {
    const x = f.raw(Number(i));
    f.output(BigInt((x.sign << 15) | x.exponent));
    return x.significand;
  },
  /** The tag word of FNSTENV: two bits for each register. */
  tags: (f) => {
    let word = 0;
    for (let n = 0; n < 8; n++) {
      const i = (n - f.top + 8) & 7;
      const kind = classOf(f.raw(i));
      const tag = f.isEmpty(i) ? 3 : kind === 'zero' ? 1 : kind === 'normal' ? 0 : 2;
      word |= tag << (2 * n);
    }
    return BigInt(word);
  },
  unmodelled: (f, which) => unmodelled(UNMODELLED[Number(which)] as string)(f, 0n, 0n),
};

const NAMES = Object.keys(OPERATIONS) as X87[];

/** Formats in memory: bits of a floating-point number, or of an integer, negative. */
export const KINDS: readonly number[] = [32, 64, -16, -32, -64];

export const UNMODELLED: readonly string[] = [
  'F2XM1', 'FYL2X', 'FPTAN', 'FPATAN', 'FYL2XP1', 'FSINCOS', 'FSIN', 'FCOS', 'FBLD', 'FBSTP', 'the 16-bit x87 environment',
]; // biome-ignore format: one line

/** How lifts name an operation to the helper. */
export const x87Index = (name: X87): number => NAMES.indexOf(name);

export function x87(vcpu: Registers, [index = 0n, a = 0n, b = 0n]: readonly bigint[]): bigint {
  const fpu = new Fpu(vcpu);
  const result = OPERATIONS[NAMES[Number(index)] as X87](fpu, a, b);
  if (NAMES[Number(index)] === 'fninit') {
    vcpu.set('X87_HELD', 0n);
    return result;
  }
  fpu.finish();
  return result;
}
