/** Numbers: for people with groups of three digits, for machines as JSON that loses nothing. */

export function grouped(value: number | bigint): string {
  return value.toString().replace(/\B(?=(?:[0-9]{3})+$)/g, ',');
}

/** A count: a JSON number up to 2^53, beyond it a string of decimal digits. */
export function count(value: number | bigint): number | string {
  const big = BigInt(value);
  return big <= 2n ** 53n ? Number(big) : big.toString();
}

/** A register's value, padded to its width in bits. */
export function hex(value: bigint, bits = 0): string {
  return `0x${value.toString(16).padStart(Math.ceil(bits / 4), '0')}`;
}
