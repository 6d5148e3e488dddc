/** The examples of x86's hosts, through the public command: what their guests check themselves, and what the host changes. */
import { describe, expect, it } from 'vitest';
import { countervisor } from './countervisor.ts';

const KVM = [
  'run',
  'examples/kvm-x86/count.cfg',
  'examples/kvm-x86/overflow.cfg',
  '--host',
  'examples/kvm-x86/host.json',
];
const XEN = [
  'run',
  'examples/xen-vpmu/observer.cfg',
  'examples/xen-vpmu/victim.cfg',
  '--host',
  'examples/xen-vpmu/host.json',
];

describe('kvm-x86', () => {
  it.each([[[]], [['--policy', 'mediated']], [['--slice', '137']], [['--option', 'counters=4']]])(
    'every count and every interrupt is exact: %j',
    async (more) => {
      const { code, out } = await countervisor([...KVM, ...more]);
      expect(code, out).toBe(0);
      expect(out).toMatch(/pmu-count: \d+ checks, 0 failed/);
      expect(out).toMatch(/pmu-overflow: \d+ checks, 0 failed/);
      expect(out).toMatch(/100000 rounds {2}general 3 .* expected {2}300006 read {2}300006/);
    },
  );
  it('mediated needs version 4', async () => {
    const { code, err } = await countervisor([...KVM, '--policy', 'mediated', '--cpu', 'haswell']);
    expect(code).not.toBe(0);
    expect(err).toContain('CV_UNABLE');
  });
});

describe('xen-x86', () => {
  it('vpmu: two domains on one CPU see nothing of each other', async () => {
    const { code, out } = await countervisor(XEN);
    expect(code, out).toBe(0);
    expect(out).toContain('no leak');
    expect(out).toMatch(/victim: window 4: mine 240006 {2}read 240006/);
  });
  it.each([
    ['vpmu=off', 'this CPU has no architectural perfmon: no leak'],
    ['vpmu=bts,false', 'this CPU has no architectural perfmon: no leak'],
    ['watchdog=yes', 'this CPU has no architectural perfmon: no leak'],
    ['vpmu=false,bts', 'observer, version 3, 4 general counters'],
  ])('%s', async (option, says) => {
    const { code, out } = await countervisor([...XEN, '--option', option]);
    expect(code, out).toBe(0);
    expect(out).toContain(says);
  });
});
