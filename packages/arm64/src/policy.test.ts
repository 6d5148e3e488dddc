import type { Demand, PmuRole, PolicyName } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { enforce } from './policy.ts';
import { switching } from './switching.ts';
import { Fake, type Options, tables } from './testing/view.ts';

const ROLES: readonly PmuRole[] = [
  'counter',
  'selector',
  'enable',
  'global',
  'overflow',
  'interrupt',
  'identity',
  'sampling',
  'user-access',
];
const demand = (trapped: readonly PmuRole[]): Demand =>
  Object.fromEntries(ROLES.map((role) => [role, trapped.includes(role) ? 'trap' : 'direct'])) as Demand;

const mdcr = (trapped: readonly PmuRole[], options: Options) => {
  const writes = enforce(demand(trapped), new Fake(options).vcpu);
  expect(writes.map(([name]) => name)).toEqual(['MDCR_EL2']);
  return writes[0]?.[1];
};
/** What core asks for under `mediated`. */
const MEDIATED: readonly PmuRole[] = ['selector', 'identity', 'sampling'];

describe('enforce', () => {
  it('passthrough leaves everything to the guest', () => {
    expect(mdcr([], { policy: 'passthrough', cpu: 'neoverse-n2' })).toBe(6n);
  });
  it('switched keeps what the hypervisor does out of the guest’s counts, where the CPU can', () => {
    // HPMD is bit 17 from v3p1 on, HCCD bit 23 from v3p5 on.
    expect(mdcr([], { policy: 'switched', cpu: 'cortex-a57' })).toBe(6n);
    expect(mdcr([], { policy: 'switched', cpu: 'cortex-a76' })).toBe(0x2_0006n);
    expect(mdcr([], { policy: 'switched', cpu: 'neoverse-n2' })).toBe(0x82_0006n);
  });
  it('emulated and off trap all: TPM is bit 6, TPMCR bit 5', () => {
    expect(mdcr(ROLES, { policy: 'emulated', cpu: 'cortex-a57' })).toBe(0x66n);
    expect(mdcr(ROLES, { policy: 'off', cpu: 'cortex-a57', counters: 31 })).toBe(0x7fn);
  });
  it('one role that traps makes all trap', () => {
    for (const role of ROLES) {
      const expected = role === 'identity' || role === 'sampling' ? 6n : 0x66n;
      expect([role, mdcr([role], { policy: 'emulated', cpu: 'cortex-a57' })]).toEqual([role, expected]);
    }
  });

  it('mediated divides at HPMN and lets the host’s counters run; without FEAT_FGT all traps', () => {
    // HPME is bit 7.
    expect(mdcr(MEDIATED, { policy: 'mediated', cpu: 'cortex-a57' })).toBe(0xe6n);
    expect(mdcr(MEDIATED, { policy: 'mediated', cpu: 'cortex-a57', host_counters: 2 })).toBe(0xe4n);
    expect(mdcr(MEDIATED, { policy: 'mediated', cpu: 'neoverse-n1', host_counters: 6 })).toBe(0x2_00e0n);
    expect(mdcr(MEDIATED, { policy: 'mediated', cpu: 'neoverse-n2', counters: 31, host_counters: 11 })).toBe(
      0x82_00f4n,
    );
    // The host cannot keep more than there are; and only beside a mediated guest.
    expect(mdcr(MEDIATED, { policy: 'mediated', cpu: 'cortex-a57', host_counters: 31 })).toBe(0xe0n);
    expect(mdcr(ROLES, { policy: 'emulated', cpu: 'cortex-a57', host_counters: 2 })).toBe(0x66n);
  });

  it('with FEAT_FGT, mediated traps selectors, the overflow status and what the host’s PMU is like, and nothing else', () => {
    const on = (trapped: readonly PmuRole[], options: Options) =>
      Object.fromEntries(enforce(demand(trapped), new Fake({ cpu: 'max', ...options }).vcpu));
    expect(on(MEDIATED, { policy: 'mediated', host_counters: 2 })).toEqual({
      MDCR_EL2: 0x82_0084n,
      // PMEVTYPERn 13, PMCCFILTR 14, PMOVS 18; and to be read, PMMIR 22 and PMCEIDn 58.
      HDFGRTR_EL2: 0x400_0000_0044_6000n,
      HDFGWTR_EL2: 0x4_6000n,
    });
    // What the guest before it was given goes.
    expect(on(ROLES, { policy: 'emulated' })).toEqual({ MDCR_EL2: 0x82_0066n, HDFGRTR_EL2: 0n, HDFGWTR_EL2: 0n });
    expect(on([], { policy: 'switched' })).toEqual({ MDCR_EL2: 0x82_0006n, HDFGRTR_EL2: 0n, HDFGWTR_EL2: 0n });
    // More, where core should ask for more: all of PMUSERENR 57, PMCR 21, PMSWINC 20, PMSELR 19, PMINTEN 17, PMCNTEN 16, PMCCNTR 15 and PMEVCNTRn 12.
    expect(on(ROLES, { policy: 'mediated' })).toMatchObject({
      HDFGRTR_EL2: 0x600_0000_004f_f000n,
      HDFGWTR_EL2: 0x200_0000_003f_f000n,
    });
  });
});

