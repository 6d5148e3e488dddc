/**
 * Floating point and vectors, not modelled: rows by opcode or group, so that a unit that is off raises its interrupt and one that is on is refused by
 * name. Power ISA 3.0B, book I, 4 to 7; book III, 3.2.1 (MSR), 6.5.11, 6.5.23, 6.5.24.
 *
 * A group's reserved corners count as the group: they end in the same interrupt or refusal, where silicon would say illegal.
 */
import type { Lifter } from '@countervisor/contract';
import { MSR, msrBit } from '../operands.ts';
import { bin, type Fields, type Row, row, type Version } from '../row.ts';
import { EIGHT_LS, MODIFIED_LS } from './prefixed.ts';

type Unit = 'fp' | 'vector' | 'vsx';
const ENABLES = { fp: MSR.FP, vector: MSR.VEC, vsx: MSR.VSX } as const;

function refuse(b: Lifter, unit: Unit): void {
  b.when(b.eq(msrBit(b, ENABLES[unit]), b.constant(0)), () => b.raise(`${unit}-unavailable`));
  b.trap('unmodelled', b.constant(0));
}

function group(
  name: string,
  unit: Unit | ((f: Fields) => Unit),
  pattern: string,
  needs?: Version,
  allocated?: (f: Fields) => boolean,
): Row {
  return row(
    name,
    'vector',
    pattern,
    '',
    'book III, 6.5',
    (b, f) => refuse(b, typeof unit === 'string' ? unit : unit(f)),
    { ...(needs !== undefined && { needs }), ...(allocated && { allocated }) },
  );
}

/** VA-form of opcode 4, bits 26:31: 50 and 52 to 58 are nobody's. kvm-unit-tests takes one of them for an illegal instruction. */
const vectorArithmetic = (f: Fields): boolean => f.R === 0 || (f.XO5 !== 18 && (f.XO5 < 20 || f.XO5 > 26));

const ANY = '/'.repeat(26);

/** Opcode 31 with three registers and an extended opcode. */
const indexed = (unit: Unit, needs: Version | undefined, list: Readonly<Record<string, number>>): Row[] =>
  Object.entries(list).map(([name, xo]) => group(name, unit, `011111 /////////////// ${bin(xo, 10)} /`, needs));

/** VSX or VMX as the target is among the lower or the upper 32 registers; or, for moves of a doubleword, FP or VMX. */
const byTarget = (lower: Unit, needs: Version, list: Readonly<Record<string, number>>): Row[] =>
  Object.entries(list).map(([name, xo]) =>
    group(name, (f) => (f.TX === 1 ? 'vector' : lower), `011111 /////////////// ${bin(xo, 10)} TX`, needs),
  );

/** Primary opcodes that are a unit's as a whole. */
const PRIMARY: readonly (readonly [name: string, opcode: number, unit: Unit, needs?: Version])[] = [
  ['lxvp, stxvp (opcode 6)', 6, 'vsx', 'isa-3.1'],
  ['lfs', 48, 'fp'],
  ['lfsu', 49, 'fp'],
  ['lfd', 50, 'fp'],
  ['lfdu', 51, 'fp'],
  ['stfs', 52, 'fp'],
  ['stfsu', 53, 'fp'],
  ['stfd', 54, 'fp'],
  ['stfdu', 55, 'fp'],
  ['floating point (opcode 59)', 59, 'fp'],
  ['vector-scalar (opcode 60)', 60, 'vsx', 'isa-2.06'],
  ['floating point (opcode 63)', 63, 'fp'],
];

