/** Xen. */
import { type None, none } from '@countervisor/contract';

export const xen: None = none('Xen does not run on this architecture: it exists nowhere but here.');
