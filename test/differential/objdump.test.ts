/** Which words are instructions: our table against GNU objdump, over random words in each row's encodings and all over. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { rowOf } from '../../packages/arm64/src/isa/decode.ts';
import { ABSENT } from '../../packages/arm64/src/isa/instructions/absent.ts';
import { rows } from '../../packages/arm64/src/isa/instructions/index.ts';
import { vector } from '../../packages/arm64/src/isa/instructions/vector.ts';
import { describeWith } from '../needs.ts';
import { Random } from './random.ts';

const IN_ROW = 200;
const ANYWHERE = 200_000;

interface Line {
  readonly word: number;
  /** Without aliases; undefined where objdump knows no instruction. */
  readonly mnemonic: string | undefined;
  readonly text: string;
}

function disassemble(words: readonly number[]): Line[] {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-objdump-'));
  try {
    const file = join(folder, 'words.bin');
    writeFileSync(file, Uint8Array.from(new Uint8Array(Uint32Array.from(words).buffer)));
    const options = ['-D', '-z', '-b', 'binary', '-m', 'aarch64', '-M', 'no-aliases', file];
    const out = execFileSync('aarch64-linux-gnu-objdump', options, { maxBuffer: 1 << 29, encoding: 'utf8' });
    return out
      .split('\n')
      .filter((line) => /^\s*[0-9a-f]+:\t/.test(line))
      .map((text) => {
        const [, word = '', mnemonic = ''] = text.split('\t');
        const unknown = mnemonic === '.inst' || mnemonic === 'udf' || text.includes('undefined');
        return { word: Number.parseInt(word, 16), mnemonic: unknown ? undefined : mnemonic.trim(), text };
      });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const VECTOR = new Set(vector.map((row) => row.name));
/** Names that differ: order suffixes, hints by number, DC ZVA as SYS, conditions, PRFUM. */
const ORDERED = /^(LDADD|LDCLR|LDEOR|LDSET|LDSMAX|LDSMIN|LDUMAX|LDUMIN|SWP|CAS|CASP)([BH]?)$/;

function sameName(row: string, mnemonic: string): boolean {
  const [name = ''] = row.split(' ');
  if (name === 'B.cond') return /^b\.[a-z]{2}$/.test(mnemonic);
  if (row === 'PRFM (unscaled)') return mnemonic === 'prfum';
  if (row === 'DC ZVA') return mnemonic === 'sys';
  const ordered = ORDERED.exec(name);
  if (ordered) return new RegExp(`^${ordered[1]}a?l?${ordered[2]}$`, 'i').test(mnemonic);
  return name.toLowerCase() === mnemonic || (rowOfHint(row) && mnemonic === 'hint');
}

/** Newer than the oldest binutils that CI has. */
const NEWER = ['SYSP, MSRR, MRRS'];

const HINTS = 0b1101_0101_0000_0011_0010_0000_0001_1111;
const rowOfHint = (name: string): boolean =>
  rows.some((row) => row.name === name && (row.match & 0xfffff01f) >>> 0 === HINTS);

/** What objdump takes for undefined and the manual calls CONSTRAINED UNPREDICTABLE, so that executing it is permitted. */
function leeway(row: string): string | undefined {
  if (VECTOR.has(row)) return 'a corner of an encoding group of floating point or Advanced SIMD that is not allocated';
  if (/^LDAR/.test(row)) return 'should-be-one bits of LDAR that are 0';
  return row.startsWith('LDPSW') ? 'LDPSW to one register twice' : undefined;
}

/** Classes in which either side may stand alone, each with how often. */
function classes(lines: readonly Line[]): { readonly excused: Map<string, number>; readonly wrong: string[] } {
  const excused = new Map<string, number>();
  const wrong: string[] = [];
  const excuse = (why: string): void => {
    excused.set(why, (excused.get(why) ?? 0) + 1);
  };
  for (const { word, mnemonic, text } of lines) {
    const row = rowOf(word);
    if (row && mnemonic === undefined) {
      const why = leeway(row.name);
      if (why === undefined) wrong.push(`${row.name}, and to objdump nothing: ${text}`);
      else excuse(why);
    } else if (row && mnemonic !== undefined) {
      if (!VECTOR.has(row.name) && !sameName(row.name, mnemonic)) wrong.push(`${row.name}: ${text}`);
    } else if (mnemonic !== undefined) {
      const absent = ABSENT.find(({ mask, match }) => (word & mask) >>> 0 === match);
      if (absent) excuse(`absent: ${absent.name}`);
      // op0 = 0 is no register: objdump writes whatever stands there as one.
      else if (/\ts0_[0-7]_c/.test(text) || /, s0_[0-7]_c/.test(text)) excuse('MSR and MRS of op0 = 0');
      else wrong.push(`Nothing, and to objdump: ${text}`);
    }
  }
  return { excused, wrong };
}

describeWith(['as'], 'the instruction table and GNU objdump', () => {
  let lines: Line[] = [];
  beforeAll(() => {
    const random = new Random(64);
    const words: number[] = [];
    for (const row of rows) {
      for (let i = 0; i < IN_ROW; i++) words.push(((random.u32() & ~row.mask) | row.match) >>> 0);
    }
    for (let i = 0; i < ANYWHERE; i++) words.push(random.u32());
    lines = disassemble(words);
    expect(lines.length).toBe(words.length);
  });

  it('agree about every word but those of the classes named here', () => {
    const { excused, wrong } = classes(lines);
    expect(wrong).toEqual([]);
    // Every excuse is used: one that no word needs is dead.
    expect([...excused.keys()].filter((why) => !why.startsWith('absent:')).sort()).toEqual([
      'LDPSW to one register twice',
      'MSR and MRS of op0 = 0',
      'a corner of an encoding group of floating point or Advanced SIMD that is not allocated',
      'should-be-one bits of LDAR that are 0',
    ]);
  });

  it('every absent encoding is an instruction to objdump, and none to us', () => {
    const random = new Random(65);
    const words = ABSENT.flatMap(({ mask, match }) =>
      Array.from({ length: 400 }, () => ((random.u32() & ~mask) | match) >>> 0),
    );
    const known = disassemble(words);
    const named = ABSENT.map(({ name }, i) => ({
      name,
      seen: known.slice(i * 400, i * 400 + 400).some((line) => line.mnemonic !== undefined && !rowOf(line.word)),
    }));
    expect(named.filter(({ seen }) => !seen).map(({ name }) => name)).toEqual(NEWER);
  });
});
