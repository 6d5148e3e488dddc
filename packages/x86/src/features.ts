/**
 * What a CPU model can have, by the names that Linux prints in /proc/cpuinfo, and the CPUID bits that show it. Intel SDM volume 2, CPUID; AMD APM
 * volume 3, appendix E. What the model lacks (MMX, SSE arithmetic, AVX, XSAVE, x2APIC, PCID, VMX, SVM …) has no row, and its bit reads as 0.
 */
import type { CpuFeature, CpuSetting, View } from '@countervisor/contract';
import { PERFMON as GENERATIONS, PERFMON_FEATURES } from './registers/perfmon.ts';

export type Output = 'EAX' | 'EBX' | 'ECX' | 'EDX';

export interface Feature extends CpuFeature {
  /** CPUID bits that show it; none for what CPUID does not say. */
  readonly shows: readonly (readonly [leaf: number, subleaf: number, output: Output, bit: number])[];
}

const one = (leaf: number, output: Output, bit: number, means: string, after?: string): Feature => ({
  means,
  shows: [[leaf, 0, output, bit]],
  ...(after !== undefined && { after }),
});

/** Bits of leaf 1 that AMD's CPUs repeat in leaf 0x80000001 (APM volume 3, E.4.2). */
const both = (bit: number, means: string): Feature => ({ means, shows: [[1, 0, 'EDX', bit]] });

const EXTENDED = 0x8000_0001;

/** Bits of the performance monitors' features. */
const PERFMON_SHOWS: Readonly<Record<string, Feature['shows']>> = {
  ds: [[1, 0, 'EDX', 21]],
  dtes64: [[1, 0, 'ECX', 2]],
  pdcm: [[1, 0, 'ECX', 15]],
  arch_lbr: [[7, 0, 'EDX', 19]],
  perfctr_core: [[EXTENDED, 0, 'ECX', 23]],
  perfmon_v2: [[0x8000_0022, 0, 'EAX', 0]],
};

