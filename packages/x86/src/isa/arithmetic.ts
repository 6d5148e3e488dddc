/** Arithmetic that is beyond the ops, as helpers: 128-bit division, decimal adjustment, RFLAGS as a whole. Intel SDM volume 2, by mnemonic. */
import type { Vcpu } from '@countervisor/contract';
import { flags, setFlags } from '../registers/general.ts';
import { DECIMAL } from './instructions/integer.ts';

type Registers = Pick<Vcpu, 'get' | 'set'>;
type Helper = (vcpu: Vcpu, args: readonly bigint[]) => bigint;

/** The quotient of high:low by the divisor, towards zero; `undefined` where it does not fit 64 bits. */
function divided([signed = 0n, high = 0n, low = 0n, divisor = 0n]: readonly bigint[]): bigint | undefined {
  const whole = (high << 64n) | low;
  const [over, by] = signed === 0n ? [whole, divisor] : [BigInt.asIntN(128, whole), BigInt.asIntN(64, divisor)];
  if (by === 0n) return undefined;
  const quotient = over / by;
  const fits = signed === 0n ? BigInt.asUintN(64, quotient) === quotient : BigInt.asIntN(64, quotient) === quotient;
  return fits ? quotient : undefined;
}

const CF = 1n;
const AF = 0x10n;

/** SF, ZF and PF of AL. */
function of(al: bigint): bigint {
  let parity = al ^ (al >> 4n);
  parity ^= parity >> 2n;
  parity ^= parity >> 1n;
  return (al & 0x80n) | (al === 0n ? 0x40n : 0n) | ((parity & 1n) === 0n ? 4n : 0n);
}

interface Adjusted {
  readonly ax: bigint;
  readonly flags: bigint;
}

/** DAA and DAS. */
function packed(ax: bigint, before: bigint, way: 1n | -1n): Adjusted {
  const old = ax & 0xffn;
  let al = old;
  let out = 0n;
  if ((old & 15n) > 9n || (before & AF) !== 0n) {
    const moved = al + way * 6n;
    out |= AF | (before & CF) | (moved < 0n || moved > 0xffn ? CF : 0n);
    al = moved & 0xffn;
  }
  if (old > 0x99n || (before & CF) !== 0n) {
    al = (al + way * 0x60n) & 0xffn;
    out |= CF;
  } else if (way === 1n) out &= ~CF;
  return { ax: (ax & 0xff00n) | al, flags: out | of(al) };
}

/** AAA and AAS. */
function unpacked(ax: bigint, before: bigint, way: 1n | -1n): Adjusted {
  if ((ax & 15n) <= 9n && (before & AF) === 0n) return { ax: ax & 0xff0fn, flags: 0n };
  const moved = BigInt.asUintN(16, ax + way * 0x106n);
  return { ax: moved & 0xff0fn, flags: AF | CF };
}

function adjusted(kind: number, ax: bigint, before: bigint, base: bigint): Adjusted {
  switch (kind) {
    case DECIMAL.DAA:
      return packed(ax, before, 1n);
    case DECIMAL.DAS:
      return packed(ax, before, -1n);
    case DECIMAL.AAA:
      return unpacked(ax, before, 1n);
    case DECIMAL.AAS:
      return unpacked(ax, before, -1n);
    case DECIMAL.AAM: {
      const al = ax & 0xffn;
      return { ax: ((al / base) << 8n) | (al % base), flags: of(al % base) };
    }
    default: {
      const al = (ax + (ax >> 8n) * base) & 0xffn;
      return { ax: al, flags: of(al) };
    }
  }
}

/** RFLAGS takes some bits. */
export function changeFlags(vcpu: Registers, value: bigint, mask: bigint): void {
  setFlags(vcpu, (flags(vcpu as Vcpu) & ~mask) | (value & mask));
}

export const arithmetic: Readonly<Record<'divide-fits' | 'quotient' | 'decimal' | 'flags' | 'set-flags', Helper>> = {
  'divide-fits': (_vcpu, args) => (divided(args) === undefined ? 0n : 1n),
  quotient: (_vcpu, args) => BigInt.asUintN(64, divided(args) ?? 0n),
  decimal: (_vcpu, [kind = 0n, ax = 0n, before = 0n, base = 0n]) => {
    const result = adjusted(Number(kind), ax, before, base);
    return result.ax | (result.flags << 32n);
  },
  flags: (vcpu) => flags(vcpu),
  'set-flags': (vcpu, [value = 0n, mask = 0n]) => {
    changeFlags(vcpu, value, mask);
    return 0n;
  },
};
