/**
 * Multiboot, version 1: the header that an image may carry, and the information block that its loader leaves in memory. Specification 0.6.96: 3.1 (header),
 * 3.3 (information).
 */
import type { BootBlock } from '@countervisor/contract';
import { refuse } from './errors.ts';
import { hex, type LoadedImage, type RamRange, requireInRam } from './image.ts';

const MAGIC = 0x1bad_b002;
/** The header lies wholly within so many bytes, at a multiple of four. */
const WITHIN = 8192;

/** Demands that this loader meets: modules on pages (there are none), memory information. Bit 2, a video mode, it does not. */
const MET = 0x3;
const DEMANDS = 0xffff;
const HAS_ADDRESSES = 0x1_0000;

/** Guest-physical addresses of the header's own fields. 0 in `loadEnd`: to the end of the file; 0 in `bssEnd`: nothing behind. */
export interface Addresses {
  readonly header: number;
  readonly load: number;
  readonly loadEnd: number;
  readonly bssEnd: number;
  readonly entry: number;
}

export interface Header {
  /** Offset in the file, bytes. */
  readonly at: number;
  readonly addresses?: Addresses;
}

const problem = (file: string, text: string): Error => refuse('CV_MULTIBOOT_HEADER', { file, problem: text });

/** The image's header, if it has one. @throws CV_MULTIBOOT_HEADER for one that asks for what is not offered, or is cut off. */
export function headerOf(bytes: Uint8Array, file: string): Header | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const most = Math.min(WITHIN, bytes.length) - 12;
  for (let at = 0; at <= most; at += 4) {
    if (view.getUint32(at, true) !== MAGIC) continue;
    const flags = view.getUint32(at + 4, true);
    if (((MAGIC + flags + view.getUint32(at + 8, true)) & 0xffff_ffff) !== 0) continue;
    const unmet = flags & DEMANDS & ~MET;
    if (unmet !== 0) throw problem(file, `demands what is not offered (flags ${hex(unmet)})`);
    if ((flags & HAS_ADDRESSES) === 0) return { at };
    if (at + 32 > bytes.length) throw problem(file, 'is cut off before its addresses');
    const [header = 0, load = 0, loadEnd = 0, bssEnd = 0, entry = 0] = [12, 16, 20, 24, 28].map((o) =>
      view.getUint32(at + o, true),
    );
    return { at, addresses: { header, load, loadEnd, bssEnd, entry } };
  }
  return undefined;
}

/** One stretch of memory from the file, as the header's addresses say. @throws CV_MULTIBOOT_HEADER, CV_IMAGE_OUTSIDE_RAM */
export function loadByHeader(
  bytes: Uint8Array,
  file: string,
  at: number,
  { header, load, loadEnd, bssEnd, entry }: Addresses,
  ram: readonly RamRange[],
): LoadedImage {
  const from = at - (header - load);
  if (load > header || from < 0)
    throw problem(file, `puts its own address ${hex(header)} where no byte of the file is`);
  const length = loadEnd === 0 ? bytes.length - from : loadEnd - load;
  if (length <= 0 || from + length > bytes.length) {
    throw problem(file, `loads ${length} bytes from offset ${from}, and the file has ${bytes.length}`);
  }
  const end = bssEnd === 0 ? load + length : bssEnd;
  if (end < load + length) throw problem(file, `ends its memory at ${hex(end)}, before what it loads`);
  if (entry < load || entry >= end) throw problem(file, `has its entry ${hex(entry)} outside what it loads`);
  requireInRam(file, 'the image', BigInt(load), BigInt(end - load), ram);
  return {
    entry: BigInt(entry),
    segments: [{ address: BigInt(load), bytes: bytes.subarray(from, from + length), size: end - load }],
    end: BigInt(end),
  };
}

const KIB = 1024n;

/** Bytes of the information structure as far as it is filled, and of one entry of the memory map. */
const INFORMATION = 88;
const ENTRY = 24;

/** Memory, command line, memory map, loader's name: bits 0, 2, 6 and 9. */
const FLAGS = 0x245;

/** A C string. @throws CV_BOOT_BLOCK for one that a C string cannot be */
function text(value: string, file: string): Uint8Array {
  if (value.includes('\0')) throw refuse('CV_BOOT_BLOCK', { file, what: 'a zero byte in its command line' });
  return new TextEncoder().encode(`${value}\0`);
}

/** Longer command lines have no use, and would reach what the platform keeps there. */
const MOST_TEXT = 4096;

/** The information structure, and behind it what it points at: the map, the command line, the loader's name. */
export function packBootBlock(block: BootBlock, file: string): Uint8Array {
  const line = text(block.commandLine, file);
  const loader = text(block.loader, file);
  if (line.length > MOST_TEXT) throw refuse('CV_BOOT_BLOCK', { file, what: `a command line of ${line.length} bytes` });
  const mapAt = INFORMATION;
  const lineAt = mapAt + block.map.length * ENTRY;
  const loaderAt = lineAt + line.length;
  const bytes = new Uint8Array(loaderAt + loader.length);
  const view = new DataView(bytes.buffer);
  const put = (offset: number, value: number | bigint): void => view.setUint32(offset, Number(value), true);
  const where = (offset: number): bigint => block.address + BigInt(offset);
  put(0, FLAGS);
  put(4, block.lower / KIB);
  put(8, block.upper / KIB);
  put(16, where(lineAt));
  put(44, block.map.length * ENTRY);
  put(48, where(mapAt));
  put(64, where(loaderAt));
  for (const [n, { base, length, usable }] of block.map.entries()) {
    const at = mapAt + n * ENTRY;
    // The size does not count itself.
    put(at, ENTRY - 4);
    view.setBigUint64(at + 4, base, true);
    view.setBigUint64(at + 12, length, true);
    put(at + 20, usable ? 1 : 2);
  }
  bytes.set(line, lineAt);
  bytes.set(loader, loaderAt);
  return bytes;
}
