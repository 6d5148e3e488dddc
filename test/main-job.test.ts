/** The main job, as a newcomer starts it: two domains under Xen, what their PMUs saw of each other, and what the hypervisor switched. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RegsJson, RunJson, TraceLine } from 'countervisor';
import { describe, expect, it } from 'vitest';
import { countervisor, image, root } from './countervisor.ts';

const DOMAINS = ['examples/xen-arm-passthrough/dom1.cfg', 'examples/xen-arm-passthrough/dom2.cfg'];
const HOST = ['--host', 'examples/xen-arm-passthrough/host.json'];

async function run(...args: readonly string[]): Promise<RunJson['domains']> {
  const { code, out } = await countervisor(['run', ...args, '--json', '-q']);
  expect(code).toBe(0);
  return (JSON.parse(out) as RunJson).domains;
}

describe('npm start', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } };
  const [node = '', ...args] = scripts.start.split(' ');

  it('prints two consoles and the table that --json holds, in under ten seconds, and exits with 0', async () => {
    expect(node).toBe('node');
    const began = performance.now();
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    expect(performance.now() - began).toBeLessThan(10_000);
    expect([status, stderr]).toEqual([0, '']);

    const [consoles = '', table = '', ...more] = stdout.split('\n\n');
    expect(more).toEqual([]);
    const domains = await run(...args.slice(args.indexOf('run') + 1));
    expect(domains.map(({ name }) => name)).toEqual(['observer', 'victim']);
    for (const { name, console } of domains) {
      const own = consoles.split('\n').filter((line) => line.startsWith(`${name}|`));
      expect(own.map((line) => line.slice(name.length + 2))).toEqual(console.split('\n').slice(0, -1));
      expect(own.at(-1)).toBe(`${name}| EXIT: STATUS=1`);
    }
    const cells = (title: string): string[] =>
      (table.split('\n').find((line) => line.trimStart().split(' ')[0] === title) ?? '').trim().split(/ {2,}/);
    const numbers = (pick: (domain: RunJson['domains'][number]) => unknown): string[] =>
      domains.map((domain) => Number(pick(domain)).toLocaleString('en-US'));
    expect(cells('observer')).toEqual(['observer', 'victim']);
    expect(cells('instructions')).toEqual(['instructions', ...numbers((d) => d.instructions)]);
    expect(cells('cycles')).toEqual(['cycles', ...numbers((d) => d.cycles)]);
    expect(cells('switches')).toEqual(['switches', ...numbers((d) => d.switches)]);
    expect(cells('hypercall')).toEqual(['hypercall', ...numbers((d) => d.traps.hypercall)]);
    expect(cells('PMCCNTR_EL0')).toEqual(['PMCCNTR_EL0 CPU_CYCLES', ...numbers((d) => d.counters.at(-1)?.value)]);
    expect(cells('exit')).toEqual(['exit', 'poweroff 0, passed', 'poweroff 0, passed']);
  });
});

/** What the observer's counters read beyond its own, by name, and what it says at the end. */
async function leaks(
  ...args: readonly string[]
): Promise<{ read: Record<string, number>; last: string; all: string[] }> {
  const [observer] = await run(...DOMAINS, ...HOST, ...args);
  const lines = (observer?.console ?? '').trimEnd().split('\n');
  const compared = lines.flatMap((line) => {
    const [, name = '', mine, read] = /^ {2}(\w+) +mine +(\d+) +read +(\d+)$/.exec(line) ?? [];
    return name === '' ? [] : [[name, Number(read) - Number(mine)] as const];
  });
  const last = lines.find((line) => /^(\d+ leaks|no leak)$/.test(line)) ?? '';
  return { read: Object.fromEntries(compared), last, all: lines.filter((line) => line.startsWith('leak: ')) };
}

