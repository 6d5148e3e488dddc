/** Registers of extensions in the ordered lists of a switch plan. */
import type { Extension, Placed } from '@countervisor/contract';

export type List = 'controls' | 'counters';

/** What is no place at all is told of where extensions are checked. */
const places = (more: unknown): readonly Placed[] =>
  Array.isArray(more)
    ? more.filter((place) => typeof place === 'string' || (typeof place === 'object' && place !== null))
    : [];

/** The list with more registers at their places; at its end where the neighbour that they name is not in it. */
export function placed(list: readonly string[], more?: readonly Placed[]): readonly string[] {
  const all = [...list];
  for (const place of places(more)) {
    if (typeof place === 'string') {
      all.push(place);
      continue;
    }
    const at = all.indexOf('before' in place ? place.before : place.behind);
    all.splice(at < 0 ? all.length : 'before' in place ? at : at + 1, 0, place.register);
  }
  return all;
}

/** The neighbours that are named. */
export function anchorsOf(more?: readonly Placed[]): readonly string[] {
  return places(more).flatMap((place) =>
    typeof place === 'string' ? [] : ['before' in place ? place.before : place.behind],
  );
}

/** A personality's own list, with what extensions carry besides. */
export function withExtensions(
  list: readonly string[],
  which: List,
  extensions: readonly Extension[],
): readonly string[] {
  let all = list;
  for (const { switching } of extensions) {
    const missing = places(switching?.[which]).filter(
      (place) => !all.includes(typeof place === 'string' ? place : place.register),
    );
    all = placed(all, missing);
  }
  return all;
}
