/** The partitioned PMU through the public command: what the example promises, what moves on a switch, and what is refused. */
import type { RegsJson, RunJson, TraceLine } from 'countervisor';
import { describe, expect, it } from 'vitest';
import { countervisor, spawned } from './countervisor.ts';

const DOMAINS = ['examples/kvm-arm64-mediated/count.cfg', 'examples/kvm-arm64-mediated/overflow.cfg'];
const HOST = ['--host', 'examples/kvm-arm64-mediated/host.json'];

async function run(...args: readonly string[]): Promise<RunJson['domains']> {
  const { code, out } = await countervisor(['run', ...DOMAINS, ...HOST, ...args, '--json', '-q']);
  expect(code).toBe(0);
  return (JSON.parse(out) as RunJson).domains;
}

describe('examples/kvm-arm64-mediated', () => {
  it('both guests find every number exact, with six counters of eight, and twice the same bytes', () => {
    const first = spawned(['run', ...DOMAINS, ...HOST]);
    expect([first.code, first.err]).toEqual([0, '']);
    expect(first.out).toContain('count| pmu-count: PMUVer 6, PMCR_EL0.N = 6\n');
    expect(first.out).toContain('count| pmu-count: 42 checks, 0 failed\n');
    expect(first.out).toContain('overflow| pmu-overflow: 22 checks, 0 failed\n');
    expect(first.out).toMatch(/^policy +mediated +mediated$/m);
    expect(spawned(['run', ...DOMAINS, ...HOST])).toEqual(first);
  });

  it.each([
    ['max', 84],
    ['max,-fgt', 277],
    ['cortex-a57', 277],
    ['neoverse-n1', 277],
    ['neoverse-v1', 277],
    ['neoverse-n2', 277],
    ['neoverse-n2,+fgt', 84],
  ])('on %s the counting guest makes %i exits for its PMU', async (cpu, expected) => {
    const [count] = await run('--cpu', cpu);
    expect(count?.traps.sysreg).toBe(expected);
    // The guest's accesses are the same ones: emulated, each is an exit.
    const [emulated] = await run('--cpu', cpu, '--policy', 'emulated', '--set', 'counters=6');
    expect(emulated?.traps.sysreg).toBe(277);
    expect(count?.console.split('\n').slice(1)).toEqual(emulated?.console.split('\n').slice(1));
    expect(count?.instructions).toBe(emulated?.instructions);
  });

  it('writes HPMN = 6, HPME, HPMD, HCCD and the debug traps, and the fine-grained traps', async () => {
    const { out } = await countervisor([
      'regs',
      DOMAINS[0] as string,
      ...HOST,
      '--grep',
      '^(MDCR|HDFG)',
      '--json',
      '-q',
    ]);
    const registers = (JSON.parse(out) as RegsJson).pcpus[0]?.registers.map(({ name, value }) => [name, value]);
    expect(Object.fromEntries(registers ?? [])).toEqual({
      MDCR_EL2: '0x0000000000820e86',
      HDFGRTR_EL2: '0x0400000000446000',
      HDFGWTR_EL2: '0x0000000000046000',
    });
  });

  it('moves the guest’s counters alone: out behind the freeze, in before what starts them', async () => {
    const { code, out } = await countervisor(['trace', ...DOMAINS, ...HOST, '--log', 'switch', '--json', '-q']);
    expect(code).toBe(0);
    const seen = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as TraceLine)
      .filter((line) => line.type === 'switch');
    expect(seen.length).toBeGreaterThan(10);
    for (const { from, to, steps } of seen) {
      const names = (kind: string): string[] =>
        steps.filter((step) => step.startsWith(`${kind} `)).map((step) => step.split(' ')[1] as string);
      expect(steps.filter((step) => /PMEV(CNTR|TYPER)([6-9]|[12]\d|30)_/.test(step))).toEqual([]);
      // Who has ended leaves, and nobody comes.
      if (to === 'idle') continue;
      expect(names('restore')).toEqual(expect.arrayContaining(['PMEVCNTR5_EL0', 'PMEVTYPER0_EL0', 'PMCCNTR_EL0']));
      expect(names('restore').at(-1)).toBe('PMCR');
      expect(names('enforce')).toEqual(['HCR_EL2', 'MDCR_EL2', 'HDFGRTR_EL2', 'HDFGWTR_EL2']);
      if (from === 'idle') continue;
      expect(names('save').toReversed()).toEqual(names('restore'));
      expect(steps.map((step) => step.split(' ')[0]).join(' ')).toMatch(
        /^(save ){5}freeze freeze (save ){15}(restore ){20}(enforce ?){4}$/,
      );
      // A bit for each of six counters, and the cycle counter's.
      for (const step of steps.filter((one) => /^save PM(CNTEN|INTEN|OVS) /.test(one))) {
        expect(BigInt(step.split(' ')[2] as string) & ~0x8000_003fn).toBe(0n);
      }
    }
  });
});

describe('refused', () => {
  it.each(['xen-arm:compat', 'xen-arm:strict'])('%s knows no such policy', async (personality) => {
    const { code, out, err } = await countervisor([
      'run',
      DOMAINS[0] as string,
      '--personality',
      personality,
      '--policy',
      'mediated',
    ]);
    expect([code, out]).toEqual([5, '']);
    expect(err).toContain("CV_POLICY_NOT_OFFERED  xen-arm asks for the policy 'mediated', which is not offered.");
    expect(err).toContain('Offered: off, passthrough, switched, emulated.');
  });

  it('more counters for the host than an architecture has', async () => {
    const { code, err } = await countervisor(['run', ...DOMAINS, ...HOST, '--set', 'host_counters=32']);
    expect(code).toBe(2);
    expect(err).toContain('a whole number from 0 to 31');
  });

  it('a CPU on which HPMN = 0 would give the guest the host’s counters', async () => {
    const none = ['--set', 'host_counters=8', '--set', 'hpmn0=all', '--cpu', 'neoverse-n1'];
    const { code, err } = await countervisor(['run', DOMAINS[0] as string, ...HOST, ...none]);
    expect(code).toBe(5);
    expect(err).toContain('CV_HPMN_ZERO');
  });
});
