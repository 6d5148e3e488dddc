import type { Demand, PmuRole } from '@countervisor/contract';
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
      expect([role, mdcr([role], { policy: 'mediated', cpu: 'cortex-a57' })]).toEqual([role, expected]);
    }
  });
});

describe('the switch', () => {
  const all = [...switching.controls, ...switching.counters];
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
