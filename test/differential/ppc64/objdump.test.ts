/** Which words are instructions: what GNU objdump knows of a CPU, our table has, or says why not. Reserved bits are 0 there; here they are ignored. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { rowOf } from '../../../packages/ppc64/src/isa/decode.ts';
import { ABSENT } from '../../../packages/ppc64/src/isa/instructions/absent.ts';
import { rows } from '../../../packages/ppc64/src/isa/instructions/index.ts';
import { describeWith } from '../../needs.ts';

/** Registers and such, in bits 25 to 11: none, all different, each alone so that every reserved place is 0 somewhere, one CR field, the time base. */
const MIDDLES = [0, 0x221800, 0x864000, 0x400000, 0x2800, 0x850000, 0x802800, 0x200000, 0x10000, 0x180000, 0xc4000];

function words(): number[] {
  const all: number[] = [];
  for (const opcode of [4, 17, 19, 31]) {
    for (let low = 0; low < 2048; low++) for (const middle of MIDDLES) all.push(((opcode << 26) | middle | low) >>> 0);
  }
  for (let opcode = 0; opcode < 64; opcode++) {
    // A prefix alone is no instruction.
    if ([1, 4, 17, 19, 31].includes(opcode)) continue;
    for (let i = 0; i < 64; i++) all.push(((opcode << 26) | ((i * 0x3a7b1) & 0x3ff_ffff)) >>> 0);
  }
  return all;
}

/** Words that objdump knows as instructions of a machine, with their mnemonics. */
function known(machine: string): (readonly [word: number, mnemonic: string])[] {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-objdump-'));
  try {
    const file = join(folder, 'words.bin');
    const list = words();
    const bytes = Buffer.alloc(4 * list.length);
    list.forEach((word, i) => {
      bytes.writeUInt32BE(word, 4 * i);
    });
    writeFileSync(file, bytes);
    const options = ['-D', '-z', '-b', 'binary', '-m', 'powerpc:common64', '-EB', '-M', machine, file];
    const out = execFileSync('powerpc64-linux-gnu-objdump', options, { maxBuffer: 1 << 29, encoding: 'utf8' });
    return out.split('\n').flatMap((line) => {
      const found = /^\s*[0-9a-f]+:\t(.{11})\s*\t(\S+)/.exec(line);
      if (found === null || found[2] === '.long') return [];
      return [[Number.parseInt((found[1] as string).replaceAll(' ', ''), 16), found[2] as string] as const];
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Invalid forms and reserved values that objdump shows all the same. */
const INVALID = ['lswi', 'bcctr', 'bcctrl', 'addex'];

/** The machine on which objdump should show an instruction of a version first. */
const FIRST: Readonly<Record<string, string>> = {
  'isa-2.02': 'power5',
  'isa-2.03': 'power6',
  'isa-2.05': 'power6',
  'isa-2.06': 'power7',
  'isa-2.07': 'power8',
  'isa-3.0': 'power9',
  'isa-3.1': 'power10',
};
const MACHINES = ['power4', 'power5', 'power6', 'power7', 'power8', 'power9', 'power10'];

/** Where a machine had it before the architecture, or binutils another opinion of when. */
const OTHERWISE: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['addg6s', 'cbcdtd', 'cdtbcd'].map((name) => [name, 'power6'])),
  // Optional in 2.03 and 2.06: POWER7 and POWER8 were the first to have them.
  isel: 'power7',
  ...Object.fromEntries(['lbarx', 'lharx', 'stbcx.', 'sthcx.'].map((name) => [name, 'power8'])),
  // Privileged before 2.07.
  ...Object.fromEntries(['lq', 'stq'].map((name) => [name, 'power4'])),
  hrfid: 'power5',
  icbt: 'power5',
  wait: 'power8',
  ...Object.fromEntries(['nap', 'doze', 'sleep', 'rvwinkle'].map((name) => [name, 'power6'])),
};

describeWith(['as-ppc64'], 'our table and GNU objdump', () => {
  it('date every instruction alike', () => {
    const first = new Map<string, string>();
    for (const machine of MACHINES) {
      for (const [word] of known(machine)) {
        const name = rowOf(word)?.name;
        if (name !== undefined && !first.has(name)) first.set(name, machine);
      }
    }
    // The 970 has the vector facility, and power4 not.
    const dated = rows.filter(({ cost, suffix }) => cost !== 'vector' && suffix === undefined);
    const differ = dated
      .map(({ name, needs }) => [name, OTHERWISE[name] ?? FIRST[needs ?? ''] ?? 'power4', first.get(name)] as const)
      .filter(([, ours, theirs]) => theirs !== undefined && ours !== theirs);
    expect(differ).toEqual([]);
    expect(first.size).toBeGreaterThan(300);
  });

  it.each(['power4', 'power8', 'power9', 'power10'])('know the same instructions of %s', (machine) => {
    const theirs = known(machine);
    const missing = theirs.filter(
      ([word, mnemonic]) =>
        rowOf(word) === undefined &&
        !ABSENT.some(({ mask, match }) => (word & mask) >>> 0 === match) &&
        !INVALID.includes(mnemonic),
    );
    expect(missing.map(([word, mnemonic]) => `${mnemonic} ${word.toString(16)}`)).toEqual([]);
    expect(theirs.length).toBeGreaterThan(4_000);
  });

  it('show every row of opcodes 19 and 31 on one machine or another', () => {
    const seen = new Set(
      ['power4', 'power6', 'power8', 'power10'].flatMap((machine) => known(machine).map(([word]) => rowOf(word)?.name)),
    );
    const here = rows.filter((row) => [19, 31].includes(row.match >>> 26)).map(({ name }) => name);
    // objdump has taken mftb back on every machine of these.
    expect(here.filter((name) => !seen.has(name))).toEqual(['mftb']);
  });
});
