/** What booting says when it refuses an image, a device tree or a boot block: code, sentence, remedy. */
import { CountervisorError } from '@countervisor/contract';

type Said = readonly [says: string, remedy: string];

const REBUILD = 'Copy or build the file again; `readelf -hlS` shows what it says of itself.';

export const BOOT_ERRORS = {
  // — An ELF file ————————————————————————————————————————————————————————————————————————————————————————————————————————
  CV_ELF_MAGIC: (f: { file: string; found: string }): Said => [
    `${f.file} is not an ELF file: it begins with ${f.found}, not with 7f 45 4c 46.`,
    'Name an ELF image, or load the file as a raw flat image.',
  ],
  CV_ELF_TRUNCATED: (f: { file: string; what: string; end: bigint; length: number }): Said => [
    `${f.file} is truncated: ${f.what} ends at byte ${f.end}, and the file has ${f.length}.`,
    REBUILD,
  ],
  CV_ELF_FIELD: (f: { file: string; field: string; value: string; must: string }): Said => [
    `${f.file}: ${f.field} is ${f.value}; it must be ${f.must}.`,
    REBUILD,
  ],
  CV_ELF_LIMIT: (f: { file: string; what: string; count: number; most: number }): Said => [
    `${f.file} has ${f.count} ${f.what}; at most ${f.most} are read.`,
    'Link the image with fewer, or strip it.',
  ],
  CV_ELF_TYPE: (f: { file: string; type: string }): Said => [
    `${f.file} is ${f.type}, not a program that can be loaded.`,
    'Link it to a static executable (ET_EXEC) or a position-independent one (ET_DYN).',
  ],
  CV_ELF_MACHINE: (f: { file: string; machine: string; accepted: string }): Said => [
    `${f.file} is for ${f.machine}; this platform runs ${f.accepted}.`,
    'Build the image for this architecture, or boot it on a platform of its own.',
  ],
  CV_ELF_KIND: (f: { file: string; kind: string; accepted: string }): Said => [
    `${f.file} is ${f.kind}; this platform loads ${f.accepted}.`,
    'Build the image in an accepted class and byte order.',
  ],
  CV_ELF_EMPTY: (f: { file: string }): Said => [
    `${f.file} has no loadable segment with memory in it.`,
    'Link it with program headers (PT_LOAD); an object file has none.',
  ],
  CV_ELF_OVERLAP: (f: { file: string; a: string; b: string }): Said => [
    `${f.file}: ${f.a} and ${f.b} overlap in memory.`,
    'Correct the linker script: every byte of memory belongs to one segment.',
  ],
  CV_ELF_ENTRY: (f: { file: string; entry: string }): Said => [
    `${f.file}: the entry point ${f.entry} lies in no loadable segment.`,
    'Name the entry symbol with ENTRY() in the linker script, or with -e.',
  ],
  CV_ELF_BASE: (f: { file: string; base: string; align: string }): Said => [
    `${f.file} is position-independent with segments aligned to ${f.align}, and the load address ${f.base} is not.`,
    'Link it with a smaller -z max-page-size, or load it at an aligned address.',
  ],
  CV_ELF_RELOCATION: (f: { file: string; where: string; why: string }): Said => [
    `${f.file}: ${f.where} ${f.why}.`,
    'Link the image statically, as a position-independent executable with relative relocations alone (-static-pie).',
  ],
  // — Any image ——————————————————————————————————————————————————————————————————————————————————————————————————————————
  CV_IMAGE_OUTSIDE_RAM: (f: { file: string; what: string; ram: string }): Said => [
    `${f.file}: ${f.what} does not lie in the domain's RAM (${f.ram}).`,
    'Give the domain more memory, or link the image to an address inside its RAM.',
  ],
  CV_MULTIBOOT_HEADER: (f: { file: string; problem: string }): Said => [
    `${f.file} has a Multiboot header that ${f.problem}.`,
    'Correct the header (Multiboot 0.6.96, 3.1), or load the file as an ELF image without one.',
  ],
  CV_BOOT_BLOCK: (f: { what: string; file: string }): Said => [
    `The boot block of ${f.file} cannot hold ${f.what}.`,
    'Give the guest shorter boot arguments, of plain characters.',
  ],
  CV_FLAT_EMPTY: (f: { file: string }): Said => [`${f.file} is empty.`, 'Build the image again.'],
  CV_FLAT_IS_ELF: (f: { file: string }): Said => [
    `${f.file} is an ELF file, and was to be loaded as a raw flat image.`,
    'Load it as ELF, or make it flat with objcopy -O binary.',
  ],
  CV_FLAT_NUMBER: (f: { file: string; what: string; value: string }): Said => [
    `${f.file}: ${f.what} is ${f.value}, which is no address of 64 bits.`,
    'Give a number from 0 to 2^64 - 1.',
  ],
  CV_FLAT_ENTRY: (f: { file: string; entry: number; length: number }): Said => [
    `${f.file}: the entry at offset ${f.entry} is not inside the image of ${f.length} bytes.`,
    'Give an offset that is smaller than the file.',
  ],
  // — A device tree ——————————————————————————————————————————————————————————————————————————————————————————————————————
  CV_FDT_TREE: (f: { path: string; why: string }): Said => [
    `The device tree is wrong at ${f.path}: ${f.why}.`,
    'Correct the node that the platform, or the domain’s configuration, puts there.',
  ],
  CV_FDT_LIMIT: (f: { what: string; value: number; most: number }): Said => [
    `The device tree has ${f.value} ${f.what}; the most is ${f.most}.`,
    'Make it smaller: shorten the command line, or take out nodes.',
  ],
  CV_FDT_BLOB: (f: { offset: number; why: string }): Said => [
    `The flattened device tree is wrong at byte ${f.offset}: ${f.why}.`,
    'Make it again with dtc, version 17.',
  ],
} as const;

export type BootErrorCode = keyof typeof BOOT_ERRORS;
export type BootFactsOf<Code extends BootErrorCode> = Parameters<(typeof BOOT_ERRORS)[Code]>[0];

/** The error of a code, to be thrown: `throw refuse('CV_ELF_EMPTY', { file })`. */
export function refuse<Code extends BootErrorCode>(code: Code, facts: BootFactsOf<Code>): CountervisorError {
  const row = BOOT_ERRORS[code] as unknown as (facts: BootFactsOf<Code>) => Said;
  const [says, remedy] = row(facts);
  return new CountervisorError(code, says, remedy);
}
