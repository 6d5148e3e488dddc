/** KVM's emulated PMU: expectations by hand from arch/arm64/kvm/sys_regs.c and pmu-emul.c. */
import type { Demand, Mode } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { line } from '../overflow.ts';
import { PMCR } from '../registers/monitor.ts';
import { Fake, type Options } from '../testing/view.ts';
import { kvm } from './kvm.ts';

const trapAll = { counter: 'trap' } as Demand;

function gets(mode: Mode, vpmu: boolean, name: string, write: bigint | undefined, options: Options = {}): string {
  const view = new Fake({ policy: kvm.policy(mode, vpmu, {}), settings: kvm.settings(mode, vpmu, {}), ...options });
  // The physical PMUSERENR_EL0 that KVM writes is not the guest's.
  for (const [register, value] of kvm.enforce?.(mode, trapAll, view.vcpu) ?? []) {
    if (register !== 'PMUSERENR_EL0') view.set(register, value);
  }
  const decided = view.decide(name, write);
  if (decided.verdict !== 'trapped') return decided.verdict;
  if (decided.cause !== 'sysreg') return decided.cause;
  const outcome = kvm.handlers(mode, {}).sysreg?.(view.vcpu, {
    cause: 'sysreg',
    pc: 0n,
    bits: 0xd53b9d05n,
    argument: 0n,
    group: decided.group,
    access: { register: name, address: { space: 'sysreg', index: 0 }, ...(write !== undefined && { write }) },
  });
  if (outcome?.then === 'inject') return outcome.exception.kind;
  if (outcome?.then !== 'complete') return 'none';
  return outcome.value === undefined ? 'performed' : `0x${outcome.value.toString(16)}`;
}

describe('kvm-arm64', () => {
  it('writes HPMN = N, the traps, and opens EL0', () => {
    const { vcpu } = new Fake({ policy: 'emulated' });
    expect(kvm.enforce?.('compat', trapAll, vcpu)).toEqual([
      ['HCR_EL2', 0x8024_0000n],
      ['PMUSERENR_EL0', 0xfn],
      ['MDCR_EL2', 0xe66n],
    ]);
  });
  it('mediated: HPMN divides, PMUSERENR_EL0 is the guest’s own, and the debug traps stay', () => {
    const roles = ['counter', 'enable', 'global', 'overflow', 'interrupt', 'user-access'];
    const direct = Object.fromEntries(roles.map((role) => [role, 'direct']));
    const mediated = { ...direct, selector: 'trap', identity: 'trap', sampling: 'trap' } as Demand;
    const writes = (options: Options) =>
      kvm.enforce?.('compat', mediated, new Fake({ policy: 'mediated', host_counters: 2, ...options }).vcpu);
    expect(writes({ cpu: 'cortex-a57' })).toEqual([
      ['HCR_EL2', 0x8024_0000n],
      ['MDCR_EL2', 0xee4n],
    ]);
    expect(writes({ cpu: 'max' })).toEqual([
      ['HCR_EL2', 0x8024_0000n],
      ['MDCR_EL2', 0x82_0e84n],
      ['HDFGRTR_EL2', 0x400_0000_0044_6000n],
      ['HDFGWTR_EL2', 0x4_6000n],
    ]);
    expect(kvm.policies).toEqual(['off', 'emulated', 'mediated']);
  });
  it('performs every access on the vCPU’s own registers', () => {
    for (const name of ['PMCR_EL0', 'PMEVCNTR0_EL0', 'PMXEVTYPER_EL0', 'PMCEID0_EL0', 'MDSCR_EL1', 'DBGBVR0_EL1']) {
      expect([name, gets('strict', true, name, undefined)]).toEqual([name, 'performed']);
    }
  });
  it('some debug registers read as 0 and ignore writes', () => {
    expect([gets('compat', true, 'OSDLR_EL1', undefined), gets('compat', true, 'OSDLR_EL1', 1n)]).toEqual([
      '0x0',
      '0x0',
    ]);
  });
  it('checks the guest’s own PMUSERENR_EL0 itself', () => {
    const user = (mode: Mode, name: string, bits: bigint, write?: bigint) =>
      gets(mode, true, name, write, { level: 0, registers: { PMUSERENR_EL0: bits } });
    expect(user('compat', 'PMCCNTR_EL0', 0n)).toBe('undefined');
    expect(user('strict', 'PMCCNTR_EL0', 0n)).toBe('sysreg-trap');
    expect(user('compat', 'PMCCNTR_EL0', 4n)).toBe('performed');
    expect(user('compat', 'PMCCNTR_EL0', 4n, 0n)).toBe('undefined');
    expect(user('compat', 'PMSWINC_EL0', 2n, 1n)).toBe('performed');
    expect(user('compat', 'PMEVCNTR0_EL0', 8n)).toBe('performed');
    expect(user('compat', 'PMUSERENR_EL0', 0n)).toBe('performed');
  });
  it('without vPMU it is hidden, and its registers are undefined at both levels', () => {
    expect(kvm.policy('strict', false, {})).toBe('off');
    const hidden = new Fake({ policy: 'off', settings: kvm.settings('strict', false, {}) });
    expect(hidden.field('ID_AA64DFR0_EL1', 'PMUVer')).toBe(0n);
    for (const level of [0, 1] as const) {
      for (const name of ['PMCR_EL0', 'PMCCNTR_EL0', 'PMEVCNTR0_EL0']) {
        expect(gets('compat', false, name, undefined, { level })).toBe('undefined');
      }
    }
  });
  it('delivers the interrupt; compat only while the counter is enabled', () => {
    expect([kvm.interrupt('compat', true, {}), kvm.interrupt('strict', false, {})]).toEqual([true, false]);
    const raised = (mode: Mode, enabled: bigint) =>
      line(
        new Fake({
          settings: kvm.settings(mode, true, {}),
          registers: { PMCR: PMCR.E, PMOVS: 1n, PMINTEN: 1n, PMCNTEN: enabled },
        }).vcpu,
      );
    expect([raised('compat', 0n), raised('compat', 1n), raised('strict', 0n)]).toEqual([false, true, true]);
    // That is how the counters are that KVM emulates; those of the hardware go by the manual.
    const mediated = new Fake({
      policy: 'mediated',
      settings: kvm.settings('compat', true, {}),
      registers: { PMCR: PMCR.E, PMOVS: 1n, PMINTEN: 1n, PMCNTEN: 0n },
    });
    expect(line(mediated.vcpu)).toBe(true);
  });
});
