import { describe, expect, it } from 'vitest';
import { CodeCache } from './code.ts';

const cache = (): { readonly code: CodeCache; readonly watched: Uint8Array } => {
  const watched = new Uint8Array(8);
  return { code: new CodeCache(watched, 4), watched };
};

describe('decoded code', () => {
  it('is one list for each page, mode and address', () => {
    const { code, watched } = cache();
    const page = code.page(3, 0, 1, 2);
    expect(code.page(3, 0, 1, 2)).toBe(page);
    expect(page).toEqual([undefined, undefined, undefined, undefined]);
    for (const other of [code.page(4, 0, 1, 2), code.page(3, 1, 1, 2), code.page(3, 0, 0, 2), code.page(3, 0, 1, 1)]) {
      expect(other).not.toBe(page);
    }
    expect([...watched]).toEqual([0, 0, 0, 1, 1, 0, 0, 0]);
    code.invalidate(3);
    expect(watched[3]).toBe(0);
    expect(code.page(3, 0, 1, 2)).not.toBe(page);
  });

  it('of a page that is mapped at ever new addresses is not kept for ever', () => {
    const { code, watched } = cache();
    const first = code.page(3, 0, 0, 0);
    for (let low = 1; low < 16; low++) code.page(3, 0, 0, low);
    expect(code.page(3, 0, 0, 0)).toBe(first);
    code.page(3, 0, 0, 16);
    // The seventeenth list makes the sixteen others go; the page is watched all the same.
    expect(code.page(3, 0, 0, 0)).not.toBe(first);
    expect(watched[3]).toBe(1);
  });

  it('says when it is too much, by its lists as by its instructions', () => {
    const { code, watched } = cache();
    for (let low = 0; low < 2 ** 14 - 1; low++) code.page(3, 0, 0, low);
    expect(code.full).toBe(false);
    code.page(3, 0, 0, 2 ** 14);
    expect(code.full).toBe(true);
    code.clear();
    expect([code.full, watched[3]]).toEqual([false, 0]);
    code.made += 2 ** 19 - 1;
    expect(code.full).toBe(false);
    code.made++;
    expect(code.full).toBe(true);
  });
});
