/**
 * The stepper's pure ops: one small closure per op, over pairs of 32-bit words (engine constraint 8: no BigInt on the hot path). An operand is
 * `(s & mask) + offset` words: mask -1 for a register of the vCPU whose block starts at word `s`, 0 for a temporary or a constant.
 * All inputs are read before the output is written: they may be the same register.
 */
import { PURE_OPS, type PureOpName, type Width } from '@countervisor/contract';
import { divide, high, multiply } from './wide.ts';

/** 0: go on; positive: skip that many ops; negative: see `stepper.ts`. */
export type Step = (s: number) => number;

/** Word masks and offsets of destination and inputs. */
export interface Places {
  readonly m: Int32Array;
  readonly d: number;
  readonly dm: number;
  readonly a: number;
  readonly am: number;
  readonly b: number;
  readonly bm: number;
  readonly c: number;
  readonly cm: number;
}

type Make = (p: Places) => Step;

/** Written out, because a guest runs them all the time. */
const HOT = {
  copy64:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      const lo = m[a0] as number;
      m[o + 1] = m[a0 + 1] as number;
      m[o] = lo;
      return 0;
    },
  copy32:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      m[o] = m[a0] as number;
      m[o + 1] = 0;
      return 0;
    },
  add64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const al = m[a0] as number;
      const lo = (al + (m[b0] as number)) | 0;
      m[o + 1] = (m[a0 + 1] as number) + (m[b0 + 1] as number) + (lo >>> 0 < al >>> 0 ? 1 : 0);
      m[o] = lo;
      return 0;
    },
  add32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) + (m[b0] as number);
      m[o + 1] = 0;
      return 0;
    },
  sub64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const al = m[a0] as number;
      const bl = m[b0] as number;
      m[o + 1] = (m[a0 + 1] as number) - (m[b0 + 1] as number) - (al >>> 0 < bl >>> 0 ? 1 : 0);
      m[o] = al - bl;
      return 0;
    },
  sub32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) - (m[b0] as number);
      m[o + 1] = 0;
      return 0;
    },
  and64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const lo = (m[a0] as number) & (m[b0] as number);
      m[o + 1] = (m[a0 + 1] as number) & (m[b0 + 1] as number);
      m[o] = lo;
      return 0;
    },
  and32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) & (m[b0] as number);
      m[o + 1] = 0;
      return 0;
    },
  or64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const lo = (m[a0] as number) | (m[b0] as number);
      m[o + 1] = (m[a0 + 1] as number) | (m[b0 + 1] as number);
      m[o] = lo;
      return 0;
    },
  or32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) | (m[b0] as number);
      m[o + 1] = 0;
      return 0;
    },
  xor64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const lo = (m[a0] as number) ^ (m[b0] as number);
      m[o + 1] = (m[a0 + 1] as number) ^ (m[b0 + 1] as number);
      m[o] = lo;
      return 0;
    },
  xor32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) ^ (m[b0] as number);
      m[o + 1] = 0;
      return 0;
    },
  not64:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      const lo = ~(m[a0] as number);
      m[o + 1] = ~(m[a0 + 1] as number);
      m[o] = lo;
      return 0;
    },
  not32:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      m[o] = ~(m[a0] as number);
      m[o + 1] = 0;
      return 0;
    },
  shl64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const n = (m[b0] as number) & 63;
      const al = m[a0] as number;
      const ah = m[a0 + 1] as number;
      if (n >= 32) {
        m[o + 1] = al << (n - 32);
        m[o] = 0;
      } else {
        m[o + 1] = n === 0 ? ah : (ah << n) | (al >>> (32 - n));
        m[o] = al << n;
      }
      return 0;
    },
  shl32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) << (m[b0] as number);
      m[o + 1] = 0;
      return 0;
    },
  shr64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const n = (m[b0] as number) & 63;
      const al = m[a0] as number;
      const ah = m[a0 + 1] as number;
      if (n >= 32) {
        m[o] = ah >>> (n - 32);
        m[o + 1] = 0;
      } else {
        m[o] = n === 0 ? al : (al >>> n) | (ah << (32 - n));
        m[o + 1] = ah >>> n;
      }
      return 0;
    },
  shr32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) >>> (m[b0] as number);
      m[o + 1] = 0;
      return 0;
    },
  sar64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const n = (m[b0] as number) & 63;
      const al = m[a0] as number;
      const ah = m[a0 + 1] as number;
      if (n >= 32) {
        m[o] = ah >> (n - 32);
        m[o + 1] = ah >> 31;
      } else {
        m[o] = n === 0 ? al : (al >>> n) | (ah << (32 - n));
        m[o + 1] = ah >> n;
      }
      return 0;
    },
  sar32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) >> (m[b0] as number);
      m[o + 1] = 0;
      return 0;
    },
  eq64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const al = m[a0] as number;
      const ah = m[a0 + 1] as number;
      const bl = m[b0] as number;
      const bh = m[b0 + 1] as number;
      m[o] = al === bl && ah === bh ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  eq32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) === (m[b0] as number) ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  ne64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const al = m[a0] as number;
      const ah = m[a0 + 1] as number;
      const bl = m[b0] as number;
      const bh = m[b0 + 1] as number;
      m[o] = al !== bl || ah !== bh ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  ne32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) !== (m[b0] as number) ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  ltu64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const al = m[a0] as number;
      const ah = m[a0 + 1] as number;
      const bl = m[b0] as number;
      const bh = m[b0 + 1] as number;
      m[o] = (ah === bh ? al >>> 0 < bl >>> 0 : ah >>> 0 < bh >>> 0) ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  ltu32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) >>> 0 < (m[b0] as number) >>> 0 ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  leu64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const al = m[a0] as number;
      const ah = m[a0 + 1] as number;
      const bl = m[b0] as number;
      const bh = m[b0 + 1] as number;
      m[o] = (ah === bh ? al >>> 0 <= bl >>> 0 : ah >>> 0 < bh >>> 0) ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  leu32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) >>> 0 <= (m[b0] as number) >>> 0 ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  lts64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const al = m[a0] as number;
      const ah = m[a0 + 1] as number;
      const bl = m[b0] as number;
      const bh = m[b0 + 1] as number;
      m[o] = (ah === bh ? al >>> 0 < bl >>> 0 : ah < bh) ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  lts32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) < (m[b0] as number) ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  les64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const al = m[a0] as number;
      const ah = m[a0 + 1] as number;
      const bl = m[b0] as number;
      const bh = m[b0 + 1] as number;
      m[o] = (ah === bh ? al >>> 0 <= bl >>> 0 : ah < bh) ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  les32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) <= (m[b0] as number) ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  select64:
    ({ m, d, dm, a, am, b, bm, c, cm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const c0 = (s & cm) + c;
      const o = (s & dm) + d;
      const from = (m[a0] as number) !== 0 || (m[a0 + 1] as number) !== 0 ? b0 : c0;
      const lo = m[from] as number;
      m[o + 1] = m[from + 1] as number;
      m[o] = lo;
      return 0;
    },
  select32:
    ({ m, d, dm, a, am, b, bm, c, cm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const c0 = (s & cm) + c;
      const o = (s & dm) + d;
      m[o] = m[(m[a0] as number) !== 0 || (m[a0 + 1] as number) !== 0 ? b0 : c0] as number;
      m[o + 1] = 0;
      return 0;
    },
  carry64:
    ({ m, d, dm, a, am, b, bm, c, cm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const c0 = (s & cm) + c;
      const o = (s & dm) + d;
      const bl = (m[b0] as number) >>> 0;
      const lo = ((m[a0] as number) >>> 0) + bl + ((m[c0] as number) & 1);
      const hi = ((m[a0 + 1] as number) >>> 0) + ((m[b0 + 1] as number) >>> 0) + (lo > 0xffff_ffff ? 1 : 0);
      m[o] = hi > 0xffff_ffff ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  carry32:
    ({ m, d, dm, a, am, b, bm, c, cm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const c0 = (s & cm) + c;
      const o = (s & dm) + d;
      m[o] = ((m[a0] as number) >>> 0) + ((m[b0] as number) >>> 0) + ((m[c0] as number) & 1) > 0xffff_ffff ? 1 : 0;
      m[o + 1] = 0;
      return 0;
    },
  overflow64:
    ({ m, d, dm, a, am, b, bm, c, cm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const c0 = (s & cm) + c;
      const o = (s & dm) + d;
      const ah = m[a0 + 1] as number;
      const bh = m[b0 + 1] as number;
      const lo = ((m[a0] as number) >>> 0) + ((m[b0] as number) >>> 0) + ((m[c0] as number) & 1);
      const hi = (ah + bh + (lo > 0xffff_ffff ? 1 : 0)) | 0;
      m[o] = ((ah ^ hi) & (bh ^ hi)) >>> 31;
      m[o + 1] = 0;
      return 0;
    },
  overflow32:
    ({ m, d, dm, a, am, b, bm, c, cm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const c0 = (s & cm) + c;
      const o = (s & dm) + d;
      const al = m[a0] as number;
      const bl = m[b0] as number;
      const lo = (al + bl + ((m[c0] as number) & 1)) | 0;
      m[o] = ((al ^ lo) & (bl ^ lo)) >>> 31;
      m[o + 1] = 0;
      return 0;
    },
  sext864:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      const v = ((m[a0] as number) << 24) >> 24;
      m[o] = v;
      m[o + 1] = v >> 31;
      return 0;
    },
  sext832:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      m[o] = ((m[a0] as number) << 24) >> 24;
      m[o + 1] = 0;
      return 0;
    },
  sext1664:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      const v = ((m[a0] as number) << 16) >> 16;
      m[o] = v;
      m[o + 1] = v >> 31;
      return 0;
    },
  sext1632:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      m[o] = ((m[a0] as number) << 16) >> 16;
      m[o + 1] = 0;
      return 0;
    },
  sext3264:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      const v = m[a0] as number;
      m[o] = v;
      m[o + 1] = v >> 31;
      return 0;
    },
  sext3232:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      m[o] = m[a0] as number;
      m[o + 1] = 0;
      return 0;
    },
  zext864:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      const v = (m[a0] as number) & 0xff;
      m[o] = v;
      m[o + 1] = 0;
      return 0;
    },
  zext832:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) & 0xff;
      m[o + 1] = 0;
      return 0;
    },
  zext1664:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      const v = (m[a0] as number) & 0xffff;
      m[o] = v;
      m[o + 1] = 0;
      return 0;
    },
  zext1632:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      m[o] = (m[a0] as number) & 0xffff;
      m[o + 1] = 0;
      return 0;
    },
  zext3264:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      const v = m[a0] as number;
      m[o] = v;
      m[o + 1] = 0;
      return 0;
    },
  zext3232:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      m[o] = m[a0] as number;
      m[o + 1] = 0;
      return 0;
    },
  mul32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      m[o] = Math.imul(m[a0] as number, m[b0] as number);
      m[o + 1] = 0;
      return 0;
    },
  mul64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const lo = multiply(m[a0] as number, m[a0 + 1] as number, m[b0] as number, m[b0 + 1] as number);
      m[o] = lo;
      m[o + 1] = high();
      return 0;
    },
  divu64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const lo = divide('divu', m[a0] as number, m[a0 + 1] as number, m[b0] as number, m[b0 + 1] as number);
      m[o] = lo;
      m[o + 1] = high();
      return 0;
    },
  divs64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const lo = divide('divs', m[a0] as number, m[a0 + 1] as number, m[b0] as number, m[b0 + 1] as number);
      m[o] = lo;
      m[o + 1] = high();
      return 0;
    },
  remu64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const lo = divide('remu', m[a0] as number, m[a0 + 1] as number, m[b0] as number, m[b0 + 1] as number);
      m[o] = lo;
      m[o + 1] = high();
      return 0;
    },
  rems64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const lo = divide('rems', m[a0] as number, m[a0 + 1] as number, m[b0] as number, m[b0 + 1] as number);
      m[o] = lo;
      m[o + 1] = high();
      return 0;
    },
  divu32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const bl = (m[b0] as number) >>> 0;
      m[o] = bl === 0 ? 0 : ((m[a0] as number) >>> 0) / bl;
      m[o + 1] = 0;
      return 0;
    },
  divs32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const bl = m[b0] as number;
      m[o] = bl === 0 ? 0 : (m[a0] as number) / bl;
      m[o + 1] = 0;
      return 0;
    },
  clz64:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      const ah = m[a0 + 1] as number;
      m[o] = ah !== 0 ? Math.clz32(ah) : 32 + Math.clz32(m[a0] as number);
      m[o + 1] = 0;
      return 0;
    },
  clz32:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      m[o] = Math.clz32(m[a0] as number);
      m[o + 1] = 0;
      return 0;
    },
  rotr32:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const n = (m[b0] as number) & 31;
      const al = m[a0] as number;
      m[o] = n === 0 ? al : (al >>> n) | (al << (32 - n));
      m[o + 1] = 0;
      return 0;
    },
  rotr64:
    ({ m, d, dm, a, am, b, bm }) =>
    (s) => {
      const a0 = (s & am) + a;
      const b0 = (s & bm) + b;
      const o = (s & dm) + d;
      const n = (m[b0] as number) & 63;
      const swap = n & 32;
      const lo = m[swap ? a0 + 1 : a0] as number;
      const hi = m[swap ? a0 : a0 + 1] as number;
      const k = n & 31;
      m[o] = k === 0 ? lo : (lo >>> k) | (hi << (32 - k));
      m[o + 1] = k === 0 ? hi : (hi >>> k) | (lo << (32 - k));
      return 0;
    },
  bswap32:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      const al = m[a0] as number;
      m[o] = (al << 24) | ((al & 0xff00) << 8) | ((al >>> 8) & 0xff00) | (al >>> 24);
      m[o + 1] = 0;
      return 0;
    },
  bswap64:
    ({ m, d, dm, a, am }) =>
    (s) => {
      const a0 = (s & am) + a;
      const o = (s & dm) + d;
      const al = m[a0] as number;
      const ah = m[a0 + 1] as number;
      m[o] = (ah << 24) | ((ah & 0xff00) << 8) | ((ah >>> 8) & 0xff00) | (ah >>> 24);
      m[o + 1] = (al << 24) | ((al & 0xff00) << 8) | ((al >>> 8) & 0xff00) | (al >>> 24);
      return 0;
    },
} as const satisfies Readonly<Record<string, Make>>;

/** Ops that no guest runs often: through their own definition. */
function rare(op: PureOpName, width: Width, p: Places): Step {
  const { evaluate, inputs } = PURE_OPS[op];
  const { m, d, dm, a, am, b, bm, c, cm } = p;
  const word = (at: number): bigint => {
    const lo = BigInt((m[at] as number) >>> 0);
    return width === 32 ? lo : lo | (BigInt((m[at + 1] as number) >>> 0) << 32n);
  };
  return (s) => {
    const x = word((s & am) + a);
    const y = inputs > 1 ? word((s & bm) + b) : 0n;
    const z = inputs > 2 ? word((s & cm) + c) : 0n;
    const result = BigInt.asUintN(width, evaluate(x, y, z, width));
    const o = (s & dm) + d;
    m[o] = Number(result & 0xffff_ffffn);
    m[o + 1] = Number(result >> 32n);
    return 0;
  };
}

/** The closure that performs a pure op at these places. */
export function pureStep(op: PureOpName, width: Width, places: Places): Step {
  const make = (HOT as Readonly<Record<string, Make>>)[`${op}${width}`];
  return make === undefined ? rare(op, width, places) : make(places);
}
