/**
 * One domain's execution: its memory, its soft-TLBs, its decoded code, and the doors through which ops reach the rest of core. The stepper and
 * every later back end drive the same object; nothing here knows an architecture.
 */
import type { AccessKind, Affects, CodeReader, Decoded, Exception, Translation } from '@countervisor/contract';
import { AFFECTS, type CompiledArch } from '../load/compile.ts';
import { PAGE, POOL_CONSTANTS, TLB_ENTRIES, TLB_WORDS } from '../memory/layout.ts';
import type { DomainMemory } from '../memory/memory.ts';
import { CLASSES, SIGNAL_INDEX, SIGNAL_NAMES, type SignalClasses } from '../pmu/classes.ts';
import { CodeCache, type CodePage, type Insn } from './code.ts';

/** Why the loop must look up: bits of `Engine.attention`. */
export const ATTENTION: Readonly<Record<Affects | 'leave' | 'unaligned', number>> = {
  ...AFFECTS,
  /** The vCPU has left: waiting, off, or its domain is over. */
  leave: 32,
  /** An access of this instruction was not aligned. */
  unaligned: 64,
};

/** What the vCPU that executes looks like to the engine. */
export interface Running {
  /** Word index of its block. */
  readonly s: number;
  level: number;
}

/** What the engine asks of the machine: each call is one of the two roads, or memory that is not RAM. */
export interface Doors<V extends Running> {
  /** Register access by address; value in and out through `Engine.lo/hi`. 0: done; else a `CODE`. */
  access(v: V, space: string, index: number, write: boolean): number;
  trap(v: V, cause: string, argument: bigint): number;
  call(v: V, helper: string, args: readonly bigint[]): bigint;
  /** Takes the exception in `Engine.fault`; `raised`: by an instruction that has retired. */
  take(v: V, exception: Exception, raised?: boolean): void;
  /** Physical access outside RAM, or to a port; value through `lo/hi`. False: nothing answers there. */
  device(v: V, physical: bigint, size: number, write: boolean, space?: 'io'): boolean;
  translate(v: V, virtual: bigint, kind: AccessKind, level: number): Translation | Exception;
  /** Does every unaligned data access of this vCPU fault, wherever it goes? */
  checksAlignment(v: V): boolean;
  regime(v: V, level: number): number;
  decode(v: V, code: CodeReader, pc: bigint): Decoded | undefined;
  mode(v: V): number;
  fault(
    v: V,
    which: 'undefined' | 'alignment' | 'bus' | 'fetch',
    address: bigint,
    physical: bigint,
    kind: AccessKind,
  ): Exception | undefined;
}

/** `Engine.resolve`: the access goes to a device at `Engine.physical`. */
export const DEVICE = -2;
const FAULT = -1;

/** Words of a soft-TLB entry: its tags by kind of access, the host offset of the page, and whether unaligned accesses fault. */
const TAGS: Readonly<Record<AccessKind, number>> = { read: 0, write: 2, fetch: 4 };
const HOST = 6;
const STRICT = 7;