describe('the switch', () => {
  const all = [...switching.controls, ...switching.counters];
  const ALL = 0xffff_ffff_ffff_ffffn;
  const travels = (name: string, policy: PolicyName, options: Options = {}) =>
    switching.travels?.(name, policy, new Fake({ cpu: 'neoverse-n2', counters: 6, ...options }).cpu);

  it('moves everything of the guest’s, and of a mediated one nothing that is the host’s', () => {
    for (const name of all) expect([name, travels(name, 'switched', { host_counters: 2 })]).toEqual([name, ALL]);
    const seen = Object.fromEntries(all.map((name) => [name, travels(name, 'mediated', { host_counters: 2 })]));
    for (const name of ['PMCNTEN', 'PMINTEN', 'PMOVS']) expect([name, seen[name]]).toEqual([name, 0x8000_000fn]);
    for (let n = 0; n < 31; n++) {
      const expected = n < 4 ? ALL : 0n;
      expect([n, seen[`PMEVCNTR${n}_EL0`], seen[`PMEVTYPER${n}_EL0`]]).toEqual([n, expected, expected]);
    }
    for (const name of ['PMCR', 'PMCCNTR_EL0', 'PMCCFILTR_EL0', 'PMSELR_EL0', 'PMUSERENR_EL0']) {
      expect([name, seen[name]]).toEqual([name, ALL]);
    }
    expect(travels('PMOVS', 'mediated', { counters: 31 })).toBe(0xffff_ffffn);
    expect(travels('PMOVS', 'mediated', { host_counters: 31 })).toBe(0x8000_0000n);
  });
  it('carries every stored register of a role, once', () => {
    const stored = Object.entries(tables)
      .filter(
        ([name, row]) =>
          row.role !== undefined && row.view === undefined && row.derive === undefined && name !== 'PMSWINC_EL0',
      )
      .map(([name]) => name);
    expect([...all].sort()).toEqual(stored.sort());
    expect(new Set(all).size).toBe(all.length);
  });
  it('saves the controls that freezing overwrites before it', () => {
    for (const [name] of switching.freeze) expect(switching.controls).toContain(name);
  });
  it('brings PMCR back last, and each selector before its counter', () => {
    const back = [...all].reverse();
    const order = [...[...switching.counters].reverse(), ...[...switching.controls].reverse()];
    expect(order.at(-1)).toBe('PMCR');
    expect(back.indexOf('PMEVTYPER3_EL0')).toBeLessThan(back.indexOf('PMEVCNTR3_EL0'));
    expect(back.indexOf('PMCCFILTR_EL0')).toBeLessThan(back.indexOf('PMCCNTR_EL0'));
  });
});
