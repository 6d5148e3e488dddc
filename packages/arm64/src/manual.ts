/**
 * The manual's facts, a second time: written from Arm DDI 0487's register descriptions (masks as hexadecimal numbers, traps as each control bit lists
 * them), not from the tables under `registers/`, so that a slip in one of the two shows. The model is `max` with 31 event counters; what other
 * models have otherwise stands below.
 */
import type { CallFacts, Control, Manual, PolicyFacts, RegisterFacts, Signal } from '@countervisor/contract';

type Facts = Omit<RegisterFacts, 'levels'>;
type Rows = Record<string, RegisterFacts>;

const ALL = 0xffff_ffff_ffff_ffffn;
const LOW = 0xffff_ffffn;

const bits = (...numbers: readonly number[]): bigint => numbers.reduce((sum, n) => sum | (1n << BigInt(n)), 0n);
const each = (count: number, row: (n: number) => readonly [string, RegisterFacts]): Rows =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => row(n)));
const all = <F>(names: string, facts: F): Record<string, F> =>
  Object.fromEntries(names.split(' ').map((name) => [name, facts]));

const el1 = (facts: Facts): RegisterFacts => ({ levels: ['el1', 'el1'], ...facts });
const el0 = (facts: Facts): RegisterFacts => ({ levels: ['el0', 'el0'], ...facts });
const el2 = (facts: Facts): RegisterFacts => ({ levels: ['el2', 'el2'], ...facts });
/** Read-only. */
const told = (level: 'el0' | 'el1', facts: Facts): RegisterFacts => ({ levels: [level, 'never'], ...facts });
/** Written alone: an operation. */
const operation = (level: 'el0' | 'el1', facts: Facts = {}): RegisterFacts => ({
  levels: ['never', level],
  acts: 'an operation, not a register',
  ...facts,
});
const nowhere: Pick<RegisterFacts, 'levels' | 'nowhere'> = { levels: ['never', 'never'], nowhere: true };

/** No instruction names these; they are what instructions work on. Reset values as the platform enters a guest. */
const state: Rows = {
  ...each(30, (n) => [`X${n + 1}`, el0({ reset: 0n, plain: ALL })]),
  SP: el0({ reset: 0n, plain: ALL }),
  ...all('N Z C V IL SS PAN', el0({ reset: 0n, plain: 1n })),
  SPSEL: el0({ reset: 1n, plain: 1n }),
  ...all('EXCLUSIVE_ADDRESS EXCLUSIVE_SIZE EXCLUSIVE_LOW EXCLUSIVE_HIGH', el0({ reset: 0n, plain: ALL })),
};

/** C5.2 and D24.2: special-purpose registers and general system control. */
const control: Rows = {
  SCTLR_EL1: el1({
    reset: 0x30d0_0980n,
    // M A C SA SA0, UMA, I, DZE UCT nTWI, nTWE WXN, SPAN, UCI.
    plain: bits(0, 1, 2, 3, 4, 9, 12, 14, 15, 16, 18, 19, 23, 26),
    ones: bits(7, 8, 11, 20, 22, 28, 29),
    // With M there would be no code to fetch.
    apart: 1n,
  }),
  ACTLR_EL1: el1({ reset: 0n, controls: ['HCR_EL2.TACR'] }),
  CPACR_EL1: el1({ reset: 0n, plain: 0x30_0000n }),
  ...all('TTBR0_EL1 TTBR1_EL1', el1({ reset: 'unknown', plain: 0xffff_ffff_ffff_fffen })),
  // 38:0 but 6 and 35.
  TCR_EL1: el1({ reset: 0n, plain: 0x77_ffff_ffbfn }),
  MAIR_EL1: el1({ reset: 'unknown', plain: ALL }),
  PAR_EL1: el1({ reset: 'unknown', plain: ALL }),
  ...all('AMAIR_EL1 AFSR0_EL1 AFSR1_EL1', el1({ reset: 0n })),
  ESR_EL1: el1({ reset: 'unknown', plain: LOW }),
  FAR_EL1: el1({ reset: 'unknown', plain: ALL }),
  VBAR_EL1: el1({ reset: 'unknown', plain: 0xffff_ffff_ffff_f800n }),
  ELR_EL1: el1({ reset: 'unknown', plain: ALL }),
  // N Z C V, PAN, SS, IL, D A I F, M[4:0].
  SPSR_EL1: el1({ reset: 'unknown', plain: 0xf070_03dfn }),
  ISR_EL1: told('el1', { reset: 0n, keeps: 0x1c0n, made: true }),
  SP_EL0: el1({ reset: 'unknown', plain: ALL, controls: ['SPSel'] }),
  SP_EL1: el2({ reset: 'unknown', plain: ALL }),
  SPSel: el1({ reset: 1n, plain: 1n, made: true }),
  CurrentEL: told('el1', { reset: 4n, keeps: 0xcn, made: true }),
  DAIF: el0({ reset: 0x3c0n, plain: 0x3c0n, controls: ['SCTLR_EL1.UMA'] }),
  NZCV: el0({ reset: 0n, plain: 0xf000_0000n, made: true }),
  PAN_BY_ADDRESS: el1({ reset: 0n, plain: 0x40_0000n, made: true, needs: 'pan' }),
  // AHP DN FZ RMode; IOE and the others are RES0 without trapped exceptions.
  FPCR: el0({ reset: 0n, plain: 0x7c0_0000n, controls: ['CPACR_EL1.FPEN'] }),
  FPSR: el0({ reset: 0n, plain: 0x800_009fn, controls: ['CPACR_EL1.FPEN'] }),
  CONTEXTIDR_EL1: el1({ reset: 'unknown', plain: LOW }),
  TPIDR_EL0: el0({ reset: 'unknown', plain: ALL }),
  TPIDRRO_EL0: { levels: ['el0', 'el1'], reset: 'unknown', plain: ALL },
  TPIDR_EL1: el1({ reset: 'unknown', plain: ALL }),
  HCR_EL2: el2({ reset: 0x8000_0000n, plain: ALL & ~0x8000_0000n, ones: 0x8000_0000n }),
};

