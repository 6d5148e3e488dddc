/** Reads an xl.cfg file: settings with their places, and every error with line and column (Xen docs/man/xl.cfg.5: syntax; tools/libs/util/libxlu_cfg_y.y). */
import { CountervisorError, type Place } from '@countervisor/contract';
import { Lexer, shown, type Token } from './xllex.ts';

/** How deep lists may nest; xl has no limit, and its own keys need two. */
export const DEEPEST = 16;

/** A string or a number: xl keeps the text of both, and each key decides how to read it. */
export interface XlAtom {
  readonly kind: 'atom';
  readonly text: string;
  readonly quoted: boolean;
  readonly place: Place;
}

export interface XlList {
  readonly kind: 'list';
  readonly items: readonly XlValue[];
  readonly place: Place;
}

export type XlValue = XlAtom | XlList;

export interface XlSetting {
  readonly name: string;
  readonly value: XlValue;
  /** Last given by `+=`: such a value is never a number. */
  readonly added: boolean;
  /** Of the name. */
  readonly place: Place;
}

export interface XlConfig {
  readonly file: string;
  /** By name; of several settings the last counts, in the order of the last. */
  readonly values: ReadonlyMap<string, XlSetting>;
  /** Settings in the file that a later `=` in the same file replaced. */
  readonly replaced: readonly XlSetting[];
}

/** The `file` of places in command-line settings; their line is the number of the argument. */
export const COMMAND_LINE = 'command line';

/**
 * Parses a configuration and then, like `xl create`, each `key=value` argument as more lines of it.
 * Limits: 1 MiB each, lists 16 deep.
 * @throws CountervisorError CV_XLCFG_… with the place of the first mistake, and nothing else.
 */
export function parseXlConfig(text: string, file: string, overrides: readonly string[] = []): XlConfig {
  const values = new Map<string, XlSetting>();
  const replaced: XlSetting[] = [];
  new Parser(new Lexer({ text, file, firstLine: 1 }), values, replaced).file();
  overrides.forEach((argument, n) => {
    new Parser(new Lexer({ text: argument, file: COMMAND_LINE, firstLine: n + 1 }), values, []).file();
  });
  return { file, values, replaced };
}

class Parser {
  readonly #lexer: Lexer;
  readonly #values: Map<string, XlSetting>;
  readonly #replaced: XlSetting[];
  #token: Token;

  constructor(lexer: Lexer, values: Map<string, XlSetting>, replaced: XlSetting[]) {
    this.#lexer = lexer;
    this.#values = values;
    this.#replaced = replaced;
    this.#token = lexer.next();
  }

  file(): void {
    for (;;) {
      const token = this.#token;
      switch (token.kind) {
        case 'end':
          return;
        case 'newline':
        case ';':
          this.#advance();
          break;
        case 'name':
          this.#advance();
          this.#setting(token.text, token.place);
          break;
        default:
          throw badName(token);
      }
    }
  }

  #advance(): void {
    this.#token = this.#lexer.next();
  }

  #setting(name: string, place: Place): void {
    const sign = this.#token;
    if (sign.kind !== '=' && sign.kind !== '+=') {
      throw new CountervisorError(
        'CV_XLCFG_SYNTAX',
        `'=' is expected after ${shown(name)}, and ${describe(sign)} was found.`,
        `Write ${name.slice(0, 40)} = value.`,
        sign.place,
      );
    }
    this.#advance();
    const value = this.#value(0);
    const after = this.#token;
    if (after.kind !== 'newline' && after.kind !== ';' && after.kind !== 'end') {
      throw new CountervisorError(
        'CV_XLCFG_SYNTAX',
        `The setting of ${shown(name)} is over, and ${describe(after)} was found.`,
        `Start each setting on its own line or after ';'; several values go in a list: [ 'a', 'b' ].`,
        after.place,
      );
    }
    this.#store(name, value, sign.kind === '+=', place);
  }

  #store(name: string, value: XlValue, added: boolean, place: Place): void {
    const before = this.#values.get(name);
    if (!added || before === undefined) {
      if (before !== undefined) this.#replaced.push(before);
      this.#values.delete(name);
      this.#values.set(name, { name, value, added, place });
      return;
    }
    this.#values.set(name, { name, value: joined(name, before.value, value), added, place });
  }

  #value(depth: number): XlValue {
    const token = this.#token;
    if (token.kind === 'string' || token.kind === 'number') {
      this.#advance();
      return { kind: 'atom', text: token.text, quoted: token.kind === 'string', place: token.place };
    }
    if (token.kind === '[') return this.#list(token.place, depth + 1);
    throw badValue(token);
  }

  #list(place: Place, depth: number): XlList {
    if (depth > DEEPEST) {
      throw new CountervisorError(
        'CV_XLCFG_TOO_DEEP',
        `Lists are nested more than ${DEEPEST} deep.`,
        'No key takes such a list; flatten it.',
        place,
      );
    }
    this.#advance();
    this.#newlines();
    const items: XlValue[] = [];
    while (!this.#at(']')) {
      if (this.#at('end')) throw unclosed(place);
      items.push(this.#value(depth));
      this.#newlines();
      const after = this.#token;
      if (after.kind === ',') {
        this.#advance();
        this.#newlines();
      } else if (after.kind === 'end') {
        throw unclosed(place);
      } else if (after.kind !== ']') {
        throw new CountervisorError(
          'CV_XLCFG_SYNTAX',
          `',' or ']' is expected in the list, and ${describe(after)} was found.`,
          `Separate values by ',' and close the list with ']'.`,
          after.place,
        );
      }
    }
    this.#advance();
    return { kind: 'list', items, place };
  }

  #newlines(): void {
    while (this.#at('newline')) this.#advance();
  }

  #at(kind: Token['kind']): boolean {
    return this.#token.kind === kind;
  }
}

