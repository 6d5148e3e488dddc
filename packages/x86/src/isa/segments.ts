/**
 * Descriptors and the registers that cache them. Intel SDM volume 3, 3.4.3 (segment registers), 3.4.5 (descriptors), 5.2 to 5.8 (checks), 7.2 (task state
 * segments), 5.10.2 (limit checks by software); volume 2: MOV, LLDT, LTR, LAR, LSL, VERR, VERW.
 */
import type { Vcpu } from '@countervisor/contract';
import { SEGMENTS } from './calls.ts';
import { type Draft, Faulted } from './draft.ts';

/** Access rights as general.ts stores them: what the descriptor's upper half has from bit 8 up, without the limit. */
export const AR = {
  accessed: 1n,
  /** Data: may be written; code: may be read. */
  rw: 2n,
  /** Data: expands down; code: conforming. */
  bent: 4n,
  code: 8n,
  s: 0x10n,
  dpl: 0x60n,
  p: 0x80n,
  l: 0x2000n,
  db: 0x4000n,
  g: 0x8000n,
  unusable: 0x1_0000n,
} as const;

const CS = 1;
const SS = 2;
const FS = 4;

export interface Descriptor {
  readonly selector: bigint;
  /** Linear address of its eight bytes. */
  readonly at: bigint;
  readonly base: bigint;
  readonly limit: bigint;
  readonly ar: bigint;
  /** As it stands in memory. */
  readonly bits: bigint;
}

export const typeOf = (d: Pick<Descriptor, 'ar'>): number => Number(d.ar & 0xfn);
export const dplOf = (d: Pick<Descriptor, 'ar'>): bigint => (d.ar & AR.dpl) >> 5n;
export const isPresent = (d: Pick<Descriptor, 'ar'>): boolean => (d.ar & AR.p) !== 0n;
export const isSystem = (d: Pick<Descriptor, 'ar'>): boolean => (d.ar & AR.s) === 0n;
export const isCode = (d: Pick<Descriptor, 'ar'>): boolean => (d.ar & (AR.s | AR.code)) === (AR.s | AR.code);
export const isConforming = (d: Pick<Descriptor, 'ar'>): boolean => isCode(d) && (d.ar & AR.bent) !== 0n;
export const rplOf = (selector: bigint): bigint => selector & 3n;
export const isNull = (selector: bigint): boolean => (selector & 0xfffcn) === 0n;
/** A selector as an error code has it. */
export const errorOf = (selector: bigint): bigint => selector & 0xfffcn;

export const isLong = (view: { get(name: string): bigint }): boolean => (view.get('EFER') & 0x400n) !== 0n;
/** 64-bit mode: EFER.LMA and CS.L. */
export const is64 = (view: { get(name: string): bigint }): boolean => isLong(view) && (view.get('CS_AR') & AR.l) !== 0n;
export const isProtected = (view: { get(name: string): bigint }): boolean => (view.get('CR0') & 1n) !== 0n;

/** The parts of eight bytes of a descriptor of a segment. */
export function parse(selector: bigint, at: bigint, bits: bigint): Descriptor {
  const high = bits >> 32n;
  const ar = (high >> 8n) & 0xf0ffn;
  const raw = (bits & 0xffffn) | (high & 0xf_0000n);
  return {
    selector,
    at,
    bits,
    ar,
    base: ((bits >> 16n) & 0xff_ffffn) | (high & 0xff00_0000n),
    limit: (ar & AR.g) === 0n ? raw : (raw << 12n) | 0xfffn,
  };
}

/** The descriptor that a selector names, `undefined` where its table has none. Null selectors name none. */
export function find(draft: Draft, selector: bigint): Descriptor | undefined {
  if (isNull(selector)) return undefined;
  const local = (selector & 4n) !== 0n;
  if (local && (draft.get('LDTR_AR') & AR.unusable) !== 0n) return undefined;
  const table = local ? 'LDTR' : 'GDTR';
  const offset = selector & 0xfff8n;
  if (offset + 7n > draft.get(`${table}_LIMIT`)) return undefined;
  const at = linear(draft, draft.get(`${table}_BASE`) + offset);
  return parse(selector, at, draft.read(at, 8));
}

/** Linear addresses have 32 bits outside long mode. */
export function linear(view: { get(name: string): bigint }, address: bigint): bigint {
  return BigInt.asUintN(isLong(view) ? 64 : 32, address);
}

/** The same, or #GP with the selector, or another exception and code. */
export function need(draft: Draft, selector: bigint, exception: '#GP' | '#TS' = '#GP', external = 0n): Descriptor {
  const found = find(draft, selector);
  if (found === undefined) throw new Faulted(exception, errorOf(selector) | external);
  return found;
}

