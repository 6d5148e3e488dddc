/** Reads JSON and remembers where everything stands, so that a wrong value is reported with its line and column (RFC 8259). */
import type { Place } from '@countervisor/contract';
import { didYouMean } from '@countervisor/core';
import type { ZodType } from 'zod';
import { InputError } from '../exit.ts';

export interface PlacedJson {
  readonly value: unknown;
  /** Of the value at this path; of the nearest one around it when the path leads nowhere. */
  place(path: readonly (string | number)[]): Place;
}

interface Node {
  readonly at: number;
  readonly members?: ReadonlyMap<string | number, Node>;
}

/** No file of ours nests deeper. */
const DEEPEST = 32;
const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids exactly these in strings.
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORDS: Readonly<Record<string, unknown>> = { true: true, false: false, null: null };

class Reader {
  readonly #text: string;
  readonly #file: string;
  #at = 0;

  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  place(at: number): Place {
    const before = this.#text.slice(0, at);
    const line = before.split('\n').length;
    return { file: this.#file, line, column: at - before.lastIndexOf('\n') };
  }

  refuse(sentence: string, remedy: string, at = this.#at): InputError {
    return new InputError('CV_JSON', sentence, remedy, this.place(at));
  }

  whole(): [unknown, Node] {
    const result = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length)
      throw this.refuse('The value is over, and more follows.', 'A file holds one JSON value.');
    return result;
  }

  #space(): void {
    SPACE.lastIndex = this.#at;
    SPACE.test(this.#text);
    this.#at = SPACE.lastIndex;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #string(): string {
    const found = this.#match(STRING);
    if (found === undefined)
      throw this.refuse(
        'A string is expected here.',
        'Strings stand in double quotes, end on their line, and escape \\ and ".',
      );
    return JSON.parse(found) as string;
  }

  #value(depth: number): [unknown, Node] {
    if (depth > DEEPEST)
      throw this.refuse(`Values are nested more than ${DEEPEST} deep.`, 'No file of this program is.');
    this.#space();
    const at = this.#at;
    const first = this.#text[at];
    if (first === '{') return this.#object(depth);
    if (first === '[') return this.#list(depth);
    if (first === '"') return [this.#string(), { at }];
    const number = this.#match(NUMBER);
    if (number !== undefined) return [Number(number), { at }];
    for (const [word, value] of Object.entries(WORDS)) {
      if (!this.#text.startsWith(word, at)) continue;
      this.#at += word.length;
      return [value, { at }];
    }
    const found =
      first === undefined ? 'the end' : JSON.stringify(String.fromCodePoint(this.#text.codePointAt(at) as number));
    const remedy =
      first === '/' || first === '#'
        ? 'JSON has no comments.'
        : first === "'"
          ? 'Strings stand in double quotes.'
          : 'Write a string, a number, true, false, null, a list or an object.';
    throw this.refuse(`A value is expected, and ${found} was found.`, remedy);
  }

  #object(depth: number): [unknown, Node] {
    const at = this.#at++;
    const value: Record<string, unknown> = {};
    const members = new Map<string | number, Node>();
    this.#space();
    if (this.#text[this.#at] === '}') {
      this.#at++;
      return [value, { at, members }];
    }
    for (;;) {
      this.#space();
      const keyAt = this.#at;
      const key = this.#string();
      if (members.has(key))
        throw this.refuse(`${JSON.stringify(key)} stands here twice.`, 'Remove one of them.', keyAt);
      // Objects that are made from this one by assignment would lose it without a word.
      if (key === '__proto__') throw this.refuse('"__proto__" is no name for anything.', 'Remove it.', keyAt);
      this.#space();
      if (this.#text[this.#at] !== ':')
        throw this.refuse(`':' is expected after ${JSON.stringify(key)}.`, 'A member is "name": value.');
      this.#at++;
      const [inner, node] = this.#value(depth + 1);
      Object.defineProperty(value, key, { value: inner, enumerable: true });
      members.set(key, node);
      if (this.#comma('}')) return [value, { at, members }];
    }
  }

  #list(depth: number): [unknown, Node] {
    const at = this.#at++;
    const value: unknown[] = [];
    const members = new Map<string | number, Node>();
    this.#space();
    if (this.#text[this.#at] === ']') {
      this.#at++;
      return [value, { at, members }];
    }
    for (;;) {
      const [inner, node] = this.#value(depth + 1);
      members.set(value.length, node);
      value.push(inner);
      if (this.#comma(']')) return [value, { at, members }];
    }
  }

  /** Passes a comma; true when the bracket closes instead. */
  #comma(close: string): boolean {
    this.#space();
    const found = this.#text[this.#at];
    if (found !== ',' && found !== close)
      throw this.refuse(`',' or '${close}' is expected here.`, `Separate by ',' and close with '${close}'.`);
    this.#at++;
    if (found === close) return true;
    this.#space();
    if (this.#text[this.#at] === close)
      throw this.refuse(`'${close}' follows a comma.`, 'Remove the comma: JSON allows none at the end.');
    return false;
  }
}

/** @throws InputError CV_JSON with the place of the first mistake */
export function parseJson(text: string, file: string): PlacedJson {
  const reader = new Reader(text, file);
  const [value, root] = reader.whole();
  return {
    value,
    place(path) {
      let node = root;
      for (const step of path) {
        const next = node.members?.get(step);
        if (next === undefined) break;
        node = next;
      }
      return reader.place(node.at);
    },
  };
}

interface Issue {
  readonly code: string;
  readonly message: string;
  readonly path: readonly PropertyKey[];
  readonly keys?: readonly string[];
}

/** Checks against a schema; the first thing wrong is thrown with its place. `known` names the members at a path, for suggestions. */
export function checked<T>(
  json: PlacedJson,
  schema: ZodType<T>,
  what: string,
  known: (path: readonly PropertyKey[]) => readonly string[],
): T {
  const result = schema.safeParse(json.value);
  if (result.success) return result.data;
  // A misspelt member says more than the one that is missing for it.
  const issues = result.error.issues as unknown as Issue[];
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? (issues[0] as Issue);
  const path = issue.path as readonly (string | number)[];
  const name = path.length === 0 ? what : `'${path.join('.')}'`;
  const [key] = issue.keys ?? [];
  if (issue.code === 'unrecognized_keys' && key !== undefined) {
    const names = known(path);
    throw new InputError(
      'CV_JSON_MEMBER',
      `${JSON.stringify(key)} is no member of ${name}.`,
      didYouMean(key, names, `Members: ${names.join(', ')}.`),
      json.place([...path, key]),
    );
  }
  throw new InputError(
    'CV_JSON_VALUE',
    `${name} is wrong: ${issue.message}.`,
    `The schema of ${what} says more.`,
    json.place(path),
  );
}
