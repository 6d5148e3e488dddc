/** Addresses of loads and stores: the base register with its alignment check, and the forms that move it. Arm DDI 0487, C1.3 (load/store addressing modes) and D1.8 (stack pointer alignment). */
import type { Lifter, Value } from '@countervisor/contract';
import { setXsp, xsp } from './operands.ts';

/**
 * The base register of an access. The stack pointer must be a multiple of 16 where SCTLR_EL1 asks for it: SA (bit 3) at EL1, SA0 (bit 4) at EL0.
 * The control is looked at only when the pointer is misaligned, so the usual case costs two ops.
 */
export function base(b: Lifter, n: number): Value {
  const value = xsp(b, n);
  if (n !== 31) return value;
  b.when(b.and(value, b.constant(15)), () => {
    const control = b.shr(b.get('SCTLR_EL1'), b.sub(b.constant(4), b.get('EL')));
    b.when(b.and(control, b.constant(1)), () => b.raise('sp-alignment'));
  });
  return value;
}

/** A base plus a constant; a base alone costs no op. */
export function plus(b: Lifter, from: Value, offset: number): Value {
  return offset === 0 ? from : b.add(from, b.constant(BigInt(offset)));
}

/** How a form of a load or store finds its address and what becomes of the base. */
export type Writeback = 'offset' | 'post' | 'pre';

/** The address to access, and the write of the base to be made after everything else, so that the base wins where it is also a target. */
export function indexed(
  b: Lifter,
  n: number,
  offset: number,
  writeback: Writeback,
): { readonly at: Value; readonly finish: () => void } {
  const from = base(b, n);
  const moved = plus(b, from, offset);
  if (writeback === 'offset') return { at: moved, finish: () => {} };
  return { at: writeback === 'pre' ? moved : from, finish: () => setXsp(b, n, moved) };
}
