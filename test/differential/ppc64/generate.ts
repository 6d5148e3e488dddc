/** Cases for one row of the instruction table: fields at random, operands near their edges, addresses across page ends. */
import { rowOf } from '../../../packages/ppc64/src/isa/decode.ts';
import { encode, rowNamed, widthOf } from '../../../packages/ppc64/src/isa/encode.ts';
import { type FieldName, type Fields, fieldsOf, type Row } from '../../../packages/ppc64/src/isa/row.ts';
import type { Random } from '../random.ts';
import { type Case, CODE, CODE_SIZE, DATA, type Order, READABLE, WINDOW, WRITABLE } from './cases.ts';

const signed = (value: bigint, width: number): bigint => BigInt.asIntN(width, value);
const cut = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Numbers of XER, LR, CTR and TAR. */
const SPRS = [1, 8, 9, 815];
const TAR = 815;

/** What the forms with one bit of FXM set allow. */
const ONE_FIELD = ['mtocrf', 'mfocrf'];

/** Fields of this row, its registers often the same, 0 or 31; and its words. */
export function form(row: Row, random: Random): { readonly f: Fields; readonly words: readonly number[] } {
  for (;;) {
    const f: Partial<Record<FieldName, number>> = {};
    for (const { name } of row.slots) {
      if (f[name] !== undefined) continue;
      const width = widthOf(row, name);
      f[name] = width > 16 ? Number(random.u64() & ((1n << BigInt(width)) - 1n)) : random.below(2 ** width);
      if (/^R[TSABC]$/.test(name) && random.once(4)) f[name] = random.one([0, 0, random.below(3), 31]);
      // Displacements of any size, and small ones.
      if (/^(D|DS|DQ|D34|SI|UI|LI|BD)$/.test(name) && random.once(4)) {
        const near = random.below(32) - 16;
        f[name] = near < 0 ? 2 ** width + near : near;
      }
    }
    // Register 0 as no base, but among the targets: QEMU loads it, the manual calls it an invalid form.
    if (row.name === 'lswx' && f.RA === 0) f.RA = 1;
    if (f.spr !== undefined) f.spr = random.one(SPRS);
    // Of dcbf's L, and of sync's, QEMU 7.2 knows what version 2.07 had, and no SC.
    if (f.L3 !== undefined) f.L3 = random.below(row.name === 'sync' ? 3 : 2);
    if (f.SC !== undefined) f.SC = 0;
    if (ONE_FIELD.includes(row.name)) f.FXM = 1 << random.below(8);
    if (f.R === 1 && f.RA !== undefined) f.RA = 0;
    const fields = f as Fields;
    if (!row.allocated(fields)) continue;
    const words = encode(row.name, fields);
    if (rowOf(words[0] as number, words[1]) === row) return { f: fieldsOf(row, words[0] as number, words[1]), words };
  }
}

/** How a row finds its address. */
interface Reach {
  readonly bytes: number;
  /** The address must be a multiple of this, else a fault that QEMU has as well. */
  readonly align: number;
  /** Address minus base register. `undefined`: the sum of two registers. */
  readonly offset: bigint | undefined;
  /** Misaligned addresses are not tried. */
  readonly aligned?: boolean;
}

const LETTERS: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, d: 8, q: 16 };

/** Which access a row makes, from its mnemonic and operands. */
export function reach(row: Row, f: Fields): Reach | undefined {
  const has = (name: FieldName): boolean => f[name] !== undefined;
  if (row.name === 'dcbz') return { bytes: 128, align: 1, offset: undefined };
  // User-mode QEMU reports the block's address, the manual and the model the address given.
  if (row.name === 'icbi') return { bytes: 1, align: 128, offset: undefined, aligned: true };
  if (/^(dcb|icb)/.test(row.name)) return { bytes: 1, align: 1, offset: undefined };
  if (!['load', 'store', 'atomic'].includes(row.cost) || /cix$/.test(row.name)) return undefined;
  if (/^.?.?mw$/.test(row.name)) {
    const bytes = 4 * (32 - (row.name === 'lmw' ? f.RT : f.RS));
    return { bytes, align: 1, offset: signed(BigInt(f.D), 16) };
  }
  // The length stands in XER: at most this.
  if (/swx$/.test(row.name)) return { bytes: 128, align: 1, offset: undefined };
  if (has('NB')) return { bytes: f.NB === 0 ? 32 : f.NB, align: 1, offset: 0n };
  const bytes = LETTERS[/^p?(?:l|st)(.)/.exec(row.name)?.[1] ?? ''] as number;
  if (has('D')) return { bytes, align: 1, offset: signed(BigInt(f.D), 16) };
  if (has('DS')) return { bytes, align: 1, offset: signed(BigInt(f.DS), 14) * 4n };
  if (has('DQ')) return { bytes, align: 1, offset: signed(BigInt(f.DQ), 12) * 16n };
  if (has('D34')) return { bytes, align: 1, offset: signed(BigInt(f.D34), 34) };
  // User-mode QEMU has no alignment interrupt for them (book III, 6.5.8): that is for the unit tests.
  const atomic = row.cost === 'atomic';
  return { bytes, align: atomic ? bytes : 1, offset: undefined, aligned: atomic };
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
  const low = bytes === 128 ? (at & ~127n) - 32n : (at & ~15n) - 32n;
  const last = DATA + BigInt(WRITABLE - WINDOW);
  if (low < DATA) return DATA;
  return low > last ? last : low;
}

