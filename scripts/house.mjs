// The packages of the house and the law of imports between them: the one list that the checks read.

const SCOPE = '@countervisor/';

/**
 * Each package by its folder.
 * `uses`: what its sources may import from the house. `host`: whether they may use Node's modules.
 * `tests`: what its tests may import from the house besides.
 * @type {Record<string, {uses: string[], host?: boolean, tests?: string[], architecture?: boolean}>}
 */
export const LAW = {
  contract: { uses: [] },
  core: { uses: ['contract'], tests: ['template'] },
  template: { uses: ['contract'], tests: ['core'], architecture: true },
  arm64: { uses: ['contract'], tests: ['core'], architecture: true },
  x86: { uses: ['contract'], tests: ['core'], architecture: true },
  ppc64: { uses: ['contract'], tests: ['core'], architecture: true },
  conformance: { uses: ['contract', 'core'], tests: ['template', 'arm64', 'x86', 'ppc64'] },
  cli: {
    uses: ['contract', 'core', 'conformance'],
    tests: ['template', 'arm64', 'x86', 'ppc64'],
    host: true,
  },
};

/** The published architectures, which carry the same rooms (the template is a single small one and is not held to them). */
export const ARCHITECTURES = ['arm64', 'x86', 'ppc64'];

/** The name that a folder of packages/ is imported by. */
export function packageName(folder) {
  return folder === 'cli' ? 'countervisor' : SCOPE + folder;
}

/** The folder that holds the imported package of the house, or undefined for one of others: `@countervisor/core/x` → `core`. */
export function folderOf(specifier) {
  if (specifier === 'countervisor' || specifier.startsWith('countervisor/')) return 'cli';
  return specifier.startsWith(SCOPE) ? specifier.slice(SCOPE.length).split('/')[0] : undefined;
}

/** Whether a path inside a package's src is there for its tests alone. */
export function isTest(path) {
  return path.endsWith('.test.ts') || path.split('/').includes('testing');
}

/** What a check prints, and its exit: every finding on a line of its own, then one sentence. */
export function close(findings, sound, unsound) {
  for (const finding of findings) console.log(finding);
  console.log(findings.length === 0 ? sound : `${findings.length} × ${unsound}`);
  process.exitCode = findings.length === 0 ? 0 : 1;
}

/** Whether this module is the one that Node was started with, so that a test can import a check without running it. */
export function isMain(url) {
  return process.argv[1] !== undefined && url === new URL(`file://${process.argv[1]}`).href;
}
