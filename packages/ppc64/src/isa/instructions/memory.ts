/**
 * Loads and stores of general registers. Power ISA 3.0B, book I, 3.3.2 to 3.3.7.
 *
 * Invalid forms are illegal here, always: an update with RA 0 or, for a load, RA the target; a load multiple or string whose targets take in an address
 * register; lq with RT odd or RA its target; stq with RS odd. The manual lets a CPU do anything that stays within its bounds (1.9.2).
 *
 * Storage that the manual leaves to the implementation (book III, 6.5.8): unaligned operands are performed, lq's and stq's and lmw's among them; in
 * little-endian mode, multiples and strings raise the alignment interrupt that it demands.
 */
import type { AccessShape, Lifter, Signal, Value } from '@countervisor/contract';
import { address, displaced, gpr, indexed, orZero, plus, setGpr, signed } from '../operands.ts';
import { bin, type CostClass, type Fields, ILLEGAL, type Mode, type Row, row, type Version } from '../row.ts';

export const LOAD: readonly Signal[] = ['load', 'access'];
export const STORE: readonly Signal[] = ['store', 'access'];

/** One access of one register. */
export interface Access {
  readonly bytes: 1 | 2 | 4 | 8;
  readonly store?: true;
  readonly signed?: true;
  /** Bytes in the opposite order of the mode's. */
  readonly reversed?: true;
}

export function shapeOf(mode: Mode, { bytes, signed: algebraic, reversed }: Access): AccessShape {
  const big = mode.big !== (reversed === true);
  return { size: bytes, ...(algebraic && { signed: true }), ...(big && bytes > 1 && { big: true }) };
}

/** Performs it; then, nothing more being able to fault, the base. `target` is RT or RS. */
export function perform(b: Lifter, mode: Mode, access: Access, sum: Value, target: number, base?: number): void {
  const at = address(b, mode, sum);
  const shape = shapeOf(mode, access);
  if (access.store) b.store(at, gpr(b, target), shape);
  else setGpr(b, target, b.load(at, shape));
  if (base !== undefined) setGpr(b, base, sum);
}

interface Kind extends Access {
  readonly name: string;
  /** D-form and its update form, then X-form and its update form; `undefined` where there is none. */
  readonly d?: readonly [plain: number, update?: number];
  /** DS-form: opcode and the two low bits. */
  readonly ds?: readonly [opcode: number, plain: number, update?: number];
  readonly x: readonly [plain: number, update?: number];
  readonly needs?: Version;
}

const KINDS: readonly Kind[] = [
  { name: 'lbz', bytes: 1, d: [34, 35], x: [87, 119] },
  { name: 'lhz', bytes: 2, d: [40, 41], x: [279, 311] },
  { name: 'lha', bytes: 2, signed: true, d: [42, 43], x: [343, 375] },
  { name: 'lwz', bytes: 4, d: [32, 33], x: [23, 55] },
  { name: 'lwa', bytes: 4, signed: true, ds: [58, 2], x: [341, 373] },
  { name: 'ld', bytes: 8, ds: [58, 0, 1], x: [21, 53] },
  { name: 'stb', bytes: 1, store: true, d: [38, 39], x: [215, 247] },
  { name: 'sth', bytes: 2, store: true, d: [44, 45], x: [407, 439] },
  { name: 'stw', bytes: 4, store: true, d: [36, 37], x: [151, 183] },
  { name: 'std', bytes: 8, store: true, ds: [62, 0, 1], x: [149, 181] },
  { name: 'lhbr', bytes: 2, reversed: true, x: [790] },
  { name: 'lwbr', bytes: 4, reversed: true, x: [534] },
  { name: 'ldbr', bytes: 8, reversed: true, x: [532], needs: 'isa-2.06' },
  { name: 'sthbr', bytes: 2, reversed: true, store: true, x: [918] },
  { name: 'stwbr', bytes: 4, reversed: true, store: true, x: [662] },
  { name: 'stdbr', bytes: 8, reversed: true, store: true, x: [660], needs: 'isa-2.06' },
];

/** Never RA 0, and a load never into its own base. */
const updates =
  (store: boolean) =>
  (f: Fields): boolean =>
    f.RA !== 0 && (store || f.RA !== f.RT);

