/**
 * The op vocabulary: what an instruction may mean, without naming an architecture.
 *
 * Every op takes up to three 64-bit values and gives at most one. At width 32 the upper halves of the inputs are ignored and the result is
 * zero-extended. A pure op carries its meaning here, over bigint, as plainly as it can be said; every back end is tested against it.
 */

/** Operand width in bits. */
export type Width = 32 | 64;

/** A pure op: no state read or written, so a back end may drop it when nobody uses the result. */
export interface PureOp {
  readonly inputs: 1 | 2 | 3;
  readonly means: string;
  /** Inputs already cut to `width`; the result is cut to `width` by the caller. */
  readonly evaluate: (a: bigint, b: bigint, c: bigint, width: Width) => bigint;
}

const signed = (v: bigint, width: number): bigint => BigInt.asIntN(width, v);
const truth = (v: boolean): bigint => (v ? 1n : 0n);
const amount = (v: bigint, width: Width): bigint => v & BigInt(width - 1);

function bits(v: bigint, width: number): string {
  return v.toString(2).padStart(width, '0');
}

function reverseBytes(v: bigint, width: Width): bigint {
  let out = 0n;
  for (let i = 0; i < width; i += 8) out = (out << 8n) | ((v >> BigInt(i)) & 0xffn);
  return out;
}

export type PureOpName =
  | 'copy'
  | 'add'
  | 'sub'
  | 'mul'
  | 'mulhu'
  | 'mulhs'
  | 'divu'
  | 'divs'
  | 'remu'
  | 'rems'
  | 'and'
  | 'or'
  | 'xor'
  | 'not'
  | 'shl'
  | 'shr'
  | 'sar'
  | 'rotr'
  | 'clz'
  | 'ctz'
  | 'popcnt'
  | 'bswap'
  | 'rbit'
  | 'sext8'
  | 'sext16'
  | 'sext32'
  | 'zext8'
  | 'zext16'
  | 'zext32'
  | 'eq'
  | 'ne'
  | 'ltu'
  | 'lts'
  | 'leu'
  | 'les'
  | 'select'
  | 'carry'
  | 'overflow';

