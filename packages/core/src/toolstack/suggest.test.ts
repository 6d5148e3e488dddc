import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closest, didYouMean, distance } from './suggest.ts';

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

describe('closest', () => {
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
    expect(closest(word, names)).toBe(name);
  });

  it('speaks', () => {
    expect(didYouMean('vmpu', names, 'Remove it.')).toBe("Did you mean 'vpmu'?");
    expect(didYouMean('disk', names, 'Remove it.')).toBe('Remove it.');
  });
});