const RESERVING = /^(l|st)([bhwdq])(arx|cx\.)$/;

/** A store-conditional without its load only fails, and a load's reservation shows only in a store: they come together, of one size. */
export function company(row: Row, at: readonly number[], f: Fields, random: Random): number[] {
  if (f.spr === TAR && row.name === 'mfspr') return [...encode('mtspr', { spr: TAR, RS: random.below(32) }), ...at];
  if (row.name.startsWith('bctar')) return [...encode('mtspr', { spr: TAR, RS: 5 }), ...at];
  const found = RESERVING.exec(row.name);
  if (found === null) return [...at];
  const [, kind, size] = found;
  const { RA, RB } = f;
  const [free = 0, other = 0] = [20, 22, 24, 26, 28].filter((n) => ![RA, RB, f.RS, f.RT].includes(n));
  // A target that is an address register leaves no way to store there.
  if (kind === 'l' && (f.RT === RB || (f.RT === RA && RA !== 0))) return [...at];
  // In user mode the stqcx. of QEMU 7.2 never stores (book II, 4.6.2): that it does is for the unit tests.
  if (row.name === 'lqarx') return [...at];
  if (row.name === 'stqcx.') {
    const double = { RA, RB };
    const first = encode('ldarx', { RT: free, ...double, EH: 0 });
    return random.one([[...first, ...at, ...encode('stdcx.', { RS: other, ...double })], [...at]]);
  }
  if (kind === 'l') return [...at, ...encode(`st${size}cx.`, { RS: other, RA, RB })];
  const load = encode(`l${size}arx`, { RT: free, RA, RB, EH: 0 });
  const between = encode('stbx', { RS: other, RA, RB });
  // What was loaded is stored again, so memory stays as it was; a second store must fail all the same.
  const spoils = [RA, RB].includes(f.RS);
  const own = spoils ? load : encode(`l${size}arx`, { RT: f.RS, RA, RB, EH: 1 });
  return random.one([
    [...load, ...at],
    [...load, ...at],
    [...load, ...between, ...at],
    [...own, ...at, ...at],
    [...at],
  ]);
}

/** Mostly within the code, sometimes not aligned, sometimes nowhere. */
function branchTarget(random: Random, pc: bigint): bigint {
  for (;;) {
    const place = random.below(10);
    const inCode = CODE + BigInt(random.below(CODE_SIZE / 4) * 4);
    const to = place < 7 ? inCode : place < 8 ? inCode + BigInt(1 + random.below(3)) : random.u64() >> 9n;
    // Not into the case's own words: that might never end.
    if (to - pc >= 24n || to < pc - 24n) return to;
  }
}

/** Branches to themselves would never end, and a program's other words are no place to go. */
const stays = (f: Fields): boolean => f.LI === 0 || f.BD === 0 || f.LI === 2 ** 24 - 1 || f.BD === 2 ** 14 - 1;

const HIGH = 0xffff_ffff_0000_0000n;
const ALL = -1n;

