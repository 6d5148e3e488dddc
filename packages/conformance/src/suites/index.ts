/** Every suite, in the order in which they are run and shown. */
import type { Check, Subject, SuiteName } from '../check.ts';
import { access } from './access.ts';
import { counting } from './counting.ts';
import { determinism } from './determinism.ts';
import { hostile } from './hostile.ts';
import { hypercalls } from './hypercalls.ts';
import { overflow } from './overflow.ts';
import { policy } from './policy.ts';
import { registers } from './registers.ts';
import { sampling } from './sampling.ts';
import { snapshot } from './snapshot.ts';
import { switching } from './switching.ts';

const MAKERS: Readonly<Record<string, (subject: Subject) => Check[]>> = {
  registers,
  access,
  counting,
  overflow,
  sampling,
  policy,
  switching,
  hypercalls,
  snapshot,
  determinism,
  hostile,
};

/** Every check there is for an architecture, always in the same order. */
export function checksOf(subject: Subject): Check[] {
  return Object.values(MAKERS).flatMap((make) => make(subject));
}
export type { SuiteName };
