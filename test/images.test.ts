/** Every guest image of the repository, together on one host: each passes under emulation on every CPU model, with a GICv2 and a GICv3. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RunJson } from 'countervisor';
import { describe, expect, it } from 'vitest';
import { countervisor, image, root } from './countervisor.ts';

const NAMES = readdirSync(join(root, 'guests/arm64/images'))
  .filter((file) => file.endsWith('.elf'))
  .map((file) => file.slice(0, -4))
  .sort();

const PMUVER = { 'cortex-a57': 1, 'neoverse-n1': 4, 'neoverse-v1': 5, 'neoverse-n2': 6, max: 6 };

/** What each must have said, beside its exit; by the guest's own count of checks where it has one. */
function said(name: string, cpu: keyof typeof PMUVER, gic: 2 | 3): readonly (string | RegExp)[] {
  const pmuver = `PMUVer ${PMUVER[cpu]}`;
  // Armv8.0 has no LDADD: one check less.
  const lse = cpu !== 'cortex-a57';
  const known: Readonly<Record<string, readonly (string | RegExp)[]>> = {
    hello: ['hello from EL1', "bootargs 'observer'"],
    'hello-pie': ['hello from EL1', "bootargs 'observer'"],
    mmu: [/^mmu: 5\d checks, 0 failed$/m],
    'pmu-count': [`pmu-count: ${pmuver}, PMCR_EL0.N = 6\n`, 'pmu-count: 42 checks, 0 failed\n'],
    'pmu-leak': [`pmu-leak: observer, ${pmuver}, PMCR_EL0.N = 6\n`, 'no leak\n'],
    'pmu-overflow': [`${pmuver}, PMCR_EL0.N = 6, GICv${gic}\n`, 'pmu-overflow: 22 checks, 0 failed\n'],
    'pmu-probe': [/^PMCR_EL0 +EL1 +read +value=0x/m, /^pmu-probe: \d+ accesses, \d+ exceptions$/m],
    smp: [lse ? 'with atomics' : 'without atomics', `smp: ${lse ? 13 : 12} checks, 0 failed\n`],
    timer: [`, GICv${gic}\n`, 'timer: 7 checks, 0 failed\n'],
    // There are 78,498 primes below a million; the 27th Fibonacci number is 196,418.
    'bench-sieve': [`\nE ${(78_498).toString(16)}\n`],
    'bench-fib': [`\nE ${(196_418).toString(16)}\n`],
    'bench-crc': [/^E [0-9a-f]+$/m],
    'bench-list': [/^E [0-9a-f]+$/m],
  };
  return [...(known[name] ?? []), '\nEXIT: STATUS=1\n'];
}

describe.each(['cortex-a57', 'neoverse-n1', 'neoverse-v1', 'neoverse-n2', 'max'] as const)('%s', (cpu) => {
  it.each([2, 3] as const)('GICv%i: every image passes', async (gic) => {
    const settings = ['vcpus=2', 'vpmu=1', 'extra="observer"', `gic_version="v${gic}"`];
    const host = ['--personality', 'kvm-arm64', '--cpu', cpu, '--pcpus', '2', '--slice', '50000'];
    const { code, out } = await countervisor(['run', ...NAMES.map(image), ...settings, ...host, '--json', '-q']);
    const { domains } = JSON.parse(out) as RunJson;
    expect(domains.map(({ name, exit }) => [name, exit])).toEqual(
      NAMES.map((name) => [name, { reason: 'poweroff', status: 0, code: 0, verdict: 'passed' }]),
    );
    expect(code).toBe(0);
    for (const { name, console, policy } of domains) {
      expect(policy).toBe('emulated');
      for (const text of said(name, cpu, gic)) expect(console).toMatch(text);
    }
  });
});

it.each(['cortex-a57', 'max'] as const)('%s, mediated: every image passes, and finds the same', async (cpu) => {
  const settings = ['vcpus=2', 'vpmu=1', 'extra="observer"', 'gic_version="v3"'];
  const host = ['--personality', 'kvm-arm64', '--policy', 'mediated', '--cpu', cpu, '--pcpus', '2', '--slice', '50000'];
  const partition = ['--set', 'counters=9', '--set', 'host_counters=3'];
  const { code, out } = await countervisor([
    'run',
    ...NAMES.map(image),
    ...settings,
    ...host,
    ...partition,
    '--json',
    '-q',
  ]);
  const { domains } = JSON.parse(out) as RunJson;
  expect(code).toBe(0);
  for (const { name, console, policy, exit } of domains) {
    expect([name, policy, exit?.verdict]).toEqual([name, 'mediated', 'passed']);
    for (const text of said(name, cpu, 3)) expect(console).toMatch(text);
  }
});

it('no image has gone', () => {
  expect(NAMES).toEqual(
    expect.arrayContaining(['hello', 'pmu-count', 'pmu-overflow', 'pmu-leak', 'pmu-probe', 'mmu', 'smp', 'timer']),
  );
});
