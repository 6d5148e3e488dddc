import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { UnsupportedError, UsageError } from './exit.ts';
import { findArchitectures, inFolder, named, noneFound } from './find.ts';
import type { Io } from './io.ts';
import { World } from './testing/world.ts';

let w: World;
afterEach(() => w.remove());

const pack = (name: string, more: object): string =>
  JSON.stringify({ name, version: '1.0.0', type: 'module', ...more });
const found = (folder = w.folder) => findArchitectures({ cwd: folder, env: {} } as unknown as Io);

describe('findArchitectures', () => {
  it('looks under @countervisor, at dependencies of any name, at the own package, and upwards', () => {
    w = new World({
      files: {
        'package.json': pack('user', {
          dependencies: { 'some-isa': '1', lodash: '1' },
          devDependencies: { '@me/other': '1' },
        }),
        'node_modules/@countervisor/ours/package.json': pack('@countervisor/ours', {
          countervisor: { architecture: 'ours' },
        }),
        'node_modules/@countervisor/core/package.json': pack('@countervisor/core', {}),
        'node_modules/some-isa/package.json': pack('some-isa', { countervisor: { architecture: 'some' } }),
        'node_modules/@me/other/package.json': pack('@me/other', { countervisor: { architecture: 'other' } }),
        'node_modules/lodash/package.json': pack('lodash', {}),
        'node_modules/not-asked-for/package.json': pack('not-asked-for', { countervisor: { architecture: 'stray' } }),
        'deep/own/package.json': pack('own', { countervisor: { architecture: 'own' } }),
      },
    });
    const names = (folder: string): string[] => found(join(w.folder, folder)).map((one) => one.name);
    expect(names('deep/own')).toEqual(expect.arrayContaining(['ours', 'some', 'other', 'own']));
    expect(names('deep/own')).not.toContain('stray');
    expect(names('.')).not.toContain('own');
  });

  it('the nearest of one name wins; broken manifests are passed by', async () => {
    w = new World({
      files: {
        'node_modules/@countervisor/x/package.json': pack('@countervisor/x', {
          countervisor: { architecture: 'x' },
          exports: './far.js',
        }),
        'node_modules/@countervisor/x/far.js': 'export default { name: "far" };',
        'near/node_modules/@countervisor/x/package.json': pack('@countervisor/x', {
          countervisor: { architecture: 'x' },
          exports: {
            '.': { types: './x.d.ts', import: { types: './x.d.ts', default: './near.js' }, require: './x.cjs' },
          },
        }),
        'near/node_modules/@countervisor/x/near.js': 'export const x = { name: "near" };',
        'near/node_modules/@countervisor/y/package.json': '{ "countervisor": ',
        'near/node_modules/@countervisor/z/package.json': pack('z', { countervisor: { architecture: 5 } }),
      },
    });
    const load = (folder: string) =>
      found(join(w.folder, folder))
        .find((one) => one.name === 'x')
        ?.load();
    expect(await load('near')).toEqual({ name: 'near' });
    expect(await load('.')).toEqual({ name: 'far' });
    expect(found(join(w.folder, 'near')).map((one) => one.name)).not.toContain('y');
  });

  it('follows links, as workspaces have them', async () => {
    w = new World({
      files: {
        'packages/l/package.json': pack('@countervisor/l', { countervisor: { architecture: 'l' }, main: 'l.js' }),
        'packages/l/l.js': 'export default { name: "l" };',
      },
    });
    mkdirSync(join(w.folder, 'node_modules/@countervisor'), { recursive: true });
    symlinkSync('../../packages/l', join(w.folder, 'node_modules/@countervisor/l'));
    expect(
      await found()
        .find((one) => one.name === 'l')
        ?.load(),
    ).toEqual({ name: 'l' });
  });

  it('a package without its built files, or without an architecture, is named', async () => {
    w = new World({
      files: {
        'node_modules/@countervisor/raw/package.json': pack('@countervisor/raw', {
          countervisor: { architecture: 'raw' },
          exports: './dist/index.js',
        }),
        'node_modules/@countervisor/nil/package.json': pack('@countervisor/nil', {
          countervisor: { architecture: 'nil' },
          exports: './i.js',
        }),
        'node_modules/@countervisor/nil/i.js': 'export const other = 1;',
      },
    });
    const load = (name: string) =>
      found()
        .find((one) => one.name === name)
        ?.load();
    await expect(load('raw')).rejects.toThrow('The package @countervisor/raw has no built files.');
    await expect(load('nil')).rejects.toThrow('The package @countervisor/nil exports no architecture.');
  });

  it('a folder is looked into by its path; what it gives the conformance kit is an export of that name', async () => {
    w = new World({
      files: {
        'mine/package.json': pack('mine', { countervisor: { architecture: 'mine' }, exports: './i.js' }),
        'mine/i.js': 'export const mine = { name: "mine" }; export const conformance = { programs: {} };',
        'less/package.json': pack('less', { countervisor: { architecture: 'less' }, exports: './i.js' }),
        'less/i.js': 'export default { name: "less" }; export const conformance = "none";',
        'other/package.json': pack('other', {}),
      },
    });
    const io = { cwd: w.folder, env: {} } as unknown as Io;
    const mine = inFolder(io, './mine');
    expect([mine.name, await mine.load(), await mine.conformance()]).toEqual([
      'mine',
      { name: 'mine' },
      { programs: {} },
    ]);
    expect(await inFolder(io, join(w.folder, 'less')).conformance()).toBeUndefined();
    for (const path of ['other', 'nothing', '']) expect(() => inFolder(io, path)).toThrow(UsageError);
  });

  it('in this repository finds its own, from anywhere: published ones first', () => {
    w = new World();
    expect(found().map((one) => one.name)).toEqual(['arm64', 'x86', 'ppc64', 'template']);
  });
});

describe('a missing architecture', () => {
  it('is an error that prints the install line', () => {
    w = new World();
    expect(() => named([], 'arm64')).toThrow(UnsupportedError);
    try {
      named([], 'arm64');
    } catch (error) {
      expect((error as UnsupportedError).format()).toBe(
        'CV_NO_ARCHITECTURE  The architecture arm64 is not installed here.\n  npm install @countervisor/arm64',
      );
    }
    expect(noneFound().remedy).toBe('npm install @countervisor/arm64 @countervisor/x86 @countervisor/ppc64');
  });

  it('that nobody publishes is a usage error', () => {
    w = new World();
    expect(() => named([], 'arm46')).toThrow(UsageError);
  });

  it('exits with 5', async () => {
    w = new World({ architectures: [], files: { 'a.bin': 'x\0' } });
    expect(await w.run('run', 'a.bin')).toMatchObject({
      code: 5,
      out: '',
      err: expect.stringContaining('npm install @countervisor/arm64') as string,
    });
    expect((await w.run('run', 'a.bin', '--arch', 'arm64')).code).toBe(5);
  });
});
