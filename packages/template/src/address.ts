/**
 * How this architecture's instructions name a control register: one space, 16-bit numbers (the immediate of `readreg` and `writereg`).
 *
 * A real architecture has its own words here: `sysreg(3, 3, 9, 12, 0)`, `msr(0x186)`, `spr(795)`. Write the number as the manual writes it.
 */
import type { Address } from '@countervisor/contract';

export const SPACE = 'control';

/** A control register's address; `index` is 0 to 0xffff. */
export function control(index: number): Address {
  return Object.freeze({ space: SPACE, index });
}

/** For the diagnostic about a register that no table declares: the address as it is written here, and a row ready to paste. */
export function describe(space: string, index: number): { readonly text: string; readonly row: string } {
  const hex = `0x${index.toString(16).padStart(2, '0')}`;
  return {
    text: space === SPACE ? `control(${hex})` : `${space}(${hex})`,
    row: `CONTROL_${index.toString(16).toUpperCase()}: { at: control(${hex}), width: 64, reset: 'unknown', read: 'kernel', write: 'kernel', fields: { VALUE: { bits: [63, 0], means: '…' } } },`,
  };
}