function single(kind: Kind): readonly Row[] {
  const store = kind.store === true;
  const register = store ? 'RS' : 'RT';
  const target = (f: Fields): number => (store ? f.RS : f.RT);
  const cost: CostClass = store ? 'store' : 'load';
  const common = { signals: store ? STORE : LOAD, ...(kind.needs && { needs: kind.needs }) };
  const make = (
    suffix: string,
    pattern: string,
    syntax: string,
    update: boolean,
    sum: (b: Lifter, f: Fields) => Value,
  ): Row =>
    row(
      `${kind.name}${suffix}`,
      cost,
      pattern,
      syntax,
      store ? '3.3.3' : '3.3.2',
      (b, f, mode) => perform(b, mode, kind, sum(b, f), target(f), update ? f.RA : undefined),
      update ? { ...common, allocated: updates(store) } : common,
    );
  const rows: Row[] = [];
  const [d, du] = kind.d ?? [];
  const byD = (b: Lifter, f: Fields): Value => displaced(b, f.RA, signed(f.D, 16));
  if (d !== undefined) rows.push(make('', `${bin(d, 6)} ${register} RA D`, `${register} D(RA)`, false, byD));
  if (du !== undefined) rows.push(make('u', `${bin(du, 6)} ${register} RA D`, `${register} D(RA)`, true, byD));
  const [opcode = 0, ds, dsu] = kind.ds ?? [];
  const byDs = (b: Lifter, f: Fields): Value => displaced(b, f.RA, signed(f.DS, 14) * 4);
  const dsPattern = (low: number): string => `${bin(opcode, 6)} ${register} RA DS ${bin(low, 2)}`;
  if (ds !== undefined) rows.push(make('', dsPattern(ds), `${register} DS(RA)`, false, byDs));
  if (dsu !== undefined) rows.push(make('u', dsPattern(dsu), `${register} DS(RA)`, true, byDs));
  const [x, xu] = kind.x;
  const byX = (b: Lifter, f: Fields): Value => indexed(b, f.RA, f.RB);
  const xPattern = (xo: number): string => `011111 ${register} RA RB ${bin(xo, 10)} /`;
  rows.push(make('x', xPattern(x), `${register} RA RB`, false, byX));
  if (xu !== undefined) rows.push(make('ux', xPattern(xu), `${register} RA RB`, true, byX));
  return rows;
}

/** A move of several registers or bytes that little-endian mode does not have. */
function onlyBig(b: Lifter, mode: Mode, at: Value): boolean {
  if (!mode.big) b.raise('alignment', at);
  return mode.big;
}

const WORD: AccessShape = { size: 4, big: true };

/** Registers of a multiple: from `first` to 31. */
const through31 = (first: number): number[] => Array.from({ length: 32 - first }, (_, i) => first + i);

const multiples: readonly Row[] = [
  row(
    'lmw',
    'load',
    '101110 RT RA D',
    'RT D(RA)',
    '3.3.5',
    (b, f, mode) => {
      const at = address(b, mode, displaced(b, f.RA, signed(f.D, 16)));
      if (!onlyBig(b, mode, at)) return;
      const values = through31(f.RT).map((n, i) => [n, b.load(plus(b, at, 4 * i), WORD)] as const);
      for (const [n, value] of values) setGpr(b, n, value);
    },
    {
      signals: (f) => ['load', ...through31(f.RT).map(() => 'access' as const)],
      // RA among the targets, RA 0 with RT 0 included.
      allocated: (f) => f.RA < f.RT,
    },
  ),
  row(
    'stmw',
    'store',
    '101111 RS RA D',
    'RS D(RA)',
    '3.3.5',
    (b, f, mode) => {
      const at = address(b, mode, displaced(b, f.RA, signed(f.D, 16)));
      if (!onlyBig(b, mode, at)) return;
      b.probe(at, 4 * (32 - f.RS), true);
      through31(f.RS).forEach((n, i) => {
        b.store(plus(b, at, 4 * i), gpr(b, n), WORD);
      });
    },
    { signals: (f) => ['store', ...through31(f.RS).map(() => 'access' as const)] },
  ),
];

/** Bytes that a string of constant length moves. */
const lengthOf = (f: Fields): number => (f.NB === 0 ? 32 : f.NB);

/** Registers that a string fills or empties, around from 31 to 0. */
const around = (first: number, bytes: number): number[] =>
  Array.from({ length: Math.ceil(bytes / 4) }, (_, i) => (first + i) % 32);

