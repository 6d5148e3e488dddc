/**
 * CPU models: identification values, features, and what each lacks of the silicon of its name.
 *
 * Values after the cores' technical reference manuals (register summaries; MIDR, CTR, CLIDR, ID_*, PMCR), as QEMU's CPU table has them too.
 * Registers of AArch32 are left out: no AArch32 state is modelled.
 */
import type { CpuRow, CpuSetting } from '@countervisor/contract';

const V3 = ['pmuv3'] as const;
const V3P1 = [...V3, 'pmuv3p1'] as const;
const V3P4 = [...V3P1, 'pmuv3p4'] as const;
const V3P5 = [...V3P4, 'pmuv3p5'] as const;

/** Armv8.2 cores from the Cortex-A76 on, as far as it is modelled. */
const V8P2 = ['crc32', 'lse', 'dpb', 'rcpc', 'pan'] as const;

/** Every feature: what `-name` takes from one model, `+name` gives to another. */
const ALL = [...V3P5, 'hpmn0', 'fgt', 'crc32', 'lse', 'flagm', 'flagm2', 'dpb', 'rcpc', 'rcpc2', 'sb', 'pan'] as const;

const COMMON = [
  'AArch32 is not modelled at EL0 either: ID_AA64PFR0_EL1 shows AArch64 only, and the AArch32 identification registers read as 0.',
  'Floating-point and SIMD instructions are not modelled: they trap as CPACR_EL1.FPEN says, and stop the domain by name when enabled.',
  'Cryptographic and other SIMD extensions are hidden from the identification registers.',
  'Granules of 16 KiB and 64 KiB, big-endian data, hardware update of the Access flag and DBM, and LORegions are hidden and absent.',
  'Caches, TLBs and branch prediction have no timing: their events are absent from PMCEID0_EL0 and PMCEID1_EL0 (among them the required L1D_CACHE_REFILL, L1D_CACHE, BR_MIS_PRED and BR_PRED), and their selectors count nothing.',
  'LD_RETIRED, ST_RETIRED, PC_WRITE_RETIRED, BR_IMMED_RETIRED, BR_RETURN_RETIRED, UNALIGNED_LDST_RETIRED and BR_RETIRED count whether or not the silicon of this name has them.',
  'IMPLEMENTATION DEFINED registers (CPUACTLR_EL1 and their kin) are absent.',
  'EL3 and Secure state hold no code: NSK, NSU and M act as for a Non-secure guest.',
] as const;

const V8P2_MORE = [
  'PSTATE.UAO, SSBS, RAS, RDM, DotProd and half-precision arithmetic are hidden and absent.',
  'Statistical profiling (SPE) is hidden and absent where the silicon has it.',
] as const;

const V8P4_MORE = [
  ...V8P2_MORE,
  'SVE, pointer authentication, DIT, TLB range maintenance, RNDR, activity monitors, MPAM and the trace unit are hidden; PAC and BTI hints are NOPs.',
  'STALL_SLOT is absent, so PMMIR_EL1.SLOTS reads as 0.',
] as const;

const settings = { counters: 6, hpmn0: 'none', host_counters: 0 } as const;

