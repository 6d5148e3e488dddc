/** Immediates of the logical instructions: a run of ones, rotated and repeated. Arm DDI 0487, J1: DecodeBitMasks(). */
import { ones, type Width } from '@countervisor/contract';

/** The value that N:immr:imms stand for at a width; `undefined` where the manual reserves them. */
export function bitmask(n: number, immr: number, imms: number, width: Width): bigint | undefined {
  if (width === 32 && n === 1) return undefined;
  const sizes = (n << 6) | (~imms & 63);
  if (sizes < 2) return undefined;
  const element = 2 ** (31 - Math.clz32(sizes));
  const levels = element - 1;
  if ((imms & levels) === levels) return undefined;
  const run = ones((imms & levels) + 1);
  const turn = BigInt(immr & levels);
  const size = BigInt(element);
  const one = ((run >> turn) | (run << (size - turn))) & ones(element);
  let all = 0n;
  for (let at = 0; at < width; at += element) all |= one << BigInt(at);
  return all;
}

/** N, immr and imms of a value at a width; `undefined` for a value that no such immediate can be. */
export function encodeBitmask(
  value: bigint,
  width: Width,
): readonly [n: number, immr: number, imms: number] | undefined {
  for (const element of [2, 4, 8, 16, 32, 64]) {
    if (element > width) break;
    for (let run = 1; run < element; run++) {
      const imms = element === 64 ? run - 1 : ((~(2 * element - 1) & 63) | (run - 1)) & 63;
      const n = element === 64 ? 1 : 0;
      for (let immr = 0; immr < element; immr++) if (bitmask(n, immr, imms, width) === value) return [n, immr, imms];
    }
  }
  return undefined;
}
