import type { DomctlHost, DomctlRequest } from '@countervisor/contract';
import {
  type Creation,
  createDomain,
  createdomain,
  parseXlConfig,
  physinfo,
  readDomainConfig,
  refusalError,
  xenHost,
} from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { ARM_CHECKS, ARM_TOOLSTACK, type ArmDomainConfig, type ArmHost, armHost, hasPmu } from './domctl.ts';

/** Cortex-A76: PMUVer 4. */
const A76 = 0x10305408n;

const ARCH: ArmDomainConfig = {
  gic_version: 2, // v3
  sve_vl: 0,
  tee_type: 0,
  nr_spis: 0,
  clock_frequency: 0,
  arm_sci_type: 0,
  v8r_el1_msa: 0,
  pad: 0,
};

const REQUEST: DomctlRequest<ArmDomainConfig> = {
  flags: 0x103, // hvm, hap, trap_unmapped_accesses
  iommu_opts: 0,
  max_vcpus: 1,
  max_evtchn_port: 1023,
  max_grant_frames: -1,
  max_maptrack_frames: -1,
  grant_opts: 2,
  altp2m: { opts: 0, nr: 0 },
  vmtrace_size: 0,
  arch: ARCH,
};

function host(arch: Partial<Omit<ArmHost, 'pmu'>> = {}): DomctlHost<ArmHost> {
  return xenHost(ARM_TOOLSTACK, armHost(A76, arch), { iommu: true, iommuHapPtShare: true });
}

interface Case {
  readonly name: string;
  readonly check: number;
  readonly request?: Partial<DomctlRequest<ArmDomainConfig>>;
  readonly arch?: Partial<ArmDomainConfig>;
  readonly host?: Partial<Omit<ArmHost, 'pmu'>>;
  readonly message: string;
}

// Facts A.5, Arm checks 1 to 9; numbers are those of public/domctl.h and public/arch-arm.h.
const CASES: readonly Case[] = [
  { name: 'hvm missing', check: 1, request: { flags: 0x100 }, message: 'unsupported configuration 0x100' },
  { name: 'hap missing', check: 1, request: { flags: 0x1 }, message: 'unsupported configuration 0x1' },
  { name: 's3_integrity', check: 1, request: { flags: 0x7 }, message: 'unsupported configuration 0x7' },
  { name: 'oos_off', check: 1, request: { flags: 0xb }, message: 'unsupported configuration 0xb' },
  { name: 'nested_virt', check: 1, request: { flags: 0x43 }, message: 'unsupported configuration 0x43' },
  { name: 'padding', check: 2, arch: { pad: 1 }, message: 'the padding of the configuration is not zero' },
  { name: 'SVE without SVE', check: 3, arch: { sve_vl: 1 }, message: 'this machine has no SVE' },
  {
    name: 'SVE longer than the hardware’s',
    check: 3,
    arch: { sve_vl: 3 },
    host: { sveMaxVl: 256 },
    message: 'SVE vectors of 384 bits, and the machine has 256',
  },
  {
    name: 'no_sharept',
    check: 4,
    request: { flags: 0x23, iommu_opts: 1 },
    message: 'no_sharept, and page tables are always shared with the IOMMU',
  },
  {
    name: 'a GIC version that does not exist',
    check: 6,
    arch: { gic_version: 3 },
    message: 'unsupported GIC version 3',
  },
  {
    name: 'GICv3 in a build without it',
    check: 6,
    host: { vgicMaxVcpus: { v2: 8, v3: 0 } },
    message: 'unsupported GIC version 2',
  },
  {
    name: 'nine vCPUs on a GICv2',
    check: 6,
    request: { max_vcpus: 9 },
    arch: { gic_version: 1 },
    message: '9 vCPUs, and the limit is 8',
  },
  {
    name: '129 vCPUs on a GICv3',
    check: 6,
    request: { max_vcpus: 129 },
    message: '129 vCPUs, and the limit is 128',
  },
  { name: 'a TEE without a mediator', check: 7, arch: { tee_type: 1 }, message: 'unsupported TEE type 1' },
  { name: 'another TEE', check: 7, arch: { tee_type: 1 }, host: { tee: 2 }, message: 'unsupported TEE type 1' },
  { name: 'altp2m options', check: 8, request: { altp2m: { opts: 1, nr: 0 } }, message: 'altp2m is not supported' },
  { name: 'altp2m count', check: 8, request: { altp2m: { opts: 0, nr: 1 } }, message: 'altp2m is not supported' },
  { name: 'an MSA with an MMU: PMSA', check: 9, arch: { v8r_el1_msa: 1 }, message: 'unsupported v8r_el1_msa 1' },
  { name: 'an MSA with an MMU: VMSA', check: 9, arch: { v8r_el1_msa: 2 }, message: 'unsupported v8r_el1_msa 2' },
  { name: 'no MSA on v8-R', check: 9, host: { mpu: true }, message: 'unsupported v8r_el1_msa 0' },
  {
    name: 'an MSA that does not exist',
    check: 9,
    arch: { v8r_el1_msa: 3 },
    host: { mpu: true },
    message: 'unsupported v8r_el1_msa 3',
  },
  {
    name: 'an SCI type that the mediator does not know',
    check: 9,
    arch: { arm_sci_type: 2 },
    host: { sciMediator: true },
    message: 'unsupported SCI type 2',
  },
];

