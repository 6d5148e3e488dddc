import { describe, expect, it } from 'vitest';
import { ERRORS } from '../report/errors.ts';
import { BOOT_ERRORS, type BootErrorCode, refuse } from './errors.ts';

describe('the table of boot errors', () => {
  it.each(Object.keys(BOOT_ERRORS) as BootErrorCode[])('%s: one sentence, and a remedy', (code) => {
    const anything = new Proxy({}, { get: (_, name) => `<${String(name)}>` });
    const error = refuse(code, anything as never);
    expect(code).toMatch(/^CV_[A-Z]+(_[A-Z]+)+$/);
    expect(error.code).toBe(code);
    for (const text of [error.message, error.remedy]) {
      expect(text).toMatch(/\.$/);
      expect(text).not.toMatch(/undefined|\[object|\n/);
    }
  });

  it('has no code that the other table has', () => {
    expect(Object.keys(BOOT_ERRORS).filter((code) => Object.hasOwn(ERRORS, code))).toEqual([]);
  });
});
