import { describe, expect, it } from 'vitest';
import { testVcpu } from '../testing/vcpu.ts';
import { faults, sysret, take } from './exceptions.ts';

describe('take', () => {
  it('saves level, IE and PC, and enters VECTOR at the kernel level with interrupts off', () => {
    const vcpu = testVcpu({ STATUS: 1n, LEVEL: 0n, PC: 0x2004n, VECTOR: 0x1800n });
    take(vcpu, { kind: 'access', syndrome: 1n, address: 0x500n });
    expect(vcpu.values).toEqual({
      STATUS: 0b010n, // PIE 1, PLEVEL user, IE 0
      LEVEL: 1n,
      EPC: 0x2004n,
      CAUSE: 0x104n, // detail 1, kind 4
      FAULT: 0x500n,
      VECTOR: 0x1800n,
      PC: 0x1800n,
    });
  });

  it('from the kernel level, with interrupts off before', () => {
    const vcpu = testVcpu({ STATUS: 0n, LEVEL: 1n, PC: 0x1000n, VECTOR: 0x1800n });
    take(vcpu, { kind: 'syscall', syndrome: 0x1ff_ffffn });
    expect(vcpu.values).toMatchObject({ STATUS: 0b100n, CAUSE: 0xffff_ff03n, FAULT: 0n });
  });

  it('refuses a kind that no table has', () => {
    expect(() => take(testVcpu(), { kind: 'irq' })).toThrow('no exception irq');
  });

  it.each([0n, 1n, 4n, 5n])('sysret undoes it: status %i', (before) => {
    // LEVEL and IE stand for "before"; PIE and PLEVEL are lost, as they are overwritten.
    const vcpu = testVcpu({ STATUS: before & 1n, LEVEL: (before >> 2n) & 1n, PC: 0x3000n, VECTOR: 0x1800n });
    take(vcpu, { kind: 'interrupt' });
    expect(sysret(vcpu)).toBe(0x3000n);
    expect(vcpu.values).toMatchObject({ STATUS: before & 1n, LEVEL: (before >> 2n) & 1n });
  });

  it('says what core needs to say', () => {
    const view = testVcpu({ PC: 0x1002n });
    expect(faults.undefined(view, 0x13_00_00_00n)).toEqual({ kind: 'undefined', syndrome: 0x13n });
    expect(faults.bus(view, 0x10n, 0x10n, 'read')).toEqual({ kind: 'bus', address: 0x10n });
    expect(faults.alignment(view, 0x11n, 'write')).toEqual({ kind: 'alignment', address: 0x11n });
    expect(faults.fetchAlignment?.(view)).toEqual({ kind: 'alignment', address: 0x1002n });
  });
});
