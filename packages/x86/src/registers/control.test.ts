import type { Vcpu } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { still } from '../testing/still.ts';
import { control } from './control.ts';
import { msrs } from './msr.ts';
import type { Row } from './row.ts';

/** What `accepts` says to a write: stored, or refused. Fields have had their say before. */
function accepted(vcpu: Vcpu, name: string, value: bigint): boolean {
  const row: Row | undefined = control[name] ?? msrs[name];
  if (row?.accepts === undefined) throw new Error(`${name} takes everything`);
  return typeof row.accepts(vcpu, value, vcpu.get(name)) === 'bigint';
}

const PE = 1n;
const PG = 1n << 31n;
const PAE = 0x20n;
const LME = 0x100n;
const LMA = 0x400n;
const CS_L = 0x2000n;

describe('CR0', () => {
  it('refuses what cannot be set together', () => {
    const { vcpu } = still();
    expect(accepted(vcpu, 'CR0', PG)).toBe(false);
    expect(accepted(vcpu, 'CR0', PG | PE)).toBe(true);
    expect(accepted(vcpu, 'CR0', 1n << 29n)).toBe(false);
    expect(accepted(vcpu, 'CR0', 3n << 29n)).toBe(true);
  });

  it('enters long mode with PAE and not from 64-bit code, and does not leave it from there', () => {
    const { vcpu } = still();
    vcpu.set('EFER', LME);
    expect(accepted(vcpu, 'CR0', PG | PE)).toBe(false);
    vcpu.set('CR4', PAE);
    expect(accepted(vcpu, 'CR0', PG | PE)).toBe(true);
    vcpu.set('CS_AR', 0x9bn | CS_L);
    expect(accepted(vcpu, 'CR0', PG | PE)).toBe(false);
    vcpu.set('EFER', LME | LMA);
    vcpu.set('CR0', PG | PE);
    expect(accepted(vcpu, 'CR0', PE)).toBe(false);
    vcpu.set('CS_AR', 0x9bn);
    expect(accepted(vcpu, 'CR0', PE)).toBe(true);
  });

  it('carries EFER.LMA along with PG', () => {
    const { vcpu } = still();
    vcpu.set('EFER', LME);
    vcpu.set('CR0', PG | PE);
    control.CR0?.wrote?.(vcpu, 0n, 0n);
    expect(vcpu.get('EFER')).toBe(LME | LMA);
    vcpu.set('CR0', PE);
    control.CR0?.wrote?.(vcpu, 0n, 0n);
    expect(vcpu.get('EFER')).toBe(LME);
  });
});

describe('CR3, CR4, EFER', () => {
  it('have the bits of the model', () => {
    const of = (cpu: string): Vcpu => still({ cpu }).vcpu;
    const SMAP = 1n << 21n;
    expect([
      accepted(of('core2'), 'CR4', SMAP),
      accepted(of('haswell'), 'CR4', SMAP),
      accepted(of('skylake'), 'CR4', SMAP),
    ]).toEqual([false, false, true]);
    // VME, VMXE, PCIDE, OSXSAVE, PKE are of no model.
    for (const bit of [0n, 13n, 17n, 18n, 22n]) expect(accepted(of('sapphire-rapids'), 'CR4', 1n << bit)).toBe(false);
    expect([accepted(of('core2'), 'CR3', 1n << 35n), accepted(of('core2'), 'CR3', 1n << 36n)]).toEqual([true, false]);
  });

  it('CR4.PAE stays in long mode, EFER.LME while paging is on', () => {
    const { vcpu } = still();
    vcpu.set('EFER', LME | LMA);
    expect([accepted(vcpu, 'CR4', 0n), accepted(vcpu, 'CR4', PAE)]).toEqual([false, true]);
    vcpu.set('CR0', PG | PE);
    expect([accepted(vcpu, 'EFER', 0n), accepted(vcpu, 'EFER', LME | LMA | 1n)]).toEqual([false, true]);
  });
});

describe('MSRs', () => {
  it('hold canonical addresses', () => {
    const { vcpu } = still();
    for (const name of ['LSTAR', 'CSTAR', 'KERNEL_GS_BASE', 'SYSENTER_ESP', 'SYSENTER_EIP']) {
      expect(accepted(vcpu, name, 0x7fff_ffff_ffffn), name).toBe(true);
      expect(accepted(vcpu, name, 0xffff_8000_0000_0000n), name).toBe(true);
      expect(accepted(vcpu, name, 0x8000_0000_0000n), name).toBe(false);
    }
  });

  it('hold memory types: PAT also 7, and no one 2 or 3', () => {
    const { vcpu } = still();
    expect(accepted(vcpu, 'PAT', 0x0007_0406_0007_0406n)).toBe(true);
    for (const type of [2n, 3n, 8n]) expect(accepted(vcpu, 'PAT', type << 24n)).toBe(false);
    expect([accepted(vcpu, 'MTRR_FIX64K_00000', 6n), accepted(vcpu, 'MTRR_FIX64K_00000', 7n)]).toEqual([true, false]);
    expect([accepted(vcpu, 'MTRR_PHYSBASE0', 0x1006n), accepted(vcpu, 'MTRR_PHYSBASE0', 0x106n)]).toEqual([
      true,
      false,
    ]);
  });

  it('TSC, TSC_ADJUST and the clock are one thing', () => {
    const { vcpu, pass } = still();
    pass(1000);
    expect(vcpu.get('TSC')).toBe(1000n);
    vcpu.set('TSC', 50n);
    expect(vcpu.get('TSC_ADJUST')).toBe(BigInt.asUintN(64, -950n));
    pass(10);
    expect([vcpu.get('TSC'), vcpu.get('RDTSC')]).toEqual([60n, 60n]);
    vcpu.set('TSC_ADJUST', 0n);
    expect(vcpu.get('TSC')).toBe(1010n);
  });
});
