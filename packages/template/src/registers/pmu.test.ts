import { describe, expect, it } from 'vitest';
import { testVcpu } from '../testing/vcpu.ts';
import { pmu } from './pmu.ts';

describe('effects of PMU writes', () => {
  it('PMCTL.R clears every counter, and nothing else does', () => {
    const vcpu = testVcpu({ PMC0: 1n, PMC1: 2n, PMC2: 3n, PMC3: 4n });
    pmu.PMCTL.wrote?.(vcpu, 0b01n, 0n);
    expect(vcpu.values).toEqual({ PMC0: 1n, PMC1: 2n, PMC2: 3n, PMC3: 4n });
    pmu.PMCTL.wrote?.(vcpu, 0b10n, 0n);
    expect(vcpu.values).toEqual({ PMC0: 0n, PMC1: 0n, PMC2: 0n, PMC3: 0n });
  });

  it('PMINC adds one to each counter named that selects INCREMENT', () => {
    const vcpu = testVcpu({ PMSEL0: 0n, PMSEL1: 1n, PMSEL2: 0n, PMSEL3: 0n });
    pmu.PMINC.wrote?.(vcpu, 0b0111n, 0n);
    expect(vcpu.calls).toEqual(['count PMC0 1', 'count PMC2 1']);
  });
});
