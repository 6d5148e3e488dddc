/** Sampling: none. */
import { type None, none } from '@countervisor/contract';

export const sampling: None = none(
  'The Statistical Profiling Extension (FEAT_SPE) is not modelled: ID_AA64DFR0_EL1.PMSVer reads as 0.',
);