function ask(given: Omit<Case, 'name' | 'check' | 'message'>) {
  const request = { ...REQUEST, ...given.request, arch: { ...ARCH, ...given.arch } };
  return createdomain(request, host(given.host), ARM_CHECKS);
}

describe('Arm’s checks of createdomain', () => {
  it.each(CASES)('check $check: $name', ({ check, message, ...given }) => {
    expect(ask(given)).toMatchObject({ accepted: false, errno: 'EINVAL', where: 'arch', check, message });
  });

  it('check 5 is no refusal: GIC NATIVE becomes the hardware’s, and the caller sees it', () => {
    for (const [gic, version] of [
      [2, 1],
      [3, 2],
    ] as const) {
      const answer = ask({ arch: { gic_version: 0 }, host: { gic } });
      expect(answer).toMatchObject({ accepted: true, request: { arch: { gic_version: version } } });
      expect(answer.accepted && answer.rewrites.map(({ check }) => check)).toEqual([5]);
    }
    // A named version is left alone, whatever the hardware.
    expect(ask({ arch: { gic_version: 1 } })).toMatchObject({ request: { arch: { gic_version: 1 } }, rewrites: [] });
  });

  it('check 6 counts by the rewritten version', () => {
    const nine = { request: { max_vcpus: 9 }, arch: { gic_version: 0 } };
    expect(ask({ ...nine, host: { gic: 2 } })).toMatchObject({ accepted: false, check: 6 });
    expect(ask({ ...nine, host: { gic: 3 } })).toMatchObject({ accepted: true });
  });

  it('every row decides a case: without it, the case is not refused there', () => {
    for (const row of ARM_CHECKS) {
      if ('rewrite' in row) continue;
      const rest = ARM_CHECKS.filter((other) => other !== row);
      const lost = CASES.filter(({ request, arch, host: facts, message }) => {
        const whole = { ...REQUEST, ...request, arch: { ...ARCH, ...arch } };
        const answer = createdomain(whole, host(facts), rest);
        return answer.accepted || answer.message !== message;
      });
      expect(lost.map(({ check }) => check).length, `${row.check}`).toBeGreaterThan(0);
      expect(lost.every(({ check }) => check === row.check)).toBe(true);
    }
  });

  it.each<[string, Omit<Case, 'name' | 'check' | 'message'>]>([
    ['hvm and hap alone', { request: { flags: 0x3 } }],
    ['every optional flag', { request: { flags: 0x1b3 } }],
    ['SVE up to the hardware’s', { arch: { sve_vl: 2 }, host: { sveMaxVl: 256 } }],
    ['eight vCPUs on a GICv2', { request: { max_vcpus: 8 }, arch: { gic_version: 1 } }],
    ['128 vCPUs on a GICv3', { request: { max_vcpus: 128 } }],
    ['the mediator’s TEE', { arch: { tee_type: 2 }, host: { tee: 2 } }],
    ['PMSA on v8-R', { arch: { v8r_el1_msa: 1 }, host: { mpu: true } }],
    ['VMSA on v8-R', { arch: { v8r_el1_msa: 2 }, host: { mpu: true } }],
    ['any SCI type without a mediator', { arch: { arm_sci_type: 9 } }],
    ['SCMI with its mediator', { arch: { arm_sci_type: 1 }, host: { sciMediator: true } }],
  ])('accept %s', (_, given) => {
    expect(ask(given)).toMatchObject({ accepted: true });
  });
});

