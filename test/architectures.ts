/** The architectures of this repository as users get them: every package whose package.json has a `countervisor` field, built. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Arch, Conformance } from '@countervisor/contract';
import { root } from './countervisor.ts';

export interface Installed {
  readonly name: string;
  /** From the repository's root. */
  readonly folder: string;
  readonly arch: Arch;
  readonly kit: Conformance;
}

interface Manifest {
  readonly countervisor?: { readonly architecture?: string };
  readonly module: string;
}

export async function installed(): Promise<Installed[]> {
  const found: Installed[] = [];
  for (const folder of readdirSync(join(root, 'packages')).sort()) {
    const home = join(root, 'packages', folder);
    const { countervisor, module } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as Manifest;
    const name = countervisor?.architecture;
    if (name === undefined) continue;
    const own = (await import(pathToFileURL(join(home, module)).href)) as Readonly<Record<string, unknown>>;
    const arch = (own.default ?? own[name]) as Arch;
    found.push({ name, folder: `packages/${folder}`, arch, kit: own.conformance as Conformance });
  }
  return found;
}
