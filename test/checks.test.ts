/** Each check sees a breach planted for it, and is silent without one. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { importFindings } from '../scripts/check-imports.mjs';
import { lockFindings } from '../scripts/check-lock.mjs';
import { pathFindings } from '../scripts/check-paths.mjs';
import { ROOMS, symmetryFindings, symmetryOf } from '../scripts/check-symmetry.mjs';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'countervisor-house-'));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function plant(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function plantPackage(folder: string, fields: object, sources: Record<string, string>): void {
  plant(`packages/${folder}/package.json`, JSON.stringify(fields));
  for (const [path, text] of Object.entries(sources)) plant(`packages/${folder}/src/${path}`, text);
}

describe('the import law', () => {
  const contract = { '@countervisor/contract': '^0.1.0' };

  it('is silent about what it allows', () => {
    plantPackage('contract', {}, { 'index.ts': "export * from './a.ts';", 'a.ts': 'export {};' });
    plantPackage(
      'core',
      { dependencies: contract, devDependencies: { '@countervisor/template': '^0.1.0' } },
      {
        'index.ts': "// Xen/x86 does so.\nimport type { Arch } from '@countervisor/contract';\nexport type { Arch };",
        'run/slice.test.ts':
          "import { it } from 'vitest';\nimport '@countervisor/template';\nimport '../index.ts';\nit('', () => {});",
      },
    );
    plantPackage('arm64', { peerDependencies: contract }, { 'index.ts': "import '@countervisor/contract';" });
    plantPackage(
      'cli',
      { dependencies: { commander: '14.0.3' } },
      {
        'bin.ts': "import 'node:fs';\nimport { Command } from 'commander';\nnew Command();",
      },
    );
    expect(importFindings(root)).toEqual([]);
  });

  it.each([
    ['an upward arrow', 'contract', "import '@countervisor/core';", /contract may import no other package/],
    [
      'core importing an architecture',
      'core',
      "import '@countervisor/arm64';",
      /core may import @countervisor\/contract/,
    ],
    [
      'an architecture importing core',
      'arm64',
      "import type { M } from '@countervisor/core';",
      /arm64 may import @countervisor\/contract/,
    ],
    ['an architecture importing another', 'x86', "export * from '@countervisor/arm64/isa';", /x86 may import/],
    [
      'the command importing an architecture at run time',
      'cli',
      "await import('@countervisor/arm64');",
      /countervisor may import/,
    ],
    [
      'an allowed package that is not declared',
      'core',
      "import '@countervisor/contract';",
      /not declared in package.json/,
    ],
    ['a way around by path', 'core', "import '../../arm64/src/index.ts';", /leaves packages\/core\/src/],
    ['a relative import without extension', 'core', "import './run';", /carries its extension/],
    ['a source importing a test', 'core', "import './run/testing/guest.ts';", /do not import from tests/],
    ['a module of Node in core', 'core', "import { readFileSync } from 'node:fs';", /no module of Node/],
    ['a runtime dependency of an architecture', 'arm64', "import { z } from 'zod';", /no such dependency/],
  ])('finds %s', (_, folder, text, finding) => {
    plantPackage(folder, {}, { 'index.ts': `\n${text}` });
    const findings = importFindings(root);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatch(finding);
    expect(findings[0]).toContain(`packages/${folder}/src/index.ts:2: `);
  });

  it.each([
    ['a string', "if (name === 'arm64') name = '';"],
    ['an identifier', 'const isAArch64: boolean = true;'],
    ['a template', `const at = \`packages/\${name}/x86\`;`],
  ])('finds an architecture named by core in %s', (_, text) => {
    plantPackage('core', {}, { 'index.ts': text });
    expect(importFindings(root)).toEqual([expect.stringContaining('core names an architecture')]);
  });

  it('finds tests that import more than their package allows', () => {
    plantPackage('core', {}, { 'a.test.ts': "import '@countervisor/arm64';" });
    expect(importFindings(root)).toEqual([expect.stringContaining('tests of @countervisor/core may import')]);
  });

  it('finds a package without a row', () => {
    plantPackage('utils', {}, { 'index.ts': '' });
    expect(importFindings(root)).toEqual([expect.stringContaining('packages/utils: not in the import law')]);
  });
});

describe('symmetry', () => {
  const whole = ROOMS.map((room: string) => (room.endsWith('/') ? `${room}some.ts` : room));

  it('is silent about the rooms, their tests and own files where each has its own', () => {
    expect(
      symmetryOf('x86', [...whole, 'traps.test.ts', 'isa/flags.ts', 'registers/msr.ts', 'platform/apic.ts']),
    ).toEqual([]);
  });

  it.each(ROOMS.map((room: string) => [room]))('finds that %s is missing', (room) => {
    expect(
      symmetryOf(
        'x86',
        whole.filter((file: string) => !file.startsWith(room)),
      ),
    ).toEqual([`packages/x86/src/${room}: missing; export none('why') there if x86 has no such thing.`]);
  });

  it('finds a room that the others do not have', () => {
    expect(symmetryOf('x86', [...whole, 'pebs.ts'])).toEqual([
      expect.stringContaining('packages/x86/src/pebs.ts: no such room'),
    ]);
  });

  it('compares every architecture that is there, and does not pass when there is none', () => {
    mkdirSync(join(root, 'packages'));
    expect(symmetryFindings(root)).toHaveLength(1);
    for (const file of whole) plant(`packages/arm64/src/${file}`, '');
    expect(symmetryFindings(root)).toEqual([]);
    plant('packages/ppc64/src/index.ts', '');
    expect(symmetryFindings(root)).toHaveLength(ROOMS.length - 1);
  });
});

describe('the lock file', () => {
  const entry = { version: '1.0.0', integrity: 'sha512-x' };
  const whole = {
    packages: {
      '': {},
      'node_modules/a': { resolved: 'packages/a', link: true },
      'node_modules/b': { ...entry, optionalDependencies: { 'b-linux': '1.0.0', c: '1.0.0' } },
      'node_modules/b/node_modules/c': entry,
      'node_modules/b-linux': entry,
    },
  };

  it('is accepted when every optional package is locked, nested ones too', () => {
    expect(lockFindings(whole)).toEqual([]);
  });

  it.each(['node_modules/b-linux', 'node_modules/b/node_modules/c'])('is refused without %s', (path) => {
    const packages = Object.fromEntries(Object.entries(whole.packages).filter(([key]) => key !== path));
    expect(lockFindings({ packages })).toEqual([expect.stringContaining('node_modules/b needs ')]);
  });

  it('is refused with an address or without a hash', () => {
    const b = { version: '1.0.0', resolved: 'https://example.org/b.tgz' };
    const findings = lockFindings({ packages: { ...whole.packages, 'node_modules/b': b } });
    expect(findings).toEqual([expect.stringContaining('has an address'), expect.stringContaining('no integrity')]);
  });
});

describe('paths and addresses', () => {
  // Put together here, since the check reads this file as well.
  const on = (...parts: string[]) => `/${parts.join('/')}`;

  it.each([
    ['a home', on('home', 'me', 'x.c')],
    ['a temporary folder', `cd ${on('tmp', 'build')}`],
    ['the folder of debug information in a binary', `\0\0GNU C17\0${on('work', 'main')}\0`],
    ['a registry', `"resolved": "https://${'registry'}.npmjs.org/a"`],
    ['a registry of a company', `https://npm.${'artifactory'}.example.com/a`],
    ['a server on this machine', `http://${'localhost'}:4873/`],
    ['a credential', `//host/:_auth${'Token'}=abc`],
  ])('finds %s', (_, text) => {
    expect(pathFindings('some/file', `first line\n${text}`)).toEqual([expect.stringMatching(/^some\/file:2: /)]);
  });

  it.each([
    ['a manual', 'https://developer.arm.com/documentation/ddi0487/latest'],
    ['the page of a package', 'https://www.npmjs.com/package/countervisor'],
    ['a path of the repository', './work/x, frame/work/y, examples/root/z'],
    ['the place of an interpreter', '#!/usr/bin/env bash'],
  ])('accepts %s', (_, text) => {
    expect(pathFindings('some/file', text)).toEqual([]);
  });
});
