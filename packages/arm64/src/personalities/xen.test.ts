/** Xen's table row by row, and what the two modes put into MDCR_EL2. Expectations by hand from arch/arm/arm64/vsysreg.c and domain.c. */
import type { Demand, Mode, PolicyName } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { Fake, type Options, tables } from '../testing/view.ts';
import { TRAPPED, type TrappedRow, xen } from './xen.ts';

/** What core asks of each role under a policy. */
const demand = (policy: PolicyName): Demand => {
  const what = policy === 'off' || policy === 'emulated' ? 'trap' : 'direct';
  const roles = ['counter', 'selector', 'enable', 'global', 'overflow', 'interrupt', 'user-access', 'sampling'];
  return Object.fromEntries([...roles.map((role) => [role, what]), ['identity', 'direct']]) as Demand;
};

const mdcr = (mode: Mode, vpmu: boolean) => {
  const policy = xen.policy(mode, vpmu, {});
  const view = new Fake({ cpu: 'neoverse-n1', policy, settings: xen.settings(mode, vpmu, {}) });
  return xen.enforce?.(mode, demand(policy), view.vcpu);
};

/** One letter for an answer: U undefined, 0 zero or ignored, else the value in hex. EL0 read, EL0 write, EL1 read, EL1 write. */
const word = ({ el0, el1 }: TrappedRow): string =>
  [...el0, ...el1].map((answer) => (answer === 'UNDEF' ? 'U' : answer.toString(16))).join(' ');

describe('the trapped-access table', () => {
  const RAZ_WI = 'U U 0 0';
  const UNDEF = 'U U U U';
  const EXPECTED: Readonly<Record<string, string>> = {
    PMINTENSET_EL1: RAZ_WI,
    PMINTENCLR_EL1: RAZ_WI,
    PMUSERENR_EL0: '0 U 0 0',
    PMCR_EL0: RAZ_WI,
    PMCNTENSET_EL0: RAZ_WI,
    PMCNTENCLR_EL0: RAZ_WI,
    PMOVSCLR_EL0: RAZ_WI,
    PMOVSSET_EL0: RAZ_WI,
    PMSWINC_EL0: RAZ_WI,
    PMSELR_EL0: RAZ_WI,
    PMCEID0_EL0: RAZ_WI,
    PMCEID1_EL0: RAZ_WI,
    PMCCNTR_EL0: RAZ_WI,
    PMXEVTYPER_EL0: RAZ_WI,
    PMXEVCNTR_EL0: RAZ_WI,
    PMEVCNTR0_EL0: UNDEF,
    PMEVCNTR30_EL0: UNDEF,
    PMEVTYPER0_EL0: UNDEF,
    PMEVTYPER30_EL0: UNDEF,
    PMCCFILTR_EL0: UNDEF,
    PMMIR_EL1: UNDEF,
    MDRAR_EL1: 'U U 0 U',
    OSLAR_EL1: 'U U U 0',
    OSDLR_EL1: RAZ_WI,
    MDSCR_EL1: RAZ_WI,
    DBGBVR0_EL1: RAZ_WI,
    DBGBCR15_EL1: RAZ_WI,
    DBGWVR0_EL1: RAZ_WI,
    DBGWCR15_EL1: RAZ_WI,
    OSLSR_EL1: 'U U 8 U',
    MDCCSR_EL0: '0 U 0 U',
    DBGDTR_EL0: UNDEF,
    DBGDTRTX_EL0: UNDEF,
    DBGPRCR_EL1: UNDEF,
    MDCCINT_EL1: UNDEF,
    OSDTRRX_EL1: UNDEF,
    OSDTRTX_EL1: UNDEF,
    OSECCR_EL1: UNDEF,
    DBGCLAIMSET_EL1: UNDEF,
    DBGCLAIMCLR_EL1: UNDEF,
    DBGAUTHSTATUS_EL1: UNDEF,
  };
  it.each(Object.entries(EXPECTED))('%s', (name, expected) => {
    expect(word(TRAPPED[name] as TrappedRow)).toBe(expected);
  });
  it('has a row for every register that a vCPU without vpmu traps on', () => {
    const trapped = Object.entries(tables)
      .filter(
        ([, row]) =>
          row.at !== undefined && row.traps?.some((group) => ['TPM', 'TDA', 'TDOSA', 'TDRA'].includes(group)),
      )
      .map(([name]) => name);
    expect(Object.keys(TRAPPED).sort()).toEqual(trapped.sort());
  });
});

/** What a guest of this personality gets: the value, `dropped`, `UNDEF`, `trap` to its own kernel, or `direct`. */
function gets(mode: Mode, vpmu: boolean, name: string, write: bigint | undefined, options: Options = {}): string {
  const policy = options.policy ?? xen.policy(mode, vpmu, {});
  const settings = { ...xen.settings(mode, vpmu, {}), ...options.settings };
  const registers = { PMUSERENR_EL0: 1n, ...options.registers };
  const view = new Fake({ cpu: 'neoverse-n1', ...options, policy, settings, registers });
  for (const [register, value] of xen.enforce?.(mode, demand(policy), view.vcpu) ?? []) view.set(register, value);
  const decided = view.decide(name, write);
  if (decided.verdict === 'undefined') return 'UNDEF';
  if (decided.verdict === 'direct') return 'direct';
  if (decided.cause === 'user-sysreg') return 'trap';
  if (decided.cause === 'undefined') return 'UNDEF';
  const handler = xen.handlers(mode, {})[decided.cause];
  const outcome = handler?.(view.vcpu, {
    cause: decided.cause,
    pc: 0n,
    bits: 0n,
    argument: 0n,
    group: decided.group,
    access: { register: name, address: { space: 'sysreg', index: 0 }, ...(write !== undefined && { write }) },
  });
  if (outcome === undefined || outcome.then === 'retry' || outcome.then === 'exit' || outcome.then === 'unmodelled')
    return 'none';
  if (outcome.then === 'inject') return 'UNDEF';
  if (outcome.value === undefined) return 'performed';
  return write === undefined ? `0x${outcome.value.toString(16)}` : 'dropped';
}

