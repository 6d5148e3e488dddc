import { describe, expect, it } from 'vitest';
import { testVcpu } from '../testing/vcpu.ts';
import { tiny } from './tiny.ts';

describe('tiny', () => {
  it('interrupts when enabled and a line is up, and says which', () => {
    const vcpu = testVcpu({ STATUS: 1n });
    expect(tiny.interrupt(vcpu)).toBeUndefined();
    vcpu.lines.pmu = true;
    expect(tiny.interrupt(vcpu)).toEqual({ kind: 'interrupt', syndrome: 1n });
    vcpu.lines.timer = true;
    expect(tiny.interrupt(vcpu)).toEqual({ kind: 'interrupt', syndrome: 3n });
    vcpu.values.STATUS = 0n;
    expect(tiny.interrupt(vcpu)).toBeUndefined();
    expect(tiny.wakes(vcpu)).toBe(true);
  });

  it.each([
    // compare, now → line, deadline
    [0n, 5n, false, undefined],
    [10n, 9n, false, 10n],
    [10n, 10n, true, undefined],
    [10n, 11n, true, undefined],
  ])('the timer at %i, now %i', (compare, now, up, deadline) => {
    const vcpu = testVcpu({}, 'tiny', { now });
    vcpu.devices.timer = { compare };
    expect(tiny.sources.timer?.(vcpu)).toBe(up);
    expect(tiny.deadline(vcpu)).toBe(deadline);
  });

  it('devices answer where they have registers, and nowhere else', () => {
    const [console, timer] = tiny.devices;
    const vcpu = testVcpu();
    vcpu.devices.timer = { compare: 0n };
    vcpu.devices.console = console!.state(vcpu);
    expect(timer!.write?.(vcpu, 0, 8, 77n)).toBe(true);
    expect(timer!.read?.(vcpu, 0, 8)).toBe(77n);
    expect([timer!.write?.(vcpu, 4, 8, 1n), timer!.read?.(vcpu, 4, 8)]).toEqual([false, undefined]);
    expect(console!.write?.(vcpu, 0, 8, 0x141n)).toBe(true);
    expect([vcpu.calls, console!.read?.(vcpu, 0, 8)]).toEqual([['console 65'], 1]);
  });

  it('starts a vCPU at the kernel level, with its argument in R0', () => {
    expect(tiny.start(testVcpu(), 0x2000n, 7n)).toEqual([
      ['LEVEL', 1n],
      ['R0', 7n],
      ['PC', 0x2000n],
    ]);
  });

  it('passes with status 0', () => {
    expect([tiny.verdict(0, ''), tiny.verdict(1, '')]).toEqual(['passed', 'failed']);
  });
});