/** D24.2: the space op0 = 3, op1 = 0, CRn = 0, CRm 1 to 7, and the other identification registers. AArch32 is not there, so its registers are 0. */
const zero = told('el1', { reset: 0n, keeps: ALL, made: true, controls: ['HCR_EL2.TID3'] });
const feature = (reset: bigint): RegisterFacts => ({ ...zero, reset });

const identity: Rows = {
  ...all('ID_PFR0_EL1 ID_PFR1_EL1 ID_DFR0_EL1 ID_AFR0_EL1 ID_PFR2_EL1 ID_DFR1_EL1', zero),
  ...all('ID_MMFR0_EL1 ID_MMFR1_EL1 ID_MMFR2_EL1 ID_MMFR3_EL1 ID_MMFR4_EL1 ID_MMFR5_EL1', zero),
  ...all('ID_ISAR0_EL1 ID_ISAR1_EL1 ID_ISAR2_EL1 ID_ISAR3_EL1 ID_ISAR4_EL1 ID_ISAR5_EL1 ID_ISAR6_EL1', zero),
  ...all('MVFR0_EL1 MVFR1_EL1 MVFR2_EL1', zero),
  ...all('S3_0_C0_C3_3 S3_0_C0_C3_7 S3_0_C0_C4_3 S3_0_C0_C4_6 S3_0_C0_C5_3 S3_0_C0_C5_6 S3_0_C0_C5_7', zero),
  ...all('S3_0_C0_C6_4 S3_0_C0_C6_5 S3_0_C0_C6_6 S3_0_C0_C6_7 S3_0_C0_C7_5 S3_0_C0_C7_6 S3_0_C0_C7_7', zero),
  ...all('ID_AA64PFR1_EL1 ID_AA64PFR2_EL1 ID_AA64ZFR0_EL1 ID_AA64SMFR0_EL1 ID_AA64FPFR0_EL1', zero),
  ...all('ID_AA64DFR1_EL1 ID_AA64DFR2_EL1 ID_AA64AFR0_EL1 ID_AA64AFR1_EL1', zero),
  ...all('ID_AA64ISAR2_EL1 ID_AA64ISAR3_EL1 ID_AA64MMFR3_EL1 ID_AA64MMFR4_EL1', zero),
  // CSV3, CSV2; EL1 and EL0 in AArch64 alone.
  ID_AA64PFR0_EL1: feature(0x1100_0000_0000_0011n),
  // No double lock; 2 context-aware of 6 breakpoints, 4 watchpoints, PMUv3p5, Debugv8p4.
  ID_AA64DFR0_EL1: { ...feature(0xf0_1030_5609n), role: 'identity' },
  // FlagM2, Atomic, CRC32.
  ID_AA64ISAR0_EL1: feature(0x0020_0000_0021_0000n),
  // SB, LRCPC2, DPB.
  ID_AA64ISAR1_EL1: feature(0x10_0020_0001n),
  // TGran64 and TGran16 not supported, TGran4 supported; SNSMem, 16-bit ASIDs, 44-bit addresses and more.
  ID_AA64MMFR0_EL1: feature(0xf00_1025n),
  // PAN, 16-bit VMIDs.
  ID_AA64MMFR1_EL1: feature(0x10_0020n),
  // CCIDX.
  ID_AA64MMFR2_EL1: feature(0x10_0000n),

  MIDR_EL1: told('el1', { reset: 0x000f_0510n, keeps: LOW, made: true }),
  MPIDR_EL1: told('el1', { reset: 0x8000_0000n, keeps: 0xff_41ff_ffffn, ones: 0x8000_0000n, made: true }),
  REVIDR_EL1: told('el1', { reset: 0n, keeps: ALL, made: true, controls: ['HCR_EL2.TID1'] }),
  AIDR_EL1: told('el1', { reset: 0n, keeps: ALL, made: true, controls: ['HCR_EL2.TID1'] }),
  CTR_EL0: told('el0', {
    reset: 0xb444_c004n,
    keeps: 0x3fff_c00fn,
    ones: 0x8000_0000n,
    made: true,
    controls: ['SCTLR_EL1.UCT', 'HCR_EL2.TID2'],
  }),
  // DZP is set for EL0 while SCTLR_EL1.DZE is clear, so it depends on who asks.
  DCZID_EL0: told('el0', { keeps: 0x1fn, made: true }),
  CLIDR_EL1: told('el1', { reset: 0x8200_0023n, keeps: ALL, made: true, controls: ['HCR_EL2.TID2'] }),
  CSSELR_EL1: el1({ reset: 'unknown', plain: 0xfn, controls: ['HCR_EL2.TID2'] }),
  // CSSELR_EL1 is UNKNOWN, and selects no cache there is.
  CCSIDR_EL1: told('el1', { reset: 0n, keeps: ALL, made: true, controls: ['HCR_EL2.TID2'] }),
};