const OWN: Readonly<Record<string, Feature>> = {
  fpu: both(0, 'x87 floating point.'),
  de: both(2, 'CR4.DE.'),
  pse: both(3, 'Pages of 4 MiB.'),
  tsc: both(4, 'RDTSC.'),
  msr: both(5, 'RDMSR and WRMSR.'),
  pae: both(6, 'Physical address extension.'),
  mce: both(7, 'CR4.MCE.'),
  cx8: both(8, 'CMPXCHG8B.'),
  apic: both(9, 'Local APIC.'),
  sep: one(1, 'EDX', 11, 'SYSENTER and SYSEXIT.'),
  mtrr: both(12, 'Memory type range registers.'),
  pge: both(13, 'Global pages.'),
  mca: both(14, 'Machine check architecture.'),
  cmov: both(15, 'CMOVcc, FCMOVcc.'),
  pat: both(16, 'Page attribute table.'),
  pse36: both(17, 'Pages of 4 MiB beyond 4 GiB.'),
  clfsh: one(1, 'EDX', 19, 'CLFLUSH.'),
  fxsr: both(24, 'CR4.OSFXSR.'),
  sse: one(1, 'EDX', 25, 'SFENCE and the prefetches of SSE; no arithmetic.'),
  sse2: one(1, 'EDX', 26, 'LFENCE, MFENCE, and what isa/instructions has of SSE2; no arithmetic.', 'sse'),
  cx16: one(1, 'ECX', 13, 'CMPXCHG16B.'),
  movbe: one(1, 'ECX', 22, 'MOVBE.'),
  popcnt: one(1, 'ECX', 23, 'POPCNT.'),
  tsc_deadline_timer: one(1, 'ECX', 24, 'The local APIC timer by TSC deadline.'),
  fsgsbase: one(7, 'EBX', 0, 'RDFSBASE and its kin.'),
  tsc_adjust: one(7, 'EBX', 1, 'IA32_TSC_ADJUST.'),
  bmi1: one(7, 'EBX', 3, 'TZCNT of BMI1; ANDN, BEXTR, BLSI, BLSMSK and BLSR are absent.'),
  smep: one(7, 'EBX', 7, 'Supervisor-mode execution prevention.'),
  erms: one(7, 'EBX', 9, 'Enhanced REP MOVSB and STOSB.'),
  smap: one(7, 'EBX', 20, 'Supervisor-mode access prevention, CLAC, STAC.'),
  clflushopt: one(7, 'EBX', 23, 'CLFLUSHOPT.'),
  umip: one(7, 'ECX', 2, 'User-mode instruction prevention.'),
  arch_capabilities: one(7, 'EDX', 29, 'IA32_ARCH_CAPABILITIES.'),
  spec_ctrl: one(7, 'EDX', 26, 'IA32_SPEC_CTRL and IA32_PRED_CMD.'),
  syscall: one(EXTENDED, 'EDX', 11, 'SYSCALL and SYSRET.'),
  nx: one(EXTENDED, 'EDX', 20, 'Execute disable.'),
  pdpe1gb: one(EXTENDED, 'EDX', 26, 'Pages of 1 GiB.'),
  rdtscp: one(EXTENDED, 'EDX', 27, 'RDTSCP and IA32_TSC_AUX.'),
  lm: one(EXTENDED, 'EDX', 29, 'Long mode.'),
  lahf_lm: one(EXTENDED, 'ECX', 0, 'LAHF and SAHF in 64-bit mode.'),
  lzcnt: one(EXTENDED, 'ECX', 5, 'LZCNT.'),
  prefetchw: one(EXTENDED, 'ECX', 8, 'PREFETCHW.'),
  constant_tsc: one(0x8000_0007, 'EDX', 8, 'The TSC runs at one rate in every state.'),
  ibpb: one(0x8000_0008, 'EBX', 12, 'PRED_CMD of AMD.'),
  pred_cmd: { means: 'IA32_PRED_CMD, which both vendors have at one address.', shows: [] },
  arat: one(6, 'EAX', 2, 'The APIC timer runs always.'),
  nscb: one(0x8000_0021, 'EAX', 6, 'Loading a null selector clears the base (AMD).'),
  intel: { means: 'A CPU of Intel.', shows: [] },
  amd: { means: 'A CPU of AMD.', shows: [] },
  'keeps-null-base': { means: 'Loading a null selector keeps base and limit: AMD before Zen 2.', shows: [] },
};

/** The performance monitors' own (registers/perfmon.ts), with the bits that show them. A guest without a vPMU sees none of these bits. */
export const PERFMON: Readonly<Record<string, Feature>> = Object.fromEntries(
  Object.entries(PERFMON_FEATURES).map(([name, feature]) => [name, { ...feature, shows: PERFMON_SHOWS[name] ?? [] }]),
);

/** What a CPU can have. */
export const FEATURES: Readonly<Record<string, Feature>> = { ...OWN, ...PERFMON };

/** Features whose leaf 1 bit stands again in leaf 0x80000001 of AMD's CPUs. */
export const REPEATED: readonly string[] = [
  'fpu', 'de', 'pse', 'tsc', 'msr', 'pae', 'mce', 'cx8', 'apic', 'mtrr', 'pge', 'mca', 'cmov', 'pat', 'pse36', 'fxsr',
]; // biome-ignore format: one line, in the order of their bits

export const isAmd = (view: Pick<View, 'cpu'>): boolean => view.cpu.features.has('amd');

/** What a host file may set on a CPU. */
export const settings: Readonly<Record<string, CpuSetting>> = {
  perfmon: { means: 'The generation whose performance monitors it has.', values: Object.keys(GENERATIONS) },
  ds_fault: {
    means:
      'What becomes of a record whose memory faults: it is lost, or the guest takes its page fault and the next event tries again.',
    values: ['lose-record', 'restartable'],
  },
  tsc: { means: 'TSC ticks per 1,000 cycles of the domain’s clock.', values: { from: 1, to: 10_000 } },
};
