/** The performance monitor end to end: the guests and the examples, through the command. */
import { fileURLToPath } from 'node:url';
import type { Arch } from '@countervisor/contract';
import { ppc64 } from '@countervisor/ppc64';
import { afterAll, describe, expect, it } from 'vitest';
import { World } from './testing/world.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const house = new World({ cwd: root, architectures: [ppc64 as unknown as Arch] });
afterAll(() => house.remove());

const XEN = ['dom1', 'dom2', 'stray'].map((name) => `examples/xen-ppc/${name}.cfg`);
const XEN_HOST = ['--host', 'examples/xen-ppc/host.json'];
const KVM = ['count', 'overflow', 'freeze'].map((name) => `examples/kvm-ppc-lazy/${name}.cfg`);
const KVM_HOST = ['--host', 'examples/kvm-ppc-lazy/host.json'];

describe.each(['', '-le'])('guests%s', (suffix) => {
  it.each([
    ['pmu-count', 'power9', 30],
    ['pmu-count', 'power10', 30],
    ['pmu-overflow', 'power9', 48],
    ['pmu-freeze', 'power9', 1],
    ['ebb', 'power9', 12],
  ])('%s on a %s', async (name, cpu, checks) => {
    const said = await house.run('run', `guests/ppc64/images/${name}${suffix}.elf`, '--cpu', cpu);
    expect(said.out).toContain(`${name}: ${checks} checks, 0 failed`);
    expect(said.code).toBe(0);
  });
  it.each([
    ['xen-ppc:compat', ''],
    ['xen-ppc:strict', 'strict'],
  ])('h-perfmon under %s', async (personality, extra) => {
    const image = `${root}guests/ppc64/images/h-perfmon${suffix}.elf`;
    const cfg = `name = "guest"\nkernel = "${image}"\nextra = "${extra}"\nmemory = 16\nvcpus = 1\nvpmu = 1\n`;
    const own = new World({ architectures: [ppc64 as unknown as Arch], files: { 'guest.cfg': cfg } });
    const said = await own.run('run', 'guest.cfg', '--cpu', 'power9', '--personality', personality);
    own.remove();
    expect(said.out).toContain('h-perfmon: 14 checks, 0 failed');
    expect(said.code).toBe(0);
  });
});

describe('examples/xen-ppc', () => {
  it('as planned: each that asked counts its own, the third is warned about by name and frozen', async () => {
    const said = await house.run('run', ...XEN, ...XEN_HOST);
    expect(said.out.match(/asked, counted 10000 of 10000, and goes on/g)).toHaveLength(2);
    expect(said.out).toMatch(/did not ask, counted \d+ of 3000, and stands still/);
    expect(said.err).toMatch(/CV_BAD_DOMAIN.*stray/);
    expect(said.err).not.toMatch(/CV_BAD_DOMAIN.*dom[12]/);
    expect(said.code).toBe(0);
  });
  it('as built in 2007: nobody is warned, and nothing is frozen', async () => {
    const said = await house.run('run', ...XEN, ...XEN_HOST, '--option', 'built=2007');
    // Its neighbours' counts, to which it goes on adding.
    expect(said.out).toMatch(/did not ask, counted \d+ of 3000, and goes on/);
    expect(said.out).not.toMatch(/did not ask, counted 3000/);
    expect(said.err).not.toContain('CV_BAD_DOMAIN');
  });
  it('the trace prints the switch in the order of the thread', async () => {
    const said = await house.run('trace', ...XEN, ...XEN_HOST, '--log', 'note');
    const lines = said.out.split('\n').flatMap((line) => /(save|freeze|restore) \w+/.exec(line)?.[0] ?? []);
    const names = ['MMCR0', 'MMCR1', 'MMCRA', ...Array.from({ length: 8 }, (_, n) => `PMC${n + 1}`)];
    const expected = [
      ...names.map((name) => `save ${name}`),
      'freeze MMCR0',
      ...[...names.slice(3), 'MMCRA', 'MMCR1', 'MMCR0'].map((name) => `restore ${name}`),
    ].join();
    expect(lines.join()).toContain(expected);
  });
});

describe('examples/kvm-ppc-lazy', () => {
  it.each([[], ['--slice', '77']])('all three are content, with one demand each %s', async (...more) => {
    const said = await house.run('run', ...KVM, ...KVM_HOST, ...more);
    expect(said.out).toContain('pmu-count: 30 checks, 0 failed');
    expect(said.out).toContain('pmu-overflow: 48 checks, 0 failed');
    expect(said.out).toContain('pmu-freeze: 1 checks, 0 failed');
    expect(said.code).toBe(0);
  });
  it('counts the exits', async () => {
    const said = await house.run('run', 'examples/kvm-ppc-lazy/count.cfg', ...KVM_HOST);
    expect(said.out).toMatch(/performance-monitor +1\n/);
  });
});
