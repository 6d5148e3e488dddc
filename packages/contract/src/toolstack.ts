/** The toolstack's words: a domain-creation request, and how an architecture states its half of the configuration keys and checks as rows (Xen public/domctl.h and public/sysctl.h, interface 0x18). Types only. */
import type { CpuModel } from './cpu.ts';

/** XEN_DOMCTL_CDF_*, without the prefix. Bit numbers are core's, from one ordered list. */
export type CdfFlag =
  | 'hvm'
  | 'hap'
  | 's3_integrity'
  | 'oos_off'
  | 'xs_domain'
  | 'iommu'
  | 'nested_virt'
  | 'vpmu'
  | 'trap_unmapped_accesses';

/** XEN_DOMCTL_IOMMU_*. */
export type IommuOpt = 'no_sharept';

/** XEN_SYSCTL_PHYSCAP_*. */
export type Physcap =
  | 'hvm'
  | 'pv'
  | 'directio'
  | 'hap'
  | 'shadow'
  | 'iommu_hap_pt_share'
  | 'vmtrace'
  | 'vpmu'
  | 'gnttab_v1'
  | 'gnttab_v2';

/** Bit values by name, for rows that need them. */
export interface DomctlBits {
  /** OR of the named flags. */
  cdf(...names: readonly CdfFlag[]): number;
  iommu(...names: readonly IommuOpt[]): number;
  /** Low 4 bits of grant_opts. */
  readonly grantVersionMask: number;
}

/** struct xen_domctl_createdomain; field names are Xen's. Words are unsigned 32-bit. */
export interface DomctlRequest<A = unknown> {
  readonly flags: number;
  readonly iommu_opts: number;
  readonly max_vcpus: number;
  readonly max_evtchn_port: number;
  /** Negative: the hypervisor's default. */
  readonly max_grant_frames: number;
  readonly max_maptrack_frames: number;
  readonly grant_opts: number;
  readonly altp2m: { readonly opts: number; readonly nr: number };
  /** Bytes per vCPU; 0 is none. */
  readonly vmtrace_size: number;
  /** struct xen_arch_domainconfig, the architecture's own. */
  readonly arch: A;
}

/** What the checks ask of the host. */
export interface DomctlHost<H = unknown> {
  readonly iommu_enabled: boolean;
  /** May the IOMMU share the guest's stage-2 tables? */
  readonly iommu_hap_pt_share: boolean;
  readonly vmtrace_available: boolean;
  /** Set once, after all physical CPUs are up. */
  readonly vpmu_is_available: boolean;
  /** 0: no grant tables. */
  readonly gnttab_max_version: 0 | 1 | 2;
  readonly arch: H;
}

export type DomctlErrno = 'EINVAL' | 'ENOMEM';

interface DomctlRow<A, H> {
  /** Number in the architecture's list; several rows may share one. */
  readonly check: number;
  /** Where it was read. */
  readonly source: string;
  when(request: DomctlRequest<A>, host: DomctlHost<H>, bits: DomctlBits): boolean;
}

/** Refuses the request when `when` holds. The message is what a debug build logs, in our words. */
export interface DomctlRefusalRow<A = unknown, H = unknown> extends DomctlRow<A, H> {
  readonly errno: DomctlErrno;
  /** The configuration key most likely to blame. */
  readonly key?: string;
  message(request: DomctlRequest<A>, host: DomctlHost<H>, bits: DomctlBits): string;
}

/** Changes the request in place, without an error; the caller sees it. */
export interface DomctlRewriteRow<A = unknown, H = unknown> extends DomctlRow<A, H> {
  readonly note: string;
  rewrite(request: DomctlRequest<A>, host: DomctlHost<H>, bits: DomctlBits): DomctlRequest<A>;
}

/** In order; the first refusal wins. */
export type DomctlCheck<A = unknown, H = unknown> = DomctlRefusalRow<A, H> | DomctlRewriteRow<A, H>;

