/** The manual's facts a second time, for the conformance kit. */
import { type None, none } from '@countervisor/contract';

export const manual: None = none(
  'the register tables have not been written a second time yet; the kit tests them against core alone.',
);
