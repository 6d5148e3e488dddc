/** Our encodings against GNU as: the same text must give the same words, for every row, in both byte orders; and as decodes back to the row. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as a from '../../../packages/ppc64/src/asm.ts';
import { rowOf } from '../../../packages/ppc64/src/isa/decode.ts';
import { rowNamed, widthOf } from '../../../packages/ppc64/src/isa/encode.ts';
import { rows } from '../../../packages/ppc64/src/isa/instructions/index.ts';
import type { FieldName, Row } from '../../../packages/ppc64/src/isa/row.ts';
import { describeWith } from '../../needs.ts';
import { Random } from '../random.ts';
import type { Order } from './cases.ts';
import { assembled, of, vectorTexts } from './gnu.ts';

const SEED = 20_240_602;
/** Texts of each row. */
const TEXTS = 20;

/** A text and what we make of it. */
interface Pair {
  readonly row: string;
  readonly text: string;
  readonly words: readonly number[];
}

/** Values that as takes, where it takes fewer than the field holds. */
const ALLOWED: Readonly<Partial<Record<FieldName, readonly number[]>>> = {
  // 1at and 0at hints are BO's as well, and as wants them as such.
  BO: [0, 2, 4, 8, 10, 12, 16, 18, 20],
  spr: [1, 8, 9, 815, 268, 795],
  L3: [0, 1],
  SC: [0],
  BH: [0, 1, 3],
  TH: [0, 1, 8, 16],
  WC: [0],
  PL: [0],
  TO: [1, 2, 4, 8, 16, 31, 5, 24],
  RIC: [0, 1, 2],
  IH: [0, 3, 7],
  LEV: [0, 1],
};
const ONE_FIELD = ['mtocrf', 'mfocrf'];
const BRANCHES: readonly FieldName[] = ['LI', 'BD'];

const UNIT: Readonly<Partial<Record<FieldName, number>>> = { DS: 4, DQ: 16, LI: 4, BD: 4 };
const SIGNED: readonly FieldName[] = ['SI', 'D', 'DS', 'DQ', 'D34', 'DX', 'LI', 'BD'];

/** The text, with what as wants beside the row's operands. */
function spelt(row: Row, operands: string): string {
  if (row.name === 'addex') return `addex ${operands},0`;
  return of(row.name, `${row.name} ${operands}`);
}

/** A text of a row and our words of it; tried until the form is valid. */
function pair(row: Row, random: Random): Pair {
  const names = a.operandsOf(row.name);
  for (;;) {
    const values = names.map((name) => {
      const allowed = ALLOWED[name];
      if (name === 'FXM' && ONE_FIELD.includes(row.name)) return 1n << BigInt(random.below(8));
      // With one bit as makes it mtocrf.
      if (row.name === 'mtcrf' && name === 'FXM') return random.one([255n, 0n, 0x83n, 0x0fn, 0xaan, 3n]);
      if (row.name === 'mftb' && name === 'spr') return random.one([268n, 269n]);
      if (allowed) return BigInt(random.one(allowed));
      const width = BigInt(widthOf(row, name));
      const value = random.u64() & ((1n << width) - 1n);
      return (SIGNED.includes(name) ? BigInt.asIntN(Number(width), value) : value) * BigInt(UNIT[name] ?? 1);
    });
    const shown = values.map((value, i) => {
      const absolute = /a$/.test(row.name);
      if (!BRANCHES.includes(names[i] as FieldName) || absolute) return String(value);
      return value < 0n ? `.${value}` : `.+${value}`;
    });
    const operands = values.map((value, i) => {
      const name = names[i] as FieldName;
      if (/^R[TSABC]$/.test(name)) return `r${value}`;
      return name === 'BF' || name === 'BFA' ? `cr${value}` : value;
    });
    const place = new Map(names.map((name, i) => [name, shown[i] as string]));
    const text = row.syntax.replace(/\w+/g, (name) => place.get(name as FieldName) as string).replaceAll(' ', ',');
    try {
      return { row: row.name, text: spelt(row, text), words: a.op(row.name, ...operands) };
    } catch (error) {
      if (!String(error).includes('invalid')) throw error;
    }
  }
}

const ORDERS: readonly Order[] = ['big', 'little'];

/** What as does not take for little-endian code. */
const BIG_ONLY = ['lmw', 'stmw', 'lswi', 'stswi', 'lswx', 'stswx'];

