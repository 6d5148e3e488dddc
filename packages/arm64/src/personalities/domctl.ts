/** Arm's half of Xen's toolstack: its configuration keys, its creation checks in order, what the host can do (Xen arch/arm/domain.c, arch/arm/sysctl.c, tools/libs/light/libxl_arm.c; public/arch-arm.h). */
import {
  type DomctlCheck,
  extract,
  type LibxlCheck,
  type LibxlFacts,
  type ToolstackHalf,
  type XlKey,
} from '@countervisor/contract';
import { show } from '../features.ts';
import { refuseAArch32 } from '../isa/aarch32.ts';

/** struct xen_arch_domainconfig; field names are Xen's. */
export interface ArmDomainConfig {
  /** XEN_DOMCTL_CONFIG_GIC_*; NATIVE is rewritten to the hardware's. */
  readonly gic_version: number;
  /** SVE vector length in units of 128 bits. */
  readonly sve_vl: number;
  /** XEN_DOMCTL_CONFIG_TEE_*. */
  readonly tee_type: number;
  readonly nr_spis: number;
  /** Written by the hypervisor, never read from the request. */
  readonly clock_frequency: number;
  /** XEN_DOMCTL_CONFIG_ARM_SCI_*. */
  readonly arm_sci_type: number;
  /** XEN_DOMCTL_CONFIG_ARM_V8R_EL1_MSA_*. */
  readonly v8r_el1_msa: number;
  readonly pad: number;
}

/** XEN_DOMCTL_CONFIG_GIC_*. */
export const GIC = { NATIVE: 0, V2: 1, V3: 2 } as const;
/** XEN_DOMCTL_CONFIG_TEE_*. */
export const TEE = { NONE: 0, OPTEE: 1, FFA: 2 } as const;
/** XEN_DOMCTL_CONFIG_ARM_SCI_*. */
export const SCI = { NONE: 0, SCMI_SMC: 1 } as const;
/** XEN_DOMCTL_CONFIG_ARM_V8R_EL1_MSA_*. */
export const V8R_EL1_MSA = { NONE: 0, PMSA: 1, VMSA: 2 } as const;

/** What the checks ask of an Arm host. ACPI is not here: no check reads it. */
export interface ArmHost {
  /** Has the CPU a PMU that Xen recognises? */
  readonly pmu: boolean;
  /** Longest SVE vector in bits; 0 without SVE. */
  readonly sveMaxVl: number;
  /** The hardware's GIC. */
  readonly gic: 2 | 3;
  /** vCPUs that each virtual GIC can serve; 0 where Xen was built without it. */
  readonly vgicMaxVcpus: { readonly v2: number; readonly v3: number };
  /** MAX_VIRT_CPUS. */
  readonly maxVirtCpus: number;
  /** XEN_DOMCTL_CONFIG_TEE_* of the mediator. */
  readonly tee: number;
  /** Is the SCMI mediator there? Without one no SCI type is refused. */
  readonly sciMediator: boolean;
  /** Built for Armv8-R, without an MMU. */
  readonly mpu: boolean;
}

/** "Has a PMU" as Xen sees it: PMUVer, ID_AA64DFR0_EL1 bits 11:8, is neither 0 (none) nor 0xF (IMPLEMENTATION DEFINED). */
export function hasPmu(idAa64dfr0: bigint): boolean {
  const version = extract(idAa64dfr0, [11, 8]);
  return version !== 0n && version !== 0xfn;
}

/** A 64-bit Xen host, from its ID_AA64DFR0_EL1 and what differs from the usual. */
export function armHost(idAa64dfr0: bigint, facts: Partial<Omit<ArmHost, 'pmu'>> = {}): ArmHost {
  return {
    sveMaxVl: 0,
    gic: 3,
    // vgic_max_vcpus: 8 is GICv2's own limit, 4096 that of GICv3's affinity routing as Xen numbers it.
    vgicMaxVcpus: { v2: 8, v3: 4096 },
    maxVirtCpus: 128,
    tee: TEE.NONE,
    sciMediator: false,
    mpu: false,
    ...facts,
    pmu: hasPmu(idAa64dfr0),
  };
}

const SOURCE = 'xen/arch/arm/domain.c: arch_sanitise_domain_config';

type Check = DomctlCheck<ArmDomainConfig, ArmHost>;

function vcpuLimit(gicVersion: number, host: ArmHost): number {
  const { v2, v3 } = host.vgicMaxVcpus;
  return Math.min(gicVersion === GIC.V2 ? v2 : gicVersion === GIC.V3 ? v3 : 0, host.maxVirtCpus);
}

function msaFits(value: number, mpu: boolean): boolean {
  if (value === V8R_EL1_MSA.NONE) return !mpu;
  return mpu && (value === V8R_EL1_MSA.PMSA || value === V8R_EL1_MSA.VMSA);
}

