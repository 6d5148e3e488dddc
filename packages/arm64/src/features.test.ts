import { describe, expect, it } from 'vitest';
import { FEATURES, pmuVersion, show } from './features.ts';

const set = (...names: string[]): ReadonlySet<string> => new Set(names);
const v3p5 = set('pmuv3', 'pmuv3p1', 'pmuv3p4', 'pmuv3p5');

describe('features', () => {
  it('each stands behind the one it needs', () => {
    const names = Object.keys(FEATURES);
    for (const [name, { after }] of Object.entries(FEATURES)) {
      if (after !== undefined) expect(names.indexOf(after), name).toBeLessThan(names.indexOf(name));
      if (after !== undefined) expect(names).toContain(after);
    }
  });

  it('show PMUVer as Arm DDI 0487 D24.2 numbers the versions', () => {
    expect(pmuVersion(set())).toBe(0);
    expect(pmuVersion(set('pmuv3'))).toBe(1);
    expect(pmuVersion(set('pmuv3', 'pmuv3p1'))).toBe(4);
    expect(pmuVersion(set('pmuv3', 'pmuv3p1', 'pmuv3p4'))).toBe(5);
    expect(pmuVersion(v3p5)).toBe(6);
  });

  it('leave the other fields of the register alone', () => {
    // Cortex-A76: ID_AA64DFR0_EL1 = 0x10305408.
    expect(show('ID_AA64DFR0_EL1', 0x10305408n, set('pmuv3', 'pmuv3p1'))).toBe(0x10305408n);
    expect(show('ID_AA64DFR0_EL1', 0x10305408n, set())).toBe(0x10305008n);
    // CRC32 in 19:16, atomics in 23:20 as 2, TS in 55:52.
    expect(show('ID_AA64ISAR0_EL1', 0n, set('crc32', 'lse', 'flagm', 'flagm2'))).toBe(0x0020_0000_0021_0000n);
    expect(show('ID_AA64ISAR0_EL1', 0n, set('flagm'))).toBe(0x0010_0000_0000_0000n);
  });
});
