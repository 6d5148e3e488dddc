// `npm run check`: every check, also after one has failed, so that one run shows all there is to mend.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

const CHECKS = [
  ['types', ['node_modules/typescript/bin/tsc', '-b', '--pretty', 'false']],
  [
    'format and lint',
    ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '--max-diagnostics=50', '.'],
  ],
  ['imports', ['scripts/check-imports.mjs']],
  ['symmetry', ['scripts/check-symmetry.mjs']],
  ['lock', ['scripts/check-lock.mjs']],
  ['paths', ['scripts/check-paths.mjs']],
];

const failed = [];
for (const [name, [script, ...args]] of CHECKS) {
  console.log(`— ${name}`);
  const { status } = spawnSync(process.execPath, [join(root, script), ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) failed.push(name);
}
console.log(failed.length === 0 ? 'All checks hold.' : `Failed: ${failed.join(', ')}.`);
process.exitCode = failed.length === 0 ? 0 : 1;
