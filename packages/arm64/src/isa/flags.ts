/** The condition flags as a word holds them: N 31, Z 30, C 29, V 28, in NZCV, SPSR_EL1 and PSTATE. Arm DDI 0487, C5.2.9 and C5.2.18. */
import type { Vcpu, View } from '@countervisor/contract';

const FLAGS = [
  ['N', 31n],
  ['Z', 30n],
  ['C', 29n],
  ['V', 28n],
] as const;

export function packFlags(view: Pick<View, 'get'>): bigint {
  return FLAGS.reduce((word, [flag, bit]) => word | (view.get(flag) << bit), 0n);
}

export function unpackFlags(vcpu: Vcpu, word: bigint): void {
  for (const [flag, bit] of FLAGS) vcpu.set(flag, (word >> bit) & 1n);
}
