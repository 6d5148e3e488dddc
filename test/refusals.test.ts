/** Domains that are refused before they are created, through the command: libxl's reason, the hypervisor's, the place, the exit code. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CheckJson, checkSchema } from 'countervisor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countervisor, image, root, spawned } from './countervisor.ts';

let site: string;
const HEAD = ['name = "d"', `kernel = "${join(root, image('hello'))}"`];
const HOSTS: Readonly<Record<string, object>> = {
  plain: {},
  iommu: { xen: { iommu: true, iommuHapPtShare: true } },
  vmtrace: { xen: { vmtrace: true } },
  'no-pmu': { cpu: 'neoverse-n1,-pmuv3' },
};

beforeAll(() => {
  site = mkdtempSync(join(tmpdir(), 'countervisor-refused-'));
  for (const [name, host] of Object.entries(HOSTS))
    writeFileSync(join(site, `${name}.json`), JSON.stringify({ personality: 'xen-arm:compat', ...host }));
});
afterAll(() => rmSync(site, { recursive: true, force: true }));

/** Writes d.cfg: name and kernel are lines 1 and 2. */
function write(...lines: readonly string[]): void {
  writeFileSync(join(site, 'd.cfg'), `${[...HEAD, ...lines].join('\n')}\n`);
}

interface Refusal {
  readonly lines: readonly string[];
  readonly host?: string;
  /** Line and column of the key to blame; 1:1 where no key is. */
  readonly at: string;
  /** What libxl returns, and its own reason unless the hypervisor's is the only one. */
  readonly rc: 'ERROR_INVAL' | 'ERROR_FAIL';
  readonly libxl?: string;
  /** Errno is EINVAL always. */
  readonly domctl?: string;
}

