/** What every kind of image becomes: segments at guest-physical addresses, an entry point, and the check that they lie in RAM. */
import { refuse } from './errors.ts';

/** A stretch of guest-physical RAM. */
export interface RamRange {
  readonly base: bigint;
  readonly bytes: number;
}

/** What goes to one place of memory: `bytes` at `address`, then zeros up to `size`. */
export interface LoadedSegment {
  /** Guest-physical. */
  readonly address: bigint;
  /** A view into the file where nothing had to be changed; never write to it. */
  readonly bytes: Uint8Array;
  /** In memory, bytes; at least `bytes.length`. */
  readonly size: number;
}

export interface LoadedImage {
  /** Guest-physical address of the first instruction. */
  readonly entry: bigint;
  readonly segments: readonly LoadedSegment[];
  /** First address behind the highest segment. */
  readonly end: bigint;
}

export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** `[start, end)` as people write it. */
export const span = (start: bigint, size: bigint): string => `${hex(start)}–${hex(start + size - 1n)}`;

/** Refuses what does not lie wholly in one range. @throws CV_IMAGE_OUTSIDE_RAM */
export function requireInRam(
  file: string,
  what: string,
  address: bigint,
  size: bigint,
  ram: readonly RamRange[],
): void {
  if (ram.some((range) => address >= range.base && address + size <= range.base + BigInt(range.bytes))) return;
  const ranges = ram.filter((range) => range.bytes > 0).map((range) => span(range.base, BigInt(range.bytes)));
  throw refuse('CV_IMAGE_OUTSIDE_RAM', {
    file,
    what: `${what} at ${span(address, size)}`,
    ram: ranges.length === 0 ? 'it has none' : ranges.join(', '),
  });
}
