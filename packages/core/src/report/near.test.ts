import { describe, expect, it } from 'vitest';
import { near } from './near.ts';

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