/** Bytes of one word of a string into the top of a word, the rest 0. */
function partOfWord(b: Lifter, at: Value, bytes: number): Value {
  if (bytes >= 4) return b.load(at, WORD);
  let word = b.constant(0);
  for (let i = 0; i < bytes; i++) {
    word = b.or(word, b.shl(b.load(plus(b, at, i), { size: 1 }), b.constant(24 - 8 * i)));
  }
  return word;
}

const times = (first: Signal, bytes: number): readonly Signal[] => [
  first,
  ...Array.from({ length: Math.ceil(bytes / 4) }, () => 'access' as const),
];

const strings: readonly Row[] = [
  row(
    'lswi',
    'load',
    `011111 RT RA NB ${bin(597, 10)} /` as string,
    'RT RA NB',
    '3.3.6',
    (b, f, mode) => {
      const at = address(b, mode, orZero(b, f.RA));
      if (!onlyBig(b, mode, at)) return;
      const bytes = lengthOf(f);
      const values = around(f.RT, bytes).map((n, i) => [n, partOfWord(b, plus(b, at, 4 * i), bytes - 4 * i)] as const);
      for (const [n, value] of values) setGpr(b, n, value);
    },
    {
      signals: (f) => times('load', lengthOf(f)),
      allocated: (f) => !around(f.RT, lengthOf(f)).includes(f.RA),
    },
  ),
  row(
    'stswi',
    'store',
    `011111 RS RA NB ${bin(725, 10)} /` as string,
    'RS RA NB',
    '3.3.6',
    (b, f, mode) => {
      const at = address(b, mode, orZero(b, f.RA));
      if (!onlyBig(b, mode, at)) return;
      const bytes = lengthOf(f);
      b.probe(at, bytes, true);
      around(f.RS, bytes).forEach((n, i) => {
        const left = bytes - 4 * i;
        const value = gpr(b, n);
        if (left >= 4) b.store(plus(b, at, 4 * i), value, WORD);
        else
          for (let k = 0; k < left; k++)
            b.store(plus(b, at, 4 * i + k), b.shr(value, b.constant(24 - 8 * k)), { size: 1 });
      });
    },
    { signals: (f) => times('store', lengthOf(f)) },
  ),
];

/** lswx and stswx move as many bytes as XER says: whole words, and a tail that is shorter. */
interface Length {
  readonly bytes: Value;
  readonly words: Value;
  readonly tail: Value;
}

function lengthOfXer(b: Lifter): Length {
  const bytes = b.get('XER_COUNT');
  return { bytes, words: b.shr(bytes, b.constant(2)), tail: b.and(bytes, b.constant(3)) };
}

/** Little-endian mode has them for nothing to move alone. */
function bigUnlessEmpty(b: Lifter, mode: Mode, at: Value, { bytes }: Length): void {
  if (!mode.big) b.when(bytes, () => b.raise('alignment', at));
}

/** Where the tail begins. */
const tailAt = (b: Lifter, at: Value, { words }: Length): Value => b.add(at, b.shl(words, b.constant(2)));