/** Bits 63:32 of a base, from the second half of a 16-byte descriptor. */
function upperBase(draft: Draft, selector: bigint, d: Descriptor): bigint {
  const table = (selector & 4n) !== 0n ? 'LDTR' : 'GDTR';
  if ((selector & 0xfff8n) + 15n > draft.get(`${table}_LIMIT`)) throw new Faulted('#GP', errorOf(selector));
  const upper = draft.read(linear(draft, d.at + 8n), 8);
  // The type field of the upper half must be 0.
  if ((upper & 0x1f00_0000_0000n) !== 0n) throw new Faulted('#GP', errorOf(selector));
  const base = d.base | ((upper & 0xffff_ffffn) << 32n);
  if (BigInt.asIntN(48, base) !== BigInt.asIntN(64, base)) throw new Faulted('#GP', errorOf(selector));
  return base;
}

/** Fills a segment register from its descriptor, which becomes accessed. */
export function load(draft: Draft, name: string, selector: bigint, d: Descriptor): void {
  if ((d.ar & (AR.s | AR.accessed)) === AR.s) draft.write(d.at + 5n, 1, ((d.bits >> 40n) & 0xffn) | 1n);
  draft.set(name, selector);
  draft.set(`${name}_BASE`, d.base);
  draft.set(`${name}_LIMIT`, d.limit);
  draft.set(`${name}_AR`, d.ar | (isSystem(d) ? 0n : AR.accessed));
}

/** A null selector: nothing can be accessed through it. The base becomes 0, but on AMD's CPUs that do not say they clear it. */
export function loadNull(draft: Draft, name: string, selector: bigint): void {
  draft.set(name, selector);
  draft.set(`${name}_AR`, AR.unusable | (name === 'SS' ? draft.get('CPL') << 5n : 0n));
  draft.set(`${name}_LIMIT`, 0n);
  if (!draft.has('keeps-null-base')) draft.set(`${name}_BASE`, 0n);
}

/** Real mode: the selector is the base. Limit and rights stay as they are. */
export function loadReal(draft: Draft, name: string, selector: bigint): void {
  draft.set(name, selector);
  draft.set(`${name}_BASE`, selector << 4n);
}

/** MOV to SS and its kin, at a privilege level: SDM volume 2, MOV. */
export function loadStack(draft: Draft, selector: bigint, cpl: bigint): void {
  if (isNull(selector)) {
    if (!is64(draft) || cpl === 3n || rplOf(selector) !== cpl) throw new Faulted('#GP', 0n);
    loadNull(draft, 'SS', selector);
    return;
  }
  const d = need(draft, selector);
  const writable = (d.ar & (AR.s | AR.code | AR.rw)) === (AR.s | AR.rw);
  if (rplOf(selector) !== cpl || !writable || dplOf(d) !== cpl) throw new Faulted('#GP', errorOf(selector));
  if (!isPresent(d)) throw new Faulted('#SS', errorOf(selector));
  load(draft, 'SS', selector, d);
}

/** MOV, POP and LxS to ES, SS, DS, FS, GS. */
export function loadSegment(draft: Draft, number: number, selector: bigint): void {
  const name = SEGMENTS[number] as string;
  if (!isProtected(draft)) {
    loadReal(draft, name, selector);
    return;
  }
  const cpl = draft.get('CPL');
  if (number === SS) {
    loadStack(draft, selector, cpl);
    return;
  }
  if (isNull(selector)) {
    loadNull(draft, name, selector);
    return;
  }
  const d = need(draft, selector);
  const readable = !isSystem(d) && (!isCode(d) || (d.ar & AR.rw) !== 0n);
  const reaches = isConforming(d) || (rplOf(selector) <= dplOf(d) && cpl <= dplOf(d));
  if (!readable || !reaches) throw new Faulted('#GP', errorOf(selector));
  if (!isPresent(d)) throw new Faulted('#NP', errorOf(selector));
  load(draft, name, selector, d);
}

/** Behind a return to a less privileged level: data segments that it may not use become null. SDM volume 2, RET and IRET. */
export function dropSegments(draft: Draft, cpl: bigint): void {
  for (const name of ['ES', 'FS', 'GS', 'DS']) {
    const ar = draft.get(`${name}_AR`);
    if ((ar & AR.unusable) !== 0n) continue;
    if (dplOf({ ar }) >= cpl || isConforming({ ar })) continue;
    draft.set(name, 0n);
    draft.set(`${name}_AR`, AR.unusable);
    draft.set(`${name}_BASE`, 0n);
    draft.set(`${name}_LIMIT`, 0n);
  }
}