// Out of reach of any xl.cfg, and tested row by row beside the checks: unknown flags and options (common 1, 2, 5, 7), no vCPU (3: xl makes 0 a 1), HAP for
// a PV domain (4: Arm has none), padding (Arm 2), SCI and the MSA of Armv8-R (9). Flags: hvm 1, hap 2, oos_off 8, nested_virt 0x40, vpmu 0x80, trap_unmapped_accesses 0x100.
const REFUSALS: Readonly<Record<string, Refusal>> = {
  'common 9: vpmu without a PMU': {
    lines: ['vpmu = 1'],
    host: 'no-pmu',
    at: '3:1',
    rc: 'ERROR_INVAL',
    libxl: 'this platform has no vPMU',
    domctl: 'common check 9: the vPMU cannot be enabled this way',
  },
  'common 6: passthrough without an IOMMU': {
    lines: ['memory = 64', '  passthrough = "enabled"'],
    at: '4:3',
    rc: 'ERROR_INVAL',
    libxl: 'this platform cannot pass devices through',
    domctl: 'common check 6: the IOMMU is requested but unavailable',
  },
  'common 8: vmtrace without trace buffers': {
    lines: ['vmtrace_buf_kb = 64'],
    at: '3:1',
    rc: 'ERROR_FAIL',
    domctl: 'common check 8: vmtrace is requested but unavailable',
  },
  'libxl: a grant version that its four bits cannot hold': {
    lines: ['max_grant_version = 16'],
    at: '3:1',
    rc: 'ERROR_INVAL',
    libxl: 'grant version 16 is out of range',
  },
  'Arm 1: hap = 0': {
    lines: ['hap = 0'],
    at: '1:1',
    rc: 'ERROR_FAIL',
    domctl: 'architecture check 1: unsupported configuration 0x101',
  },
  'Arm 1: oos = 0': {
    lines: ['oos = 0'],
    at: '1:1',
    rc: 'ERROR_FAIL',
    domctl: 'architecture check 1: unsupported configuration 0x10b',
  },
  'Arm 1: nestedhvm = 1, with a vPMU': {
    lines: ['nestedhvm = 1', 'vpmu = 1'],
    at: '1:1',
    rc: 'ERROR_FAIL',
    domctl: 'architecture check 1: unsupported configuration 0x1c3',
  },
  'Arm 3: SVE without SVE': {
    lines: ['sve = "128"'],
    at: '3:1',
    rc: 'ERROR_FAIL',
    libxl: 'this machine has no SVE',
    domctl: 'architecture check 3: this machine has no SVE',
  },
  'Arm 4: page tables not shared with the IOMMU': {
    lines: ['passthrough = "sync_pt"'],
    host: 'iommu',
    at: '3:1',
    rc: 'ERROR_INVAL',
    libxl: 'passthrough = "sync_pt" is not supported on Arm',
    domctl: 'architecture check 4: no_sharept, and page tables are always shared with the IOMMU',
  },
  'Arm 6: nine vCPUs on a GICv2': {
    lines: ['gic_version = "v2"', 'vcpus = 9'],
    at: '4:1',
    rc: 'ERROR_FAIL',
    domctl: 'architecture check 6: 9 vCPUs, and the limit is 8',
  },
  'Arm 6: more vCPUs than MAX_VIRT_CPUS, by maxvcpus': {
    lines: ['vcpus = 1', 'maxvcpus = 129'],
    at: '3:1',
    rc: 'ERROR_FAIL',
    domctl: 'architecture check 6: 129 vCPUs, and the limit is 128',
  },
  'Arm 7: a TEE without its mediator': {
    lines: ['tee = "optee"'],
    at: '3:1',
    rc: 'ERROR_FAIL',
    domctl: 'architecture check 7: unsupported TEE type 1',
  },
  'Arm 8: altp2m': {
    lines: ['altp2m = "external"'],
    at: '3:1',
    rc: 'ERROR_FAIL',
    domctl: 'architecture check 8: altp2m is not supported',
  },
  'Arm 8: altp2m_count alone': {
    lines: ['altp2m_count = 1'],
    at: '1:1',
    rc: 'ERROR_FAIL',
    domctl: 'architecture check 8: altp2m is not supported',
  },
  'libxl: nestedhvm and altp2m': {
    lines: ['nestedhvm = 1', 'altp2m = "mixed"'],
    at: '3:1',
    rc: 'ERROR_INVAL',
    libxl: 'nestedhvm and altp2m exclude each other',
    domctl: 'architecture check 1: unsupported configuration 0x143',
  },
  'libxl: altp2m with memory on demand': {
    lines: ['memory = 32', 'maxmem = 64', 'altp2m = 1'],
    at: '5:1',
    rc: 'ERROR_INVAL',
    libxl: 'altp2m needs all memory at the start, and maxmem is above memory',
    domctl: 'architecture check 8: altp2m is not supported',
  },
  'libxl: passthrough with memory on demand': {
    lines: ['memory = 32', 'maxmem = 64', 'passthrough = "enabled"'],
    host: 'iommu',
    at: '4:1',
    rc: 'ERROR_INVAL',
    libxl: 'passthrough needs all memory at the start, and maxmem is above memory',
  },
  'libxl: fewer interrupts than the virtual UART needs': {
    lines: ['vuart = "sbsa_uart"', 'nr_spis = 0'],
    at: '4:1',
    rc: 'ERROR_FAIL',
    libxl: 'nr_spis is too small: the domain needs 1',
  },
};

/** The message up to its remedy. */
function message({ at, rc, libxl, domctl }: Refusal): string {
  if (libxl !== undefined) return `d.cfg:${at}: CV_LIBXL_REFUSED  libxl refuses to create 'd' with ${rc}: ${libxl}.\n`;
  return `d.cfg:${at}: CV_DOMCTL_REFUSED  The hypervisor refuses to create 'd' with EINVAL from ${domctl}; libxl returns ${rc} (domain creation fail).\n`;
}

