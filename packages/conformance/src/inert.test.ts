/** Every check of the suites about counting fails on a PMU that counts nothing. */
import { describe, expect, it } from 'vitest';
import type { SuiteName } from './check.ts';
import { runConformance } from './run.ts';
import { ARCHITECTURES } from './testing/architectures.ts';
import { inert } from './testing/inert.ts';

const ABOUT_COUNTING: readonly SuiteName[] = ['counting', 'overflow', 'sampling', 'switching'];

describe.each(ARCHITECTURES)('an inert PMU on $name', ({ arch, kit }) => {
  it.each(ABOUT_COUNTING)('fails every check of the suite %s', { timeout: 120_000 }, async (suite) => {
    const { checks } = await runConformance(inert(arch), kit, { groups: [suite] });
    expect(checks.length).toBeGreaterThan(0);
    expect(checks.filter(({ result }) => result.verdict === 'pass').map(({ name }) => name)).toEqual([]);
    const failed = checks.filter(({ result }) => result.verdict === 'fail');
    // An architecture without sampling says so, and that is all.
    expect(failed.length > 0 || (suite === 'sampling' && checks.length === 1)).toBe(true);
  });
});
