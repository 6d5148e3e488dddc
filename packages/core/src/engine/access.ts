/** The slow way of a memory access: unaligned, across pages, to devices, or the first to its page. Values pass through `Engine.lo/hi`. */
import type { AccessShape } from '@countervisor/contract';
import { PAGE } from '../memory/layout.ts';
import { DEVICE, type Engine } from './engine.ts';

const FAULT = -2;

/** For whoever samples: the data access that the present instruction makes. */
export function note(x: Engine, lo: number, hi: number, size: number, write: boolean): void {
  x.noteLo = lo;
  x.noteHi = hi;
  x.noteSize = size;
  x.noteWrite = write;
}

/** A port of the platform's I/O space: no translation, no alignment, no fault (what nobody answers floats). */
function port(x: Engine, lo: number, size: number, write: boolean): number {
  if (!x.doors.device(x.v, BigInt(lo >>> 0), size, write, 'io') && !write) {
    x.lo = size === 4 ? -1 : 2 ** (8 * size) - 1;
    x.hi = 0;
  }
  return 0;
}

/** Before any translation: is the address aligned as the access, or the vCPU now, demands? An unaligned one of `size` bytes is counted. */
function aligned(x: Engine, lo: number, hi: number, size: number, shape: AccessShape, kind: 'read' | 'write'): boolean {
  const unaligned = (lo & (shape.size - 1)) !== 0;
  if ((lo & ((shape.align ?? 1) - 1)) !== 0 || (unaligned && x.doors.checksAlignment(x.v))) {
    const virtual = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
    x.fault = x.doors.fault(x.v, 'alignment', virtual, 0n, kind);
    return false;
  }
  if ((lo & (size - 1)) !== 0) x.unaligned();
  return true;
}

function bus(x: Engine, lo: number, hi: number, kind: 'read' | 'write'): number {
  const virtual = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
  x.fault = x.doors.fault(x.v, 'bus', virtual, x.physical, kind);
  return FAULT;
}

/** Host offset of the first byte on the next page after `span`; 0 when the access is on one. */
let second = 0;

/** Host offset of the first byte, DEVICE, or -1 with a fault. A single access that is on two pages must be memory on both. */
function span(x: Engine, lo: number, hi: number, size: number, kind: 'read' | 'write', level: number): number {
  second = 0;
  const first = x.resolve(lo, hi, kind, level, (lo & (size - 1)) !== 0);
  const over = (lo & (PAGE - 1)) + size - PAGE;
  if (first === -1 || over <= 0) return first;
  const nextLo = (lo + (size - over)) | 0;
  second = x.resolve(nextLo, nextLo === 0 ? (hi + 1) | 0 : hi, kind, level, true);
  if (second === -1) return -1;
  if (first !== DEVICE && second !== DEVICE) return first;
  x.fault = x.doors.fault(x.v, 'alignment', (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0), x.physical, kind);
  return -1;
}

/** Loads `size` bytes, zero-extended, little-endian, into `lo/hi`. 0 or FAULT. */
export function slowLoad(x: Engine, lo: number, hi: number, shape: AccessShape): number {
  const { size } = shape;
  if (shape.space === 'io') return port(x, lo, size, false);
  if (!aligned(x, lo, hi, size, shape, 'read')) return FAULT;
  const first = span(x, lo, hi, size, 'read', shape.level ?? x.v.level);
  if (first === -1) return FAULT;
  if (x.noting) note(x, lo, hi, size, false);
  if (first === DEVICE) {
    x.lo = 0;
    x.hi = 0;
    return x.doors.device(x.v, x.physical, size, false) ? 0 : bus(x, lo, hi, 'read');
  }
  const { bytes } = x.memory;
  const split = second === 0 ? size : PAGE - (lo & (PAGE - 1));
  let l = 0;
  let h = 0;
  for (let i = 0; i < size; i++) {
    const byte = bytes[i < split ? first + i : second + i - split] as number;
    if (i < 4) l |= byte << (8 * i);
    else h |= byte << (8 * (i - 4));
  }
  x.lo = l;
  x.hi = h;
  return 0;
}

/** Stores the low `size` bytes of `lo/hi` of the engine. 0 or FAULT; on a fault nothing is written. */
export function slowStore(x: Engine, lo: number, hi: number, shape: AccessShape): number {
  const { size } = shape;
  const valueLo = x.lo;
  const valueHi = x.hi;
  if (shape.space === 'io') return port(x, lo, size, true);
  if (!aligned(x, lo, hi, size, shape, 'write')) return FAULT;
  const first = span(x, lo, hi, size, 'write', shape.level ?? x.v.level);
  if (first === -1) return FAULT;
  if (x.noting) note(x, lo, hi, size, true);
  if (first === DEVICE) {
    x.lo = valueLo;
    x.hi = valueHi;
    return x.doors.device(x.v, x.physical, size, true) ? 0 : bus(x, lo, hi, 'write');
  }
  const { bytes } = x.memory;
  const split = second === 0 ? size : PAGE - (lo & (PAGE - 1));
  for (let i = 0; i < size; i++) {
    bytes[i < split ? first + i : second + i - split] = i < 4 ? valueLo >>> (8 * i) : valueHi >>> (8 * (i - 4));
  }
  x.touch(first);
  if (second !== 0) x.touch(second);
  return 0;
}

/** Would the access fault? Asks for every page it touches, changes nothing but the soft-TLB. */
export function probe(x: Engine, lo: number, hi: number, size: number, write: boolean, shape: AccessShape): number {
  const kind = write ? 'write' : 'read';
  if (!aligned(x, lo, hi, 1, shape, kind)) return FAULT;
  const level = shape.level ?? x.v.level;
  const unaligned = (lo & (shape.size - 1)) !== 0;
  const first = x.resolve(lo, hi, kind, level, unaligned);
  if (first === -1) return FAULT;
  if ((lo & (PAGE - 1)) + size <= PAGE) return 0;
  const nextLo = ((lo | (PAGE - 1)) + 1) | 0;
  const nextHi = nextLo === 0 ? (hi + 1) | 0 : hi;
  // A pair of aligned halves may lie on two pages; device memory takes it.
  const next = x.resolve(nextLo, nextHi, kind, level, unaligned);
  if (next === -1) return FAULT;
  // Half in memory and half where there is none: what is not memory may refuse, and then memory must not have changed.
  if ((first === DEVICE) !== (next === DEVICE)) {
    return first === DEVICE ? bus(x, lo, hi, kind) : bus(x, nextLo, nextHi, kind);
  }
  return 0;
}
