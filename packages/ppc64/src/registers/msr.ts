/** The machine state register: its bits, those that a CPU has, and how each instruction may change it. Power ISA 3.0B, book III, 3.2.1 and 4.4.3; 3.3.1. */
import type { Affects, CpuModel, Vcpu, View } from '@countervisor/contract';
import { field, type Row, reserved } from './row.ts';

type MsrBit =
  | 'LE'
  | 'RI'
  | 'PMM'
  | 'DR'
  | 'IR'
  | 'FE1'
  | 'BE'
  | 'SE'
  | 'FE0'
  | 'ME'
  | 'FP'
  | 'PR'
  | 'EE'
  | 'VSX'
  | 'VEC'
  | 'HV'
  | 'SF';

const bit = (n: number): bigint => 1n << BigInt(n);

/** Bits by the manual's names; numbered from the least significant one. */
export const MSR: Readonly<Record<MsrBit, bigint>> = {
  LE: bit(0),
  RI: bit(1),
  PMM: bit(2),
  DR: bit(4),
  IR: bit(5),
  FE1: bit(8),
  BE: bit(9),
  SE: bit(10),
  FE0: bit(11),
  ME: bit(12),
  FP: bit(13),
  PR: bit(14),
  EE: bit(15),
  VSX: bit(23),
  VEC: bit(25),
  HV: bit(60),
  SF: bit(63),
};

const ALWAYS =
  MSR.SF | MSR.EE | MSR.PR | MSR.FP | MSR.ME | MSR.FE0 | MSR.SE | MSR.BE | MSR.FE1 | MSR.IR | MSR.DR | MSR.PMM | MSR.RI;

/** The bits that this CPU has for a guest; the others read as 0. */
export function msrBits(cpu: CpuModel): bigint {
  const { features } = cpu;
  return (
    ALWAYS |
    (features.has('little-endian') ? MSR.LE : 0n) |
    (features.has('altivec') ? MSR.VEC : 0n) |
    (features.has('vsx') ? MSR.VSX : 0n)
  );
}

/** Problem state is never without interrupts and translation: EE, IR and DR are OR-ed with PR. */
const withProblem = (msr: bigint): bigint => ((msr & MSR.PR) === 0n ? msr : msr | MSR.EE | MSR.IR | MSR.DR);

/** SRR1 (or CTR, for rfscv) has interrupt information where MSR has these bits: 33:36 and 42:47 of the manual. */
export const SRR1_INFORMATION = 0x783f_0000n;

/** What mtmsrd and mtmsr leave alone beside what does not exist: HV, ME, LE. */
const KEPT_BY_MTMSR = MSR.HV | MSR.ME | MSR.LE;

/** mtmsrd RS, L: with L only EE and RI. */
export function afterMtmsrd(cpu: CpuModel, msr: bigint, rs: bigint, l: bigint): bigint {
  if (l !== 0n) {
    const moved = MSR.EE | MSR.RI;
    return (msr & ~moved) | (rs & moved);
  }
  const moved = msrBits(cpu) & ~KEPT_BY_MTMSR;
  return withProblem((msr & ~moved) | (rs & moved));
}

/** mtmsr: the same for the low word; the high one stays. */
export function afterMtmsr(cpu: CpuModel, msr: bigint, rs: bigint, l: bigint): bigint {
  const high = msr >> 32n;
  return afterMtmsrd(cpu, msr, (high << 32n) | (rs & 0xffff_ffffn), l);
}

/** rfid and rfscv outside hypervisor state: HV and ME stay, and so does what holds interrupt information. */
export function afterReturn(cpu: CpuModel, msr: bigint, saved: bigint): bigint {
  const moved = msrBits(cpu) & ~(MSR.HV | MSR.ME | SRR1_INFORMATION);
  return withProblem((msr & ~moved) | (saved & moved));
}

/** What has to be looked at when these bits change. The translations of every combination of PR, IR and DR are kept apart, so none goes stale. */
const AFFECTED: readonly (readonly [bits: bigint, what: Affects])[] = [
  [MSR.PR | MSR.IR | MSR.DR | MSR.SF, 'level'],
  [MSR.EE, 'interrupts'],
  [MSR.PMM, 'pmu'],
  [MSR.LE | MSR.SF | MSR.SE | MSR.BE, 'decode'],
];

/** Sets MSR and says what that concerns. Nobody sets it in another way while the guest runs. */
export function setMsr(vcpu: Vcpu, next: bigint): void {
  const changed = vcpu.get('MSR') ^ next;
  vcpu.set('MSR', next);
  for (const [bits, what] of AFFECTED) if ((changed & bits) !== 0n) vcpu.changed(what);
}

/** A guest's level: PR tells. */
export const levelOf = (view: Pick<View, 'get'>): number => ((view.get('MSR') & MSR.PR) === 0n ? 1 : 0);

/** Reached by mfmsr, mtmsr, mtmsrd and the returns alone, which have no address. */
export const msr: Row = {
  width: 64,
  reset: 0n,
  read: 'supervisor',
  write: 'supervisor',
  fields: {
    LE: field(0, 'Storage is little-endian.'),
    RI: field(1, 'An interrupt can be recovered from.'),
    PMM: field(2, 'Performance monitor mark.'),
    ...reserved(3),
    DR: field(4, 'Data addresses are translated.'),
    IR: field(5, 'Instruction addresses are translated.'),
    ...reserved([7, 6]),
    FE1: field(8, 'Floating-point exception mode.'),
    BE: field(9, 'Trace each branch.'),
    SE: field(10, 'Trace each instruction.'),
    FE0: field(11, 'Floating-point exception mode.'),
    ME: field(12, 'Machine check interrupts are taken.'),
    FP: field(13, 'Floating-point instructions can be executed.'),
    PR: field(14, 'Problem state.'),
    EE: field(15, 'External, decrementer and performance monitor interrupts are taken.'),
    ...reserved([22, 16]),
    VSX: field(23, 'Vector-scalar instructions can be executed.'),
    ...reserved(24),
    VEC: field(25, 'Vector instructions can be executed.'),
    ...reserved([31, 26]),
    TM: field(32, 'Transactional memory, which is hidden.', 'zero'),
    TS: field([34, 33], 'Transaction state, likewise.', 'zero'),
    ...reserved([59, 35]),
    HV: field(60, 'Hypervisor state; never a guest.', 'zero'),
    ...reserved([62, 61]),
    SF: field(63, '64-bit mode.'),
  },
  // PMM. What else it concerns, `setMsr` says.
  affects: ['pmu'],
  source: 'book III, 3.2.1',
};
