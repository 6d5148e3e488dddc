/** A case's code as decoders want it. */
import type { CodeReader } from '@countervisor/contract';
import { rows } from '../../packages/x86/src/isa/instructions/index.ts';
import { MODE } from '../../packages/x86/src/isa/mode.ts';
import type { Bits, X86Case } from './x86-cases.ts';

/** Every feature that a row needs. */
export const FEATURES: ReadonlySet<string> = new Set(rows.flatMap((r) => (r.needs === undefined ? [] : [r.needs])));

export const codeOf = (c: Pick<X86Case, 'code'>): CodeReader => ({
  u8: (offset) => c.code[offset] ?? 0xcc,
  u32: () => undefined,
});

/** Flat protected mode of 32 bits, or 64-bit mode. */
export const modeOf = (bits: Bits): number => (bits === 64 ? 2 : 1) | MODE.protected | MODE.stack32;
