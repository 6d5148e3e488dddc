import { describe, expect, it } from 'vitest';
import { describe as describeRegister, generic, parts, sysreg } from './address.ts';

describe('system register addresses', () => {
  it('hold op0 in [15:14], op1 in [13:11], CRn in [10:7], CRm in [6:3], op2 in [2:0]', () => {
    // MRS X0, PMCR_EL0 is 0xD53B9C00: bits [20:5] are o0:op1:CRn:CRm:op2 under L, with op0 = 2 + o0.
    const word = 0xd53b9c00;
    const field = (word >>> 5) & 0xffff;
    expect(sysreg(3, 3, 9, 12, 0)).toEqual({ space: 'sysreg', index: field | 0x8000 });
    expect(sysreg(3, 3, 9, 12, 0).index).toBe(0xdce0);
  });
  it('come apart again', () => {
    expect(parts(sysreg(3, 3, 9, 13, 2).index)).toEqual([3, 3, 9, 13, 2]);
    expect(parts(sysreg(2, 7, 15, 15, 7).index)).toEqual([2, 7, 15, 15, 7]);
    expect(generic(sysreg(3, 0, 0, 5, 0).index)).toBe('S3_0_C0_C5_0');
  });
});

describe('the diagnostic about an unknown register', () => {
  it('names it as the manual does, and has a row ready to paste', () => {
    const { text, row } = describeRegister('sysreg', sysreg(3, 3, 9, 13, 7).index);
    expect(text).toBe('sysreg(3, 3, 9, 13, 7)');
    expect(row).toContain('S3_3_C9_C13_7: { at: sysreg(3, 3, 9, 13, 7)');
  });
});
