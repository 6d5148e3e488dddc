/** Mutants that survive, and why that is right: most change nothing that a guest, or anybody outside, could see. */
export interface Explained {
  /** Of this architecture alone. */
  readonly arch?: string;
  /** What the mutant is called. */
  readonly what: RegExp;
  readonly why: string;
}

export const EXPLAINED: readonly Explained[] = [
  {
    what: /^pmu\/bank\.ts: a signal named twice counts once$/,
    why: 'No event names a signal twice; core tests it on rows of its own (pmu/rules-1-4.test.ts).',
  },
  {
    what: /^pmu\/bank\.ts: 32-bit counts have an upper half$/,
    why: "Equivalent: a 32-bit counter has no upper half (its row's `implemented`), so what stands there is never read.",
  },
  {
    what: /^pmu\/bank\.ts: rule 7: increments are signals as well$/,
    why: 'Equivalent: no instruction emits `increment`; software increments come by `Vcpu.count` alone.',
  },
  {
    arch: 'arm64',
    what: /^access\/legalize\.ts: read-only is written$/,
    why: 'No row stores read-only bits: they are made at each read. Core tests it on rows of its own (access/legalize.test.ts).',
  },
  {
    what: /^access\/legalize\.ts: after power-on bits that are one are not$/,
    why: 'No row of unknown reset has bits that are always one. Core tests it on rows of its own (access/legalize.test.ts).',
  },
  {
    arch: 'arm64',
    what: /^access\/perform\.ts: windows onto nothing read as 0$/,
    why: "A window onto nothing is arm64's PMXEV<reg> with a counter that is not there: arm64's own tests (registers/pmu.test.ts, counters.test.ts).",
  },
  {
    what: /^access\/perform\.ts: bits that are not implemented are written$/,
    why: 'Equivalent while what is implemented stays: what is hidden is never read. Where it changes (HPMN), arm64 and core have tests of their own.',
  },
  {
    what: /^access\/perform\.ts: windows show bits that are not implemented$/,
    why: 'Equivalent: every window has the bits of the register behind it.',
  },
  {
    what: /^handle\.ts: what is not there is 1$/,
    why: 'Equivalent: nobody asks for a register that the CPU lacks; a guest is told so before (`access/decide.ts`).',
  },
  {
    arch: 'arm64',
    what: /(?: asks HPMN(?:_ZERO)? before HPMN(?:_ZERO)?| before HPMN_ZERO| asks HPMN_ZERO before [A-Z_]+| is not stopped by HPMN_ZERO)$/,
    why: 'HPMN_ZERO is armed only with the CPU setting hpmn0=diagnostic, which no model of the manual has: arm64/traps.test.ts.',
  },
  {
    arch: 'arm64',
    what: /^PMCNTEN is not frozen$/,
    why: "Equivalent: PMCR_EL0.E is 0 by then, so that none of the guest's counters runs.",
  },
  {
    arch: 'arm64',
    what: /^CPU_SUSPEND answers one more$/,
    why: 'A guest alone that waits without an interrupt never reads the answer: arm64/hypercall.test.ts does.',
  },
];
