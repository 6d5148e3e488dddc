/** Cases for one row of the instruction table: fields at random, operands near their edges, addresses across page ends. */
import { rowOf } from '../../packages/arm64/src/isa/decode.ts';
import { encode } from '../../packages/arm64/src/isa/encode.ts';
import { type FieldName, fieldsOf, type Row } from '../../packages/arm64/src/isa/row.ts';
import { type Case, CODE, CODE_SIZE, DATA, fill, READABLE, WINDOW, WRITABLE } from './cases.ts';
import type { Random } from './random.ts';

type Fields = Readonly<Record<FieldName, number>>;

const signed = (value: number, width: number): number => (value >= 2 ** (width - 1) ? value - 2 ** width : value);
const cut = (value: bigint): bigint => BigInt.asUintN(64, value);

/** A word of this row, its registers often the same or 31. */
function word(row: Row, random: Random): number {
  for (;;) {
    let all = (random.u32() & ~row.mask) | row.match;
    for (const { name, low, width } of row.slots) {
      if (width !== 5 || !/^R/.test(name) || !random.once(4)) continue;
      const n = random.one([31, 31, random.below(3), 30]);
      all = (all & ~(31 << low)) | (n << low);
    }
    all >>>= 0;
    if (rowOf(all) === row) return all;
  }
}

/** How a row of loads, stores and atomics finds its address. */
interface Reach {
  readonly bytes: number;
  /** The address must be a multiple of this, else a fault that QEMU has as well. */
  readonly align: number;
  /** Address minus base register. */
  readonly offset: bigint;
  readonly literal: boolean;
  /** Misaligned addresses are not tried. */
  readonly aligned?: boolean;
}

/** The value of an extended index register. */
function index(value: bigint, option: number): bigint {
  if (option === 2) return value & 0xffff_ffffn;
  return option === 6 ? BigInt.asIntN(32, value) : value;
}

/** Which access a row makes, from its encoding's own fields, so that no table here repeats the instruction table's. */
function reach(row: Row, at: number, x: readonly bigint[]): Reach | undefined {
  const f: Fields = fieldsOf(row, at);
  const size = at >>> 30;
  const has = (name: FieldName): boolean => f[name] !== undefined;
  const make = (bytes: number, align: number, offset = 0n, literal = false): Reach => ({
    bytes,
    align,
    offset,
    literal,
  });
  if (row.name === 'DC ZVA') return make(64, 1);
  if (row.name.endsWith('(literal)')) return make(size === 1 ? 8 : 4, 1, 0n, true);
  if (!has('Rn') || !['load', 'store', 'atomic'].includes(row.cost))
    return row.name.startsWith('PRFM') ? make(8, 1) : undefined;
  if (has('imm7')) {
    const each = size === 2 ? 8 : 4;
    const moved = BigInt(signed(f.imm7, 7) * each);
    return make(2 * each, 1, row.name.includes('post-index') ? 0n : moved);
  }
  if (has('imm12')) return make(2 ** size, 1, BigInt(f.imm12) << BigInt(size));
  if (has('imm9')) {
    if (row.needs === 'rcpc2') return { ...make(2 ** size, 2 ** size, BigInt(signed(f.imm9, 9))), aligned: true };
    return make(2 ** size, 1, row.name.includes('post-index') ? 0n : BigInt(signed(f.imm9, 9)));
  }
  if (has('option')) {
    const by = f.Rm === 31 ? 0n : index(x[f.Rm] as bigint, f.option);
    return make(2 ** size, 1, by << (f.S === 1 ? BigInt(size) : 0n));
  }
  if (row.name.startsWith('CASP')) {
    const bytes = size === 0 ? 8 : 16;
    return make(bytes, bytes);
  }
  if (/^(LD|ST)L?A?XP/.test(row.name)) {
    const bytes = size === 2 ? 8 : 16;
    return make(bytes, bytes);
  }
  // QEMU 7.2 lets misaligned load-acquires and store-releases pass, where the manual has them fault: those are left to the unit tests.
  return { ...make(2 ** size, 2 ** size), aligned: row.cost !== 'atomic' };
}

