/** Execution, assembled: how this architecture decodes, translates addresses and takes exceptions. */
import type { Isa } from '@countervisor/contract';
import { decode } from './decode.ts';
import { faults, sysret, take } from './exceptions.ts';
import { REGIMES, regime, translate } from './mmu.ts';
import { costs, LENGTH } from './row.ts';

export const isa: Isa = {
  grain: LENGTH,
  longest: LENGTH,
  pc: 'PC',
  costs,
  decode,
  regimes: REGIMES,
  regime,
  translate,
  take,
  faults,
  // What is too rare for ops is a helper, called by name.
  helpers: { sysret },
};
