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
    this.buffer = memory.buffer as ArrayBuffer;
    this.words = new Int32Array(this.buffer);
    this.bytes = new Uint8Array(this.buffer);
    this.view = new DataView(this.buffer);
    this.ranges = ranges;
    this.watched = new Uint8Array(layout.bytes / PAGE);
  }

  /** Host offset of the page that holds a guest-physical address, or -1. */
  page(physical: bigint): number {
    let offset = this.layout.ram;
    for (const range of this.ranges) {
      const at = physical - range.base;
      // Not by bits: an offset may have more than 31.
      if (at >= 0n && at < BigInt(range.bytes)) return offset + Number(at) - (Number(at) % PAGE);
      offset += range.bytes;
    }
    return -1;
  }

  /** Host offset of a guest-physical byte, or -1. */
  host(physical: bigint): number {
    const page = this.page(physical);
    return page < 0 ? -1 : page + Number(physical & 0xfffn);
  }

  /** A view of guest-physical bytes when all of them are contiguous memory. */
  slice(physical: bigint, length: number): Uint8Array | undefined {
    if (length < 0 || length > this.bytes.length) return undefined;
    const at = this.host(physical);
    if (at < 0) return undefined;
    if (length > 0 && this.host(physical + BigInt(length - 1)) !== at + length - 1) return undefined;
    return this.bytes.subarray(at, at + length);
  }

  read(physical: bigint, size: 1 | 2 | 4 | 8): bigint | undefined {
    const at = this.slice(physical, size)?.byteOffset;
    if (at === undefined) return undefined;
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
    const at = this.slice(physical, size)?.byteOffset;
    if (at === undefined) return false;
    for (let i = 0; i < size; i++) this.bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
    return true;
  }
}