export class Engine<V extends Running = Running> {
  readonly arch: CompiledArch;
  readonly memory: DomainMemory;
  readonly classes: SignalClasses;
  readonly doors: Doors<V>;
  readonly m: Int32Array;
  readonly bytes: Uint8Array;
  readonly halves: Uint16Array;
  /** Word index of PC in a vCPU's block. */
  readonly pcWord: number;
  /** Two to this are the bytes of the code cache's grain. */
  readonly grainBits: number;
  readonly code: CodeCache;
  /** Retired instructions by class since the last fold. In the domain's memory, so that translated code counts there, too. */
  readonly counts: Int32Array;
  /** Signals that only the run could know, since the last fold. */
  readonly extra: Float64Array;
  /** Signals that somebody counts now, bit per signal; translated code need not tell others apart. */
  needed = -1;
  /** Signals whose next occurrence may be an overflow: bit per signal. */
  critical = 0;
  /** So many of them, one with the other, surely cause none. */
  rare = 0;
  attention = 0;
  /** The running vCPU. */
  v!: V;
  /** Word index of its soft-TLB set. */
  tlb = 0;
  /** 64-bit value in transit, as words. */
  lo = 0;
  hi = 0;
  physical = 0n;
  fault: Exception | undefined;
  /** The code page that executes: virtual page as tag words. */
  page: CodePage | undefined;
  pageLo = -1;
  pageHi = -1;
  /** Its host offset, and the mode its code is decoded in. */
  pageHost = 0;
  pageMode = 0;
  /** Where control arrives so often, the stepper stops when it hunts for hot code: at `reached`. */
  hunting = false;
  /** Has a jump led to PC: of translated code, which does not have it, or the last instruction before core looked up? */
  led = false;
  /** More arrivals than this make it hot. */
  hot = 100;
  reached: Insn | undefined;
  /** Told when a page's code is dropped; without a page, all of it. */
  dropped: ((hostPage?: number) => void) | undefined;
  /** Bytes that did not decode, for syndromes. */
  bits = 0n;
  /** The instruction that was built last without a page to keep it: it crosses into another one. */
  homeless: Insn | undefined;
  /** Does somebody sample? Then the last instruction that retired and its last data access are kept; size 0: it made none. */
  noting = false;
  /** Its row's name; of an exception that was taken since, its kind. */
  retired: string | undefined;
  retiredLo = 0;
  retiredHi = 0;
  noteLo = 0;
  noteHi = 0;
  noteSize = 0;
  noteWrite = false;
  /** An instruction before which to stop; code decoded before it was set does not know it. */
  stop: { readonly pc: bigint; reached(): void } | undefined;
  #pcpu = 0;
  readonly #last: (V | undefined)[] = [];
  #poolUsed = 0;
  readonly #pool = new Map<bigint, number>();

  constructor(arch: CompiledArch, memory: DomainMemory, classes: SignalClasses, doors: Doors<V>) {
    this.arch = arch;
    this.memory = memory;
    this.classes = classes;
    this.doors = doors;
    this.m = memory.words;
    this.bytes = memory.bytes;
    this.halves = new Uint16Array(memory.buffer);
    this.counts = new Int32Array(memory.buffer, memory.layout.counts, CLASSES);
    this.extra = new Float64Array(memory.buffer, memory.layout.signals, SIGNAL_NAMES.length);
    this.pcWord = arch.pc.id * 2;
    this.grainBits = Math.log2(arch.arch.isa.grain);
    this.code = new CodeCache(memory.watched, PAGE / arch.arch.isa.grain);
    this.flush();
  }

