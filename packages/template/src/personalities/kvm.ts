/** KVM. */
import { type None, none } from '@countervisor/contract';

export const kvm: None = none('KVM does not run on this architecture: it exists nowhere but here.');
