/** CRC32 and CRC32C as the A64 instructions compute them, on reflected bits. Arm DDI 0487, C6.2 (CRC32B and kin) and J1: Poly32Mod2(). */
import type { Isa } from '@countervisor/contract';

/** The remainders of all bytes for a reflected polynomial. */
function table(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? polynomial : 0);
    return rest >>> 0;
  });
}

// 0x04C11DB7 (IEEE 802.3) and 0x1EDC6F41 (Castagnoli), bits reversed.
const IEEE = table(0xedb88320);
const CASTAGNOLI = table(0x82f63b78);

function update(remainders: Uint32Array, args: readonly bigint[]): bigint {
  const [accumulator = 0n, value = 0n, bytes = 0n] = args;
  let crc = Number(accumulator & 0xffff_ffffn);
  let low = Number(value & 0xffff_ffffn);
  const high = Number((value >> 32n) & 0xffff_ffffn);
  for (let at = 0; at < Number(bytes); at++) {
    if (at === 4) low = high;
    crc = ((remainders[(crc ^ low) & 0xff] as number) ^ (crc >>> 8)) >>> 0;
    low >>>= 8;
  }
  return BigInt(crc);
}

/** Helpers for `Lifter.call`: (accumulator, value, bytes of the value) to the new accumulator, 32 bits. */
export const checksums: Isa['helpers'] = {
  crc32: (_vcpu, args) => update(IEEE, args),
  crc32c: (_vcpu, args) => update(CASTAGNOLI, args),
};
