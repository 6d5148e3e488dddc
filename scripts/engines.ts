/**
 * `npm run engines`: random programs under every back end, which must agree on every register, byte, count, interrupt and event.
 * Every third is a template one. Arguments: --seed N, --programs N (10,000), --only N (that one program, by its number).
 */
import { parseArgs } from 'node:util';
import { Random } from '../test/differential/random.ts';
import { guest as arm64 } from '../test/engines/arm64.ts';
import { compare } from '../test/engines/same.ts';
import { guest as template } from '../test/engines/template.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    programs: { type: 'string', default: '10000' },
    only: { type: 'string' },
  },
});
const seed = Number(values.seed);
const programs = Number(values.programs);
const first = values.only === undefined ? 0 : Number(values.only);
const last = values.only === undefined ? programs : first + 1;
const started = Date.now();
let differ = 0;
let instructions = 0;
let translated = 0;
for (let i = first; i < last; i++) {
  const { make, means, hot, deaf } = (i % 3 === 2 ? template : arm64)(new Random(seed * 1_000_003 + i));
  const outcome = compare(make, { until: 3_000, hot, deaf });
  instructions += outcome.instructions;
  translated += outcome.translated;
  if ((i + 1 - first) % 250 === 0) console.error(`${i + 1 - first} of ${last - first}, ${differ} differ`);
  if (outcome.differs === undefined) continue;
  differ++;
  console.log(`program ${i} of seed ${seed} (${means}, hot ${hot}): ${outcome.differs}`);
}
const seconds = ((Date.now() - started) / 1000).toFixed(0);
console.log(
  `${last - first} programs, ${instructions} instructions, ${translated} of them translated, ${differ} programs differ, ${seconds} s.`,
);
process.exitCode = differ === 0 ? 0 : 1;
