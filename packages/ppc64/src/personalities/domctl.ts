/** Xen's half of domain creation on ppc64. */
import { type None, none } from '@countervisor/contract';

export const domctl: None = none(
  'the Xen of 2007 had no vPMU flag at domain creation and its port is gone; the present port’s arch_sanitise_domain_config is not written, and libxl has no ppc64 half.',
);
