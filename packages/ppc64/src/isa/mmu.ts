/**
 * Address translation: real mode, and process-scoped radix trees. Power ISA 3.0B, book III, 5.7.10 (radix tree translation), 5.7.12 (storage protection),
 * 5.7.5 (effective address space structure: quadrants).
 *
 * The partition's own tables are the hypervisor's: a guest real address is the address in the domain's memory. Tables are big-endian whatever MSR[LE] is.
 */
import {
  type AccessKind,
  CountervisorError,
  type Exception,
  type PhysicalMemory,
  type Translation,
  type View,
} from '@countervisor/contract';
import { hasRadix } from '../features.ts';
import { MSR } from '../registers/msr.ts';
import { STORAGE, segment, storage } from './exceptions.ts';

/** Real mode ignores the high four bits. Book III, 5.7.3. */
const REAL = 0x0fff_ffff_ffff_ffffn;

/** Bits of a page directory or page table entry. Figures 24 and 25. */
const VALID = 1n << 63n;
const LEAF = 1n << 62n;
const REFERENCED = 0x100n;
const CHANGED = 0x80n;
const ATTRIBUTE = 0x30n;
const NON_IDEMPOTENT = 0x20n;
const PRIVILEGE = 8n;
const READ = 4n;
const WRITE = 2n;
const EXECUTE = 1n;
const REAL_PAGE = 0x01ff_ffff_ffff_f000n;
const BASE = 0x0fff_ffff_ffff_ff00n;
const SIZE = 0x1fn;
/** The tree of POWER9 and POWER10 translates 52 bits. */
const TREE_BITS = 52;
/** EA bits 2:11 lie outside every tree. */
const OUTSIDE = 0x3ff0_0000_0000_0000n;
/** Tables have at least 2^5 entries. */
const LEAST = 5;

const M64 = (1n << 64n) - 1n;

function swap(value: bigint): bigint {
  let out = 0n;
  for (let i = 0n; i < 64n; i += 8n) out = (out << 8n) | ((value >> i) & 0xffn);
  return out;
}

const readBig = (memory: PhysicalMemory, at: bigint): bigint | undefined => {
  const value = memory.read(at, 8);
  return value === undefined ? undefined : swap(value);
};

/** Where a walk ended: the entry, where it stands, and the size of its page as a power of two. */
export interface Leaf {
  readonly entry: bigint;
  readonly at: bigint;
  readonly bits: number;
}

/** What the hypervisor knows of the partition: state of the platform's device of this name. */
export interface Partition extends Record<string, bigint> {
  /** Second doubleword of the partition table entry: where the process table is, and its size. */
  processTable: bigint;
}

/** The walk alone, without permissions: the leaf, or the bits that tell why there is none. `pid`: 0 for quadrant 3. */
export function walk(table: bigint, pid: bigint, address: bigint, memory: PhysicalMemory): Leaf | bigint {
  if (pid * 16n >= 1n << ((table & SIZE) + 12n)) return STORAGE.noTranslation;
  const root = readBig(memory, (table & 0x0fff_ffff_ffff_f000n) + pid * 16n);
  if (root === undefined) return STORAGE.noTranslation | STORAGE.processTable;
  const span = 31n + (((root >> 58n) & 0x18n) | ((root >> 5n) & 7n));
  if (span !== BigInt(TREE_BITS)) return STORAGE.badTree;
  let left = TREE_BITS;
  let base = root & BASE;
  let size = Number(root & SIZE);
  for (;;) {
    if (size < LEAST || size > left - 12) return STORAGE.badTree;
    left -= size;
    const at = base + ((address >> BigInt(left)) & ((1n << BigInt(size)) - 1n)) * 8n;
    const entry = readBig(memory, at);
    if (entry === undefined || (entry & VALID) === 0n) return STORAGE.noTranslation;
    if ((entry & LEAF) !== 0n) return { entry, at, bits: left };
    base = entry & BASE;
    size = Number(entry & SIZE);
  }
}

