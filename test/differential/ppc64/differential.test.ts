/** A share of the differential run, small enough for every test run; `npm run differential -- --arch ppc64` is the whole of it. */
import { beforeAll, expect, it } from 'vitest';
import { ppc64 } from '../../../packages/ppc64/src/index.ts';
import { describeWith } from '../../needs.ts';
import { evaluator } from './backend.ts';
import { stepper } from './stepper.ts';
import { type Answered, ask, instancesOf, judge, judgeSystem, plant, share } from './suite.ts';
import { systemStepper } from './system-cases.ts';

/** Fixed, so that a failure here is everybody's; the whole run draws its own. */
const SEED = 20_240_601;
/** Of each row in each byte order. */
const INSTANCES = 40;
/** The stepper tries one of so many. */
const STEPPED = 4;
/** For shared machines: milliseconds. */
const PATIENCE = 600_000;

describeWith(['qemu-ppc64', 'as-ppc64', 'gcc-ppc64'], `Power ISA against QEMU, seed ${SEED}`, () => {
  let answered: Answered;
  beforeAll(() => {
    answered = ask(SEED, INSTANCES);
  }, PATIENCE);

  it(
    `tries every row that QEMU can show, ${INSTANCES} times and more`,
    () => {
      expect([...instancesOf(answered)].filter(([, count]) => count < INSTANCES)).toEqual([]);
    },
    PATIENCE,
  );

  it(
    'finds lifts and QEMU of one mind, in both byte orders',
    () => {
      const { findings } = judge(answered, evaluator());
      expect(findings.map(({ row, times, first }) => `${row}: ${times} differ. ${first}`)).toEqual([]);
    },
    PATIENCE,
  );

  it(
    'finds the stepper, with translation, interrupts and registers around it, and QEMU of one mind',
    () => {
      const { findings } = judge(share(answered, STEPPED), stepper());
      expect(findings.map(({ row, times, first }) => `${row}: ${times} differ. ${first}`)).toEqual([]);
    },
    PATIENCE,
  );

  it(
    'finds the stepper in supervisor state and QEMU of one mind: 32-bit mode, interrupts',
    () => {
      const { findings } = judgeSystem(share(answered, STEPPED).system, systemStepper());
      expect(findings.map(({ row, times, first }) => `${row}: ${times} differ. ${first}`)).toEqual([]);
      const { findings: early } = judgeSystem(share(answered, STEPPED).early, systemStepper(ppc64, 'power8'));
      expect(early.map(({ row, times, first }) => `${row}: ${times} differ. ${first}`)).toEqual([]);
    },
    PATIENCE,
  );

  it(
    'would find a fault in any row: a wrong flag, result, store, jump, branch, exception or trap',
    () => {
      const { planted, missed } = plant(answered);
      expect(missed).toEqual([]);
      expect(planted).toBeGreaterThan(instancesOf(answered).size);
    },
    PATIENCE,
  );
});