const variable: readonly Row[] = [
  // Nothing to move leaves RT, which is undefined then.
  row(
    'lswx',
    'load',
    `011111 RT RA RB ${bin(533, 10)} /` as string,
    'RT RA RB',
    '3.3.6',
    (b, f, mode) => {
      const at = address(b, mode, indexed(b, f.RA, f.RB));
      const length = lengthOfXer(b);
      bigUnlessEmpty(b, mode, at, length);
      // An address register that would be loaded makes the form invalid, which only the run can know.
      for (const n of new Set([f.RA, f.RB])) {
        const before = b.constant(4 * ((n - f.RT + 32) % 32));
        b.when(b.ltu(before, length.bytes), () => b.raise('program', b.constant(ILLEGAL)));
      }
      const whole = Array.from({ length: 32 }, (_, i) => {
        const value = b.variable(b.constant(0));
        const here = b.ltu(b.constant(i), length.words);
        b.when(here, () => b.assign(value, b.load(plus(b, at, 4 * i), WORD)));
        return { value, here };
      });
      const rest = b.variable(b.constant(0));
      const from = tailAt(b, at, length);
      for (let i = 0; i < 3; i++) {
        b.when(b.ltu(b.constant(i), length.tail), () => {
          const byte = b.load(plus(b, from, i), { size: 1 });
          b.assign(rest, b.or(rest, b.shl(byte, b.constant(24 - 8 * i))));
        });
      }
      whole.forEach(({ value, here }, i) => {
        b.when(here, () => {
          setGpr(b, (f.RT + i) % 32, value);
          b.emit('access');
        });
      });
      b.when(length.tail, () => {
        b.emit('access');
        for (let i = 0; i < 32; i++) {
          b.when(b.eq(length.words, b.constant(i)), () => setGpr(b, (f.RT + i) % 32, rest));
        }
      });
    },
    { signals: ['load'], allocated: (f) => f.RT !== f.RA && f.RT !== f.RB },
  ),
  row(
    'stswx',
    'store',
    `011111 RS RA RB ${bin(661, 10)} /` as string,
    'RS RA RB',
    '3.3.6',
    (b, f, mode) => {
      const at = address(b, mode, indexed(b, f.RA, f.RB));
      const length = lengthOfXer(b);
      bigUnlessEmpty(b, mode, at, length);
      // 127 bytes lie in two pages at most: the first byte of each is tried.
      b.when(length.bytes, () => {
        b.probe(at, 1, true);
        const last = b.add(at, b.sub(length.bytes, b.constant(1)));
        const page = b.and(last, b.constant(~0xfffn));
        b.probe(b.select(b.ltu(at, page), page, at), 1, true);
      });
      for (let i = 0; i < 32; i++) {
        b.when(b.ltu(b.constant(i), length.words), () => b.store(plus(b, at, 4 * i), gpr(b, (f.RS + i) % 32), WORD));
      }
      b.when(length.tail, () => {
        let value = gpr(b, f.RS);
        for (let i = 1; i < 32; i++) {
          value = b.select(b.eq(length.words, b.constant(i)), gpr(b, (f.RS + i) % 32), value);
        }
        const from = tailAt(b, at, length);
        for (let i = 0; i < 3; i++) {
          b.when(b.ltu(b.constant(i), length.tail), () =>
            b.store(plus(b, from, i), b.shr(value, b.constant(24 - 8 * i)), { size: 1 }),
          );
        }
        b.emit('access');
      });
      for (let i = 0; i < 32; i++) b.when(b.ltu(b.constant(i), length.words), () => b.emit('access'));
    },
    { signals: ['store'] },
  ),
];

/** In the even register of a pair stands the half that comes first in big-endian storage. */
const halves = (mode: Mode, first: number): readonly [lowAddress: number, highAddress: number] =>
  mode.big ? [first, first + 1] : [first + 1, first];

export const DOUBLE: Access = { bytes: 8 };

const quads: readonly Row[] = [
  // Before 2.07 they were privileged and big-endian alone (970): absent there.
  row(
    'lq',
    'load',
    '111000 RT RA DQ ////',
    'RT DQ(RA)',
    '3.3.4',
    (b, f, mode) => {
      const at = address(b, mode, displaced(b, f.RA, signed(f.DQ, 12) * 16));
      const shape = shapeOf(mode, DOUBLE);
      const [first, second] = halves(mode, f.RT);
      const low = b.load(at, shape);
      const high = b.load(plus(b, at, 8), shape);
      setGpr(b, first, low);
      setGpr(b, second, high);
    },
    { signals: ['load', 'access', 'access'], needs: 'isa-2.07', allocated: (f) => f.RT % 2 === 0 && f.RA !== f.RT },
  ),
  row(
    'stq',
    'store',
    '111110 RS RA DS 10',
    'RS DS(RA)',
    '3.3.4',
    (b, f, mode) => {
      const at = address(b, mode, displaced(b, f.RA, signed(f.DS, 14) * 4));
      const shape = shapeOf(mode, DOUBLE);
      const [first, second] = halves(mode, f.RS);
      b.probe(at, 16, true);
      b.store(at, gpr(b, first), shape);
      b.store(plus(b, at, 8), gpr(b, second), shape);
    },
    { signals: ['store', 'access', 'access'], needs: 'isa-2.07', allocated: (f) => f.RS % 2 === 0 },
  ),
];

export const memory: readonly Row[] = [...KINDS.flatMap(single), ...multiples, ...strings, ...variable, ...quads];
