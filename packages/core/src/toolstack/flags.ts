/** Bits of the creation request and of the host's capabilities, each from one ordered list (Xen public/domctl.h, public/sysctl.h, tools/ocaml/libs/xc/abi-check). */
import type { CdfFlag, DomctlBits, IommuOpt, Physcap } from '@countervisor/contract';

/** One bit; its number is its place in the list. */
export interface FlagRow<Name extends string = string> {
  readonly name: Name;
  /** Constructor in the OCaml bindings. */
  readonly ocaml: string;
  readonly means: string;
}

/** A bitmap that the C header and the OCaml bindings both enumerate. */
export interface FlagList<Name extends string = string> {
  /** OCaml type. */
  readonly type: string;
  readonly cPrefix: string;
  readonly ocamlPrefix: string;
  readonly rows: readonly FlagRow<Name>[];
}

/** XEN_DOMCTL_CDF_*, bit 0 first. */
export const CDF: FlagList<CdfFlag> = {
  type: 'domain_create_flag',
  cPrefix: 'XEN_DOMCTL_CDF_',
  ocamlPrefix: 'CDF_',
  rows: [
    { name: 'hvm', ocaml: 'CDF_HVM', means: 'full virtualization, as opposed to PV' },
    { name: 'hap', ocaml: 'CDF_HAP', means: 'hardware-assisted paging' },
    { name: 's3_integrity', ocaml: 'CDF_S3_INTEGRITY', means: 'memory verified by tboot around sleep' },
    { name: 'oos_off', ocaml: 'CDF_OOS_OFF', means: 'no out-of-sync shadow page tables' },
    { name: 'xs_domain', ocaml: 'CDF_XS_DOMAIN', means: 'the xenstore domain' },
    { name: 'iommu', ocaml: 'CDF_IOMMU', means: 'may use the IOMMU' },
    { name: 'nested_virt', ocaml: 'CDF_NESTED_VIRT', means: 'may run a hypervisor of its own' },
    { name: 'vpmu', ocaml: 'CDF_VPMU', means: 'the PMU is exposed' },
    {
      name: 'trap_unmapped_accesses',
      ocaml: 'CDF_TRAP_UNMAPPED_ACCESSES',
      means: 'accesses to unmapped addresses trap instead of reading ones',
    },
  ],
};

/** XEN_DOMCTL_IOMMU_*. */
export const IOMMU: FlagList<IommuOpt> = {
  type: 'domain_create_iommu_opts',
  cPrefix: 'XEN_DOMCTL_IOMMU_',
  ocamlPrefix: 'IOMMU_',
  rows: [{ name: 'no_sharept', ocaml: 'IOMMU_NO_SHAREPT', means: 'page tables of its own, not shared with the CPU' }],
};

/** XEN_SYSCTL_PHYSCAP_*, bit 0 first. */
export const PHYSCAP: FlagList<Physcap> = {
  type: 'physinfo_cap_flag',
  cPrefix: 'XEN_SYSCTL_PHYSCAP_',
  ocamlPrefix: 'CAP_',
  rows: [
    { name: 'hvm', ocaml: 'CAP_HVM', means: 'HVM domains' },
    { name: 'pv', ocaml: 'CAP_PV', means: 'PV domains' },
    { name: 'directio', ocaml: 'CAP_DirectIO', means: 'device access through an IOMMU' },
    { name: 'hap', ocaml: 'CAP_HAP', means: 'hardware-assisted paging' },
    { name: 'shadow', ocaml: 'CAP_Shadow', means: 'shadow paging' },
    { name: 'iommu_hap_pt_share', ocaml: 'CAP_IOMMU_HAP_PT_SHARE', means: 'page tables shared with the IOMMU' },
    { name: 'vmtrace', ocaml: 'CAP_Vmtrace', means: 'per-vCPU trace buffers' },
    { name: 'vpmu', ocaml: 'CAP_Vpmu', means: 'a PMU that can be exposed' },
    { name: 'gnttab_v1', ocaml: 'CAP_Gnttab_v1', means: 'grant tables version 1' },
    { name: 'gnttab_v2', ocaml: 'CAP_Gnttab_v2', means: 'grant tables version 2' },
  ],
};

/** Low 4 bits of grant_opts: the highest grant-table version; every other bit is unknown. */
export const GRANT_VERSION_MASK = 0xf;

/** Value of one bit. */
export function bit<Name extends string>(list: FlagList<Name>, name: NoInfer<Name>): number {
  const n = list.rows.findIndex((row) => row.name === name);
  if (n < 0) throw new RangeError(`${list.cPrefix}${name} does not exist`);
  return 2 ** n;
}

/** OR of the named bits. */
export function word<Name extends string>(list: FlagList<Name>, names: readonly NoInfer<Name>[]): number {
  return names.reduce((all, name) => (all | bit(list, name)) >>> 0, 0);
}

/** Names of the bits that are set, lowest first; bits of no row are left out. */
export function names<Name extends string>(list: FlagList<Name>, value: number): Name[] {
  return list.rows.filter((_, n) => (value & (2 ** n)) !== 0).map((row) => row.name);
}

/** The highest bit of a list: …_MAX in the header. */
export function max(list: FlagList): number {
  return 2 ** (list.rows.length - 1);
}

/** Every bit of a list. */
export function all(list: FlagList): number {
  return 2 ** list.rows.length - 1;
}

/** OCaml constructors in the order in which they must stand: a constructor's number is its bit. */
export function constructors(list: FlagList): string[] {
  return list.rows.map((row) => row.ocaml);
}

/**
 * The bindings' build-time check: every constructor's place must be its bit, and the last one the header's MAX.
 * Returns one sentence for each mismatch; none when they agree.
 */
export function checkConstructors(list: FlagList, given: readonly string[]): string[] {
  const wrong: string[] = [];
  given.forEach((made, n) => {
    // The check lower-cases what follows the prefix and looks for the header's macro of that name.
    const name = made.startsWith(list.ocamlPrefix) ? made.slice(list.ocamlPrefix.length).toLowerCase() : undefined;
    const at = list.rows.findIndex((row) => row.name === name);
    if (at < 0) wrong.push(`${list.type}: ${made} has no ${list.cPrefix}* bit`);
    else if (at !== n) wrong.push(`${list.type}: ${made} stands at ${n}, but ${list.cPrefix}${name} is bit ${at}`);
  });
  if (given.length !== list.rows.length) {
    const last = given.length === 0 ? 'there is no constructor' : `${given.at(-1)} is bit ${given.length - 1}`;
    wrong.push(`${list.type}: ${list.cPrefix}MAX is bit ${list.rows.length - 1}, but ${last}`);
  }
  return wrong;
}

/** The bits that check rows ask for by name. */
export const DOMCTL_BITS: DomctlBits = {
  cdf: (...flags) => word(CDF, flags),
  iommu: (...opts) => word(IOMMU, opts),
  grantVersionMask: GRANT_VERSION_MASK,
};

/** A word as the logs print it. */
export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
