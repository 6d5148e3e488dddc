/**
 * Ops that often stand together, as one step: flags of a difference or of a conjunction, a branch on a comparison, an address sum and its
 * access. What the ops between them leave in temporaries is not kept, so nothing else of the instruction may use it.
 */
import type { Op, Operand } from '@countervisor/contract';
import { isPlain, type Placing, target } from './effects.ts';
import { kindOf } from './pure.ts';
import { makeStep, type Step } from './step.ts';
import { inputs, output } from './tidy.ts';

export interface Fusion {
  /** How many ops. */
  readonly length: number;
  readonly step: Step;
}

type Pure = Extract<Op, { readonly width: unknown }>;

const same = (a: Operand | undefined, b: Operand | undefined): boolean => {
  if (a === undefined || b === undefined) return false;
  if (a.kind === 'temporary') return b.kind === 'temporary' && a.index === b.index;
  if (a.kind === 'register') return b.kind === 'register' && a.name === b.name;
  return b.kind === 'constant' && a.value === b.value;
};

const isConstant = (o: Operand | undefined, value: bigint): boolean => o?.kind === 'constant' && o.value === value;

/** The op at `i` when it is this pure one. */
function pure(ops: readonly Op[], i: number, name: string, width: number): Pure | undefined {
  const op = ops[i];
  return op !== undefined && 'width' in op && op.op === name && op.width === width ? op : undefined;
}

/** Is it a temporary that no op outside `from` to `to` touches? */
function isOwn(o: Operand, ops: readonly Op[], from: number, to: number): boolean {
  if (o.kind !== 'temporary') return false;
  return ops.every((op, i) => (i >= from && i < to) || ![...inputs(op), output(op)].some((other) => same(o, other)));
}

/** Registers, all different ones: then it does not matter in which order they are written. */
const areRegisters = (all: readonly Operand[]): boolean =>
  all.every((o, i) => o.kind === 'register' && !all.slice(0, i).some((other) => same(o, other)));

/** sub, and its sign, zero, no-borrow and overflow, each to a register; the difference itself is kept or not. */
function compare(ops: readonly Op[], i: number, place: Placing): Fusion | undefined {
  const sub = ops[i];
  if (sub?.op !== 'sub') return undefined;
  const { width, a, b, to: difference } = sub;
  const sign = pure(ops, i + 1, 'shr', width);
  const zero = pure(ops, i + 2, 'eq', width);
  const carry = pure(ops, i + 3, 'leu', width);
  const less = pure(ops, i + 4, 'lts', width);
  const overflow = pure(ops, i + 5, 'xor', 64);
  const kept = pure(ops, i + 6, 'copy', 64);
  const keeps = kept !== undefined && same(kept.a, difference);
  const negative = keeps ? pure(ops, i + 7, 'copy', 64) : kept;
  const length = keeps ? 8 : 7;
  if (!sign || !zero || !carry || !less || !overflow || !negative || b === undefined) return undefined;
  const holds =
    same(sign.a, difference) &&
    isConstant(sign.b, BigInt(width - 1)) &&
    same(zero.a, a) &&
    same(zero.b, b) &&
    same(carry.a, b) &&
    same(carry.b, a) &&
    same(less.a, a) &&
    same(less.b, b) &&
    same(overflow.a, less.to) &&
    same(overflow.b, sign.to) &&
    same(negative.a, sign.to) &&
    [difference, sign.to, less.to].every((o) => isOwn(o, ops, i, i + length)) &&
    areRegisters([...(keeps ? [kept.to] : []), zero.to, carry.to, overflow.to, negative.to]) &&
    [zero.to, carry.to, overflow.to].every((o) => !same(o, a) && !same(o, b));
  if (!holds) return undefined;
  const flags = { n: place(negative.to), z: place(zero.to), c: place(carry.to), v: place(overflow.to) };
  const d = place(keeps ? kept.to : difference);
  return { length, step: makeStep(kindOf(`compare${width}`), { d, a: place(a), b: place(b), flags }) };
}

