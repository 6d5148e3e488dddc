/** Sampling registers: none. */
import { type None, none } from '@countervisor/contract';

export const sampling: None = none(
  'PMS* and PMB* belong to the Statistical Profiling Extension, which is not modelled: they are undefined, as on a CPU without it.',
);
