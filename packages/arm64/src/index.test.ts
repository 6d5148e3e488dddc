/** The plugin as core reads it: every table checked by core's own loader, every model compiled. */
import { compile, cpuModel, load } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { arm64 } from './index.ts';

describe('the plugin', () => {
  it('is accepted by core', () => {
    expect(() => load(arm64)).not.toThrow();
  });
  it.each(Object.keys(arm64.cpus))('%s has what its rows need, less what a minus takes', (name) => {
    const arch = load(arm64);
    const without = compile(arch, cpuModel(arch, `${name},-pmuv3`));
    expect([...without.cpu.features].filter((feature) => feature.startsWith('pmuv3'))).toEqual([]);
    // PMMIR_EL1 needs v3p4, which stands on v3; what belongs to EL2's MDCR_EL2 stays.
    const left = without.registers.filter((r) => r.exists && r.row.role !== undefined).map((r) => r.name);
    expect(left).toEqual(['ID_AA64DFR0_EL1']);
    expect(cpuModel(arch, name).features.has('pmuv3')).toBe(true);
  });
  it('sets the number of counters and what HPMN = 0 does', () => {
    expect(cpuModel(load(arm64), '', { counters: 31, hpmn0: 'all' }).settings).toEqual({
      counters: 31,
      hpmn0: 'all',
      host_counters: 0,
    });
    expect(() => cpuModel(load(arm64), '', { counters: 32 })).toThrow();
    expect(() => cpuModel(load(arm64), '', { hpmn0: 'some' })).toThrow();
  });
  it('describes a register that no table declares', () => {
    expect(arm64.describe?.('sysreg', 0xdcef).text).toBe('sysreg(3, 3, 9, 13, 7)');
  });
});
