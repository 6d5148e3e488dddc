import { describe, expect, it } from 'vitest';
import { type DomainConfig, readDomainConfig } from './config.ts';
import { type Creation, createDomain, LIBXL_CHECKS, refusalError } from './libxl.ts';
import { type HostFacts, xenHost } from './physinfo.ts';
import { HALF, type TestHost, type TestRequest } from './testing/half.ts';
import { parseXlConfig } from './xlcfg.ts';

function config(lines: string): DomainConfig {
  return readDomainConfig(parseXlConfig(`name = "dom1"\nkernel = "k"\n${lines}`, 'a.cfg'), HALF).config;
}

function create(lines: string, arch: TestHost = { vpmu: true }, facts: HostFacts = {}): Creation<TestRequest> {
  return createDomain(config(lines), xenHost(HALF, arch, facts), HALF);
}

describe('the request', () => {
  it('of a plain domain has libxl’s defaults', () => {
    expect(create('')).toEqual({
      outcome: 'created',
      options: 0x103, // hvm, hap, trap_unmapped_accesses
      rewrites: [],
      request: {
        flags: 0x103,
        iommu_opts: 0,
        max_vcpus: 1,
        max_evtchn_port: 1023,
        max_grant_frames: -1,
        max_maptrack_frames: -1,
        grant_opts: 2,
        altp2m: { opts: 0, nr: 0 },
        vmtrace_size: 0,
        arch: { colour: 'green' },
      },
    });
  });

  it.each<[string, number]>([
    ['vpmu = 1', 0x183],
    ['vpmu = 0', 0x103],
    ['trap_unmapped_accesses = 0', 0x3],
    ['hap = 0', 0x101],
    ['oos = 0', 0x10b],
    ['nestedhvm = 1', 0x143],
    ['type = "hvm"', 0x103],
    ['passthrough = "disabled"', 0x103],
    ['passthrough = "enabled"', 0x123],
    ['vpmu=1; oos=0; nestedhvm=1; passthrough="share_pt"', 0x1eb],
  ])('%s gives the flags %i', (lines, flags) => {
    const creation = create(lines, { vpmu: true }, { iommu: true });
    expect(creation).toMatchObject({ outcome: 'created', options: flags });
  });

  it('of a pv domain has neither hvm nor what belongs to it', () => {
    const { pvBecomes: _, ...half } = HALF;
    const text = 'name="d"; kernel="k"; type="pv"; nestedhvm=1; oos=0; hap=1; trap_unmapped_accesses=0';
    const { config: pv } = readDomainConfig(parseXlConfig(text, 'a.cfg'), half);
    expect(createDomain(pv, xenHost(half, { vpmu: true, paging: 'none' }), half)).toMatchObject({ options: 0 });
  });

  it('uses shadow paging where there is no other', () => {
    expect(create('', { vpmu: true, paging: 'shadow' })).toMatchObject({ options: 0x101 });
  });

  it.each<[string, HostFacts, object]>([
    ['passthrough = "sync_pt"', { iommu: true }, { iommu_opts: 1 }],
    ['passthrough = "enabled"', { iommu: true }, { iommu_opts: 1 }],
    ['passthrough = "enabled"', { iommu: true, iommuHapPtShare: true }, { iommu_opts: 0 }],
    ['vcpus = 2', {}, { max_vcpus: 2 }],
    ['vcpus = 2; maxvcpus = 3', {}, { max_vcpus: 3 }],
    ['vmtrace_buf_kb = 5', { vmtrace: true }, { vmtrace_size: 8192 }],
    ['vmtrace_buf_kb = 64', { vmtrace: true }, { vmtrace_size: 65536 }],
    ['vmtrace_buf_kb = 4194300', { vmtrace: true }, { vmtrace_size: 0xfffff000 }],
    ['max_grant_version = 1', {}, { grant_opts: 1 }],
    ['', { gnttab: 1 }, { grant_opts: 1 }],
    ['', { gnttab: 0 }, { grant_opts: 0 }],
    ['max_grant_frames = 4; max_maptrack_frames = 5', {}, { max_grant_frames: 4, max_maptrack_frames: 5 }],
    ['max_event_channels = 0', {}, { max_evtchn_port: 1023 }],
    ['max_event_channels = 7', {}, { max_evtchn_port: 7 }],
    ['altp2m = "mixed"', {}, { altp2m: { opts: 1, nr: 0 } }],
    ['altp2m = "limited"; type = "hvm"', {}, { altp2m: { opts: 3, nr: 10 } }],
    ['altp2m = "external"; altp2m_count = 3', {}, { altp2m: { opts: 2, nr: 3 } }],
    ['colour = "BLUE"; vpmu = 1', {}, { arch: { colour: 'blue' } }],
  ])('%s on %j carries %j', (lines, facts, fields) => {
    const half = { ...HALF, libxl: [] };
    expect(createDomain(config(lines), xenHost(half, { vpmu: true }, facts), half)).toMatchObject({
      outcome: 'created',
      request: fields,
    });
  });
});

