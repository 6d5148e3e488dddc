/**
 * What each generation's performance monitors are: counts, widths, what is precise, what is recorded. Intel SDM volume 3, chapters 18 to 20, and its
 * tables of model-specific registers (volume 4); AMD64 Architecture Programmer's Manual volume 2, 13.2, and the processor programming references.
 *
 * One row for each; CPUID leaf 0xA, PERF_CAPABILITIES, reserved bits and the counters themselves all ask here.
 */
import type { View } from '@countervisor/contract';

export interface Pebs {
  /** PERF_CAPABILITIES[11:8]: the record's format. */
  readonly format: 0 | 1 | 2 | 3 | 4 | 5;
  /** General counters that can be precise. */
  readonly general: readonly number[];
  /** PERF_CAPABILITIES[14]: adaptive records, and fixed counters that can be precise. */
  readonly baseline: boolean;
  /** Counters whose record is written by the very event that overflows: positions in GLOBAL_STATUS; with the event that it must count, if any one. */
  readonly distribution: readonly { readonly bit: number; readonly event?: number }[];
  /** Bytes of a record, and which fields it has, where the format alone does not say: Silvermont's own (volume 3, table 20-69). */
  readonly layout?: 'silvermont';
  /** Events that can be precise; `undefined`: all that are modelled. */
  readonly events?: readonly number[];
}

export interface Lbr {
  /** PERF_CAPABILITIES[5:0]. */
  readonly format: number;
  readonly depth: 4 | 8 | 16 | 32;
  /** First FROM register: with the legacy facility. The architectural one has its own (0x1500). */
  readonly from: 0x40 | 0x680 | 'architectural';
  /** Has MSR_LBR_INFO. */
  readonly info: boolean;
  /** Bits that LBR_SELECT has. */
  readonly select: number;
}

export interface Perfmon {
  readonly vendor: 'intel' | 'amd';
  /** Intel: CPUID.0AH:EAX[7:0]. AMD: 1 for the K7's own counters, 2 for PerfMonV2. */
  readonly version: number;
  /** General counters. */
  readonly general: number;
  readonly width: number;
  readonly fixed: number;
  readonly fixedWidth: number;
  /** Architectural events that CPUID.0AH:EBX says are not there: bit per event (volume 3, 20.2.1.1). */
  readonly missing: number;
  /** PERF_CAPABILITIES[13]: IA32_A_PMCn. */
  readonly fullWidth: boolean;
  readonly pebs?: Pebs;
  readonly lbr?: Lbr;
  /** AMD: MSRs of the core counters at 0xC0010200. */
  readonly core?: boolean;
}

/** Bits of CPUID.0AH:EBX. */
const ARCHITECTURAL = {
  cycles: 1,
  instructions: 2,
  reference: 4,
  llcReferences: 8,
  llcMisses: 16,
  branches: 32,
  branchMisses: 64,
};
/** There is no cache and no prediction, so their events are not there; but for the models that have the small published one (events.ts). */
const UNMODELLED = ARCHITECTURAL.llcReferences | ARCHITECTURAL.llcMisses | ARCHITECTURAL.branchMisses;

/** Silvermont's precise events (volume 3, 20.8.2): those of branches that are modelled. */
const SILVERMONT = [0x00c4, 0x7ec4, 0xfec4, 0xf9c4, 0xfdc4, 0xfbc4, 0xebc4, 0xf7c4, 0xbfc4];

