/** Decoded instructions, kept by host page: what a page's bytes mean until somebody stores to it. */
import type { Step } from './step.ts';

export interface Insn {
  readonly name: string;
  /** Its steps; `undefined` when it does nothing but retire. */
  readonly first: Step | undefined;
  readonly length: number;
  /** Index of its signal class. */
  readonly kind: number;
  /** Bit per signal of that class. */
  readonly signals: number;
  /** The bytes, little-endian, for syndromes. */
  readonly bits: bigint;
  readonly pc: bigint;
  /** How often control has arrived here, while the stepper hunts for hot code. */
  heat: number;
}

export type CodePage = (Insn | undefined)[];

/** One page's instructions as one mode reads them at one virtual page. */
interface CodeView {
  readonly mode: number;
  readonly high: number;
  readonly low: number;
  readonly page: CodePage;
}

/** Views of one page that are kept: a guest can map a page at as many addresses as it likes. */
const MOST_VIEWS = 16;
/** Instructions that are kept, some 300 bytes each; a view's list counts as thirty-two. */
const MOST_KEPT = 2 ** 19;
const VIEW = 32;

export class CodeCache {
  /** Instructions made since everything was dropped, views included: no less than what is kept. */
  made = 0;
  /** By host page number. Most pages have one view. */
  readonly #pages = new Map<number, CodeView[]>();
  readonly #watched: Uint8Array;
  readonly #slots: number;

  constructor(watched: Uint8Array, slots: number) {
    this.#watched = watched;
    this.#slots = slots;
  }

  /** Lifts hold their own address, so the same bytes at another virtual page are other instructions. */
  page(hostPage: number, mode: number, high: number, low: number): CodePage {
    let views = this.#pages.get(hostPage);
    if (views === undefined) {
      views = [];
      this.#pages.set(hostPage, views);
      this.#watched[hostPage] = 1;
    }
    for (const view of views) if (view.low === low && view.high === high && view.mode === mode) return view.page;
    if (views.length === MOST_VIEWS) views.length = 0;
    this.made += VIEW;
    const page = new Array<Insn | undefined>(this.#slots).fill(undefined);
    views.push({ mode, high, low, page });
    return page;
  }

  /** Somebody stores to the page. */
  invalidate(hostPage: number): void {
    this.#pages.delete(hostPage);
    this.#watched[hostPage] = 0;
  }

  clear(): void {
    for (const hostPage of this.#pages.keys()) this.#watched[hostPage] = 0;
    this.#pages.clear();
    this.made = 0;
  }

  /** Time to drop everything: memory of the host's is not the guest's to fill. */
  get full(): boolean {
    return this.made >= MOST_KEPT;
  }
}
