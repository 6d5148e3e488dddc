/**
 * Stage 1 translation a second time, for tests: from the manual's descriptor formats and permission tables, over bit strings, recursively, and without
 * a line of isa/mmu.ts. Arm DDI 0487, D8.3 (descriptor formats, 4 KiB granule), D8.4 (access permissions), table D8-63 and its kin.
 */

export interface Settings {
  /** SCTLR_EL1.M and WXN. */
  readonly on: boolean;
  readonly wxn: boolean;
  readonly pan: boolean;
  readonly tcr: bigint;
  readonly ttbr: readonly [lower: bigint, upper: bigint];
  readonly mair: bigint;
  /** Physical address bits of the CPU. */
  readonly physical: number;
}

export type Kind = 'read' | 'write' | 'fetch';

export type Answer =
  | { readonly status: string; readonly level: number }
  | { readonly address: bigint; readonly rights: string; readonly device: boolean };

/** Bits high to low of a word, as a number's worth of binary digits, most significant first. */
const digits = (word: bigint, high: number, low: number): string =>
  word
    .toString(2)
    .padStart(64, '0')
    .slice(63 - high, 64 - low);
const number = (bits: string): bigint => BigInt(`0b${bits === '' ? '0' : bits}`);
const bit = (word: bigint, n: number): string => digits(word, n, n);

/** AP[2:1] to data rights of [EL1, EL0]. */
const DATA: Readonly<Record<string, readonly [string, string]>> = {
  '00': ['rw', '--'],
  '01': ['rw', 'rw'],
  '10': ['r-', '--'],
  '11': ['r-', 'r-'],
};

/** [WXN, AP[2:1]] to who could execute were its XN bit clear: EL1, EL0. */
const EXECUTE: Readonly<Record<string, string>> = {
  '0 00': 'yes yes',
  '0 01': 'no yes',
  '0 10': 'yes yes',
  '0 11': 'yes yes',
  '1 00': 'no yes',
  '1 01': 'no no',
  '1 10': 'yes yes',
  '1 11': 'yes yes',
};

/** Rights of a leaf for a level, as 'rwx' with '-' for what is missing. */
export function rightsOf(
  ap: string,
  uxn: string,
  pxn: string,
  el: 0 | 1,
  settings: Pick<Settings, 'wxn' | 'pan'>,
): string {
  const [one, zero] = DATA[ap] as readonly [string, string];
  const [x1, x0] = (EXECUTE[`${settings.wxn ? 1 : 0} ${ap}`] as string).split(' ');
  if (el === 0) return zero + (x0 === 'yes' && uxn === '0' ? 'x' : '-');
  const data = settings.pan && zero.startsWith('r') ? '--' : one;
  return data + (x1 === 'yes' && pxn === '0' ? 'x' : '-');
}

/** Where the index of each level stands in an address. */
const INDEX: Readonly<Record<number, readonly [number, number]>> = {
  0: [47, 39],
  1: [38, 30],
  2: [29, 21],
  3: [20, 12],
};
const SIZES = [32, 36, 40, 42, 44, 48, 48, 48];

interface Inherited {
  readonly noUser: boolean;
  readonly readOnly: boolean;
  readonly uxn: boolean;
  readonly pxn: boolean;
}

/** Walks; `read` gives a table's entry or nothing where no memory is. */
export function reference(
  settings: Settings,
  virtual: bigint,
  el: 0 | 1,
  kind: Kind,
  read: (address: bigint) => bigint | undefined,
): Answer {
  const fault = (status: string, level: number): Answer => ({ status, level });
  const upper = bit(virtual, 55) === '1';
  const ignoresTag = bit(settings.tcr, upper ? 38 : 37) === '1';
  const untagged = ignoresTag ? number(digits(virtual, 55, 0)) : virtual;
  if (!settings.on) {
    if (untagged >> BigInt(settings.physical) !== 0n) return fault('address size', 0);
    return { address: untagged, rights: 'rwx', device: true };
  }
  const size = Number(number(upper ? digits(settings.tcr, 21, 16) : digits(settings.tcr, 5, 0)));
  const bits = 64 - Math.min(Math.max(size, 16), 39);
  const above = digits(virtual, ignoresTag ? 55 : 63, bits);
  if ([...above].some((digit) => digit !== (upper ? '1' : '0'))) return fault('translation', 0);
  if (bit(settings.tcr, upper ? 23 : 7) === '1') return fault('translation', 0);

  const ips = SIZES[Number(number(digits(settings.tcr, 34, 32)))] as number;
  const output = Math.min(ips, settings.physical);
  const tooBig = (address: bigint): boolean => address >> BigInt(output) !== 0n;
  const input = number(digits(virtual, bits - 1, 0));
  // 48 to 40 bits begin at level 0, 39 to 31 at level 1, 30 to 25 at level 2.
  const first = bits > 39 ? 0 : bits > 30 ? 1 : 2;

  const down = (level: number, table: bigint, from: Inherited): Answer => {
    const [high, low] = INDEX[level] as readonly [number, number];
    const entry = read(table + 8n * number(digits(input, high, low)));
    if (entry === undefined) return fault('walk', level);
    const form = digits(entry, 1, 0);
    if (form === '00' || form === '10') return fault('translation', level);
    const leaf = level === 3 ? form === '11' : form === '01';
    if (!leaf && level === 3) return fault('translation', level);
    if (leaf && level === 0) return fault('translation', level);
    if (!leaf) {
      const next = number(digits(entry, 47, 12)) << 12n;
      if (tooBig(next)) return fault('address size', level);
      return down(level + 1, next, {
        noUser: from.noUser || bit(entry, 61) === '1',
        readOnly: from.readOnly || bit(entry, 62) === '1',
        uxn: from.uxn || bit(entry, 60) === '1',
        pxn: from.pxn || bit(entry, 59) === '1',
      });
    }
    const base = number(digits(entry, 47, low)) << BigInt(low);
    if (tooBig(base)) return fault('address size', level);
    if (bit(entry, 10) === '0') return fault('access flag', level);
    const ap = (from.readOnly ? '1' : bit(entry, 7)) + (from.noUser ? '0' : bit(entry, 6));
    const uxn = from.uxn ? '1' : bit(entry, 54);
    const pxn = from.pxn ? '1' : bit(entry, 53);
    const rights = rightsOf(ap, uxn, pxn, el, settings);
    if (!rights.includes({ read: 'r', write: 'w', fetch: 'x' }[kind])) return fault('permission', level);
    const attribute = Number(number(digits(entry, 4, 2)));
    const device = digits(settings.mair, 8 * attribute + 7, 8 * attribute + 4) === '0000';
    return { address: base + number(digits(input, low - 1, 0)), rights, device };
  };

  // The first table may be small: BADDR begins above the bits that its index uses.
  const width = bits - 1 - (INDEX[first] as readonly [number, number])[1] + 1 + 3;
  const base = number(digits(settings.ttbr[upper ? 1 : 0], 47, width)) << BigInt(width);
  if (tooBig(base)) return fault('address size', 0);
  return down(first, base, { noUser: false, readOnly: false, uxn: false, pxn: false });
}

/** Fault status codes, the manual's table for ISS.DFSC. */
export const STATUS: Readonly<Record<string, bigint>> = {
  'address size': 0b000000n,
  translation: 0b000100n,
  'access flag': 0b001000n,
  permission: 0b001100n,
  walk: 0b010100n,
};
