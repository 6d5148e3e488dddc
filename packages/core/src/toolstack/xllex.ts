/** The words of an xl.cfg file with their places (Xen tools/libs/util/libxlu_cfg_l.l, docs/man/xl.cfg.5: syntax). */
import { CountervisorError, type Place } from '@countervisor/contract';

/** UTF-16 units; a configuration is a page or two. */
export const LARGEST: number = 1 << 20;

export type Mark = '=' | '+=' | '[' | ']' | ',' | ';';

export type Token =
  | { readonly kind: 'name'; readonly text: string; readonly place: Place }
  | { readonly kind: 'number'; readonly text: string; readonly place: Place }
  /** `text` has its escapes resolved. */
  | { readonly kind: 'string'; readonly text: string; readonly place: Place }
  /** Letters that are neither a name nor a number: `True`, `Memory`. Only the parser knows what was meant. */
  | { readonly kind: 'word'; readonly text: string; readonly place: Place }
  | { readonly kind: Mark; readonly place: Place }
  | { readonly kind: 'newline'; readonly place: Place }
  | { readonly kind: 'end'; readonly place: Place };

/** What follows a backslash, and what it means. Numeric escapes are refused: xl reads \x as an error and drops \ooo from the string. */
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

const NAME = /^[a-z][._0-9a-z]*$/;
const NUMBER = /^[0-9][0-9a-fx]*$/;
const WORD = /[A-Za-z0-9._]/;

/** Text from the user's file, safe to show in a terminal: quoted, cut, and without characters that move the cursor or turn the text. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text).replace(
    /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Where in the source the tokens come from; the command line counts its arguments as lines. */
export interface Source {
  readonly text: string;
  readonly file: string;
  readonly firstLine: number;
}

/** Reads one token after another. CRLF ends a line like LF does; a comment may end the file, which xl's own lexer refuses. */
export class Lexer {
  #at = 0;
  #line: number;
  #lineStart = 0;
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
    this.#line = source.firstLine;
    if (source.text.length > LARGEST) {
      throw new CountervisorError(
        'CV_XLCFG_TOO_LARGE',
        `This configuration has ${source.text.length} characters; the limit is ${LARGEST}.`,
        'Check that this is a domain configuration and not an image.',
        this.#place(0),
      );
    }
  }

  next(): Token {
    const { text } = this.#source;
    while (text[this.#at] === ' ' || text[this.#at] === '\t') this.#at++;
    if (text[this.#at] === '#') {
      while (this.#at < text.length && text[this.#at] !== '\n') this.#at++;
    }
    const start = this.#at;
    const place = this.#place(start);
    const c = text[start];
    if (c === undefined) return { kind: 'end', place };
    if (c === '\n' || (c === '\r' && text[start + 1] === '\n')) {
      this.#at += c === '\n' ? 1 : 2;
      this.#line++;
      this.#lineStart = this.#at;
      return { kind: 'newline', place };
    }
    if (c === '+' && text[start + 1] === '=') {
      this.#at += 2;
      return { kind: '+=', place };
    }
    if (c === '=' || c === '[' || c === ']' || c === ',' || c === ';') {
      this.#at++;
      return { kind: c, place };
    }
    if (c === '"' || c === "'") return this.#string(c, place);
    if (WORD.test(c) && c !== '.' && c !== '_') return this.#word(place);
    throw this.#unexpected(c, place);
  }

  #place(at: number): Place {
    return { file: this.#source.file, line: this.#line, column: at - this.#lineStart + 1 };
  }

  #word(place: Place): Token {
    const { text } = this.#source;
    const start = this.#at;
    while (WORD.test(text[this.#at] ?? '')) this.#at++;
    const found = text.slice(start, this.#at);
    if (NAME.test(found)) return { kind: 'name', text: found, place };
    if (NUMBER.test(found)) return { kind: 'number', text: found, place };
    if (/^[0-9]/.test(found)) {
      throw new CountervisorError(
        'CV_XLCFG_NUMBER',
        `${shown(found)} is not a number.`,
        'Write it in decimal, with 0x and lower-case digits, or with 0 for octal, without a unit; or put it in quotes if it is text.',
        place,
      );
    }
    return { kind: 'word', text: found, place };
  }

  #string(quote: string, place: Place): Token {
    const { text } = this.#source;
    let value = '';
    let from = ++this.#at;
    for (;;) {
      const c = text[this.#at];
      if (c === undefined || c === '\n') {
        throw new CountervisorError(
          'CV_XLCFG_STRING',
          'The string that starts here is not closed on its line.',
          `Close it with ${quote}; inside, write \\n for a new line and \\${quote} for the quote itself.`,
          place,
        );
      }
      if (c === '\0') throw this.#unexpected(c, this.#place(this.#at));
      if (c !== quote && c !== '\\') {
        this.#at++;
        continue;
      }
      value += text.slice(from, this.#at);
      if (c === quote) {
        this.#at++;
        return { kind: 'string', text: value, place };
      }
      value += this.#escape();
      from = this.#at;
    }
  }

  #escape(): string {
    const c = this.#source.text[this.#at + 1];
    const meant = c !== undefined && Object.hasOwn(ESCAPES, c) ? ESCAPES[c] : undefined;
    if (meant === undefined) {
      const numeric = c !== undefined && /[0-7x]/.test(c);
      throw new CountervisorError(
        'CV_XLCFG_ESCAPE',
        numeric
          ? 'Numeric escapes do not work: xl refuses \\x and drops octal ones from the string.'
          : `A backslash is followed by ${c === undefined || c === '\n' || c === '\r' ? 'nothing' : shown(c)}, which is no escape.`,
        numeric ? 'Write the character itself.' : 'Escapes are \\\\ \\\' \\" \\a \\b \\f \\n \\r \\t \\v.',
        this.#place(this.#at),
      );
    }
    this.#at += 2;
    return meant;
  }

  #unexpected(c: string, place: Place): CountervisorError {
    const code = this.#source.text.codePointAt(this.#at) ?? 0;
    const what = code > 0x20 && code < 0x7f ? `'${c}'` : `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
    return new CountervisorError(
      'CV_XLCFG_CHARACTER',
      `${what} cannot stand here.`,
      c === '-'
        ? `Negative numbers go in quotes: "-1"; names have no '-'.`
        : '+.():{}'.includes(c)
          ? 'An xl.cfg file looks like Python and is not: values are strings, numbers and lists of them, without expressions.'
          : code >= 0x80
            ? 'Outside strings and comments the file is plain ASCII.'
            : `A line is name = value; strings stand in quotes, comments start with '#'.`,
      place,
    );
  }
}
