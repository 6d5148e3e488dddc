/** The order in which extensions are stated against the one that they ask for, by name. */
import { CONTRACT, type Extension } from '@countervisor/contract';
import { near } from '../report/near.ts';
import { loosely } from './names.ts';
import { type Problems, show } from './problems.ts';

type Named = Pick<Extension, 'name' | 'after'>;

const strings = (thing: unknown): string[] =>
  Array.isArray(thing) ? thing.filter((item) => typeof item === 'string') : [];

/** Where following `after` from this one comes back to it: the names on the way; empty when it never does. */
function circle(from: string, after: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const seen = new Set<string>();
  const walk = (at: string, way: readonly string[]): readonly string[] => {
    for (const next of after.get(at) ?? []) {
      if (next === from) return [...way, next];
      if (seen.has(next)) continue;
      seen.add(next);
      const found = walk(next, [...way, next]);
      if (found.length > 0) return found;
    }
    return [];
  };
  return walk(from, [from]);
}

/** The names so that each stands behind those it asks for, else as they are stated. Of names without circles. */
function settled(names: readonly string[], after: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const order: string[] = [];
  const put = (name: string): void => {
    if (order.includes(name) || !names.includes(name)) return;
    for (const other of after.get(name) ?? []) put(other);
    order.push(name);
  };
  for (const name of names) put(name);
  return order;
}

export function checkOrder(
  problems: Problems,
  arch: string,
  before: readonly Named[],
  extensions: readonly unknown[],
): void {
  const stated = extensions.map((thing) => {
    const { name, after, contract, extends: base } = loosely(thing);
    return { name: typeof name === 'string' ? name : 'an extension', after: strings(after), contract, base };
  });
  const names = [...before.map(({ name }) => name), ...stated.map(({ name }) => name)];
  const after = new Map(stated.map((one) => [one.name, one.after] as const));
  const circles = stated.map(({ name }) => circle(name, after));
  const order = circles.some((way) => way.length > 0) ? undefined : settled(names, after).join(', ');
  const told = new Set<string>();
  stated.forEach((one, i) => {
    const { name } = one;
    const place = before.length + i;
    if (typeof one.contract === 'number' && one.contract !== CONTRACT) {
      problems.note('CV_CONTRACT', name, { arch: name, has: show(one.contract), accepted: [CONTRACT] });
    }
    if (typeof one.base === 'string' && one.base !== arch) {
      problems.note('CV_EXTENSION_BASE', name, { extension: name, base: one.base, arch });
    }
    if (names.indexOf(name) < place) problems.note('CV_EXTENSION_TWICE', name, { extension: name });
    const way = circles[i] as readonly string[];
    if (way.length > 0) {
      if (!told.has(name)) problems.note('CV_EXTENSION_CIRCLE', name, { extension: name, way: way.join(' behind ') });
      for (const other of way) told.add(other);
    }
    for (const other of one.after) {
      const at = names.indexOf(other);
      if (way.includes(other) || (at >= 0 && at < place)) continue;
      problems.note('CV_EXTENSION_ORDER', name, {
        extension: name,
        other,
        there: at >= 0,
        order,
        near: at >= 0 ? undefined : near(other, names),
      });
    }
  });
}
