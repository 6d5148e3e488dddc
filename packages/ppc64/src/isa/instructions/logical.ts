/** Logical instructions, rotates and shifts. Power ISA 3.0B, book I, 3.3.13 and 3.3.14; 3.1 for those that came with it. */
import type { Lifter, Value } from '@countervisor/contract';
import { crBit, finish, gpr, maskOf, orZero, rotl, rotl32, setGpr } from '../operands.ts';
import { bin, type Fields, type Mode, type Row, row, type Version } from '../row.ts';
import { dForm, xForm, xForms } from './forms.ts';

const LOGIC = '3.3.13';
const ROTATE = '3.3.14';

const BINARY: readonly (readonly [name: string, xo: number, of: (b: Lifter, s: Value, r: Value) => Value])[] = [
  ['and', 28, (b, s, r) => b.and(s, r)],
  ['andc', 60, (b, s, r) => b.and(s, b.not(r))],
  ['or', 444, (b, s, r) => b.or(s, r)],
  ['orc', 412, (b, s, r) => b.or(s, b.not(r))],
  ['xor', 316, (b, s, r) => b.xor(s, r)],
  ['nand', 476, (b, s, r) => b.not(b.and(s, r))],
  ['nor', 124, (b, s, r) => b.not(b.or(s, r))],
  ['eqv', 284, (b, s, r) => b.not(b.xor(s, r))],
];

const binary: readonly Row[] = BINARY.flatMap(([name, xo, of]) =>
  xForms({ name, xo, source: LOGIC }, 'RS RA RB', 'RA RS RB', (b, f, mode, rc) => {
    // mr is or with one register twice.
    const same = f.RS === f.RB && name === 'or';
    const result = same ? gpr(b, f.RS) : of(b, gpr(b, f.RS), gpr(b, f.RB));
    finish(b, mode, f.RA, result, {}, rc);
  }),
);

const withImmediate = (name: string, opcode: number, how: 'and' | 'or' | 'xor', high: boolean, rc = false): Row =>
  dForm(name, opcode, 'RS RA UI', 'RA RS UI', LOGIC, (b, f, mode) => {
    const by = BigInt(f.UI) << (high ? 16n : 0n);
    // ori 0,0,0 is the manual's nop, and ori of any register to itself with 0 one as well.
    if (how !== 'and' && by === 0n && f.RS === f.RA) return;
    const result = how !== 'and' && by === 0n ? gpr(b, f.RS) : b[how](gpr(b, f.RS), b.constant(by));
    finish(b, mode, f.RA, result, {}, rc);
  });

const immediates: readonly Row[] = [
  withImmediate('andi.', 28, 'and', false, true),
  withImmediate('andis.', 29, 'and', true, true),
  withImmediate('ori', 24, 'or', false),
  withImmediate('oris', 25, 'or', true),
  withImmediate('xori', 26, 'xor', false),
  withImmediate('xoris', 27, 'xor', true),
];

/** Sum of neighbours, so that each byte, halfword or word ends with its own count: Hacker's Delight, 5-1, to bytes. */
function byteCounts(b: Lifter, value: Value): Value {
  const half = (v: Value, mask: bigint, by: number): Value =>
    b.add(b.and(v, b.constant(mask)), b.and(b.shr(v, b.constant(by)), b.constant(mask)));
  const twos = half(value, 0x5555_5555_5555_5555n, 1);
  const fours = half(twos, 0x3333_3333_3333_3333n, 2);
  return half(fours, 0x0f0f_0f0f_0f0f_0f0fn, 4);
}

const highWord = (b: Lifter, value: Value): Value => b.shr(value, b.constant(32));
const joined = (b: Lifter, high: Value, low: Value): Value => b.or(b.shl(high, b.constant(32)), low);

/** Parity of the least significant bits of the bytes: they are moved together by a product. */
const LAST_BITS = 0x0101_0101_0101_0101n;

interface Unary {
  readonly name: string;
  readonly xo: number;
  readonly needs?: Version;
  readonly rc?: false;
  readonly of: (b: Lifter, s: Value) => Value;
}