  /** The vCPU that runs from now on, and on which physical CPU. */
  enter(v: V, pcpu: number): void {
    this.v = v;
    this.#pcpu = pcpu;
    // Translations belong to the vCPU that made them; the set of a physical CPU survives while another domain runs on it.
    if (this.#last[pcpu] !== v) this.flushSet(pcpu);
    this.#last[pcpu] = v;
    this.relevel();
  }

  /** The instruction that executes, while PC is still at it. Found when asked for: noting it each time would cost a tenth of the stepper's time. */
  get insn(): Insn | undefined {
    const lo = this.m[this.v.s + this.pcWord] as number;
    return this.page?.[(lo & (PAGE - 1)) >> this.grainBits] ?? this.homeless;
  }

  /** Level or regime changed: another TLB set, another view of code. */
  relevel(): void {
    const { layout } = this.memory;
    const set = this.#pcpu * layout.regimes + this.doors.regime(this.v, this.v.level);
    this.tlb = (layout.tlb + set * layout.tlbSet) >> 2;
    this.pageLo = -1;
    this.pageHi = -1;
    this.page = undefined;
  }

  /** Forgets every translation of the domain. */
  flush(): void {
    const { layout } = this.memory;
    this.m.fill(-1, layout.tlb >> 2, layout.vcpus >> 2);
    this.pageLo = -1;
    this.pageHi = -1;
    this.page = undefined;
  }

  flushSet(pcpu: number): void {
    const { layout } = this.memory;
    const at = (layout.tlb + pcpu * layout.regimes * layout.tlbSet) >> 2;
    this.m.fill(-1, at, at + ((layout.regimes * layout.tlbSet) >> 2));
  }

  /** Word index of a constant, or -1 when the pool is full: then all code is dropped and lifted anew. */
  constant(value: bigint): number {
    const known = this.#pool.get(value);
    if (known !== undefined) return known;
    if (this.#poolUsed >= POOL_CONSTANTS) return -1;
    const at = (this.memory.layout.pool >> 2) + 2 * this.#poolUsed++;
    this.m[at] = Number(BigInt.asIntN(32, value));
    this.m[at + 1] = Number(BigInt.asIntN(32, value >> 32n));
    this.#pool.set(value, at);
    return at;
  }

  /** Drops all decoded code and its constants. */
  dropCode(): void {
    this.code.clear();
    this.dropped?.();
    this.#pool.clear();
    this.#poolUsed = 0;
    this.page = undefined;
    this.pageLo = -1;
    this.pageHi = -1;
    this.clearWriteTags();
  }

  /** After code was decoded from a page, stores to it must take the slow way. */
  clearWriteTags(): void {
    const { layout } = this.memory;
    for (let e = layout.tlb >> 2; e < layout.vcpus >> 2; e += TLB_WORDS) {
      this.m[e + 2] = -1;
      this.m[e + 3] = -1;
    }
  }

  emit(signal: number, amount: number): void {
    this.extra[signal] = (this.extra[signal] as number) + amount;
    if ((this.critical >>> signal) & 1) this.attention |= ATTENTION.pmu;
  }

  /**
   * Host offset for an access that does not cross a page, DEVICE, or -1 with `fault` set. The soft-TLB answers, and is filled, when the level is
   * the current one.
   */
  resolve(lo: number, hi: number, kind: AccessKind, level: number, unaligned: boolean): number {
    const { m } = this;
    const tagLo = (hi << 20) | (lo >>> 12);
    const tagHi = hi >>> 12;
    const own = level === this.v.level;
    const e = this.tlb + (tagLo & (TLB_ENTRIES - 1)) * TLB_WORDS;
    const tag = e + TAGS[kind];
    if (own && m[tag] === tagLo && m[tag + 1] === tagHi && (!unaligned || m[e + STRICT] === 0)) {
      return (m[e + HOST] as number) + (lo & (PAGE - 1));
    }
    const virtual = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
    const t = this.doors.translate(this.v, virtual, kind, level);
    if ('kind' in t) {
      this.fault = t;
      return FAULT;
    }
    if (unaligned && t.strict) {
      this.fault = this.doors.fault(this.v, 'alignment', virtual, t.physical, kind);
      return FAULT;
    }
    const page = this.memory.page(t.physical & ~0xfffn);
    if (page < 0) {
      this.physical = t.physical;
      return DEVICE;
    }
    // Beyond 2 GiB an offset is no word of the soft-TLB: such pages take the slow way.
    if (own && page < 0x8000_0000) {
      const write = t.write && this.memory.watched[page / PAGE] === 0;
      m[e] = t.read ? tagLo : -1;
      m[e + 1] = t.read ? tagHi : -1;
      m[e + 2] = write ? tagLo : -1;
      m[e + 3] = write ? tagHi : -1;
      m[e + 4] = t.fetch ? tagLo : -1;
      m[e + 5] = t.fetch ? tagHi : -1;
      m[e + HOST] = page;
      m[e + STRICT] = t.strict === true ? 1 : 0;
    }
    return page + (lo & (PAGE - 1));
  }

  /** A store reached host bytes that hold decoded code. */
  touch(offset: number): void {
    const page = Math.floor(offset / PAGE);
    if (this.memory.watched[page] === 0) return;
    this.code.invalidate(page);
    this.dropped?.(page);
    this.attention |= ATTENTION.decode;
  }

  /** This instruction has retired, or this exception was taken before it could; for whoever samples. */
  retire(name: string, lo: number, hi: number): void {
    this.retired = name;
    this.retiredLo = lo;
    this.retiredHi = hi;
  }

  get retiredPc(): bigint {
    return (BigInt(this.retiredHi >>> 0) << 32n) | BigInt(this.retiredLo >>> 0);
  }

  /** Records an unaligned access; counted when the instruction retires. */
  unaligned(): void {
    this.attention |= ATTENTION.unaligned;
  }
}

export const UNALIGNED: number = SIGNAL_INDEX.unaligned;