/** An address worth trying for an access of so many bytes. */
function target(random: Random, access: Reach): bigint {
  const { bytes, align } = access;
  if (access.aligned) {
    const at = target(random, { ...access, aligned: false });
    return at - (at % BigInt(align));
  }
  const end = BigInt(bytes);
  const place = random.below(100);
  const inside = DATA + BigInt(random.below(WRITABLE - bytes));
  const round = (at: bigint): bigint => at - (at % end);
  if (place < 45) return round(inside);
  if (align > 1 && place < 85) return round(inside);
  // Across one of the four borders, or just before or behind it.
  const borders = [DATA + 0x1000n, DATA + BigInt(WRITABLE), DATA + BigInt(READABLE), DATA];
  const border = random.one(borders);
  if (place < 60) return inside;
  if (place < 90) return border - BigInt(random.below(2 * bytes + 1)) + end / 2n;
  if (place < 95) return DATA + BigInt(WRITABLE + random.below(READABLE - WRITABLE - bytes));
  return round(DATA + 0x40_0000n + BigInt(random.below(0x1000)));
}

/** The window lies around the target where that can be written. */
function windowAt(at: bigint, bytes: number): bigint {
  const low = bytes === 64 ? (at & ~63n) - 16n : (at & ~15n) - 32n;
  const last = DATA + BigInt(WRITABLE - WINDOW);
  if (low < DATA) return DATA;
  return low > last ? last : low;
}

const EXCLUSIVE_LOAD: Readonly<Record<string, string>> = {
  STXR: 'LDXR',
  STLXR: 'LDAXR',
  STXP: 'LDXP',
  STLXP: 'LDAXP',
};

/**
 * A store-exclusive without its load only fails, and a load's mark shows only in a store: they come together. Sizes always match: what a
 * pair of different sizes does is CONSTRAINED UNPREDICTABLE, and QEMU and this project choose differently.
 */
function company(row: Row, at: number, random: Random): number[] {
  const f: Fields = fieldsOf(row, at);
  const found = /^(LD|ST)(A|L)?X(R|P)(.*)$/.exec(row.name);
  if (row.name === 'CLREX') {
    const Rn = 1;
    return [encode('LDXR X', { Rn, Rt: 2 }), at, encode('STXR X', { Rs: 3, Rn, Rt: 4 })];
  }
  if (found === null) return [at];
  const [, kind, , form, tail] = found;
  const pair = form === 'P';
  const scratch = [24, 25, 26, 27, 28, 29].filter((n) => ![f.Rn, f.Rt, f.Rt2, f.Rs].includes(n)) as [number, number];
  const [free, other] = scratch;
  if (kind === 'LD') {
    const store = { Rs: free, Rn: f.Rn, Rt: other, ...(pair && { Rt2: other }) };
    return [at, encode(`STX${form}${tail}`, store)];
  }
  const name = `${EXCLUSIVE_LOAD[row.name.slice(0, row.name.length - (tail as string).length)]}${tail}`;
  const load = encode(name, { Rn: f.Rn, Rt: free, ...(pair && { Rt2: other }) });
  const between = encode('STRB (unsigned offset)', { imm12: 0, Rn: f.Rn, Rt: other });
  const clear = encode('CLREX', {});
  // What was loaded is stored again, so memory stays as it was; a second store must fail all the same.
  const own = encode(name, { Rn: f.Rn, Rt: f.Rt, ...(pair && { Rt2: f.Rt2 }) });
  const again = encode(row.name, { Rs: free, Rn: f.Rn, Rt: f.Rt, ...(pair && { Rt2: f.Rt2 }) });
  return random.one([
    [load, at],
    [load, at],
    [load, between, at],
    [load, clear, at],
    [own, at, again],
    [own, at, again],
    [at],
  ]);
}

/** The bytes that a case's memory holds at an address, zero-extended. */
function valueAt(c: { window: bigint; bytes: Uint8Array }, at: bigint, bytes: number): bigint {
  let value = 0n;
  for (let i = 0; i < bytes; i++) {
    const address = at + BigInt(i);
    const inside = address - c.window;
    const byte = inside >= 0n && inside < BigInt(WINDOW) ? (c.bytes[Number(inside)] as number) : fill(address);
    value |= BigInt(byte) << BigInt(8 * i);
  }
  return value;
}

