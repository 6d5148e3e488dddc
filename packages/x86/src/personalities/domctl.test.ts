/** x86's creation checks, each alone and in order. Expectations by hand from xen/arch/x86/domain.c. */
import type { DomctlHost, DomctlRequest } from '@countervisor/contract';
import { createdomain, xenHost } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { X86_CHECKS, X86_TOOLSTACK, type X86DomainConfig, type X86Host, x86Host } from './domctl.ts';

const HVM = 1;
const HAP = 2;
const S3 = 4;
const OOS_OFF = 8;
const NESTED = 0x40;
const TRAP_UNMAPPED = 0x100;

const REQUEST: DomctlRequest<X86DomainConfig> = {
  flags: HVM | HAP,
  iommu_opts: 0,
  max_vcpus: 1,
  max_evtchn_port: 1023,
  max_grant_frames: -1,
  max_maptrack_frames: -1,
  grant_opts: 2,
  altp2m: { opts: 0, nr: 0 },
  vmtrace_size: 0,
  arch: { emulation_flags: 0x3ff, misc_flags: 0 },
};

const host = (arch: Partial<X86Host> = {}): DomctlHost<X86Host> =>
  xenHost(X86_TOOLSTACK, x86Host(arch), { iommu: true, iommuHapPtShare: true, vmtrace: true });

type Case = readonly [
  name: string,
  check: number,
  request: Partial<DomctlRequest<X86DomainConfig>>,
  arch?: Partial<X86Host>,
];

const CASES: readonly Case[] = [
  ['HVM on a host without', 1, {}, { hvm: false }],
  ['PV on a host without', 1, { flags: 0 }, { pv: false }],
  ['129 vCPUs for HVM', 2, { max_vcpus: 129 }],
  ['8193 vCPUs for PV', 2, { flags: OOS_OFF, max_vcpus: 8193 }],
  ['S3 integrity without TBOOT', 3, { flags: HVM | HAP | S3 }],
  ['HAP without hardware', 4, {}, { hap: false }],
  ['HVM without HAP on a build without shadow', 4, { flags: HVM }, { shadow: false }],
  ['nested virtualization that is not there', 6, { flags: HVM | HAP | NESTED }],
  ['nested virtualization without HAP', 6, { flags: HVM | NESTED }, { nestedVirt: true }],
  ['processor trace for PV', 7, { flags: OOS_OFF, vmtrace_size: 4096 }],
  ['a trace buffer of 2 KiB', 7, { vmtrace_size: 2048 }],
  ['a trace buffer of 12 KiB', 7, { vmtrace_size: 12288 }],
  ['a trace buffer of 128 MiB', 7, { vmtrace_size: 128 << 20 }],
  ['unmapped accesses', 8, { flags: HVM | HAP | TRAP_UNMAPPED }],
  ['misc_flags 2', 9, { arch: { emulation_flags: 0x3ff, misc_flags: 2 } }],
  ['altp2m mode 4', 10, { altp2m: { opts: 4, nr: 1 } }],
  ['altp2m that is not there', 10, { altp2m: { opts: 1, nr: 1 } }, { altp2m: false }],
  ['altp2m without HAP', 10, { flags: HVM, altp2m: { opts: 1, nr: 1 } }],
  ['altp2m with nested', 10, { flags: HVM | HAP | NESTED, altp2m: { opts: 1, nr: 1 } }, { nestedVirt: true }],
  ['altp2m without views', 10, { altp2m: { opts: 1, nr: 0 } }],
  ['eleven altp2m views', 10, { altp2m: { opts: 1, nr: 11 } }],
  ['views without altp2m', 10, { altp2m: { opts: 0, nr: 1 } }],
];

const asked = (changes: Partial<DomctlRequest<X86DomainConfig>>, arch?: Partial<X86Host>, checks = X86_CHECKS) =>
  createdomain({ ...REQUEST, ...changes }, host(arch), checks);

describe('x86’s checks of createdomain', () => {
  it.each(CASES.map((one) => ({ title: `${one[0]}: check ${one[1]}`, one })))('refuses $title', ({ one }) => {
    const [, check, request, arch] = one;
    expect(asked(request, arch)).toMatchObject({ accepted: false, errno: 'EINVAL', where: 'arch', check });
  });

  it('every row decides a case: without it, the case is not refused there', () => {
    for (const row of X86_CHECKS) {
      if ('rewrite' in row) continue;
      const rest = X86_CHECKS.filter((other) => other !== row);
      const lost = CASES.filter(([, , request, arch]) => {
        const [before, after] = [asked(request, arch), asked(request, arch, rest)];
        return after.accepted || before.accepted || after.message !== before.message;
      });
      expect(lost.map(([, check]) => check).length, `${row.check} ${row.key}`).toBeGreaterThan(0);
      expect(lost.every(([, check]) => check === row.check)).toBe(true);
    }
  });

  it('check 5 is no refusal: a PV domain gets oos_off, and the caller sees it', () => {
    expect(asked({ flags: 0 })).toMatchObject({ accepted: true, options: OOS_OFF, rewrites: [{ check: 5 }] });
    expect(asked({ flags: HVM })).toMatchObject({ accepted: true, options: HVM, rewrites: [] });
  });

  it('CDF_vpmu is never available: the common check 9', () => {
    const answer = asked({ flags: HVM | HAP | 0x80 });
    expect(answer).toMatchObject({ accepted: false, where: 'common', check: 9, key: 'vpmu' });
    expect(X86_TOOLSTACK.vpmuAvailable(x86Host())).toBe(false);
  });

  it.each<[string, Partial<DomctlRequest<X86DomainConfig>>, Partial<X86Host>?]>([
    ['an HVM domain', {}],
    ['HVM on shadow pages', { flags: HVM }],
    ['128 vCPUs', { max_vcpus: 128 }],
    ['a trace buffer of 4 KiB', { vmtrace_size: 4096 }],
    ['a trace buffer of 64 MiB', { vmtrace_size: 64 << 20 }],
    ['relaxed MSRs', { arch: { emulation_flags: 0x3ff, misc_flags: 1 } }],
    ['ten altp2m views', { altp2m: { opts: 3, nr: 10 } }],
    ['S3 integrity with TBOOT', { flags: HVM | HAP | S3 }, { tboot: true }],
  ])('accepts %s', (_name, request, arch) => expect(asked(request, arch)).toMatchObject({ accepted: true }));
});
