// `npm test`: builds what the house's tests look at, runs Vitest, and closes with one line of numbers taken from its report.
// Arguments are handed on: `npm test -- --project core`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { closingLine, forbiddenSkips, outcomeOf, skipLine } from './outcome.mjs';
import { required } from './tools.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);

function run(command, argv) {
  return (
    spawnSync(process.execPath, [join(root, 'node_modules', command), ...argv], { cwd: root, stdio: 'inherit' })
      .status ?? 1
  );
}

function close(outcome, status) {
  console.log(closingLine(outcome));
  process.exit(status);
}

let demanded = [];
try {
  demanded = required();
} catch (error) {
  console.log(error.message);
  close({ passed: 0, failed: 1, skipped: 0 }, 2);
}

// The house's tests run what a user would install. A stale build would let them pass on yesterday's sources.
const projects = args.flatMap((arg, i) =>
  arg === '--project' ? [args[i + 1]] : arg.startsWith('--project=') ? [arg.slice(10)] : [],
);
if (projects.length === 0 || projects.includes('house')) {
  const argv = [join(root, 'node_modules/lerna/dist/cli.js'), 'run', 'build', '--loglevel', 'error'];
  const build = spawnSync(process.execPath, argv, { cwd: root, encoding: 'utf8' });
  if (build.status !== 0) {
    console.log(`${build.stdout}${build.stderr}\nThe build failed, so no test was run.`);
    close({ passed: 0, failed: 1, skipped: 0 }, 1);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'countervisor-test-'));
const file = join(folder, 'report.json');
let outcome = { passed: 0, failed: 1, skipped: 0, reasons: new Map() };
let status = 1;
try {
  status = run('vitest/vitest.mjs', [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
    ...args,
  ]);
  outcome = outcomeOf(JSON.parse(readFileSync(file, 'utf8')));
} catch (error) {
  console.log(`Vitest left no report: ${error.message}`);
  status = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

console.log(skipLine(outcome));
const forbidden = forbiddenSkips(outcome, demanded);
for (const why of forbidden) console.log(`CV_REQUIRE=${process.env.CV_REQUIRE} does not allow this skip: ${why}`);
outcome.failed += forbidden.length;

// An error outside any test, or a run of nothing, is a failure that no test shows.
if (outcome.failed === 0 && status !== 0) {
  console.log('Vitest failed outside of any test; see above.');
  outcome.failed = 1;
}
if (outcome.passed === 0 && outcome.failed === 0) {
  console.log('No test ran.');
  outcome.failed = 1;
}
close(outcome, outcome.failed === 0 ? 0 : 1);
