/** The manual's facts for the conformance kit. */
import { type None, none } from '@countervisor/contract';

export const manual: None = none(
  'not written yet: registers are compared with QEMU’s in registers/tables.test.ts, freezes with the manual’s sentences in counters.test.ts, PMCC in traps.test.ts.',
);
