/** The conformance kit and architectures, bundled from their sources: as they are, or with one line of core said otherwise. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { chosen, emulator, perform, setupOf, subject } from '@countervisor/conformance';
import type { Arch, Conformance } from '@countervisor/contract';
import { build } from 'esbuild';

export interface CoreMutant {
  /** Another package than core. */
  readonly package?: string;
  /** Under packages/core/src. */
  readonly file: string;
  /** Stands there once. */
  readonly find: string;
  readonly replace: string;
  readonly what: string;
  /** Checks to try first: suites, or parts of their names. */
  readonly first: readonly string[];
}

/** An architecture and what it gives the kit. */
export interface Tested {
  readonly arch: Arch;
  readonly kit: Conformance;
}

export interface Kit {
  readonly chosen: typeof chosen;
  readonly emulator: typeof emulator;
  readonly perform: typeof perform;
  readonly setupOf: typeof setupOf;
  readonly subject: typeof subject;
  /** By name. */
  readonly architectures: ReadonlyMap<string, Tested>;
}

/** The file with the mutant's line. @throws Error when the line does not stand there exactly once */
export function changed(
  root: string,
  { package: of = 'core', file, find, replace }: CoreMutant,
): { path: string; text: string } {
  const path = join(root, 'packages', of, 'src', file);
  const source = readFileSync(path, 'utf8');
  const times = source.split(find).length - 1;
  if (times !== 1) throw new Error(`packages/${of}/src/${file}: this stands there ${times} times, not once: ${find}`);
  return { path, text: source.replace(find, () => replace) };
}

interface Module {
  readonly default?: Arch;
  readonly conformance?: Conformance;
  readonly [name: string]: unknown;
}

/** @throws Error for an architecture that gives the kit nothing */
export async function kitOf(root: string, names: readonly string[], mutant?: CoreMutant): Promise<Kit> {
  const change = mutant === undefined ? undefined : changed(root, mutant);
  const packages = names.map((name, n) => `import * as a${n} from '@countervisor/${name}';`).join('\n');
  const listed = names.map((name, n) => `${JSON.stringify(name)}: a${n}`).join(', ');
  const entry = `export * from '@countervisor/conformance';\n${packages}\nexport const packages = { ${listed} };`;
  const bundle = await build({
    stdin: { contents: entry, resolveDir: root, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    conditions: ['countervisor-source'],
    logLevel: 'error',
    plugins: [
      {
        name: 'mutant',
        setup({ onLoad }) {
          onLoad({ filter: /\.ts$/ }, ({ path }) =>
            path === change?.path ? { contents: change.text, loader: 'ts' } : undefined,
          );
        },
      },
    ],
  });
  const code = (bundle.outputFiles[0] as { text: string }).text;
  const module = (await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`)) as Kit & {
    readonly packages: Readonly<Record<string, Module>>;
  };
  const architectures = Object.entries(module.packages).map(([name, { conformance, ...own }]) => {
    const arch = own.default ?? own[name];
    if (arch === undefined || conformance === undefined) throw new Error(`${name} gives the conformance kit nothing`);
    return [name, { arch: arch as Arch, kit: conformance }] as const;
  });
  return { ...module, architectures: new Map(architectures) };
}
