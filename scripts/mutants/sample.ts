/** Choosing by a seed: the same seed, the same choice. */

/** A permutation of the list: xorshift32 (Marsaglia, 2003), Fisher and Yates. */
export function shuffled<T>(list: readonly T[], seed: number): T[] {
  let state = seed >>> 0 || 1;
  const below = (n: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % n;
  };
  const all = [...list];
  for (let n = all.length - 1; n > 0; n--) {
    const other = below(n + 1);
    [all[n], all[other]] = [all[other] as T, all[n] as T];
  }
  return all;
}

/** As many of each kind as of every other, as far as they go. */
export function sample<T extends { readonly kind: string }>(all: readonly T[], count: number, seed: number): T[] {
  const kinds = new Map<string, T[]>();
  for (const one of shuffled(all, seed)) kinds.set(one.kind, [...(kinds.get(one.kind) ?? []), one]);
  const picked: T[] = [];
  for (let round = 0; picked.length < Math.min(count, all.length); round++) {
    for (const some of kinds.values()) {
      const one = some[round];
      if (one !== undefined && picked.length < count) picked.push(one);
    }
  }
  return picked;
}
