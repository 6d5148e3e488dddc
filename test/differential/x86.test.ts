/** A share of the differential run of x86, small enough for every test run; `npm run differential -- --arch x86` is the whole of it. */
import { beforeAll, expect, it } from 'vitest';
import { rows } from '../../packages/x86/src/isa/instructions/index.ts';
import type { Row } from '../../packages/x86/src/isa/row.ts';
import { describeWith } from '../needs.ts';
import { x86Evaluator } from './x86-backend.ts';
import { x86Stepper } from './x86-stepper.ts';
import { askX86, elsewhere, judgeX86, plantX86, type X86Answered, x86InstancesOf } from './x86-suite.ts';

/** Fixed, so that a failure here is everybody's; the whole run draws its own. */
const SEED = 20_240_601;
const INSTANCES = 60;
/** The stepper tries one of so many. */
const STEPPED = 3;

const chosen = rows.filter((row) => elsewhere(row) === undefined);

describeWith(['qemu', 'gcc'], `x86 against QEMU, seed ${SEED}`, () => {
  let answered: X86Answered;
  beforeAll(() => {
    answered = askX86(SEED, INSTANCES);
  }, 120_000);

  it(`tries every row that a user program can show, ${INSTANCES} times`, () => {
    const counts = x86InstancesOf(answered);
    expect(chosen.filter(({ name }) => counts.get(name) !== INSTANCES).map(({ name }) => name)).toEqual([]);
    expect(chosen.length).toBeGreaterThan(300);
  });

  it('finds lifts and QEMU of one mind', () => {
    const findings = judgeX86(answered, x86Evaluator());
    expect(findings.map(({ times, first }) => `${times} differ. ${first}`)).toEqual([]);
  });

  it('finds the stepper, with paging, exceptions and descriptors around it, and QEMU of one mind', () => {
    const some = { ...answered, cases: answered.cases.filter((_, i) => i % STEPPED === 0) };
    const findings = judgeX86(some, x86Stepper());
    expect(findings.map(({ times, first }) => `${times} differ. ${first}`)).toEqual([]);
  });

  it('would find a fault in any row: a wrong flag, result, store, jump, branch or exception', () => {
    const { planted, missed } = plantX86(answered);
    expect(missed).toEqual([]);
    expect(planted).toBeGreaterThan(chosen.length * 2);
  });
});

// On such a machine the processor itself can be asked.
if (process.arch === 'x64' && process.platform === 'linux') {
  // Rows of features that not every processor of that kind has stay with QEMU.
  const has = (row: Row): boolean => row.needs === undefined || ['fpu', 'cmov', 'cx8'].includes(row.needs);
  describeWith(['gcc'], `x86 against this processor, seed ${SEED}`, () => {
    it('finds lifts and processor of one mind', () => {
      const findings = judgeX86(askX86(SEED, INSTANCES / 2, 'native', has), x86Evaluator());
      expect(findings.map(({ times, first }) => `${times} differ. ${first}`)).toEqual([]);
    });
  });
}
