/** From an ELF file to segments in a domain's RAM. System V gABI, chapter 5, "Program Loading" and "Dynamic Linking". */
import { elfMachine } from '@countervisor/contract';
import { type ElfImage, type ElfSegment, ET, elfType, PT, SHT, segmentBytes } from './elf.ts';
import type { ElfSymbols } from './elf-symbols.ts';
import { refuse } from './errors.ts';
import { hex, type LoadedImage, type LoadedSegment, type RamRange, requireInRam, span } from './image.ts';
import { type ElfRelative, relocate } from './relocate.ts';

/** What a platform accepts and where things go. */
export interface ElfPlace {
  /** `e_machine` numbers. */
  readonly machines: readonly number[];
  /** Accepted classes and byte orders; both if not given. */
  readonly classes?: readonly (32 | 64)[];
  readonly orders?: readonly ('little' | 'big')[];
  /** The section whose entries are function descriptors; the entry point may be the address of one. */
  readonly descriptors?: string | undefined;
  /** Guest-physical address for the lowest segment of a position-independent image. */
  readonly base: bigint;
  readonly ram: readonly RamRange[];
  /** Machines whose relative relocations are applied here. Without a row the image relocates itself, as bare-metal ones do. */
  readonly relative?: readonly ElfRelative[];
}

export interface LoadedElf extends LoadedImage {
  readonly machine: number;
  readonly class: 32 | 64;
  readonly order: 'little' | 'big';
  /** What was added to every link-time address: 0 but for position-independent images. */
  readonly bias: bigint;
  /** At the addresses where the image was loaded (virtual ones, if the image was linked with distinct virtual addresses). */
  readonly symbols: ElfSymbols;
  /** The dynamic linker that the image asks for. Nobody runs it here; linkers write it into any -pie image unless told not to. */
  readonly interpreter: string | undefined;
}

/** A loadable segment and where it goes. */
export interface Placed {
  readonly segment: ElfSegment;
  readonly address: bigint;
}

/**
 * Places an image's segments at their physical addresses (`p_paddr`): what a guest with its MMU off sees. The entry point, a virtual address,
 * moves along with its segment.
 * @throws CV_ELF_TYPE, CV_ELF_MACHINE, CV_ELF_KIND, CV_ELF_EMPTY, CV_ELF_BASE, CV_IMAGE_OUTSIDE_RAM, CV_ELF_OVERLAP, CV_ELF_ENTRY,
 * CV_ELF_RELOCATION
 */
export function loadElf(image: ElfImage, place: ElfPlace): LoadedElf {
  const { file } = image;
  accept(image, place);
  const loads = image.segments.filter((segment) => segment.type === PT.LOAD && segment.memsz > 0n);
  if (loads.length === 0) throw refuse('CV_ELF_EMPTY', { file });

  const bias = image.type === ET.DYN ? biasOf(file, loads, place.base) : 0n;
  const placed = loads.map((segment) => ({ segment, address: segment.paddr + bias }));
  for (const { segment, address } of placed) {
    requireInRam(file, `segment ${segment.index}`, address, segment.memsz, place.ram);
  }
  requireApart(file, placed);

  const code = entryOf(image, place.descriptors);
  const home = placed.find(({ segment }) => code >= segment.vaddr && code < segment.vaddr + segment.memsz);
  if (home === undefined) throw refuse('CV_ELF_ENTRY', { file, entry: hex(code) });

  const relative = image.type === ET.DYN ? place.relative?.find((row) => row.machine === image.machine) : undefined;
  const patched = relative === undefined ? undefined : relocate(image, placed, bias, relative);
  const segments: LoadedSegment[] = placed.map(({ segment, address }) => ({
    address,
    bytes: patched?.get(segment) ?? segmentBytes(image, segment),
    size: Number(segment.memsz),
  }));
  return {
    entry: code - home.segment.vaddr + home.address,
    segments,
    end: segments.reduce((end, { address, size }) => (address + BigInt(size) > end ? address + BigInt(size) : end), 0n),
    machine: image.machine,
    class: image.class,
    order: image.order,
    bias,
    symbols: image.symbols.biased(bias),
    interpreter: interpreterOf(image),
  };
}

/** Link-time address of the first instruction: the entry point, or what the descriptor there says. */
function entryOf(image: ElfImage, descriptors: string | undefined): bigint {
  const { entry } = image;
  const section = image.sections.find(
    ({ name, type, addr, size }) =>
      name === descriptors && type !== SHT.NOBITS && entry >= addr && entry + 8n <= addr + size,
  );
  return section === undefined ? entry : image.fields.word(Number(section.offset + entry - section.addr), [0, 0]);
}

function accept(image: ElfImage, place: ElfPlace): void {
  const { file } = image;
  if (!place.machines.includes(image.machine)) {
    throw refuse('CV_ELF_MACHINE', {
      file,
      machine: elfMachine(image.machine),
      accepted: place.machines.map(elfMachine).join(' and '),
    });
  }
  if (image.type !== ET.EXEC && image.type !== ET.DYN) throw refuse('CV_ELF_TYPE', { file, type: elfType(image.type) });
  if (place.classes !== undefined && !place.classes.includes(image.class)) {
    throw refuse('CV_ELF_KIND', {
      file,
      kind: `ELF${image.class}`,
      accepted: place.classes.map((bits) => `ELF${bits}`).join(' and '),
    });
  }
  if (place.orders !== undefined && !place.orders.includes(image.order)) {
    throw refuse('CV_ELF_KIND', {
      file,
      kind: `${image.order}-endian`,
      accepted: place.orders.map((order) => `${order}-endian`).join(' and '),
    });
  }
}

/** gABI chapter 5, "Base Address": the distance between the lowest segment's place in memory and in the file, in whole pages of the image. */
function biasOf(file: string, loads: readonly ElfSegment[], base: bigint): bigint {
  const align = loads.reduce((most, segment) => (segment.align > most ? segment.align : most), 1n);
  const lowest = loads.reduce((least, segment) => (segment.paddr < least ? segment.paddr : least), loads[0]!.paddr);
  if (base % align !== 0n) throw refuse('CV_ELF_BASE', { file, base: hex(base), align: hex(align) });
  return base - (lowest - (lowest % align));
}

function requireApart(file: string, placed: readonly Placed[]): void {
  const sorted = [...placed].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  for (const [i, b] of sorted.entries()) {
    const a = sorted[i - 1];
    if (a === undefined || a.address + a.segment.memsz <= b.address) continue;
    const name = (one: Placed): string => `segment ${one.segment.index} at ${span(one.address, one.segment.memsz)}`;
    throw refuse('CV_ELF_OVERLAP', { file, a: name(a), b: name(b) });
  }
}

function interpreterOf(image: ElfImage): string | undefined {
  const segment = image.segments.find(({ type, filesz }) => type === PT.INTERP && filesz > 0);
  return segment && image.fields.string(segment.offset, segment.offset + segment.filesz, 4096);
}
