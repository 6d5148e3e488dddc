/**
 * A domain's memory: one WebAssembly.Memory with the state blocks, the soft-TLBs and guest RAM. Guest-physical addresses go through a page map
 * to host offsets, never through an addition, so that sparse memory and shared pages need no second way.
 */
import { fail } from '../report/errors.ts';
import { type Layout, PAGE } from './layout.ts';

export interface Range {
  readonly base: bigint;
  readonly bytes: number;
}

export class DomainMemory {
  readonly layout: Layout;
  /** The memory itself, for translated code. */
  readonly wasm: WebAssembly.Memory;
  readonly buffer: ArrayBuffer;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly ranges: readonly Range[];
  /** Host page number → number of decoded pages that watch it; stores to a watched page take the slow way. */
  readonly watched: Uint8Array;

  constructor(layout: Layout, ranges: readonly Range[]) {
    this.layout = layout;
    const pages = layout.bytes / 65536;
    let memory: WebAssembly.Memory;
    try {
      memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    } catch {
      throw fail('CV_MEMORY_EXHAUSTED', { bytes: String(layout.bytes) });
    }
    this.wasm = memory;
    this.buffer = memory.buffer as ArrayBuffer;
    this.words = new Int32Array(this.buffer);
    this.bytes = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
    this.ranges = ranges;
    this.watched = new Uint8Array(layout.bytes / PAGE);
  }

  /** Host offset of a guest-physical byte, or -1. */
  host(physical: bigint): number {
    let offset = this.layout.ram;
    for (const { base, bytes } of this.ranges) {
      const at = Number(physical - base);
      if (at >= 0 && at < bytes) return offset + at;
      offset += bytes;
    }
    return -1;
  }

  /** Host offset of the page that holds a guest-physical address, or -1. */
  page(physical: bigint): number {
    const at = this.host(physical);
    return at < 0 ? -1 : at - (at % PAGE);
  }

  /** Host offset of `size` bytes when all of them are contiguous memory, or -1. */
  #contiguous(physical: bigint, size: number): number {
    let offset = this.layout.ram;
    for (const { base, bytes } of this.ranges) {
      const at = Number(physical - base);
      if (at >= 0 && at < bytes) {
        if (at + size <= bytes) return offset + at;
        return this.host(physical + BigInt(size - 1)) === offset + at + size - 1 ? offset + at : -1;
      }
      offset += bytes;
    }
    return -1;
  }

  /** A view of guest-physical bytes when all of them are contiguous memory. */
  slice(physical: bigint, length: number): Uint8Array | undefined {
    if (length < 0 || length > this.bytes.length) return undefined;
    const at = this.#contiguous(physical, length);
    return at < 0 ? undefined : this.bytes.subarray(at, at + length);
  }

  read(physical: bigint, size: 1 | 2 | 4 | 8): bigint | undefined {
    const at = this.#contiguous(physical, size);
    if (at < 0) return undefined;
    switch (size) {
      case 1:
        return BigInt(this.view.getUint8(at));
      case 2:
        return BigInt(this.view.getUint16(at, true));
      case 4:
        return BigInt(this.view.getUint32(at, true));
      default:
        return this.view.getBigUint64(at, true);
    }
  }

  write(physical: bigint, size: 1 | 2 | 4 | 8, value: bigint): boolean {
    const at = this.#contiguous(physical, size);
    if (at < 0) return false;
    switch (size) {
      case 1:
        this.view.setUint8(at, Number(value & 0xffn));
        break;
      case 2:
        this.view.setUint16(at, Number(value & 0xffffn), true);
        break;
      case 4:
        this.view.setUint32(at, Number(value & 0xffff_ffffn), true);
        break;
      default:
        this.view.setBigUint64(at, value, true);
    }
    return true;
  }
}
