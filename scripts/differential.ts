// `npm run differential`: every row of an instruction table against QEMU, at least 500 instances of each, then planted faults.
// Arguments: --arch arm64|x86|ppc64 (default arm64), --seed N, --instances N, --row NAME (as often as needed), --no-planted; for x86 --native: this machine's
// processor instead of QEMU.
import { parseArgs } from 'node:util';
import { evaluator } from '../test/differential/backend.ts';
import { differential } from '../test/differential/ppc64/main.ts';
import { stepper, systemStepper } from '../test/differential/stepper.ts';
import { ask, instancesOf, judge, plant } from '../test/differential/suite.ts';
import { sweep } from '../test/differential/sweep.ts';
import { systemEvaluator } from '../test/differential/system-backend.ts';
import { runX86 } from '../test/differential/x86-run.ts';

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: 'arm64' },
    native: { type: 'boolean', default: false },
    seed: { type: 'string' },
    instances: { type: 'string', default: '500' },
    row: { type: 'string', multiple: true },
    'no-planted': { type: 'boolean', default: false },
  },
});

const seed = values.seed === undefined ? Date.now() % 2 ** 32 : Number(values.seed);
const instances = Number(values.instances);
if (values.arch === 'ppc64') {
  const sound = differential({ seed, instances, rows: values.row, planted: !values['no-planted'] });
  process.exit(sound ? 0 : 1);
}
console.log(`Seed ${seed}, ${instances} instances of each row.`);
const oracle = values.native ? 'native' : 'qemu';
const chosen = (name: string): boolean => values.row === undefined || values.row.includes(name);
const sound =
  values.arch === 'x86' ? runX86({ seed, instances, oracle, chosen, plants: !values['no-planted'] }) : runA64();
process.exitCode = sound ? 0 : 1;

function runA64(): boolean {
  const started = Date.now();
  const answered = ask(seed, instances, (row) => values.row === undefined || values.row.includes(row.name));
  const counts = [...instancesOf(answered)].filter(([name]) => values.row === undefined || values.row.includes(name));
  const short = counts.filter(([, count]) => count < instances);
  for (const [name, count] of short) console.log(`${name}: ${count} instances only`);

  let differ = 0;
  for (const [name, user, system] of [
    ['the lifts', evaluator(), systemEvaluator()],
    ['the stepper', stepper(), systemStepper()],
  ] as const) {
    const findings = judge(answered, user, system);
    differ += findings.length;
    for (const { row, times, first } of findings)
      console.log(`${row}: ${name} and QEMU differ ${times} times. ${first}`);
  }

  const faults = values['no-planted'] ? { planted: 0, missed: [] } : plant(answered);
  for (const { row, point } of faults.missed) console.log(`${row}: a fault planted at '${point}' was not found`);

  const accesses =
    values.row === undefined ? sweep() : { tried: 0, differences: [], excused: new Map<string, number>() };
  for (const difference of accesses.differences) console.log(difference);
  for (const [why, times] of accesses.excused) console.log(`${times} system register accesses differ: ${why}.`);

  if (values.row === undefined) {
    console.log(`${accesses.tried} system register accesses, ${accesses.differences.length} differ without a reason.`);
  }

  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  const total = answered.user.length + answered.system.length;
  const found = faults.planted - faults.missed.length;
  console.log(
    `${counts.length} rows, ${total} cases, ${differ} differences of rows, ${found} of ${faults.planted} planted faults found, ${seconds} s.`,
  );
  return differ + short.length + accesses.differences.length + faults.missed.length === 0;
}
