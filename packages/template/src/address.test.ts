import { describe, expect, it } from 'vitest';
import { describe as describeAddress } from './address.ts';

describe('describe', () => {
  it('writes an address as it is written here, with a row to paste', () => {
    expect(describeAddress('control', 0x33).text).toBe('control(0x33)');
    expect(describeAddress('control', 0x33).row).toMatch(/^CONTROL_33: \{ at: control\(0x33\), width: 64,/);
    expect(describeAddress('other', 1).text).toBe('other(0x01)');
  });
});
