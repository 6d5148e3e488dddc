/**
 * Bits of the monitor mode control registers, by the manual's names; numbered from the least significant one. Power ISA 3.0B, book III, 9.4.4 to 9.4.7; 2.07B,
 * book III-S, 9.4; the 970's own layout: IBM PowerPC 970FX user's manual, 10.3 (its FCH is bit 31 of the manual, too).
 */
import type { View } from '@countervisor/contract';

const bit = (n: number): bigint => 1n << BigInt(n);

type Mmcr0Bit =
  | 'FC'
  | 'FCS'
  | 'FCP'
  | 'FCM1'
  | 'FCM0'
  | 'PMAE'
  | 'FCECE'
  | 'TBEE'
  | 'BHRBA'
  | 'EBE'
  | 'PMC1CE'
  | 'PMCjCE'
  | 'TRIGGER'
  | 'FCPC'
  | 'PMAO_SYNC'
  | 'PMCCEXT'
  | 'C56RUN'
  | 'PMAO'
  | 'FCSS'
  | 'FC14'
  | 'FC56'
  | 'FCTI'
  | 'FCTA'
  | 'FCWAIT'
  | 'FCH';

export const MMCR0: Readonly<Record<Mmcr0Bit, bigint>> = {
  FC: bit(31),
  FCS: bit(30),
  FCP: bit(29),
  FCM1: bit(28),
  FCM0: bit(27),
  PMAE: bit(26),
  FCECE: bit(25),
  TBEE: bit(22),
  BHRBA: bit(21),
  EBE: bit(20),
  PMC1CE: bit(15),
  PMCjCE: bit(14),
  TRIGGER: bit(13),
  FCPC: bit(12),
  PMAO_SYNC: bit(11),
  PMCCEXT: bit(9),
  C56RUN: bit(8),
  PMAO: bit(7),
  FCSS: bit(6),
  FC14: bit(5),
  FC56: bit(4),
  FCTI: bit(3),
  FCTA: bit(2),
  FCWAIT: bit(1),
  FCH: bit(0),
};

/** TBSEL: which bit of the time base makes the event that TBEE enables, when it turns 1: 47, 51, 55, 63 in the manual's numbering. */
const TIME_BASE_BITS: readonly bigint[] = [16n, 12n, 8n, 0n];
export const timeBaseBit = (mmcr0: bigint): bigint => TIME_BASE_BITS[Number((mmcr0 >> 23n) & 3n)] as bigint;

/** PMCC: who may do what in problem state. */
export const pmcc = (mmcr0: bigint): bigint => (mmcr0 >> 18n) & 3n;

/** With PMCC 0b11 PMC5 and PMC6 are no part of the monitor: nothing in the MMCRs has a say about them, and they make no conditions. */
export const apart = (mmcr0: bigint): boolean => pmcc(mmcr0) === 3n;

/** Positions in the levels. */
export const PROBLEM = 0;
export const HYPERVISOR = 2;

/**
 * Do FCS and FCP freeze counters and branch history at this level? Version 2.07 and since. FCP is about the guest's problem state; with FCPC it is about the
 * hypervisor's, and the guest's is frozen while it is 0.
 */
export function frozenByState(mmcr0: bigint, level: number): boolean {
  if (level === HYPERVISOR) return false;
  if (level !== PROBLEM) return (mmcr0 & MMCR0.FCS) !== 0n;
  return ((mmcr0 & MMCR0.FCPC) !== 0n) !== ((mmcr0 & MMCR0.FCP) !== 0n);
}

/** What problem state sees of MMCR0, and may change. */
export const USER_MMCR0: bigint = MMCR0.FC | MMCR0.PMAE | MMCR0.PMAO;
/** Of MMCR2: each counter's freeze in problem state. */
export const USER_MMCR2 = 0x4020_1008_0402_0000n;

/** MMCR2: nine bits for each counter, from bit 63 down. */
const MMCR2_GROUP = ['S', 'P0', 'P1', 'M1', 'M0', 'WAIT', 'H'] as const;
export type CounterFreeze = (typeof MMCR2_GROUP)[number];
export const mmcr2 = (counter: number, freeze: CounterFreeze): bigint =>
  bit(63 - 9 * (counter - 1) - MMCR2_GROUP.indexOf(freeze));

/** MMCRA. */
export const MMCRA: Readonly<Record<'SAMPLE_ENABLE' | 'SIPR' | 'SIHV' | 'BHRB_DISABLE', bigint>> = {
  SAMPLE_ENABLE: bit(0),
  SIPR: bit(27),
  SIHV: bit(28),
  BHRB_DISABLE: bit(37),
};

/** SIER, where there is one. */
export const SIER: Readonly<Record<'SDAR_VALID' | 'SIAR_VALID' | 'SIHV' | 'SIPR', bigint>> = {
  SDAR_VALID: bit(21),
  SIAR_VALID: bit(22),
  SIHV: bit(24),
  SIPR: bit(25),
};

/** Has it MMCR2, six counters of which two are fixed, and the run latch's say in counting? From version 2.07 on. */
export const isModern = (view: Pick<View, 'cpu'>): boolean => view.cpu.features.has('isa-2.07');
