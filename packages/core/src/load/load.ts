/** Loading a plugin: contract, validate, negotiate, freeze. What comes out can be compiled, and nobody changes it any more. */
import type { Arch } from '@countervisor/contract';
import { loosely } from './names.ts';
import { type Asked, checkContract, negotiate } from './negotiate.ts';
import { calledWith } from './owner.ts';
import { PluginRefused, validate } from './validate.ts';

/**
 * The plugin as an architecture to be trusted: every name resolves, every bit is described, every need is met; deeply frozen.
 * @throws CV_CONTRACT for another contract, CV_PLUGIN_REFUSED with all other problems
 */
export function load(plugin: unknown, asked: Asked = {}): Arch {
  checkContract(loosely(plugin));
  validate(plugin);
  const unmet = negotiate(plugin, asked);
  if (unmet.length > 0) throw new PluginRefused(calledWith(plugin), unmet);
  freeze(plugin);
  return plugin;
}

/** Freezes what is data: plain objects and lists, all the way down. Functions, maps and instances of classes stay as they are. */
function freeze(thing: unknown, seen: Set<object> = new Set()): void {
  if (typeof thing !== 'object' || thing === null || seen.has(thing)) return;
  const prototype: unknown = Object.getPrototypeOf(thing);
  if (prototype !== Object.prototype && prototype !== null && !Array.isArray(thing)) return;
  seen.add(thing);
  Object.freeze(thing);
  for (const inner of Object.values(thing)) freeze(inner, seen);
}