describe('libxl refuses', () => {
  it.each<[string, string, TestHost, HostFacts, string, string, string]>([
    [
      'no paging at all',
      '',
      { vpmu: true, paging: 'none' },
      {},
      'ERROR_INVAL',
      '1:1',
      'neither hardware-assisted nor shadow',
    ],
    [
      'passthrough without an IOMMU',
      'passthrough="enabled"',
      { vpmu: true },
      {},
      'ERROR_INVAL',
      '3:1',
      'cannot pass devices',
    ],
    [
      'passthrough and maxmem',
      'maxmem=64; passthrough="enabled"',
      { vpmu: true },
      { iommu: true },
      'ERROR_INVAL',
      '3:1',
      'maxmem is above memory',
    ],
    ['what the architecture refuses', 'colour="blue"', { vpmu: true }, {}, 'ERROR_FAIL', '3:1', 'blue is for the sky'],
    [
      'grant versions out of range',
      'max_grant_version = 16',
      { vpmu: true },
      {},
      'ERROR_INVAL',
      '3:1',
      'version 16 is out of range',
    ],
    ['nestedhvm with altp2m', 'altp2m=1;nestedhvm=1', { vpmu: true }, {}, 'ERROR_INVAL', '3:10', 'exclude each other'],
    ['altp2m and maxmem', 'altp2m=1;maxmem=64', { vpmu: true }, {}, 'ERROR_INVAL', '3:1', 'maxmem is above memory'],
    [
      'vpmu without the capability',
      '\nvpmu = 1',
      { vpmu: false },
      {},
      'ERROR_INVAL',
      '4:1',
      'this platform has no vPMU',
    ],
  ])('%s', (_, lines, arch, facts, rc, at, message) => {
    const creation = create(lines, arch, facts);
    expect(creation).toMatchObject({ outcome: 'refused', by: 'libxl', rc });
    if (creation.outcome !== 'refused') throw new Error('not refused');
    expect(creation.message).toContain(message);
    expect(`${creation.place.line}:${creation.place.column}`).toBe(at);
  });

  it('has seven rows of its own, each with a test above', () => {
    expect(LIBXL_CHECKS).toHaveLength(7);
  });

  it('in the order of its way through the configuration', () => {
    // Everything wrong; each step mends what was found.
    const steps: [string, TestHost, HostFacts, string][] = [
      [
        'vpmu=1;altp2m=1;nestedhvm=1;max_grant_version=16;colour="blue";maxmem=64;passthrough="enabled"',
        { vpmu: false, paging: 'none' },
        {},
        'paging',
      ],
      [
        'vpmu=1;altp2m=1;nestedhvm=1;max_grant_version=16;colour="blue";maxmem=64;passthrough="enabled"',
        { vpmu: false },
        {},
        'cannot pass devices',
      ],
      [
        'vpmu=1;altp2m=1;nestedhvm=1;max_grant_version=16;colour="blue";maxmem=64;passthrough="enabled"',
        { vpmu: false },
        { iommu: true },
        'passthrough needs all memory',
      ],
      ['vpmu=1;altp2m=1;nestedhvm=1;max_grant_version=16;colour="blue";maxmem=64', { vpmu: false }, {}, 'blue'],
      ['vpmu=1;altp2m=1;nestedhvm=1;max_grant_version=16;maxmem=64', { vpmu: false }, {}, 'version 16'],
      ['vpmu=1;altp2m=1;nestedhvm=1;maxmem=64', { vpmu: false }, {}, 'exclude'],
      ['vpmu=1;altp2m=1;maxmem=64', { vpmu: false }, {}, 'altp2m needs all memory'],
      ['vpmu=1;altp2m=1', { vpmu: false }, {}, 'no vPMU'],
    ];
    for (const [lines, arch, facts, word] of steps) {
      const creation = create(lines, arch, facts);
      expect(creation.outcome === 'refused' && creation.message).toContain(word);
    }
    expect(create('altp2m=1', { vpmu: false }).outcome).toBe('created');
  });

  it('vpmu=1 before creation, with the hypervisor’s reason beside its own', () => {
    const creation = create('vpmu = 1', { vpmu: false });
    if (creation.outcome !== 'refused') throw new Error('not refused');
    expect(creation.domctl).toMatchObject({ errno: 'EINVAL', where: 'common', check: 9 });
    expect(refusalError(config(''), creation).format()).toBe(
      [
        "a.cfg:3:1: CV_LIBXL_REFUSED  libxl refuses to create 'dom1' with ERROR_INVAL: this platform has no vPMU.",
        '  Write vpmu = 0, or choose a host whose CPU has a PMU that can be exposed.',
        '  The hypervisor would have refused it too, with EINVAL from common check 9: the vPMU cannot be enabled this way.',
      ].join('\n'),
    );
  });

  it('without a word of the hypervisor when that would have accepted', () => {
    const creation = create('max_grant_version = 16');
    if (creation.outcome !== 'refused') throw new Error('not refused');
    expect(creation.domctl).toBeUndefined();
    expect(refusalError(config(''), creation).remedy).toBe('Write at most 15.');
  });
});

