/** Special-purpose register numbers. Power ISA 3.0B, book I, 3.3.17: the number as mtspr and mfspr name it, not as the two halves stand in the word. */
import type { Address } from '@countervisor/contract';

/** The space of mtspr and mfspr; numbers 0 to 1023. */
export const SPR = 'spr';

/** The address of a special-purpose register: `spr(795)` is MMCR0. */
export function spr(index: number): Address {
  return { space: SPR, index };
}

/** For the diagnostic about a register that no table declares: the address as the manual writes it, and a row ready to paste. */
export function describe(space: string, index: number): { readonly text: string; readonly row: string } {
  return {
    text: `${space}(${index})`,
    row: `SPR${index}: { at: spr(${index}), width: 64, reset: 'unknown', read: 'supervisor', write: 'supervisor', fields: whole('…') },`,
  };
}
