// The import law (house.mjs): arrows between packages only point downward, a package stays inside its own src, and core names no
// architecture. Project references make most of this a compile error; this check says it in words, and sees what tsc does not.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { ARCHITECTURES, close, folderOf, isMain, isTest, LAW, packageName } from './house.mjs';

const TEST_LIBRARIES = ['vitest', 'fast-check'];
const NAMED = /arm64|aarch64|x86|amd64|ppc64|powerpc/i;

const place = (file, text, offset) => `${file}:${text.slice(0, offset).split('\n').length}`;

/** The name that a package is installed by: `@a/b/c` → `@a/b`, `a/b` → `a`. */
const installed = (specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');

/** Why this import is not allowed, or undefined. */
function broken(folder, path, specifier, manifest) {
  const law = LAW[folder];
  const test = isTest(path);
  if (specifier.startsWith('.')) {
    const target = posix.join(posix.dirname(path), specifier);
    if (target.startsWith('..')) return `leaves packages/${folder}/src; import another package by its name`;
    if (!/\.(ts|json)$/.test(specifier)) return 'a relative import carries its extension, .ts';
    if (!test && isTest(target)) return 'sources do not import from tests';
    return undefined;
  }
  if (isBuiltin(specifier)) {
    if (!specifier.startsWith('node:')) return `write 'node:${specifier}'`;
    return test || law.host ? undefined : `${packageName(folder)} runs on every host, so it uses no module of Node`;
  }
  const other = folderOf(specifier);
  if (other === undefined) {
    if (test && TEST_LIBRARIES.includes(installed(specifier))) return undefined;
    return manifest.dependencies?.[installed(specifier)] === undefined
      ? `${packageName(folder)} has no such dependency in its package.json`
      : undefined;
  }
  if (test && specifier === '@countervisor/house/needs') return undefined;
  const allowed = test ? [...law.uses, ...(law.tests ?? []), folder] : law.uses;
  if (!allowed.includes(other)) {
    const list = allowed.length === 0 ? 'no other package' : allowed.map(packageName).join(', ');
    return `${test ? 'tests of ' : ''}${packageName(folder)} may import ${list}`;
  }
  const declared = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...(test ? manifest.devDependencies : {}),
  };
  return other === folder || declared[packageName(other)] !== undefined ? undefined : 'not declared in package.json';
}

/** Names of architectures in code and strings; a comment may cite them. */
function architecturesNamed(file, text) {
  const findings = [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022);
  const visit = (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return; // the law above judges these
    if (
      (ts.isIdentifier(node) || ts.isLiteralExpression(node) || ts.isTemplateLiteralToken(node)) &&
      NAMED.test(node.text)
    ) {
      findings.push(`${place(file, text, node.getStart(source))}: core names an architecture: ${node.text.trim()}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return findings;
}

/** Every breach of the law in the sources under `root`/packages, one line each. */
export function importFindings(root) {
  const findings = [];
  for (const folder of readdirSync(join(root, 'packages')).sort()) {
    const src = join(root, 'packages', folder, 'src');
    if (!existsSync(src)) continue;
    if (LAW[folder] === undefined) {
      findings.push(`packages/${folder}: not in the import law; add a row for it to scripts/house.mjs`);
      continue;
    }
    const manifest = JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'));
    const paths = readdirSync(src, { recursive: true }).map((path) => path.replaceAll('\\', '/'));
    for (const path of paths.filter((path) => path.endsWith('.ts')).sort()) {
      const file = `packages/${folder}/src/${path}`;
      const text = readFileSync(join(src, path), 'utf8');
      for (const { fileName, pos } of ts.preProcessFile(text, true, true).importedFiles) {
        const why = broken(folder, path, fileName, manifest);
        if (why !== undefined) findings.push(`${place(file, text, pos)}: import '${fileName}': ${why}.`);
      }
      if (folder === 'core' && !isTest(path)) findings.push(...architecturesNamed(file, text));
    }
  }
  return findings;
}

if (isMain(import.meta.url)) {
  close(
    importFindings(fileURLToPath(new URL('..', import.meta.url))),
    `Imports: the law holds (${ARCHITECTURES.join(', ')} and the template import the contract alone).`,
    'import law broken (scripts/house.mjs states it)',
  );
}
