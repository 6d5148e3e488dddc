/** Fields of a word, and words of fields. */
import type { Field } from './register.ts';

/** Mask of `count` ones. */
export function ones(count: number): bigint {
  return (1n << BigInt(count)) - 1n;
}

/** [high, low] of a field. */
export function span(bits: Field['bits']): readonly [high: number, low: number] {
  return typeof bits === 'number' ? [bits, bits] : bits;
}

/** The field's bits set, in place. */
export function mask(bits: Field['bits']): bigint {
  const [high, low] = span(bits);
  return ones(high - low + 1) << BigInt(low);
}

/** A field's value, moved down to bit 0. */
export function extract(word: bigint, bits: Field['bits']): bigint {
  const [high, low] = span(bits);
  return (word >> BigInt(low)) & ones(high - low + 1);
}

/** The word with one field replaced. */
export function insert(word: bigint, bits: Field['bits'], value: bigint): bigint {
  const m = mask(bits);
  return (word & ~m) | ((value << BigInt(span(bits)[1])) & m);
}
