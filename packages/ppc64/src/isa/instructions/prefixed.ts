/**
 * Prefixed instructions. Power ISA 3.1B, book I, 1.6.3 and 3.3. With R set the displacement counts from the prefix's address and RA is 0, else the form
 * is invalid. A prefixed instruction does not cross a 64-byte boundary (isa/decode.ts).
 */
import type { Lifter, Value } from '@countervisor/contract';
import { address, displaced, gpr, plus, setGpr } from '../operands.ts';
import { bin, type Fields, type Row, row } from '../row.ts';
import { type Access, DOUBLE, LOAD, perform, STORE, shapeOf } from './memory.ts';

/** Prefixes: eight-byte loads and stores, and modified loads and stores, with D-form suffixes. */
export const EIGHT_LS = '000001 00 0 // R // d33:16';
export const MODIFIED_LS = '000001 10 0 // R // d33:16';

/** 34 bits, signed. */
const displacement = (f: Fields): bigint => BigInt.asIntN(34, BigInt(f.D34));

/** The sum, all 64 bits of it. */
const sumOf = (b: Lifter, f: Fields): Value =>
  f.R === 1 ? b.constant(b.pc + displacement(f)) : displaced(b, f.RA, displacement(f));

export const valid = (f: Fields): boolean => f.R === 0 || f.RA === 0;

interface Kind extends Access {
  readonly name: string;
  readonly prefix: string;
  readonly opcode: number;
}

const KINDS: readonly Kind[] = [
  { name: 'plbz', prefix: MODIFIED_LS, opcode: 34, bytes: 1 },
  { name: 'plhz', prefix: MODIFIED_LS, opcode: 40, bytes: 2 },
  { name: 'plha', prefix: MODIFIED_LS, opcode: 42, bytes: 2, signed: true },
  { name: 'plwz', prefix: MODIFIED_LS, opcode: 32, bytes: 4 },
  { name: 'plwa', prefix: EIGHT_LS, opcode: 41, bytes: 4, signed: true },
  { name: 'pld', prefix: EIGHT_LS, opcode: 57, bytes: 8 },
  { name: 'pstb', prefix: MODIFIED_LS, opcode: 38, bytes: 1, store: true },
  { name: 'psth', prefix: MODIFIED_LS, opcode: 44, bytes: 2, store: true },
  { name: 'pstw', prefix: MODIFIED_LS, opcode: 36, bytes: 4, store: true },
  { name: 'pstd', prefix: EIGHT_LS, opcode: 61, bytes: 8, store: true },
];

const NEEDS = 'isa-3.1';

const singles: readonly Row[] = KINDS.map((kind) => {
  const register = kind.store ? 'RS' : 'RT';
  return row(
    kind.name,
    kind.store ? 'store' : 'load',
    `${kind.prefix} ${bin(kind.opcode, 6)} ${register} RA d15:0` as string,
    `${register} D34(RA) R`,
    kind.store ? '3.1, 3.3.3' : '3.1, 3.3.2',
    (b, f, mode) => perform(b, mode, kind, sumOf(b, f), kind.store ? f.RS : f.RT),
    { signals: kind.store ? STORE : LOAD, needs: NEEDS, allocated: valid },
  );
});

/** Unlike with lq and stq, the even register's doubleword has the lower address in either byte order. */
const quads: readonly Row[] = [
  row(
    'plq',
    'load',
    `${EIGHT_LS} 111000 RT RA d15:0` as string,
    'RT D34(RA) R',
    '3.1, 3.3.4',
    (b, f, mode) => {
      const at = address(b, mode, sumOf(b, f));
      const low = b.load(at, shapeOf(mode, DOUBLE));
      const high = b.load(plus(b, at, 8), shapeOf(mode, DOUBLE));
      setGpr(b, f.RT, low);
      setGpr(b, f.RT + 1, high);
    },
    {
      signals: ['load', 'access', 'access'],
      needs: NEEDS,
      allocated: (f) => valid(f) && f.RT % 2 === 0 && f.RA !== f.RT,
    },
  ),
  row(
    'pstq',
    'store',
    `${EIGHT_LS} 111100 RS RA d15:0` as string,
    'RS D34(RA) R',
    '3.1, 3.3.4',
    (b, f, mode) => {
      const at = address(b, mode, sumOf(b, f));
      b.probe(at, 16, true);
      b.store(at, gpr(b, f.RS), shapeOf(mode, DOUBLE));
      b.store(plus(b, at, 8), gpr(b, f.RS + 1), shapeOf(mode, DOUBLE));
    },
    { signals: ['store', 'access', 'access'], needs: NEEDS, allocated: (f) => valid(f) && f.RS % 2 === 0 },
  ),
];

export const prefixed: readonly Row[] = [
  row(
    'paddi',
    'alu',
    `${MODIFIED_LS} 001110 RT RA d15:0` as string,
    'RT RA D34 R',
    '3.1, 3.3.9',
    (b, f) => setGpr(b, f.RT, sumOf(b, f)),
    { needs: NEEDS, allocated: valid },
  ),
  ...singles,
  ...quads,
  // Its suffix may be anything but a branch, rfebb, a context-synchronizing instruction or a trap for service: anything here.
  row(
    'pnop',
    'nop',
    '000001 11 0000 000000000000000000// ////////////////////////////////',
    '',
    '3.1, 3.3.18',
    () => {},
    {
      needs: NEEDS,
    },
  ),
];