/** D24.3: debug registers. 6 breakpoints, 4 watchpoints. Enabling one, or software step, is refused by name. */
const LOCK = ['MDCR_EL2.TDE', 'MDCR_EL2.TDOSA'];
const DEBUG = ['MDCR_EL2.TDE', 'MDCR_EL2.TDA'];
const CHANNEL = ['MDSCR_EL1.TDCC', ...DEBUG];
const BREAKPOINTS = 6;
const WATCHPOINTS = 4;
const pair = (n: number, most: number, facts: Facts): RegisterFacts =>
  n < most ? el1({ ...facts, controls: DEBUG }) : { ...nowhere };

const debug: Rows = {
  MDRAR_EL1: told('el1', { reset: 0n, keeps: ALL, controls: ['MDCR_EL2.TDE', 'MDCR_EL2.TDRA'] }),
  OSLAR_EL1: operation('el1', { acts: 'it locks and unlocks', controls: LOCK }),
  // OSLM 0b10 in bits 3 and 0, and the lock locked.
  OSLSR_EL1: told('el1', { reset: 0xan, keeps: 0xfn, controls: LOCK }),
  OSDLR_EL1: el1({ reset: 0n, controls: LOCK }),
  DBGPRCR_EL1: el1({ reset: 0n, plain: 1n, controls: LOCK }),
  // RXfull TXfull RXO TXU, INTdis, TDA, SC2, MDE HDE KDE TDCC, ERR: those of the external debugger while the lock is locked.
  MDSCR_EL1: el1({ reset: 0n, plain: 0x6ce8_f040n, refuses: 1n, controls: DEBUG }),
  MDCCINT_EL1: el1({ reset: 0n, plain: 0x6000_0000n, controls: DEBUG }),
  MDCCSR_EL0: told('el0', { reset: 0n, keeps: 0x6000_0000n, controls: CHANNEL }),
  ...all('DBGDTR_EL0 DBGDTRTX_EL0', el0({ reset: 0n, controls: CHANNEL })),
  ...all('OSDTRRX_EL1 OSDTRTX_EL1 OSECCR_EL1', el1({ reset: 0n, plain: LOW, controls: DEBUG })),
  DBGCLAIMSET_EL1: el1({ reset: 0xffn, ones: 0xffn, made: true, controls: DEBUG }),
  DBGCLAIMCLR_EL1: el1({ reset: 0n, clears: 0xffn, controls: DEBUG }),
  DBGAUTHSTATUS_EL1: told('el1', { reset: 0xaen, keeps: 0xffn, made: true, controls: DEBUG }),
  ...each(16, (n) => [`DBGBVR${n}_EL1`, pair(n, BREAKPOINTS, { reset: 'unknown', plain: ALL })]),
  // BT LBN SSC HMC, BAS, PMC; E refused.
  ...each(16, (n) => [`DBGBCR${n}_EL1`, pair(n, BREAKPOINTS, { reset: 0n, plain: 0xff_e1e6n, refuses: 1n })]),
  ...each(16, (n) => [`DBGWVR${n}_EL1`, pair(n, WATCHPOINTS, { reset: 'unknown', plain: ALL & ~3n })]),
  // MASK, WT LBN SSC HMC BAS LSC PAC; E refused.
  ...each(16, (n) => [`DBGWCR${n}_EL1`, pair(n, WATCHPOINTS, { reset: 0n, plain: 0x1f1f_fffen, refuses: 1n })]),
};

/** D24.8: the GIC's CPU interface as registers, on a domain with a GICv3; with a GICv2 they are undefined. */
const icc = (levels: RegisterFacts['levels'], facts: Facts): Partial<RegisterFacts> => ({
  levels,
  made: true,
  ...facts,
});
const RW = ['el1', 'el1'] as const;
const RO = ['el1', 'never'] as const;
const WO = ['never', 'el1'] as const;
const GICV3: Readonly<Record<string, Partial<RegisterFacts>>> = {
  // Five priority bits.
  ICC_PMR_EL1: icc(RW, { reset: 0n, plain: 0xf8n }),
  ...Object.fromEntries(
    ['ICC_IAR0_EL1', 'ICC_IAR1_EL1', 'ICC_HPPIR0_EL1', 'ICC_HPPIR1_EL1'].map((name) => [
      name,
      icc(RO, { reset: 0x3ffn }),
    ]),
  ),
  ...Object.fromEntries(
    'ICC_EOIR0_EL1 ICC_EOIR1_EL1 ICC_DIR_EL1 ICC_SGI0R_EL1 ICC_SGI1R_EL1 ICC_ASGI1R_EL1'
      .split(' ')
      .map((name) => [name, icc(WO, { acts: 'an operation', reset: 0n })]),
  ),
  // UNKNOWN by the architecture; the least that five priority bits allow, and one more for group 1, as QEMU resets them.
  ICC_BPR0_EL1: icc(RW, { acts: 'values below the least are raised to it', reset: 2n }),
  ICC_BPR1_EL1: icc(RW, { acts: 'values below the least are raised to it', reset: 3n }),
  ICC_AP0R0_EL1: icc(RW, { reset: 0n, plain: LOW }),
  ICC_AP1R0_EL1: icc(RW, { reset: 0n, plain: LOW }),
  ICC_IGRPEN0_EL1: icc(RW, { reset: 0n, plain: 1n }),
  ICC_IGRPEN1_EL1: icc(RW, { reset: 0n, plain: 1n }),
  ICC_RPR_EL1: icc(RO, { reset: 0xffn }),
  // A3V, PRIbits 4.
  ICC_CTLR_EL1: icc(RW, { reset: 0x8400n, plain: 3n, keeps: 0xff00n }),
  ICC_SRE_EL1: icc(RW, { reset: 7n, keeps: ALL }),
};

