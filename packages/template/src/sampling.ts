/** Sampling: one register that remembers where the last overflow was seen. Architectures without any export `none('why')`. */
import type { Counted, Retired, Sampling, Vcpu } from '@countervisor/contract';

export const sampling: Sampling = {
  /** The address of the instruction behind the one at which a counter wrapped. Nothing is armed, so every call is about an overflow. */
  boundary(vcpu: Vcpu, _counted: readonly Counted[], retired: Retired): undefined {
    if (vcpu.cpu.features.has('sample')) vcpu.set('PMSAMPLE', retired.next);
  },
};