describe('precedence', () => {
  it('is the order of the list: mending one fault after another uncovers the next', () => {
    let request: DomctlRequest<ArmDomainConfig> = {
      ...REQUEST,
      flags: 0xa3 | 0x40,
      iommu_opts: 1,
      max_vcpus: 200,
      altp2m: { opts: 1, nr: 1 },
      arch: { ...ARCH, gic_version: 7, sve_vl: 16, tee_type: 1, arm_sci_type: 5, v8r_el1_msa: 1, pad: 1 },
    };
    const bare = host({ sciMediator: true });
    let facts: DomctlHost<ArmHost> = { ...bare, vpmu_is_available: false };
    const seen: string[] = [];
    const arch = (change: Partial<ArmDomainConfig>) => {
      request = { ...request, arch: { ...request.arch, ...change } };
    };
    const mend: (() => void)[] = [
      () => {
        facts = bare;
      },
      () => {
        request = { ...request, flags: 0xa3 };
      },
      () => arch({ pad: 0 }),
      () => {
        facts = host({ sciMediator: true, sveMaxVl: 128 });
      },
      () => arch({ sve_vl: 1 }),
      () => {
        request = { ...request, iommu_opts: 0 };
      },
      () => arch({ gic_version: 0 }),
      () => {
        request = { ...request, max_vcpus: 4 };
      },
      () => arch({ tee_type: 0 }),
      () => {
        request = { ...request, altp2m: { opts: 0, nr: 0 } };
      },
      () => arch({ v8r_el1_msa: 0 }),
      () => arch({ arm_sci_type: 1 }),
    ];
    for (const step of [() => {}, ...mend]) {
      step();
      const answer = createdomain(request, facts, ARM_CHECKS);
      seen.push(answer.accepted ? 'accepted' : `${answer.where} ${answer.check}: ${answer.message}`);
    }
    expect(seen).toEqual([
      'common 9: the vPMU cannot be enabled this way',
      'arch 1: unsupported configuration 0xe3',
      'arch 2: the padding of the configuration is not zero',
      'arch 3: this machine has no SVE',
      'arch 3: SVE vectors of 2048 bits, and the machine has 128',
      'arch 4: no_sharept, and page tables are always shared with the IOMMU',
      'arch 6: unsupported GIC version 7',
      'arch 6: 200 vCPUs, and the limit is 128',
      'arch 7: unsupported TEE type 1',
      'arch 8: altp2m is not supported',
      'arch 9: unsupported v8r_el1_msa 1',
      'arch 9: unsupported SCI type 5',
      'accepted',
    ]);
  });
});

describe('detection', () => {
  // PMUVer is bits 11:8 of ID_AA64DFR0_EL1; the neighbouring fields must not matter.
  it.each([
    ['none', 0x0n, false],
    ['v3', 0x1n, true],
    ['v3p1', 0x4n, true],
    ['v3p4', 0x5n, true],
    ['v3p5', 0x6n, true],
    ['v3p9', 0x9n, true],
    ['14', 0xen, true],
    ['IMPLEMENTATION DEFINED', 0xfn, false],
  ])('PMUVer %s', (_, version, has) => {
    expect(hasPmu(version << 8n)).toBe(has);
    expect(hasPmu((version << 8n) | 0xffff_ffff_ffff_f0ffn)).toBe(has);
  });

  it('decides vpmu_is_available and the host’s capability', () => {
    for (const [id, caps] of [
      [A76, 'hvm hap vpmu gnttab-v1 gnttab-v2'],
      [0x10305008n, 'hvm hap gnttab-v1 gnttab-v2'],
      [0x10305f08n, 'hvm hap gnttab-v1 gnttab-v2'],
    ] as const) {
      const found = physinfo(ARM_TOOLSTACK, xenHost(ARM_TOOLSTACK, armHost(id)));
      expect(found.virtCaps.join(' ')).toBe(caps);
      expect(found.lines).toEqual([['arm_sve_vector_length', '0']]);
    }
    expect(physinfo(ARM_TOOLSTACK, host({ sveMaxVl: 512 })).lines).toEqual([['arm_sve_vector_length', '512']]);
  });
});

