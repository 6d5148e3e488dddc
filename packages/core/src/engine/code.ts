/** Decoded instructions, kept by host page: what a page's bytes mean until somebody stores to it. */
import type { Step } from './pure.ts';

export interface Insn {
  readonly name: string;
  readonly ops: readonly Step[];
  readonly length: number;
  /** Index of its signal class. */
  readonly kind: number;
  /** Bit per signal of that class. */
  readonly signals: number;
  /** The bytes, little-endian, for syndromes. */
  readonly bits: bigint;
  readonly pc: bigint;
}

export type CodePage = (Insn | undefined)[];

export class CodeCache {
  /** Host page number and mode → instructions by grain, and the virtual page they were lifted at. */
  readonly #pages = new Map<number, Map<string, CodePage>>();
  readonly #watched: Uint8Array;
  readonly #slots: number;

  constructor(watched: Uint8Array, slots: number) {
    this.#watched = watched;
    this.#slots = slots;
  }

  /** Lifts hold their own address, so the same bytes at another virtual page are other instructions. */
  page(hostPage: number, mode: number, virtualHigh: number, virtualLow: number): CodePage {
    let views = this.#pages.get(hostPage);
    if (views === undefined) {
      views = new Map();
      this.#pages.set(hostPage, views);
      this.#watched[hostPage] = 1;
    }
    const key = `${mode}:${virtualHigh}:${virtualLow}`;
    let page = views.get(key);
    if (page === undefined) {
      page = new Array<Insn | undefined>(this.#slots).fill(undefined);
      views.set(key, page);
    }
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
  }
}