/** The nine checks behind the common ones; two rows of one number are two refusals inside one check. */
export const ARM_CHECKS: readonly Check[] = [
  {
    check: 1,
    errno: 'EINVAL',
    source: SOURCE,
    // Unsigned on both sides: a request may carry bit 31.
    when: ({ flags }, _, bits) =>
      (flags & ~bits.cdf('iommu', 'vpmu', 'xs_domain', 'trap_unmapped_accesses')) >>> 0 !== bits.cdf('hvm', 'hap'),
    message: ({ flags }) => `unsupported configuration 0x${(flags >>> 0).toString(16)}`,
  },
  {
    check: 2,
    errno: 'EINVAL',
    source: SOURCE,
    when: ({ arch }) => arch.pad !== 0,
    message: () => 'the padding of the configuration is not zero',
  },
  {
    check: 3,
    errno: 'EINVAL',
    key: 'sve',
    source: SOURCE,
    when: ({ arch }, host) => arch.sve_vl > 0 && host.arch.sveMaxVl === 0,
    message: () => 'this machine has no SVE',
  },
  {
    check: 3,
    errno: 'EINVAL',
    key: 'sve',
    source: SOURCE,
    when: ({ arch }, host) => arch.sve_vl * 128 > host.arch.sveMaxVl,
    message: ({ arch }, host) => `SVE vectors of ${arch.sve_vl * 128} bits, and the machine has ${host.arch.sveMaxVl}`,
  },
  {
    check: 4,
    errno: 'EINVAL',
    key: 'passthrough',
    source: SOURCE,
    when: (request, _, bits) => (request.iommu_opts & bits.iommu('no_sharept')) !== 0,
    message: () => 'no_sharept, and page tables are always shared with the IOMMU',
  },
  {
    check: 5,
    source: SOURCE,
    when: ({ arch }) => arch.gic_version === GIC.NATIVE,
    note: 'GIC NATIVE becomes the version of the hardware, and the caller sees it',
    rewrite: (request, host) => ({
      ...request,
      arch: { ...request.arch, gic_version: host.arch.gic === 2 ? GIC.V2 : GIC.V3 },
    }),
  },
  {
    check: 6,
    errno: 'EINVAL',
    key: 'gic_version',
    source: SOURCE,
    when: ({ arch }, host) => vcpuLimit(arch.gic_version, host.arch) === 0,
    message: ({ arch }) => `unsupported GIC version ${arch.gic_version}`,
  },
  {
    check: 6,
    errno: 'EINVAL',
    key: 'vcpus',
    source: SOURCE,
    when: (request, host) => request.max_vcpus > vcpuLimit(request.arch.gic_version, host.arch),
    message: (request, host) =>
      `${request.max_vcpus} vCPUs, and the limit is ${vcpuLimit(request.arch.gic_version, host.arch)}`,
  },
  {
    check: 7,
    errno: 'EINVAL',
    key: 'tee',
    source: SOURCE,
    when: ({ arch }, host) => arch.tee_type !== TEE.NONE && arch.tee_type !== host.arch.tee,
    message: ({ arch }) => `unsupported TEE type ${arch.tee_type}`,
  },
  {
    check: 8,
    errno: 'EINVAL',
    key: 'altp2m',
    source: SOURCE,
    when: ({ altp2m }) => altp2m.opts !== 0 || altp2m.nr !== 0,
    message: () => 'altp2m is not supported',
  },
  {
    check: 9,
    errno: 'EINVAL',
    source: 'xen/arch/arm/domain.c: v8r_el1_msa_domain_sanitise_config',
    when: ({ arch }, host) => !msaFits(arch.v8r_el1_msa, host.arch.mpu),
    message: ({ arch }) => `unsupported v8r_el1_msa ${arch.v8r_el1_msa}`,
  },
  {
    check: 9,
    errno: 'EINVAL',
    key: 'arm_sci',
    source: 'xen/arch/arm/firmware/sci.c, scmi-smc.c: scmi_smc_domain_sanitise_config',
    when: ({ arch }, host) =>
      host.arch.sciMediator && arch.arm_sci_type !== SCI.NONE && arch.arm_sci_type !== SCI.SCMI_SMC,
    message: ({ arch }) => `unsupported SCI type ${arch.arm_sci_type}`,
  },
];

const SVE_LENGTHS = Array.from({ length: 16 }, (_, n) => String(128 * (n + 1)));

/** Keys of xl.cfg that only Arm reads. */
export const ARM_KEYS: readonly XlKey[] = [
  {
    name: 'gic_version',
    kind: 'choice',
    choices: ['default', 'v2', 'v3'],
    anyCase: true,
    default: 'default',
    means: 'the GIC that the domain sees; default is the hardware’s',
  },
  {
    name: 'tee',
    kind: 'choice',
    choices: ['none', 'optee', 'ffa'],
    anyCase: true,
    default: 'none',
    means: 'trusted firmware that the domain may call',
  },
  {
    name: 'sve',
    kind: 'choice',
    choices: ['disabled', 'hw', ...SVE_LENGTHS],
    anyCase: true,
    default: 'disabled',
    means: 'longest SVE vector in bits; hw is the hardware’s',
  },
  { name: 'nr_spis', kind: 'number', range: [0, 5088], default: undefined, means: 'shared peripheral interrupts' },
  {
    name: 'vuart',
    kind: 'choice',
    choices: ['sbsa_uart'],
    anyCase: true,
    default: undefined,
    means: 'a PL011; the platform has one in any case',
  },
  {
    name: 'arm_sci',
    kind: 'choice',
    choices: ['type=none', 'type=scmi_smc'],
    anyCase: true,
    default: 'type=none',
    means: 'access to the firmware’s system control interface',
  },
];

