/** 64-bit products and quotients over pairs of 32-bit words. The low word is returned, the high one is `high()` until the next call. */

let upper = 0;

export function high(): number {
  return upper;
}

/** Low 64 bits of the product. */
export function multiply(al: number, ah: number, bl: number, bh: number): number {
  const a0 = al & 0xffff;
  const a1 = al >>> 16;
  const b0 = bl & 0xffff;
  const b1 = bl >>> 16;
  const mid = a1 * b0 + ((a0 * b0) >>> 16);
  const mid2 = (mid & 0xffff) + a0 * b1;
  const carry = a1 * b1 + Math.floor(mid / 65536) + Math.floor(mid2 / 65536);
  upper = (carry + Math.imul(al, bh) + Math.imul(ah, bl)) | 0;
  return Math.imul(al, bl);
}

/** High 64 bits of the product of all 128. */
export function multiplyHigh(signed: boolean, al: number, ah: number, bl: number, bh: number): number {
  // (ah + al)(bh + bl), each word unsigned: three middle sums of which only the carries into the high half matter.
  multiply(al, 0, bl, 0);
  const ll = upper >>> 0;
  const lhl = multiply(al, 0, bh, 0) >>> 0;
  const lhh = upper >>> 0;
  const hll = multiply(ah, 0, bl, 0) >>> 0;
  const hlh = upper >>> 0;
  const hhl = multiply(ah, 0, bh, 0) >>> 0;
  const hhh = upper >>> 0;
  const carry = Math.floor((ll + lhl + hll) / two32);
  const low = hhl + lhh + hlh + carry;
  let lo = low | 0;
  let hi = (hhh + Math.floor(low / two32)) | 0;
  // A negative factor was taken 2^64 too large.
  if (signed && ah < 0) {
    hi = (hi - bh - (lo >>> 0 < bl >>> 0 ? 1 : 0)) | 0;
    lo = (lo - bl) | 0;
  }
  if (signed && bh < 0) {
    hi = (hi - ah - (lo >>> 0 < al >>> 0 ? 1 : 0)) | 0;
    lo = (lo - al) | 0;
  }
  upper = hi;
  return lo;
}

const two32 = 4294967296;

let remainderLow = 0;
let remainderHigh = 0;

/** Unsigned quotient; the remainder is left in `remainderLow` and `remainderHigh`. The divisor is not 0. */
function divideUnsigned(al: number, ah: number, bl: number, bh: number): number {
  // What fits a double exactly, the common case, is divided as one.
  if (ah >>> 21 === 0 && bh >>> 21 === 0) {
    const a = (ah >>> 0) * two32 + (al >>> 0);
    const b = (bh >>> 0) * two32 + (bl >>> 0);
    const r = a % b;
    const q = (a - r) / b;
    remainderLow = r | 0;
    remainderHigh = Math.floor(r / two32) | 0;
    upper = Math.floor(q / two32) | 0;
    return q | 0;
  }
  // Else bit by bit: the quotient moves in where the dividend moves out.
  let ql = al;
  let qh = ah;
  let rl = 0;
  let rh = 0;
  for (let i = 0; i < 64; i++) {
    const out = rh < 0;
    rh = (rh << 1) | (rl >>> 31);
    rl = (rl << 1) | (qh >>> 31);
    qh = (qh << 1) | (ql >>> 31);
    ql <<= 1;
    if (out || (rh === bh ? rl >>> 0 >= bl >>> 0 : rh >>> 0 > bh >>> 0)) {
      rh = (rh - bh - (rl >>> 0 < bl >>> 0 ? 1 : 0)) | 0;
      rl = (rl - bl) | 0;
      ql |= 1;
    }
  }
  remainderLow = rl;
  remainderHigh = rh;
  upper = qh;
  return ql;
}

/** Minus a pair of words. */
function negate(lo: number, hi: number): number {
  upper = (~hi + (lo === 0 ? 1 : 0)) | 0;
  return -lo | 0;
}

/** Quotients and remainders as the ops of the same names define them. */
export function divide(op: 'divu' | 'divs' | 'remu' | 'rems', al: number, ah: number, bl: number, bh: number): number {
  const remainder = op === 'remu' || op === 'rems';
  if (bl === 0 && bh === 0) {
    upper = remainder ? ah : 0;
    return remainder ? al : 0;
  }
  const signed = op === 'divs' || op === 'rems';
  let dl = al;
  let dh = ah;
  if (signed && ah < 0) {
    dl = negate(al, ah);
    dh = upper;
  }
  let vl = bl;
  let vh = bh;
  if (signed && bh < 0) {
    vl = negate(bl, bh);
    vh = upper;
  }
  const quotient = divideUnsigned(dl, dh, vl, vh);
  if (remainder) {
    if (signed && ah < 0) return negate(remainderLow, remainderHigh);
    upper = remainderHigh;
    return remainderLow;
  }
  return signed && ah < 0 !== bh < 0 ? negate(quotient, upper) : quotient;
}