const UNARY: readonly Unary[] = [
  { name: 'extsb', xo: 954, of: (b, s) => b.sext8(s) },
  { name: 'extsh', xo: 922, of: (b, s) => b.sext16(s) },
  { name: 'extsw', xo: 986, of: (b, s) => b.sext32(s) },
  { name: 'cntlzw', xo: 26, of: (b, s) => b.clz(s, 32) },
  { name: 'cntlzd', xo: 58, of: (b, s) => b.clz(s) },
  { name: 'cnttzw', xo: 538, needs: 'isa-3.0', of: (b, s) => b.ctz(s, 32) },
  { name: 'cnttzd', xo: 570, needs: 'isa-3.0', of: (b, s) => b.ctz(s) },
  { name: 'popcntb', xo: 122, needs: 'isa-2.02', rc: false, of: byteCounts },
  {
    name: 'popcntw',
    xo: 378,
    needs: 'isa-2.06',
    rc: false,
    of: (b, s) => joined(b, b.popcnt(highWord(b, s)), b.popcnt(s, 32)),
  },
  { name: 'popcntd', xo: 506, needs: 'isa-2.06', rc: false, of: (b, s) => b.popcnt(s) },
  {
    name: 'prtyw',
    xo: 154,
    needs: 'isa-2.05',
    rc: false,
    of: (b, s) => {
      const last = b.and(s, b.constant(LAST_BITS));
      const one = b.constant(1);
      return joined(b, b.and(b.popcnt(highWord(b, last)), one), b.and(b.popcnt(last, 32), one));
    },
  },
  {
    name: 'prtyd',
    xo: 186,
    needs: 'isa-2.05',
    rc: false,
    of: (b, s) => b.and(b.popcnt(b.and(s, b.constant(LAST_BITS))), b.constant(1)),
  },
  {
    name: 'brh',
    xo: 219,
    needs: 'isa-3.1',
    rc: false,
    of: (b, s) => {
      const mask = b.constant(0x00ff_00ff_00ff_00ffn);
      const eight = b.constant(8);
      return b.or(b.and(b.shr(s, eight), mask), b.shl(b.and(s, mask), eight));
    },
  },
  { name: 'brw', xo: 155, needs: 'isa-3.1', rc: false, of: (b, s) => b.rotr(b.bswap(s), b.constant(32)) },
  { name: 'brd', xo: 187, needs: 'isa-3.1', rc: false, of: (b, s) => b.bswap(s) },
];

const unary: readonly Row[] = UNARY.flatMap(({ name, xo, needs, rc, of }) =>
  xForms(
    { name, xo, source: LOGIC, ...(needs && { needs }), ...(rc === false && { rc }) },
    'RS RA /////',
    'RA RS',
    (b, f, mode, records) => finish(b, mode, f.RA, of(b, gpr(b, f.RS)), {}, records),
  ),
);

const helped = (name: string, xo: number, needs: Version): Row =>
  xForm({ name, xo, source: LOGIC, needs }, 'RS RA RB', 'RA RS RB', (b, f) =>
    setGpr(b, f.RA, b.call(name, gpr(b, f.RS), gpr(b, f.RB))),
  );

/** 1 in the low bit of each byte that is 0: no borrow crosses bytes. */
function zeroBytes(b: Lifter, value: Value): Value {
  const low = b.constant(0x7f7f_7f7f_7f7f_7f7fn);
  // The high bit of each byte: set unless all eight bits are 0.
  const some = b.or(b.or(b.add(b.and(value, low), low), value), low);
  return b.shr(b.not(some), b.constant(7));
}

const others: readonly Row[] = [
  xForm({ name: 'cmpb', xo: 508, source: LOGIC, needs: 'isa-2.05' }, 'RS RA RB', 'RA RS RB', (b, f) =>
    setGpr(b, f.RA, b.mul(zeroBytes(b, b.xor(gpr(b, f.RS), gpr(b, f.RB))), b.constant(255))),
  ),
  helped('bpermd', 252, 'isa-2.06'),
  helped('cfuged', 220, 'isa-3.1'),
  helped('pdepd', 156, 'isa-3.1'),
  helped('pextd', 188, 'isa-3.1'),
  helped('cntlzdm', 59, 'isa-3.1'),
  helped('cnttzdm', 571, 'isa-3.1'),
  row(
    'isel',
    'alu',
    '011111 RT RA RB BC 01111 /',
    'RT RA RB BC',
    '3.3.12',
    (b, f) => setGpr(b, f.RT, b.select(crBit(b, f.BC), orZero(b, f.RA), gpr(b, f.RB))),
    { needs: 'isa-2.03' },
  ),
  ...(
    [
      ['setbc', 384, 0, 1],
      ['setbcr', 416, 1, 0],
      ['setnbc', 448, 0, -1],
      ['setnbcr', 480, -1, 0],
    ] as const
  ).map(([name, xo, clear, set]) =>
    xForm({ name, xo, source: '3.1, 3.3.12', needs: 'isa-3.1' }, 'RT BI /////', 'RT BI', (b, f) => {
      const bit = crBit(b, f.BI);
      setGpr(b, f.RT, b.select(bit, b.constant(set), b.constant(clear)));
    }),
  ),
];