export const PERFMON: Readonly<Record<string, Perfmon>> = {
  core2: {
    vendor: 'intel', version: 2, general: 2, width: 40, fixed: 3, fixedWidth: 40, missing: UNMODELLED, fullWidth: false,
    pebs: { format: 0, general: [0], baseline: false, distribution: [] },
    lbr: { format: 3, depth: 4, from: 0x40, info: false, select: 0 },
  },
  nehalem: {
    vendor: 'intel', version: 3, general: 4, width: 48, fixed: 3, fixedWidth: 48, missing: UNMODELLED, fullWidth: false,
    pebs: { format: 1, general: [0, 1, 2, 3], baseline: false, distribution: [] },
    lbr: { format: 3, depth: 16, from: 0x680, info: false, select: 0x1ff },
  },
  silvermont: {
    vendor: 'intel', version: 3, general: 2, width: 40, fixed: 3, fixedWidth: 40, missing: UNMODELLED, fullWidth: true,
    pebs: { format: 2, general: [0], baseline: false, distribution: [], layout: 'silvermont', events: SILVERMONT },
    lbr: { format: 3, depth: 8, from: 0x40, info: false, select: 0x1ff },
  },
  haswell: {
    vendor: 'intel', version: 3, general: 4, width: 48, fixed: 3, fixedWidth: 48, missing: UNMODELLED, fullWidth: true,
    pebs: { format: 2, general: [0, 1, 2, 3], baseline: false, distribution: [{ bit: 1, event: 0x01c0 }] },
    lbr: { format: 4, depth: 16, from: 0x680, info: false, select: 0x3ff },
  },
  skylake: {
    vendor: 'intel', version: 4, general: 4, width: 48, fixed: 3, fixedWidth: 48, missing: UNMODELLED, fullWidth: true,
    pebs: { format: 3, general: [0, 1, 2, 3], baseline: false, distribution: [{ bit: 1, event: 0x01c0 }] },
    lbr: { format: 5, depth: 32, from: 0x680, info: true, select: 0x3ff },
  },
  'icelake-server': {
    vendor: 'intel', version: 5, general: 8, width: 48, fixed: 3, fixedWidth: 48, missing: 0, fullWidth: true,
    pebs: { format: 4, general: [0, 1, 2, 3, 4, 5, 6, 7], baseline: true, distribution: [{ bit: 32 }] },
    lbr: { format: 5, depth: 32, from: 0x680, info: true, select: 0x3ff },
  },
  'sapphire-rapids': {
    vendor: 'intel', version: 5, general: 8, width: 48, fixed: 3, fixedWidth: 48, missing: 0, fullWidth: true,
    pebs: { format: 5, general: [0, 1, 2, 3, 4, 5, 6, 7], baseline: true, distribution: [{ bit: 32 }, { bit: 0 }] },
    lbr: { format: 0x3f, depth: 32, from: 'architectural', info: true, select: 0 },
  },
  'amd-10h': { vendor: 'amd', version: 1, general: 4, width: 48, fixed: 0, fixedWidth: 0, missing: 0, fullWidth: false },
  'amd-15h': { vendor: 'amd', version: 1, general: 6, width: 48, fixed: 0, fixedWidth: 0, missing: 0, fullWidth: false, core: true },
  zen2: { vendor: 'amd', version: 1, general: 6, width: 48, fixed: 0, fixedWidth: 0, missing: 0, fullWidth: false, core: true },
  zen4: { vendor: 'amd', version: 2, general: 6, width: 48, fixed: 0, fixedWidth: 0, missing: 0, fullWidth: false, core: true },
}; // biome-ignore format: a table

/** A CPU without any. */
const NOTHING: Perfmon = {
  vendor: 'intel',
  version: 0,
  general: 0,
  width: 0,
  fixed: 0,
  fixedWidth: 0,
  missing: 0,
  fullWidth: false,
};

const fewer = new Map<Perfmon, Map<number, Perfmon>>();

/** The generation with as many general counters as a hypervisor gives its guest. */
function limited(all: Perfmon, general: number): Perfmon {
  if (general >= all.general) return all;
  const known = fewer.get(all) ?? new Map<number, Perfmon>();
  fewer.set(all, known);
  const made = known.get(general) ?? { ...all, general };
  known.set(general, made);
  return made;
}

/** The generation is the CPU setting `perfmon`; a hypervisor may show fewer general counters (`counters`). */
export function perfmon({ cpu, settings }: Pick<View, 'cpu'> & Partial<Pick<View, 'settings'>>): Perfmon {
  const all = PERFMON[String(cpu.settings.perfmon)] ?? NOTHING;
  const given = settings?.counters;
  return typeof given === 'number' ? limited(all, given) : all;
}

export const isIntel = (view: Pick<View, 'cpu'>): boolean => perfmon(view).vendor === 'intel';

/** General counters, then fixed ones from bit 32 on: GLOBAL_CTRL, GLOBAL_STATUS and PEBS_ENABLE share these positions. */
export const FIXED = 32;

