/** Words that GNU as makes of texts, and a text or more for each floating-point and vector row. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Order } from './cases.ts';

/** Instructions stand 64 bytes apart, so that as moves no prefixed one. */
const APART = 64;

/** The words that GNU as makes of each text. */
export function assembled(texts: readonly string[], order: Order): (readonly [number, number])[] {
  const folder = mkdtempSync(join(tmpdir(), 'countervisor-as-'));
  try {
    const [source, object, image] = ['a.s', 'a.o', 'a.bin'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(source, `${texts.map((text) => `.balign ${APART}\n${text}`).join('\n')}\n.balign ${APART}\n`);
    execFileSync('powerpc64-linux-gnu-as', [
      '-a64',
      '-mpower10',
      order === 'big' ? '-mbig' : '-mlittle',
      source,
      '-o',
      object,
    ]);
    execFileSync('powerpc64-linux-gnu-objcopy', ['-O', 'binary', '-j', '.text', object, image]);
    const bytes = readFileSync(image);
    const word = (at: number): number => (order === 'big' ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at));
    return texts.map((_, i) => [word(APART * i), word(APART * i + 4)] as const);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Machines that as must be told of where the newest has an instruction no more, or another by its name. */
const MACHINES: Readonly<Record<string, string>> = {
  mftb: 'ppc',
  ...Object.fromEntries(['nap', 'doze', 'sleep', 'rvwinkle'].map((name) => [name, 'power7'])),
  ...Object.fromEntries(['lfdp', 'stfdp', 'lfdpx', 'stfdpx'].map((name) => [name, 'power6'])),
};

/** The text, with the machine that its row asks for. */
export function of(row: string, text: string): string {
  const machine = MACHINES[row];
  return machine === undefined ? text : `.machine push\n.machine ${machine}\n${text}\n.machine pop`;
}

/** Texts of vector rows that are more, or other, than the row's name with three registers. */
const VECTOR_TEXTS: Readonly<Record<string, readonly string[]>> = {
  'vector (opcode 4)': ['vadduwm 1,2,3', 'vperm 1,2,3,4', 'mfvscr 3', 'vsldoi 1,2,3,4', 'bcdadd. 1,2,3,0'],
  'lxvp, stxvp (opcode 6)': ['lxvp 2,32(3)', 'stxvp 34,-32(3)'],
  lfs: ['lfs 1,4(3)'],
  lfsu: ['lfsu 1,4(3)'],
  lfd: ['lfd 1,8(3)'],
  lfdu: ['lfdu 1,8(3)'],
  stfs: ['stfs 1,4(3)'],
  stfsu: ['stfsu 1,4(3)'],
  stfd: ['stfd 1,8(3)'],
  stfdu: ['stfdu 1,8(3)'],
  'floating point (opcode 59)': ['fadds 1,2,3', 'fmadds. 1,2,3,4', 'dadd 1,2,3'],
  'vector-scalar (opcode 60)': ['xvadddp 1,2,3', 'xxsel 33,34,35,36', 'xxpermdi 1,2,3,1'],
  'floating point (opcode 63)': [
    'fadd 1,2,3',
    'fmr 1,2',
    'mffs 1',
    'fcmpu 0,1,2',
    'daddq 2,4,6',
    'mtfsb1 3',
    'fctidz 1,2',
  ],
  'quad-precision (opcode 63)': ['xsaddqp 1,2,3', 'xsrqpi 0,1,2,3', 'xscmpuqp 0,1,2', 'xscvqpdp 1,2', 'xsmaddqp 1,2,3'],
  lfdp: ['lfdp 2,8(3)'],
  'lxsd, lxssp': ['lxsd 1,8(3)', 'lxssp 1,8(3)'],
  stfdp: ['stfdp 2,8(3)'],
  'stxsd, stxssp': ['stxsd 1,8(3)', 'stxssp 1,8(3)'],
  'lxv, stxv': ['lxv 1,16(3)', 'lxv 33,16(3)', 'stxv 1,16(3)', 'stxv 33,-16(3)'],
  mfvsrd: ['mfvsrd 3,1', 'mfvsrd 3,33'],
  mfvsrwz: ['mfvsrwz 3,1', 'mfvsrwz 3,33'],
  mtvsrd: ['mtvsrd 1,3', 'mtvsrd 33,3'],
  mtvsrwa: ['mtvsrwa 1,3', 'mtvsrwa 33,3'],
  mtvsrwz: ['mtvsrwz 1,3', 'mtvsrwz 33,3'],
  mfvsrld: ['mfvsrld 3,1', 'mfvsrld 3,33'],
  mtvsrws: ['mtvsrws 1,3', 'mtvsrws 33,3'],
  'xxmfacc, xxmtacc, xxsetaccz': ['xxmfacc 1', 'xxmtacc 2', 'xxsetaccz 3'],
  plfs: ['plfs 1,4(3)'],
  plfd: ['plfd 1,8(3)'],
  pstfs: ['pstfs 1,4(3)'],
  pstfd: ['pstfd 1,8(0),1'],
  plxsd: ['plxsd 1,8(3)'],
  plxssp: ['plxssp 1,8(3)'],
  pstxsd: ['pstxsd 1,8(3)'],
  pstxssp: ['pstxssp 1,8(3)'],
  'plxv, pstxv': ['plxv 1,16(3)', 'plxv 33,16(3)', 'pstxv 1,16(3)', 'pstxv 33,16(3)'],
  plxvp: ['plxvp 2,32(3)'],
  pstxvp: ['pstxvp 34,32(3)'],
  'vector-scalar (prefixed)': ['xxspltiw 1,5', 'xxblendvd 1,2,3,4', 'xxeval 1,2,3,4,5'],
  'matrix-multiply assist (prefixed)': ['pmxvi8ger4 0,34,35,15,15,15', 'pmxvf32gerpp 1,34,35,15,15'],
};

/** Rows for which it matters whether the target is a vector register. */
const BOTH_HALVES = [
  ...['lxvx', 'stxvx', 'lxvl', 'lxvll', 'stxvl', 'stxvll', 'lxvwsx'],
  ...['lxvb16x', 'lxvh8x', 'stxvb16x', 'stxvh8x', 'mtvsrdd'],
];

/** Texts of a floating-point or vector row. */
export const vectorTexts = (row: string): readonly string[] =>
  VECTOR_TEXTS[row] ?? (BOTH_HALVES.includes(row) ? [`${row} 2,3,4`, `${row} 34,3,4`] : [`${row} 2,3,4`]);
