/** VMCALL and VMMCALL: the convention that KVM and Xen share on x86-64, number in RAX. Linux Documentation/virt/kvm/x86/hypercalls.rst. */
import type { HypercallService, Hypercalls, View } from '@countervisor/contract';

/** -ENOSYS, as both answer to a number that they do not know: KVM says 1000 (KVM_ENOSYS), Xen 38. */
export const KVM_ENOSYS: bigint = BigInt.asUintN(64, -1000n);

/** Without a personality: one way to end, as every architecture's platform has one. */
export const services: Readonly<Record<string, HypercallService>> = {
  '0': {
    name: 'POWER_OFF',
    source: 'of the model: raw exit status in RBX',
    call(vcpu, [status = 0n]) {
      vcpu.domain.exit('poweroff', Number(status & 0xffff_ffffn));
      return 0n;
    },
  },
};

export const hypercalls: Hypercalls = {
  convention: { number: 'RAX', arguments: ['RBX', 'RCX', 'RDX', 'RSI'], result: 'RAX' },
  services,
  unknown: (_view: View, _number: bigint) => KVM_ENOSYS,
};
