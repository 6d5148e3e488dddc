import { describe, expect, it } from 'vitest';
import { SIGNAL_INDEX, SIGNAL_NAMES } from './classes.ts';
import { cyclesOver } from './threshold.ts';

const signals = (given: Partial<Record<keyof typeof SIGNAL_INDEX, number>>): Float64Array => {
  const all = new Float64Array(SIGNAL_NAMES.length);
  for (const [name, amount] of Object.entries(given)) all[SIGNAL_INDEX[name as keyof typeof SIGNAL_INDEX]] = amount;
  return all;
};
const of = (name: keyof typeof SIGNAL_INDEX): [number, number][] => [[SIGNAL_INDEX[name], 1]];
const plain = { least: 1, invert: false, edge: false };

// Three stalls of the fetch, two of its own, one cycle to retire, in which it loads twice.
const slow = signals({ instruction: 1, load: 2, cycle: 6, 'stall-frontend': 3, 'stall-backend': 2 });

describe('cycles by the events they hold', () => {
  it.each([
    ['cycles with an instruction', of('instruction'), plain, 1],
    ['cycles without one', of('instruction'), { ...plain, invert: true }, 5],
    ['cycles with two loads', of('load'), { ...plain, least: 2 }, 1],
    ['cycles with three loads', of('load'), { ...plain, least: 3 }, 0],
    ['cycles with a cycle', of('cycle'), plain, 6],
    ['stalls of the fetch', of('stall-frontend'), plain, 3],
    ['other cycles than those', of('stall-frontend'), { ...plain, invert: true }, 3],
    ['stalls begun', of('stall-backend'), { ...plain, edge: true }, 1],
    ['least 0: every cycle', of('load'), { ...plain, least: 0 }, 6],
  ] as const)('%s', (_what, weights, threshold, expected) => {
    expect(cyclesOver(threshold, weights, slow, false).amount).toBe(expected);
  });

  it('an edge is counted once while its condition lasts from instruction to instruction', () => {
    const one = signals({ instruction: 1, cycle: 1 });
    const edge = { least: 1, invert: false, edge: true };
    const first = cyclesOver(edge, of('instruction'), one, false);
    expect(first).toEqual({ amount: 1, held: true });
    expect(cyclesOver(edge, of('instruction'), one, first.held)).toEqual({ amount: 0, held: true });
    expect(cyclesOver(edge, of('instruction'), slow, true)).toEqual({ amount: 1, held: true });
  });

  it('an exception is a moment between two cycles', () => {
    expect(cyclesOver(plain, of('exception'), signals({ exception: 1 }), false).amount).toBe(1);
    expect(cyclesOver(plain, of('exception'), signals({}), false).amount).toBe(0);
  });
});