/** D19.12: the generic timer. */
/** The low half of CVAL less the count. */
const view = (cval: string, count: string): Facts => ({
  acts: 'a view of CVAL against the count',
  made: true,
  shows: { of: [cval, count], value: (a, b) => BigInt.asUintN(32, (a ?? 0n) - (b ?? 0n)) },
});
const physical = ['CNTKCTL_EL1.EL0PTEN'];
const virtual = ['CNTKCTL_EL1.EL0VTEN'];
const timer: Rows = {
  CNTFRQ_EL0: {
    levels: ['el0', 'el2'],
    reset: 62_500_000n,
    plain: LOW,
    controls: ['CNTKCTL_EL1.EL0PCTEN and EL0VCTEN'],
  },
  CNTPCT_EL0: told('el0', { keeps: ALL, made: true, controls: ['CNTKCTL_EL1.EL0PCTEN'] }),
  CNTVCT_EL0: told('el0', { keeps: ALL, made: true, controls: ['CNTKCTL_EL1.EL0VCTEN'] }),
  CNTKCTL_EL1: el1({ reset: 0n, plain: 0x3ffn }),
  CNTP_CTL_EL0: el0({ acts: 'ISTATUS follows time', made: true, reset: 0n, controls: physical }),
  CNTP_CVAL_EL0: el0({ reset: 0n, plain: ALL, controls: physical }),
  CNTP_TVAL_EL0: el0({ ...view('CNTP_CVAL_EL0', 'CNTPCT_EL0'), controls: physical }),
  CNTV_CTL_EL0: el0({ acts: 'ISTATUS follows time', made: true, reset: 0n, controls: virtual }),
  CNTV_CVAL_EL0: el0({ reset: 0n, plain: ALL, controls: virtual }),
  CNTV_TVAL_EL0: el0({ ...view('CNTV_CVAL_EL0', 'CNTVCT_EL0'), controls: virtual }),
};

/** C5.3 to C5.5: operations. EL0 has the cache maintenance by address, while SCTLR_EL1.UCI lets it. */
const UCI = { controls: ['SCTLR_EL1.UCI'] };
const operations: Rows = {
  ...all('TLBI_VMALLE1 TLBI_VAE1 TLBI_ASIDE1 TLBI_VAAE1 TLBI_VALE1 TLBI_VAALE1', operation('el1')),
  ...all('TLBI_VMALLE1IS TLBI_VAE1IS TLBI_ASIDE1IS TLBI_VAAE1IS TLBI_VALE1IS TLBI_VAALE1IS', operation('el1')),
  ...all('IC_IALLUIS IC_IALLU DC_IVAC DC_ISW DC_CSW DC_CISW', operation('el1')),
  ...all('IC_IVAU DC_CVAC DC_CVAU DC_CIVAC', operation('el0', UCI)),
  DC_CVAP: operation('el0', { ...UCI, needs: 'dpb' }),
  // It stores: somewhere in RAM, away from all code.
  DC_ZVA: operation('el0', { controls: ['SCTLR_EL1.DZE'], value: 0x4009_0000n }),
  ...all('AT_S1E1R AT_S1E1W AT_S1E0R AT_S1E0W', operation('el1')),
};

/** D24.5: the Performance Monitors, and who stops an access to them, in the order of the access pseudocode. */
const EN = 'PMUSERENR_EL0.EN';
const SW = 'PMUSERENR_EL0.{SW,EN}';
const CR = 'PMUSERENR_EL0.{CR,EN} to read';
const CR_WRITE = 'PMUSERENR_EL0.{CR,EN} to write';
const ER = 'PMUSERENR_EL0.{ER,EN}';
const ER_READ = 'PMUSERENR_EL0.{ER,EN} to read';
const ER_WRITE = 'PMUSERENR_EL0.{ER,EN} to write';
const TPM = 'MDCR_EL2.TPM';
const HPMN = 'MDCR_EL2.HPMN';
const HPMN_ZERO = 'MDCR_EL2.HPMN = 0';

/** D24.2: the fine-grained traps, a bit of HDFGRTR_EL2 for reads and of HDFGWTR_EL2 for writes; whose EL0 accesses come so far as well. */
const FINE: Readonly<Record<string, { readonly bit: number; readonly ways: 'RW' | 'R' | 'W'; readonly el1?: true }>> = {
  PMEVCNTRn_EL0: { bit: 12, ways: 'RW' },
  PMEVTYPERn_EL0: { bit: 13, ways: 'RW' },
  PMCCFILTR_EL0: { bit: 14, ways: 'RW' },
  PMCCNTR_EL0: { bit: 15, ways: 'RW' },
  PMCNTEN: { bit: 16, ways: 'RW' },
  PMINTEN: { bit: 17, ways: 'RW', el1: true },
  PMOVS: { bit: 18, ways: 'RW' },
  PMSELR_EL0: { bit: 19, ways: 'RW' },
  PMSWINC_EL0: { bit: 20, ways: 'W' },
  PMCR_EL0: { bit: 21, ways: 'W' },
  PMMIR_EL1: { bit: 22, ways: 'R', el1: true },
  PMUSERENR_EL0: { bit: 57, ways: 'RW' },
  PMCEIDn_EL0: { bit: 58, ways: 'R' },
};
const fine = (name: keyof typeof FINE & string): readonly string[] =>
  [...(FINE[name]?.ways ?? '')].map((way) => `HDFG${way}TR_EL2.${name}`);