/** The pure ops, by name. */
export const PURE_OPS: Readonly<Record<PureOpName, PureOp>> = {
  copy: { inputs: 1, means: 'The value itself.', evaluate: (a) => a },
  add: { inputs: 2, means: 'Sum.', evaluate: (a, b) => a + b },
  sub: { inputs: 2, means: 'Difference.', evaluate: (a, b) => a - b },
  mul: { inputs: 2, means: 'Low half of the product.', evaluate: (a, b) => a * b },
  mulhu: {
    inputs: 2,
    means: 'High half of the unsigned product.',
    evaluate: (a, b, _c, w) => (a * b) >> BigInt(w),
  },
  mulhs: {
    inputs: 2,
    means: 'High half of the signed product.',
    evaluate: (a, b, _c, w) => (signed(a, w) * signed(b, w)) >> BigInt(w),
  },
  divu: {
    inputs: 2,
    means: 'Unsigned quotient; 0 when the divisor is 0.',
    evaluate: (a, b) => (b === 0n ? 0n : a / b),
  },
  divs: {
    inputs: 2,
    means: 'Signed quotient towards zero; 0 when the divisor is 0; the least number divided by -1 is itself.',
    evaluate: (a, b, _c, w) => (b === 0n ? 0n : signed(a, w) / signed(b, w)),
  },
  remu: {
    inputs: 2,
    means: 'Unsigned remainder; the dividend when the divisor is 0.',
    evaluate: (a, b) => (b === 0n ? a : a % b),
  },
  rems: {
    inputs: 2,
    means: 'Signed remainder with the sign of the dividend; the dividend when the divisor is 0.',
    evaluate: (a, b, _c, w) => (b === 0n ? a : signed(a, w) % signed(b, w)),
  },
  and: { inputs: 2, means: 'Bitwise and.', evaluate: (a, b) => a & b },
  or: { inputs: 2, means: 'Bitwise or.', evaluate: (a, b) => a | b },
  xor: { inputs: 2, means: 'Bitwise exclusive or.', evaluate: (a, b) => a ^ b },
  not: { inputs: 1, means: 'Bitwise complement.', evaluate: (a) => ~a },
  shl: { inputs: 2, means: 'Shift left by b modulo the width.', evaluate: (a, b, _c, w) => a << amount(b, w) },
  shr: { inputs: 2, means: 'Logical shift right by b modulo the width.', evaluate: (a, b, _c, w) => a >> amount(b, w) },
  sar: {
    inputs: 2,
    means: 'Arithmetic shift right by b modulo the width.',
    evaluate: (a, b, _c, w) => signed(a, w) >> amount(b, w),
  },
  rotr: {
    inputs: 2,
    means: 'Rotate right by b modulo the width.',
    evaluate: (a, b, _c, w) => (a >> amount(b, w)) | (a << (BigInt(w) - amount(b, w))),
  },
  clz: {
    inputs: 1,
    means: 'Leading zeros; the width for 0.',
    evaluate: (a, _b, _c, w) => BigInt(a === 0n ? w : bits(a, w).indexOf('1')),
  },
  ctz: {
    inputs: 1,
    means: 'Trailing zeros; the width for 0.',
    evaluate: (a, _b, _c, w) => BigInt(a === 0n ? w : w - 1 - bits(a, w).lastIndexOf('1')),
  },
  popcnt: {
    inputs: 1,
    means: 'Number of ones.',
    evaluate: (a, _b, _c, w) => BigInt(bits(a, w).replaceAll('0', '').length),
  },
  bswap: { inputs: 1, means: 'Bytes in the opposite order.', evaluate: (a, _b, _c, w) => reverseBytes(a, w) },
  rbit: {
    inputs: 1,
    means: 'Bits in the opposite order.',
    evaluate: (a, _b, _c, w) => BigInt(`0b${[...bits(a, w)].reverse().join('')}`),
  },
  sext8: { inputs: 1, means: 'Bits 7:0, sign-extended.', evaluate: (a) => BigInt.asIntN(8, a) },
  sext16: { inputs: 1, means: 'Bits 15:0, sign-extended.', evaluate: (a) => BigInt.asIntN(16, a) },
  sext32: { inputs: 1, means: 'Bits 31:0, sign-extended.', evaluate: (a) => BigInt.asIntN(32, a) },
  zext8: { inputs: 1, means: 'Bits 7:0.', evaluate: (a) => a & 0xffn },
  zext16: { inputs: 1, means: 'Bits 15:0.', evaluate: (a) => a & 0xffffn },
  zext32: { inputs: 1, means: 'Bits 31:0.', evaluate: (a) => a & 0xffff_ffffn },
  eq: { inputs: 2, means: '1 when equal.', evaluate: (a, b) => truth(a === b) },
  ne: { inputs: 2, means: '1 when different.', evaluate: (a, b) => truth(a !== b) },
  ltu: { inputs: 2, means: '1 when a < b, unsigned.', evaluate: (a, b) => truth(a < b) },
  lts: { inputs: 2, means: '1 when a < b, signed.', evaluate: (a, b, _c, w) => truth(signed(a, w) < signed(b, w)) },
  leu: { inputs: 2, means: '1 when a <= b, unsigned.', evaluate: (a, b) => truth(a <= b) },
  les: { inputs: 2, means: '1 when a <= b, signed.', evaluate: (a, b, _c, w) => truth(signed(a, w) <= signed(b, w)) },
  select: { inputs: 3, means: 'b when a is not 0, else c.', evaluate: (a, b, c) => (a !== 0n ? b : c) },
  carry: {
    inputs: 3,
    means: 'Carry out of a + b + (c & 1) at the width. A borrow is carry(a, not b, 1).',
    evaluate: (a, b, c, w) => (a + b + (c & 1n)) >> BigInt(w),
  },
  overflow: {
    inputs: 3,
    means: 'Signed overflow of a + b + (c & 1) at the width.',
    evaluate: (a, b, c, w) => {
      const sum = signed(a, w) + signed(b, w) + (c & 1n);
      return truth(sum !== signed(sum, w));
    },
  },
};

