/**
 * The debug store in the guest's linear memory: where its fields are, and how its records get there. Intel SDM volume 3, 18.4.9.
 *
 * All or nothing: every page is translated before the first byte is written.
 */
import type { Exception, Vcpu, View } from '@countervisor/contract';
import { pins } from './hosts.ts';
import { isPinned, storeArea } from './pin.ts';

const SUPERVISOR = 1;
const PAGE = 0x1000n;

/** What an access to the store ran into: the guest's own page tables, or a guest-physical address that is no memory. */
export type StoreFault = { readonly guest: Exception } | { readonly physical: bigint };

export const isFault = (thing: object): thing is StoreFault => 'guest' in thing || 'physical' in thing;

interface Piece {
  readonly physical: bigint;
  readonly from: number;
  readonly length: number;
}

/** Physical pieces of a linear range, as a supervisor's access of that kind finds them. */
function pieces(view: View, linear: bigint, length: number, kind: 'read' | 'write'): Piece[] | StoreFault {
  const all: Piece[] = [];
  for (let from = 0; from < length; ) {
    const at = BigInt.asUintN(64, linear + BigInt(from));
    const left = Number(PAGE - (at % PAGE));
    const part = Math.min(left, length - from);
    const t = view.translate(at, kind, SUPERVISOR);
    if ('kind' in t) return { guest: t };
    // What is not pinned is a second-stage violation, and the hardware of the day does not bear one.
    if (pins(view) && !isPinned(view, t.physical)) return { physical: t.physical };
    all.push({ physical: t.physical, from, length: part });
    from += part;
  }
  return all;
}

export function readLinear(vcpu: Vcpu, linear: bigint, length: number): Uint8Array | StoreFault {
  const found = pieces(vcpu, linear, length, 'read');
  if (!Array.isArray(found)) return found;
  const bytes = new Uint8Array(length);
  for (const { physical, from, length: part } of found) {
    const some = vcpu.domain.read(physical, part);
    if (some === undefined) return { physical };
    bytes.set(some, from);
  }
  return bytes;
}

/** Nothing is written unless all of it can be. */
export function writeLinear(vcpu: Vcpu, linear: bigint, bytes: Uint8Array): StoreFault | undefined {
  const found = pieces(vcpu, linear, bytes.length, 'write');
  if (!Array.isArray(found)) return found;
  const missing = found.find(({ physical, length }) => vcpu.domain.read(physical, length) === undefined);
  if (missing !== undefined) return { physical: missing.physical };
  for (const { physical, from, length } of found) vcpu.domain.write(physical, bytes.subarray(from, from + length));
  return undefined;
}

export type FieldName =
  | 'btsBase' | 'btsIndex' | 'btsMaximum' | 'btsThreshold'
  | 'pebsBase' | 'pebsIndex' | 'pebsMaximum' | 'pebsThreshold'; // biome-ignore format: two rows

const FIELDS: readonly FieldName[] = [
  'btsBase', 'btsIndex', 'btsMaximum', 'btsThreshold',
  'pebsBase', 'pebsIndex', 'pebsMaximum', 'pebsThreshold',
]; // biome-ignore format: two rows

/** Bytes of an address in the store: 8, or 4 where CPUID says no DTES64. */
export const wordSize = (view: Pick<View, 'cpu'>): 4 | 8 => (view.cpu.features.has('dtes64') ? 8 : 4);

/** Reset values, by slot, stand behind the eight addresses; each has eight bytes in either layout. */
export const resetOffset = (view: Pick<View, 'cpu'>, slot: number): number => 8 * wordSize(view) + 8 * slot;

const unsigned = (bytes: Uint8Array): bigint => bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);

export type Store = Readonly<Record<FieldName, bigint>>;

/** The eight addresses of the store. */
export function readStore(vcpu: Vcpu): Store | StoreFault {
  const size = wordSize(vcpu);
  const bytes = readLinear(vcpu, storeArea(vcpu), 8 * size);
  if (!(bytes instanceof Uint8Array)) return bytes;
  return Object.fromEntries(
    FIELDS.map((name, i) => [name, unsigned(bytes.subarray(i * size, (i + 1) * size))]),
  ) as Record<FieldName, bigint>;
}

export function writeStore(vcpu: Vcpu, name: FieldName, value: bigint): StoreFault | undefined {
  const size = wordSize(vcpu);
  return writeLinear(vcpu, storeArea(vcpu) + BigInt(FIELDS.indexOf(name) * size), words([value], size));
}

/** The value that a counter starts from again. */
export function readReset(vcpu: Vcpu, slot: number): bigint | StoreFault {
  const bytes = readLinear(vcpu, storeArea(vcpu) + BigInt(resetOffset(vcpu, slot)), 8);
  return bytes instanceof Uint8Array ? unsigned(bytes) : bytes;
}

/** Little-endian words. */
export function words(values: readonly bigint[], size: 4 | 8 = 8): Uint8Array {
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    if (size === 8) view.setBigUint64(8 * i, BigInt.asUintN(64, value), true);
    else view.setUint32(4 * i, Number(value & 0xffff_ffffn), true);
  });
  return bytes;
}
