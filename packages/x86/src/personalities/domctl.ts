/** x86's half of Xen's toolstack: its configuration keys, its creation checks in order, what the host can do (Xen arch/x86/domain.c, arch/x86/sysctl.c, tools/libs/light/libxl_x86.c; public/arch-x86/xen.h). */
import type {
  CdfFlag,
  DomctlBits,
  DomctlCheck,
  DomctlRequest,
  LibxlCheck,
  ToolstackHalf,
  XlKey,
} from '@countervisor/contract';

/** struct xen_arch_domainconfig; field names are Xen's. */
export interface X86DomainConfig {
  /** XEN_X86_EMU_*. */
  readonly emulation_flags: number;
  /** XEN_X86_MSR_RELAXED. */
  readonly misc_flags: number;
}

/** XEN_X86_MSR_RELAXED. */
export const MSR_RELAXED = 1;
/** XEN_DOMCTL_ALTP2M_*, the mode in the low two bits. */
const ALTP2M_MODES = 3;

/** XEN_X86_EMU_*: what each kind of domain has. */
export const EMU = { PVH: 0x1, HVM: 0x3ff, PV: 0 } as const;

/** What the checks ask of an x86 host. */
export interface X86Host {
  readonly hvm: boolean;
  readonly pv: boolean;
  readonly hap: boolean;
  /** Built with shadow paging. */
  readonly shadow: boolean;
  /** Built with TBOOT. */
  readonly tboot: boolean;
  readonly nestedVirt: boolean;
  readonly altp2m: boolean;
  /** MAX_NR_ALTP2M, or EPTP list's. */
  readonly maxAltp2m: number;
  /** HVM_MAX_VCPUS and MAX_VIRT_CPUS. */
  readonly maxVcpus: { readonly hvm: number; readonly pv: number };
}

export function x86Host(facts: Partial<X86Host> = {}): X86Host {
  return {
    hvm: true,
    pv: true,
    hap: true,
    shadow: true,
    tboot: false,
    nestedVirt: false,
    altp2m: true,
    maxAltp2m: 10,
    maxVcpus: { hvm: 128, pv: 8192 },
    ...facts,
  };
}

const SOURCE = 'xen/arch/x86/domain.c: arch_sanitise_domain_config';

type Check = DomctlCheck<X86DomainConfig, X86Host>;

const has = ({ flags }: DomctlRequest, bits: DomctlBits, flag: CdfFlag): boolean => (flags & bits.cdf(flag)) !== 0;

const limit = (request: DomctlRequest, host: X86Host, bits: DomctlBits): number =>
  has(request, bits, 'hvm') ? host.maxVcpus.hvm : host.maxVcpus.pv;

/** Trace buffers: a power of two from 4 KiB to 64 MiB. */
const traces = (size: number): boolean => size >= 4096 && size <= 64 << 20 && (size & (size - 1)) === 0;