const needs = { needs: 'pmuv3' };
/** Two windows onto one register: a bit for each event counter, bit 31 for the cycle counter. */
const setClear = (set: string, clear: string, of: string, facts: Facts, levels: 'el0' | 'el1' = 'el0'): Rows => ({
  [of]: el2({ reset: 'unknown', plain: LOW, role: facts.role as NonNullable<Facts['role']> }),
  [set]: { levels: [levels, levels], reset: 'unknown', sets: LOW, of, ...needs, ...facts },
  [clear]: { levels: [levels, levels], reset: 'unknown', clears: LOW, of, ...needs, ...facts },
});

const pmu: Rows = {
  PMCR: el2({ reset: 0n, plain: 0xf9n, role: 'global' }),
  // LP LC DP X D and E are stored; N, IDCODE and IMP are constants.
  PMCR_EL0: el0({
    reset: 0xf800n,
    plain: 0xf9n,
    keeps: 0xffff_f800n,
    of: 'PMCR',
    made: true,
    role: 'global',
    controls: [EN, ...fine('PMCR_EL0'), TPM, 'MDCR_EL2.TPMCR'],
    ...needs,
  }),
  ...setClear('PMCNTENSET_EL0', 'PMCNTENCLR_EL0', 'PMCNTEN', {
    role: 'enable',
    controls: [EN, ...fine('PMCNTEN'), TPM],
  }),
  ...setClear(
    'PMINTENSET_EL1',
    'PMINTENCLR_EL1',
    'PMINTEN',
    { role: 'interrupt', controls: [...fine('PMINTEN'), TPM] },
    'el1',
  ),
  ...setClear('PMOVSSET_EL0', 'PMOVSCLR_EL0', 'PMOVS', { role: 'overflow', controls: [EN, ...fine('PMOVS'), TPM] }),
  PMSWINC_EL0: {
    levels: ['never', 'el0'],
    reset: 0n,
    role: 'counter',
    controls: [SW, ...fine('PMSWINC_EL0'), TPM],
    ...needs,
  },
  PMSELR_EL0: el0({
    reset: 'unknown',
    plain: 0x1fn,
    role: 'global',
    controls: [ER, ...fine('PMSELR_EL0'), TPM],
    ...needs,
  }),
  // PMSELR_EL0 is UNKNOWN after power-on: 30 in its loud pattern.
  PMXEVTYPER_EL0: el0({
    plain: 0xfc00_ffffn,
    of: 'PMEVTYPER30_EL0',
    role: 'selector',
    controls: [EN, ...fine('PMEVTYPERn_EL0'), TPM, HPMN],
    ...needs,
  }),
  PMXEVCNTR_EL0: el0({
    plain: ALL,
    of: 'PMEVCNTR30_EL0',
    role: 'counter',
    controls: [ER_READ, ER_WRITE, ...fine('PMEVCNTRn_EL0'), TPM, HPMN],
    ...needs,
  }),
  ...each(31, (n) => [
    `PMEVCNTR${n}_EL0`,
    el0({
      reset: 'unknown',
      plain: ALL,
      role: 'counter',
      controls: [ER_READ, ER_WRITE, ...fine('PMEVCNTRn_EL0'), TPM, HPMN],
      ...needs,
    }),
  ]),
  // P U NSK NSU NSH M, and sixteen bits of event.
  ...each(31, (n) => [
    `PMEVTYPER${n}_EL0`,
    el0({
      reset: 'unknown',
      plain: 0xfc00_ffffn,
      role: 'selector',
      controls: [EN, ...fine('PMEVTYPERn_EL0'), TPM, HPMN],
      ...needs,
    }),
  ]),
  PMCCNTR_EL0: el0({
    reset: 'unknown',
    plain: ALL,
    role: 'counter',
    controls: [CR, CR_WRITE, ...fine('PMCCNTR_EL0'), TPM],
    ...needs,
  }),
  PMCCFILTR_EL0: el0({
    reset: 'unknown',
    plain: 0xfc00_0000n,
    role: 'selector',
    controls: [EN, ...fine('PMCCFILTR_EL0'), TPM],
    ...needs,
  }),
  PMUSERENR_EL0: {
    levels: ['el0', 'el1'],
    reset: 'unknown',
    plain: 0xfn,
    role: 'user-access',
    controls: [...fine('PMUSERENR_EL0'), TPM],
    ...needs,
  },
  // SW_INCR, 6 to 0xA, 0xC to 0xF, CPU_CYCLES, MEM_ACCESS, INST_SPEC, CHAIN.
  PMCEID0_EL0: told('el0', {
    reset: bits(0x00, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x0e, 0x0f, 0x11, 0x13, 0x1b, 0x1e),
    keeps: ALL,
    made: true,
    role: 'identity',
    controls: [EN, ...fine('PMCEIDn_EL0'), TPM],
    ...needs,
  }),
  // BR_RETIRED, STALL_FRONTEND, STALL_BACKEND, STALL.
  PMCEID1_EL0: told('el0', {
    reset: bits(0x21 - 0x20, 0x23 - 0x20, 0x24 - 0x20, 0x3c - 0x20),
    keeps: ALL,
    made: true,
    role: 'identity',
    controls: [EN, ...fine('PMCEIDn_EL0'), TPM],
    ...needs,
  }),
  PMMIR_EL1: told('el1', {
    reset: 0n,
    keeps: 0xf_ffffn,
    made: true,
    role: 'identity',
    controls: [...fine('PMMIR_EL1'), TPM],
    needs: 'pmuv3p4',
  }),
  // HPMN resets to the number of event counters.
  MDCR_EL2: el2({ reset: 31n, plain: 0x482_0fffn }),
  // The Performance Monitors' bits of the fine-grained traps.
  HDFGRTR_EL2: el2({ reset: 0n, plain: 0x600_0000_004f_f000n, needs: 'fgt' }),
  HDFGWTR_EL2: el2({ reset: 0n, plain: 0x200_0000_003f_f000n, needs: 'fgt' }),
};

