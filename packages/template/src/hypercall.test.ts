import { describe, expect, it } from 'vitest';
import { hypercalls } from './hypercall.ts';
import { testVcpu } from './testing/vcpu.ts';

const MINUS_ONE = 0xffff_ffff_ffff_ffffn;
const call = (vcpu: ReturnType<typeof testVcpu>, number: number, ...args: bigint[]) =>
  hypercalls.services[String(number)]?.call(vcpu, args);

describe('hypercalls', () => {
  it.each([
    [0, [], 1n, []],
    [1, [0x141n], 0n, ['console 65']],
    [2, [7n], 0n, ['exit poweroff 7']],
    [3, [1n, 0x1000n, 5n], 0n, ['start 1 4096 5']],
    [3, [0n, 0x1000n, 5n], MINUS_ONE, ['start 0 4096 5']], // on already
    [3, [2n, 0x1000n, 5n], MINUS_ONE, []], // there are two
    [4, [], 0n, ['yield']],
  ])('%i %s', (number, args, result, calls) => {
    const vcpu = testVcpu();
    expect(call(vcpu, number, ...args)).toBe(result);
    expect(vcpu.calls).toEqual(calls);
  });

  it('answers -1 to an unknown number', () => {
    expect(hypercalls.unknown(testVcpu(), 99n)).toBe(MINUS_ONE);
  });
});
