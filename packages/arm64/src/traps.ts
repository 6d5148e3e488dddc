/**
 * What stops a register access: groups (which control bit), causes (who handles it), handlers. Arm DDI 0487, D1.3.6 (EL1 configurable controls)
 * and the access pseudocode of each register; each row lists its groups in the order in which that pseudocode asks.
 */
import type { Access, Cause, Exception, Outcome, Trap, TrapGroup, Vcpu, View } from '@countervisor/contract';
import { generic } from './address.ts';
import { CYCLE, firstRange, implemented, reservedHpmn } from './counters.ts';
import { debug } from './registers/debug.ts';
import { fgtGroups } from './registers/fgt.ts';
import { pmu } from './registers/pmu.ts';
import type { Level } from './registers/row.ts';

type Group = TrapGroup<string, Level, string>;

const BOTH: readonly Level[] = ['el0', 'el1'];
const EL0: readonly Level[] = ['el0'];

/** A control bit of the hypervisor's. */
const hypervisor = (register: string, field: string, source: string, cause = 'sysreg', at = BOTH): Group => ({
  when: { register, field, is: 1n },
  on: 'both',
  at,
  cause,
  source,
});

/** A control bit of the guest's own EL1 that keeps EL0 out. */
const kernel = (register: string, field: string, is: bigint, source: string): Group => ({
  when: { register, field, is },
  on: 'both',
  at: EL0,
  cause: 'user-sysreg',
  source,
});

const EN = 1n;
const SW = 2n;
const CR = 4n;
const ER = 8n;

/**
 * Has the hypervisor opened the Performance Monitors to EL0, so that an EL0 access reaches its traps whatever the guest wrote to PMUSERENR_EL0? KVM does at
 * entry; a policy without a PMU does, so that there is none at EL0 either. Xen leaves the physical register as the last guest wrote it.
 */
export function opened(view: View): boolean {
  const { el0 } = view.settings;
  // A mediated guest's PMUSERENR_EL0 is the physical one.
  if (view.policy === 'mediated') return false;
  return el0 === undefined ? view.policy === 'off' : el0 === 'open';
}

/** Do all of these bits of PMUSERENR_EL0 read 0? */
export function userDenied(view: View, reading: bigint, writing: bigint, write: boolean): boolean {
  return (view.get('PMUSERENR_EL0') & (write ? writing : reading)) === 0n;
}

/** For each group about PMUSERENR_EL0: the bits of which one must be set, to read and to write. */
export const USER_BITS: Readonly<Record<string, readonly [reading: bigint, writing: bigint]>> = {
  PMUSERENR_EN: [EN, EN],
  PMUSERENR_SW: [EN | SW, EN | SW],
  PMUSERENR_CR: [EN | CR, EN],
  PMUSERENR_ER: [EN | ER, EN | ER],
  PMUSERENR_ER_READ: [EN | ER, EN],
};

const user = (name: string, source: string): Group => {
  const [reading, writing] = USER_BITS[name] ?? [EN, EN];
  return {
    when: (view, access) => !opened(view) && userDenied(view, reading, writing, access.write !== undefined),
    on: 'both',
    at: EL0,
    cause: 'user-sysreg',
    source,
  };
};

/** The event counter that an access to PMEVCNTR<n>_EL0, PMEVTYPER<n>_EL0, PMXEVCNTR_EL0 or PMXEVTYPER_EL0 is about. */
function counterOf(view: View, access: Access): number {
  if (access.register.startsWith('PMX')) return Number(view.get('PMSELR_EL0') & 0x1fn);
  return access.address.index & 0x1f;
}

function beyondHpmn(view: View, access: Access): boolean {
  const n = counterOf(view, access);
  return n !== CYCLE && n >= firstRange(view);
}

/** Is HPMN = 0 to be refused? Where it would mean all, a mediated guest would get the counters that the host keeps for itself. */
function dependsOnReserved(view: View): boolean {
  const { hpmn0 } = view.cpu.settings;
  return (hpmn0 === 'diagnostic' || (hpmn0 === 'all' && view.policy === 'mediated')) && reservedHpmn(view);
}

