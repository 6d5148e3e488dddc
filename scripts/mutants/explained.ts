/** Mutants that survive, and why that is right: most change nothing that a guest, or anybody outside, could see. */
export interface Explained {
  /** Of this architecture alone. */
  readonly arch?: string;
  /** What the mutant is called. */
  readonly what: RegExp;
  readonly why: string;
  /** Nobody could ever tell it from the original, so it does not count. */
  readonly equivalent?: true;
}

export const EXPLAINED: readonly Explained[] = [
  {
    what: /^pmu\/bank\.ts: a signal named twice counts once$/,
    why: 'No event names a signal twice; core tests it on rows of its own (pmu/rules-1-4.test.ts).',
  },
  {
    what: /^pmu\/bank\.ts: 32-bit counts have an upper half$/,
    why: "A 32-bit counter has no upper half (its row's `implemented`), so what stands there is never read.",
    equivalent: true,
  },
  {
    what: /^pmu\/bank\.ts: rule 7: increments are signals as well$/,
    why: 'No instruction emits `increment`; software increments come by `Vcpu.count` alone.',
    equivalent: true,
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
    why: 'Every window has the bits of the register behind it.',
    equivalent: true,
  },
  {
    what: /^handle\.ts: what is not there is 1$/,
    why: 'Nobody asks for a register that the CPU lacks; a guest is told so before (`access/decide.ts`).',
    equivalent: true,
  },
  {
    arch: 'arm64',
    what: /(?: asks HPMN(?:_ZERO)? before HPMN(?:_ZERO)?| before HPMN_ZERO| asks HPMN_ZERO before [A-Z_]+| is not stopped by HPMN_ZERO)$/,
    why: 'HPMN_ZERO is armed only with the CPU setting hpmn0=diagnostic, which no model of the manual has: arm64/traps.test.ts.',
  },
  {
    arch: 'arm64',
    what: /^(?:PMCR|PMCNTEN) is not frozen$/,
    why: "Either of the two stops every counter of the guest's, and both are written.",
    equivalent: true,
  },
  {
    arch: 'arm64',
    what: /^(?:CPU_SUSPEND|CPU_OFF|SYSTEM_OFF|SYSTEM_RESET) answers one more$/,
    why: 'Who is off, or waits alone without an interrupt, never reads an answer. That CPU_SUSPEND answers 0 is in arm64/hypercall.test.ts.',
    equivalent: true,
  },
  {
    arch: 'arm64',
    what: /^UNALIGNED_LDST_RETIRED (?:is event 0x77|counts (?:load|twice))$/,
    why: 'No program of arm64 is unaligned: with translation off memory is Device memory, where that faults. arm64/events.test.ts has guests with translation.',
  },
  {
    what: /^SW_INCR counts twice$/,
    why: 'Software increments come by `Vcpu.count` alone, whatever the event names.',
    equivalent: true,
  },
  {
    arch: 'arm64',
    what: /^PMEV(?:CNTR|TYPER)\d+_EL0 (?:asks \S+ before NO_SUCH_COUNTER|is not stopped by NO_SUCH_COUNTER)$/,
    why: 'A counter that is not there lies beyond HPMN as well, and both refuse it; only the syndrome differs, which no neutral check reads.',
  },
  {
    arch: 'arm64',
    what: /^DBG[BW][CV]R\d_EL1 (?:asks \S+ before NO_SUCH_(?:BREAK|WATCH)POINT|is not stopped by NO_SUCH_(?:BREAK|WATCH)POINT)$/,
    why: 'Every CPU model has these.',
    equivalent: true,
  },
  {
    arch: 'arm64',
    what: /^(?:DBG[BW]CR\d_EL1|MDSCR_EL1) (?:asks (?:STEP|BREAKPOINT) before \S+|is not stopped by (?:STEP|BREAKPOINT))$/,
    why: 'Enabling a breakpoint or software step ends the domain by name; the neutral checks stay away from it (arm64/traps.test.ts).',
  },
  {
    arch: 'arm64',
    what: /^(?:DBG[BW]CR\d_EL1\.E|MDSCR_EL1\.SS) is ignored$/,
    why: 'A write that sets the bit ends the domain by name, so it never holds 1.',
    equivalent: true,
  },
  {
    arch: 'arm64',
    what: /^(?:X\d+|SP|SP_EL0|SP_EL1|SPSEL|PAN|IL|DAIF|NZCV) resets to 0x[01]$/,
    why: 'The platform sets these at entry, before the first instruction.',
    equivalent: true,
  },
  {
    what: /^CHAIN counts twice$/,
    why: 'Carries come from the neighbour, whatever else the event names.',
    equivalent: true,
  },
];
