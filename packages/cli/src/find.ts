/**
 * Finds architectures from the working directory: packages whose package.json has `"countervisor": { "architecture": NAME }`. Looked at, from there
 * upwards: the folder's own package, what its package.json depends on, and everything under node_modules/@countervisor; last, what stands beside the
 * command itself, so that one installed for the whole machine works anywhere.
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Arch, Conformance } from '@countervisor/contract';
import { didYouMean } from '@countervisor/core';
import { UnsupportedError, UsageError } from './exit.ts';
import type { Io } from './io.ts';

/** Architectures that this project publishes, in the order of preference where nothing else decides; with what their images call themselves. */
export const PUBLISHED: readonly {
  readonly name: string;
  readonly package: string;
  readonly elf: readonly number[];
}[] = [
  { name: 'arm64', package: '@countervisor/arm64', elf: [183] },
  { name: 'x86', package: '@countervisor/x86', elf: [62, 3] },
  { name: 'ppc64', package: '@countervisor/ppc64', elf: [21] },
];

export interface Found {
  readonly name: string;
  readonly package: string;
  load(): Promise<Arch>;
  /** What it gives the conformance kit, if anything. */
  conformance(): Promise<Conformance | undefined>;
}

export type Module = Readonly<Record<string, unknown>>;

export interface Manifest {
  readonly name?: unknown;
  readonly main?: unknown;
  readonly module?: unknown;
  readonly exports?: unknown;
  readonly countervisor?: { readonly architecture?: unknown; readonly extends?: unknown };
  readonly [kind: string]: unknown;
}

const DEPENDENCIES = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'] as const;

export function manifestOf(folder: string): Manifest | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Manifest) : undefined;
  } catch {
    return undefined; // No package, or not ours to mend.
  }
}

/** The file that `import` of this package loads (Node: Packages, "Conditional exports"). */
function entryOf(manifest: Manifest): string | undefined {
  const conditions = ['node', 'import', 'module-sync', 'default'];
  const pick = (target: unknown): string | undefined => {
    if (typeof target === 'string') return target;
    if (typeof target !== 'object' || target === null) return undefined;
    for (const [condition, inner] of Object.entries(target)) {
      if (conditions.includes(condition)) return pick(inner);
    }
    return undefined;
  };
  const { exports } = manifest;
  const dot = typeof exports === 'object' && exports !== null && '.' in exports ? exports['.'] : exports;
  return pick(dot) ?? (typeof manifest.main === 'string' ? manifest.main : 'index.js');
}

function candidate(folder: string): Found | undefined {
  const manifest = manifestOf(folder);
  const name = manifest?.countervisor?.architecture;
  if (manifest === undefined || typeof name !== 'string') return undefined;
  const packageName = typeof manifest.name === 'string' ? manifest.name : name;
  const module = () => moduleOf(folder, manifest, packageName);
  return {
    name,
    package: packageName,
    load: async () => archOf(await module(), name, packageName),
    conformance: async () => kitOf(await module()),
  };
}

/** What importing this package gives. @throws UnsupportedError CV_ARCH_NOT_BUILT */
export async function moduleOf(folder: string, manifest: Manifest, packageName: string): Promise<Module> {
  const entry = entryOf(manifest);
  const file = entry === undefined ? undefined : join(realpathSync(folder), entry);
  if (file === undefined || !existsSync(file)) {
    throw new UnsupportedError(
      'CV_ARCH_NOT_BUILT',
      `The package ${packageName} has no built files.`,
      `Build it (npm run build), or install it again: npm install ${packageName}`,
    );
  }
  return (await import(pathToFileURL(file).href)) as Module;
}

function archOf(module: Module, name: string, packageName: string): Arch {
  const arch = module.default ?? module[name];
  if (typeof arch !== 'object' || arch === null) {
    throw new UnsupportedError(
      'CV_ARCH_EMPTY',
      `The package ${packageName} exports no architecture.`,
      `It must export what defineArch returns, as default or as '${name}'.`,
    );
  }
  return arch as Arch;
}

/** An export `conformance` that has programs. */
function kitOf({ conformance: kit }: Module): Conformance | undefined {
  const found = typeof kit === 'object' && kit !== null && typeof (kit as Conformance).programs === 'object';
  return found ? (kit as Conformance) : undefined;
}

function scope(modules: string): string[] {
  try {
    return readdirSync(join(modules, '@countervisor'))
      .sort()
      .map((name) => join(modules, '@countervisor', name));
  } catch {
    return [];
  }
}

function foldersFrom(start: string): string[] {
  const folders: string[] = [];
  for (let folder = start; ; folder = dirname(folder)) {
    folders.push(folder);
    const modules = join(folder, 'node_modules');
    if (existsSync(modules)) {
      const manifest = manifestOf(folder);
      for (const kind of DEPENDENCIES) {
        const names = Object.keys((manifest?.[kind] as object | undefined) ?? {});
        folders.push(...names.map((name) => join(modules, ...name.split('/'))));
      }
      folders.push(...scope(modules));
    }
    if (dirname(folder) === folder) return folders;
  }
}

/** The nearest package of each architecture: published ones first, then by name. */
export function findArchitectures(io: Io): Found[] {
  if (io.architectures !== undefined) {
    return io.architectures.map((arch) => ({
      name: arch.name,
      package: arch.name,
      load: () => Promise.resolve(arch),
      conformance: () => Promise.resolve(io.kits?.[arch.name]),
    }));
  }
  const found = new Map<string, Found>();
  for (const folder of [...foldersFrom(io.cwd), ...foldersFrom(dirname(fileURLToPath(import.meta.url)))]) {
    const one = candidate(folder);
    if (one !== undefined && !found.has(one.name)) found.set(one.name, one);
  }
  const rank = (name: string): number => {
    const place = PUBLISHED.findIndex((p) => p.name === name);
    return place < 0 ? PUBLISHED.length : place;
  };
  return [...found.values()].sort((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1));
}

/** The architecture whose package lies in this folder. @throws UsageError */
export function inFolder(io: Io, path: string): Found {
  const one = candidate(isAbsolute(path) ? path : join(io.cwd, path));
  if (one !== undefined) return one;
  throw new UsageError(
    'CV_USAGE',
    `${path === '' ? "''" : path} is no package of an architecture.`,
    `Its package.json carries "countervisor": { "architecture": NAME }.`,
  );
}

function installLine(names: readonly string[]): string {
  return `npm install ${names.join(' ')}`;
}

/** Nothing is installed that could run anything. */
export function noneFound(): UnsupportedError {
  return new UnsupportedError(
    'CV_NO_ARCHITECTURE',
    'No architecture is installed here.',
    installLine(PUBLISHED.map((p) => p.package)),
  );
}

/** @throws UnsupportedError CV_NO_ARCHITECTURE with the line that installs it; UsageError for a name that nobody publishes */
export function named(found: readonly Found[], name: string): Found {
  const one = found.find((f) => f.name === name);
  if (one !== undefined) return one;
  const published = PUBLISHED.find((p) => p.name === name);
  if (published !== undefined) {
    throw new UnsupportedError(
      'CV_NO_ARCHITECTURE',
      `The architecture ${name} is not installed here.`,
      installLine([published.package]),
    );
  }
  const known = [...new Set([...found.map((f) => f.name), ...PUBLISHED.map((p) => p.name)])];
  throw new UsageError(
    'CV_USAGE',
    `There is no architecture '${name}'.`,
    didYouMean(name, known, `Known: ${known.join(', ')}.`),
  );
}
