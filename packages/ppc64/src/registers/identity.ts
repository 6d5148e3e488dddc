/** What tells a CPU and a thread from others. Power ISA 3.0B, book III, 4.3 (PVR, PIR, TIR, CIR). */
import { spr } from '../address.ts';
import { type Fields, field, type Row, type Rows } from './row.ts';

const readOnly = (index: number, fields: Fields, reset: Row['reset'], more: Partial<Row> = {}): Row => ({
  at: spr(index),
  width: 32,
  reset,
  read: 'supervisor',
  write: 'never',
  fields,
  ...more,
});

export const identity: Rows = {
  PVR: readOnly(
    287,
    {
      REVISION: field([15, 0], 'Revision.', 'ignored'),
      VERSION: field([31, 16], 'Version: which processor.', 'ignored'),
    },
    (view) => view.cpu.identity.PVR ?? 0n,
  ),
  PIR: readOnly(1023, { PROCID: field([31, 0], 'Number of this thread.', 'ignored') }, (view) => BigInt(view.index), {
    source: 'A write is dropped by QEMU as by the manual’s hypervisor',
    write: 'hypervisor',
  }),
  TIR: readOnly(
    446,
    { TIR: field([63, 0], 'Number of this thread in its core: one thread per core.', 'ignored') },
    0n,
    {
      width: 64,
      needs: 'isa-2.07',
    },
  ),
  CIR: readOnly(283, { CHIPID: field([31, 0], 'Chip information.', 'ignored') }, 0n, { needs: 'isa-2.07' }),
};
