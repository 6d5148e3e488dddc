/** "Did you mean …?": the known name that a misspelt one is nearest to. */

/** Names longer than this are compared by their beginning: hostile input must not make the search slow. */
const LONGEST = 64;

/** Single-character insertions, deletions, replacements and swaps of neighbours between two words; at most `limit + 1`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, beforeLast[j - 2]! + 1);
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

/** The nearest of `known`, or `undefined` when none is near: within a third of the word's length, case aside. Ties go to the earlier. */
export function near(name: string, known: Iterable<string>): string | undefined {
  const word = name.slice(0, LONGEST).toLowerCase();
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const d = distance(word, candidate.slice(0, LONGEST).toLowerCase(), least - 1);
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best;
}