/** PMXEVTYPER_EL0 with SEL = 31 is PMCCFILTR_EL0. */
const isCycleFilter = (access: Access, n: number): boolean => n === CYCLE && access.register === 'PMXEVTYPER_EL0';

const pairs = (view: View, low: number): number =>
  Number(((view.cpu.identity.ID_AA64DFR0_EL1 ?? 0n) >> BigInt(low)) & 15n) + 1;

/** DBG{B,W}{V,C}R<n>_EL1 have n in CRm. */
const pairOf = (access: Access): number => (access.address.index >> 3) & 15;

export const trapGroups: Readonly<Record<string, Group>> = {
  TPM: hypervisor('MDCR_EL2', 'TPM', 'MDCR_EL2.TPM, Arm DDI 0487 D24.3.17'),
  TPMCR: hypervisor('MDCR_EL2', 'TPMCR', 'MDCR_EL2.TPMCR, Arm DDI 0487 D24.3.17'),
  ...fgtGroups,
  HPMN: {
    when: beyondHpmn,
    on: 'both',
    at: BOTH,
    cause: 'sysreg',
    source: 'MDCR_EL2.HPMN: event counters from HPMN on are the hypervisor’s, Arm DDI 0487 D24.5.10',
  },
  HPMN_ZERO: {
    when: dependsOnReserved,
    on: 'both',
    at: BOTH,
    cause: 'reserved-hpmn',
    source: 'MDCR_EL2.HPMN = 0 is reserved without FEAT_HPMN0, Arm DDI 0487 D24.3.17',
  },
  TDE: hypervisor('MDCR_EL2', 'TDE', 'MDCR_EL2.TDE, Arm DDI 0487 D24.3.17'),
  TDA: hypervisor('MDCR_EL2', 'TDA', 'MDCR_EL2.TDA, Arm DDI 0487 D24.3.17'),
  TDOSA: hypervisor('MDCR_EL2', 'TDOSA', 'MDCR_EL2.TDOSA, Arm DDI 0487 D24.3.17'),
  TDRA: hypervisor('MDCR_EL2', 'TDRA', 'MDCR_EL2.TDRA, Arm DDI 0487 D24.3.17'),
  TID1: hypervisor('HCR_EL2', 'TID1', 'HCR_EL2.TID1, Arm DDI 0487 D24.2.62', 'identity', ['el1']),
  TID2: hypervisor('HCR_EL2', 'TID2', 'HCR_EL2.TID2, Arm DDI 0487 D24.2.62', 'identity'),
  TID3: hypervisor('HCR_EL2', 'TID3', 'HCR_EL2.TID3, Arm DDI 0487 D24.2.62', 'identity', ['el1']),
  TACR: hypervisor('HCR_EL2', 'TACR', 'HCR_EL2.TACR, Arm DDI 0487 D24.2.62', 'sysreg', ['el1']),

  PMUSERENR_EN: user('PMUSERENR_EN', 'PMUSERENR_EL0.EN is 0, Arm DDI 0487 D24.5.26'),
  PMUSERENR_SW: user('PMUSERENR_SW', 'PMUSERENR_EL0.{SW,EN} are 0, Arm DDI 0487 D24.5.26'),
  PMUSERENR_CR: user('PMUSERENR_CR', 'PMUSERENR_EL0.{CR,EN} are 0 (writes: EN), Arm DDI 0487 D24.5.26'),
  PMUSERENR_ER: user('PMUSERENR_ER', 'PMUSERENR_EL0.{ER,EN} are 0, Arm DDI 0487 D24.5.26'),
  PMUSERENR_ER_READ: user('PMUSERENR_ER_READ', 'PMUSERENR_EL0.{ER,EN} are 0 (writes: EN), Arm DDI 0487 D24.5.26'),
  TDCC: kernel('MDSCR_EL1', 'TDCC', 1n, 'MDSCR_EL1.TDCC, Arm DDI 0487 D24.3.20'),
  UMA: kernel('SCTLR_EL1', 'UMA', 0n, 'SCTLR_EL1.UMA is 0, Arm DDI 0487 D24.2.175'),
  UCT: kernel('SCTLR_EL1', 'UCT', 0n, 'SCTLR_EL1.UCT is 0, Arm DDI 0487 D24.2.175'),
  UCI: kernel('SCTLR_EL1', 'UCI', 0n, 'SCTLR_EL1.UCI is 0, Arm DDI 0487 D24.2.175'),
  DZE: kernel('SCTLR_EL1', 'DZE', 0n, 'SCTLR_EL1.DZE is 0, Arm DDI 0487 D24.2.175'),
  FPEN: {
    when: (view) => {
      const fpen = view.field('CPACR_EL1', 'FPEN');
      return view.level === 0 ? fpen !== 3n : (fpen & 1n) === 0n;
    },
    on: 'both',
    at: BOTH,
    cause: 'fp-access',
    source: 'CPACR_EL1.FPEN, Arm DDI 0487 D24.2.36',
  },

  NO_SUCH_COUNTER: {
    when: (view, access) => {
      const n = counterOf(view, access);
      return n >= implemented(view) && !isCycleFilter(access, n);
    },
    on: 'both',
    at: BOTH,
    cause: 'undefined',
    source: 'this event counter is not implemented, Arm DDI 0487 D24.5.10',
  },
  NO_SUCH_BREAKPOINT: {
    when: (view, access) => pairOf(access) >= pairs(view, 12),
    on: 'both',
    at: BOTH,
    cause: 'undefined',
    source: 'this breakpoint is not implemented (ID_AA64DFR0_EL1.BRPs), Arm DDI 0487 D24.3',
  },
  NO_SUCH_WATCHPOINT: {
    when: (view, access) => pairOf(access) >= pairs(view, 20),
    on: 'both',
    at: BOTH,
    cause: 'undefined',
    source: 'this watchpoint is not implemented (ID_AA64DFR0_EL1.WRPs), Arm DDI 0487 D24.3',
  },
  SP_EL0_IN_USE: {
    when: { register: 'SPSEL', field: 'VALUE', is: 0n },
    on: 'both',
    at: ['el1'],
    cause: 'undefined',
    source: 'SP_EL0 is the stack pointer in use, Arm DDI 0487 C5.2.14',
  },
  BREAKPOINT: {
    when: (_view, access) => ((access.write ?? 0n) & 1n) !== 0n,
    on: 'write',
    at: ['el1'],
    cause: 'unmodelled',
    source: 'breakpoints and watchpoints are not modelled',
  },
  STEP: {
    when: (_view, access) => ((access.write ?? 0n) & 1n) !== 0n,
    on: 'write',
    at: ['el1'],
    cause: 'unmodelled',
    source: 'software step is not modelled',
  },
};