export interface Rights {
  readonly read: boolean;
  readonly write: boolean;
  readonly fetch: boolean;
}

const NOTHING: Rights = { read: false, write: false, fetch: false };

/** What a level may do with a page: its encoded access authority, and key 0 of AMR and IAMR for supervisor state at a page of problem state. */
export function rights(entry: bigint, level: number, amr: bigint, iamr: bigint): Rights {
  const privileged = (entry & PRIVILEGE) !== 0n;
  if (level === 0 && privileged) return NOTHING;
  const keyed = level !== 0 && !privileged;
  const bit = (word: bigint, n: bigint): boolean => keyed && ((word >> n) & 1n) !== 0n;
  return {
    read: (entry & (READ | WRITE)) !== 0n && !bit(amr, 62n),
    write: (entry & WRITE) !== 0n && !bit(amr, 63n),
    fetch: (entry & EXECUTE) !== 0n && !bit(iamr, 62n) && (entry & ATTRIBUTE) !== NON_IDEMPOTENT,
  };
}

function refuseHash(view: View, kind: AccessKind): never {
  const bit = kind === 'fetch' ? 'IR' : 'DR';
  throw new CountervisorError(
    'CV_UNMODELLED_HASH_MMU',
    `MSR[${bit}] is 1 at pc 0x${view.get('NIA').toString(16)}, and ${view.cpu.name} translates by a hashed page table, which is not modelled.`,
    'Stay in real mode (MSR[IR] and MSR[DR] 0, which excludes problem state), or use --cpu power9 or power10, which translate by radix.',
  );
}

/** `Isa.translate`. */
export function translate(
  view: View,
  virtual: bigint,
  kind: AccessKind,
  level: number,
  memory: PhysicalMemory,
): Translation | Exception {
  const msr = view.get('MSR');
  const fetching = kind === 'fetch';
  // Where instructions and data are translated differently, one answer never serves the other.
  const alike = ((msr & MSR.IR) !== 0n) === ((msr & MSR.DR) !== 0n);
  const data = alike || !fetching;
  const code = alike || fetching;
  if ((msr & (fetching ? MSR.IR : MSR.DR)) === 0n) {
    return { physical: virtual & REAL, read: data, write: data, fetch: code };
  }
  if (!hasRadix(view.cpu)) refuseHash(view, kind);
  const quadrant = virtual >> 62n;
  if (quadrant === 1n || quadrant === 2n || (virtual & OUTSIDE) !== 0n) return segment(kind, virtual);
  const { processTable } = view.device<Partition>('partition');
  const leaf = walk(processTable, quadrant === 0n ? view.get('PIDR') : 0n, virtual, memory);
  if (typeof leaf === 'bigint') return storage(kind, virtual, leaf);
  const may = rights(leaf.entry, level, view.get('AMR'), view.get('IAMR'));
  if (!may[kind]) return storage(kind, virtual, fetching ? STORAGE.noExecute : STORAGE.protection);
  const seen = leaf.entry | REFERENCED | (kind === 'write' ? CHANGED : 0n);
  if (seen !== leaf.entry) memory.write(leaf.at, 8, swap(seen & M64));
  const offset = (1n << BigInt(leaf.bits)) - 1n;
  return {
    physical: (leaf.entry & REAL_PAGE & ~offset) | (virtual & offset),
    read: may.read && data,
    // The first store to a page sets C, so it must come here.
    write: may.write && data && (seen & CHANGED) !== 0n,
    fetch: may.fetch && code,
  };
}

/** Sets of translations that are kept apart: problem or supervisor state, and IR and DR. */
export const regimes = 8;

export function regime(view: View, level: number): number {
  const msr = view.get('MSR');
  return level * 4 + ((msr & MSR.IR) === 0n ? 0 : 2) + ((msr & MSR.DR) === 0n ? 0 : 1);
}
