import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InputError } from '../exit.ts';
import { checked, parseJson } from './json.ts';

function failure(run: () => unknown): InputError {
  try {
    run();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('parseJson', () => {
  it('agrees with JSON.parse on every value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        // Refused by design: see below.
        fc.pre(!text.includes('__proto__'));
        expect(parseJson(text, 'x.json').value).toEqual(JSON.parse(text));
      }),
    );
  });

  it('agrees with JSON.parse on what is none, and always says where', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom('{', '}', '[', ']', ',', ':', '"a"', '1', '-', ' ', '\n', 'true', '"', '\\', '0', 'e'),
        }),
        (text) => {
          let valid = true;
          try {
            JSON.parse(text);
          } catch {
            valid = false;
          }
          let ours = true;
          try {
            parseJson(text, 'x.json');
          } catch (error) {
            ours = false;
            const { code, place } = error as InputError;
            expect(code).toBe('CV_JSON');
            expect((place?.line ?? 0) >= 1 && (place?.column ?? 0) >= 1).toBe(true);
            // A member twice is what JSON.parse takes and we refuse.
            if (valid) expect((error as Error).message).toContain('twice');
          }
          if (ours) expect(valid).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['', '1:1', 'A value is expected, and the end was found.'],
    ['{\n  "a": 1,\n  "b": }', '3:8', 'A value is expected'],
    ['{"a": 1,}', '1:9', "'}' follows a comma."],
    ['{"a" 1}', '1:6', "':' is expected"],
    ['[1 2]', '1:4', "',' or ']' is expected here."],
    ['{"a":1,"a":2}', '1:8', '"a" stands here twice.'],
    ['// no', '1:1', 'A value is expected'],
    ["{'a': 1}", '1:2', 'A string is expected here.'],
    ['1 2', '1:3', 'The value is over'],
    ['"a\nb"', '1:1', 'A string is expected here.'],
    ['['.repeat(40), '1:34', 'more than 32 deep'],
  ])('%j fails at %s', (text, at, sentence) => {
    const { place, message } = failure(() => parseJson(text, 'x.json'));
    expect(`${place?.line}:${place?.column}`).toBe(at);
    expect(message).toContain(sentence);
  });

  it('finds the place of a path, or of the nearest around it', () => {
    const json = parseJson('{\n  "a": [1, {"b": 2}]\n}', 'x.json');
    expect(json.place(['a', 1, 'b'])).toEqual({ file: 'x.json', line: 2, column: 18 });
    expect(json.place(['a', 1, 'c'])).toEqual({ file: 'x.json', line: 2, column: 12 });
    expect(json.place([])).toEqual({ file: 'x.json', line: 1, column: 1 });
  });

  it('refuses __proto__, which is lost wherever members are assigned', () => {
    expect(() => parseJson('{"__proto__": {"x": 1}}', 'x.json')).toThrow('"__proto__" is no name for anything.');
  });
});

describe('checked', () => {
  const schema = z.strictObject({ size: z.int().min(1) });
  it('places a wrong value and an unknown member, with a suggestion', () => {
    const value = failure(() => checked(parseJson('{\n "size": 0}', 'x.json'), schema, 'a box', () => ['size']));
    expect([value.code, value.place]).toEqual(['CV_JSON_VALUE', { file: 'x.json', line: 2, column: 10 }]);
    const member = failure(() =>
      checked(parseJson('{"size": 1, "sise": 2}', 'x.json'), schema, 'a box', () => ['size']),
    );
    expect([member.code, member.place?.column, member.remedy]).toEqual(['CV_JSON_MEMBER', 21, "Did you mean 'size'?"]);
    expect(checked(parseJson('{"size": 3}', 'x.json'), schema, 'a box', () => [])).toEqual({ size: 3 });
  });
});