/** EC 0x00. */
export const UNDEFINED: Exception = { kind: 'undefined' };

export function undefinedHere(why: string): Outcome {
  return { then: 'inject', exception: UNDEFINED, why };
}

/** ISS of EC 0x18, from the instruction: Op0, Op2, Op1, CRn, Rt, CRm, and 1 for a read. Arm DDI 0487, D24.2.45. */
export function sysregSyndrome(bits: bigint): bigint {
  const from = (high: number, low: number): bigint => (bits >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);
  return (
    (from(20, 19) << 20n) |
    (from(7, 5) << 17n) |
    (from(18, 16) << 14n) |
    (from(15, 12) << 10n) |
    (from(4, 0) << 5n) |
    (from(11, 8) << 1n) |
    from(21, 21)
  );
}

const isPmu = (name: string): boolean => Object.hasOwn(pmu, name);
export const isDebug = (name: string): boolean => Object.hasOwn(debug, name);

/** What a hypervisor without a personality does with a trapped access: the guest's own registers hold the answer, and without a PMU there is none. */
export function sysregHandler(vcpu: Vcpu, trap: Trap): Outcome {
  const name = trap.access?.register ?? '';
  if (trap.group === 'HPMN') return undefinedHere('the counter is the hypervisor’s');
  if (vcpu.policy === 'off' && isPmu(name)) return undefinedHere('the guest has no PMU');
  // A control in front of HPMN trapped it: HPMN has its say all the same.
  if (trap.access !== undefined && vcpu.policy === 'mediated') {
    const groups = pmu[name]?.traps ?? [];
    if (groups.includes('HPMN_ZERO') && dependsOnReserved(vcpu)) return reservedHpmnHandler(vcpu, trap);
    if (groups.includes('HPMN') && beyondHpmn(vcpu, trap.access)) return undefinedHere('the counter is the host’s');
  }
  return { then: 'complete' };
}

