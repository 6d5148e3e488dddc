/**
 * What is wrong with a plugin, all of it: problems are noted and the reading goes on.
 *
 * A plugin comes from outside and may be plain JavaScript, so nothing about its shape is taken for granted: these readers look before they
 * touch, note what is not as it must be, and hand back `undefined` for it.
 */
import { type ErrorCode, type FactsOf, say } from '../report/errors.ts';
import { near } from '../report/near.ts';

export interface Problem {
  readonly code: ErrorCode;
  /** Path in the plugin: `registers.PMCR_EL0.fields.E`. */
  readonly where: string;
  /** One sentence. */
  readonly message: string;
  readonly remedy: string;
}

type Named = Readonly<Record<string, unknown>>;

/** A value as a person would write it, short. */
export function show(thing: unknown): string {
  if (thing === undefined) return 'missing';
  if (typeof thing === 'bigint') return `0x${thing.toString(16)}n`.replace('0x-', '-0x');
  if (typeof thing === 'string') return thing.length > 40 ? `'${thing.slice(0, 40)}…'` : `'${thing}'`;
  if (typeof thing === 'function') return 'a function';
  if (Array.isArray(thing))
    return thing.length <= 4 && thing.every(isShort) ? `[${thing.map(show).join(', ')}]` : 'a list';
  if (typeof thing === 'object' && thing !== null) return 'an object';
  return String(thing);
}

const isShort = (thing: unknown): boolean => typeof thing !== 'object' && typeof thing !== 'function';

/** Bits set in a mask, highest first: "bits 63 to 32", "bit 5", "bits 7 to 6 and bit 0". */
export function bitsOf(mask: bigint): string {
  const runs = runsOf(mask).map(([high, low]) => (high === low ? `bit ${low}` : `bits ${high} to ${low}`));
  const last = runs.pop() ?? 'no bits';
  return runs.length === 0 ? last : `${runs.join(', ')} and ${last}`;
}

/** Runs of ones, highest first, as [high, low]. */
export function runsOf(mask: bigint): (readonly [high: number, low: number])[] {
  const digits = mask.toString(2);
  const top = digits.length - 1;
  return [...digits.matchAll(/1+/g)].map((run) => [top - run.index, top - run.index - run[0].length + 1] as const);
}

export class Problems {
  readonly list: Problem[] = [];

  note<Code extends ErrorCode>(code: Code, where: string, facts: FactsOf<Code>): undefined {
    const { says, remedy } = say(code, facts);
    this.list.push({ code, where, message: says, remedy });
  }

  shape(where: string, expected: string, thing: unknown): undefined {
    return this.note('CV_SHAPE', where, { where, expected, found: show(thing) });
  }

  /** Every property is one of `known`: a misspelt optional one must not be silently absent. */
  only(where: string, thing: Named, known: readonly string[]): void {
    for (const key of Object.keys(thing)) {
      if (!known.includes(key)) {
        this.note('CV_UNKNOWN_NAME', where, {
          where,
          kind: 'property',
          name: show(key),
          near: near(key, known),
          known,
        });
      }
    }
  }

  /** An object that is no list; its own enumerable entries. */
  entries(where: string, thing: unknown): (readonly [name: string, value: unknown])[] {
    const named = this.named(where, thing);
    return named === undefined ? [] : Object.entries(named);
  }

  named(where: string, thing: unknown, expected = 'an object'): Named | undefined {
    if (typeof thing === 'object' && thing !== null && !Array.isArray(thing)) return thing as Named;
    return this.shape(where, expected, thing);
  }

  items(where: string, thing: unknown): readonly unknown[] {
    if (Array.isArray(thing)) return thing;
    this.shape(where, 'a list', thing);
    return [];
  }

  /** A string that says something. */
  text(where: string, thing: unknown): string | undefined {
    if (typeof thing === 'string' && thing.trim() !== '') return thing;
    return this.shape(where, 'a text', thing);
  }

  texts(where: string, thing: unknown): string[] {
    return this.items(where, thing).flatMap((item, i) => this.text(`${where}[${i}]`, item) ?? []);
  }

  whole(where: string, thing: unknown, from: number, to: number): number | undefined {
    if (typeof thing === 'number' && Number.isInteger(thing) && thing >= from && thing <= to) return thing;
    return this.shape(where, `a whole number from ${from} to ${to}`, thing);
  }

  /** 0n or more. */
  natural(where: string, thing: unknown): bigint | undefined {
    if (typeof thing === 'bigint' && thing >= 0n) return thing;
    return this.shape(where, 'a bigint of 0n or more', thing);
  }

  function(where: string, thing: unknown, optional: 'optional' | 'required' = 'required'): boolean {
    if (typeof thing === 'function') return true;
    if (thing === undefined && optional === 'optional') return false;
    this.shape(where, 'a function', thing);
    return false;
  }

  oneOf<Word extends string>(where: string, thing: unknown, words: readonly Word[]): Word | undefined {
    if (typeof thing === 'string' && (words as readonly string[]).includes(thing)) return thing as Word;
    return this.shape(where, `one of ${words.map((w) => `'${w}'`).join(', ')}`, thing);
  }

  /** A name that a table declares; `kind` is the word for what it names. */
  name(where: string, kind: string, thing: unknown, known: ReadonlySet<string>): string | undefined {
    const name = this.text(where, thing);
    if (name === undefined || known.has(name)) return name;
    const all = [...known];
    return this.note('CV_UNKNOWN_NAME', where, { where, kind, name: show(name), near: near(name, all), known: all });
  }
}