describe('pmu-leak', () => {
  // The observer counts a loop of 200,002 instructions. Meanwhile the victim has as many slices as there are slice ends in that loop, and in its first
  // 250,000 instructions it does not touch the PMU: every instruction of those slices is in the observer's counters.
  it.each([2000, 5000, 10_000, 50_000])(
    'under xen-arm compat reads the victim’s cycles, slice by slice of %i',
    async (slice) => {
      const { read, all } = await leaks('--slice', `${slice}`);
      expect(Object.keys(read)).toEqual(['PMCCNTR']);
      const slices = (read.PMCCNTR ?? 0) / slice;
      expect(Number.isInteger(slices)).toBe(true);
      expect(Math.abs(slices - 200_002 / slice)).toBeLessThan(1);
      expect(all[0]).toBe(`leak: PMCCNTR saw ${slices * slice} cycles that are not mine`);
      expect(all).toContain('leak: PMUSERENR_EL0 was left 0, and is 0x1');
      expect(all).toContain('leak: PMCNTENSET_EL0 was left 0, and is 0x80000000');
    },
  );

  it('under xen-arm compat with hpmn0=all reads its event counters too', async () => {
    const { read, all } = await leaks('--set', 'hpmn0=all');
    // The victim's loop: load, add, store, subtract, branch. 200,000 instructions of it, ten more of start-up before it at most.
    expect(read).toMatchObject({ PMCCNTR: 200_000, INST_RETIRED: 200_000 });
    for (const name of ['LD_RETIRED', 'ST_RETIRED', 'BR_RETIRED']) {
      expect(read[name]).toBeGreaterThan(39_000);
      expect(read[name]).toBeLessThan(41_000);
    }
    // Its counter and its selector, in the observer's own.
    expect(all).toContain('leak: PMEVTYPER0 was left 0, and is 0x8');
    expect(all.some((line) => line.startsWith('leak: PMEVCNTR0 was left 0, and is 0x'))).toBe(true);
  });

  it('with the slice longer than a program has nothing to leak across', async () => {
    const { read } = await leaks('--slice', '1000000');
    expect(read).toEqual({ PMCCNTR: 0 });
  });

  it.each([
    ['xen-arm strict', ['--personality', 'xen-arm:strict']],
    ['xen-arm strict, hpmn0=all', ['--personality', 'xen-arm:strict', '--set', 'hpmn0=all']],
    ['xen-arm, policy switched', ['--policy', 'switched']],
    ['xen-arm, policy emulated', ['--policy', 'emulated']],
    ['plain, policy switched', ['--personality', 'plain', '--policy', 'switched']],
    ['kvm-arm64', ['--personality', 'kvm-arm64']],
    ['kvm-arm64, policy mediated', ['--personality', 'kvm-arm64', '--policy', 'mediated']],
    [
      'plain, policy mediated, on a CPU with fine-grained traps',
      ['--personality', 'plain', '--policy', 'mediated', '--cpu', 'max'],
    ],
  ])('under %s: none', async (_name, args) => {
    const { read, last, all } = await leaks(...args);
    expect(all).toEqual([]);
    expect(last).toBe('no leak');
    // It did count: its own.
    expect(read).toEqual({ PMCCNTR: 0, INST_RETIRED: 0, LD_RETIRED: 0, ST_RETIRED: 0, BR_RETIRED: 0 });
  });
});

type Switch = Extract<TraceLine, { type: 'switch' }>;

async function switches(...args: readonly string[]): Promise<Switch[]> {
  const { code, out } = await countervisor(['trace', ...args, '--log', 'switch', '--json', '-q']);
  expect(code).toBe(0);
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as TraceLine);
  const all = lines.filter((line): line is Switch => line.type === 'switch');
  // Who has ended leaves, and the idle vCPU that comes brings nothing: no register is restored, no control is written.
  for (const { steps } of all.filter(({ to }) => to === 'idle')) {
    expect(steps.filter((step) => !/^(save|freeze) /.test(step))).toEqual([]);
  }
  return all.filter(({ to }) => to !== 'idle');
}

const mdcr = async (...args: readonly string[]): Promise<unknown> => {
  const { out } = await countervisor(['regs', ...args, '--grep', '^MDCR_EL2$', '--json', '-q']);
  return (JSON.parse(out) as RegsJson).pcpus[0]?.registers[0]?.value;
};

