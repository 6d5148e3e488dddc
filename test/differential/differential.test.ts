/** A share of the differential run, small enough for every test run; `npm run differential` is the whole of it. */
import { beforeAll, expect, it } from 'vitest';
import { describeWith } from '../needs.ts';
import { evaluator } from './backend.ts';
import { stepper, systemStepper } from './stepper.ts';
import { type Answered, ask, instancesOf, judge, plant, share } from './suite.ts';
import { sweep } from './sweep.ts';
import { systemEvaluator } from './system-backend.ts';

/** Fixed, so that a failure here is everybody's; the whole run draws its own. */
const SEED = 20_240_601;
const INSTANCES = 60;
/** The stepper tries one of so many. */
const STEPPED = 3;
/** Of the accesses, one of so many: no divisor of the encoding's fields, so that every register has its turn somewhere. */
const SWEPT = 11;

describeWith(['qemu', 'as', 'gcc'], `A64 against QEMU, seed ${SEED}`, () => {
  let answered: Answered;
  beforeAll(() => {
    answered = ask(SEED, INSTANCES);
  });

  it(`tries every row of the instruction table, ${INSTANCES} times`, () => {
    const short = [...instancesOf(answered)].filter(([, count]) => count !== INSTANCES);
    expect(short).toEqual([]);
  });

  it('finds lifts and QEMU of one mind', () => {
    const findings = judge(answered, evaluator(), systemEvaluator());
    expect(findings.map(({ row, times, first }) => `${row}: ${times} differ. ${first}`)).toEqual([]);
  });

  it('finds the stepper, with paging, exceptions and registers around it, and QEMU of one mind', () => {
    const findings = judge(share(answered, STEPPED), stepper(), systemStepper());
    expect(findings.map(({ row, times, first }) => `${row}: ${times} differ. ${first}`)).toEqual([]);
  });

  it('finds a share of all system register encodings accessible or not, at EL1 and EL0, as QEMU has them', () => {
    const { tried, differences } = sweep(SWEPT);
    expect(tried).toBeGreaterThan(10_000);
    expect(differences).toEqual([]);
  });

  it('would find a fault in any row: a wrong flag, result, store, jump, branch, exception or trap', () => {
    const { planted, missed } = plant(answered);
    expect(missed).toEqual([]);
    expect(planted).toBeGreaterThan(instancesOf(answered).size);
  });
});
