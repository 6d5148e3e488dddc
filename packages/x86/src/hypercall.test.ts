import { describe, expect, it } from 'vitest';
import { hypercalls, KVM_ENOSYS } from './hypercall.ts';
import { still } from './testing/still.ts';

describe('hypercalls', () => {
  it('0 ends the domain with the status given', () => {
    const { vcpu, domain } = still();
    hypercalls.services['0']?.call(vcpu, [7n]);
    expect(domain.ended).toEqual({ reason: 'poweroff', status: 7 });
  });
  it('an unknown one is answered as KVM answers it', () => {
    expect(hypercalls.unknown(still().vcpu, 99n)).toBe(KVM_ENOSYS);
    expect(BigInt.asIntN(64, KVM_ENOSYS)).toBe(-1000n);
  });
});