const models: Readonly<Record<string, CpuRow>> = {
  'cortex-a57': {
    means: 'Armv8.0, PMUv3.',
    features: [...V3, 'crc32'],
    settings,
    identity: {
      MIDR_EL1: 0x411f_d070n,
      REVIDR_EL1: 0n,
      CTR_EL0: 0x8444_c004n,
      CLIDR_EL1: 0x0a20_0023n,
      DCZID_EL0: 4n,
      'CCSIDR_EL1.L1D': 0x701f_e00an,
      'CCSIDR_EL1.L1I': 0x201f_e012n,
      'CCSIDR_EL1.L2': 0x70ff_e07an,
      ID_AA64PFR0_EL1: 0x2222n,
      ID_AA64DFR0_EL1: 0x1030_5106n,
      ID_AA64ISAR0_EL1: 0x0001_1120n,
      ID_AA64ISAR1_EL1: 0n,
      ID_AA64MMFR0_EL1: 0x1124n,
      ID_AA64MMFR1_EL1: 0n,
      ID_AA64MMFR2_EL1: 0n,
      PMCR_EL0: 0x4101_3000n,
    },
    deviations: COMMON,
  },
  'cortex-a72': {
    means: 'Armv8.0, PMUv3.',
    features: [...V3, 'crc32'],
    settings,
    identity: {
      MIDR_EL1: 0x410f_d083n,
      REVIDR_EL1: 0n,
      CTR_EL0: 0x8444_c004n,
      CLIDR_EL1: 0x0a20_0023n,
      DCZID_EL0: 4n,
      'CCSIDR_EL1.L1D': 0x701f_e00an,
      'CCSIDR_EL1.L1I': 0x201f_e012n,
      'CCSIDR_EL1.L2': 0x707f_e07an,
      ID_AA64PFR0_EL1: 0x2222n,
      ID_AA64DFR0_EL1: 0x1030_5106n,
      ID_AA64ISAR0_EL1: 0x0001_1120n,
      ID_AA64ISAR1_EL1: 0n,
      ID_AA64MMFR0_EL1: 0x1124n,
      ID_AA64MMFR1_EL1: 0n,
      ID_AA64MMFR2_EL1: 0n,
      PMCR_EL0: 0x4102_3000n,
    },
    deviations: COMMON,
  },
  'cortex-a76': {
    means: 'Armv8.2, PMUv3 for Armv8.1.',
    features: [...V3P1, ...V8P2],
    settings,
    identity: {
      MIDR_EL1: 0x414f_d0b1n,
      REVIDR_EL1: 0n,
      CTR_EL0: 0x8444_c004n,
      CLIDR_EL1: 0x8200_0023n,
      DCZID_EL0: 4n,
      'CCSIDR_EL1.L1D': 0x701f_e01an,
      'CCSIDR_EL1.L1I': 0x201f_e01an,
      'CCSIDR_EL1.L2': 0x707f_e03an,
      ID_AA64PFR0_EL1: 0x1100_0000_1011_1112n,
      ID_AA64DFR0_EL1: 0x1030_5408n,
      ID_AA64ISAR0_EL1: 0x0000_1000_1021_1120n,
      ID_AA64ISAR1_EL1: 0x0010_0001n,
      ID_AA64MMFR0_EL1: 0x0010_1122n,
      ID_AA64MMFR1_EL1: 0x1021_2122n,
      ID_AA64MMFR2_EL1: 0x1011n,
      PMCR_EL0: 0x410b_3000n,
    },
    deviations: [...COMMON, ...V8P2_MORE],
  },
  'neoverse-n1': {
    means: 'Armv8.2 server core, PMUv3 for Armv8.1.',
    features: [...V3P1, ...V8P2],
    settings,
    identity: {
      MIDR_EL1: 0x414f_d0c1n,
      REVIDR_EL1: 0n,
      CTR_EL0: 0x8444_c004n,
      CLIDR_EL1: 0x8200_0023n,
      DCZID_EL0: 4n,
      'CCSIDR_EL1.L1D': 0x701f_e01an,
      'CCSIDR_EL1.L1I': 0x201f_e01an,
      'CCSIDR_EL1.L2': 0x70ff_e03an,
      ID_AA64PFR0_EL1: 0x1100_0000_1011_1112n,
      ID_AA64DFR0_EL1: 0x1_1030_5408n,
      ID_AA64ISAR0_EL1: 0x0000_1000_1021_1120n,
      ID_AA64ISAR1_EL1: 0x0010_0001n,
      ID_AA64MMFR0_EL1: 0x0010_1125n,
      ID_AA64MMFR1_EL1: 0x1021_2122n,
      ID_AA64MMFR2_EL1: 0x1011n,
      PMCR_EL0: 0x410c_3000n,
    },
    deviations: [...COMMON, ...V8P2_MORE],
  },
  'neoverse-v1': {
    means: 'Armv8.4 server core, PMUv3 for Armv8.4.',
    features: [...V3P4, ...V8P2, 'flagm', 'rcpc2'],
    settings,
    identity: {
      MIDR_EL1: 0x411f_d402n,
      REVIDR_EL1: 0n,
      CTR_EL0: 0xb444_c004n,
      CLIDR_EL1: 0x8200_0023n,
      DCZID_EL0: 4n,
      // The CCIDX format: sets - 1 in 55:32, ways - 1 in 23:3, log2(line) - 4 in 2:0.
      'CCSIDR_EL1.L1D': 0xff_0000_001an,
      'CCSIDR_EL1.L1I': 0xff_0000_001an,
      'CCSIDR_EL1.L2': 0x7ff_0000_003an,
      ID_AA64PFR0_EL1: 0x1101_1101_2011_1112n,
      ID_AA64DFR0_EL1: 0x0000_01f2_1030_5519n,
      ID_AA64ISAR0_EL1: 0x1011_1111_1021_2120n,
      ID_AA64ISAR1_EL1: 0x0011_0000_0121_1032n,
      ID_AA64MMFR0_EL1: 0x0010_1125n,
      ID_AA64MMFR1_EL1: 0x1021_2122n,
      ID_AA64MMFR2_EL1: 0x0220_0111_0210_1011n,
      PMCR_EL0: 0x4121_3000n,
    },
    deviations: [...COMMON, ...V8P4_MORE],
  },
  'neoverse-n2': {
    means: 'Armv9.0 server core, PMUv3 for Armv8.5.',
    features: [...V3P5, ...V8P2, 'flagm', 'flagm2', 'rcpc2', 'sb'],
    settings,
    identity: {
      MIDR_EL1: 0x410f_d493n,
      REVIDR_EL1: 0n,
      CTR_EL0: 0xb444_c004n,
      CLIDR_EL1: 0x8200_0023n,
      DCZID_EL0: 4n,
      'CCSIDR_EL1.L1D': 0xff_0000_001an,
      'CCSIDR_EL1.L1I': 0xff_0000_001an,
      'CCSIDR_EL1.L2': 0x3ff_0000_003an,
      ID_AA64PFR0_EL1: 0x1201_1111_2011_1112n,
      ID_AA64DFR0_EL1: 0x0000_11f2_1030_5619n,
      ID_AA64ISAR0_EL1: 0x1221_1111_1021_2120n,
      ID_AA64ISAR1_EL1: 0x0011_1111_0121_1052n,
      ID_AA64MMFR0_EL1: 0x0000_0222_0010_1125n,
      ID_AA64MMFR1_EL1: 0x1021_2122n,
      ID_AA64MMFR2_EL1: 0x1221_0111_1210_1011n,
      PMCR_EL0: 0x3000n,
    },
    deviations: [
      ...COMMON,
      ...V8P4_MORE,
      'Memory tagging is hidden and absent, and with it the tag fields of CTR_EL0 and CLIDR_EL1.',
    ],
  },
  max: {
    means: 'Everything of the architecture that is modelled, PMUv3 for Armv8.5; no silicon of this name exists.',
    features: ALL,
    settings,
    identity: {
      // Implementer 0 is reserved for software use; QEMU's part number for the same model.
      MIDR_EL1: 0x000f_0510n,
      REVIDR_EL1: 0n,
      CTR_EL0: 0xb444_c004n,
      CLIDR_EL1: 0x8200_0023n,
      DCZID_EL0: 4n,
      'CCSIDR_EL1.L1D': 0xff_0000_001an,
      'CCSIDR_EL1.L1I': 0xff_0000_001an,
      'CCSIDR_EL1.L2': 0x7ff_0000_003an,
      ID_AA64PFR0_EL1: 0x1100_0000_0000_1111n,
      ID_AA64DFR0_EL1: 0x0000_00f0_1030_5609n,
      ID_AA64ISAR0_EL1: 0x0020_0000_0021_0000n,
      ID_AA64ISAR1_EL1: 0x10_0020_0001n,
      ID_AA64MMFR0_EL1: 0x1125n,
      ID_AA64MMFR1_EL1: 0x0010_0020n,
      ID_AA64MMFR2_EL1: 0x0010_0000n,
      PMCR_EL0: 0x3000n,
    },
    deviations: [],
  },
};

/** Whatever a model has not, `+feature` gives it. */
export const cpus: Readonly<Record<string, CpuRow>> = Object.fromEntries(
  Object.entries(models).map(([name, row]) => [
    name,
    { ...row, optional: ALL.filter((feature) => !row.features.includes(feature)) },
  ]),
);

/** The baseline: what runs on it runs on every other model. */
export const defaultCpu = 'cortex-a57';

export const cpuSettings: Readonly<Record<string, CpuSetting>> = {
  counters: { means: 'Event counters: PMCR_EL0.N as the hypervisor sees it.', values: { from: 0, to: 31 } },
  hpmn0: {
    means:
      'What MDCR_EL2.HPMN = 0 gives a guest without FEAT_HPMN0 (CONSTRAINED UNPREDICTABLE, Arm DDI 0487 D24.3.17): none of the event counters, all of them, or none and a diagnostic that stops the domain at the first access that depends on it.',
    values: ['none', 'all', 'diagnostic'],
  },
  host_counters: {
    means:
      'Event counters, from the last one down, that the host keeps for itself beside a mediated guest: MDCR_EL2.HPMN is their number less these. The other policies give a guest all.',
    values: { from: 0, to: 31 },
  },
};
