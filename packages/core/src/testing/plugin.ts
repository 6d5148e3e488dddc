/** The template as plain JavaScript that a test may spoil: every object a fresh copy, functions shared. */
import { template } from '@countervisor/template';

/** Any shape at all, as it comes from outside. */
// biome-ignore lint/suspicious/noExplicitAny: tests write what no type allows
export type Anything = any;

export function copy(thing: unknown): Anything {
  if (Array.isArray(thing)) return thing.map(copy);
  if (typeof thing !== 'object' || thing === null) return thing;
  return Object.fromEntries(Object.entries(thing).map(([key, value]) => [key, copy(value)]));
}

/** A copy of the template, changed. */
export function plugin(change: (arch: Anything) => void = () => {}): Anything {
  const arch = copy(template);
  change(arch);
  return arch;
}
