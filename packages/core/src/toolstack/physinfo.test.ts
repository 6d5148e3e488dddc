import type { Physcap } from '@countervisor/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { physinfo, virtCaps, xenHost } from './physinfo.ts';
import { HALF } from './testing/half.ts';

describe('virt_caps', () => {
  // The line of tools/xl/xl_info.c: pv comes before hvm although its bit is higher, and directio shows once for each kind of domain.
  it.each<[readonly Physcap[], string]>([
    [[], ''],
    [['hvm', 'hap'], 'hvm hap'],
    [['hvm', 'hap', 'vpmu', 'gnttab_v1', 'gnttab_v2'], 'hvm hap vpmu gnttab-v1 gnttab-v2'],
    [['directio'], ''],
    [['hvm', 'directio'], 'hvm hvm_directio'],
    [['pv', 'directio'], 'pv pv_directio'],
    [
      ['hvm', 'pv', 'directio', 'hap', 'shadow', 'iommu_hap_pt_share', 'vmtrace', 'vpmu', 'gnttab_v1', 'gnttab_v2'],
      'pv hvm hvm_directio pv_directio hap shadow iommu_hap_pt_share vmtrace vpmu gnttab-v1 gnttab-v2',
    ],
  ])('%j: %s', (caps, line) => {
    expect(virtCaps(new Set(caps)).join(' ')).toBe(line);
  });
});

describe('physinfo', () => {
  it('reports the vPMU when there is one', () => {
    expect(physinfo(HALF, xenHost(HALF, { vpmu: true }))).toEqual({
      capabilities: 0x389, // hvm 0, hap 3, vpmu 7, gnttab_v1 8, gnttab_v2 9
      caps: new Set(['hvm', 'hap', 'vpmu', 'gnttab_v1', 'gnttab_v2']),
      virtCaps: ['hvm', 'hap', 'vpmu', 'gnttab-v1', 'gnttab-v2'],
      lines: [['lines', 'the architecture’s']],
    });
  });

  it.each([
    [{}, false, 0x309],
    [{ gnttab: 0 }, false, 0x9],
    [{ gnttab: 1 }, true, 0x189],
    [{ iommu: true }, false, 0x30d],
    [{ iommu: true, iommuHapPtShare: true, vmtrace: true }, true, 0x3ed],
    // Sharing without an IOMMU is not reported.
    [{ iommuHapPtShare: true }, false, 0x309],
  ] as const)('%j, vPMU %s: capabilities %i', (facts, vpmu, capabilities) => {
    expect(physinfo(HALF, xenHost(HALF, { vpmu }, facts)).capabilities).toBe(capabilities);
  });

  it('mirrors vpmu_is_available in bit 7, whatever else there is', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.record({ iommu: fc.boolean(), vmtrace: fc.boolean(), gnttab: fc.constantFrom(0, 1, 2) }),
        (vpmu, facts) => {
          const host = xenHost(HALF, { vpmu }, facts);
          const { capabilities, virtCaps: tokens } = physinfo(HALF, host);
          expect(host.vpmu_is_available).toBe(vpmu);
          expect((capabilities & 0x80) !== 0).toBe(vpmu);
          expect(tokens.includes('vpmu')).toBe(vpmu);
        },
      ),
    );
  });
});
