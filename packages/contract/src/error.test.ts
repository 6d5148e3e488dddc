import { describe, expect, it } from 'vitest';
import { CountervisorError } from './error.ts';

describe('CountervisorError', () => {
  it('reads place, code, sentence and remedy', () => {
    const error = new CountervisorError('CV_TEST', 'It does not fit.', 'Make it\nsmaller.', {
      file: 'a.cfg',
      line: 3,
      column: 14,
    });
    expect(error.format()).toBe('a.cfg:3:14: CV_TEST  It does not fit.\n  Make it\n  smaller.');
    expect(String(error)).toBe(error.format());
    expect([error.name, error.code, error.message, error.remedy]).toEqual([
      'CountervisorError',
      'CV_TEST',
      'It does not fit.',
      'Make it\nsmaller.',
    ]);
    expect(error).toBeInstanceOf(Error);
  });

  it('does without a place and without a remedy', () => {
    const error = new CountervisorError('CV_TEST', 'It does not fit.', '');
    expect(error.place).toBeUndefined();
    expect(error.format()).toBe('CV_TEST  It does not fit.');
  });
});
