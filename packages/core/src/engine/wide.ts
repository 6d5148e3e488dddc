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

const two32 = 4294967296;

/** Quotients and remainders as the ops of the same names define them. */
export function divide(op: 'divu' | 'divs' | 'remu' | 'rems', al: number, ah: number, bl: number, bh: number): number {
  // Small unsigned values, the common case, go through exact doubles; the rest through BigInt.
  if (ah >>> 21 === 0 && bh >>> 21 === 0) {
    const a = (ah >>> 0) * two32 + (al >>> 0);
    const b = (bh >>> 0) * two32 + (bl >>> 0);
    let r: number;
    if (op === 'divu' || op === 'divs') r = b === 0 ? 0 : Math.floor(a / b);
    else r = b === 0 ? a : a % b;
    // a / b may round up to the next integer when both are large.
    if ((op === 'divu' || op === 'divs') && b !== 0 && r * b > a) r -= 1;
    upper = Math.floor(r / two32) | 0;
    return r | 0;
  }
  const ua = (BigInt(ah >>> 0) << 32n) | BigInt(al >>> 0);
  const ub = (BigInt(bh >>> 0) << 32n) | BigInt(bl >>> 0);
  const signed = op === 'divs' || op === 'rems';
  const a = signed ? BigInt.asIntN(64, ua) : ua;
  const b = signed ? BigInt.asIntN(64, ub) : ub;
  let r: bigint;
  if (b === 0n) r = op === 'remu' || op === 'rems' ? a : 0n;
  else r = op === 'divu' || op === 'divs' ? a / b : a % b;
  upper = Number(BigInt.asIntN(32, r >> 32n));
  return Number(BigInt.asIntN(32, r));
}
