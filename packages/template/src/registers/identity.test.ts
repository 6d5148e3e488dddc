import { describe, expect, it } from 'vitest';
import { readreg } from '../asm.ts';
import { runLines } from '../testing/run.ts';

describe('identity', () => {
  const lines = [readreg('R3', 'CPUID'), readreg('R4', 'PMINFO'), readreg('R5', 'PMEVENTS')];

  it.each([
    ['tiny', 0x7e01n, 0x04n],
    ['tiny-wide', 0x7e02n, 0x14n],
    ['tiny,+wide', 0x7e01n, 0x14n],
  ])('%s says what it is', (cpu, id, info) => {
    const { get } = runLines(lines, { cpu });
    // Eighteen events, 0x00 to 0x11.
    expect([get('R3'), get('R4'), get('R5')]).toEqual([id, info, 0x3_ffffn]);
  });

  it('a CPU without a PMU has no PMINFO, and says so', () => {
    // VECTOR is unknown, so the exception has nowhere to go.
    const { domain, get } = runLines(lines, { cpu: 'tiny-none' });
    expect([get('R3'), domain.ended?.reason]).toEqual([0x7e00n, 'exception-loop']);
  });
});
