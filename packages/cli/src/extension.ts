/**
 * `--extension WHAT`: packages that extend the architecture, composed in the order in which they are named. WHAT is a package's name, found from the
 * working directory upwards, or a path: of its folder, or of a module alone.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Arch, Conformance, Extension, ExtensionConformance, Manual } from '@countervisor/contract';
import { extendArch } from '@countervisor/core';
import { UnsupportedError, UsageError } from './exit.ts';
import { manifestOf, moduleOf } from './find.ts';
import type { Io } from './io.ts';

export interface ExtensionFlags {
  readonly arch?: string;
  readonly extension?: readonly string[];
}

/** The nearest folder of an installed package: seen from the working directory, then from the command's own. */
function installed(io: Io, name: string): string | undefined {
  for (const start of [io.cwd, dirname(fileURLToPath(import.meta.url))]) {
    for (let folder = start; ; folder = dirname(folder)) {
      const home = join(folder, 'node_modules', ...name.split('/'));
      if (existsSync(join(home, 'package.json'))) return home;
      if (dirname(folder) === folder) break;
    }
  }
  return undefined;
}

async function moduleAt(io: Io, what: string): Promise<Readonly<Record<string, unknown>>> {
  const written = /^\.{1,2}([/\\]|$)/.test(what) || isAbsolute(what);
  const path = written ? (isAbsolute(what) ? what : join(io.cwd, what)) : installed(io, what);
  if (path === undefined || !existsSync(path)) {
    throw new UsageError(
      'CV_USAGE',
      `--extension finds no ${written ? 'file or folder' : 'package'} '${what}'.`,
      written ? 'A path is taken from the working directory.' : `npm install ${what}, or write its path: ./${what}`,
    );
  }
  if (statSync(path).isFile()) return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  const manifest = manifestOf(path);
  if (typeof manifest?.countervisor?.extends !== 'string') {
    throw new UsageError(
      'CV_USAGE',
      `${what} is no package of an extension.`,
      `Its package.json carries "countervisor": { "extends": ARCHITECTURE }.`,
    );
  }
  return moduleOf(path, manifest, typeof manifest.name === 'string' ? manifest.name : what);
}

interface Package {
  readonly extension: Extension;
  /** An export `conformance` with facts. */
  readonly facts: ExtensionConformance['manual'];
}

/** @throws UsageError for what is not there, UnsupportedError for what exports no extension */
async function packageAt(io: Io, what: string): Promise<Package> {
  const module = await moduleAt(io, what);
  const extension = module.extension ?? module.default;
  const facts = (module.conformance as Partial<ExtensionConformance> | undefined)?.manual ?? {};
  if (typeof extension === 'object' && extension !== null) return { extension: extension as Extension, facts };
  throw new UnsupportedError(
    'CV_EXTENSION_EMPTY',
    `${what} exports no extension.`,
    "It must export what defineExtension returns, as 'extension' or as default.",
  );
}

/** One after another: their errors then come in the same order every time. */
async function packages(io: Io, { extension: named = [] }: ExtensionFlags): Promise<Package[]> {
  const found: Package[] = [];
  for (const what of named) found.push(await packageAt(io, what));
  return found;
}

/** The manual's facts with those of what was added. */
function manualWith(manual: Manual, facts: ExtensionConformance['manual']): Manual {
  return {
    ...manual,
    registers: { ...manual.registers, ...facts.registers },
    controls: { ...manual.controls, ...facts.controls },
    events: { ...manual.events, ...facts.events },
    order: [...manual.order, ...(facts.order ?? [])],
    carried: [...manual.carried, ...(facts.carried ?? [])],
    calls: [...manual.calls, ...(facts.calls ?? [])],
  };
}

/** What the conformance kit tests, with the extensions that were asked for. */
export async function subjectWithExtensions(
  io: Io,
  flags: ExtensionFlags,
  subject: { readonly arch: Arch; readonly kit: Conformance },
): Promise<{ readonly arch: Arch; readonly kit: Conformance }> {
  const found = await packages(io, flags);
  if (found.length === 0) return subject;
  const { kit } = subject;
  const manual = kit.manual && found.reduce((all, { facts }) => manualWith(all, facts), kit.manual);
  const arch = extendArch(subject.arch, ...found.map(({ extension }) => extension));
  return { arch, kit: { ...kit, ...(manual && { manual }) } };
}

/**
 * The architecture that `choose` finds, with the extensions that were asked for; where no architecture was, theirs.
 * @throws PluginRefused where they do not fit together
 */
export async function withExtensions<Flags extends ExtensionFlags>(
  io: Io,
  flags: Flags,
  choose: (flags: Flags) => Promise<Arch>,
): Promise<Arch> {
  const extensions = (await packages(io, flags)).map(({ extension }) => extension);
  const [first] = extensions;
  if (first === undefined) return choose(flags);
  const theirs = typeof first.extends === 'string' && flags.arch === undefined ? { arch: first.extends } : {};
  return extendArch(await choose({ ...flags, ...theirs }), ...extensions);
}