export type EffectOpName =
  | 'load'
  | 'store'
  | 'probe'
  | 'skip'
  | 'jump'
  | 'branch'
  | 'read'
  | 'write'
  | 'raise'
  | 'trap'
  | 'call'
  | 'emit'
  | 'again';

/** Ops with an effect, by name. Their operands are what the `Lifter` methods of the same subject say. */
export const EFFECT_OPS: Readonly<Record<EffectOpName, string>> = {
  load: 'Reads guest memory; may fault, and then nothing of the instruction has happened.',
  store: 'Writes guest memory; may fault, and then nothing has been written.',
  probe: 'Faults as an access of that size would, without accessing: for instructions with several accesses.',
  skip: 'Skips the next n ops of this instruction when the value is 0.',
  jump: 'Continues at an address. A taken branch when the row says so.',
  branch: 'Continues at a constant address when the value is not 0.',
  read: 'A register access by address, on the access road.',
  write: 'A register access by address, on the access road.',
  raise: 'Takes an exception of the guest, with or without retiring first.',
  trap: 'Leaves for the hypervisor with a cause: hypercall, wait for interrupt.',
  call: 'A rare helper written in TypeScript.',
  emit: 'Counts a signal that only the run can know.',
  again:
    'Not finished when the value is not 0: one unit of budget is spent and the same instruction runs again (rule 10).',
};

/** How an op names a value: a register slot, a temporary of this instruction, or a constant of this instruction. */
export type Operand =
  | { readonly kind: 'register'; readonly name: string }
  | { readonly kind: 'temporary'; readonly index: number }
  | { readonly kind: 'constant'; readonly value: bigint };

/** One access to guest memory. Sizes in bytes. */
export interface AccessShape {
  readonly size: 1 | 2 | 4 | 8;
  /** Sign-extend to `width` after loading. Default: zero-extend. */
  readonly signed?: boolean;
  /** Width of a signed result. Default 64. */
  readonly width?: Width;
  /** Most significant byte first. Default: little-endian. */
  readonly big?: boolean;
  /** The address must be a multiple of this, else an alignment fault. Default 1. */
  readonly align?: number;
  /** Access at this level instead of the current one (LDTR, user-mode copies). Level index. */
  readonly level?: number;
  /** 'io': not memory but the platform's I/O space; the address is a port, nothing is translated. */
  readonly space?: 'io';
}

/** One op of a lifted instruction. */
export type Op =
  | {
      readonly op: PureOpName;
      readonly width: Width;
      readonly to: Operand;
      readonly a: Operand;
      readonly b?: Operand;
      readonly c?: Operand;
    }
  | { readonly op: 'load'; readonly to: Operand; readonly at: Operand; readonly shape: AccessShape }
  | { readonly op: 'store'; readonly at: Operand; readonly value: Operand; readonly shape: AccessShape }
  | {
      readonly op: 'probe';
      readonly at: Operand;
      readonly size: number;
      readonly write: boolean;
      readonly shape: AccessShape;
    }
  | { readonly op: 'skip'; readonly unless: Operand; readonly count: number }
  | { readonly op: 'jump'; readonly to: Operand }
  | { readonly op: 'branch'; readonly when: Operand; readonly to: bigint }
  | { readonly op: 'read'; readonly to: Operand; readonly space: string; readonly index: Operand }
  | { readonly op: 'write'; readonly value: Operand; readonly space: string; readonly index: Operand }
  | { readonly op: 'raise'; readonly exception: string; readonly syndrome: Operand; readonly retires: boolean }
  | { readonly op: 'trap'; readonly cause: string; readonly argument: Operand }
  | { readonly op: 'call'; readonly to: Operand; readonly helper: string; readonly args: readonly Operand[] }
  | { readonly op: 'emit'; readonly signal: string }
  | { readonly op: 'again'; readonly when: Operand };
