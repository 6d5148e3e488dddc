/**
 * Xen on Arm: the physical PMU for domains with `vpmu = 1`, traps and a table of constants for the others.
 *
 * Facts from Xen's own source, staging of August 2026: arch/arm/traps.c (init_traps, get_default_hcr_flags), arch/arm/domain.c (context switch, mdcr_el2 per
 * vCPU), arch/arm/arm64/vsysreg.c (do_sysreg). compat is that, bug for bug; strict is what the reviewers of the series of 2021 asked for.
 */
import type { Demand, Mode, Outcome, Personality, TrapHandler, View, Writes } from '@countervisor/contract';
import { monitorDebug } from '../policy.ts';
import { MDCR } from '../registers/monitor.ts';
import { isDebug, sysregHandler, undefinedHere } from '../traps.ts';

/** What an access gets: a value (a write is dropped), or an undefined instruction. */
export type Answer = bigint | 'UNDEF';

/** One row of do_sysreg: what EL0 and EL1 get, for a read and a write. */
export interface TrappedRow {
  readonly el0: readonly [read: Answer, write: Answer];
  readonly el1: readonly [read: Answer, write: Answer];
}

/** handle_raz_wi with EL1 as the least level. */
const RAZ_WI: TrappedRow = { el0: ['UNDEF', 'UNDEF'], el1: [0n, 0n] };
/** handle_ro_read_val. */
const readOnly = (value: bigint, el0: Answer = 'UNDEF'): TrappedRow => ({
  el0: [el0, 'UNDEF'],
  el1: [value, 'UNDEF'],
});
/** Not in the switch: logged as unhandled, and undefined. */
const UNHANDLED: TrappedRow = { el0: ['UNDEF', 'UNDEF'], el1: ['UNDEF', 'UNDEF'] };

const all = (row: TrappedRow, ...names: readonly string[]): Readonly<Record<string, TrappedRow>> =>
  Object.fromEntries(names.map((name) => [name, row]));

const pairs = (name: string): readonly string[] => Array.from({ length: 16 }, (_, n) => name.replace('<n>', `${n}`));
const counters = (name: string): readonly string[] => Array.from({ length: 31 }, (_, n) => name.replace('<n>', `${n}`));

/** Every register that MDCR_EL2 = 0xE60 traps, and what its access gets. */
export const TRAPPED: Readonly<Record<string, TrappedRow>> = {
  ...all(RAZ_WI, 'PMINTENSET_EL1', 'PMINTENCLR_EL1'),
  PMUSERENR_EL0: { el0: [0n, 'UNDEF'], el1: [0n, 0n] },
  ...all(
    RAZ_WI,
    'PMCR_EL0',
    'PMCNTENSET_EL0',
    'PMCNTENCLR_EL0',
    'PMOVSCLR_EL0',
    'PMOVSSET_EL0',
    'PMSWINC_EL0',
    'PMSELR_EL0',
    'PMCEID0_EL0',
    'PMCEID1_EL0',
    'PMCCNTR_EL0',
    'PMXEVTYPER_EL0',
    'PMXEVCNTR_EL0',
  ),
  ...all(UNHANDLED, ...counters('PMEVCNTR<n>_EL0'), ...counters('PMEVTYPER<n>_EL0'), 'PMCCFILTR_EL0', 'PMMIR_EL1'),

  MDRAR_EL1: readOnly(0n),
  OSLAR_EL1: { el0: ['UNDEF', 'UNDEF'], el1: ['UNDEF', 0n] },
  OSDLR_EL1: RAZ_WI,
  OSLSR_EL1: readOnly(8n),
  MDSCR_EL1: RAZ_WI,
  ...all(
    RAZ_WI,
    ...pairs('DBGBVR<n>_EL1'),
    ...pairs('DBGBCR<n>_EL1'),
    ...pairs('DBGWVR<n>_EL1'),
    ...pairs('DBGWCR<n>_EL1'),
  ),
  MDCCSR_EL0: readOnly(0n, 0n),
  ...all(
    UNHANDLED,
    'DBGDTR_EL0',
    'DBGDTRTX_EL0',
    'DBGPRCR_EL1',
    'MDCCINT_EL1',
    'OSDTRRX_EL1',
    'OSDTRTX_EL1',
    'OSECCR_EL1',
    'DBGCLAIMSET_EL1',
    'DBGCLAIMCLR_EL1',
    'DBGAUTHSTATUS_EL1',
  ),
};

/** Rows that a build with partial emulation answers otherwise: the transmit register is always full, so that its probe gives up. */
export const PARTIAL_EMULATION: Readonly<Record<string, TrappedRow>> = {
  MDCCSR_EL0: readOnly(1n << 29n, 1n << 29n),
  DBGDTR_EL0: { el0: [0n, 0n], el1: [0n, 0n] },
  DBGDTRTX_EL0: { el0: [0n, 0n], el1: [0n, 0n] },
};

/** HCR_EL2 of every vCPU: what get_default_hcr_flags gives, and RW. */
const HCR = 0x807c_663fn;
const DEBUG = MDCR.TDRA | MDCR.TDOSA | MDCR.TDA;

/** MDCR_EL2 at boot and for a vCPU with `vpmu = 0`. */
export const MDCR_TRAPPED: bigint = DEBUG | MDCR.TPM | MDCR.TPMCR;
/** For a vCPU with `vpmu = 1`. */
export const MDCR_EXPOSED: bigint = DEBUG;