const plain: readonly Row[] = [
  group('vector (opcode 4)', 'vector', `000100 ${ANY.slice(6)} R XO5`, undefined, vectorArithmetic),
  ...PRIMARY.map(([name, opcode, unit, needs]) => group(name, unit, `${bin(opcode, 6)} ${ANY}`, needs)),
  group('quad-precision (opcode 63)', 'vsx', '111111 //////////////////// 0010//', 'isa-3.0'),
  group('lfdp', 'fp', `111001 ${ANY.slice(2)} 00`, 'isa-2.05'),
  group('lxsd, lxssp', 'vector', `111001 ${ANY.slice(2)} 1/`, 'isa-3.0'),
  group('stfdp', 'fp', `111101 ${ANY.slice(2)} 00`, 'isa-2.05'),
  group('stxsd, stxssp', 'vector', `111101 ${ANY.slice(2)} 1/`, 'isa-3.0'),
  group('lxv, stxv', (f) => (f.TX === 1 ? 'vector' : 'vsx'), `111101 ${ANY.slice(4)} TX /01`, 'isa-3.0'),
  ...indexed('fp', undefined, {
    lfsx: 535,
    lfsux: 567,
    lfdx: 599,
    lfdux: 631,
    stfsx: 663,
    stfsux: 695,
    stfdx: 727,
    stfdux: 759,
    stfiwx: 983,
  }),
  ...indexed('fp', 'isa-2.05', { lfiwax: 855, lfdpx: 791, stfdpx: 919 }),
  ...indexed('fp', 'isa-2.06', { lfiwzx: 887 }),
  ...indexed('vector', undefined, {
    lvsl: 6,
    lvsr: 38,
    lvebx: 7,
    lvehx: 39,
    lvewx: 71,
    lvx: 103,
    lvxl: 359,
    stvebx: 135,
    stvehx: 167,
    stvewx: 199,
    stvx: 231,
    stvxl: 487,
  }),
  ...indexed('vsx', 'isa-2.06', {
    lxsdx: 588,
    lxvd2x: 844,
    lxvdsx: 332,
    lxvw4x: 780,
    stxsdx: 716,
    stxvd2x: 972,
    stxvw4x: 908,
  }),
  ...indexed('vsx', 'isa-2.07', { lxsiwax: 76, lxsiwzx: 12, lxsspx: 524, stxsiwx: 140, stxsspx: 652 }),
  ...indexed('vsx', 'isa-3.0', { lxsibzx: 781, lxsihzx: 813, stxsibx: 909, stxsihx: 941 }),
  ...indexed('vsx', 'isa-3.1', {
    lxvrbx: 13,
    lxvrhx: 45,
    lxvrwx: 77,
    lxvrdx: 109,
    stxvrbx: 141,
    stxvrhx: 173,
    stxvrwx: 205,
    stxvrdx: 237,
    lxvpx: 333,
    'xxmfacc, xxmtacc, xxsetaccz': 177,
    stxvpx: 461,
  }),
  ...byTarget('fp', 'isa-2.07', { mfvsrd: 51, mfvsrwz: 115, mtvsrd: 179, mtvsrwa: 211, mtvsrwz: 243 }),
  ...byTarget('vsx', 'isa-3.0', {
    lxvx: 268,
    stxvx: 396,
    lxvl: 269,
    lxvll: 301,
    stxvl: 397,
    stxvll: 429,
    lxvwsx: 364,
    lxvb16x: 876,
    lxvh8x: 812,
    stxvb16x: 1004,
    stxvh8x: 940,
    mfvsrld: 307,
    mtvsrdd: 435,
    mtvsrws: 403,
  }),
];

const load = (name: string, prefix: string, opcode: number, unit: Unit): Row =>
  group(name, unit, `${prefix} ${bin(opcode, 6)} ///// RA d15:0`, 'isa-3.1');

const prefixed: readonly Row[] = [
  load('plfs', MODIFIED_LS, 48, 'fp'),
  load('plfd', MODIFIED_LS, 50, 'fp'),
  load('pstfs', MODIFIED_LS, 52, 'fp'),
  load('pstfd', MODIFIED_LS, 54, 'fp'),
  load('plxsd', EIGHT_LS, 42, 'vector'),
  load('plxssp', EIGHT_LS, 43, 'vector'),
  load('pstxsd', EIGHT_LS, 46, 'vector'),
  load('pstxssp', EIGHT_LS, 47, 'vector'),
  group('plxv, pstxv', 'vsx', `${EIGHT_LS} 110/1 / ///// RA d15:0`, 'isa-3.1'),
  load('plxvp', EIGHT_LS, 58, 'vsx'),
  load('pstxvp', EIGHT_LS, 62, 'vsx'),
  group('vector-scalar (prefixed)', 'vsx', `000001 01 //////////////////////// 1000// ${ANY}`, 'isa-3.1'),
  group('matrix-multiply assist (prefixed)', 'vsx', `000001 11 1001 //////////////////// 111011 ${ANY}`, 'isa-3.1'),
];

export const vector: readonly Row[] = [...plain, ...prefixed];