function create(lines: string, given = host()): Creation<ArmDomainConfig> {
  const xl = parseXlConfig(`name = "dom1"\nkernel = "k"\n${lines}`, 'a.cfg');
  return createDomain(readDomainConfig(xl, ARM_TOOLSTACK).config, given, ARM_TOOLSTACK);
}

describe('from xl.cfg', () => {
  it.each([
    ['', 0x103],
    ['vpmu = 0', 0x103],
    ['vpmu = 1', 0x183],
    ['vpmu = 1; trap_unmapped_accesses = 0', 0x83],
    ['vpmu = 1; passthrough = "enabled"', 0x1a3],
  ])('%s becomes the options %i', (lines, options) => {
    expect(create(lines)).toMatchObject({ outcome: 'created', options });
  });

  it.each<[string, Partial<ArmDomainConfig>]>([
    ['', { gic_version: 2, sve_vl: 0, tee_type: 0, nr_spis: 0, arm_sci_type: 0, v8r_el1_msa: 0, pad: 0 }],
    ['gic_version = "v2"', { gic_version: 1 }],
    ['gic_version = "V3"', { gic_version: 2 }],
    ['tee = "FFA"', { tee_type: 2 }],
    ['sve = "hw"', { sve_vl: 4 }],
    ['sve = 256', { sve_vl: 2 }],
    ['nr_spis = 64', { nr_spis: 64 }],
    ['vuart = "sbsa_uart"', { nr_spis: 1 }],
    ['arm_sci = "type=scmi_smc"', { arm_sci_type: 1 }],
  ])('%s', (lines, arch) => {
    expect(create(lines, host({ sveMaxVl: 512, tee: 2 }))).toMatchObject({ outcome: 'created', request: { arch } });
  });

  it.each([
    ['passthrough = "sync_pt"', 'libxl', 'ERROR_INVAL', 'not supported on Arm'],
    ['sve = "128"', 'libxl', 'ERROR_FAIL', 'no SVE'],
    ['sve = "hw"', 'libxl', 'ERROR_FAIL', 'no SVE'],
    ['vuart = "sbsa_uart"; nr_spis = 0', 'libxl', 'ERROR_FAIL', 'needs 1'],
    ['nestedhvm = 1', 'domctl', 'ERROR_FAIL', 'domain creation fail'],
    ['vcpus = 129', 'domctl', 'ERROR_FAIL', 'domain creation fail'],
    ['tee = "optee"', 'domctl', 'ERROR_FAIL', 'domain creation fail'],
  ])('%s is refused by %s with %s', (lines, by, rc, message) => {
    const creation = create(lines);
    expect(creation).toMatchObject({ outcome: 'refused', by, rc });
    expect(creation.outcome === 'refused' && creation.message).toContain(message);
  });

  it('SVE beyond the platform is refused by libxl before the hypervisor is asked', () => {
    expect(create('sve = 384', host({ sveMaxVl: 256 }))).toMatchObject({
      by: 'libxl',
      rc: 'ERROR_FAIL',
      domctl: { check: 3 },
    });
  });

  it('a pv domain becomes pvh, with a warning', () => {
    const xl = parseXlConfig('name="d"; kernel="k"; type="pv"', 'a.cfg');
    const { config, warnings } = readDomainConfig(xl, ARM_TOOLSTACK);
    expect(config.type).toBe('pvh');
    expect(warnings.map(({ message }) => message)).toEqual(['A pv domain becomes pvh here: Arm has no PV domains.']);
  });

  it('vpmu = 1 on a CPU without a PMU: both reasons, at the line of the key', () => {
    const creation = create('memory = 64\nvpmu = 1', xenHost(ARM_TOOLSTACK, armHost(0x10305008n)));
    if (creation.outcome !== 'refused') throw new Error('not refused');
    expect(refusalError({ name: 'dom1' }, creation).format()).toBe(
      [
        "a.cfg:4:1: CV_LIBXL_REFUSED  libxl refuses to create 'dom1' with ERROR_INVAL: this platform has no vPMU.",
        '  Write vpmu = 0, or choose a host whose CPU has a PMU that can be exposed.',
        '  The hypervisor would have refused it too, with EINVAL from common check 9: the vPMU cannot be enabled this way.',
      ].join('\n'),
    );
  });
});
