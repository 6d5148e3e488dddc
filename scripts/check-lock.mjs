// The lock file is complete and names no address. npm writes a lock without a platform's optional package when the registry in use
// lacks it, and `npm ci` then fails on that platform; an address would tie every clone to the registry of whoever wrote it.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { close, isMain } from './house.mjs';

/** Where Node would find `name` from the package at `path`: the innermost node_modules that has it, or undefined. */
function find(packages, path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
    const candidate = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (packages[candidate] !== undefined) return candidate;
    if (at === '') return undefined;
  }
}

/** Every fault of a lock file, one line each. @param lock the parsed package-lock.json */
export function lockFindings(lock) {
  const findings = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (find(lock.packages, path, name) === undefined)
        findings.push(
          `package-lock.json: ${path} needs ${name} on some platform, and it is not locked; pin another version.`,
        );
    }
    if (entry.resolved !== undefined && entry.link !== true)
      findings.push(
        `package-lock.json: ${path} has an address; .npmrc says omit-lockfile-registry-resolved, so install again.`,
      );
    if (
      path.includes('node_modules/') &&
      entry.link !== true &&
      entry.integrity === undefined &&
      entry.inBundle !== true
    )
      findings.push(`package-lock.json: ${path} has no integrity hash.`);
  }
  return findings;
}

if (isMain(import.meta.url)) {
  const lock = JSON.parse(readFileSync(fileURLToPath(new URL('../package-lock.json', import.meta.url)), 'utf8'));
  close(
    lockFindings(lock),
    `Lock: ${Object.keys(lock.packages).length} entries, complete and without addresses.`,
    'lock file fault',
  );
}
