/** The whole differential run of the Power ISA, for scripts/differential.ts. */
import { ppc64 } from '../../../packages/ppc64/src/index.ts';
import { evaluator } from './backend.ts';
import { stepper } from './stepper.ts';
import { ask, instancesOf, judge, judgeSystem, plant } from './suite.ts';
import { systemStepper } from './system-cases.ts';

export interface Options {
  readonly seed: number;
  /** Of each row, in each byte order. */
  readonly instances: number;
  /** Names of rows; `undefined`: all. */
  readonly rows: readonly string[] | undefined;
  readonly planted: boolean;
}

/** Prints what it finds; true when nothing is wrong. */
export function differential({ seed, instances, rows, planted }: Options): boolean {
  console.log(`Seed ${seed}, ${instances} instances of each row in each byte order.`);
  const started = Date.now();
  const wanted = (name: string): boolean => rows === undefined || rows.includes(name);
  const answered = ask(seed, instances, ({ name }) => wanted(name));
  const counts = [...instancesOf(answered)].filter(([name]) => wanted(name));
  const short = counts.filter(([, count]) => count < instances);
  for (const [name, count] of short) console.log(`${name}: ${count} instances only`);

  let differ = 0;
  for (const [name, { findings, excused }] of [
    ['the lifts', judge(answered, evaluator())],
    ['the stepper', judge(answered, stepper())],
    ['the stepper in supervisor state', judgeSystem(answered.system, systemStepper())],
    ['POWER8 in supervisor state', judgeSystem(answered.early, systemStepper(ppc64, 'power8'))],
  ] as const) {
    differ += findings.length;
    for (const { row, times, first } of findings)
      console.log(`${row}: ${name} and QEMU differ ${times} times. ${first}`);
    for (const [why, times] of excused) console.log(`${times} cases of ${name} differ: ${why}.`);
  }

  const faults = planted ? plant(answered) : { planted: 0, missed: [] };
  for (const { row, point } of faults.missed) console.log(`${row}: a fault planted at '${point}' was not found`);

  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  const found = faults.planted - faults.missed.length;
  console.log(
    `${counts.length} rows, ${answered.cases.length} cases in problem state, ${answered.system.length} in supervisor state, ${answered.early.length} on POWER8, ${differ} differences of rows, ${found} of ${faults.planted} planted faults found, ${seconds} s.`,
  );
  return differ + short.length + faults.missed.length === 0;
}