describe('refused before creation', () => {
  it.each(Object.entries(REFUSALS))('%s', async (_name, refusal) => {
    write(...refusal.lines);
    const host = ['--host', `${refusal.host ?? 'plain'}.json`];
    const { code, out, err } = await countervisor(['run', 'd.cfg', ...host], site);
    expect([code, out]).toEqual([3, '']);
    expect(err.slice(0, message(refusal).length)).toBe(message(refusal));
    const also = 'The hypervisor would have refused it too, with EINVAL from ';
    if (refusal.libxl === undefined || refusal.domctl === undefined) expect(err).not.toContain(also);
    else expect(err).toContain(`${also}${refusal.domctl}.\n`);

    // `check` says the same as data, and a trace of it leaves no file.
    const checked = await countervisor(['check', 'd.cfg', ...host, '--json'], site);
    expect(checked.code).toBe(3);
    const json = checkSchema.parse(JSON.parse(checked.out)) as CheckJson;
    const [guest] = json.guests;
    expect(guest?.verdict).toBe('refused');
    expect(guest?.refusal).toMatchObject({
      by: refusal.libxl === undefined ? 'domctl' : 'libxl',
      rc: refusal.rc,
      message: refusal.libxl ?? 'domain creation fail',
    });
    const before = readdirSync(site).sort();
    expect((await countervisor(['trace', 'd.cfg', ...host, '-o', 'trace.txt'], site)).code).toBe(3);
    expect(readdirSync(site).sort()).toEqual(before);
  });

  it.each(['cortex-a57', 'cortex-a76', 'neoverse-n1', 'neoverse-v1', 'neoverse-n2', 'max'])(
    'vpmu = 1 on %s,-pmuv3: an exit code of 3 from a process, and the same guest without vpmu runs',
    async (cpu) => {
      write('vpmu = 1');
      const flags = ['--personality', 'xen-arm', '--cpu', `${cpu},-pmuv3`];
      const refused = message(REFUSALS['common 9: vpmu without a PMU'] as Refusal);
      if (cpu === 'neoverse-n1') {
        const process = spawned(['run', 'd.cfg', ...flags], site);
        expect([process.code, process.out, process.err.slice(0, refused.length)]).toEqual([3, '', refused]);
      }
      const said = await countervisor(['run', 'd.cfg', ...flags], site);
      expect([said.code, said.out, said.err.slice(0, refused.length)]).toEqual([3, '', refused]);
      const without = await countervisor(['run', 'd.cfg', 'vpmu=0', ...flags], site);
      expect([without.code, without.err]).toEqual([0, '']);
      expect(without.out).toContain('d| hello from EL1');
      // And with its PMU.
      expect((await countervisor(['run', 'd.cfg', ...flags.slice(0, 3), cpu], site)).code).toBe(0);
    },
  );

  it('one refused domain keeps the others from being created', async () => {
    write('vpmu = 1');
    writeFileSync(join(site, 'first.cfg'), HEAD.join('\n').replace('"d"', '"first"'));
    const { code, out, err } = await countervisor(['run', 'first.cfg', 'd.cfg', '--host', 'no-pmu.json'], site);
    expect([code, out]).toEqual([3, '']);
    expect(err).toContain("libxl refuses to create 'd'");
  });

  it('kvm-arm64 has no libxl: it refuses the vPMU by itself', async () => {
    write('vpmu = 1');
    const flags = ['--personality', 'kvm-arm64', '--cpu', 'max,-pmuv3'];
    const { code, out, err } = await countervisor(['run', 'd.cfg', ...flags], site);
    expect([code, out]).toEqual([3, '']);
    expect(err).toMatch(
      /^d\.cfg:3:1: CV_NO_VPMU {2}kvm-arm64 cannot give 'd' a vPMU: the CPU max,-pmuv3 has no PMU\.\n/,
    );
  });
});

describe('created', () => {
  // What stands next to each refusal and is none.
  it.each<[string, readonly string[], string, string]>([
    ['vpmu = 1', ['vpmu = 1'], 'plain', '0x183'],
    ['vpmu = 0', ['vpmu = 0'], 'no-pmu', '0x103'],
    ['passthrough with an IOMMU', ['passthrough = "enabled"'], 'iommu', '0x123'],
    ['vmtrace with trace buffers', ['vmtrace_buf_kb = 64'], 'vmtrace', '0x103'],
    ['grant version 15', ['max_grant_version = 15'], 'plain', '0x103'],
    ['eight vCPUs on a GICv2', ['gic_version = "v2"', 'vcpus = 8'], 'plain', '0x103'],
    ['trap_unmapped_accesses = 0', ['trap_unmapped_accesses = 0'], 'plain', '0x3'],
  ])('%s', async (_name, lines, host, flags) => {
    write(...lines);
    const { code, out } = await countervisor(['check', 'd.cfg', '--host', `${host}.json`, '--json'], site);
    const { guests } = checkSchema.parse(JSON.parse(out)) as CheckJson;
    expect([code, guests[0]?.verdict, guests[0]?.request?.flags]).toEqual([0, 'accepted', flags]);
  });
});
