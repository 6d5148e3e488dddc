/** Did you mean …: the nearest of the known names to a misspelt one (optimal string alignment distance). */

/** Longer words are never compared: the table is quadratic, and a name that long is no slip of the finger. */
const LONGEST = 64;

/** Fewest insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
export function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, before[j - 2]! + 1);
      row.push(least);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}

/** The nearest name, if it is near: at most one slip in three letters. Case is no slip; among equals the first wins. */
export function near(word: string, names: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > LONGEST) return undefined;
  const lower = word.toLowerCase();
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    if (name.length > LONGEST || Math.abs(name.length - word.length) >= least) continue;
    const d = distance(lower, name.toLowerCase());
    if (d < least) {
      best = name;
      least = d;
    }
  }
  return best;
}

/** The sentence for a message, or the one given when nothing is near. */
export function didYouMean(word: string, names: Iterable<string>, otherwise: string): string {
  const name = near(word, names);
  return name === undefined ? otherwise : `Did you mean '${name}'?`;
}
