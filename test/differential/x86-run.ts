/** The whole differential run of x86, told on the console. */
import { x86Evaluator } from './x86-backend.ts';
import type { Oracle } from './x86-excuses.ts';
import { x86Stepper } from './x86-stepper.ts';
import { askX86, excusedOf, judgeX86, plantX86, x86InstancesOf } from './x86-suite.ts';

export interface X86Run {
  readonly seed: number;
  readonly instances: number;
  readonly oracle: Oracle;
  readonly chosen: (row: string) => boolean;
  readonly plants: boolean;
}

/** True when nothing differs, every row had its instances, and every planted fault was found. */
export function runX86({ seed, instances, oracle, chosen, plants }: X86Run): boolean {
  const started = Date.now();
  const answered = askX86(seed, instances, oracle, (row) => chosen(row.name));
  const counts = [...x86InstancesOf(answered)];
  const short = counts.filter(([, count]) => count < instances);
  for (const [name, count] of short) console.log(`${name}: ${count} instances only`);
  let differ = 0;
  for (const backend of [x86Evaluator(), x86Stepper()]) {
    const findings = judgeX86(answered, backend);
    differ += findings.length;
    for (const { row, times, first } of findings) {
      console.log(`${row}: the ${backend.name} and ${oracle} differ ${times} times. ${first}`);
    }
  }
  for (const [why, times] of excusedOf(answered)) console.log(`${times} cases differ in part: ${why}.`);
  const { planted, missed } = plants ? plantX86(answered) : { planted: 0, missed: [] };
  for (const { row, point } of missed) console.log(`${row}: a fault planted at '${point}' was not found`);
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  console.log(
    `${counts.length} rows, ${answered.cases.length} cases, ${differ} rows differ, ${planted - missed.length} of ${planted} planted faults found, ${seconds} s.`,
  );
  return differ + short.length + missed.length === 0;
}
