/**
 * Traps, in three steps of indirection and no more: a register names groups, a group names its control and its cause, a cause names its handler.
 * "Which bit makes this trap" is a group; "what the hypervisor then does" is a handler.
 */
import type { Cause, Outcome, Trap, TrapGroup, Vcpu } from '@countervisor/contract';
import type { Level } from './features.ts';
import type { ControlName } from './registers/control.ts';
import type { PmuName } from './registers/pmu.ts';

export type GroupName = 'USER_PMU' | 'TPM';
export type CauseName = 'user-pmu' | 'pmu' | 'hypercall' | 'wait';

/** What arms a trap is a field's value wherever that will do: then the trace can name the bit that decided. */
export const trapGroups: Readonly<Record<GroupName, TrapGroup<ControlName | PmuName, Level, CauseName>>> = {
  USER_PMU: {
    when: { register: 'PMUSER', field: 'EN', is: 0n },
    on: 'both',
    at: ['user'],
    cause: 'user-pmu',
    source: 'PMUSER.EN is 0: registers/pmu.ts',
  },
  TPM: {
    when: { register: 'HCTL', field: 'TPM', is: 1n },
    on: 'both',
    at: ['user', 'kernel'],
    cause: 'pmu',
    source: 'HCTL.TPM is 1: registers/control.ts',
  },
};

/** The guest's own kernel forbids it to the guest's user level: no exit, the guest takes an exception. */
function forbid(_vcpu: Vcpu, trap: Trap): Outcome {
  return { then: 'inject', exception: { kind: 'privileged', syndrome: BigInt(trap.access?.address.index ?? 0) } };
}

/** `complete` without a value: core performs the access at the register's home, as it would have untrapped. */
function perform(vcpu: Vcpu): Outcome {
  return vcpu.policy === 'off'
    ? { then: 'inject', exception: { kind: 'undefined' }, why: 'this domain has no vPMU' }
    : { then: 'complete', why: 'performed for the guest' };
}

export const causes: Readonly<Record<CauseName, Cause>> = {
  'user-pmu': { to: 'guest', handler: forbid, means: 'The user level touched the PMU without leave.' },
  pmu: { to: 'hypervisor', handler: perform, means: 'The guest touched the PMU, and the hypervisor wants to see it.' },
  // These two are core's own: the hypercall table, and waiting for an interrupt.
  hypercall: { to: 'hypervisor', handler: 'hypercall', means: 'The guest called the hypervisor.' },
  wait: { to: 'hypervisor', handler: 'wait', means: 'The guest has nothing to do until an interrupt.' },
};
