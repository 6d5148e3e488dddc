/** The one error of the project: a stable code, one sentence, the remedy, and the place in the user's file if there is one. */

/** Where in a user's file: lines and columns count from 1, columns in UTF-16 units. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Thrown for bad input of any kind; `message` is the sentence alone, `format()` what a person reads. */
export class CountervisorError extends Error {
  /** Stable, `CV_…`: what scripts and tests match on. */
  readonly code: string;
  /** What to do about it; may have several lines (a row ready to paste). */
  readonly remedy: string;
  readonly place: Place | undefined;

  constructor(code: string, sentence: string, remedy: string, place?: Place) {
    super(sentence);
    this.name = 'CountervisorError';
    this.code = code;
    this.remedy = remedy;
    this.place = place;
  }

  /** `file:line:col: CODE  sentence`, then the remedy, indented by two. */
  format(): string {
    const at = this.place === undefined ? '' : `${this.place.file}:${this.place.line}:${this.place.column}: `;
    const remedy = this.remedy === '' ? '' : `\n  ${this.remedy.replaceAll('\n', '\n  ')}`;
    return `${at}${this.code}  ${this.message}${remedy}`;
  }

  override toString(): string {
    return this.format();
  }
}
