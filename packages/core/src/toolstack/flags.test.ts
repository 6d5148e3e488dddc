import { describe, expect, it } from 'vitest';
import {
  all,
  bit,
  CDF,
  checkConstructors,
  constructors,
  DOMCTL_BITS,
  hex,
  IOMMU,
  max,
  names,
  PHYSCAP,
  word,
} from './flags.ts';

describe('XEN_DOMCTL_CDF_*', () => {
  // Values of xen/include/public/domctl.h, interface version 0x18.
  it.each([
    ['hvm', 0x1],
    ['hap', 0x2],
    ['s3_integrity', 0x4],
    ['oos_off', 0x8],
    ['xs_domain', 0x10],
    ['iommu', 0x20],
    ['nested_virt', 0x40],
    ['vpmu', 0x80],
    ['trap_unmapped_accesses', 0x100],
  ] as const)('%s is %i', (name, value) => {
    expect(bit(CDF, name)).toBe(value);
    expect(names(CDF, value)).toEqual([name]);
  });

  it('ends with trap_unmapped_accesses', () => {
    expect(max(CDF)).toBe(0x100);
    expect(all(CDF)).toBe(0x1ff);
    expect(CDF.rows).toHaveLength(9);
  });

  it('makes words and reads them back', () => {
    expect(word(CDF, ['hvm', 'hap', 'vpmu'])).toBe(0x83);
    expect(word(CDF, [])).toBe(0);
    expect(names(CDF, 0x183)).toEqual(['hvm', 'hap', 'vpmu', 'trap_unmapped_accesses']);
    expect(DOMCTL_BITS.cdf('iommu', 'xs_domain')).toBe(0x30);
    expect(DOMCTL_BITS.iommu('no_sharept')).toBe(1);
    expect(DOMCTL_BITS.grantVersionMask).toBe(0xf);
    expect(hex(-1)).toBe('0xffffffff');
  });

  it('knows no other name', () => {
    expect(() => bit(CDF, 'oos' as 'oos_off')).toThrow('XEN_DOMCTL_CDF_oos does not exist');
  });
});

describe('XEN_DOMCTL_IOMMU_* and XEN_SYSCTL_PHYSCAP_*', () => {
  it('no_sharept is bit 0 and MAX', () => {
    expect([bit(IOMMU, 'no_sharept'), max(IOMMU)]).toEqual([1, 1]);
  });

  // Values of xen/include/public/sysctl.h.
  it.each([
    ['hvm', 0x1],
    ['pv', 0x2],
    ['directio', 0x4],
    ['hap', 0x8],
    ['shadow', 0x10],
    ['iommu_hap_pt_share', 0x20],
    ['vmtrace', 0x40],
    ['vpmu', 0x80],
    ['gnttab_v1', 0x100],
    ['gnttab_v2', 0x200],
  ] as const)('%s is %i', (name, value) => {
    expect(bit(PHYSCAP, name)).toBe(value);
  });

  it('MAX is gnttab_v2', () => expect(max(PHYSCAP)).toBe(0x200));
});

describe('the bindings', () => {
  // The order of type domain_create_flag and physinfo_cap_flag in tools/ocaml/libs/xc/xenctrl.ml.
  const flags = [
    'CDF_HVM',
    'CDF_HAP',
    'CDF_S3_INTEGRITY',
    'CDF_OOS_OFF',
    'CDF_XS_DOMAIN',
    'CDF_IOMMU',
    'CDF_NESTED_VIRT',
    'CDF_VPMU',
    'CDF_TRAP_UNMAPPED_ACCESSES',
  ];
  const caps = [
    'CAP_HVM',
    'CAP_PV',
    'CAP_DirectIO',
    'CAP_HAP',
    'CAP_Shadow',
    'CAP_IOMMU_HAP_PT_SHARE',
    'CAP_Vmtrace',
    'CAP_Vpmu',
    'CAP_Gnttab_v1',
    'CAP_Gnttab_v2',
  ];

  it('have our order', () => {
    expect(constructors(CDF)).toEqual(flags);
    expect(constructors(PHYSCAP)).toEqual(caps);
    expect(constructors(IOMMU)).toEqual(['IOMMU_NO_SHAREPT']);
  });

  it('agree', () => {
    expect(checkConstructors(CDF, flags)).toEqual([]);
    expect(checkConstructors(PHYSCAP, caps)).toEqual([]);
    expect(checkConstructors(IOMMU, ['IOMMU_NO_SHAREPT'])).toEqual([]);
  });

  it('that stop at CDF_VPMU do not reach MAX', () => {
    expect(checkConstructors(CDF, flags.slice(0, 8))).toEqual([
      'domain_create_flag: XEN_DOMCTL_CDF_MAX is bit 8, but CDF_VPMU is bit 7',
    ]);
  });

  it('that swap two are told both places', () => {
    const swapped = [...flags.slice(0, 6), 'CDF_VPMU', 'CDF_NESTED_VIRT', 'CDF_TRAP_UNMAPPED_ACCESSES'];
    expect(checkConstructors(CDF, swapped)).toEqual([
      'domain_create_flag: CDF_VPMU stands at 6, but XEN_DOMCTL_CDF_vpmu is bit 7',
      'domain_create_flag: CDF_NESTED_VIRT stands at 7, but XEN_DOMCTL_CDF_nested_virt is bit 6',
    ]);
  });

  it('that have one too many, none, or another prefix', () => {
    expect(checkConstructors(CDF, [...flags, 'CDF_ALTP2M'])).toEqual([
      'domain_create_flag: CDF_ALTP2M has no XEN_DOMCTL_CDF_* bit',
      'domain_create_flag: XEN_DOMCTL_CDF_MAX is bit 8, but CDF_ALTP2M is bit 9',
    ]);
    expect(checkConstructors(IOMMU, [])).toEqual([
      'domain_create_iommu_opts: XEN_DOMCTL_IOMMU_MAX is bit 0, but there is no constructor',
    ]);
    expect(checkConstructors(IOMMU, ['NO_SHAREPT'])).toEqual([
      'domain_create_iommu_opts: NO_SHAREPT has no XEN_DOMCTL_IOMMU_* bit',
    ]);
  });
});