/** Has this domain Xen's own treatment, or a policy that Xen does not know? */
const xens = (view: View): boolean => view.policy === 'passthrough' || view.policy === 'off';

function answer(row: TrappedRow | undefined, level: number, write: boolean, name: string): Outcome {
  const { el0, el1 } = row ?? UNHANDLED;
  const given = (level === 0 ? el0 : el1)[write ? 1 : 0];
  const why = `Xen do_sysreg: ${name} ${write ? 'write' : 'read'} at EL${level}`;
  if (given === 'UNDEF') return undefinedHere(`${why} is undefined`);
  return { then: 'complete', value: given, why: write ? `${why} is ignored` : `${why} is 0x${given.toString(16)}` };
}

const compat: TrapHandler = (vcpu, trap) => {
  const name = trap.access?.register ?? '';
  if (name === 'ACTLR_EL1') return { then: 'complete' };
  if (!isDebug(name) && !xens(vcpu)) return sysregHandler(vcpu, trap);
  const partial = vcpu.settings.partial_emulation === true ? PARTIAL_EMULATION[name] : undefined;
  return answer(partial ?? TRAPPED[name], vcpu.level, trap.access?.write !== undefined, name);
};

/** Debug registers are as in compat; a domain without a PMU has none of its registers. */
const strict: TrapHandler = (vcpu, trap) =>
  isDebug(trap.access?.register ?? '') ? compat(vcpu, trap) : sysregHandler(vcpu, trap);

/** Last on a switch, with no barrier behind it, and not for idle: the physical CPU keeps the last guest's value. */
function enforce(mode: Mode, demand: Demand, view: View): Writes {
  const exposed = view.settings.vpmu === true && view.policy === 'passthrough';
  const own = exposed ? MDCR_EXPOSED : MDCR_TRAPPED;
  return [
    ['HCR_EL2', HCR],
    ['MDCR_EL2', mode === 'compat' && xens(view) ? own : monitorDebug(demand, view) | DEBUG],
  ];
}

export const xen: Personality = {
  name: 'xen-arm',
  means: 'Xen on Arm with `vpmu`: the physical Performance Monitors, or a table of constants.',
  // A domain without `vpmu` has the physical registers as well, behind traps: nothing is swapped out for it, and PMUSERENR_EL0 and running counters
  // stay as the neighbour left them.
  policy: (mode, vpmu) => (mode === 'compat' ? 'passthrough' : vpmu ? 'switched' : 'off'),
  policies: ['off', 'passthrough', 'switched', 'emulated'],
  quirks: [
    {
      name: 'hpmn-zero',
      means:
        'MDCR_EL2.HPMN is written as 0: CONSTRAINED UNPREDICTABLE without FEAT_HPMN0, so a `vpmu = 1` guest gets no event counters, or all of them (CPU setting hpmn0).',
      source: 'Xen arch/arm/domain.c: mdcr_el2 holds TDRA, TDOSA and TDA alone',
    },
    {
      name: 'no-save-restore',
      means:
        'Nothing of the Performance Monitors is saved or restored: two `vpmu = 1` domains on one CPU see each other’s counts.',
      source: 'Xen arch/arm/domain.c, ctxt_switch_from and ctxt_switch_to; docs/man/xl.cfg.5.pod.in, vpmu',
    },
    {
      name: 'no-interrupt',
      means: 'The overflow interrupt is never delivered to the guest.',
      source: 'Xen docs/man/xl.cfg.5.pod.in, vpmu',
    },
    {
      name: 'pmuver-visible',
      means: 'ID_AA64DFR0_EL1.PMUVer shows the host’s version to a domain whose Performance Monitors trap.',
      source: 'Xen arch/arm/cpufeature.c, create_guest_cpuinfo; arch/arm/arm64/vsysreg.c, GENERATE_TID3_INFO',
    },
    {
      name: 'pmuserenr-leak',
      means:
        'PMUSERENR_EL0 is never written: what a `vpmu = 1` domain sets there decides whether EL0 of a `vpmu = 0` neighbour traps to its kernel or to Xen.',
      source: 'Xen at large: no write of PMUSERENR_EL0',
    },
    {
      name: 'unhandled-registers',
      means:
        'PMEVCNTR<n>_EL0, PMEVTYPER<n>_EL0, PMCCFILTR_EL0 and PMMIR_EL1 are undefined to a `vpmu = 0` domain, while PMCR_EL0 and others read as 0.',
      source: 'Xen arch/arm/arm64/vsysreg.c, do_sysreg: the comment under MDCR_EL2.TPM',
    },
    {
      name: 'idle-keeps-mdcr',
      means:
        'MDCR_EL2 is written last on a switch to a guest, with no barrier behind it, and not at all for the idle vCPU.',
      source: 'Xen arch/arm/domain.c, ctxt_switch_to',
    },
  ],
  settings: (mode, vpmu) => ({
    vpmu,
    // The host's ID_AA64PFR0_EL1.EL2 and EL3 are not hidden either.
    levels: 'host',
    pmuver: mode === 'compat' || vpmu ? 'host' : 'hidden',
    el0: mode === 'compat' || vpmu ? 'guest' : 'open',
  }),
  handlers: (mode) => ({ sysreg: mode === 'compat' ? compat : strict }),
  enforce,
  interrupt: (mode, vpmu) => mode === 'strict' && vpmu,
  createdBy: 'libxl',
};
