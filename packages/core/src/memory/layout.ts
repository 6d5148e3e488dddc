/**
 * Where things stand in a domain's one WebAssembly.Memory (engine constraint 1 of ARCHITECTURE.md, "The engine"):
 *
 *   0        scratch: a page nothing may point at, with what translated code tells; then the temporaries of the instruction that is executing
 *   counts   retired instructions by class, and signals that only the run knows, since the last fold
 *   pool     constants of lifted instructions, 8 bytes each
 *   jumps    where translated code is, by address
 *   tlb      soft-TLB sets: pCPU × regime × entries
 *   vcpus    one block each: every register in an 8-byte slot, then the live bank
 *   ram      guest memory, behind a page map
 */
import type { CompiledArch } from '../load/compile.ts';
import { CLASSES } from '../pmu/classes.ts';

export const PAGE = 4096;
/** Temporaries one instruction may use. */
export const TEMPORARIES = 256;
export const POOL_CONSTANTS = 8192;
export const TLB_ENTRIES = 256;
/** Int32 words of a TLB entry: read tag lo/hi, write tag lo/hi, fetch tag lo/hi, host offset of the page, 1 where unaligned accesses fault. */
export const TLB_WORDS = 8;
const SCRATCH = 1024;
/**
 * Byte offsets of what translated code tells when it is left: why; the page whose code ran last, as a number and as a host offset; and of what it is
 * told: how many critical signals it may emit.
 */
export const CONTROL: {
  readonly reason: number;
  readonly host: number;
  readonly page: number;
  readonly rare: number;
} = {
  reason: 64,
  host: 68,
  page: 72,
  rare: 80,
};
/** Two to this are the entries of the cache of translated code by address; bytes of one: address (8), host page and context (4), function (4). */
export const JUMP_BITS = 10;
export const JUMP_ENTRY = 16;
/** Room for the signals. */
const SIGNALS = 32;

export interface Layout {
  readonly temporaries: number;
  readonly counts: number;
  readonly signals: number;
  readonly pool: number;
  readonly jumps: number;
  readonly tlb: number;
  readonly tlbSet: number;
  readonly regimes: number;
  readonly vcpus: number;
  /** Bytes of a vCPU block. */
  readonly block: number;
  /** Byte offset of the live bank inside a block. */
  readonly live: number;
  readonly ram: number;
  /** Bytes in all, a multiple of the WebAssembly page. */
  readonly bytes: number;
}

const up = (n: number, to: number): number => Math.ceil(n / to) * to;

/** Byte offsets for a domain of `vcpus` on `pcpus` with `memory` bytes of RAM. */
export function layout(arch: CompiledArch, vcpus: number, pcpus: number, memory: number): Layout {
  const temporaries = SCRATCH;
  const counts = temporaries + TEMPORARIES * 8;
  const signals = counts + CLASSES * 4;
  const pool = signals + SIGNALS * 8;
  const jumps = pool + POOL_CONSTANTS * 8;
  const tlb = up(jumps + JUMP_ENTRY * 2 ** JUMP_BITS, 64);
  const tlbSet = TLB_ENTRIES * TLB_WORDS * 4;
  const regimes = arch.arch.isa.regimes;
  const blocks = up(tlb + tlbSet * regimes * pcpus, 64);
  const live = arch.registers.length * 8;
  const block = up(live + arch.bankSlots * 8, 64);
  const ram = up(blocks + block * vcpus, 65536);
  const bytes = up(ram + memory, 65536);
  return { temporaries, counts, signals, pool, jumps, tlb, tlbSet, regimes, vcpus: blocks, block, live, ram, bytes };
}
