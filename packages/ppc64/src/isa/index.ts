/** The instruction set as core calls it: decoding, translation, interrupts, helpers. */
import type { Isa } from '@countervisor/contract';
import { bhrb } from '../sampling.ts';
import { bitHelpers } from './bits.ts';
import { decode, mode } from './decode.ts';
import { faults, helpers, take, traced } from './exceptions.ts';
import { regime, regimes, translate } from './mmu.ts';
import { costs } from './row.ts';

/** Mode bits beside the decoder's own: MSR[SE] and MSR[BE], which ask for a trace interrupt. */
const SINGLE_STEP = 0x100;
const BRANCH_TRACE = 0x200;
const SE = 1n << 10n;
const BE = 1n << 9n;

export const isa: Isa = {
  grain: 4,
  longest: 8,
  pc: 'NIA',
  costs,
  mode: (view) => {
    const msr = view.get('MSR');
    return mode(view) | ((msr & SE) === 0n ? 0 : SINGLE_STEP) | ((msr & BE) === 0n ? 0 : BRANCH_TRACE);
  },
  decode: (code, pc, bits, view) =>
    traced(decode(code, pc, bits, view), (bits & SINGLE_STEP) !== 0, (bits & BRANCH_TRACE) !== 0),
  regimes,
  regime,
  translate,
  take,
  faults,
  helpers: { ...bitHelpers, ...helpers, ...bhrb },
};
