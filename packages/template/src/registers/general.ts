/**
 * Registers that instructions reach by name: no address, so the access road never sees them. `PC` and `LEVEL` are rows like all others, because
 * everything that a guest can observe lives in a named register, and snapshots and switches are lists of them.
 */
import { family, type Register } from '@countervisor/contract';
import type { Level } from '../features.ts';

export type GeneralName = 'R0' | 'R1' | 'R2' | 'R3' | 'R4' | 'R5' | 'R6' | 'R7';

type Row = Register<GeneralName, Level, never>;

/** R0 holds a hypercall's number and result, R7 a call's return address; otherwise they are alike. */
export const GENERAL_NAMES: readonly GeneralName[] = ['R0', 'R1', 'R2', 'R3', 'R4', 'R5', 'R6', 'R7'];

/** `family` writes repeated registers as one row. 'unknown' is a loud pattern: a guest that counts on 0 fails here, not on silicon. */
export const general: Readonly<Record<GeneralName | 'PC' | 'LEVEL', Row>> = {
  ...(family(GENERAL_NAMES.length, (n) => ({
    [`R${n}`]: {
      width: 64,
      reset: 'unknown',
      read: 'user',
      write: 'user',
      fields: { VALUE: { bits: [63, 0], means: 'An integer or an address.' } },
    } satisfies Row,
  })) as Readonly<Record<GeneralName, Row>>),
  PC: {
    width: 64,
    reset: 0n,
    read: 'user',
    write: 'user',
    fields: { ADDRESS: { bits: [63, 0], means: 'Address of the next instruction.' } },
  },
  LEVEL: {
    width: 1,
    reset: 1n,
    read: 'user',
    write: 'user',
    fields: { LEVEL: { bits: 0, means: 'The level in force.', values: { user: 0, kernel: 1 } } },
    // Core asks `Arch.level` again whenever a register that affects it changes.
    affects: ['level'],
  },
};