/** Branches to themselves would never end, and a program's other words are no place to go. */
const stays = (row: Row, f: Fields): boolean =>
  row.cost === 'branch' && (f.imm26 === 0 || f.imm19 === 0 || f.imm14 === 0);

function branchTarget(random: Random, pc: bigint): bigint {
  for (;;) {
    const place = random.below(10);
    const inCode = CODE + BigInt(random.below(CODE_SIZE / 4) * 4);
    // The top byte is left 0: Linux has user addresses' tags ignored, this model's EL0 has what TCR_EL1 says.
    const to = place < 7 ? inCode : place < 8 ? inCode + BigInt(1 + random.below(3)) : random.u64() >> 9n;
    if (to - pc >= 4n || to < pc) return to;
  }
}

/** One case for a row. */
export function generate(row: Row, random: Random): Case {
  for (;;) {
    const at = word(row, random);
    const f: Fields = fieldsOf(row, at);
    if (stays(row, f)) continue;
    const x = Array.from({ length: 31 }, () => random.edge());
    let sp = random.edge() & ~15n;
    const page = BigInt(random.below(CODE_SIZE / 4096) * 4096);
    const pc = CODE + page + BigInt(random.one([0, 4, 0xff0, random.below(1020) * 4]));
    const bytes = Uint8Array.from({ length: WINDOW }, () => random.below(256));
    const nzcv = random.below(16);
    const setBase = (n: number, value: bigint): void => {
      if (n === 31) sp = value;
      else x[n] = value;
    };
    if (['BR', 'BLR', 'RET'].includes(row.name)) {
      if (f.Rn < 31) x[f.Rn] = branchTarget(random, pc);
      return { row: row.name, words: [at], pc, x, sp, nzcv, window: DATA, bytes };
    }
    if (row.name === 'CLREX') {
      x[1] = DATA + 64n;
      return { row: row.name, words: company(row, at, random), pc, x, sp, nzcv, window: DATA, bytes };
    }
    const access = reach(row, at, x);
    if (access === undefined) return { row: row.name, words: [at], pc, x, sp, nzcv, window: DATA, bytes };
    let to = target(random, access);
    if (access.literal) {
      to &= ~3n;
      const imm19 = Number((to - pc) / 4n) & 0x7ffff;
      const there = ((at & ~(0x7ffff << 5)) | (imm19 << 5)) >>> 0;
      return { row: row.name, words: [there], pc, x, sp, nzcv, window: windowAt(to, access.bytes), bytes };
    }
    // User-mode QEMU reports the block's address, the manual and the model the address given.
    if (row.name === 'DC ZVA') {
      if (to < DATA || to >= DATA + BigInt(WRITABLE)) to &= ~63n;
      if (f.Rt < 31) x[f.Rt] = to;
      return { row: row.name, words: [at], pc, x, sp, nzcv, window: windowAt(to, 64), bytes };
    }
    // Base and index in one register have a sum of their own: nowhere mapped, and no tag.
    const own = f.option !== undefined && f.Rm === f.Rn;
    setBase(f.Rn, own ? to >> 1n : cut(to - access.offset));
    const window = windowAt(to, access.bytes);
    // A compare succeeds about every other time.
    if (row.name.startsWith('CAS') && random.once(2)) {
      const each = row.name.startsWith('CASP') ? access.bytes / 2 : access.bytes;
      const high = BigInt(row.name.startsWith('CASP') ? each : 0);
      if (f.Rs !== f.Rn && f.Rs < 31) x[f.Rs] = valueAt({ window, bytes }, to, each);
      if (high > 0n && f.Rs + 1 !== f.Rn && f.Rs < 30) x[f.Rs + 1] = valueAt({ window, bytes }, to + high, each);
    }
    return { row: row.name, words: company(row, at, random), pc, x, sp, nzcv, window, bytes };
  }
}
