/** Stacks as system instructions and exceptions use them: a pointer within a segment, moved by pushes and pops. Intel SDM volume 1, 6.2; volume 3, 7.7. */
import { type Draft, Faulted } from './draft.ts';
import { isCanonical, type Manner } from './mmu.ts';
import {
  AR,
  type Descriptor,
  dplOf,
  errorOf,
  isCode,
  isLong,
  isNull,
  isPresent,
  linear,
  need,
  rplOf,
} from './segments.ts';

type Bytes = 2 | 4 | 8;

export class Stack {
  pointer: bigint;
  readonly #draft: Draft;
  readonly #base: bigint;
  /** Bits of the pointer that move. */
  readonly #bits: number;
  readonly #limit: bigint;
  readonly #ar: bigint;
  readonly #manner: Manner;
  readonly #external: bigint;

  /** `flat`: 64-bit mode, where segments have no base and no limit. */
  constructor(
    draft: Draft,
    pointer: bigint,
    segment: { readonly base: bigint; readonly limit: bigint; readonly ar: bigint },
    flat: boolean,
    cpl: bigint,
    external = 0n,
  ) {
    this.#draft = draft;
    this.pointer = pointer;
    this.#base = flat ? 0n : segment.base;
    this.#bits = flat ? 64 : (segment.ar & AR.db) === 0n ? 16 : 32;
    this.#limit = flat ? (1n << 64n) - 1n : segment.limit;
    this.#ar = flat ? 0n : segment.ar;
    this.#manner = draft.manner(cpl);
    this.#external = external;
  }

  /** The stack in use. */
  static current(draft: Draft, flat: boolean, external = 0n): Stack {
    const segment = { base: draft.get('SS_BASE'), limit: draft.get('SS_LIMIT'), ar: draft.get('SS_AR') };
    return new Stack(draft, draft.get('RSP'), segment, flat, draft.get('CPL'), external);
  }

  #address(offset: bigint, bytes: number): bigint {
    if (this.#bits === 64) {
      if (!isCanonical(offset)) throw new Faulted('#SS', this.#external);
      return offset;
    }
    const last = offset + BigInt(bytes) - 1n;
    const down = (this.#ar & (AR.code | AR.bent)) === AR.bent;
    const top = (this.#ar & AR.db) === 0n ? 0xffffn : 0xffff_ffffn;
    if (down ? offset <= this.#limit || last > top : last > this.#limit) throw new Faulted('#SS', this.#external);
    return linear(this.#draft, (this.#base + offset) & 0xffff_ffffn);
  }

  push(value: bigint, bytes: Bytes): void {
    const offset = BigInt.asUintN(this.#bits, this.pointer - BigInt(bytes));
    this.#draft.write(this.#address(offset, bytes), bytes, value, this.#manner);
    this.#moved(offset);
  }

  pop(bytes: Bytes): bigint {
    const offset = BigInt.asUintN(this.#bits, this.pointer);
    const value = this.#draft.read(this.#address(offset, bytes), bytes, this.#manner);
    this.skip(BigInt(bytes));
    return value;
  }

  skip(bytes: bigint): void {
    this.#moved(BigInt.asUintN(this.#bits, this.pointer + bytes));
  }

  /** A 16-bit pointer leaves the upper part of ESP as it is. */
  #moved(offset: bigint): void {
    this.pointer = this.#bits === 16 ? (this.pointer & ~0xffffn) | offset : offset;
  }
}

/** Where a more privileged stack lies, outside long mode: SS and ESP of the task state segment. */
export function innerStack(
  draft: Draft,
  cpl: bigint,
  external: bigint,
): { selector: bigint; descriptor: Descriptor; pointer: bigint } {
  const wide = (draft.get('TR_AR') & 8n) !== 0n;
  const bytes = wide ? 4 : 2;
  const at = wide ? 4n + cpl * 8n : 2n + cpl * 4n;
  if (at + BigInt(bytes) + 1n > draft.get('TR_LIMIT')) throw new Faulted('#TS', errorOf(draft.get('TR')) | external);
  const base = draft.get('TR_BASE');
  const pointer = draft.read(linear(draft, base + at), bytes);
  const selector = draft.read(linear(draft, base + at + BigInt(bytes)), 2);
  if (isNull(selector)) throw new Faulted('#TS', external);
  const descriptor = need(draft, selector, '#TS', external);
  const writable = (descriptor.ar & (AR.s | AR.code | AR.rw)) === (AR.s | AR.rw);
  if (rplOf(selector) !== cpl || dplOf(descriptor) !== cpl || isCode(descriptor) || !writable) {
    throw new Faulted('#TS', errorOf(selector) | external);
  }
  if (!isPresent(descriptor)) throw new Faulted('#SS', errorOf(selector) | external);
  return { selector, descriptor, pointer };
}

/** In long mode: RSPn of the task state segment, or with `ist` 1 to 7 that entry. */
export function innerPointer(draft: Draft, cpl: bigint, ist: bigint, external: bigint): bigint {
  const at = ist === 0n ? 4n + cpl * 8n : 0x1cn + ist * 8n;
  if (!isLong(draft)) throw new Error('innerPointer is of long mode');
  if (at + 7n > draft.get('TR_LIMIT')) throw new Faulted('#TS', errorOf(draft.get('TR')) | external);
  const pointer = draft.read(linear(draft, draft.get('TR_BASE') + at), 8);
  if (!isCanonical(pointer)) throw new Faulted('#SS', external);
  return pointer;
}
