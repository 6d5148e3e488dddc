import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Io } from '../io.ts';
import { World } from '../testing/world.ts';
import { domainName, elfMachineOf, readGuest } from './guest.ts';

let w: World;
afterEach(() => w.remove());
const io = (): Io => ({ cwd: w.folder }) as Io;
const ELF = new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 183, 0]);

describe('readGuest', () => {
  it.each<[string, string | Uint8Array, 'cfg' | 'elf' | 'flat']>([
    ['a.cfg', ELF, 'cfg'],
    ['a', 'name = "d"', 'cfg'],
    ['a.elf', 'text', 'elf'],
    ['a', ELF, 'elf'],
    ['a.cut', new Uint8Array([0x7f, 0x45]), 'elf'],
    ['a.bin', 'text', 'flat'],
    ['a', new Uint8Array([1, 0, 2]), 'flat'],
  ])('%s holding %s is %s', (name, content, kind) => {
    w = new World({ files: { [name]: content } });
    if (name === 'a.cfg') {
      expect(() => readGuest(io(), name, [])).toThrow('cannot stand here');
      return;
    }
    const source = readGuest(io(), name, []);
    expect(source.bare ? source.image?.kind : 'cfg').toBe(kind);
  });

  it('looks for the kernel beside the configuration, and names it from where the user stands', () => {
    w = new World({ files: { 'conf/a.cfg': 'name = "a"\nkernel = "../images/k.elf"\n', 'images/k.elf': ELF } });
    const { image } = readGuest(io(), 'conf/a.cfg', []);
    expect([image?.file, image?.kind]).toEqual([join('images', 'k.elf'), 'elf']);
    expect(image && elfMachineOf(image)).toBe(183);
    expect(readGuest({ cwd: join(w.folder, 'images') } as Io, '../conf/a.cfg', []).image?.bytes).toEqual(ELF);
  });

  it('takes the command line’s kernel, from beside the configuration as well', () => {
    w = new World({ files: { 'c/a.cfg': 'name = "a"\nkernel = "x"\n', 'c/other.elf': ELF } });
    expect(readGuest(io(), 'c/a.cfg', ['kernel="other.elf"']).image?.bytes).toEqual(ELF);
  });

  it('refuses what is no regular file', () => {
    w = new World({ files: { 'a.cfg': 'name = "a"\nkernel = "k"\n' } });
    mkdirSync(join(w.folder, 'k'));
    expect(() => readGuest(io(), 'a.cfg', [])).toThrow('k, the kernel, is a folder.');
    expect(() => readGuest(io(), 'a.cfg/x', [])).toThrow('does not exist');
  });
});

describe('domainName', () => {
  it.each([
    ['dir/hello.elf', 'hello'],
    ['pmu-count', 'pmu-count'],
    ['a"b\\c.bin', 'a_b_c'],
    ['.elf', '.elf'],
    ['x\u001b[2J.elf', 'x_[2J'],
    [`${'n'.repeat(300)}.elf`, 'n'.repeat(128)],
  ])('%j gives %j', (file, name) => {
    w = new World();
    expect(domainName(file)).toBe(name);
  });
});

describe('elfMachineOf', () => {
  it('reads either byte order, and no short file', () => {
    w = new World();
    const big = ELF.slice();
    big.set([2], 5);
    big.set([0, 21], 18);
    const image = (bytes: Uint8Array) => ({ file: 'x', bytes, kind: 'elf' as const });
    expect(elfMachineOf(image(big))).toBe(21);
    expect(elfMachineOf(image(ELF.subarray(0, 19)))).toBeUndefined();
    expect(elfMachineOf({ ...image(ELF), kind: 'flat' })).toBeUndefined();
  });
});
