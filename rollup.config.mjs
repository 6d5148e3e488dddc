// The one build of every package, run in the package's folder: ESM, CJS, their declarations and source maps.
// The entries are the subpaths of `exports` that name a source, so package.json is the only list of them.
import { existsSync, readFileSync } from 'node:fs';
import dts from 'rollup-plugin-dts';
import esbuild from 'rollup-plugin-esbuild';

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));

const input = {};
for (const [subpath, target] of Object.entries(manifest.exports)) {
  const source = target['countervisor-source'];
  if (source === undefined) continue;
  input[subpath === '.' ? 'index' : subpath.slice(2)] = source;
}

// A package never bundles another one, nor a Node module: what is not a relative path stays an import.
const external = (id) => !id.startsWith('.') && !id.startsWith('/') && !/^[A-Za-z]:[\\/]/.test(id);
const javascript = () => esbuild({ target: 'es2022', tsconfig: false });
const chunks = { chunkFileNames: 'chunks/[name].js', hashCharacters: 'hex' };

const onwarn = (warning) => {
  if (warning.code === 'EMPTY_BUNDLE') return; // a package of types alone
  throw new Error(`${manifest.name}: ${warning.message}`);
};

const bin = existsSync('src/bin.ts') ? { bin: './src/bin.ts' } : {};

export default [
  {
    input: { ...input, ...bin },
    external,
    onwarn,
    plugins: [javascript()],
    output: { dir: 'dist', format: 'es', sourcemap: true, ...chunks },
  },
  {
    input,
    external,
    onwarn,
    plugins: [javascript()],
    output: {
      dir: 'dist',
      format: 'cjs',
      sourcemap: true,
      entryFileNames: '[name].cjs',
      chunkFileNames: 'chunks/[name].cjs',
    },
  },
  {
    input,
    external,
    onwarn,
    plugins: [dts({ tsconfig: 'tsconfig.json' })],
    output: ['ts', 'cts'].map((extension) => ({
      dir: 'dist',
      format: 'es',
      entryFileNames: `[name].d.${extension}`,
      chunkFileNames: `chunks/[name].d.${extension}`,
    })),
  },
];
