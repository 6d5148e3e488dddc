import { template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { load } from './load.ts';
import { problemsOf } from './validate.ts';

describe('load', () => {
  it('has nothing against the template', () => {
    expect(problemsOf(template)).toEqual([]);
    expect(load(template)).toBe(template);
  });
});