describeWith(['as-ppc64'], `our assembler and GNU as, seed ${SEED}`, () => {
  const random = new Random(SEED);
  const fixed = rows.filter(({ cost }) => cost !== 'vector');
  const pairs = fixed.flatMap((row) => Array.from({ length: TEXTS }, () => pair(row, random)));

  it.each(ORDERS)('make the same words of every row, %s-endian', (order) => {
    const here = pairs.filter(({ row }) => order === 'big' || !BIG_ONLY.includes(row));
    const theirs = assembled(
      here.map(({ text }) => text),
      order,
    );
    const hex = (words: readonly number[]): string => words.map((word) => word.toString(16)).join(' ');
    const differ = here
      .map(({ row, text, words }, i) => ({
        row,
        text,
        ours: hex(words),
        its: hex((theirs[i] ?? []).slice(0, words.length)),
      }))
      .filter(({ ours, its }) => ours !== its);
    expect(differ).toEqual([]);
  });

  it('agree on what floating-point and vector instructions are', () => {
    const texts = rows
      .filter(({ cost }) => cost === 'vector')
      .flatMap(({ name }) => vectorTexts(name).map((text) => ({ name, text })));
    const theirs = assembled(
      texts.map(({ name, text }) => of(name, text)),
      'big',
    );
    const found = texts.map(({ text }, i) => `${text}: ${rowOf(...(theirs[i] as [number, number]))?.name}`);
    expect(found).toEqual(texts.map(({ name, text }) => `${text}: ${name}`));
  });

  it('agree on extended mnemonics', () => {
    const same: readonly (readonly [text: string, code: a.Item])[] = [
      ['li 3,-5', a.li('r3', -5)],
      ['lis 3,0x1234', a.lis('r3', 0x1234)],
      ['mr 3,4', a.mr('r3', 'r4')],
      ['nop', a.nop()],
      ['sldi 3,4,7', a.sldi('r3', 'r4', 7)],
      ['srdi 3,4,7', a.srdi('r3', 'r4', 7)],
      ['slwi 3,4,7', a.slwi('r3', 'r4', 7)],
      ['srwi 3,4,7', a.srwi('r3', 'r4', 7)],
      ['clrldi 3,4,7', a.clrldi('r3', 'r4', 7)],
      ['cmpwi 3,-1', a.cmpwi('r3', -1)],
      ['cmpdi 7,3,100', a.cmpdi('r3', 100, 'cr7')],
      ['cmpd 3,4', a.cmpd('r3', 'r4')],
      ['cmpld 2,3,4', a.cmpld('r3', 'r4', 'cr2')],
      ['blt .+8', a.bcond('lt', 8)],
      ['bgt .+8', a.bcond('gt', 8)],
      ['beq 3,.+8', a.bcond('eq', 8, 'cr3')],
      ['bso .+8', a.bcond('so', 8)],
      ['bge .-8', a.bcond('ge', -8)],
      ['ble .+8', a.bcond('le', 8)],
      ['bne 7,.+8', a.bcond('ne', 8, 'cr7')],
      ['bns .+8', a.bcond('ns', 8)],
      ['bdnz .-4', a.bdnz(-4)],
      ['blr', a.blr()],
      ['bctr', a.bctr()],
      ['bctrl', a.bctrl()],
      ['sc', a.sc()],
      ['sc 1', a.sc(1)],
      ['trap', a.trap()],
      ['rfid', a.rfid()],
      ['isync', a.isync()],
      ['sync', a.sync()],
      ['mfmsr 3', a.mfmsr('r3')],
      ['mtmsrd 3,1', a.mtmsrd('r3', 1)],
      ['mtlr 3', a.mtlr('r3')],
      ['mflr 3', a.mflr('r3')],
      ['mtctr 3', a.mtctr('r3')],
      ['mtxer 3', a.mtspr('XER', 'r3')],
      ['mfspr 3,815', a.mfspr('r3', 'TAR')],
      ['lwzx 3,0,4', a.op('lwzx', 'r3', 'r0', 'r4')],
    ];
    const theirs = assembled(
      same.map(([text]) => text),
      'big',
    );
    const word = (code: a.Item): number => new DataView(a.program([code]).bytes.buffer).getUint32(0);
    expect(same.map(([text, code]) => `${text}: ${word(code).toString(16)}`)).toEqual(
      same.map(([text], i) => `${text}: ${theirs[i]?.[0].toString(16)}`),
    );
  });

  it.each(ORDERS)('place labels, data and branches alike, %s-endian', (order) => {
    const { bytes, labels } = a.program(
      [
        a.label('start'),
        a.op('ld', 'r3', 32, 'r4'),
        a.label('loop'),
        a.addi('r3', 'r3', -1),
        a.cmpdi('r3', 0),
        a.bcond('ne', 'loop'),
        a.bdnz('start'),
        a.op('pld', 'r5', 0x12345, 'r3', 0),
        a.bl('end'),
        a.label('value'),
        a.quads(3, -1),
        a.label('end'),
        a.b('start'),
      ],
      0x400000n,
      order,
    );
    const folder = mkdtempSync(join(tmpdir(), 'countervisor-as-'));
    try {
      const [source, object, image] = ['a.s', 'a.o', 'a.bin'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ];
      const text = `start: ld 3,32(4)\nloop: addi 3,3,-1\ncmpdi 3,0\nbne loop\nbdnz start\npld 5,0x12345(3)\nbl end\nvalue: .quad 3,-1\nend: b start\n`;
      writeFileSync(source, text);
      execFileSync('powerpc64-linux-gnu-as', [
        '-a64',
        '-mpower10',
        order === 'big' ? '-mbig' : '-mlittle',
        source,
        '-o',
        object,
      ]);
      execFileSync('powerpc64-linux-gnu-objcopy', ['-O', 'binary', '-j', '.text', object, image]);
      expect(Buffer.from(bytes).toString('hex')).toBe(readFileSync(image).toString('hex'));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    expect([labels.get('loop'), labels.get('value'), labels.get('end')]).toEqual([0x400004n, 0x400020n, 0x400030n]);
  });
});

it('the table has a text for each row that is no vector one', () => {
  expect(rows.filter(({ cost, syntax, slots }) => cost !== 'vector' && syntax === '' && slots.length > 0)).toEqual([]);
  expect(rowNamed('add').syntax).toBe('RT RA RB');
});
