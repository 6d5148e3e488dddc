// `npm run coverage`: the lines of contract, core and arm64 that the packages' own tests run, each held to the threshold.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const THRESHOLD = 90;
const MEASURED = ['contract', 'core', 'arm64'];
const PROJECTS = ['contract', 'core', 'template', 'arm64', 'cli'];

const root = fileURLToPath(new URL('..', import.meta.url));
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const args = ['run', '--coverage', ...PROJECTS.flatMap((name) => ['--project', name]), ...process.argv.slice(2)];
const { status } = spawnSync(process.execPath, [vitest, ...args], { cwd: root, stdio: 'inherit' });

if (status !== 0) {
  console.log('A test failed, so there are no figures.');
  process.exit(1);
}

let sound = true;
const summary = JSON.parse(readFileSync(join(root, 'coverage/coverage-summary.json'), 'utf8'));
for (const name of MEASURED) {
  const files = Object.entries(summary).filter(([file]) =>
    file.replaceAll('\\', '/').includes(`/packages/${name}/src/`),
  );
  const total = files.reduce((sum, [, { lines }]) => sum + lines.total, 0);
  const covered = files.reduce((sum, [, { lines }]) => sum + lines.covered, 0);
  const percent = total === 0 ? 0 : (100 * covered) / total;
  const enough = total > 0 && percent >= THRESHOLD;
  if (!enough) sound = false;
  const verdict = enough ? '' : total === 0 ? ': nothing to measure' : `: below ${THRESHOLD} %`;
  console.log(`${name}: ${covered} of ${total} lines, ${(Math.floor(percent * 10) / 10).toFixed(1)} %${verdict}`);
}
process.exitCode = sound ? 0 : 1;
