/**
 * What stops a register access: groups (which control bit), causes (who handles it), handlers. Power ISA 3.0B, book III, 6.2.10 (FSCR), 6.2.11 (HFSCR).
 */
import type { Cause, Outcome, Trap, TrapGroup, Vcpu } from '@countervisor/contract';
import { FACILITY } from './registers/control.ts';
import type { Level } from './registers/row.ts';

type Group = TrapGroup<string, Level, string>;

/** FSCR keeps problem state out of a facility. */
const facility = (field: string): Group => ({
  when: { register: 'FSCR', field, is: 0n },
  on: 'both',
  at: ['problem'],
  cause: 'facility',
  source: `FSCR[${field}] is 0, Power ISA 3.0B, book III, 6.2.10`,
});

export const trapGroups: Readonly<Record<string, Group>> = {
  FSCR_DSCR: facility('DSCR'),
  FSCR_EBB: facility('EBB'),
  FSCR_TAR: facility('TAR'),
};

/** The number by which FSCR[IC] names the facility whose group stopped the access. */
function facilityOf(group: string | undefined): bigint {
  const name = (group ?? '').replace(/^FSCR_/, '');
  return BigInt((FACILITY as Readonly<Record<string, number>>)[name] ?? 0);
}

function unmodelled(vcpu: Vcpu, trap: Trap): Outcome {
  const word = (trap.argument === 0n ? trap.bits : trap.argument).toString(16).padStart(8, '0');
  return {
    then: 'unmodelled',
    code: 'CV_UNMODELLED_INSTRUCTION',
    message: `instruction 0x${word} at pc 0x${trap.pc.toString(16)} (MSR 0x${vcpu.get('MSR').toString(16)}) is not modelled: floating point and vectors are not, nor is what the SLB holds.`,
    remedy:
      'Build the guest with -msoft-float -mno-altivec -mno-vsx, or leave MSR[FP], MSR[VEC] and MSR[VSX] at 0 so that it takes the interrupt.',
  };
}

/** wait ends when something is pending; stop is a state that loses what it holds, and a guest cedes instead. */
function wait(vcpu: Vcpu, trap: Trap): Outcome {
  if (trap.argument === 0n) {
    vcpu.domain.wait();
    return { then: 'complete' };
  }
  return {
    then: 'unmodelled',
    code: 'CV_UNMODELLED_INSTRUCTION',
    message: `stop at pc 0x${trap.pc.toString(16)} enters a power-saving state, which is not modelled.`,
    remedy: 'Let the guest wait by H_CEDE (Linux: powersave=off, or a pseries kernel).',
  };
}

export const causes: Readonly<Record<string, Cause>> = {
  facility: {
    to: 'guest',
    handler: (_vcpu, trap) => ({
      then: 'inject',
      exception: { kind: 'facility-unavailable', syndrome: facilityOf(trap.group) },
    }),
    means: 'A facility that FSCR keeps from problem state.',
  },
  hypercall: { to: 'hypervisor', handler: 'hypercall', means: 'sc 1.' },
  wait: { to: 'hypervisor', handler: wait, means: 'wait, or stop.' },
  unmodelled: { to: 'hypervisor', handler: unmodelled, means: 'What the model does not do, and does not pretend to.' },
};
