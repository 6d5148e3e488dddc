import { SIGNALS } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { counters, exists } from './counters.ts';
import { EVENT_IDS, events } from './events.ts';
import { HYPERVISOR, KERNEL, USER } from './features.ts';
import { line, overflow } from './overflow.ts';
import { sampling } from './sampling.ts';
import { cpuRow } from './testing/cpu.ts';
import { testVcpu } from './testing/vcpu.ts';

const NU = 1n << 31n;
const NK = 1n << 30n;
const H = 1n << 29n;

describe('counting', () => {
  const [, one] = counters;
  const at = (level: number, PMCTL: bigint, PMENSET: bigint, PMSEL1: bigint): boolean =>
    one!.counting(testVcpu({ PMCTL, PMENSET, PMSEL1 }), level);

  it('needs the master enable and its own', () => {
    expect(at(KERNEL, 1n, 2n, 0n)).toBe(true);
    expect(at(KERNEL, 0n, 2n, 0n)).toBe(false);
    expect(at(KERNEL, 1n, 0n, 0n)).toBe(false);
    expect(at(KERNEL, 1n, 0b1101n, 0n)).toBe(false);
  });

  // selector → counted at user, kernel, hypervisor
  it.each([
    [0n, [true, true, false]],
    [NU, [false, true, false]],
    [NK, [true, false, false]],
    [NU | NK, [false, false, false]],
    [H, [true, true, true]],
    [NU | NK | H, [false, false, true]],
  ])('filters %s', (selector, counted) => {
    expect([USER, KERNEL, HYPERVISOR].map((level) => at(level, 1n, 2n, selector))).toEqual(counted);
  });

  it('selects by the low byte alone', () => {
    expect(one!.event(testVcpu({ PMSEL1: NU | 0x0an }))).toBe(EVENT_IDS.CALLS);
  });

  it('has 32 bits, or 64 on a wide CPU', () => {
    const zero = counters[0]!;
    expect([zero.width(testVcpu()), zero.overflowWidth(testVcpu())]).toEqual([32, 32]);
    expect([zero.width(testVcpu({}, 'tiny-wide')), zero.overflowWidth(testVcpu({}, 'tiny-wide'))]).toEqual([64, 64]);
  });

  it('gives odd counters their even neighbour', () => {
    expect(counters.map((counter) => counter.neighbour)).toEqual([undefined, 0, undefined, 2]);
  });

  it('has as many as the setting says', () => {
    const view = testVcpu({}, 'tiny', { cpu: cpuRow('tiny', { counters: 2 }) });
    expect([0, 1, 2, 3].map((n) => exists(view, n))).toEqual([true, true, false, false]);
  });
});

describe('overflow', () => {
  it('sets the status of its counter and keeps the others', () => {
    const vcpu = testVcpu({ PMSTAT: 0b0001n });
    overflow(vcpu, 2);
    expect(vcpu.values).toMatchObject({ PMSTAT: 0b0101n });
  });

  it.each([
    ['tiny', { PMSAMPLE: 0x1238n }],
    ['tiny-none', {}],
  ])('the sampling register of %s keeps where it was seen', (cpu, expected) => {
    const vcpu = testVcpu({}, cpu);
    const retired = { pc: 0x1234n, next: 0x1238n, level: 0, name: 'nop' };
    sampling.boundary?.(vcpu, [{ counter: 0, amount: 1, wrapped: true, armed: false }], retired);
    expect(vcpu.values).toEqual(expected);
  });

  it.each([
    [0b0001n, 0b0001n, true],
    [0b0001n, 0b0010n, false],
    [0b1000n, 0b1010n, true],
    [0b0000n, 0b1111n, false],
  ])('the line with status %i and enable %i is %s', (PMSTAT, PMINTEN, up) => {
    expect(line(testVcpu({ PMSTAT, PMINTEN }))).toBe(up);
  });
});

describe('events', () => {
  it('counts every signal there is, each by itself', () => {
    const alone = events.filter((event) => event.counts.length === 1).flatMap((event) => event.counts);
    // No branch is far, there is no cache, and nothing is predicted.
    const absent = ['far', 'cache-reference', 'cache-miss', 'branch-miss'];
    expect([...alone, ...absent].sort()).toEqual(Object.keys(SIGNALS).sort());
  });
});