function asksForSve({ values }: LibxlFacts<ArmHost>): boolean {
  return values.get('sve') !== 'disabled';
}

/** Interrupts that the devices of the domain need: the virtual UART's is SPI 0. */
function spisNeeded({ values }: LibxlFacts<ArmHost>): number {
  return values.get('vuart') === 'sbsa_uart' ? 1 : 0;
}

const ARM_LIBXL: readonly LibxlCheck<ArmHost>[] = [
  {
    stage: 'passthrough',
    rc: 'ERROR_INVAL',
    key: 'passthrough',
    source: 'tools/libs/light/libxl_arm.c: libxl__arch_passthrough_mode_setdefault',
    remedy: 'Write passthrough = "share_pt" or "enabled".',
    when: ({ values }) => values.get('passthrough') === 'sync_pt',
    message: () => 'passthrough = "sync_pt" is not supported on Arm',
  },
  {
    stage: 'arch_build_info',
    rc: 'ERROR_FAIL',
    key: 'sve',
    source: 'tools/libs/light/libxl_arm.c: libxl__arch_domain_build_info_setdefault',
    remedy: 'Remove sve, or choose a CPU model that has SVE.',
    when: (facts) => asksForSve(facts) && facts.host.arch.sveMaxVl === 0,
    message: () => 'this machine has no SVE',
  },
  {
    stage: 'arch_build_info',
    rc: 'ERROR_FAIL',
    key: 'sve',
    source: 'tools/libs/light/libxl_arm.c: libxl__arch_domain_build_info_setdefault',
    remedy: 'Write a smaller number, or "hw".',
    when: (facts) => Number(facts.values.get('sve')) > facts.host.arch.sveMaxVl,
    message: ({ values, host }) =>
      `SVE vectors of ${values.get('sve')} bits, and the platform has ${host.arch.sveMaxVl}`,
  },
  {
    stage: 'prepare_config',
    rc: 'ERROR_FAIL',
    key: 'nr_spis',
    source: 'tools/libs/light/libxl_arm.c: libxl__arch_domain_prepare_config',
    remedy: 'Raise nr_spis, or leave it out.',
    when: (facts) => Number(facts.values.get('nr_spis') ?? spisNeeded(facts)) < spisNeeded(facts),
    message: (facts) => `nr_spis is too small: the domain needs ${spisNeeded(facts)}`,
  },
];

/** Arm's half, for any hypervisor model whose toolstack is Xen's. */
export const ARM_TOOLSTACK: ToolstackHalf<ArmDomainConfig, ArmHost> = {
  host: ({ cpu, settings }) =>
    armHost(show('ID_AA64DFR0_EL1', cpu.identity.ID_AA64DFR0_EL1 ?? 0n, cpu.features), {
      gic: settings.gic === 2 ? 2 : 3,
    }),
  settings: ({ gic_version }) => ({ gic: gic_version === GIC.V2 ? 2 : 3 }),
  refuse: refuseAArch32,
  defaultType: 'pvh',
  pvBecomes: { type: 'pvh', because: 'Arm has no PV domains' },
  trapUnmappedAccesses: true,
  enabledPassthrough: () => 'share_pt',
  keys: ARM_KEYS,
  libxl: ARM_LIBXL,
  prepare: (facts) => {
    const { values, host } = facts;
    const sve = values.get('sve');
    const bits = sve === 'disabled' ? 0 : sve === 'hw' ? host.arch.sveMaxVl : Number(sve);
    return {
      gic_version: { default: GIC.NATIVE, v2: GIC.V2, v3: GIC.V3 }[
        values.get('gic_version') as 'default' | 'v2' | 'v3'
      ],
      sve_vl: bits / 128,
      tee_type: { none: TEE.NONE, optee: TEE.OPTEE, ffa: TEE.FFA }[values.get('tee') as 'none' | 'optee' | 'ffa'],
      nr_spis: Number(values.get('nr_spis') ?? spisNeeded(facts)),
      clock_frequency: 0,
      arm_sci_type: values.get('arm_sci') === 'type=scmi_smc' ? SCI.SCMI_SMC : SCI.NONE,
      v8r_el1_msa: V8R_EL1_MSA.NONE,
      pad: 0,
    };
  },
  vpmuAvailable: (host) => host.pmu,
  physcaps: () => ['hvm', 'hap'],
  info: (host) => [['arm_sve_vector_length', String(host.sveMaxVl)]],
  checks: ARM_CHECKS,
};
