import type { Arch } from '@countervisor/contract';
import { conformance as kit, littleEndian, ppc64 } from '@countervisor/ppc64';
import { describe, it } from 'vitest';
import { conformance } from './vitest.ts';

const arch = ppc64 as unknown as Arch;

conformance(arch, kit, { describe, it });

/** Those whose guests are written step by step: the programs are big-endian. */
const STEPS = [
  'switching',
  'at n events',
  'two at once',
  'the interrupt is taken',
  'while',
  'sets its own bit',
  'alone',
];

describe('little-endian', () => {
  conformance(arch, { ...kit, code: littleEndian }, { describe, it }, { groups: STEPS });
});
