/** The plugin as core reads it: every table checked by core's own loader, every model compiled. */
import { cpuModel, load } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { arm64 } from './index.ts';

describe('the plugin', () => {
  it('is accepted by core', () => {
    expect(() => load(arm64)).not.toThrow();
  });
  it.each(Object.keys(arm64.cpus))('%s has what its rows need, less what a minus takes', (name) => {
    const model = cpuModel(load(arm64), `${name},-pmuv3`);
    expect(model.features.has('pmuv3')).toBe(false);
    expect(cpuModel(load(arm64), name).features.has('pmuv3')).toBe(true);
  });
  it('sets the number of counters and what HPMN = 0 does', () => {
    expect(cpuModel(load(arm64), '', { counters: 31, hpmn0: 'all' }).settings).toEqual({ counters: 31, hpmn0: 'all' });
    expect(() => cpuModel(load(arm64), '', { counters: 32 })).toThrow();
    expect(() => cpuModel(load(arm64), '', { hpmn0: 'some' })).toThrow();
  });
  it('describes a register that no table declares', () => {
    expect(arm64.describe?.('sysreg', 0xdcef).text).toBe('sysreg(3, 3, 9, 13, 7)');
  });
});
