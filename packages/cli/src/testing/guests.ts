/** Guests for tests: programs of the template architecture as files, and the built arm64 images of the repository. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { programs } from '@countervisor/template';

type ProgramName = keyof typeof programs;

/** A configuration of a template program: `dom` runs `program`, which lies beside it as program.bin. */
export function config(name: string, program: ProgramName, more = 'vpmu = 1'): string {
  return `name = "${name}"\nkernel = "${program}.bin"\nmemory = 1\n${more}\n`;
}

export function binaries(...names: readonly ProgramName[]): Record<string, Uint8Array> {
  return Object.fromEntries(names.map((name) => [`${name}.bin`, programs[name].code]));
}

/** A built guest of guests/arm64. */
export function arm64Image(name: string): Uint8Array {
  return new Uint8Array(
    readFileSync(fileURLToPath(new URL(`../../../../guests/arm64/images/${name}.elf`, import.meta.url))),
  );
}