export function loadLocal(draft: Draft, selector: bigint): void {
  if (isNull(selector)) {
    draft.set('LDTR', selector);
    draft.set('LDTR_AR', AR.unusable);
    return;
  }
  if ((selector & 4n) !== 0n) throw new Faulted('#GP', errorOf(selector));
  const d = need(draft, selector);
  if (!isSystem(d) || typeOf(d) !== 2) throw new Faulted('#GP', errorOf(selector));
  if (!isPresent(d)) throw new Faulted('#NP', errorOf(selector));
  const base = isLong(draft) ? upperBase(draft, selector, d) : d.base;
  load(draft, 'LDTR', selector, { ...d, base });
}

/** LTR: the task state segment must be available, and becomes busy. */
export function loadTask(draft: Draft, selector: bigint): void {
  if (isNull(selector)) throw new Faulted('#GP', 0n);
  if ((selector & 4n) !== 0n) throw new Faulted('#GP', errorOf(selector));
  const d = need(draft, selector);
  const long = isLong(draft);
  const available = typeOf(d) === 9 || (typeOf(d) === 1 && !long);
  if (!isSystem(d) || !available) throw new Faulted('#GP', errorOf(selector));
  if (!isPresent(d)) throw new Faulted('#NP', errorOf(selector));
  const base = long ? upperBase(draft, selector, d) : d.base;
  draft.write(d.at + 5n, 1, ((d.bits >> 40n) & 0xffn) | 2n);
  load(draft, 'TR', selector, { ...d, base, ar: d.ar | 2n });
}

/** Types of system descriptors that LAR and LSL describe: volume 2, tables 3-56 and 3-64. */
const LAR_TYPES: readonly number[] = [1, 2, 3, 4, 5, 9, 11, 12];
const LAR_TYPES_LONG: readonly number[] = [2, 9, 11, 12];
const LSL_TYPES: readonly number[] = [1, 2, 3, 9, 11];
const LSL_TYPES_LONG: readonly number[] = [2, 9, 11];

const VISIBLE = 1n << 63n;

/** The descriptor, if software at this level may know of it. */
function visible(draft: Draft, selector: bigint, types: readonly number[]): Descriptor | undefined {
  const d = find(draft, selector);
  if (d === undefined) return undefined;
  if (isSystem(d) && !types.includes(typeOf(d))) return undefined;
  if (!isConforming(d) && (draft.get('CPL') > dplOf(d) || rplOf(selector) > dplOf(d))) return undefined;
  return d;
}

/** LAR: bits 23:8 of the upper half, less the limit; bit 63 where ZF becomes 1. */
export function accessRights(draft: Draft, selector: bigint): bigint {
  const d = visible(draft, selector, isLong(draft) ? LAR_TYPES_LONG : LAR_TYPES);
  return d === undefined ? 0n : VISIBLE | ((d.bits >> 32n) & 0xf0_ff00n);
}

export function segmentLimit(draft: Draft, selector: bigint): bigint {
  const d = visible(draft, selector, isLong(draft) ? LSL_TYPES_LONG : LSL_TYPES);
  return d === undefined ? 0n : VISIBLE | d.limit;
}

/** VERR, VERW: 1 when the segment could be read, written. */
export function verify(draft: Draft, selector: bigint, write: boolean): bigint {
  const d = visible(draft, selector, []);
  if (d === undefined || isSystem(d)) return 0n;
  if (write) return !isCode(d) && (d.ar & AR.rw) !== 0n ? 1n : 0n;
  return !isCode(d) || (d.ar & AR.rw) !== 0n ? 1n : 0n;
}

/** An access through a segment that is not flat: is the offset inside, and do its rights allow this? Volume 3, 5.3 and 5.5. */
export function checkAccess(vcpu: Vcpu, number: number, offset: bigint, bytes: bigint, write: boolean): void {
  const name = SEGMENTS[number] as string;
  const ar = vcpu.get(`${name}_AR`);
  const refused = (): Faulted => new Faulted(number === SS ? '#SS' : '#GP', 0n);
  if (isProtected(vcpu)) {
    if ((ar & AR.unusable) !== 0n || (ar & AR.p) === 0n) throw refused();
    const code = (ar & AR.code) !== 0n;
    if (write ? code || (ar & AR.rw) === 0n : code && (ar & AR.rw) === 0n) throw refused();
  }
  const limit = vcpu.get(`${name}_LIMIT`);
  const last = offset + bytes - 1n;
  if ((ar & (AR.code | AR.bent)) === AR.bent) {
    const top = (ar & AR.db) === 0n ? 0xffffn : 0xffff_ffffn;
    if (offset <= limit || last > top) throw refused();
  } else if (last > limit) {
    throw refused();
  }
}

export { CS, FS, SS };
