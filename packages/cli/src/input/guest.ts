/** Guests as they are named on the command line: xl.cfg files, or images on their own. Read and told apart here, judged in plan.ts. */
import { basename, dirname, extname, isAbsolute, join } from 'node:path';
import type { Place } from '@countervisor/contract';
import { parseXlConfig, type XlConfig } from '@countervisor/core';
import { InputError, UsageError } from '../exit.ts';
import { type Io, readInput } from '../io.ts';

export interface Image {
  /** As messages name it. */
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly kind: 'elf' | 'flat';
}

export interface GuestSource {
  /** As the user named it. */
  readonly file: string;
  readonly xl: XlConfig;
  /** Was it given as an image, without a configuration? */
  readonly bare: boolean;
  /** Absent when the configuration names no kernel: its reader says so. */
  readonly image: Image | undefined;
}

/** As `qemu-system` has it when nothing is said. */
const BARE_MEMORY = 128;

const beginsAsElf = (bytes: Uint8Array): boolean => bytes[0] === 0x7f && bytes[1] === 0x45;

/** Configuration, ELF or raw: by the name's ending where it says so, else by what the file holds. */
function kindOf(file: string, bytes: Uint8Array): 'cfg' | 'elf' | 'flat' {
  const ending = extname(file).toLowerCase();
  if (ending === '.cfg' || ending === '.xl') return 'cfg';
  if (ending === '.elf' || beginsAsElf(bytes)) return 'elf';
  if (ending === '.bin' || ending === '.img' || bytes.subarray(0, 4096).includes(0)) return 'flat';
  return 'cfg';
}

function kernelOf(io: Io, file: string, xl: XlConfig): Image | undefined {
  const setting = xl.values.get('kernel');
  if (setting === undefined || setting.value.kind !== 'atom') return undefined;
  const { text, place } = setting.value;
  const path = isAbsolute(text) ? text : join(dirname(file), text);
  const bytes = placed(place, () => readInput(io, path, 'the kernel'));
  const kind = kindOf(path, bytes);
  return { file: path, bytes, kind: kind === 'cfg' ? 'flat' : kind };
}

function placed<T>(place: Place, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(error.code, error.message, error.remedy, place);
  }
}

/** A name for a domain that has none: the file's, without what no name may hold. */
export function domainName(file: string): string {
  const name = basename(file, extname(file))
    .replace(/[\p{C}"\\]/gu, '_')
    .slice(0, 128);
  return name === '' ? 'guest' : name;
}

/**
 * Reads one guest.
 * @throws InputError CV_FILE; CountervisorError CV_XLCFG_… with the place
 */
export function readGuest(io: Io, file: string, overrides: readonly string[]): GuestSource {
  const bytes = readInput(io, file, 'the guest');
  const kind = kindOf(file, bytes);
  if (kind === 'cfg') {
    const xl = parseXlConfig(new TextDecoder().decode(bytes), file, overrides);
    return { file, xl, bare: false, image: kernelOf(io, file, xl) };
  }
  const text = `name = "${domainName(file)}"\nkernel = "${basename(file).replace(/[\p{C}"\\]/gu, '_')}"\nmemory = ${BARE_MEMORY}\n`;
  return { file, xl: parseXlConfig(text, file, overrides), bare: true, image: { file, bytes, kind } };
}

/** @throws UsageError when there is none */
export function needGuests(files: readonly string[]): void {
  if (files.length > 0) return;
  throw new UsageError('CV_USAGE', 'No guest is named.', 'Name an xl.cfg file or an ELF image.');
}

/** ELF e_machine, or `undefined` for what is no ELF file or too short to say. */
export function elfMachineOf({ bytes, kind }: Image): number | undefined {
  if (kind !== 'elf' || bytes.length < 20) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint16(18, bytes[5] !== 2);
}
