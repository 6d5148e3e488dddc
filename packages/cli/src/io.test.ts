/** Files that commands write: whole or not at all, and nothing else is put in their place. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, lstatSync, openSync, readFileSync, readSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Io, OutputFile, writeWhole } from './io.ts';
import { binaries, config } from './testing/guests.ts';
import { World } from './testing/world.ts';

const w = new World({
  files: { ...binaries('count-loop'), 'a.cfg': config('a', 'count-loop'), 'folder/x': 'x', 'old.txt': 'old' },
});
afterAll(() => w.remove());

const io = { cwd: w.folder } as Io;
const path = (name: string): string => join(w.folder, name);

describe('an output file', () => {
  it('appears when it is whole', () => {
    const before = w.files();
    const file = new OutputFile(io, 'new.txt');
    file.write('a'.repeat(70_000));
    expect(w.files().filter((name) => !before.includes(name))).toEqual([expect.stringMatching(/^\.new\.txt\./)]);
    file.commit();
    expect(w.files()).toEqual([...before, 'new.txt'].sort());
    expect(readFileSync(path('new.txt'), 'utf8')).toBe('a'.repeat(70_000));
  });

  it('that is discarded was never there, and leaves what was', () => {
    const before = w.files();
    const file = new OutputFile(io, 'old.txt');
    file.write('b'.repeat(70_000));
    file.discard();
    expect(w.files()).toEqual(before);
    expect(readFileSync(path('old.txt'), 'utf8')).toBe('old');
  });

  it.each([
    ['folder', 'folder cannot be written (EISDIR).'],
    ['', "'' cannot be written (EISDIR)."],
    ['nowhere/x', 'nowhere/x cannot be written (ENOENT).'],
    ['old.txt/x', 'old.txt/x cannot be written (ENOTDIR).'],
    ['circle', 'circle cannot be written (ELOOP).'],
  ])('%j is refused before there is work to lose', (name, said) => {
    if (name === 'circle') symlinkSync('circle', path('circle'));
    expect(() => new OutputFile(io, name)).toThrow(expect.objectContaining({ code: 'CV_OUTPUT', message: said }));
  });

  it('is the one that a link leads to', () => {
    symlinkSync('old.txt', path('link'));
    writeWhole(io, 'link', 'new');
    expect(lstatSync(path('link')).isSymbolicLink()).toBe(true);
    expect(readFileSync(path('old.txt'), 'utf8')).toBe('new');
  });

  it('may be a pipe, which stays one; but somebody must read it', async () => {
    execFileSync('mkfifo', [path('pipe')]);
    expect(() => new OutputFile(io, 'pipe')).toThrow('pipe cannot be written (ENXIO).');
    const reader = openSync(path('pipe'), constants.O_RDONLY | constants.O_NONBLOCK);
    const { code } = await w.run('stat', 'a.cfg', '-e', 'instructions', '--record-expect', 'pipe');
    const bytes = Buffer.alloc(4096);
    const length = readSync(reader, bytes);
    closeSync(reader);
    expect([code, lstatSync(path('pipe')).isFIFO()]).toEqual([0, true]);
    expect(JSON.parse(bytes.toString('utf8', 0, length))).toMatchObject({ domains: { a: { instructions: 13 } } });
  });
});
