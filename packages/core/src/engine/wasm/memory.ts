/**
 * Loads, stores and probes as WebAssembly: the soft-TLB asked inline, and a way out where it does not answer, or where the access is not aligned:
 * the stepper then performs the instruction, before which nothing has been changed (engine constraint 5).
 */
import type { AccessShape, Op } from '@countervisor/contract';
import { PAGE, TLB_ENTRIES, TLB_WORDS } from '../../memory/layout.ts';
import type { MemoryName } from './opcodes.ts';
import { reverseBytes } from './pure.ts';
import type { Values } from './values.ts';

type Of<Name> = Extract<Op, { readonly op: Name }>;

/** Byte offsets in a TLB entry. */
const READ = 0;
const WRITE = 8;
export const FETCH = 16;
export const HOST = 24;
const ENTRY = TLB_WORDS * 4;
/** A page number times this is where its entry is: address bits 12 and up move to the bits of an entry's offset. */
const SHIFT = 12 - Math.log2(ENTRY);

export interface Reach {
  /** Locals: byte offset of the TLB set, and an i32 for an entry's offset. */
  readonly tlb: number;
  readonly entry: number;
  /** Emits the way out: the stepper performs this instruction. */
  leave(): void;
}

/** Can the translated code perform it at all? */
export const isInline = (shape: AccessShape): boolean => shape.level === undefined && shape.space === undefined;

/** Leaves when the TLB has no tag for the page, or the address has a bit of `below`; else the entry's offset is in its local. */
function check(v: Values, r: Reach, at: number, tag: number, below: number, span = 0): void {
  const { body } = v;
  body.get(r.tlb).get(at).op('i32.wrap_i64').i32(SHIFT).op('i32.shr_u');
  body
    .i32((TLB_ENTRIES - 1) * ENTRY)
    .op('i32.and')
    .op('i32.add')
    .tee(r.entry)
    .memory('i64.load', tag);
  body.get(at).i64(12n).op('i64.shr_u').op('i64.xor');
  if (below > 0) body.get(at).i64(BigInt(below)).op('i64.and').op('i64.or');
  body.i64(0n).op('i64.ne');
  if (span > 1) {
    body
      .get(at)
      .op('i32.wrap_i64')
      .i32(PAGE - 1)
      .op('i32.and')
      .i32(PAGE - span)
      .op('i32.gt_u')
      .op('i32.or');
  }
  body.if();
  r.leave();
  body.end();
}

/** Pushes the host offset of the access. */
function host(v: Values, r: Reach, at: number): void {
  v.body.get(r.entry).memory('i32.load', HOST);
  v.body
    .get(at)
    .op('i32.wrap_i64')
    .i32(PAGE - 1)
    .op('i32.and')
    .op('i32.add');
}

/** The address in a local. */
function address(v: Values, at: Of<'load'>['at']): number {
  const known = v.localOf(at);
  if (known !== undefined) return known;
  const local = v.scratch(3);
  v.push(at);
  v.body.set(local);
  return local;
}

const demanded = ({ size, align }: AccessShape): number => Math.max(size, align ?? 1) - 1;

const LOADS: Readonly<Record<number, readonly [unsigned: MemoryName, signed: MemoryName]>> = {
  1: ['i64.load8_u', 'i64.load8_s'],
  2: ['i64.load16_u', 'i64.load16_s'],
  4: ['i64.load32_u', 'i64.load32_s'],
  8: ['i64.load', 'i64.load'],
};
const STORES: Readonly<Record<number, MemoryName>> = {
  1: 'i64.store8',
  2: 'i64.store16',
  4: 'i64.store32',
  8: 'i64.store',
};

export function emitLoad(v: Values, r: Reach, { at, to, shape }: Of<'load'>): void {
  const { body } = v;
  const { size, signed = false, width = 64, big = false } = shape;
  const from = address(v, at);
  check(v, r, from, READ, demanded(shape));
  host(v, r, from);
  const names = LOADS[size] as readonly [MemoryName, MemoryName];
  if (big && size > 1) {
    const value = v.scratch(0);
    body.memory(names[0]).set(value);
    reverseBytes(v, value, size);
    body.get(value);
    if (signed && size < 8) body.op(size === 2 ? 'i64.extend16_s' : 'i64.extend32_s');
  } else body.memory(names[signed ? 1 : 0]);
  if (signed && width === 32 && size < 8) body.i64(0xffff_ffffn).op('i64.and');
  v.pop(to);
}

export function emitStore(v: Values, r: Reach, { at, value, shape }: Of<'store'>): void {
  const { body } = v;
  const { size, big = false } = shape;
  const to = address(v, at);
  check(v, r, to, WRITE, demanded(shape));
  if (big && size > 1) {
    const swapped = v.scratch(0);
    v.push(value);
    if (size < 8) body.i64((1n << BigInt(8 * size)) - 1n).op('i64.and');
    body.set(swapped);
    reverseBytes(v, swapped, size);
    host(v, r, to);
    body.get(swapped);
  } else {
    host(v, r, to);
    v.push(value);
  }
  body.memory(STORES[size] as MemoryName);
}

export function emitProbe(v: Values, r: Reach, { at, size, write, shape }: Of<'probe'>): void {
  check(v, r, address(v, at), write ? WRITE : READ, demanded(shape), size);
}