export type DomainType = 'hvm' | 'pv' | 'pvh';

/** A configuration key that changes something here. */
export type XlKey = { readonly name: string; readonly means: string } & (
  | { readonly kind: 'string'; readonly default: string | undefined }
  /** Numbers lie in `range`, inclusive. */
  | {
      readonly kind: 'number';
      readonly range: readonly [least: number, most: number];
      readonly default: number | undefined;
    }
  /** libxl's defbool: any number, nonzero is true. */
  | { readonly kind: 'boolean'; readonly default: boolean | undefined }
  | {
      readonly kind: 'choice';
      readonly choices: readonly string[];
      readonly default: string | undefined;
      /** libxl compares its enumerations without regard to case, xl its own names with it. */
      readonly anyCase: boolean;
      /** May also be given by its place in `choices`. */
      readonly numbered?: true;
    }
);

/** Keys by name, defaults filled in where there is one. */
export type XlValues = ReadonlyMap<string, string | number | boolean>;

/** libxl_error. */
export type LibxlError = 'ERROR_FAIL' | 'ERROR_INVAL';

/** Where in libxl's way through a configuration a check stands; in this order. */
export type LibxlStage =
  | 'create_info'
  | 'passthrough'
  | 'memory'
  | 'arch_build_info'
  | 'build_info'
  | 'config'
  | 'prepare_config';

/** What a libxl check may ask. */
export interface LibxlFacts<H = unknown> {
  readonly type: DomainType;
  readonly values: XlValues;
  readonly host: DomctlHost<H>;
  has(cap: Physcap): boolean;
}

/** libxl refuses before the hypervisor is asked. */
export interface LibxlCheck<H = unknown> {
  readonly stage: LibxlStage;
  readonly rc: LibxlError;
  /** The key to blame. */
  readonly key: string;
  readonly source: string;
  readonly remedy: string;
  when(facts: LibxlFacts<H>): boolean;
  message(facts: LibxlFacts<H>): string;
}

/** What is known of the host before any domain is asked for. */
export interface HostTraits {
  readonly cpu: CpuModel;
  /** Choices of the host file that belong to no CPU model, such as the version of the interrupt controller. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}

/** An architecture's half of the toolstack. `A`: its part of the request; `H`: its part of the host. */
export interface ToolstackHalf<A = unknown, H = unknown> {
  /** Its part of a host with such a CPU. */
  host(traits: HostTraits): H;
  /** Facts for `View.settings` of a domain whose request was accepted; `arch` is the request's part as it came back. */
  settings?(arch: A): Readonly<Record<string, string | number | boolean>>;
  /** Throws CV_… for an image that the real toolstack would start and the model cannot. */
  refuse?(image: Uint8Array, file: string): void;
  /** The type of a domain that names none. */
  readonly defaultType: DomainType;
  /** What a PV domain is made into, and the warning's reason; absent where PV stays PV. */
  readonly pvBecomes?: { readonly type: DomainType; readonly because: string };
  /** Default of trap_unmapped_accesses. */
  readonly trapUnmappedAccesses: boolean;
  /** What `passthrough = "enabled"` becomes. */
  enabledPassthrough(facts: LibxlFacts<H>): 'share_pt' | 'sync_pt';
  readonly keys: readonly XlKey[];
  readonly libxl: readonly LibxlCheck<H>[];
  /** Its part of the request. Total: it is also asked what a request that libxl refuses would have been. */
  prepare(facts: LibxlFacts<H>): A;
  /** Has such a CPU a PMU, for a VMM that gives its guests one? Default: `vpmuAvailable`. */
  hasPmu?(cpu: CpuModel): boolean;
  /** vpmu_is_available on such a host. */
  vpmuAvailable(host: H): boolean;
  physcaps(host: H): readonly Physcap[];
  /** More lines for the host's listing. */
  info(host: H): readonly (readonly [name: string, value: string])[];
  /** Behind the common checks. */
  readonly checks: readonly DomctlCheck<A, H>[];
}
