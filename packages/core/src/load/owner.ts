/** Which package declares a name of an extended architecture. */
import type { Arch, Extension } from '@countervisor/contract';
import { loosely } from './names.ts';

/** The list, or an empty one where there is none. */
export const listOf = <Item>(thing: readonly Item[] | undefined): readonly Item[] =>
  Array.isArray(thing) ? thing : [];

/** The architecture's own name where no extension declares it. */
export function ownerOf(arch: Pick<Arch, 'name' | 'extensions'>, table: keyof Extension, name: string): string {
  const declares = (extension: Extension): boolean => Object.hasOwn(loosely(extension[table]), name);
  return listOf(arch.extensions).find(declares)?.name ?? arch.name;
}

/** "arm64 with trace-unit and guard". */
export function calledWith({ name, extensions }: Pick<Arch, 'name' | 'extensions'>): string {
  const names = listOf(extensions).map((extension) => String(loosely(extension).name));
  return names.length === 0 ? name : `${name} with ${names.join(' and ')}`;
}
