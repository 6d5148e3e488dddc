// Runs a TypeScript file from the packages' sources, without a build: `node scripts/source.mjs scripts/bench.ts --json`.
// The file is bundled in memory with its own imports of the house; what comes from elsewhere stays an import.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const file = process.argv[2];
if (file === undefined || !existsSync(resolve(root, file))) {
  console.error(`There is no ${file ?? 'file to run'} in this repository yet.`);
  process.exit(1);
}

const outside = {
  name: 'outside',
  setup({ onResolve }) {
    onResolve({ filter: /^[^.]/ }, ({ path, kind }) =>
      kind === 'entry-point' || isAbsolute(path) || /^(?:@countervisor\/|countervisor$)/.test(path)
        ? undefined
        : { path, external: true },
    );
  },
};

const bundle = await build({
  entryPoints: [resolve(root, file)],
  bundle: true,
  write: false,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  conditions: ['countervisor-source'],
  sourcemap: 'inline',
  plugins: [outside],
  logLevel: 'error',
});

// Beside the dependencies, so that imports of them resolve; import.meta.url is this place, not the source's.
const folder = mkdtempSync(join(root, 'node_modules', '.countervisor-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const module = join(folder, 'main.mjs');
writeFileSync(module, bundle.outputFiles[0].text);
process.argv.splice(1, 2, resolve(root, file));
process.chdir(root);
await import(pathToFileURL(module).href);
