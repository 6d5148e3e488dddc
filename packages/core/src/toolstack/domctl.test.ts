import type { DomctlCheck, DomctlHost, DomctlRequest } from '@countervisor/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COMMON_CHECKS, createdomain } from './domctl.ts';

const HOST: DomctlHost<null> = {
  iommu_enabled: true,
  iommu_hap_pt_share: true,
  vmtrace_available: true,
  vpmu_is_available: true,
  gnttab_max_version: 2,
  arch: null,
};

const REQUEST: DomctlRequest<null> = {
  flags: 0x83, // hvm, hap, vpmu
  iommu_opts: 0,
  max_vcpus: 1,
  max_evtchn_port: 1023,
  max_grant_frames: -1,
  max_maptrack_frames: -1,
  grant_opts: 2,
  altp2m: { opts: 0, nr: 0 },
  vmtrace_size: 0,
  arch: null,
};

interface Case {
  readonly name: string;
  readonly check: number;
  readonly request: Partial<DomctlRequest<null>>;
  readonly host?: Partial<DomctlHost<null>>;
  readonly message: string;
}

// One case a row of facts A.5, common checks; flag values are those of public/domctl.h.
const CASES: readonly Case[] = [
  { name: 'a bit outside 0..8', check: 1, request: { flags: 0x203 }, message: 'unknown CDF flags 0x203' },
  { name: 'bit 31', check: 1, request: { flags: 0x80000003 }, message: 'unknown CDF flags 0x80000003' },
  {
    name: 'grant options beyond the version',
    check: 2,
    request: { grant_opts: 0x10 },
    message: 'unknown grant options 0x10',
  },
  { name: 'no vCPUs', check: 3, request: { max_vcpus: 0 }, message: 'no vCPUs' },
  { name: 'hap without hvm', check: 4, request: { flags: 0x2 }, message: 'HAP for a domain that is not HVM' },
  {
    name: 'unknown IOMMU options',
    check: 5,
    request: { flags: 0x23, iommu_opts: 0x3 },
    message: 'unknown IOMMU options 0x3',
  },
  {
    name: 'iommu without an IOMMU',
    check: 6,
    request: { flags: 0x23, iommu_opts: 0x1 },
    host: { iommu_enabled: false },
    message: 'the IOMMU is requested but unavailable',
  },
  {
    name: 'IOMMU options without iommu',
    check: 7,
    request: { iommu_opts: 0x1 },
    message: 'IOMMU options without a request for the IOMMU',
  },
  {
    name: 'vmtrace without vmtrace',
    check: 8,
    request: { vmtrace_size: 4096 },
    host: { vmtrace_available: false },
    message: 'vmtrace is requested but unavailable',
  },
  {
    name: 'vpmu without a vPMU',
    check: 9,
    request: {},
    host: { vpmu_is_available: false },
    message: 'the vPMU cannot be enabled this way',
  },
];

