/**
 * What a CPU model can have, by the manual's feature names in lower case (FEAT_LSE is `lse`), and the identification fields that show it.
 * Arm DDI 0487, A2.2 (feature list) and D24.2 (AArch64 identification registers).
 */
import { type CpuFeature, insert } from '@countervisor/contract';

export interface Feature extends CpuFeature {
  /**
   * The identification field that shows it, and the value it shows. Where several features share a field, the highest value shows. Absent: it is about EL2
   * alone, and a guest, which has no EL2, is shown none.
   */
  readonly shows?: readonly [register: IdRegister, bits: readonly [high: number, low: number], value: number];
}

/** Registers whose fields depend on features. */
export type IdRegister = 'ID_AA64DFR0_EL1' | 'ID_AA64ISAR0_EL1' | 'ID_AA64ISAR1_EL1' | 'ID_AA64MMFR1_EL1';

export const FEATURES: Readonly<Record<string, Feature>> = {
  pmuv3: { means: 'Performance Monitors, version 3.', shows: ['ID_AA64DFR0_EL1', [11, 8], 1] },
  pmuv3p1: {
    means: 'PMUv3 for Armv8.1: 16-bit event numbers, MDCR_EL2.HPMD, the STALL events.',
    shows: ['ID_AA64DFR0_EL1', [11, 8], 4],
    after: 'pmuv3',
  },
  pmuv3p4: { means: 'PMUv3 for Armv8.4: PMMIR_EL1.', shows: ['ID_AA64DFR0_EL1', [11, 8], 5], after: 'pmuv3p1' },
  pmuv3p5: {
    means: 'PMUv3 for Armv8.5: 64-bit event counters, PMCR_EL0.LP, MDCR_EL2.HLP and HCCD.',
    shows: ['ID_AA64DFR0_EL1', [11, 8], 6],
    after: 'pmuv3p4',
  },
  hpmn0: { means: 'MDCR_EL2.HPMN may be 0: no event counters for EL1 and EL0.', after: 'pmuv3' },
  fgt: { means: 'Fine-grained traps: HDFGRTR_EL2 and HDFGWTR_EL2.' },
  crc32: { means: 'CRC32 instructions.', shows: ['ID_AA64ISAR0_EL1', [19, 16], 1] },
  lse: { means: 'Atomic memory instructions (LDADD, SWP, CAS …).', shows: ['ID_AA64ISAR0_EL1', [23, 20], 2] },
  flagm: { means: 'Flag manipulation: CFINV, RMIF, SETF8, SETF16.', shows: ['ID_AA64ISAR0_EL1', [55, 52], 1] },
  flagm2: {
    means: 'Flag format conversion: AXFLAG, XAFLAG.',
    shows: ['ID_AA64ISAR0_EL1', [55, 52], 2],
    after: 'flagm',
  },
  dpb: { means: 'Clean to the point of persistence: DC CVAP.', shows: ['ID_AA64ISAR1_EL1', [3, 0], 1] },
  rcpc: { means: 'Load-acquire RCpc: LDAPR.', shows: ['ID_AA64ISAR1_EL1', [23, 20], 1] },
  rcpc2: { means: 'LDAPUR, STLUR and their kin.', shows: ['ID_AA64ISAR1_EL1', [23, 20], 2], after: 'rcpc' },
  sb: { means: 'Speculation barrier: SB.', shows: ['ID_AA64ISAR1_EL1', [39, 36], 1] },
  pan: { means: 'Privileged access never: PSTATE.PAN.', shows: ['ID_AA64MMFR1_EL1', [23, 20], 1] },
};

/** An identification register's value with the fields of the features put right: each shows exactly what the CPU has, 0 for nothing. */
export function show(register: IdRegister, value: bigint, features: ReadonlySet<string>): bigint {
  let shown = value;
  const here = Object.entries(FEATURES).flatMap(([name, { shows }]) =>
    shows?.[0] === register ? [[name, shows] as const] : [],
  );
  for (const [, shows] of here) shown = insert(shown, shows[1], 0n);
  // A feature stands behind the one it needs, so the highest value of a shared field is written last.
  for (const [name, shows] of here) if (features.has(name)) shown = insert(shown, shows[1], BigInt(shows[2]));
  return shown;
}

/** ID_AA64DFR0_EL1.PMUVer of these features: 0 none, 1 v3, 4 v3p1, 5 v3p4, 6 v3p5. */
export function pmuVersion(features: ReadonlySet<string>): number {
  return Number((show('ID_AA64DFR0_EL1', 0n, features) >> 8n) & 15n);
}
