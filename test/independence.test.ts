/**
 * What a domain sees does not depend on how the hypervisor schedules it: console, instructions, counters, overflow positions and exit are the same at
 * any slice and on one or two pCPUs, under off, emulated, switched and mediated (ARCHITECTURE.md, counting rule 11). And the same command gives the same bytes.
 */
import type { RunJson, TraceLine } from 'countervisor';
import { describe, expect, it } from 'vitest';
import { countervisor, image, spawned } from './countervisor.ts';

const SLICES = [1, 7, 100, 1000, 10_000, 1_000_000];
const PCPUS = [1, 2];
const pair = ['examples/kvm-arm64/count.cfg', 'examples/kvm-arm64/overflow.cfg'];
const smp = [image('smp'), 'vcpus=2', 'vpmu=1'];
const host = ['--cpu', 'neoverse-n1'];

interface Seen {
  /** All of `run --json` but how often a domain was switched to. */
  readonly domains: readonly unknown[];
  readonly codes: readonly (number | undefined)[];
  readonly switches: number;
  readonly code: number | null;
}

async function run(args: readonly string[]): Promise<Seen> {
  const { code, out } = await countervisor(['run', ...args, ...host, '--json', '-q']);
  const { domains } = JSON.parse(out) as RunJson;
  return {
    domains: domains.map(({ switches: _, ...domain }) => domain),
    codes: domains.map(({ exit }) => exit?.code),
    switches: domains.reduce((sum, domain) => sum + Number(domain.switches), 0),
    code,
  };
}

/** Overflows and interrupts by domain: where, and after how many instructions. */
async function positions(args: readonly string[]): Promise<Record<string, readonly string[]>> {
  const { out } = await countervisor(['trace', ...args, ...host, '--log', 'overflow,irq', '--json', '-q']);
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as TraceLine);
  const by: Record<string, string[]> = {};
  for (const line of lines) {
    if (line.type !== 'overflow' && line.type !== 'irq') continue;
    const what = line.type === 'overflow' ? `${line.counter} ${line.line}` : line.exception;
    by[line.domain] = [...(by[line.domain] ?? []), `${line.vcpu} ${line.type} ${what} ${line.pc} ${line.icount}`];
  }
  return by;
}

/** Every slice on one pCPU and on two; `traced`: slices at which one pCPU is traced as well. */
async function everywhere(what: readonly string[], policy: string, traced: readonly number[]): Promise<Seen[]> {
  const args = [...what, '--personality', 'plain', '--policy', policy];
  const all: Seen[] = [];
  const first = await run(args);
  const where = await positions(args);
  for (const pcpus of PCPUS) {
    for (const slice of SLICES) {
      const here = [...args, '--slice', `${slice}`, '--pcpus', `${pcpus}`];
      const seen = await run(here);
      expect(seen.domains, `${slice} on ${pcpus}`).toEqual(first.domains);
      expect(seen.code).toBe(first.code);
      if (pcpus === 1 && traced.includes(slice)) expect(await positions(here), `${slice} on ${pcpus}`).toEqual(where);
      all.push(seen);
    }
  }
  return all;
}

/** How often things changed places: it is the schedule that differs, not the flag alone. */
const schedules = (all: readonly Seen[]): number => new Set(all.map(({ switches }) => switches)).size;

