import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { didYouMean, distance, near } from './near.ts';

describe('distance', () => {
  it.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['vpmu', 'vpmu', 0],
    ['vmpu', 'vpmu', 1],
    ['ca', 'abc', 3],
    ['memroy', 'memory', 1],
    ['flaw', 'lawn', 2],
  ])('%s to %s is %i', (a, b, d) => {
    expect(distance(a, b)).toBe(d);
  });

  it('is symmetric, and zero only for equals', () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(distance(a, b)).toBe(distance(b, a));
        expect(distance(a, b) === 0).toBe(a === b);
        expect(distance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});

describe('near', () => {
  const registers = ['PMCR_EL0', 'PMCNTENSET_EL0', 'PMCNTENCLR_EL0', 'PMSELR_EL0'];

  it.each([
    ['PMCR_EL1', 'PMCR_EL0'], // one replacement
    ['pmcr_el0', 'PMCR_EL0'], // case alone
    ['PMCRE_L0', 'PMCR_EL0'], // two neighbours swapped
    ['PMCNTENSE_EL0', 'PMCNTENSET_EL0'], // one missing
    ['PMSELLR_EL0', 'PMSELR_EL0'], // one too many
  ])('%s is near %s', (misspelt, meant) => {
    expect(near(misspelt, registers)).toBe(meant);
  });

  it('takes the nearest, not the first that would do', () => {
    expect(near('PMCNTENCLR_EL1', registers)).toBe('PMCNTENCLR_EL0');
  });

  it('takes the first of two that are equally near', () => {
    expect(near('ab1', ['ab2', 'ab3'])).toBe('ab2');
  });

  it('suggests nothing when nothing is near', () => {
    expect(near('VBAR', registers)).toBeUndefined();
    expect(near('', ['abc'])).toBeUndefined();
    expect(near('abc', [])).toBeUndefined();
  });

  it('answers for a hostile name of a million letters', () => {
    expect(near('x'.repeat(1_000_000), registers)).toBeUndefined();
  });
});

describe('near, for keys', () => {
  const names = ['memory', 'maxmem', 'vcpus', 'vpmu', 'on_crash'];
  it.each([
    ['memmory', 'memory'],
    ['vmpu', 'vpmu'],
    ['VPMU', 'vpmu'],
    ['vcpu', 'vcpus'],
    ['oncrash', 'on_crash'],
    ['disk', undefined],
    ['', undefined],
    ['x'.repeat(65), undefined],
  ])('%s: %s', (word, name) => {
    expect(near(word, names)).toBe(name);
  });

  it('speaks', () => {
    expect(didYouMean('vmpu', names, 'Remove it.')).toBe("Did you mean 'vpmu'?");
    expect(didYouMean('disk', names, 'Remove it.')).toBe('Remove it.');
  });
});
