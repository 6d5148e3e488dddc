/**
 * What stops a register access: groups (which control bit), causes (who handles it), handlers. Power ISA 3.0B, book III, 6.2.10 (FSCR), 6.2.11 (HFSCR).
 */
import type { Cause, Outcome, Trap, TrapGroup, Vcpu, View } from '@countervisor/contract';
import { ILLEGAL } from './isa/row.ts';
import { FACILITY } from './registers/control.ts';
import { isModern, MMCR0, pmcc } from './registers/mmcr.ts';
import { pmu } from './registers/pmu.ts';
import type { Level } from './registers/row.ts';
import { samplingRegisters } from './registers/sampling.ts';

type Group = TrapGroup<string, Level, string>;

/** FSCR keeps problem state out of a facility. */
const facility = (field: string): Group => ({
  when: { register: 'FSCR', field, is: 0n },
  on: 'both',
  at: ['problem'],
  cause: 'facility',
  source: `FSCR[${field}] is 0, Power ISA 3.0B, book III, 6.2.10`,
});

/** MMCR0[PMCC] keeps problem state out of the performance monitor. */
const byPmcc = (when: (mmcr0: bigint) => boolean, on: Group['on'], cause: string, what: string): Group => ({
  when: (view: View) => isModern(view) && when(view.get('MMCR0')),
  on,
  at: ['problem'],
  cause,
  source: `MMCR0[PMCC] ${what}, Power ISA 3.0B, book III, 9.4.4`,
});

export const trapGroups: Readonly<Record<string, Group>> = {
  FSCR_DSCR: facility('DSCR'),
  FSCR_EBB: facility('EBB'),
  FSCR_TAR: facility('TAR'),
  HFSCR_PM: {
    when: { register: 'HFSCR', field: 'PM', is: 0n },
    on: 'both',
    at: ['problem', 'supervisor'],
    cause: 'performance-monitor',
    source: 'HFSCR[PM] is 0, Power ISA 3.0B, book III, 6.2.11',
  },
  PMCC_CLOSED: byPmcc(
    (mmcr0) => pmcc(mmcr0) === 1n || (pmcc(mmcr0) === 0n && (mmcr0 & MMCR0.PMCCEXT) !== 0n),
    'both',
    'monitor-facility',
    'is 0b01, or 0b00 with PMCCEXT',
  ),
  PMCC_FIXED: byPmcc(
    (mmcr0) => pmcc(mmcr0) === 3n,
    'both',
    'monitor-facility',
    'is 0b11: PMC5 and PMC6 are not problem state’s',
  ),
  PMCC_READ_ONLY: byPmcc((mmcr0) => pmcc(mmcr0) === 0n, 'write', 'illegal', 'is 0b00: registers may be read'),
  READ_ONLY_970: {
    when: (view) => !isModern(view),
    on: 'write',
    at: ['problem'],
    cause: 'illegal',
    source: 'problem state may read the counters and no more, PowerPC 970FX User’s Manual, 10',
  },
};

/** FSCR[IC] of the performance monitor. */
const PERFORMANCE_MONITOR = 3n;

/** HFSCR stopped the access first; what MMCR0 would have said to problem state, the hypervisor says in its place. */
function keptFromProblem(vcpu: Vcpu, trap: Trap): Outcome | undefined {
  const { access } = trap;
  if (vcpu.level !== 0 || access === undefined) return undefined;
  const row = pmu[access.register] ?? samplingRegisters[access.register];
  for (const name of row?.traps ?? []) {
    const group = trapGroups[name];
    if (typeof group?.when !== 'function' || (group.on === 'write' && access.write === undefined)) continue;
    if (!group.when(vcpu, access)) continue;
    const handler = causes[group.cause]?.handler;
    if (typeof handler === 'function') return handler(vcpu, { ...trap, group: name });
  }
  return undefined;
}

/**
 * What a hypervisor without a personality does with a trapped access: the guest's own registers hold the answer; without a PMU the instruction is
 * illegal, as under KVM.
 */
export function performanceMonitor(vcpu: Vcpu, trap: Trap): Outcome {
  if (vcpu.policy !== 'off') return keptFromProblem(vcpu, trap) ?? { then: 'complete' };
  return {
    then: 'inject',
    exception: { kind: 'program', syndrome: BigInt(ILLEGAL) },
    why: 'the guest has no performance monitor',
  };
}

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
  'performance-monitor': {
    to: 'hypervisor',
    handler: performanceMonitor,
    means: 'A performance monitor register while HFSCR[PM] is 0: hypervisor facility unavailable.',
  },
  'monitor-facility': {
    to: 'guest',
    handler: () => ({
      then: 'inject',
      exception: { kind: 'facility-unavailable', syndrome: PERFORMANCE_MONITOR },
    }),
    means: 'A performance monitor register that MMCR0[PMCC] keeps from problem state.',
  },
  illegal: {
    to: 'guest',
    handler: () => ({ then: 'inject', exception: { kind: 'program', syndrome: BigInt(ILLEGAL) } }),
    means: 'A write of problem state to a register that it may only read.',
  },
  hypercall: { to: 'hypervisor', handler: 'hypercall', means: 'sc 1.' },
  wait: { to: 'hypervisor', handler: wait, means: 'wait, or stop.' },
  unmodelled: { to: 'hypervisor', handler: unmodelled, means: 'What the model does not do, and does not pretend to.' },
};