const kernel = (register: string, bit: bigint, stops: Control['while'], more: Partial<Control> = {}): Control => ({
  register,
  bits: bit,
  while: stops,
  levels: ['el0'],
  to: 'kernel',
  ...more,
});
const hypervisor = (register: string, n: number, levels: readonly string[] = ['el0', 'el1']): Control => ({
  register,
  bits: 1n << BigInt(n),
  while: 'set',
  levels,
  to: 'hypervisor',
});
const userEnable = (which: bigint, more: Partial<Control> = {}): Control =>
  kernel('PMUSERENR_EL0', which, 'clear', more);

const controls: Readonly<Record<string, Control>> = {
  // D24.5.26. Bits EN 0, SW 1, CR 2, ER 3.
  [EN]: userEnable(1n),
  [SW]: userEnable(3n),
  [CR]: userEnable(5n, { stops: 'read', named: 'PMUSERENR_EL0.{CR,EN}' }),
  [CR_WRITE]: userEnable(1n, { stops: 'write', named: 'PMUSERENR_EL0.{CR,EN} are 0 (writes: EN)' }),
  [ER]: userEnable(9n),
  [ER_READ]: userEnable(9n, { stops: 'read', named: 'PMUSERENR_EL0.{ER,EN} are 0 (writes: EN)' }),
  [ER_WRITE]: userEnable(1n, { stops: 'write', named: 'PMUSERENR_EL0.{ER,EN} are 0 (writes: EN)' }),
  // D24.3.17. With HPMN 0 no event counter is the guest's.
  [TPM]: hypervisor('MDCR_EL2', 6),
  'MDCR_EL2.TPMCR': hypervisor('MDCR_EL2', 5),
  ...Object.fromEntries(
    Object.entries(FINE).flatMap(([name, { bit, el1: kernelOnly }]) =>
      fine(name).map((control) => {
        const [register = ''] = control.split('.');
        const levels = kernelOnly === true ? ['el1'] : ['el0', 'el1'];
        const stops = register === 'HDFGRTR_EL2' ? 'read' : 'write';
        return [control, { ...hypervisor(register, bit, levels), stops } satisfies Control] as const;
      }),
    ),
  ),
  // Reserved without FEAT_HPMN0, and refused by name with the CPU setting hpmn0: diagnostic.
  [HPMN_ZERO]: {
    register: 'MDCR_EL2',
    bits: 0x1fn,
    while: 'clear',
    levels: ['el0', 'el1'],
    to: 'hypervisor',
    named: 'MDCR_EL2.HPMN = 0 is reserved',
  },
  [HPMN]: { register: 'MDCR_EL2', bits: 0x1fn, while: 'clear', levels: ['el0', 'el1'], to: 'hypervisor' },
  'MDCR_EL2.TDE': hypervisor('MDCR_EL2', 8),
  'MDCR_EL2.TDA': hypervisor('MDCR_EL2', 9),
  'MDCR_EL2.TDOSA': hypervisor('MDCR_EL2', 10),
  'MDCR_EL2.TDRA': hypervisor('MDCR_EL2', 11),
  // D24.2.62. TID1, TID3 and TACR are about EL1: what they trap is undefined at EL0.
  'HCR_EL2.TID1': hypervisor('HCR_EL2', 16, ['el1']),
  'HCR_EL2.TID2': hypervisor('HCR_EL2', 17),
  'HCR_EL2.TID3': hypervisor('HCR_EL2', 18, ['el1']),
  'HCR_EL2.TACR': hypervisor('HCR_EL2', 21, ['el1']),
  // D24.3.20, D24.2.175, D24.2.36, D19.12.
  'MDSCR_EL1.TDCC': kernel('MDSCR_EL1', bits(12), 'set'),
  'SCTLR_EL1.UMA': kernel('SCTLR_EL1', bits(9), 'clear'),
  'SCTLR_EL1.DZE': kernel('SCTLR_EL1', bits(14), 'clear'),
  'SCTLR_EL1.UCT': kernel('SCTLR_EL1', bits(15), 'clear'),
  'SCTLR_EL1.UCI': kernel('SCTLR_EL1', bits(26), 'clear'),
  'CPACR_EL1.FPEN': kernel('CPACR_EL1', bits(20, 21), 'clear', { levels: ['el0', 'el1'] }),
  'CNTKCTL_EL1.EL0PCTEN': kernel('CNTKCTL_EL1', bits(0), 'clear'),
  'CNTKCTL_EL1.EL0VCTEN': kernel('CNTKCTL_EL1', bits(1), 'clear'),
  'CNTKCTL_EL1.EL0VTEN': kernel('CNTKCTL_EL1', bits(8), 'clear'),
  'CNTKCTL_EL1.EL0PTEN': kernel('CNTKCTL_EL1', bits(9), 'clear'),
  'CNTKCTL_EL1.EL0PCTEN and EL0VCTEN': kernel('CNTKCTL_EL1', bits(0, 1), 'clear'),
  // C5.2.14: while SP_EL0 is the stack pointer in use, it is not accessed by its name.
  SPSel: {
    register: 'SPSEL',
    bits: 1n,
    while: 'clear',
    levels: ['el1'],
    to: 'undefined',
    named: 'SP_EL0 is the stack pointer in use',
  },
};