/** The ten checks behind the common ones; rows of one number are refusals inside one check. */
export const X86_CHECKS: readonly Check[] = [
  {
    check: 1,
    errno: 'EINVAL',
    key: 'type',
    source: SOURCE,
    when: (request, { arch }, bits) => (has(request, bits, 'hvm') ? !arch.hvm : !arch.pv),
    message: (request, _, bits) => `${has(request, bits, 'hvm') ? 'HVM' : 'PV'} support is not available`,
  },
  {
    check: 2,
    errno: 'EINVAL',
    key: 'vcpus',
    source: SOURCE,
    when: (request, { arch }, bits) => request.max_vcpus > limit(request, arch, bits),
    message: (request, { arch }, bits) => `${request.max_vcpus} vCPUs, and the limit is ${limit(request, arch, bits)}`,
  },
  {
    check: 3,
    errno: 'EINVAL',
    source: SOURCE,
    when: (request, { arch }, bits) => has(request, bits, 's3_integrity') && !arch.tboot,
    message: () => 'S3 integrity needs a build with TBOOT',
  },
  {
    check: 4,
    errno: 'EINVAL',
    key: 'hap',
    source: SOURCE,
    when: (request, { arch }, bits) => has(request, bits, 'hap') && !arch.hap,
    message: () => 'HAP is requested and the hardware has none',
  },
  {
    check: 4,
    errno: 'EINVAL',
    key: 'hap',
    source: SOURCE,
    when: (request, { arch }, bits) => has(request, bits, 'hvm') && !has(request, bits, 'hap') && !arch.shadow,
    message: () => 'HVM without HAP needs a build with shadow paging',
  },
  {
    check: 5,
    source: SOURCE,
    when: (request, _, bits) => !has(request, bits, 'hvm') && !has(request, bits, 'oos_off'),
    note: 'out-of-sync shadow pages are off for PV domains, whatever was asked',
    rewrite: (request, _, bits) => ({ ...request, flags: (request.flags | bits.cdf('oos_off')) >>> 0 }),
  },
  {
    check: 6,
    errno: 'EINVAL',
    key: 'nestedhvm',
    source: SOURCE,
    when: (request, { arch }, bits) => has(request, bits, 'nested_virt') && !arch.nestedVirt,
    message: () => 'nested virtualization is not supported',
  },
  {
    check: 6,
    errno: 'EINVAL',
    key: 'nestedhvm',
    source: SOURCE,
    when: (request, _, bits) => has(request, bits, 'nested_virt') && !has(request, bits, 'hap'),
    message: () => 'nested virtualization needs HAP',
  },
  {
    check: 7,
    errno: 'EINVAL',
    key: 'vmtrace_buf_kb',
    source: SOURCE,
    when: (request, _, bits) => request.vmtrace_size !== 0 && !has(request, bits, 'hvm'),
    message: () => 'processor trace is for HVM domains',
  },
  {
    check: 7,
    errno: 'EINVAL',
    key: 'vmtrace_buf_kb',
    source: SOURCE,
    when: (request) => request.vmtrace_size !== 0 && !traces(request.vmtrace_size),
    message: ({ vmtrace_size }) =>
      `a trace buffer of ${vmtrace_size} bytes, and it is a power of two from 4 KiB to 64 MiB`,
  },
  {
    check: 8,
    errno: 'EINVAL',
    key: 'trap_unmapped_accesses',
    source: SOURCE,
    when: (request, _, bits) => has(request, bits, 'trap_unmapped_accesses'),
    message: () => 'unmapped accesses cannot be trapped on x86',
  },
  {
    check: 9,
    errno: 'EINVAL',
    key: 'msr_relaxed',
    source: SOURCE,
    when: ({ arch }) => (arch.misc_flags & ~MSR_RELAXED) !== 0,
    message: ({ arch }) => `unknown misc_flags 0x${(arch.misc_flags >>> 0).toString(16)}`,
  },
  {
    check: 10,
    errno: 'EINVAL',
    key: 'altp2m',
    source: SOURCE,
    when: ({ altp2m }) => altp2m.opts > ALTP2M_MODES || altp2m.opts < 0,
    message: ({ altp2m }) => `unknown altp2m mode ${altp2m.opts}`,
  },
  {
    check: 10,
    errno: 'EINVAL',
    key: 'altp2m',
    source: SOURCE,
    when: ({ altp2m }, { arch }) => altp2m.opts !== 0 && !arch.altp2m,
    message: () => 'altp2m is not supported',
  },
  {
    check: 10,
    errno: 'EINVAL',
    key: 'altp2m',
    source: SOURCE,
    when: (request, _, bits) => request.altp2m.opts !== 0 && !has(request, bits, 'hap'),
    message: () => 'altp2m needs HAP',
  },
  {
    check: 10,
    errno: 'EINVAL',
    key: 'altp2m',
    source: SOURCE,
    when: (request, _, bits) => request.altp2m.opts !== 0 && has(request, bits, 'nested_virt'),
    message: () => 'altp2m and nested virtualization exclude each other',
  },
  {
    check: 10,
    errno: 'EINVAL',
    key: 'altp2m_count',
    source: SOURCE,
    when: ({ altp2m }, { arch }) => altp2m.opts !== 0 && (altp2m.nr <= 0 || altp2m.nr > arch.maxAltp2m),
    message: ({ altp2m }, { arch }) => `${altp2m.nr} altp2m views, and there can be 1 to ${arch.maxAltp2m}`,
  },
  {
    check: 10,
    errno: 'EINVAL',
    key: 'altp2m_count',
    source: SOURCE,
    when: ({ altp2m }) => altp2m.opts === 0 && altp2m.nr !== 0,
    message: () => 'altp2m views without altp2m',
  },
];

/** Keys of xl.cfg that only x86 reads. */
export const X86_KEYS: readonly XlKey[] = [
  {
    name: 'msr_relaxed',
    kind: 'boolean',
    default: false,
    means: 'may the domain read MSRs that Xen does not know, as 0?',
  },
];

const X86_LIBXL: readonly LibxlCheck<X86Host>[] = [];

/** x86's half, for any hypervisor model whose toolstack is Xen's. No domain asks for its vPMU: Xen's boot option decides. */
export const X86_TOOLSTACK: ToolstackHalf<X86DomainConfig, X86Host> = {
  host: () => x86Host(),
  settings: ({ misc_flags }) => ({ msr_relaxed: (misc_flags & MSR_RELAXED) !== 0 }),
  defaultType: 'hvm',
  trapUnmappedAccesses: false,
  enabledPassthrough: ({ host, values }) =>
    host.iommu_hap_pt_share && values.get('hap') !== false ? 'share_pt' : 'sync_pt',
  keys: X86_KEYS,
  libxl: X86_LIBXL,
  prepare: ({ type, values }) => ({
    emulation_flags: type === 'pvh' ? EMU.PVH : type === 'hvm' ? EMU.HVM : EMU.PV,
    misc_flags: values.get('msr_relaxed') === true ? MSR_RELAXED : 0,
  }),
  hasPmu: ({ features }) => features.has('perfmon'),
  vpmuAvailable: () => false,
  physcaps: (host) => [
    ...(host.hvm ? (['hvm'] as const) : []),
    ...(host.pv ? (['pv'] as const) : []),
    ...(host.hap ? (['hap'] as const) : []),
    ...(host.shadow ? (['shadow'] as const) : []),
  ],
  info: () => [],
  checks: X86_CHECKS,
};
