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
    what: /^handle\.ts: rule 4: a change comes before what was counted$/,
    why: "A guest's write reads the counter first (performWrite), which brings it up to date, and controls are folded by what was armed before. It matters to a hook that sets a counter unread (PMCR_EL0.C), and no neutral step does that.",
  },
  {
    what: /^machine\.ts: rule 6: nobody looks at the interrupt$/,
    why: 'The overflow status that the hook sets is a register whose row says the same (affects: interrupts), so the look is asked for twice.',
  },
  {
    arch: 'arm64',
    what: /^(?:CPU_OFF|SYSTEM_OFF|SYSTEM_RESET) answers one more$/,
    why: 'They do not return (DEN 0022, 5.5, 5.10, 5.11), and CPU_ON gives a vCPU that was off another X0, so no guest reads the answer.',
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
    what: /^HDFG[RW]TR_EL2 resets to/,
    why: 'A policy writes both before the first instruction of a guest (policy.ts). Under a personality with writes of its own they keep their reset value, which no neutral check runs under.',
  },
  {
    arch: 'arm64',
    what: /^DBG[BW][CV]R\d_EL1 (?:asks \S+ before NO_SUCH_(?:BREAK|WATCH)POINT|is not stopped by NO_SUCH_(?:BREAK|WATCH)POINT)$/,
    why: 'Every CPU model has six breakpoints and four watchpoints (ID_AA64DFR0_EL1), and only those are changed; no setting says otherwise.',
    equivalent: true,
  },
  {
    arch: 'arm64',
    what: /^(?:DBG[BW]CR\d_EL1\.E|MDSCR_EL1\.SS) is ignored$/,
    why: 'A write that sets the bit ends the domain by name, so it never holds 1.',
    equivalent: true,
  },
  {
    arch: 'arm64',
    what: /^(?:X\d+|SP|SPSEL|SS|PAN|IL|DAIF) resets to 0x[01]$/,
    why: 'The platform sets these where an image begins and where CPU_ON starts a vCPU, before the first instruction.',
    equivalent: true,
  },
  {
    what: /^CHAIN counts twice$/,
    why: 'Carries come from the neighbour, whatever else the event names.',
    equivalent: true,
  },
];
