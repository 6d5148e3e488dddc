import { describe, expect, it } from 'vitest';
import { closingLine, forbiddenSkips, outcomeOf, skipLine } from '../scripts/outcome.mjs';
import { required, TOOLS } from '../scripts/tools.mjs';
import { describeWith, missing } from './needs.ts';

const test = (status: string, fullName = 'a test') => ({ status, fullName });

describe('the numbers of a test run', () => {
  it('counts passes, failures and skips', () => {
    const report = {
      testResults: [
        { status: 'failed', assertionResults: [test('passed'), test('failed')] },
        {
          status: 'passed',
          assertionResults: [test('passed'), test('pending', 'rows [needs qemu]'), test('todo', 'later')],
        },
      ],
    };
    const outcome = outcomeOf(report);
    expect(closingLine(outcome)).toBe('2 passed, 1 failed, 2 skipped');
    expect(skipLine(outcome)).toMatch(/^Skips: 1 needs qemu; 1 no reason given: later\./);
  });

  it('counts a file that does not load as a failure', () => {
    expect(outcomeOf({ testResults: [{ status: 'failed', assertionResults: [] }] }).failed).toBe(1);
  });

  it('forbids skips of required tools, and skips without a reason, under CV_REQUIRE alone', () => {
    const outcome = outcomeOf({
      testResults: [
        {
          status: 'passed',
          assertionResults: [
            test('pending', 'a [needs qemu, as]'),
            test('pending', 'b [needs perf]'),
            test('pending', 'c'),
          ],
        },
      ],
    });
    expect(forbiddenSkips(outcome, [])).toEqual([]);
    expect(forbiddenSkips(outcome, ['as'])).toEqual(['needs qemu, as', 'no reason given: c']);
  });
});

describe('the tools of the machine', () => {
  it('refuses an unknown name in CV_REQUIRE', () => {
    expect(required('qemu,dtc')).toEqual(['qemu', 'dtc']);
    expect(() => required('qmeu')).toThrow(/'qmeu', which is no tool/);
  });

  it('names the commands that are not on the PATH', () => {
    const path = process.env.PATH;
    process.env.PATH = '/nowhere';
    try {
      expect(missing('dtc', 'as')).toEqual([...TOOLS.dtc, ...TOOLS.as]);
    } finally {
      process.env.PATH = path;
    }
  });
});

describeWith([], 'a group that needs nothing', () => {
  it('runs', () => {
    expect(missing()).toEqual([]);
  });
});
