import { CountervisorError } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { ERRORS, type ErrorCode, fail, say } from './errors.ts';

/** Facts that any row can print: rows only put strings, numbers and lists of strings into sentences. */
const anything = new Proxy({}, { get: (_, name) => (PLURAL.has(String(name)) ? ['one', 'two'] : `<${String(name)}>`) });
const PLURAL = new Set(['problems', 'known', 'offered', 'granted', 'optional', 'accepted']);

describe('the table of errors', () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])('%s: one sentence, and a remedy', (code) => {
    expect(code).toMatch(/^CV_[A-Z0-9]+(_[A-Z0-9]+)*$/);
    const { says, remedy } = say(code, anything as never);
    expect(says).not.toMatch(/undefined|\[object/);
    expect(says).not.toContain('\n');
    expect(remedy).not.toBe('');
    // A fact that was left out, not the instruction that a guest gets.
    expect(remedy).not.toMatch(/undefined(?! instruction)|\[object/);
  });

  it('makes an error of the project with code, place and remedy', () => {
    const place = { file: 'host.json', line: 3, column: 7 };
    const error = fail(
      'CV_UNKNOWN_CPU',
      { arch: 'tiny', name: 'tiny2', near: undefined, known: ['tiny1', 'tinyx'] },
      place,
    );
    expect(error).toBeInstanceOf(CountervisorError);
    expect(error.format()).toBe('host.json:3:7: CV_UNKNOWN_CPU  tiny has no CPU model tiny2.\n  Known: tiny1, tinyx.');
  });

  it('suggests what is near, and else shows no more than a dozen names', () => {
    const facts = { arch: 'tiny', name: 'R11', known: Array.from({ length: 30 }, (_, n) => `Q${n}`) };
    expect(say('CV_UNKNOWN_REGISTER_NAME', { ...facts, near: 'Q11' }).remedy).toBe('Did you mean Q11?');
    expect(say('CV_UNKNOWN_REGISTER_NAME', { ...facts, near: undefined }).remedy).toMatch(/Q11 and 18 more\.$/);
    expect(say('CV_UNKNOWN_REGISTER_NAME', { ...facts, known: [], near: undefined }).remedy).toBe(
      'There is none to choose from.',
    );
  });

  it('keeps a row to paste on its own line', () => {
    const { remedy } = say('CV_FIELD_GAP', {
      register: 'CTL',
      bits: 'bits 13 to 10',
      row: "R: { bits: [13, 10], means: 'Reserved.' },",
    });
    expect(remedy.split('\n')[1]).toBe("  R: { bits: [13, 10], means: 'Reserved.' },");
  });
});