describe('compat', () => {
  it('MDCR_EL2 is 0xE00 with vpmu and 0xE60 without, written last', () => {
    expect(mdcr('compat', true)?.at(-1)).toEqual(['MDCR_EL2', 0xe00n]);
    expect(mdcr('compat', false)?.at(-1)).toEqual(['MDCR_EL2', 0xe60n]);
  });
  it('vpmu = 0, EL1: a probe by the book goes wrong as on the real one', () => {
    // The guide's deterministic test: PMUVer is not 0, PMCR reads 0, PMEVTYPER0 is undefined.
    const { settings, policy } = {
      settings: xen.settings('compat', false, {}),
      policy: xen.policy('compat', false, {}),
    };
    expect(new Fake({ cpu: 'neoverse-n1', policy, settings }).field('ID_AA64DFR0_EL1', 'PMUVer')).toBe(4n);
    expect(gets('compat', false, 'PMCR_EL0', undefined)).toBe('0x0');
    expect(gets('compat', false, 'PMCR_EL0', 1n)).toBe('dropped');
    expect(gets('compat', false, 'PMEVTYPER0_EL0', 0x11n)).toBe('UNDEF');
    expect(gets('compat', false, 'OSLSR_EL1', undefined)).toBe('0x8');
  });
  it('vpmu = 0, EL0: PMUSERENR_EL0, as a neighbour left it, decides who is asked', () => {
    const user = (enabled: bigint, name: string) =>
      gets('compat', false, name, undefined, { level: 0, registers: { PMUSERENR_EL0: enabled } });
    expect([user(0n, 'PMCR_EL0'), user(1n, 'PMCR_EL0')]).toEqual(['trap', 'UNDEF']);
    expect([user(0n, 'PMUSERENR_EL0'), user(1n, 'PMUSERENR_EL0')]).toEqual(['0x0', '0x0']);
  });
  it('vpmu = 1: the physical registers, and with HPMN = 0 no event counter', () => {
    expect(gets('compat', true, 'PMCCNTR_EL0', undefined)).toBe('direct');
    expect(gets('compat', true, 'PMCR_EL0', 1n)).toBe('direct');
    expect(gets('compat', true, 'PMEVCNTR0_EL0', undefined)).toBe('UNDEF');
    expect(gets('compat', true, 'PMEVCNTR0_EL0', undefined, { hpmn0: 'all' })).toBe('direct');
    // The window is in Xen's list, so what its trap gets is a 0.
    expect(gets('compat', true, 'PMXEVCNTR_EL0', undefined)).toBe('0x0');
    expect(gets('compat', true, 'MDSCR_EL1', undefined)).toBe('0x0');
  });
  it('a build with partial emulation answers the communications channel', () => {
    const partial: Options = { settings: { partial_emulation: true } };
    expect(gets('compat', true, 'MDCCSR_EL0', undefined, partial)).toBe('0x20000000');
    expect(gets('compat', true, 'DBGDTRTX_EL0', 65n, partial)).toBe('dropped');
    expect(gets('compat', true, 'DBGDTRTX_EL0', 65n)).toBe('UNDEF');
  });
  it('a policy that Xen does not know is kept', () => {
    expect(gets('compat', true, 'PMCR_EL0', undefined, { policy: 'emulated' })).toBe('performed');
    expect(gets('compat', true, 'PMEVCNTR0_EL0', undefined, { policy: 'emulated' })).toBe('performed');
    expect(gets('compat', true, 'PMEVCNTR0_EL0', undefined, { policy: 'switched' })).toBe('direct');
  });
  it('no interrupt, nothing saved', () => {
    expect([xen.interrupt('compat', true, {}), xen.interrupt('compat', false, {})]).toEqual([false, false]);
    expect([xen.policy('compat', true, {}), xen.policy('compat', false, {})]).toEqual(['passthrough', 'passthrough']);
  });
});

describe('strict', () => {
  it('gives every counter to the guest, and saves and restores them', () => {
    // N = 6, TDRA TDOSA TDA, HPMD.
    expect(mdcr('strict', true)?.at(-1)).toEqual(['MDCR_EL2', 0x2_0e06n]);
    expect(xen.policy('strict', true, {})).toBe('switched');
    expect(gets('strict', true, 'PMEVCNTR0_EL0', undefined)).toBe('direct');
    expect(xen.interrupt('strict', true, {})).toBe(true);
  });
  it('without vpmu there is nothing: hidden, and undefined at both levels', () => {
    const settings = xen.settings('strict', false, {});
    expect(new Fake({ cpu: 'neoverse-n1', policy: 'off', settings }).field('ID_AA64DFR0_EL1', 'PMUVer')).toBe(0n);
    for (const level of [0, 1] as const) {
      for (const name of ['PMCR_EL0', 'PMCCNTR_EL0', 'PMEVTYPER0_EL0']) {
        expect(gets('strict', false, name, undefined, { level, registers: { PMUSERENR_EL0: 0n } })).toBe('UNDEF');
      }
    }
    expect(gets('strict', false, 'OSLSR_EL1', undefined)).toBe('0x8');
    expect(xen.interrupt('strict', false, {})).toBe(false);
  });
});
