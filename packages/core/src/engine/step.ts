/** What the stepper executes: a chain of steps for each instruction, one for each op or for a few that stand together. */
import type { AccessShape } from '@countervisor/contract';

/** What a step returns when it does not simply go on. */
export const CODE = {
  /** PC is set; the instruction retires. */
  jumped: -1,
  /** `Engine.fault` is to be taken at this instruction; nothing retires. */
  fault: -2,
  /** Retires, and `Engine.fault` is taken at the next one. */
  raised: -3,
  /** Not finished: one unit of budget, the same PC. */
  again: -4,
  /** Nothing retires, PC stays: retry, or the vCPU has left. */
  stopped: -5,
} as const;

/** A step that has no kind of its own. 0: go on; negative: a `CODE`. */
export type Run = (s: number) => number;

export interface Step {
  /** Which case of `perform`. */
  readonly kind: number;
  /** The next step, and the one behind what this one may skip. */
  next: Step | undefined;
  past: Step | undefined;
  /** Places: of the result, and of up to three inputs. */
  readonly d: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** Where a branch goes, as words. */
  readonly lo: number;
  readonly hi: number;
  readonly shape: AccessShape | undefined;
  readonly flags: Flags | undefined;
  readonly run: Run;
}

/** Places of four flags: sign, zero, carry, overflow. */
export interface Flags {
  readonly n: number;
  readonly z: number;
  readonly c: number;
  readonly v: number;
}

/**
 * A place is a word's index in the domain's memory: of a temporary or constant the index itself, of a register the index in the vCPU's block less
 * 2^30. So `(s & (place >> 31)) + (place & MASK)` is the word for the vCPU whose block starts at `s`, and a place is a small integer to the
 * JavaScript engine wherever it runs.
 */
export const REGISTER: number = -(2 ** 30);

/** The word of a place, for steps that are not performed inline. */
export const wordOf = (place: number, s: number): number => (s & (place >> 31)) + (place & 0x3fff_ffff);

const idle: Run = () => 0;

/** One shape for all steps, so that `perform` reads their fields without a look-up. */
export function makeStep(kind: number, parts: Partial<Omit<Step, 'kind' | 'next' | 'past'>>): Step {
  const { d = 0, a = 0, b = 0, c = 0, lo = 0, hi = 0, shape, flags, run = idle } = parts;
  return { kind, next: undefined, past: undefined, d, a, b, c, lo, hi, shape, flags, run };
}

/** Chains steps in their order; a skip's `past` must be set already. */
export function chain(steps: readonly Step[]): Step | undefined {
  steps.forEach((step, i) => {
    step.next = steps[i + 1];
  });
  return steps[0];
}
