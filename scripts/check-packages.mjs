// `npm run packages`: what each published package promises in its package.json, checked on its packed form by publint and attw.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => join(root, 'node_modules', '.bin', name);

let failed = 0;
let checked = 0;
for (const folder of readdirSync(join(root, 'packages')).sort()) {
  const at = join(root, 'packages', folder);
  const { name, private: unpublished } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'));
  if (unpublished) continue;
  for (const [tool, args] of [
    ['publint', ['--strict']],
    ['attw', ['--pack', '.', '--profile', 'node16', '--no-emoji']],
  ]) {
    checked += 1;
    const { status, stdout, stderr } = spawnSync(bin(tool), args, { cwd: at, encoding: 'utf8' });
    console.log(`${name}: ${tool} ${status === 0 ? 'finds nothing' : 'failed'}`);
    if (status === 0) continue;
    failed += 1;
    console.log(stdout + stderr);
  }
}
console.log(`${checked} package checks, ${failed} failed`);
process.exitCode = failed === 0 && checked > 0 ? 0 : 1;