describe('MDCR_EL2 and the context switch', () => {
  it('xen-arm compat: 0xE60 without vpmu and 0xE00 with it, written last; nothing else of the PMU moves', async () => {
    const seen = await switches('examples/xen-arm-trapped/probe.cfg', DOMAINS[1] as string, ...HOST);
    expect(seen.length).toBeGreaterThan(50);
    for (const { to, steps } of seen) {
      expect(steps.at(-1)).toBe(to === 'probe' ? 'enforce MDCR_EL2 0xe60' : 'enforce MDCR_EL2 0xe00');
      expect(steps.filter((step) => /^(save|restore|freeze) |PM[A-Z]/.test(step))).toEqual([]);
    }
    // Back and forth.
    expect(new Set(seen.map(({ from, to }) => `${from} ${to}`))).toEqual(
      new Set(['idle probe', 'probe victim', 'victim probe']),
    );
  });

  it('the idle vCPU leaves MDCR_EL2 as the last guest had it', async () => {
    // The guest sleeps in WFI seven times, and is over at the end.
    const timer = (vpmu: number): string[] => [image('timer'), `vpmu=${vpmu}`, ...HOST];
    for (const [vpmu, value] of [
      [0, '0x0000000000000e60'],
      [1, '0x0000000000000e00'],
    ] as const) {
      expect(await mdcr(...timer(vpmu))).toBe(value);
      expect((await switches(...timer(vpmu))).map(({ from, to }) => `${from} ${to}`)).toEqual(['idle timer']);
    }
  });

  it('xen-arm strict: controls out, freeze, counters out; the mirror image in, E last; then MDCR_EL2 with HPMN = N', async () => {
    const seen = await switches(...DOMAINS, ...HOST, '--personality', 'xen-arm:strict');
    const held = new Map<string, string[]>();
    expect(seen.length).toBeGreaterThan(50);
    for (const { from, to, steps } of seen) {
      const kinds = steps.map((step) => step.split(' ')[0] as string);
      const names = (kind: string): string[] =>
        steps.filter((step) => step.startsWith(`${kind} `)).map((step) => step.split(' ')[1] as string);
      const saved = names('save');
      if (from !== 'idle') {
        // A freeze destroys what it overwrites, and a counter that runs cannot be read (J.1).
        expect(kinds.join(' ')).toMatch(/^(save ){5}freeze freeze (save )+(restore )+enforce enforce$/);
        expect(saved.slice(0, 2)).toEqual(['PMCR', 'PMCNTEN']);
        expect(names('freeze')).toEqual(['PMCR', 'PMCNTEN']);
        expect(steps).toEqual(expect.arrayContaining(['freeze PMCR 0x0', 'freeze PMCNTEN 0x0']));
        expect(names('restore')).toEqual(saved.toReversed());
        held.set(
          from,
          steps.filter((step) => step.startsWith('save ')).map((step) => step.slice(5)),
        );
      }
      expect(names('restore').at(-1)).toBe('PMCR');
      expect(names('restore')).toEqual(
        expect.arrayContaining(['PMCCNTR_EL0', 'PMEVCNTR5_EL0', 'PMUSERENR_EL0', 'PMOVS']),
      );
      // What it left with is what it comes back to.
      const before = held.get(to);
      if (before !== undefined) {
        const back = steps.filter((step) => step.startsWith('restore ')).map((step) => step.slice(8));
        expect(back).toEqual(before.toReversed());
      }
      // TDA, TDOSA, TDRA; HPMN = 6; HPMD (bit 17): no trap of the PMU.
      expect(steps.at(-1)).toBe('enforce MDCR_EL2 0x20e06');
    }
    expect([...held.keys()].sort()).toEqual(['observer', 'victim']);
  });

  it('kvm-arm64: nothing moves, every access traps (TPM, TPMCR), PMUSERENR_EL0 is open', async () => {
    const seen = await switches(
      'examples/kvm-arm64/count.cfg',
      'examples/kvm-arm64/overflow.cfg',
      ...HOST,
      '--personality',
      'kvm-arm64',
    );
    for (const { steps } of seen) {
      expect(steps).toEqual([
        expect.stringMatching(/^enforce HCR_EL2 /),
        'enforce PMUSERENR_EL0 0xf',
        'enforce MDCR_EL2 0xe66',
      ]);
    }
    expect(seen.length).toBeGreaterThan(10);
  });
});
