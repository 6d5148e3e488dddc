/** Sampling: one register that remembers where the last overflow was seen. Architectures without any export `none('why')`. */
import type { Vcpu } from '@countervisor/contract';

export interface Sampling {
  latch(vcpu: Vcpu): void;
}

export const sampling: Sampling = {
  /** At the boundary, PC already is the next instruction's address. */
  latch(vcpu: Vcpu): void {
    if (vcpu.cpu.features.has('sample')) vcpu.set('PMSAMPLE', vcpu.get('PC'));
  },
};
