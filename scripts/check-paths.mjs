// No tracked file names a place on the machine that wrote it, or a package registry: paths of debug information in built images,
// addresses in the lock file, a temporary folder in a test. Binary files are searched too.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { close, isMain } from './house.mjs';

const PATTERNS = [
  [
    /(?<![\w.~@-])\/(?:work|tmp|root|home|Users)\/[\w.-]*/g,
    'a path of one machine (tests take os.tmpdir(), scripts mktemp)',
  ],
  [/\b[A-Za-z]:\\Users\\/g, 'a path of one machine'],
  [
    /\bhttps?:\/\/(?:[\w-]+\.)*(?:registry|artifactory|nexus|verdaccio|npmmirror)[\w-]*(?:\.[\w-]+)+/g,
    'a package registry',
  ],
  [/(?<![\w./-])registry\.(?:npmjs|yarnpkg|npmmirror)\.\w+/g, 'a package registry'],
  [/\bhttps?:\/\/(?:localhost|\d+\.\d+\.\d+\.\d+):\d+/g, 'an address of one machine'],
  [/_auth(?:Token)?\s*=/g, 'a credential'],
];

/** The findings in one file. @param {string} text its bytes as Latin-1, so that every file can be searched */
export function pathFindings(file, text) {
  return PATTERNS.flatMap(([pattern, what]) =>
    [...text.matchAll(pattern)].map(
      (match) => `${file}:${text.slice(0, match.index).split('\n').length}: ${match[0]}: ${what}.`,
    ),
  );
}

if (isMain(import.meta.url)) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  const findings = files.flatMap((file) => {
    try {
      return pathFindings(file, readFileSync(join(root, file), 'latin1'));
    } catch (error) {
      if (error.code === 'ENOENT' || error.code === 'EISDIR') return []; // deleted but not yet committed, or a link to a folder
      throw error;
    }
  });
  close(
    findings,
    `Paths: ${files.length} tracked files name no machine and no registry.`,
    'path or address of one machine',
  );
}
