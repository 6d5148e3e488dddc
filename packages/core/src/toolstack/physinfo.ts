/** What the host says it can do: the capability word, and the words of `xl info` (Xen common/sysctl.c, tools/xl/xl_info.c). */
import type { DomctlHost, Physcap, ToolstackHalf } from '@countervisor/contract';
import { PHYSCAP, word } from './flags.ts';

/** Facts of a host that its hardware does not settle; each is off unless said. */
export interface HostFacts {
  readonly iommu?: boolean;
  readonly iommuHapPtShare?: boolean;
  readonly vmtrace?: boolean;
  /** Highest grant-table version; 2 unless said. */
  readonly gnttab?: 0 | 1 | 2;
}

/** The host that the checks ask: what the architecture finds in its hardware, and the rest. */
export function xenHost<A, H>(half: ToolstackHalf<A, H>, arch: H, facts: HostFacts = {}): DomctlHost<H> {
  return {
    iommu_enabled: facts.iommu ?? false,
    iommu_hap_pt_share: facts.iommuHapPtShare ?? false,
    vmtrace_available: facts.vmtrace ?? false,
    vpmu_is_available: half.vpmuAvailable(arch),
    gnttab_max_version: facts.gnttab ?? 2,
    arch,
  };
}

export interface Physinfo {
  /** XEN_SYSCTL_PHYSCAP_* bits. */
  readonly capabilities: number;
  readonly caps: ReadonlySet<Physcap>;
  /** Tokens of `virt_caps`, in xl's order. */
  readonly virtCaps: readonly string[];
  /** The architecture's own lines: name, value. */
  readonly lines: readonly (readonly [name: string, value: string])[];
}

/** Tokens of xl's virt_caps line in its order, which is not the order of the bits; two of them need two capabilities. */
const VIRT_CAPS: readonly (readonly [token: string, ...needs: readonly Physcap[]])[] = [
  ['pv', 'pv'],
  ['hvm', 'hvm'],
  ['hvm_directio', 'hvm', 'directio'],
  ['pv_directio', 'pv', 'directio'],
  ['hap', 'hap'],
  ['shadow', 'shadow'],
  ['iommu_hap_pt_share', 'iommu_hap_pt_share'],
  ['vmtrace', 'vmtrace'],
  ['vpmu', 'vpmu'],
  ['gnttab-v1', 'gnttab_v1'],
  ['gnttab-v2', 'gnttab_v2'],
];

/** Tokens for a set of capabilities. */
export function virtCaps(caps: ReadonlySet<Physcap>): string[] {
  return VIRT_CAPS.filter(([, ...needs]) => needs.every((cap) => caps.has(cap))).map(([token]) => token);
}

/** Reports a host's capabilities. */
export function physinfo<A, H>(half: ToolstackHalf<A, H>, host: DomctlHost<H>): Physinfo {
  const caps = new Set<Physcap>(half.physcaps(host.arch));
  if (host.iommu_enabled) {
    caps.add('directio');
    if (host.iommu_hap_pt_share) caps.add('iommu_hap_pt_share');
  }
  if (host.vmtrace_available) caps.add('vmtrace');
  if (host.vpmu_is_available) caps.add('vpmu');
  if (host.gnttab_max_version >= 1) caps.add('gnttab_v1');
  if (host.gnttab_max_version >= 2) caps.add('gnttab_v2');
  return { capabilities: word(PHYSCAP, [...caps]), caps, virtCaps: virtCaps(caps), lines: half.info(host.arch) };
}