describe('the hypervisor refuses', () => {
  it('and libxl makes it ERROR_FAIL, domain creation fail', () => {
    const creation = create('colour = "red"');
    expect(creation).toMatchObject({
      outcome: 'refused',
      by: 'domctl',
      rc: 'ERROR_FAIL',
      message: 'domain creation fail',
      place: { file: 'a.cfg', line: 3, column: 1 },
      domctl: { errno: 'EINVAL', where: 'arch', check: 1, message: 'red is refused' },
    });
    if (creation.outcome !== 'refused') throw new Error('not refused');
    expect(refusalError(config(''), creation).format()).toBe(
      [
        "a.cfg:3:1: CV_DOMCTL_REFUSED  The hypervisor refuses to create 'dom1' with EINVAL from architecture check 1: red is refused; libxl returns ERROR_FAIL (domain creation fail).",
        '  The request had the flags 0x103: hvm hap trap_unmapped_accesses.',
      ].join('\n'),
    );
  });

  it('vmtrace where libxl does not look', () => {
    expect(create('vmtrace_buf_kb = 64')).toMatchObject({
      by: 'domctl',
      rc: 'ERROR_FAIL',
      domctl: { where: 'common', check: 8 },
    });
  });

  it('an unset key is blamed at the head of the file', () => {
    const half = { ...HALF, checks: HALF.checks.map((row) => ({ ...row, when: () => true })) };
    const creation = createDomain(config(''), xenHost(half, { vpmu: true }), half);
    expect(creation).toMatchObject({ outcome: 'refused', place: { file: 'a.cfg', line: 1, column: 1 } });
  });
});