describe('pmu-count and pmu-overflow, at slices of 1 to 1,000,000 and on 1 and 2 pCPUs', () => {
  it('off: without a PMU both fail, each the same way', async () => {
    const all = await everywhere(pair, 'off', [7, 1000]);
    expect(all[0]?.codes).toEqual([1, 1]);
    expect(schedules(all)).toBeGreaterThan(3);
  });
  it('emulated: every number exact', async () => {
    const all = await everywhere(pair, 'emulated', [1, 100, 10_000]);
    expect(all[0]?.codes).toEqual([0, 0]);
    expect(schedules(all)).toBeGreaterThan(4);
  });
  it('switched: the same', async () => {
    const all = await everywhere(pair, 'switched', [7, 1000, 1_000_000]);
    expect(all[0]?.codes).toEqual([0, 0]);
    expect(schedules(all)).toBeGreaterThan(4);
  });
  it('mediated, with two counters that the host keeps: the same', async () => {
    const args = ['--set', 'counters=8', '--set', 'host_counters=2'];
    const all = await everywhere([...pair, ...args], 'mediated', [7, 1000, 1_000_000]);
    expect(all[0]?.codes).toEqual([0, 0]);
    expect(schedules(all)).toBeGreaterThan(4);
  });
  it('emulated, switched and mediated: the same console, counters and overflow positions', async () => {
    const under = (policy: string): string[] => [...pair, '--personality', 'plain', '--policy', policy];
    // Where a register is and what traps differ; the guest cannot tell.
    const seen = async (policy: string): Promise<unknown[]> =>
      (await run(under(policy))).domains.map((domain) => ({ ...(domain as object), policy: '', traps: '' }));
    expect(await seen('switched')).toEqual(await seen('emulated'));
    expect(await seen('mediated')).toEqual(await seen('emulated'));
    const where = await positions(under('emulated'));
    expect(await positions(under('switched'))).toEqual(where);
    expect(await positions(under('mediated'))).toEqual(where);
    // Twelve counts that end in an interrupt each, and four checks of the line that overflow, half of them into interrupts.
    expect(Object.keys(where)).toEqual(['overflow']);
    const of = (kind: string): number => (where.overflow ?? []).filter((line) => line.includes(` ${kind} `)).length;
    expect(of('overflow')).toBeGreaterThanOrEqual(16);
    expect(of('irq')).toBeGreaterThanOrEqual(14);
  });
});

describe('passthrough promises nothing of the kind', () => {
  it('two domains that share one PMU read other numbers at another slice', async () => {
    const at = (slice: number): Promise<Seen> =>
      run([...pair, '--personality', 'plain', '--policy', 'passthrough', '--slice', `${slice}`]);
    const [short, long] = [await at(100), await at(1_000_000)];
    expect(short.domains).not.toEqual(long.domains);
    // One behind the other they are undisturbed.
    expect([short.codes, long.codes]).toEqual([
      [1, 1],
      [0, 0],
    ]);
  });
});

describe('smp with two vCPUs', () => {
  it.each(['off', 'emulated', 'switched', 'mediated'])('%s', async (policy) => {
    const all = await everywhere(smp, policy, []);
    expect(all[0]?.codes).toEqual([0]);
    expect(schedules(all)).toBeGreaterThan(1);
  });
});

describe('pmu-count under kvm-arm64', () => {
  const args = ['run', 'examples/kvm-arm64/count.cfg', '--host', 'examples/kvm-arm64/host.json'];
  /** By guests/arm64/work.c: instructions, loads, stores, branches, immediate branches; n = 1000 turns, and a frame of two. */
  const expected: Readonly<Record<string, readonly number[]>> = {
    nops: [102, 0, 0, 0, 0],
    countdown: [2002, 0, 0, 1000, 1000],
    copy: [4002, 1000, 1000, 1000, 1000],
    pairs: [5002, 2000, 1000, 1000, 1000],
    calls: [4003, 0, 0, 3001, 2001],
    untaken: [5002, 0, 0, 4000, 4000],
  };
  const events = ['INST_RETIRED', 'LD_RETIRED', 'ST_RETIRED', 'BR_RETIRED', 'BR_IMMED_RETIRED'];

  it('reads exactly the expected numbers, and twice the same bytes', () => {
    const first = spawned(args);
    expect([first.code, first.err]).toEqual([0, '']);
    expect(spawned(args)).toEqual(first);
    for (const [loop, numbers] of Object.entries(expected)) {
      const read = (event: string): number | undefined => {
        const found = new RegExp(`^count\\| ok +${loop} +${event} +expected +(\\d+) read +(\\d+)$`, 'm').exec(
          first.out,
        );
        return found?.[1] === found?.[2] && found !== null ? Number(found[2]) : undefined;
      };
      expect([loop, ...events.map(read)]).toEqual([loop, ...numbers]);
      // One cycle for each instruction.
      expect([read('CPU_CYCLES'), read('PMCCNTR')]).toEqual([numbers[0], numbers[0]]);
    }
    expect(first.out).toContain('count| pmu-count: 42 checks, 0 failed\n');
  });
});
