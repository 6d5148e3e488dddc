import type { Trap } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { controls } from './policy.ts';
import { hypervisor } from './registers/hypervisor.ts';
import { still } from './testing/still.ts';
import { causes, EXITS, PROCBASED, trapGroups, vmExit } from './traps.ts';

const trap = (cause: string, access?: Trap['access']): Trap => ({
  cause,
  pc: 0n,
  bits: 0n,
  argument: 0n,
  ...(access !== undefined && { access }),
});

describe('exits', () => {
  it('have the numbers of the hardware', () => {
    // SDM volume 3, appendix C; AMD APM volume 2, appendix C.
    const intel = still({ cpu: 'skylake' }).vcpu;
    const amd = still({ cpu: 'zen2' }).vcpu;
    const pmc = { register: 'IA32_PMC0', address: { space: 'msr', index: 0xc1 } };
    const cr3 = { register: 'CR3', address: { space: 'cr', index: 3 } };
    expect(vmExit(intel, trap('cpuid'))).toEqual({ reason: 10, qualification: 0n });
    expect(vmExit(intel, trap('wait'))).toEqual({ reason: 12, qualification: 0n });
    expect(vmExit(intel, trap('hypercall'))).toEqual({ reason: 18, qualification: 0n });
    expect(vmExit(intel, trap('msr', pmc))).toEqual({ reason: 31, qualification: 0n });
    expect(vmExit(intel, trap('msr', { ...pmc, write: 1n }))).toEqual({ reason: 32, qualification: 0n });
    expect(vmExit(intel, trap('cr', { ...cr3, write: 0n }))).toEqual({ reason: 28, qualification: 3n });
    expect(vmExit(intel, trap('cr', cr3))).toEqual({ reason: 28, qualification: 0x13n });
    expect(vmExit(amd, trap('cpuid'))).toEqual({ reason: 0x72, qualification: 0n });
    expect(vmExit(amd, trap('msr', { ...pmc, write: 1n }))).toEqual({ reason: 0x7c, qualification: 1n });
    expect(vmExit(amd, trap('cr', { ...cr3, write: 0n }))).toEqual({ reason: 0x13, qualification: 0n });
    expect(vmExit(intel, trap('refused'))).toBeUndefined();
  });

  it('are there for every cause of the hypervisor’s but what is not modelled', () => {
    const wanted = Object.entries(causes).filter(([name, { to }]) => to === 'hypervisor' && name !== 'unmodelled');
    expect(Object.keys(EXITS).sort()).toEqual(wanted.map(([name]) => name).sort());
  });

  it('controls stand where the register has them', () => {
    for (const [name, bit] of Object.entries(PROCBASED)) {
      expect(hypervisor.PROCBASED_CTLS?.fields[name]?.bits, name).toBe(bit.toString(2).length - 1);
    }
  });
});

describe('what is not modelled', () => {
  const armed = (group: string, write: bigint, cpu = 'icelake-server'): boolean => {
    const when = trapGroups[group]?.when;
    if (typeof when !== 'function') throw new Error(`${group} is no function`);
    return when(still({ cpu }).vcpu, { register: 'X', address: { space: 'cr', index: 4 }, write });
  };

  it('is refused when it is asked for, and not before', () => {
    expect([armed('BREAKPOINT', 0x400n), armed('BREAKPOINT', 0x401n), armed('BREAKPOINT', 0x2400n)]).toEqual([
      false,
      true,
      true,
    ]);
    expect([armed('BTF', 1n), armed('BTF', 2n)]).toEqual([false, true]);
  });

  it('five-level paging, where the silicon has it and the rest of the write is allowed', () => {
    expect(armed('LA57', 0x1020n)).toBe(true);
    expect(armed('LA57', 0xffff_ffffn)).toBe(false);
    expect(armed('LA57', 0x1020n, 'skylake')).toBe(false);
  });

  it('a local APIC elsewhere, unless the write is #GP anyway', () => {
    expect([
      armed('APIC_MOVE', 0xfee0_0900n),
      armed('APIC_MOVE', 0xfed0_0900n),
      armed('APIC_MOVE', 0xfed0_0d00n),
    ]).toEqual([false, true, false]);
  });
});

describe('RDPMC exiting', () => {
  it('is set where a policy does not give the counters away', () => {
    const direct = {
      counter: 'direct',
      selector: 'direct',
      enable: 'direct',
      global: 'direct',
      overflow: 'direct',
      interrupt: 'direct',
      identity: 'direct',
      sampling: 'direct',
      'user-access': 'direct',
    } as const;
    expect(controls(direct) & PROCBASED.RDPMC_EXITING).toBe(0n);
    expect(controls({ ...direct, counter: 'trap' }) & PROCBASED.RDPMC_EXITING).not.toBe(0n);
  });
});