/** `+=` appends in place: a file of a hundred thousand of them must not copy the list each time. Only the parser holds these arrays yet. */
function joined(name: string, before: XlValue, more: XlValue): XlValue {
  if (before.kind === 'atom' && more.kind === 'atom') return { ...before, text: before.text + more.text, quoted: true };
  if (before.kind === 'list' && more.kind === 'list') {
    const items = before.items as XlValue[];
    for (const item of more.items) items.push(item);
    return before;
  }
  throw new CountervisorError(
    'CV_XLCFG_ADD',
    `${shown(name)} holds a ${before.kind === 'list' ? 'list' : 'single value'}, and a ${more.kind === 'list' ? 'list' : 'single value'} cannot be added to it.`,
    before.kind === 'list'
      ? `Write ${name.slice(0, 40)} += [ value ].`
      : `Write ${name.slice(0, 40)} = [ … ] first, or leave the brackets out.`,
    more.place,
  );
}

function badName(token: Token): CountervisorError {
  if (token.kind === 'word') {
    return new CountervisorError(
      'CV_XLCFG_NAME',
      `${shown(token.text)} is not a name.`,
      `Names are lower case: ${token.text.toLowerCase().slice(0, 40)}.`,
      token.place,
    );
  }
  return new CountervisorError(
    'CV_XLCFG_SYNTAX',
    `A name is expected, and ${describe(token)} was found.`,
    'A line is name = value.',
    token.place,
  );
}

function badValue(token: Token): CountervisorError {
  const word = token.kind === 'word' || token.kind === 'name' ? token.text : undefined;
  const remedy =
    word === undefined
      ? 'A value is a string in quotes, a number, or a list in brackets, and starts on the same line.'
      : /^(true|yes|on)$/i.test(word)
        ? 'Write 1 for yes.'
        : /^(false|no|off|none)$/i.test(word)
          ? 'Write 0 for no.'
          : `Put text in quotes: ${shown(word)}.`;
  return new CountervisorError(
    'CV_XLCFG_SYNTAX',
    `A value is expected, and ${describe(token)} was found.`,
    remedy,
    token.place,
  );
}

function unclosed(place: Place): CountervisorError {
  return new CountervisorError(
    'CV_XLCFG_LIST',
    'The list that starts here is not closed.',
    `Close it with ']'.`,
    place,
  );
}

function describe(token: Token): string {
  switch (token.kind) {
    case 'end':
      return 'the end';
    case 'newline':
      return 'the end of the line';
    case 'string':
      return `the string ${shown(token.text)}`;
    case 'number':
      return `the number ${shown(token.text)}`;
    case 'name':
    case 'word':
      return shown(token.text);
    default:
      return `'${token.kind}'`;
  }
}

const PRINTED: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\f': '\\f',
  '\b': '\\b',
  '\x07': '\\a',
};

function printValue(value: XlValue): string {
  if (value.kind === 'list') return `[ ${value.items.map(printValue).join(', ')} ]`;
  if (!value.quoted) return value.text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that have an escape.
  return `"${value.text.replace(/[\\"\n\r\t\v\f\b\x07]/g, (c) => PRINTED[c]!)}"`;
}

/** The settings as a file again, one a line; parsing it gives the same values. */
export function printXlConfig(config: Pick<XlConfig, 'values'>): string {
  return [...config.values.values()].map(({ name, value }) => `${name} = ${printValue(value)}\n`).join('');
}
