/** The house end to end: real arm64 images under Xen's and KVM's ways, through the command. */
import { fileURLToPath } from 'node:url';
import { arm64 } from '@countervisor/arm64';
import type { Arch } from '@countervisor/contract';
import { template } from '@countervisor/template';
import { afterAll, describe, expect, it } from 'vitest';
import type { RegsJson } from './schemas/regs.ts';
import { type RunJson, runSchema } from './schemas/run.ts';
import type { StatJson } from './schemas/stat.ts';
import { type Said, World } from './testing/world.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const house = new World({ cwd: root, architectures: [arm64 as unknown as Arch, template as unknown as Arch] });
const IMAGES = 'guests/arm64/images';
const passthrough = [
  'examples/xen-arm-passthrough/dom1.cfg',
  'examples/xen-arm-passthrough/dom2.cfg',
  '--host',
  'examples/xen-arm-passthrough/host.json',
];
const kvm = [
  'examples/kvm-arm64/count.cfg',
  'examples/kvm-arm64/overflow.cfg',
  '--host',
  'examples/kvm-arm64/host.json',
];

// A few words of A64, assembled by hand; checked with aarch64-linux-gnu-objdump.
const words = (...list: readonly number[]): Uint8Array => new Uint8Array(new Uint32Array(list).buffer);
const own = new World({
  architectures: [arm64 as unknown as Arch, template as unknown as Arch],
  files: {
    // b .
    'loop.bin': words(0x14000000),
    // mov x0, #0x123400000000; br x0
    'nowhere.bin': words(0xd2c24680, 0xd61f0000),
    // mov x0, #0x300000 (CPACR_EL1.FPEN); msr cpacr_el1, x0; isb; fadd d0, d0, d0
    'fp.bin': words(0xd2a00600, 0xd5181040, 0xd5033fdf, 0x1e602800),
    'arm32.elf': new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 40, 0]),
    'x86.elf': new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0]),
    'no-pmu.cfg': 'name = "d"\nkernel = "loop.bin"\nvpmu = 1\n',
    'xen.json': '{"cpu": "cortex-a57,-pmuv3", "personality": "xen-arm:compat"}',
    'kvm.json': '{"cpu": "cortex-a57,-pmuv3", "personality": "kvm-arm64"}',
  },
});
afterAll(() => {
  house.remove();
  own.remove();
});

function consoles({ out }: Said): Record<string, string> {
  const json = JSON.parse(out) as RunJson;
  expect(runSchema.parse(json)).toEqual(json);
  return Object.fromEntries(json.domains.map((domain) => [domain.name, domain.console]));
}
const leaks = (console = ''): string[] => console.split('\n').filter((line) => line.startsWith('leak'));

describe('two domains under Xen with vpmu=1', () => {
  it('read each other, byte for byte the same each time', async () => {
    const first = await house.run('run', ...passthrough);
    expect([first.code, first.err]).toEqual([0, '']);
    // The observer counts 200,002 cycles of its own; what is beyond is the victim's.
    expect(first.out).toMatch(/^observer\| {3}PMCCNTR +mine +200002 {2}read +\d+$/m);
    expect(first.out).toMatch(/^observer\| leak: PMCCNTR saw \d+ cycles that are not mine$/m);
    expect(first.out).toMatch(/^victim\| victim: window 4: mine 40002/m);
    expect(first.out).toMatch(/^exit +poweroff 0 \(code 0\)|^exit +poweroff 0, passed +poweroff 0, passed$/m);
    expect(await house.run('run', ...passthrough)).toEqual(first);
  });

  it('with hpmn0=all, of event counters too; under strict, or emulated, nothing', async () => {
    const seen = async (...flags: string[]): Promise<string[]> =>
      leaks(consoles(await house.run('run', ...passthrough, '--json', ...flags)).observer);
    expect((await seen()).some((line) => line.startsWith('leak: PMCCNTR saw'))).toBe(true);
    const all = await seen('--set', 'hpmn0=all');
    expect(all.some((line) => line.startsWith('leak: INST_RETIRED saw'))).toBe(true);
    expect(await seen('--personality', 'xen-arm:strict')).toEqual([]);
    expect(await seen('--policy', 'emulated')).toEqual([]);
  });

  it('MDCR_EL2 is 0xE00 with vpmu and 0xE60 without', async () => {
    const mdcr = async (...args: string[]): Promise<unknown> => {
      const { out } = await house.run('regs', ...args, '--grep', '^MDCR_EL2$', '--json');
      return (JSON.parse(out) as RegsJson).pcpus[0]?.registers[0]?.value;
    };
    expect(await mdcr(...passthrough, '--at', 'icount:100')).toBe('0x0000000000000e00');
    expect(
      await mdcr(
        'examples/xen-arm-trapped/probe.cfg',
        '--host',
        'examples/xen-arm-trapped/host.json',
        '--at',
        'icount:100',
      ),
    ).toBe('0x0000000000000e60');
  });
});