/** Positions in the list of counters (counters.ts): general ones from 0, fixed ones behind them. */
export const MOST_GENERAL = 8;
export const MOST_FIXED = 4;
/** Bit of GLOBAL_CTRL and its kin, of the counter at this position. */
export const bitOf = (counter: number): number => (counter < MOST_GENERAL ? counter : FIXED + counter - MOST_GENERAL);

/** Bits of every counter that this CPU has. */
export function counterBits(view: Pick<View, 'cpu'>): bigint {
  const { general, fixed } = perfmon(view);
  return ((1n << BigInt(general)) - 1n) | (((1n << BigInt(fixed)) - 1n) << BigInt(FIXED));
}

/** Sign-extends the low 32 bits to the counter's width: what a write to PERFCTRn does (volume 3, 20.2.8). */
export const extended = (value: bigint, width: number): bigint => BigInt.asUintN(width, BigInt.asIntN(32, value));

/** Features that stand for parts of a generation's monitors, for the rows that need them. */
export const PERFMON_FEATURES: Readonly<Record<string, { readonly means: string; readonly after?: string }>> = {
  perfmon: { means: 'Performance counters.' },
  perfmon_2: { means: 'Architectural perfmon version 2: fixed counters and global control.', after: 'perfmon' },
  perfmon_4: { means: 'Version 4: status that can be set, streamlined freezing.', after: 'perfmon_2' },
  full_width: { means: 'Counters can be written whole: IA32_A_PMCn.', after: 'perfmon' },
  pdcm: { means: 'PERF_CAPABILITIES.', after: 'perfmon' },
  ds: { means: 'Debug store: branch trace.' },
  dtes64: { means: 'Its addresses have 64 bits.', after: 'ds' },
  pebs: { means: 'Processor event based sampling.', after: 'ds' },
  pebs_baseline: { means: 'Adaptive PEBS, and fixed counters that can be precise.', after: 'pebs' },
  lbr_any: { means: 'Last branch records.' },
  lbr: { means: 'Last branch records with model-specific registers.', after: 'lbr_any' },
  lbr_40: { means: 'Their registers stand at 0x40 and 0x60.', after: 'lbr' },
  lbr_680: { means: 'Their registers stand at 0x680 and 0x6C0.', after: 'lbr' },
  lbr_info: { means: 'LBR_INFO.', after: 'lbr' },
  lbr_select: { means: 'LBR_SELECT.', after: 'lbr' },
  arch_lbr: { means: 'Architectural last branch records.', after: 'lbr_any' },
  k7_perfctr: { means: 'AMD: four counters at 0xC0010000.', after: 'perfmon' },
  perfctr_core: { means: 'AMD: six counters at 0xC0010200.', after: 'perfmon' },
  perfmon_v2: { means: 'AMD PerfMonV2: global control and status.', after: 'perfctr_core' },
};

/** Those of a generation. */
export function perfmonFeatures(generation: string): readonly string[] {
  const mine = PERFMON[generation];
  if (mine === undefined) return [];
  const { vendor, version, fullWidth, pebs, lbr, core } = mine;
  if (vendor === 'amd') {
    return [
      'perfmon',
      'k7_perfctr',
      ...(core === true ? ['perfctr_core'] : []),
      ...(version >= 2 ? ['perfmon_v2'] : []),
    ];
  }
  const has: readonly (readonly [string, boolean])[] = [
    ['perfmon', true],
    ['perfmon_2', version >= 2],
    ['perfmon_4', version >= 4],
    ['full_width', fullWidth],
    ['pdcm', true],
    ['ds', pebs !== undefined],
    ['dtes64', pebs !== undefined],
    ['pebs', pebs !== undefined],
    ['pebs_baseline', pebs?.baseline === true],
    ['lbr_any', lbr !== undefined],
    ['lbr', lbr !== undefined && lbr.from !== 'architectural'],
    ['lbr_40', lbr?.from === 0x40],
    ['lbr_680', lbr?.from === 0x680],
    ['lbr_info', lbr?.info === true && lbr.from !== 'architectural'],
    ['lbr_select', (lbr?.select ?? 0) !== 0],
    ['arch_lbr', lbr?.from === 'architectural'],
  ];
  return has.filter(([, yes]) => yes).map(([name]) => name);
}
