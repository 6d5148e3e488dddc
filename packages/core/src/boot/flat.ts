/** Raw flat images: the file's bytes as they stand, at one address. */
import { isElf } from './elf.ts';
import { refuse } from './errors.ts';
import { hex, type LoadedImage, type RamRange, requireInRam } from './image.ts';

export interface FlatPlace {
  /** Guest-physical address of the file's first byte. */
  readonly address: bigint;
  /** Where in the file the first instruction stands, bytes; 0 if not given. */
  readonly entry?: number;
  readonly ram: readonly RamRange[];
}

/**
 * A raw image at an address.
 * @throws CV_FLAT_EMPTY, CV_FLAT_IS_ELF (nobody means to execute an ELF header), CV_FLAT_NUMBER, CV_FLAT_ENTRY, CV_IMAGE_OUTSIDE_RAM
 */
export function loadFlat(bytes: Uint8Array, file: string, place: FlatPlace): LoadedImage {
  const entry = place.entry ?? 0;
  if (bytes.length === 0) throw refuse('CV_FLAT_EMPTY', { file });
  if (isElf(bytes)) throw refuse('CV_FLAT_IS_ELF', { file });
  if (place.address < 0n || place.address >= 1n << 64n) {
    throw refuse('CV_FLAT_NUMBER', { file, what: 'the load address', value: hex(place.address) });
  }
  if (!Number.isInteger(entry) || entry < 0 || entry >= bytes.length) {
    throw refuse('CV_FLAT_ENTRY', { file, entry, length: bytes.length });
  }
  requireInRam(file, 'the image', place.address, BigInt(bytes.length), place.ram);
  return {
    entry: place.address + BigInt(entry),
    segments: [{ address: place.address, bytes, size: bytes.length }],
    end: place.address + BigInt(bytes.length),
  };
}