const trapped: PolicyFacts = { controls: [TPM, 'MDCR_EL2.TPMCR'], pmu: 'performed' };
const direct: PolicyFacts = { controls: [], pmu: 'performed' };

/** D14.3: common event numbers. */
const events: Readonly<Record<number, readonly Signal[]>> = {
  0: ['increment'],
  6: ['load'],
  7: ['store'],
  8: ['instruction'],
  9: ['exception'],
  10: ['exception-return'],
  12: ['taken', 'exception-return'],
  13: ['branch-immediate'],
  14: ['return'],
  15: ['unaligned'],
  17: ['cycle'],
  19: ['access'],
  27: ['instruction'],
  30: ['carry'],
  33: ['branch', 'exception-return'],
  35: ['stall-frontend'],
  36: ['stall-backend'],
  60: ['stall-frontend', 'stall-backend'],
};

const counters = Array.from({ length: 31 }, (_, n) => `PMEVCNTR${n}_EL0`);
const selectors = Array.from({ length: 31 }, (_, n) => `PMEVTYPER${n}_EL0`);

/** Results of DEN 0022, 5.2.2. */
const NOT_SUPPORTED = ALL;
const INVALID_PARAMETERS = ALL - 1n;
const ALREADY_ON = ALL - 3n;

/** DEN 0022 chapter 5 and DEN 0028 chapter 7, asked by a guest of one vCPU. */
const calls: readonly CallFacts[] = [
  { number: 0x8400_0000n, arguments: [], answers: 0x1_0001n },
  // Nothing will wake it.
  { number: 0x8400_0001n, arguments: [0n, 0n, 0n], answers: { ends: 'waits-for-ever', status: 0, woken: 0n } },
  { number: 0xc400_0001n, arguments: [0n, 0n, 0n], answers: { ends: 'waits-for-ever', status: 0, woken: 0n } },
  { number: 0x8400_0002n, arguments: [], answers: { ends: 'off', status: 0 } },
  { number: 0x8400_0003n, arguments: [0n, 0x4008_0000n, 0n], answers: ALREADY_ON },
  { number: 0xc400_0003n, arguments: [0n, 0x4008_0000n, 0n], answers: ALREADY_ON },
  { number: 0x8400_0003n, arguments: [1n, 0x4008_0000n, 0n], answers: INVALID_PARAMETERS },
  { number: 0xc400_0003n, arguments: [1n, 0x4008_0000n, 0n], answers: INVALID_PARAMETERS },
  { number: 0x8400_0004n, arguments: [0n, 0n], answers: 0n },
  { number: 0xc400_0004n, arguments: [0n, 0n], answers: 0n },
  { number: 0xc400_0004n, arguments: [0x500n, 0n], answers: INVALID_PARAMETERS },
  { number: 0xc400_0004n, arguments: [0n, 4n], answers: INVALID_PARAMETERS },
  // No Trusted OS, or one that does not need to migrate.
  { number: 0x8400_0006n, arguments: [], answers: 2n },
  { number: 0x8400_0008n, arguments: [], answers: { ends: 'poweroff', status: 0 } },
  { number: 0x8400_0009n, arguments: [], answers: { ends: 'reset', status: 0 } },
  { number: 0x8400_000an, arguments: [0x8400_0000n], answers: 0n },
  { number: 0x8400_000an, arguments: [0xc400_0003n], answers: 0n },
  { number: 0x8400_000an, arguments: [0x8400_0005n], answers: NOT_SUPPORTED },
  { number: 0x8000_0000n, arguments: [], answers: 0x1_0001n },
  { number: 0x8000_0001n, arguments: [0x8000_0000n], answers: 0n },
  { number: 0x8000_0001n, arguments: [0x8000_8000n], answers: NOT_SUPPORTED },
  { number: 0x8400_ffffn, arguments: [], answers: NOT_SUPPORTED },
  { number: 0x0n, arguments: [], answers: NOT_SUPPORTED },
];

/** What PMUv3 without its later additions has: 32-bit counters, no LP, 10 bits of event (16 from v3p1 on). */
const narrow = (type: bigint): Readonly<Record<string, Partial<RegisterFacts>>> => ({
  ...Object.fromEntries(counters.map((name) => [name, { plain: LOW }])),
  ...Object.fromEntries(selectors.map((name) => [name, { plain: 0xfc00_0000n | type }])),
});

/** D24.3.17: what depends on HPMN, where HPMN = 0 is reserved. It comes behind all other controls, and before HPMN's own say. */
const reserved: Readonly<Record<string, Partial<RegisterFacts>>> = Object.fromEntries(
  [
    'PMCR_EL0 PMCNTENSET_EL0 PMCNTENCLR_EL0 PMINTENSET_EL1 PMINTENCLR_EL1 PMOVSSET_EL0 PMOVSCLR_EL0'.split(' '),
    'PMSWINC_EL0 PMXEVTYPER_EL0 PMXEVCNTR_EL0'.split(' '),
    counters,
    selectors,
  ]
    .flat()
    .map((name) => [
      name,
      { controls: [...(pmu[name]?.controls ?? []).filter((control) => control !== HPMN), HPMN_ZERO] },
    ]),
);