function unmodelled(vcpu: Vcpu, trap: Trap): Outcome {
  const at = `at pc 0x${trap.pc.toString(16)} (EL${vcpu.level})`;
  if (trap.access === undefined) {
    return {
      then: 'unmodelled',
      code: 'CV_UNMODELLED_INSTRUCTION',
      message: `instruction 0x${trap.bits.toString(16).padStart(8, '0')} ${at} is floating-point or SIMD, enabled by CPACR_EL1.FPEN, and not modelled.`,
      remedy: 'Build the guest with -mgeneral-regs-only, or leave CPACR_EL1.FPEN at 0 so that it takes the trap.',
    };
  }
  return {
    then: 'unmodelled',
    code: 'CV_UNMODELLED_REGISTER',
    message: `the write of 0x${(trap.access.write ?? 0n).toString(16)} to ${trap.access.register} ${at} enables what is not modelled: breakpoints, watchpoints, software step.`,
    remedy: 'Run the guest without self-hosted debug.',
  };
}

function reservedHpmnHandler(vcpu: Vcpu, trap: Trap): Outcome {
  const name = trap.access?.register ?? generic(0);
  return {
    then: 'unmodelled',
    code: 'CV_HPMN_ZERO',
    message: `the access to ${name} at pc 0x${trap.pc.toString(16)} (EL${vcpu.level}) depends on MDCR_EL2.HPMN = 0, which is CONSTRAINED UNPREDICTABLE on ${vcpu.cpu.name}: no event counters, or an unknown number of them.`,
    remedy: 'Set hpmn0 to none or all, the two outcomes to choose from.',
  };
}

export const causes: Readonly<Record<string, Cause>> = {
  sysreg: { to: 'hypervisor', handler: sysregHandler, means: 'A system register access that EL2 traps.' },
  identity: {
    to: 'hypervisor',
    handler: () => ({ then: 'complete' }),
    means: 'An identification register access that EL2 traps.',
  },
  'reserved-hpmn': {
    to: 'hypervisor',
    handler: reservedHpmnHandler,
    means: 'An access that depends on a reserved MDCR_EL2.HPMN, under the setting hpmn0: diagnostic.',
  },
  'user-sysreg': {
    to: 'guest',
    handler: (_vcpu, trap) => ({
      then: 'inject',
      exception: { kind: 'sysreg-trap', syndrome: sysregSyndrome(trap.bits) },
    }),
    means: 'A system register access at EL0 that the guest’s EL1 traps.',
  },
  'fp-access': {
    to: 'guest',
    handler: () => ({ then: 'inject', exception: { kind: 'fp-access' } }),
    means: 'FPCR or FPSR while CPACR_EL1.FPEN forbids it.',
  },
  undefined: {
    to: 'guest',
    handler: () => ({ then: 'inject', exception: UNDEFINED }),
    means: 'A register that this CPU does not have, or not now.',
  },
  hypercall: { to: 'hypervisor', handler: 'hypercall', means: 'HVC.' },
  smc: {
    to: 'hypervisor',
    handler: () => undefinedHere('there is no firmware to call: HVC is the conduit'),
    means: 'SMC, trapped by HCR_EL2.TSC.',
  },
  wait: { to: 'hypervisor', handler: 'wait', means: 'WFI.' },
  'wait-event': {
    to: 'hypervisor',
    // There is no event register: WFE gives the rest of the turn away, which the manual permits at any time.
    handler: (vcpu) => {
      vcpu.domain.yield();
      return { then: 'complete' };
    },
    means: 'WFE.',
  },
  unmodelled: { to: 'hypervisor', handler: unmodelled, means: 'What the model does not do, and does not pretend to.' },
};