describe('the common checks of createdomain', () => {
  it.each(CASES)('check $check: $name', ({ check, request, host, message }) => {
    const result = createdomain({ ...REQUEST, ...request }, { ...HOST, ...host }, []);
    expect(result).toMatchObject({ accepted: false, errno: 'EINVAL', where: 'common', check, message });
  });

  it('has a case for every row, and the rows stand in their order', () => {
    expect([...new Set(CASES.map(({ check }) => check))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(COMMON_CHECKS.map(({ check }) => check)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('accepts what breaks none, with the flags verbatim', () => {
    expect(createdomain(REQUEST, HOST, [])).toEqual({ accepted: true, request: REQUEST, options: 0x83, rewrites: [] });
  });

  it.each([
    ['every known flag', { flags: 0x1ff }],
    ['a PV domain', { flags: 0x0 }],
    ['iommu with no_sharept', { flags: 0x21, iommu_opts: 1 }],
    ['grant version 15', { grant_opts: 0xf }],
    ['the most vCPUs that fit the word', { max_vcpus: 0xffffffff }],
    ['a trace buffer', { vmtrace_size: 0xffffffff }],
  ])('accepts %s', (_, request) => {
    expect(createdomain({ ...REQUEST, ...request }, HOST, []).accepted).toBe(true);
  });

  it('asks the host only for what is requested', () => {
    const bare = { ...HOST, iommu_enabled: false, vmtrace_available: false, vpmu_is_available: false };
    expect(createdomain({ ...REQUEST, flags: 0x3 }, bare, []).accepted).toBe(true);
  });
});

describe('precedence', () => {
  const arch: DomctlCheck<null, null>[] = [
    { check: 1, errno: 'EINVAL', source: 'test', when: () => true, message: () => 'the architecture refuses' },
  ];

  it('is the order of the list: mending one fault after another uncovers the next', () => {
    const everything = { ...REQUEST, flags: 0x2a2, grant_opts: 0x10, max_vcpus: 0, iommu_opts: 2, vmtrace_size: 1 };
    const nothing = { ...HOST, iommu_enabled: false, vmtrace_available: false, vpmu_is_available: false };
    const mended: [Partial<DomctlRequest<null>>, Partial<DomctlHost<null>>][] = [
      [{ flags: 0xa2 }, {}],
      [{ grant_opts: 1 }, {}],
      [{ max_vcpus: 1 }, {}],
      [{ flags: 0xa3 }, {}],
      [{ iommu_opts: 1 }, {}],
      [{ flags: 0x83 }, { iommu_enabled: true }],
      [{ iommu_opts: 0 }, {}],
      [{ vmtrace_size: 0 }, {}],
      [{ flags: 0x3 }, {}],
    ];
    let request: DomctlRequest<null> = everything;
    let host: DomctlHost<null> = nothing;
    const seen: string[] = [];
    for (const [change, change2] of mended) {
      const result = createdomain(request, host, arch);
      seen.push(result.accepted ? 'accepted' : `${result.where} ${result.check}`);
      request = { ...request, ...change };
      host = { ...host, ...change2 };
    }
    const last = createdomain(request, host, arch);
    seen.push(last.accepted ? 'accepted' : `${last.where} ${last.check}`);
    expect(seen).toEqual([...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((check) => `common ${check}`), 'arch 1']);
  });

  it('the architecture is asked last', () => {
    expect(createdomain({ ...REQUEST, max_vcpus: 0 }, HOST, arch)).toMatchObject({ where: 'common', check: 3 });
    expect(createdomain(REQUEST, HOST, arch)).toMatchObject({
      where: 'arch',
      check: 1,
      message: 'the architecture refuses',
    });
  });
});

describe('rewrites', () => {
  const rows: DomctlCheck<number, null>[] = [
    {
      check: 1,
      source: 'test',
      note: 'zero becomes seven',
      when: ({ arch }) => arch === 0,
      rewrite: (request, _, bits) => ({ ...request, arch: 7, flags: request.flags | bits.cdf('oos_off') }),
    },
    {
      check: 2,
      errno: 'EINVAL',
      source: 'test',
      when: ({ arch }) => arch !== 7,
      message: ({ arch }) => `${arch} is not seven`,
    },
  ];

  it('are seen by later rows and by the caller, and leave the caller’s own request alone', () => {
    const request = { ...REQUEST, arch: 0 };
    expect(createdomain(request, HOST, rows)).toEqual({
      accepted: true,
      request: { ...REQUEST, arch: 7, flags: 0x8b },
      options: 0x8b,
      rewrites: [{ check: 1, note: 'zero becomes seven' }],
    });
    expect(request.arch).toBe(0);
    expect(createdomain({ ...REQUEST, arch: 3 }, HOST, rows)).toMatchObject({ check: 2, message: '3 is not seven' });
  });
});

describe('properties', () => {
  const uint32 = fc.nat({ max: 0xffffffff });

  it('accepts exactly what a straight reading of the list accepts', () => {
    fc.assert(
      fc.property(
        fc.record({
          flags: fc.oneof(fc.nat({ max: 0x3ff }), uint32),
          iommu_opts: fc.oneof(fc.constant(0), fc.nat({ max: 3 }), uint32),
          grant_opts: fc.oneof(fc.nat({ max: 17 }), uint32),
          max_vcpus: fc.nat({ max: 3 }),
          vmtrace_size: fc.constantFrom(0, 4096),
        }),
        fc.record({ iommu_enabled: fc.boolean(), vmtrace_available: fc.boolean(), vpmu_is_available: fc.boolean() }),
        (request, host) => {
          const bit = (n: number) => Math.floor(request.flags / 2 ** n) % 2 === 1;
          const fine =
            request.flags < 512 &&
            request.grant_opts < 16 &&
            request.max_vcpus > 0 &&
            (!bit(1) || bit(0)) &&
            (bit(5) ? request.iommu_opts < 2 && host.iommu_enabled : request.iommu_opts === 0) &&
            (request.vmtrace_size === 0 || host.vmtrace_available) &&
            (!bit(7) || host.vpmu_is_available);
          expect(createdomain({ ...REQUEST, ...request }, { ...HOST, ...host }, []).accepted).toBe(fine);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
