/** Counts as people write them: 4096, 0x1000, 1_000_000, 10M. */
import { UsageError } from '../exit.ts';

const UNITS: Readonly<Record<string, bigint>> = {
  '': 1n,
  k: 10n ** 3n,
  m: 10n ** 6n,
  g: 10n ** 9n,
  t: 10n ** 12n,
};

/** `undefined` for what is no whole number up to 2^53. */
export function readCount(text: string): number | undefined {
  const plain = text.replaceAll('_', '');
  if (/^0x[0-9a-f]+$/i.test(plain)) return safe(Number(plain));
  const match = /^([0-9]{1,20})(?:\.([0-9]{1,20}))?([kmgt]?)$/i.exec(plain);
  if (match === null) return undefined;
  const [, whole = '', part = '', unit = ''] = match;
  // Digits, not floating point: 2.3M is 2300000 exactly.
  const scaled = BigInt(whole + part) * (UNITS[unit.toLowerCase()] as bigint);
  const divisor = 10n ** BigInt(part.length);
  return scaled % divisor === 0n ? safe(Number(scaled / divisor)) : undefined;
}

function safe(value: number): number | undefined {
  return Number.isSafeInteger(value) ? value : undefined;
}

/** For an option's argument. @throws UsageError CV_USAGE */
export function countOption(
  option: string,
  least = 1,
  most: number = Number.MAX_SAFE_INTEGER,
): (text: string) => number {
  return (text) => {
    const value = readCount(text.replace(/^icount:/, ''));
    if (value === undefined)
      throw new UsageError(
        'CV_USAGE',
        `${option} takes a number, and '${text}' is none.`,
        'Write 5000, 10k, 10M, 1G or 0x1000.',
      );
    if (value < least || value > most) {
      throw new UsageError(
        'CV_USAGE',
        `${option} is ${value}; it lies from ${least} to ${most}.`,
        'Write a number in that range.',
      );
    }
    return value;
  };
}

/** An address, of up to 64 bits. */
export function readAddress(text: string): bigint | undefined {
  const plain = text.replaceAll('_', '');
  if (!/^(?:0x[0-9a-f]{1,16}|[0-9]{1,20})$/i.test(plain)) return undefined;
  const value = BigInt(plain);
  return value >> 64n === 0n ? value : undefined;
}
