/** Operands for a row, without thinking about what they are good for: one choice of registers, or memory. */
import type { Memory, Operand } from '../decode.ts';
import { encode, type Form } from '../encode.ts';
import type { CodeSize } from '../mode.ts';
import type { Row, Size, Slot } from '../row.ts';

const FIXED: Readonly<Partial<Record<Size, number>>> = { b: 8, w: 16, d: 32, q: 64, x: 128, t: 80 };

export function sizeOf(size: Size, bits: CodeSize): number {
  const fixed = FIXED[size];
  if (fixed !== undefined) return fixed;
  if (size === 'z') return Math.min(bits, 32);
  if (size === 'y') return Math.max(bits, 32);
  return size === '' ? 0 : bits;
}

/** DS:[BX + 0x10], of the address size. */
export const PLACE = 0x10;

function memory(size: number, addressSize: CodeSize): Memory {
  const common = { kind: 'memory', size, segment: 3, index: undefined, scale: 0, relative: false } as const;
  return { ...common, base: 3, displacement: BigInt(PLACE), addressSize };
}

function operand(slot: Slot, size: CodeSize, addressSize: CodeSize, inMemory: boolean): Operand {
  const bits = sizeOf(slot.size, size);
  switch (slot.kind) {
    case 'E':
    case 'W':
      if (inMemory) return memory(bits, addressSize);
      return slot.kind === 'W'
        ? { kind: 'vector', number: 1, size: bits }
        : { kind: 'register', number: 1, size: bits, high: false };
    case 'M':
      return memory(bits, addressSize);
    case 'R':
      return { kind: 'register', number: 1, size: bits, high: false };
    case 'G':
    case 'Z':
      return { kind: 'register', number: 2, size: bits, high: false };
    case 'fixed':
      return { kind: 'register', number: slot.number, size: bits, high: false };
    case 'one':
      return { kind: 'constant', value: 1n, size: bits };
    case 'I':
      return { kind: 'constant', value: 3n, size: slot.size === 's' || slot.size === 'z' ? size : bits };
    case 'J':
      return { kind: 'relative', value: 4n, size };
    case 'S':
      return { kind: 'segment', number: 3, size: bits };
    case 'C':
    case 'D':
      return { kind: slot.kind === 'C' ? 'control' : 'debug', number: 3, size: bits };
    case 'V':
    case 'U':
      return { kind: 'vector', number: 2, size: bits };
    case 'A':
      return { kind: 'far', selector: 8n, offset: 0x1234n, size };
    case 'O':
      return { ...memory(bits, addressSize), base: undefined, displacement: 0x210n };
    default:
      throw new Error(`no operand for ${slot.text}`);
  }
}

export interface Sample {
  readonly bytes: readonly number[];
  readonly operands: readonly Operand[];
  readonly size: CodeSize;
}

/** Encodings of a row in code of a size: each operand size, with registers and with memory. */
export function samples(row: Row, bits: CodeSize): readonly Sample[] {
  const found: Sample[] = [];
  const noPrefix = row.prefix === 'NP' || row.prefix === '66';
  const narrow: readonly CodeSize[] = noPrefix ? [bits] : [16, 32];
  const sizes: readonly CodeSize[] =
    bits !== 64
      ? narrow
      : row.w === 1 || row.sizing === 'f64'
        ? [64]
        : noPrefix
          ? [row.sizing ? 64 : 32]
          : [16, 32, 64];
  for (const size of sizes) {
    if (bits === 64 && row.sizing === 'd64' && size === 32) continue;
    if (row.w === 0 && size === 64) continue;
    for (const inMemory of [false, true]) {
      const operands = row.slots.map((slot) => operand(slot, size, bits, inMemory));
      const memoryAt = operands.some((o) => o.kind === 'memory');
      if (inMemory !== memoryAt && row.slots.some(({ kind }) => 'EW'.includes(kind))) continue;
      if (row.form === 'reg' && memoryAt) continue;
      if (row.form === 'mem' && !memoryAt && row.slots.length > 0) continue;
      const form: Form = { bits, size, addressSize: bits, condition: 4, rm: 1 };
      try {
        found.push({ bytes: encode(row, operands, form), operands, size });
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }
  }
  return found;
}
