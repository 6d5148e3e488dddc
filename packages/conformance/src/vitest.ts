/** The suite for Vitest, which the test file hands in: this package does not depend on it. */
import type { Arch, Conformance } from '@countervisor/contract';
import { type Check, perform, SUITES } from './check.ts';
import { emulator } from './emulator.ts';
import { setupOf, subject } from './facts.ts';
import { failure } from './report.ts';
import { chosen, type RunOptions } from './run.ts';

/** A test's own: it can skip itself, and tell the run's report why. */
interface Context {
  skip(reason: string): unknown;
  readonly task?: { readonly meta: object };
}

/** What is used of Vitest: `describe`, and `it` whose test can skip itself with a reason. */
export interface Framework {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: (context: Context) => Promise<void>): unknown;
}

/**
 * Registers every check of an architecture as a test.
 *
 * ```ts
 * import { describe, it } from 'vitest';
 * conformance(mine, { programs, code, use, manual }, { describe, it });
 * ```
 */
export function conformance(
  arch: Arch,
  kit: Conformance,
  { describe, it }: Framework,
  options: Pick<RunOptions, 'groups' | 'shard' | 'target'> = {},
): void {
  const checks = chosen(arch, kit, options);
  const usual = setupOf(subject(arch, kit).facts);
  // Made when the first check runs: an architecture that is refused fails its tests, not their collection.
  let made: ReturnType<typeof emulator> | undefined;
  const target = (): ReturnType<typeof emulator> => {
    made ??= options.target ?? emulator(arch);
    return made;
  };
  const test = (check: Check): void => {
    const known = check.absent === undefined ? '' : ` [absent: ${check.absent}]`;
    it(check.name + known, async (context) => {
      const result = await perform(check, target(), usual);
      if (result.verdict === 'absent') {
        Object.assign(context.task?.meta ?? {}, { absent: `absent: ${result.why}` });
        context.skip(result.why);
      }
      if (result.verdict === 'fail') throw new Error(failure(result));
    });
  };
  describe(`conformance of ${arch.name}`, () => {
    for (const suite of SUITES) {
      const own = checks.filter((check) => check.suite === suite);
      if (own.length > 0) describe(suite, () => own.forEach(test));
    }
  });
}