/** Both forms of a rotate with Rc as its last bit. */
function rotates(
  name: string,
  pattern: string,
  syntax: string,
  lift: (b: Lifter, f: Fields) => Value,
  needs?: Version,
): Row[] {
  return [false, true].map((rc) =>
    row(
      `${name}${rc ? '.' : ''}`,
      'alu',
      `${pattern} ${rc ? '1' : '0'}` as string,
      syntax,
      ROTATE,
      (b, f, mode) => finish(b, mode, f.RA, lift(b, f), {}, rc),
      needs === undefined ? {} : { needs },
    ),
  );
}

const masked = (b: Lifter, value: Value, mask: bigint): Value =>
  mask === (1n << 64n) - 1n ? value : b.and(value, b.constant(mask));

/** MASK(MB+32, ME+32); it has ones in the high word when it goes around the end. */
const wordMask = (f: Fields): bigint => maskOf(f.MB + 32, f.ME + 32);
const wraps = (f: Fields): boolean => f.MB > f.ME;

function inserted(b: Lifter, rotated: Value, into: Value, mask: bigint): Value {
  return b.or(b.and(rotated, b.constant(mask)), b.and(into, b.constant(~mask)));
}

const rotations: readonly Row[] = [
  ...rotates('rlwinm', '010101 RS RA SH MB ME', 'RA RS SH MB ME', (b, f) => {
    const value = gpr(b, f.RS);
    const mask = wordMask(f);
    // Shifts by constants and masks are the same for less: srwi, slwi, clrlwi.
    if (!wraps(f)) {
      if (f.SH === 0) return b.and(value, b.constant(mask));
      if (f.ME <= 31 - f.SH) return b.and(b.shl(value, b.constant(f.SH)), b.constant(mask));
      if (f.ME === 31 && f.MB >= 32 - f.SH) return b.and(b.shr(value, b.constant(32 - f.SH)), b.constant(mask));
    }
    return b.and(rotl32(b, value, b.constant(f.SH), wraps(f)), b.constant(mask));
  }),
  ...rotates('rlwnm', '010111 RS RA RB MB ME', 'RA RS RB MB ME', (b, f) =>
    b.and(rotl32(b, gpr(b, f.RS), gpr(b, f.RB), wraps(f)), b.constant(wordMask(f))),
  ),
  ...rotates('rlwimi', '010100 RS RA SH MB ME', 'RA RS SH MB ME', (b, f) =>
    inserted(b, rotl32(b, gpr(b, f.RS), b.constant(f.SH), wraps(f)), gpr(b, f.RA), wordMask(f)),
  ),
  ...rotates('rldicl', '011110 RS RA sh4:0 mb4:0 mb5 000 sh5', 'RA RS sh mb', (b, f) => {
    const value = gpr(b, f.RS);
    // srdi.
    if (f.sh > 0 && f.mb === 64 - f.sh) return b.shr(value, b.constant(f.mb));
    return masked(b, rotl(b, value, f.sh), maskOf(f.mb, 63));
  }),
  // The field that the format calls mb is me here.
  ...rotates('rldicr', '011110 RS RA sh4:0 mb4:0 mb5 001 sh5', 'RA RS sh mb', (b, f) => {
    const value = gpr(b, f.RS);
    // sldi.
    if (f.sh > 0 && f.mb === 63 - f.sh) return b.shl(value, b.constant(f.sh));
    return masked(b, rotl(b, value, f.sh), maskOf(0, f.mb));
  }),
  ...rotates('rldic', '011110 RS RA sh4:0 mb4:0 mb5 010 sh5', 'RA RS sh mb', (b, f) =>
    masked(b, rotl(b, gpr(b, f.RS), f.sh), maskOf(f.mb, 63 - f.sh)),
  ),
  ...rotates('rldimi', '011110 RS RA sh4:0 mb4:0 mb5 011 sh5', 'RA RS sh mb', (b, f) =>
    inserted(b, rotl(b, gpr(b, f.RS), f.sh), gpr(b, f.RA), maskOf(f.mb, 63 - f.sh)),
  ),
  ...rotates('rldcl', '011110 RS RA RB mb4:0 mb5 1000', 'RA RS RB mb', (b, f) =>
    masked(b, b.rotr(gpr(b, f.RS), b.sub(b.constant(64), gpr(b, f.RB))), maskOf(f.mb, 63)),
  ),
  ...rotates('rldcr', '011110 RS RA RB mb4:0 mb5 1001', 'RA RS RB mb', (b, f) =>
    masked(b, b.rotr(gpr(b, f.RS), b.sub(b.constant(64), gpr(b, f.RB))), maskOf(0, f.mb)),
  ),
];