export const manual: Manual = {
  cpu: 'max',
  settings: { counters: 31 },
  registers: {
    ...state,
    ...control,
    ...identity,
    ...debug,
    ...Object.fromEntries(Object.keys(GICV3).map((name) => [name, { ...nowhere }])),
    ...timer,
    ...operations,
    ...pmu,
  },
  models: [
    { cpu: 'max', domain: { gic: 3 }, registers: { ...GICV3, ID_AA64PFR0_EL1: { reset: 0x1100_0000_0100_0011n } } },
    {
      cpu: 'max',
      settings: { counters: 0 },
      registers: all([...counters.slice(0, 4), ...selectors.slice(0, 4)].join(' '), { ...nowhere }),
    },
    {
      cpu: 'max',
      settings: { counters: 4 },
      registers: {
        // Event counters that are not there are undefined at every level.
        ...Object.fromEntries([...counters.slice(4), ...selectors.slice(4)].map((name) => [name, { ...nowhere }])),
        // Neither are windows onto them: PMSELR_EL0 is UNKNOWN after power-on, 30 in its loud pattern.
        PMXEVCNTR_EL0: { ...nowhere },
        PMXEVTYPER_EL0: { ...nowhere },
        // A bit for each of the four, and the cycle counter's.
        ...all('PMCNTENSET_EL0 PMINTENSET_EL1 PMOVSSET_EL0', { sets: 0x8000_000fn }),
        ...all('PMCNTENCLR_EL0 PMINTENCLR_EL1 PMOVSCLR_EL0', { clears: 0x8000_000fn }),
        PMCR_EL0: { reset: 0x2000n },
      },
    },
    { cpu: 'max,-hpmn0', settings: { counters: 31, hpmn0: 'diagnostic' }, registers: reserved },
    {
      // Technical reference manual of the Cortex-A57, less what is not modelled.
      cpu: 'cortex-a57',
      settings: { counters: 31 },
      registers: {
        ...narrow(0x3ffn),
        MIDR_EL1: { reset: 0x411f_d070n },
        CTR_EL0: { reset: 0x8444_c004n },
        CLIDR_EL1: { reset: 0x0a20_0023n },
        DCZID_EL0: { reset: 4n },
        ID_AA64PFR0_EL1: { reset: 0x11n },
        ID_AA64DFR0_EL1: { reset: 0x1030_5106n },
        ID_AA64ISAR0_EL1: { reset: 0x1_0000n },
        ID_AA64ISAR1_EL1: { reset: 0n },
        ID_AA64MMFR0_EL1: { reset: 0xf00_1024n },
        ID_AA64MMFR1_EL1: { reset: 0n },
        ID_AA64MMFR2_EL1: { reset: 0n },
        DBGAUTHSTATUS_EL1: { reset: 0xaan },
        // SPAN is RES1 without FEAT_PAN.
        SCTLR_EL1: {
          plain: bits(0, 1, 2, 3, 4, 9, 12, 14, 15, 16, 18, 19, 26),
          ones: bits(7, 8, 11, 20, 22, 23, 28, 29),
        },
        // It has the double lock.
        OSDLR_EL1: { plain: 1n },
        // No LP; Arm's implementer code and the Cortex-A57's.
        PMCR_EL0: { reset: 0x4101_f800n, plain: 0x79n },
        PMCEID1_EL0: { reset: bits(0x21 - 0x20) },
      },
    },
    {
      // Technical reference manual of the Neoverse N1.
      cpu: 'neoverse-n1',
      settings: { counters: 31 },
      registers: {
        ...narrow(0xffffn),
        MIDR_EL1: { reset: 0x414f_d0c1n },
        PMCR_EL0: { reset: 0x410c_f800n, plain: 0x79n },
        PMCEID1_EL0: { reset: bits(0x21 - 0x20, 0x23 - 0x20, 0x24 - 0x20) },
      },
    },
  ],
  controls,
  policies: {
    // The hypervisor opens the Performance Monitors to EL0, so that it is asked whatever PMUSERENR_EL0 holds.
    off: { controls: trapped.controls, pmu: 'undefined', ignores: [EN, SW, CR, CR_WRITE, ER, ER_READ, ER_WRITE] },
    passthrough: direct,
    switched: direct,
    emulated: trapped,
    // This model has FEAT_FGT: selectors, what tells of the host's PMU, and the overflow status trap; all else is direct.
    mediated: {
      controls: ['PMEVTYPERn_EL0', 'PMCCFILTR_EL0', 'PMOVS', 'PMCEIDn_EL0', 'PMMIR_EL1'].flatMap(fine),
      pmu: 'performed',
    },
  },
  events,
  // PMCR_EL0.E starts the guest's counters, so it comes back last; enables come back behind what they enable.
  order: [
    ...['PMCNTEN', 'PMINTEN', 'PMUSERENR_EL0', 'PMSELR_EL0', 'PMOVS', 'PMCCNTR_EL0', 'PMCCFILTR_EL0'].map(
      (name) => [name, 'PMCR'] as const,
    ),
    ...[...counters, ...selectors].flatMap((name) => [[name, 'PMCNTEN'] as const, [name, 'PMCR'] as const]),
    ['PMCCNTR_EL0', 'PMCNTEN'],
    ['PMCCFILTR_EL0', 'PMCNTEN'],
    ['PMOVS', 'PMINTEN'],
  ],
  carried: [
    'PMCR',
    'PMCNTEN',
    'PMINTEN',
    'PMUSERENR_EL0',
    'PMSELR_EL0',
    'PMOVS',
    'PMCCNTR_EL0',
    'PMCCFILTR_EL0',
    ...counters,
    ...selectors,
  ],
  // Either of the two stops every counter; both are shut, so that no later change of one starts any.
  freezes: ['PMCR', 'PMCNTEN'],
  calls,
};
