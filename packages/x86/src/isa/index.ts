/** The instruction set as core calls it: decoding, translation, exceptions, helpers. */
import type { Isa } from '@countervisor/contract';
import { arithmetic } from './arithmetic.ts';
import { decode, LONGEST } from './decode.ts';
import { faults, take } from './exceptions.ts';
import { checksAlignment, regime, regimes, translate } from './mmu.ts';
import { mode } from './mode.ts';
import { costs } from './row.ts';
import { systemCalls } from './system.ts';
import { x87 } from './x87.ts';

export const isa: Isa = {
  grain: 1,
  longest: LONGEST,
  pc: 'RIP',
  costs,
  mode,
  decode,
  regimes,
  regime,
  checksAlignment,
  translate,
  take,
  faults,
  helpers: { ...arithmetic, ...systemCalls, x87: (vcpu, args) => x87(vcpu, args) },
};
