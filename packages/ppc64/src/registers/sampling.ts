/**
 * Registers that say where an alert came from, and the branch history rolling buffer. Power ISA 3.0B, book III, 9.4.8 to 9.4.12, 9.5.
 */
import { spr } from '../address.ts';
import { negatives } from '../overflow.ts';
import { type Row, type Rows, slot, whole } from './row.ts';

const supervisor = {
  width: 64,
  reset: 0n,
  read: 'supervisor',
  write: 'supervisor',
  role: 'sampling',
  traps: ['HFSCR_PM'],
} as const;

/** Problem state reads it under another number, 16 lower. */
const both = (name: string, index: number, means: string, more: Partial<Row> = {}): Rows => ({
  [name]: { ...supervisor, at: spr(index), fields: whole(means), ...more },
  [`U${name}`]: {
    ...supervisor,
    at: spr(index - 16),
    read: 'problem',
    write: 'never',
    traps: ['HFSCR_PM', 'PMCC_CLOSED'],
    fields: whole(means),
    view: () => name,
    ...more,
  },
});

/** Entries of the branch history rolling buffer: 32 on POWER8 and since. */
export const BHRB_ENTRIES = 32;

export const samplingRegisters: Rows = {
  ...both('SIAR', 796, 'Effective address of the instruction at which the alert occurred.'),
  ...both('SDAR', 797, 'Effective address of its data.'),
  ...both('SIER', 784, 'About that instruction: SDAR valid 21, SIAR valid 22, hypervisor 24, problem state 25.', {
    needs: 'isa-2.07',
  }),
  ...both('SIER2', 752, 'More about it: stored.', { needs: 'isa-3.1' }),
  ...both('SIER3', 753, 'More about it: stored.', { needs: 'isa-3.1' }),
  ALERTED: slot(
    'The counter that alerted at this boundary, from 1 on, while its place is not yet noted. Not architectural.',
    0n,
    {
      role: 'sampling',
    },
  ),
  TB_EVENT: slot('Time base of the next event that MMCR0[TBEE] waits for. Not architectural.', 0n, {
    role: 'sampling',
    affects: ['interrupts'],
  }),
  NEGATIVE: slot('A bit for each negative counter, PMC1 the lowest. Not architectural.', 0n, { derive: negatives }),
  BHRB_NEXT: slot('Position behind the youngest entry of the branch history. Not architectural.', 0n, {
    role: 'sampling',
  }),
  ...Object.fromEntries(
    Array.from({ length: BHRB_ENTRIES }, (_, n): [string, Row] => [
      `BHRB_${n}`,
      slot('Entry of the branch history: address 63:2, target 1, mispredicted 0.', 0n, { role: 'sampling' }),
    ]),
  ),
};
