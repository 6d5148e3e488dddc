/**
 * `npm run bench`: guest kernels under our stepper and under QEMU, interleaved, in guest instructions per second of CPU time.
 *
 * Every run is a process of its own, timed from the guest's mark `S` to its mark `E` in CPU time of all its threads, so that neighbours on the
 * machine change little; ratios are taken within a round and then their median, because a machine's speed drifts. Instructions are our exact
 * count, for QEMU too: the guest's result must be the same.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type CountedRun, KERNELS, type Run, type Runner } from './bench/kernels.ts';
import { CHILD, child, own } from './bench/own.ts';
import { type Flavour, findQemu } from './bench/qemu.ts';
import { compare, type Rates, text } from './bench/report.ts';

const HELP = `npm run bench -- [options]
  --rounds N      measured rounds (3)
  --kernel NAME   only this kernel, may be repeated: ${KERNELS.join(', ')}
  --mmu           the guest runs under an identity map
  --json FILE     writes every figure there
  --profile DIR   CPU profiles of our runs there`;

/** CPU seconds that a run shall last, and the least that counts. */
const GOAL = 0.8;
const LEAST = 0.5;
/** What an engine does at first sight, MIPS; runs correct it. */
const GUESS: Readonly<Record<Flavour | 'stepper', number>> = { stepper: 15, 'icount-singlestep': 40, icount: 400, tcg: 500 };
const NAMES: Readonly<Record<Flavour, string>> = {
  'icount-singlestep': 'qemu -icount -singlestep',
  icount: 'qemu -icount',
  tcg: 'qemu',
};

function usage(problem: string): never {
  console.error(`${problem}\n${HELP}`);
  process.exit(2);
}

function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: '3' },
        kernel: { type: 'string', multiple: true, default: [...KERNELS] },
        mmu: { type: 'boolean', default: false },
        json: { type: 'string' },
        profile: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    return { ...values, positionals };
  } catch (error) {
    return usage((error as Error).message);
  }
}

/** A kernel's instructions between its marks: so many for the first time it does its work, and for each further time. */
interface Count {
  readonly first: number;
  readonly further: number;
}

const instructions = ({ first, further }: Count, repeat: number): number => first + (repeat - 1) * further;

interface Engine {
  readonly name: string;
  readonly run: Runner;
  readonly mips: Map<string, number>;
}

/** A run long enough to be believed: repeated with more work until it is. */
async function measure(engine: Engine, kernel: string, count: Count, guess: number): Promise<Run> {
  for (;;) {
    const mips = engine.mips.get(kernel) ?? guess;
    const repeat = Math.max(1, Math.ceil((GOAL * mips * 1e6) / count.further));
    const run = await engine.run(kernel, repeat);
    engine.mips.set(kernel, instructions(count, repeat) / Math.max(run.seconds, 0.001) / 1e6);
    if (run.seconds >= LEAST) return run;
  }
}

async function main(): Promise<void> {
  const given = options();
  const rounds = Number(given.rounds);
  if (given.help) return console.log(HELP);
  if (!Number.isInteger(rounds) || rounds < 1) usage(`--rounds needs a whole number above 0, not ${given.rounds}.`);
  const unknown = given.kernel.find((name) => !KERNELS.includes(name));
  if (unknown !== undefined) usage(`There is no kernel ${unknown}.`);
  if (given.positionals.length > 0) usage(`${given.positionals[0]} is no option.`);
  const kernels = KERNELS.filter((name) => given.kernel.includes(name));

  const profile = given.profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', given.profile];
  const ours = own(given.mmu, profile);
  const qemu = findQemu(given.mmu);
  if (typeof qemu === 'string') console.error(qemu);
  const flavours = typeof qemu === 'string' ? [] : (Object.keys(NAMES) as Flavour[]);
  const engines: Engine[] = [
    { name: 'stepper', run: ours, mips: new Map() },
    ...flavours.map((flavour) => ({
      name: NAMES[flavour],
      run: (qemu as Exclude<typeof qemu, string>).runner(flavour),
      mips: new Map(),
    })),
  ];
  const counts = new Map<string, Count>();
  const rates: Record<string, Record<string, number[]>> = {};
  const runs: { round: number; engine: string; kernel: string; run: Run; mips: number }[] = [];
  try {
    for (const kernel of kernels) {
      const [one, two] = [await ours(kernel, 1), await ours(kernel, 2)];
      counts.set(kernel, { first: one.instructions, further: two.instructions - one.instructions });
      const theirs = await engines.at(-1)?.run(kernel, 2);
      if (theirs?.result !== two.result) {
        throw new Error(`${kernel}: the stepper's guest computes ${two.result}, ${engines.at(-1)?.name}'s ${theirs?.result}.`);
      }
    }
    for (let round = 0; round < rounds; round++) {
      for (const kernel of kernels) {
        const count = counts.get(kernel) as Count;
        for (const [i, engine] of engines.entries()) {
          const run = await measure(engine, kernel, count, GUESS[i === 0 ? 'stepper' : (flavours[i - 1] as Flavour)]);
          const expected = instructions(count, run.repeat);
          const counted = (run as Partial<CountedRun>).instructions ?? expected;
          if (counted !== expected) throw new Error(`${kernel}: ${counted} instructions for ${run.repeat} times, not ${expected}.`);
          const mips = expected / run.seconds / 1e6;
          const row = (rates[engine.name] ??= {});
          (row[kernel] ??= []).push(mips);
          runs.push({ round, engine: engine.name, kernel, run, mips });
          if (process.stderr.isTTY) console.error(`${round + 1}/${rounds}  ${kernel}  ${engine.name}  ${mips.toPrecision(3)} MIPS`);
        }
      }
    }
  } finally {
    if (typeof qemu !== 'string') qemu.close();
  }

  const comparisons = engines.slice(1).map((engine) => compare(rates as Rates, 'stepper', engine.name));
  console.log(text(rates, comparisons));
  if (given.json === undefined) return;
  const all = {
    node: process.version,
    qemu: typeof qemu === 'string' ? null : qemu.version,
    mmu: given.mmu,
    rounds,
    instructions: Object.fromEntries(counts),
    mips: rates,
    comparisons,
    runs,
  };
  writeFileSync(`${given.json}.part`, `${JSON.stringify(all, null, 2)}\n`);
  renameSync(`${given.json}.part`, given.json);
}

if (process.argv[2] === CHILD) child(process.argv[3] as string, Number(process.argv[4]), process.argv.includes('--mmu'));
else await main();
