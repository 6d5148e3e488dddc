/**
 * What a register holds after a write: a pure function of what it held and what was written, by the behaviour of each field.
 *
 * The row's own `accepts` and `wrote` come after it and are not called here.
 */
import type { CompiledRegister } from '../load/compile.ts';
import { bitsOf } from '../load/problems.ts';

/** A write that a field refuses; nothing has changed. */
export interface FieldRefusal {
  /** Why, in words: the register, its bits and what they must be. */
  readonly refuse: string;
  /** The offending bits. */
  readonly bits: bigint;
}

/** The masks that decide; `CompiledRegister` has them all. */
export type FieldMasks = Pick<
  CompiledRegister,
  'name' | 'mask' | 'plain' | 'oneSets' | 'oneClears' | 'ignored' | 'zero' | 'one' | 'mustBe0' | 'mustBe1'
>;

/** The value to be stored, or the refusal. Bits of `written` beyond the register's width are dropped. */
export function legalize(register: FieldMasks, before: bigint, written: bigint): bigint | FieldRefusal {
  if (register.plain === register.mask) return written & register.mask;
  const ones = written & register.mustBe0;
  if (ones !== 0n) return { refuse: `${register.name}: ${bitsOf(ones)} must be 0`, bits: ones };
  const zeros = ~written & register.mustBe1;
  if (zeros !== 0n) return { refuse: `${register.name}: ${bitsOf(zeros)} must be 1`, bits: zeros };
  return (
    (written & register.plain) |
    ((before | written) & register.oneSets) |
    (before & ~written & register.oneClears) |
    (before & register.ignored) |
    register.one |
    register.mustBe1
  );
}

/** A value with the bits that never vary put right: for reset patterns, where the manual says 'unknown'. */
export function withFixedBits(register: FieldMasks, value: bigint): bigint {
  return (value & register.mask & ~register.zero & ~register.mustBe0) | register.one | register.mustBe1;
}
