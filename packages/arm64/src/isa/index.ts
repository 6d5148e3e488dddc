/** The instruction set as core calls it: decoding, translation, exceptions, helpers. */
import type { Isa } from '@countervisor/contract';
import { checksums } from './crc32.ts';
import { decode, ILLEGAL_STATE } from './decode.ts';
import { branchAddress, eret, faults, fpAccess, take } from './exceptions.ts';
import { checksAlignment, regime, regimes, translate } from './mmu.ts';
import { costs } from './row.ts';

export const isa: Isa = {
  grain: 4,
  longest: 4,
  pc: 'PC',
  costs,
  mode: (view) => (view.get('IL') === 0n ? 0 : ILLEGAL_STATE),
  decode,
  regimes,
  regime,
  checksAlignment,
  translate,
  take,
  faults,
  helpers: {
    ...checksums,
    eret,
    'fp-access': fpAccess,
    'branch-address': (vcpu, [address = 0n]) => branchAddress(vcpu, address),
  },
};