/** An arithmetic shift right: CA when a negative number lost a one. `value` is signed already, `by` 0 to 63. */
function shiftRight(b: Lifter, f: Fields, mode: Mode, value: Value, by: Value, rc: boolean): void {
  const result = b.sar(value, by);
  const lost = b.ne(b.shl(result, by), value);
  const ca = b.and(b.shr(value, b.constant(63)), lost);
  finish(b, mode, f.RA, result, { ca, ca32: ca }, rc);
}

const shifts: readonly Row[] = [
  // 6 bits of RB count, 7 for doublewords: as much as the operand is wide, and more, leaves nothing.
  ...xForms({ name: 'slw', xo: 24, source: ROTATE }, 'RS RA RB', 'RA RS RB', (b, f, mode, rc) =>
    finish(b, mode, f.RA, b.zext32(b.shl(gpr(b, f.RS), gpr(b, f.RB))), {}, rc),
  ),
  ...xForms({ name: 'srw', xo: 536, source: ROTATE }, 'RS RA RB', 'RA RS RB', (b, f, mode, rc) =>
    finish(b, mode, f.RA, b.shr(b.zext32(gpr(b, f.RS)), gpr(b, f.RB)), {}, rc),
  ),
  ...(['sld', 'srd'] as const).flatMap((name) =>
    xForms({ name, xo: name === 'sld' ? 27 : 539, source: ROTATE }, 'RS RA RB', 'RA RS RB', (b, f, mode, rc) => {
      const [value, by] = [gpr(b, f.RS), gpr(b, f.RB)];
      const moved = name === 'sld' ? b.shl(value, by) : b.shr(value, by);
      finish(b, mode, f.RA, b.select(b.and(by, b.constant(64)), b.constant(0), moved), {}, rc);
    }),
  ),
  ...xForms({ name: 'sraw', xo: 792, source: ROTATE }, 'RS RA RB', 'RA RS RB', (b, f, mode, rc) =>
    shiftRight(b, f, mode, b.sext32(gpr(b, f.RS)), gpr(b, f.RB), rc),
  ),
  ...xForms({ name: 'srawi', xo: 824, source: ROTATE }, 'RS RA SH', 'RA RS SH', (b, f, mode, rc) =>
    shiftRight(b, f, mode, b.sext32(gpr(b, f.RS)), b.constant(f.SH), rc),
  ),
  ...xForms({ name: 'srad', xo: 794, source: ROTATE }, 'RS RA RB', 'RA RS RB', (b, f, mode, rc) => {
    const [value, by] = [gpr(b, f.RS), gpr(b, f.RB)];
    const far = b.and(by, b.constant(64));
    const result = b.sar(value, b.select(far, b.constant(63), by));
    // Shifted by 64 or more, any negative number has lost a one.
    const lost = b.select(far, b.constant(1), b.ne(b.shl(result, by), value));
    const ca = b.and(b.shr(value, b.constant(63)), lost);
    finish(b, mode, f.RA, result, { ca, ca32: ca }, rc);
  }),
  ...[false, true].map((rc) =>
    row(
      `sradi${rc ? '.' : ''}`,
      'alu',
      `011111 RS RA sh4:0 ${bin(413, 9)} sh5 ${rc ? '1' : '0'}` as string,
      'RA RS sh',
      ROTATE,
      (b, f, mode) => shiftRight(b, f, mode, gpr(b, f.RS), b.constant(f.sh), rc),
    ),
  ),
  ...[false, true].map((rc) =>
    row(
      `extswsli${rc ? '.' : ''}`,
      'alu',
      `011111 RS RA sh4:0 ${bin(445, 9)} sh5 ${rc ? '1' : '0'}` as string,
      'RA RS sh',
      ROTATE,
      (b, f, mode) => finish(b, mode, f.RA, b.shl(b.sext32(gpr(b, f.RS)), b.constant(f.sh)), {}, rc),
      { needs: 'isa-3.0' },
    ),
  ),
];

export const logical: readonly Row[] = [...binary, ...immediates, ...unary, ...others, ...rotations, ...shifts];