/** What the manual leaves undefined of a division: 3.3.9. */
export function undefinedPart(row: Row, f: Fields, gpr: readonly bigint[]): Case['open'] {
  const found = /^(div|mod)([wd])(e?)(u?)/.exec(row.name.replace(/^mods/, 'mod').replace(/^(mod)u(.)/, '$1$2u'));
  const rc = row.name.endsWith('.');
  if (found === null) return undefined;
  const [, kind, size, extended, unsigned] = found;
  const width = size === 'w' ? 32 : 64;
  const of = (v: bigint): bigint => (unsigned ? BigInt.asUintN(width, v) : BigInt.asIntN(width, v));
  const [a, b] = [of(gpr[f.RA] as bigint), of(gpr[f.RB] as bigint)];
  const quotient = b === 0n ? undefined : (extended ? a << BigInt(width) : a) / b;
  if (quotient === undefined || of(quotient) !== quotient) return { gpr: f.RT, bits: ALL, cr0: rc };
  return kind === 'div' && width === 32 ? { gpr: f.RT, bits: HIGH, cr0: rc } : undefined;
}

/** A quotient of divde between 2^63 and 2^64, which QEMU 7.2 takes for one that fits. */
export function fitsForQemu(c: {
  readonly row: string;
  readonly words: readonly number[];
  readonly gpr: readonly bigint[];
}): boolean {
  const { RA, RB } = fieldsOf(rowNamed(c.row), c.words[0] as number);
  const [a, b] = [RA, RB].map((n) => BigInt.asIntN(64, c.gpr[n] as bigint)) as [bigint, bigint];
  const quotient = b === 0n ? 0n : (a << 64n) / b;
  return quotient !== BigInt.asIntN(64, quotient) && (quotient < 0n ? -quotient : quotient) < 1n << 64n;
}

/** XER and CR without what an overflow sets: SO, OV, OV32, and CR0's SO. */
export const withoutOverflow = <R extends { readonly xer: bigint; readonly cr: bigint }>(result: R): R => ({
  ...result,
  xer: result.xer & ~0xc008_0000n,
  cr: result.cr & ~0x1000_0000n,
});

/** One case for a row. */
export function generate(row: Row, random: Random, order: Order): Case {
  for (;;) {
    const { f, words } = form(row, random);
    if (stays(f)) continue;
    const gpr = Array.from({ length: 32 }, () => random.edge());
    const page = BigInt(random.below(CODE_SIZE / 4096 - 1) * 4096);
    const pc = CODE + page + BigInt(random.one([0, 4, 0x3c, 0xff0, 0xffc, random.below(1020) * 4]));
    // User-mode QEMU dies of the alignment interrupt of a prefix across a 64-byte boundary: that is for the unit tests.
    if (row.suffix !== undefined && (pc & 63n) === 60n) continue;
    const bytes = Uint8Array.from({ length: WINDOW }, () => random.below(256));
    // Before version 3.0 there were no OV32 and CA32.
    const xerBits = row.needs === 'power-saving' ? 0xe000_007fn : 0xe00c_007fn;
    const flags = { xer: random.u64() & xerBits, cr: random.u64() & 0xffff_ffffn };
    const [ctr, lr] = [random.one([0n, 1n, 2n, random.edge()]), random.edge()];
    const common = { row: row.name, order, words, pc, gpr, ctr, lr, ...flags, window: DATA, bytes };
    if (row.name.startsWith('bclr')) return { ...common, lr: branchTarget(random, pc) };
    if (row.name.startsWith('bcctr')) return { ...common, ctr: branchTarget(random, pc) };
    if (row.name.startsWith('bctar')) gpr[5] = branchTarget(random, pc);
    const access = reach(row, f);
    if (access === undefined) {
      const open = undefinedPart(row, f, gpr);
      return { ...common, words: company(row, words, f, random), ...(open && { open }) };
    }
    let to = target(random, access);
    // User-mode QEMU reports the block's address, the manual and the model the address given.
    if (row.name === 'dcbz' && (to < DATA || to >= DATA + BigInt(WRITABLE))) to &= ~127n;
    if (f.R === 1) {
      const D34 = Number(BigInt.asUintN(34, to - pc));
      return { ...common, words: encode(row.name, { ...f, D34 }), window: windowAt(to, access.bytes) };
    }
    if (access.offset !== undefined) gpr[f.RA] = cut(to - access.offset);
    else if (f.RA === 0) gpr[f.RB] = to;
    // Base and index in one register have a sum of their own.
    else if (f.RA === f.RB) gpr[f.RA] = to >> 1n;
    else gpr[f.RA] = cut(to - (gpr[f.RB] as bigint));
    return { ...common, words: company(row, words, f, random), window: windowAt(to, access.bytes) };
  }
}