/** and, and its sign and zero, with two more flags cleared; the conjunction itself is kept or not. */
function test(ops: readonly Op[], i: number, place: Placing): Fusion | undefined {
  const and = ops[i];
  if (and?.op !== 'and') return undefined;
  const { width, a, b, to: conjunction } = and;
  const kept = pure(ops, i + 1, 'copy', 64);
  const at = kept !== undefined && same(kept.a, conjunction) ? i + 2 : i + 1;
  const sign = pure(ops, at, 'shr', width);
  const zero = pure(ops, at + 1, 'eq', 64);
  const carry = pure(ops, at + 2, 'copy', 64);
  const overflow = pure(ops, at + 3, 'copy', 64);
  const length = at + 4 - i;
  const keeps = at === i + 2;
  if (!sign || !zero || !carry || !overflow || b === undefined) return undefined;
  const holds =
    same(sign.a, conjunction) &&
    isConstant(sign.b, BigInt(width - 1)) &&
    same(zero.a, conjunction) &&
    isConstant(zero.b, 0n) &&
    isConstant(carry.a, 0n) &&
    isConstant(overflow.a, 0n) &&
    isOwn(conjunction, ops, i, i + length) &&
    areRegisters([...(keeps ? [(kept as Pure).to] : []), sign.to, zero.to, carry.to, overflow.to]);
  if (!holds) return undefined;
  const flags = { n: place(sign.to), z: place(zero.to), c: place(carry.to), v: place(overflow.to) };
  const d = place(keeps ? (kept as Pure).to : conjunction);
  return { length, step: makeStep(kindOf(`test${width}`), { d, a: place(a), b: place(b), flags }) };
}

/** Comparisons of 64 bits, and the branches on them. */
const BRANCHES: Readonly<Record<string, string>> = {
  eq: 'branchEqual',
  ne: 'branchUnequal',
  ltu: 'branchBelow',
  leu: 'branchNotAbove',
  and: 'branchBits',
};

/** A comparison, or some bits of a value, or a comparison of those with 0; and a branch on that. */
function branch(ops: readonly Op[], i: number, place: Placing): Fusion | undefined {
  const condition = ops[i];
  if (condition === undefined || !('width' in condition) || condition.b === undefined) return undefined;
  const { op, width, a, b, to } = condition;
  const zero = pure(ops, i + 1, 'eq', 64);
  const inverted = op === 'and' && same(zero?.a, to) && isConstant(zero?.b, 0n);
  const length = inverted ? 3 : 2;
  const jump = ops[i + length - 1];
  if (jump?.op !== 'branch' || !same(jump.when, inverted ? zero?.to : to)) return undefined;
  if (![to, jump.when].every((o) => isOwn(o, ops, i, i + length))) return undefined;
  const goes = { a: place(a), ...target(jump.to) };
  if ((op === 'eq' || op === 'ne') && isConstant(b, 0n)) {
    return { length, step: makeStep(kindOf(`${op === 'eq' ? 'branchUnless' : 'branch'}${width}`), goes) };
  }
  const name = inverted ? 'branchNoBits' : BRANCHES[op];
  return name === undefined || width !== 64
    ? undefined
    : { length, step: makeStep(kindOf(name), { ...goes, b: place(b) }) };
}

/** Some bits of a value, and a skip without them. */
function skip(ops: readonly Op[], i: number, place: Placing): Fusion | undefined {
  const and = pure(ops, i, 'and', 64);
  const over = ops[i + 1];
  if (and?.b === undefined || over?.op !== 'skip') return undefined;
  if (!same(and.to, over.unless) || !isOwn(and.to, ops, i, i + 2)) return undefined;
  return { length: 2, step: makeStep(kindOf('skipBits'), { a: place(and.a), b: place(and.b) }) };
}

/** A sum, and a plain access there. */
function access(ops: readonly Op[], i: number, place: Placing): Fusion | undefined {
  const sum = pure(ops, i, 'add', 64);
  const at = ops[i + 1];
  if (sum?.b === undefined || (at?.op !== 'load' && at?.op !== 'store')) return undefined;
  if (!same(sum.to, at.at) || !isPlain(at.shape) || !isOwn(sum.to, ops, i, i + 2)) return undefined;
  const value = at.op === 'load' ? at.to : at.value;
  if (at.op === 'store' && same(value, sum.to)) return undefined;
  const { shape } = at;
  const parts = { d: place(value), a: place(sum.a), b: place(sum.b), c: shape.size - 1, shape };
  return { length: 2, step: makeStep(kindOf(at.op), parts) };
}

/** The ops from `i` on as one step, where there is one for them. */
export function fuse(ops: readonly Op[], i: number, place: Placing): Fusion | undefined {
  return (
    compare(ops, i, place) ??
    test(ops, i, place) ??
    branch(ops, i, place) ??
    skip(ops, i, place) ??
    access(ops, i, place)
  );
}
