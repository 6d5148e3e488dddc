/** Execution: how an architecture decodes, translates addresses and takes exceptions. */
import type { Lifter } from './lift.ts';
import type { Signal } from './pmu.ts';
import type { Vcpu, View } from './view.ts';

/** Reads guest code while decoding: the byte at an offset from the instruction's address; throws nothing, `undefined` past mapped memory. */
export interface CodeReader {
  u8(offset: number): number | undefined;
  /** Little-endian 32 bits, unsigned. */
  u32(offset: number): number | undefined;
}

/** One decoded instruction. The same object may serve every place where the same bytes stand at the same address. */
export interface Decoded {
  /** The row's name, for traces and tests. */
  readonly name: string;
  /** Bytes. */
  readonly length: number;
  /** Cost class, a key of `Isa.costs`. */
  readonly cost: string;
  /** What retiring it emits, beside `instruction` and the cycles of its cost class. A signal may repeat. */
  readonly signals: readonly Signal[];
  lift(b: Lifter): void;
}

/** What one kind of instruction costs, in cycles. Published, and replaceable by the host's settings (counting rule 9). */
export interface Cost {
  /** Cycles beyond the first: STALL_BACKEND and its like. */
  readonly backend: number;
  /** Cycles lost fetching: STALL_FRONTEND and its like. */
  readonly frontend: number;
}

export type AccessKind = 'read' | 'write' | 'fetch';

/** Where one page of virtual addresses leads. */
export interface Translation {
  /** Guest-physical address of the accessed byte. */
  readonly physical: bigint;
  /** May the same level also read, write, fetch this 4 KiB page? Lets the soft-TLB answer alone from now on. */
  readonly read: boolean;
  readonly write: boolean;
  readonly fetch: boolean;
  /** Unaligned accesses to it fault (device memory). */
  readonly strict?: boolean;
}

/** An exception for the guest. */
export interface Exception {
  /** The architecture's own name for it: 'data-abort', 'irq', 'undefined' … */
  readonly kind: string;
  readonly syndrome?: bigint;
  /** Faulting address. */
  readonly address?: bigint;
}

/** Reads page tables: guest-physical, `undefined` where no memory is. Sizes in bytes. */
export interface PhysicalMemory {
  read(physical: bigint, size: 4 | 8): bigint | undefined;
  write(physical: bigint, size: 4 | 8, value: bigint): boolean;
}

export interface Isa {
  /** Length of the shortest instruction, a power of two: the grain of the decode cache. */
  readonly grain: 1 | 2 | 4;
  /** Length of the longest, bytes. */
  readonly longest: number;
  /** The register that holds the address of the next instruction. */
  readonly pc: string;
  /** Cost classes and their defaults. */
  readonly costs: Readonly<Record<string, Cost>>;
  /** What a decoder must know beside the bytes (16/32/64-bit mode, byte order). Default 0. */
  mode?(view: View): number;
  /** `undefined`: no such instruction here. Features come from the CPU model. */
  decode(code: CodeReader, pc: bigint, mode: number, view: View): Decoded | undefined;
  /** How many sets of translations are kept apart, and which one is in use: the soft-TLB's part. Level and its kin. */
  readonly regimes: number;
  regime(view: View, level: number): number;
  /** Does every data access that is not a multiple of its size fault now, before its address is translated? Default: none does. */
  checksAlignment?(view: View): boolean;
  /** Pure but for accessed/dirty bits, which it may write through `memory`. */
  translate(
    view: View,
    virtual: bigint,
    kind: AccessKind,
    level: number,
    memory: PhysicalMemory,
  ): Translation | Exception;
  /** Takes an exception: saves what the architecture saves, enters the handler. PC holds the address the architecture must return to or report. */
  take(vcpu: Vcpu, exception: Exception): void;
  /** The exceptions that core itself can need. */
  readonly faults: {
    /** No instruction decodes here, or a register access is undefined. */
    undefined(view: View, bits: bigint): Exception;
    /**
     * A register access by address that is undefined or refused, where that is another exception than an undefined instruction's (#GP); or, where it
     * does nothing, what a read then gives.
     */
    register?(
      view: View,
      access: { readonly space: string; readonly index: number; readonly write: boolean },
      bits: bigint,
    ): Exception | { readonly ignored: bigint };
    /** Misaligned data address. */
    alignment(view: View, address: bigint, kind: AccessKind): Exception;
    /** No memory and no device answers at this physical address. `undefined`, for data alone: reads give ones, writes are lost. */
    bus(view: View, address: bigint, physical: bigint, kind: AccessKind): Exception | undefined;
    /** The program counter itself is misaligned; `undefined` where that can't be. */
    fetchAlignment?(view: View): Exception | undefined;
  };
  /** Rare helpers of `Lifter.call`. Each may change registers through the vCPU; the result is cut to 64 bits. */
  readonly helpers: Readonly<Record<string, (vcpu: Vcpu, args: readonly bigint[]) => bigint>>;
}
