/**
 * The stepper's pure ops: each has a kind of `perform`, or a function here. Over pairs of 32-bit words, without BigInt, so that nothing is allocated
 * (engine constraint 8). All inputs are read before the output is written: they may be the same word.
 */
import type { PureOpName, Width } from '@countervisor/contract';
import { KINDS } from './perform.ts';
import { makeStep, type Step, wordOf } from './step.ts';
import { divide, high, multiply, multiplyHigh } from './wide.ts';

/** Words of the output and of up to three inputs. */
type Perform = (m: Int32Array, d: number, a: number, b: number, c: number) => void;

const countTrailing = (v: number): number => (v === 0 ? 32 : 31 - Math.clz32(v & -v));

function countOnes(v: number): number {
  const pairs = v - ((v >>> 1) & 0x5555_5555);
  const nibbles = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

const reverseBytes = (v: number): number => (v << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24);

function reverseBits(v: number): number {
  const pairs = ((v >>> 1) & 0x5555_5555) | ((v & 0x5555_5555) << 1);
  const nibbles = ((pairs >>> 2) & 0x3333_3333) | ((pairs & 0x3333_3333) << 2);
  return reverseBytes(((nibbles >>> 4) & 0x0f0f_0f0f) | ((nibbles & 0x0f0f_0f0f) << 4));
}

const divided =
  (op: 'divu' | 'divs' | 'remu' | 'rems'): Perform =>
  (m, d, a, b) => {
    m[d] = divide(op, m[a] as number, m[a + 1] as number, m[b] as number, m[b + 1] as number);
    m[d + 1] = high();
  };

/** A 32-bit result of 32-bit inputs: the upper half is 0. */
const narrow =
  (f: (a: number, b: number) => number): Perform =>
  (m, d, a, b) => {
    m[d] = f(m[a] as number, m[b] as number);
    m[d + 1] = 0;
  };

const REST: Readonly<Record<string, Perform>> = {
  not64: (m, d, a) => {
    const lo = ~(m[a] as number);
    m[d + 1] = ~(m[a + 1] as number);
    m[d] = lo;
  },
  not32: narrow((a) => ~a),
  les64: (m, d, a, b) => {
    const al = m[a] as number;
    const ah = m[a + 1] as number;
    const bl = m[b] as number;
    const bh = m[b + 1] as number;
    m[d] = (ah === bh ? al >>> 0 <= bl >>> 0 : ah < bh) ? 1 : 0;
    m[d + 1] = 0;
  },
  les32: narrow((a, b) => (a <= b ? 1 : 0)),
  carry64: (m, d, a, b, c) => {
    const lo = ((m[a] as number) >>> 0) + ((m[b] as number) >>> 0) + ((m[c] as number) & 1);
    const hi = ((m[a + 1] as number) >>> 0) + ((m[b + 1] as number) >>> 0) + (lo > 0xffff_ffff ? 1 : 0);
    m[d] = hi > 0xffff_ffff ? 1 : 0;
    m[d + 1] = 0;
  },
  carry32: (m, d, a, b, c) => {
    m[d] = ((m[a] as number) >>> 0) + ((m[b] as number) >>> 0) + ((m[c] as number) & 1) > 0xffff_ffff ? 1 : 0;
    m[d + 1] = 0;
  },
  overflow64: (m, d, a, b, c) => {
    const ah = m[a + 1] as number;
    const bh = m[b + 1] as number;
    const lo = ((m[a] as number) >>> 0) + ((m[b] as number) >>> 0) + ((m[c] as number) & 1);
    const hi = (ah + bh + (lo > 0xffff_ffff ? 1 : 0)) | 0;
    m[d] = ((ah ^ hi) & (bh ^ hi)) >>> 31;
    m[d + 1] = 0;
  },
  overflow32: (m, d, a, b, c) => {
    const al = m[a] as number;
    const bl = m[b] as number;
    const lo = (al + bl + ((m[c] as number) & 1)) | 0;
    m[d] = ((al ^ lo) & (bl ^ lo)) >>> 31;
    m[d + 1] = 0;
  },
  sext864: (m, d, a) => {
    const v = ((m[a] as number) << 24) >> 24;
    m[d] = v;
    m[d + 1] = v >> 31;
  },
  sext832: narrow((a) => (a << 24) >> 24),
  sext1664: (m, d, a) => {
    const v = ((m[a] as number) << 16) >> 16;
    m[d] = v;
    m[d + 1] = v >> 31;
  },
  sext1632: narrow((a) => (a << 16) >> 16),
  mul64: (m, d, a, b) => {
    m[d] = multiply(m[a] as number, m[a + 1] as number, m[b] as number, m[b + 1] as number);
    m[d + 1] = high();
  },
  mulhu64: (m, d, a, b) => {
    m[d] = multiplyHigh(false, m[a] as number, m[a + 1] as number, m[b] as number, m[b + 1] as number);
    m[d + 1] = high();
  },
  mulhs64: (m, d, a, b) => {
    m[d] = multiplyHigh(true, m[a] as number, m[a + 1] as number, m[b] as number, m[b + 1] as number);
    m[d + 1] = high();
  },
  mulhu32: narrow((a, b) => {
    multiply(a, 0, b, 0);
    return high();
  }),
  mulhs32: narrow((a, b) => {
    multiply(a, a >> 31, b, b >> 31);
    return high();
  }),
  divu64: divided('divu'),
  divs64: divided('divs'),
  remu64: divided('remu'),
  rems64: divided('rems'),
  divu32: narrow((a, b) => (b === 0 ? 0 : (a >>> 0) / (b >>> 0))),
  divs32: narrow((a, b) => (b === 0 ? 0 : a / b)),
  remu32: narrow((a, b) => (b === 0 ? a : (a >>> 0) % (b >>> 0))),
  rems32: narrow((a, b) => (b === 0 ? a : a % b)),
  clz64: (m, d, a) => {
    const ah = m[a + 1] as number;
    m[d] = ah !== 0 ? Math.clz32(ah) : 32 + Math.clz32(m[a] as number);
    m[d + 1] = 0;
  },
  clz32: narrow((a) => Math.clz32(a)),
  ctz64: (m, d, a) => {
    const al = m[a] as number;
    m[d] = al !== 0 ? countTrailing(al) : 32 + countTrailing(m[a + 1] as number);
    m[d + 1] = 0;
  },
  ctz32: narrow((a) => countTrailing(a)),
  popcnt64: (m, d, a) => {
    m[d] = countOnes(m[a] as number) + countOnes(m[a + 1] as number);
    m[d + 1] = 0;
  },
  popcnt32: narrow((a) => countOnes(a)),
  rotr32: narrow((a, b) => (a >>> (b & 31)) | (a << (-b & 31))),
  rotr64: (m, d, a, b) => {
    const n = (m[b] as number) & 63;
    const swap = n & 32;
    const lo = m[swap ? a + 1 : a] as number;
    const hi = m[swap ? a : a + 1] as number;
    const k = n & 31;
    m[d] = k === 0 ? lo : (lo >>> k) | (hi << (32 - k));
    m[d + 1] = k === 0 ? hi : (hi >>> k) | (lo << (32 - k));
  },
  bswap32: narrow((a) => reverseBytes(a)),
  bswap64: (m, d, a) => {
    const lo = reverseBytes(m[a + 1] as number);
    m[d + 1] = reverseBytes(m[a] as number);
    m[d] = lo;
  },
  rbit32: narrow((a) => reverseBits(a)),
  rbit64: (m, d, a) => {
    const lo = reverseBits(m[a + 1] as number);
    m[d + 1] = reverseBits(m[a] as number);
    m[d] = lo;
  },
};

/** Pure ops that mean the same as another one on pairs of words. */
const SAME: Readonly<Record<string, string>> = {
  copy32: 'zext32',
  sext3232: 'zext32',
  sext3264: 'sext32',
  ...Object.fromEntries(
    ['zext8', 'zext16', 'zext32'].flatMap((name) => [
      [`${name}32`, name],
      [`${name}64`, name],
    ]),
  ),
};

const LABELS: ReadonlyMap<string, number> = new Map(KINDS.map((name, label) => [name, label]));

/** The kind of that name. */
export function kindOf(name: string): number {
  const kind = LABELS.get(name);
  if (kind === undefined) throw new TypeError(`${name} is no kind of step`);
  return kind;
}

/** The step that performs a pure op at these places. */
export function pureStep(m: Int32Array, op: PureOpName, width: Width, places: Pick<Step, 'd' | 'a' | 'b' | 'c'>): Step {
  const name = `${op}${width}`;
  const kind = LABELS.get(SAME[name] ?? name);
  if (kind !== undefined) return makeStep(kind, places);
  const perform = REST[name];
  if (perform === undefined) throw new TypeError(`the stepper has no ${op} of ${width} bits`);
  const { d, a, b, c } = places;
  return makeStep(0, {
    run: (s) => {
      perform(m, wordOf(d, s), wordOf(a, s), wordOf(b, s), wordOf(c, s));
      return 0;
    },
  });
}
