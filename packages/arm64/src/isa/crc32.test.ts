import { describe, expect, it } from 'vitest';
import { checksums } from './crc32.ts';

const digits = [...'123456789'].map((letter) => BigInt(letter.charCodeAt(0)));
const run = (helper: 'crc32' | 'crc32c', from: bigint, value: bigint, bytes: number): bigint =>
  checksums[helper]?.(undefined as never, [from, value, BigInt(bytes)]) as bigint;

describe('checksums', () => {
  // The check values of CRC-32/ISO-HDLC and CRC-32/ISCSI in the catalogue of parametrised CRC algorithms.
  it.each([
    ['crc32', 0xcbf43926n],
    ['crc32c', 0xe3069283n],
  ] as const)('%s of 123456789, started and ended inverted', (helper, check) => {
    const rest = digits.reduce((crc, byte) => run(helper, crc, byte, 1), 0xffffffffn);
    expect(rest ^ 0xffffffffn).toBe(check);
  });

  it('take words as their bytes, lowest first', () => {
    const word = 0x38373635_34333231n;
    const whole = run('crc32', 0xffffffffn, word, 8);
    expect(whole).toBe(digits.slice(0, 8).reduce((crc, byte) => run('crc32', crc, byte, 1), 0xffffffffn));
    expect(run('crc32', run('crc32', 0xffffffffn, word, 4), word >> 32n, 4)).toBe(whole);
    expect(run('crc32', run('crc32', 0xffffffffn, word, 2), word >> 16n, 2)).toBe(run('crc32', 0xffffffffn, word, 4));
  });
});
