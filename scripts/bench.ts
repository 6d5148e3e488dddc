/**
 * `npm run bench`: guest kernels under our back ends and under QEMU, interleaved, in guest instructions per second of CPU time.
 *
 * Every run is a process of its own, timed from the guest's mark `S` to its mark `E` in CPU time of all its threads, so that neighbours on the
 * machine change little; ratios are taken within a round and then their median, because a machine's speed drifts. Instructions are our exact
 * count, for QEMU too: the guest's result must be the same.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type CountedRun, KERNELS, type Run, type Runner } from './bench/kernels.ts';
import { CHILD, child, type Own, own } from './bench/own.ts';
import { type Flavour, findQemu, type Qemu } from './bench/qemu.ts';
import { compare, type Measured, text } from './bench/report.ts';

const HELP = `npm run bench -- [options]
  --rounds N      measured rounds (3)
  --kernel NAME   only this kernel, may be repeated: ${KERNELS.join(', ')}
  --mmu           the guest runs under an identity map
  --json FILE     writes every figure there
  --profile DIR   CPU profiles of our runs there`;

/** CPU seconds that a run shall last, and the least that counts. */
const GOAL = 1;
const LEAST = 0.5;

const FLAVOURS: readonly { readonly flavour: Flavour; readonly name: string; readonly guess: number }[] = [
  { flavour: 'icount-singlestep', name: 'qemu -icount -singlestep', guess: 100 },
  { flavour: 'icount', name: 'qemu -icount', guess: 500 },
  { flavour: 'tcg', name: 'qemu', guess: 1000 },
];

interface Engine extends Measured {
  readonly run: Runner;
  /** MIPS of the last run; at first a guess. */
  readonly speed: Map<string, number>;
  /** What was measured, MIPS by kernel in the order of the rounds. */
  readonly mips: Map<string, number[]>;
}

const engine = (name: string, run: Runner, guess: number): Engine => ({
  name,
  run,
  speed: new Map(KERNELS.map((kernel) => [kernel, guess])),
  mips: new Map(),
});

/** A kernel's instructions between its marks: so many for the first time it does its work, and for each further time. */
interface Count {
  readonly first: number;
  readonly further: number;
}

const instructions = ({ first, further }: Count, repeat: number): number => first + (repeat - 1) * further;

function usage(problem: string): never {
  console.error(`${problem}\n${HELP}`);
  process.exit(2);
}

function parsed() {
  try {
    return parseArgs({
      options: {
        rounds: { type: 'string', default: '3' },
        kernel: { type: 'string', multiple: true, default: [...KERNELS] },
        mmu: { type: 'boolean', default: false },
        json: { type: 'string' },
        profile: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return usage((error as Error).message);
  }
}

function options() {
  const given = parsed();
  if (given.help) {
    console.log(HELP);
    process.exit(0);
  }
  const rounds = Number(given.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) usage(`--rounds needs a whole number above 0, not '${given.rounds}'.`);
  const unknown = given.kernel.find((name) => !KERNELS.includes(name));
  if (unknown !== undefined) usage(`There is no kernel '${unknown}'.`);
  return { ...given, rounds, kernels: KERNELS.filter((name) => given.kernel.includes(name)) };
}

/** Counts a kernel's instructions, and makes sure that every engine computes the same. */
async function count(engines: readonly Engine[], kernel: string): Promise<Count> {
  const [ours, ...others] = engines as readonly [Engine, ...Engine[]];
  const one = (await ours.run(kernel, 1)) as CountedRun;
  const two = (await ours.run(kernel, 2)) as CountedRun;
  for (const other of others) {
    const { result } = await other.run(kernel, 2);
    if (result === two.result) continue;
    throw new Error(`${kernel}: under ${ours.name} the guest computes ${two.result}, under ${other.name} ${result}.`);
  }
  return { first: one.instructions, further: two.instructions - one.instructions };
}

/** One run that is long enough to be believed: done again with more work until it is. */
async function measure({ name, run, speed, mips }: Engine, kernel: string, per: Count): Promise<Run> {
  for (;;) {
    const repeat = Math.max(1, Math.round((GOAL * (speed.get(kernel) as number) * 1e6) / per.further));
    const done = await run(kernel, repeat);
    const expected = instructions(per, repeat);
    const counted = (done as Partial<CountedRun>).instructions ?? expected;
    if (counted !== expected) {
      throw new Error(`${kernel}: ${name} counts ${counted} instructions for ${repeat} times, not ${expected}.`);
    }
    const rate = expected / Math.max(done.seconds, 0.001) / 1e6;
    speed.set(kernel, rate);
    if (done.seconds < LEAST) continue;
    mips.set(kernel, [...(mips.get(kernel) ?? []), rate]);
    return done;
  }
}

async function main(): Promise<void> {
  const { rounds, kernels, mmu, json, profile } = options();
  const found = findQemu(mmu);
  if (typeof found === 'string') console.error(found);
  const qemu: Qemu | undefined = typeof found === 'string' ? undefined : found;
  const nodeOptions = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile];
  const engines = [
    engine('translator', own('translator', mmu, nodeOptions), 1000),
    engine('stepper', own('stepper', mmu, nodeOptions), 40),
  ];
  if (qemu) engines.push(...FLAVOURS.map(({ flavour, name, guess }) => engine(name, qemu.runner(flavour), guess)));

  const counts = new Map<string, Count>();
  const runs: (Run & { readonly round: number; readonly engine: string; readonly kernel: string })[] = [];
  try {
    for (const kernel of kernels) counts.set(kernel, await count(engines, kernel));
    for (let round = 1; round <= rounds; round++) {
      for (const kernel of kernels) {
        for (const one of engines) {
          const run = await measure(one, kernel, counts.get(kernel) as Count);
          runs.push({ round, engine: one.name, kernel, ...run });
          const speed = (one.speed.get(kernel) as number).toPrecision(3);
          if (process.stderr.isTTY) console.error(`${round}/${rounds}  ${kernel}  ${one.name}  ${speed} MIPS`);
        }
      }
    }
  } finally {
    qemu?.close();
  }

  const [ours, cold, ...others] = engines as [Engine, Engine, ...Engine[]];
  const comparisons = [ours, cold].flatMap((one) => others.map((other) => compare(one, other, kernels)));
  console.log(text(engines, comparisons, kernels));
  if (json === undefined) return;
  const all = {
    node: process.version,
    qemu: qemu?.version ?? null,
    mmu,
    rounds,
    instructions: Object.fromEntries(counts),
    mips: Object.fromEntries(engines.map(({ name, mips }) => [name, Object.fromEntries(mips)])),
    comparisons,
    runs,
  };
  writeFileSync(`${json}.part`, `${JSON.stringify(all, null, 2)}\n`);
  renameSync(`${json}.part`, json);
}

if (process.argv[2] === CHILD) {
  const [, , , own, kernel, repeat] = process.argv as string[];
  child(own as Own, kernel as string, Number(repeat), process.argv.includes('--mmu'));
} else {
  await main().catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