describe('a domain without vpmu under Xen', () => {
  it('is answered by the table of constants', async () => {
    const { out } = await house.run(
      'run',
      'examples/xen-arm-trapped/probe.cfg',
      '--host',
      'examples/xen-arm-trapped/host.json',
      '-q',
    );
    // Facts A.8: read as zero, write ignored, undefined; OSLSR_EL1 reads 8.
    expect(out).toMatch(/^probe\| PMCR_EL0 +EL1 +read +value=0x0$/m);
    expect(out).toMatch(/^probe\| PMSELR_EL0 +EL1 +write value=0x1f after=0x0$/m);
    expect(out).toMatch(/^probe\| PMEVTYPER0_EL0 +EL1 +read +ec=0x0 iss=0x0$/m);
    expect(out).toMatch(/^probe\| OSLSR_EL1 +EL1 +read +value=0x8$/m);
  });

  it('and every such access is traced with its rule', async () => {
    const { out } = await house.run(
      'trace',
      'examples/xen-arm-trapped/probe.cfg',
      '--host',
      'examples/xen-arm-trapped/host.json',
      '--log',
      'access',
      '-q',
    );
    expect(out).toMatch(/access el1 read PMCR_EL0 0x0 trapped \| \S+ \(.*MDCR_EL2/);
  });
});

describe('trap and emulate under KVM', () => {
  it('counts exactly, at any slice and number of pCPUs', async () => {
    const runs = [];
    for (const flags of [[], ['--slice', '1777'], ['--pcpus', '2']]) {
      const said = await house.run('run', ...kvm, '--json', ...flags);
      expect(said.code).toBe(0);
      runs.push((JSON.parse(said.out) as RunJson).domains.map(({ switches: _, ...domain }) => domain));
    }
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).toEqual(runs[0]);
    const [count, overflow] = runs[0] ?? [];
    expect(count?.console).toContain('ok   copy       LD_RETIRED        expected  1000 read  1000\n');
    expect(count?.console).toMatch(/pmu-count: \d+ checks, 0 failed/);
    expect(overflow?.console).toMatch(/pmu-overflow: \d+ checks, 0 failed/);
  });

  it('stat counts the same instructions from outside, with and without a PMU in the guest', async () => {
    const run = JSON.parse((await house.run('run', `${IMAGES}/hello.elf`, '--json', 'vpmu=0')).out) as RunJson;
    const { out, code } = await house.run(
      'stat',
      `${IMAGES}/hello.elf`,
      '-e',
      'INST_RETIRED,r8,cycles,INST_RETIRED:u',
      '--json',
      'vpmu=0',
      '-r',
      '2',
    );
    const counts = (JSON.parse(out) as StatJson).domains[0]?.events.map((event) => event.count);
    const n = run.domains[0]?.instructions;
    expect(counts).toEqual([n, n, n, 0]);
    expect(code).toBe(0);
    const silicon = await house.run('stat', `${IMAGES}/hello.elf`, '-e', 'L1D_CACHE_REFILL');
    expect([silicon.code, silicon.out]).toEqual([5, expect.stringContaining('<not supported>')]);
  });
});

describe('wrong guests', () => {
  it('a loop, a jump into nothing, floating point: 1, 4, 5', async () => {
    expect((await own.run('run', 'loop.bin', '--until', '100k')).code).toBe(1);
    const lost = await own.run('run', 'nowhere.bin');
    expect([lost.code, lost.err]).toEqual([
      4,
      expect.stringContaining('at pc 0x123400000000 (el1), after 2 instructions.'),
    ]);
    const fp = await own.run('run', 'fp.bin');
    expect([fp.code, fp.err]).toEqual([
      5,
      expect.stringContaining('CV_UNMODELLED_INSTRUCTION  fp: instruction 0x1e602800'),
    ]);
    expect(fp.out).toMatch(/^exit +unmodelled 0, faulted$/m);
  });

  it('an image for another machine, a 32-bit guest: 5', async () => {
    const x86 = await own.run('run', 'x86.elf');
    const absent = 'CV_NO_ARCHITECTURE  x86.elf is for EM_X86_64 (62), and x86 is not installed here.';
    expect([x86.code, x86.err]).toEqual([5, expect.stringContaining(absent)]);
    for (const flags of [[], ['--arch', 'arm64']]) {
      const arm32 = await own.run('run', 'arm32.elf', ...flags);
      expect([arm32.code, arm32.err]).toEqual([5, expect.stringContaining('AArch32 guests are not modelled')]);
    }
  });

  it('vpmu = 1 on a CPU without a PMU is refused before creation, with both reasons', async () => {
    const xen = await own.run('run', 'no-pmu.cfg', '--host', 'xen.json');
    expect([xen.code, xen.out]).toEqual([3, '']);
    expect(xen.err).toContain(
      "no-pmu.cfg:3:1: CV_LIBXL_REFUSED  libxl refuses to create 'd' with ERROR_INVAL: this platform has no vPMU.",
    );
    expect(xen.err).toContain('EINVAL from common check 9: the vPMU cannot be enabled this way.');
    const k = await own.run('run', 'no-pmu.cfg', '--host', 'kvm.json');
    expect([k.code, k.err]).toEqual([
      3,
      expect.stringContaining("no-pmu.cfg:3:1: CV_NO_VPMU  kvm-arm64 cannot give 'd' a vPMU"),
    ]);
  });

  it("a failing guest's own code is shown and handed on", async () => {
    // pmu-count needs six event counters' events of PMCEID; without a PMU it cannot pass.
    const { code, out } = await house.run(
      'run',
      `${IMAGES}/pmu-count.elf`,
      'vpmu=0',
      '-q',
      '--exit-from',
      'pmu-count',
      '--personality',
      'xen-arm',
    );
    expect(out).toMatch(/^pmu-count\| EXIT: STATUS=3$/m);
    expect(out).toMatch(/^exit +poweroff 0 \(code 1\), failed$/m);
    expect(code).toBe(1);
  });
});
