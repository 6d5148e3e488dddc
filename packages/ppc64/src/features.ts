/**
 * CPU models and what they can have: versions of the architecture, facilities, what each lacks of the silicon of its name.
 *
 * PVR values as QEMU 7.2's models of these names have them (970_v2.2, power8_v2.0, power9_v2.0, power10_v2.0); what a version brought after the prefaces
 * of Power ISA 2.02 to 3.1B.
 */
import type { CpuFeature, CpuRow, CpuSetting } from '@countervisor/contract';

export const FEATURES: Readonly<Record<string, CpuFeature>> = {
  'isa-2.02': { means: 'Version 2.02 of the architecture: popcntb.' },
  'isa-2.03': { means: 'Version 2.03: isel.', after: 'isa-2.02' },
  'isa-2.05': { means: 'Version 2.05: cmpb, prtyw.', after: 'isa-2.03' },
  'isa-2.06': { means: 'Version 2.06: divde, popcntd, ldbrx, AMR.', after: 'isa-2.05' },
  'isa-2.07': { means: 'Version 2.07: TAR, FSCR, event-based branches, quadword atomics.', after: 'isa-2.06' },
  'isa-3.0': { means: 'Version 3.0: radix translation, scv, PIDR, the large decrementer.', after: 'isa-2.07' },
  'isa-3.1': { means: 'Version 3.1: prefixed instructions, DEXCR.', after: 'isa-3.0' },
  'power-saving': { means: 'nap, doze, sleep and rvwinkle, of versions 2.06 and 2.07 alone.' },
  altivec: { means: 'The vector facility (VMX).' },
  vsx: { means: 'The vector-scalar facility.', after: 'altivec' },
  'little-endian': { means: 'MSR[LE].' },
  tidr: { means: 'TIDR: version 3.0 has it, 3.1 no more.' },
  '970': { means: 'What the 970 alone has: ACCR, SDR1 and DABR that a guest may read.' },
};

const V2_07 = ['isa-2.02', 'isa-2.03', 'isa-2.05', 'isa-2.06', 'isa-2.07'] as const;
const V3_0 = [...V2_07, 'isa-3.0'] as const;
const V3_1 = [...V3_0, 'isa-3.1'] as const;

const FACILITIES = ['altivec', 'vsx', 'little-endian'] as const;

const COMMON = [
  'Floating-point and vector instructions are not modelled: while MSR[FP], MSR[VEC] or MSR[VSX] is 0 they take their interrupt, and stop the domain by name when it is 1.',
  'A guest is never in hypervisor state: MSR[HV] is 0 and the hypervisor-privileged registers hold what the model of the hypervisor put there.',
  'CFAR is stored, and no branch changes it.',
  'Breakpoints (DABR, DAWR, CIABR) are stored and never match.',
  'Reading a privileged register that this version does not define is a no-operation, as with LPCR[EVIRT] = 0.',
  'Caches, the TLB and branch prediction have no timing.',
  'PURR, SPURR and VTB run with the time base; IC, the count of completed instructions, is absent; one thread per core.',
] as const;

const HASH = [
  'Translation by a hashed page table and an SLB is not modelled: MSR[IR] or MSR[DR] = 1, and with them problem state, end the domain by name.',
] as const;

const TRANSACTIONS = [
  'Transactional memory is hidden: MSR[TM] and MSR[TS] read as 0, and TFHAR, TFIAR and TEXASR are absent.',
  'Directed privileged doorbells (msgsndp, DPDES) are absent.',
] as const;

const RADIX = [
  'Radix trees alone: a guest that registers a hashed page table is refused by name.',
  'Reference and change bits are set by the hardware, as by QEMU; the silicon may leave that to the operating system.',
  'Quadrants 1 and 2 belong to the hypervisor and take a segment interrupt.',
] as const;

export const cpuSettings: Readonly<Record<string, CpuSetting>> = {
  decrementer: { means: 'Bits of the decrementer.', values: { from: 32, to: 64 } },
  'decrementer-exception': {
    means:
      'What a decrementer exception is: DEC being negative (level, as QEMU has it for every 64-bit server CPU), or DEC turning negative, remembered until taken (edge).',
    values: ['edge', 'level'],
  },
};

const LEVEL = { decrementer: 32, 'decrementer-exception': 'level' } as const;
const LARGE = { decrementer: 56, 'decrementer-exception': 'level' } as const;

const models: Readonly<Record<string, CpuRow>> = {
  '970': {
    means: 'PowerPC 970: version 2.01 of the architecture, big-endian, real mode.',
    features: ['altivec', '970'],
    settings: LEVEL,
    identity: { PVR: 0x0039_0202n },
    deviations: [...COMMON, ...HASH, 'MSR[POW] reads as 0: there is no power-saving mode.'],
  },
  power8: {
    means: 'POWER8: version 2.07, real mode.',
    features: [...V2_07, ...FACILITIES, 'power-saving'],
    settings: LEVEL,
    identity: { PVR: 0x004d_0200n },
    deviations: [...COMMON, ...TRANSACTIONS, ...HASH],
  },
  power9: {
    means: 'POWER9: version 3.0, radix.',
    features: [...V3_0, ...FACILITIES, 'tidr'],
    settings: LARGE,
    identity: { PVR: 0x004e_1200n },
    deviations: [...COMMON, ...TRANSACTIONS, ...RADIX],
  },
  power10: {
    means: 'POWER10: version 3.1, radix.',
    features: [...V3_1, ...FACILITIES],
    settings: LARGE,
    identity: { PVR: 0x0080_0200n },
    deviations: [
      ...COMMON,
      ...TRANSACTIONS,
      ...RADIX,
      'DEXCR and HASHKEYR are stored and change nothing: hashst and hashchk are absent.',
    ],
  },
};

export const cpus: Readonly<Record<string, CpuRow>> = models;

export const defaultCpu = 'power9';

/** Has it radix translation? */
export const hasRadix = (cpu: { readonly features: ReadonlySet<string> }): boolean => cpu.features.has('isa-3.0');
