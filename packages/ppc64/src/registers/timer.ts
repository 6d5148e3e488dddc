/**
 * Time base, decrementer, and the registers that count time for others. Power ISA 3.0B, book II, 6 (time base); book III, 7 (timer facilities).
 *
 * The time base has no value of its own: it is a function of the domain's clock (platform/timer.ts). The decrementer keeps the time base's value at which it was
 * or will be 0.
 */
import { spr } from '../address.ts';
import { decrementer, setDecrementer, timeBase } from '../platform/timer.ts';
import { type Fields, field, type Row, type Rows, slot, whole } from './row.ts';

const LOW = 0xffff_ffffn;

const derived = (index: number, means: string, more: Partial<Row>): Row => ({
  at: spr(index),
  width: 64,
  reset: 0n,
  read: 'supervisor',
  write: 'hypervisor',
  fields: whole(means, 'ignored'),
  derive: timeBase,
  ...more,
});

const half = (means: string): Fields => ({ VALUE: field([31, 0], means, 'ignored') });

export const timer: Rows = {
  TB: derived(268, 'Time base.', { read: 'problem', write: 'never' }),
  TBU: derived(269, '', {
    width: 32,
    fields: half('Upper half of the time base.'),
    read: 'problem',
    write: 'never',
    derive: (view) => timeBase(view) >> 32n,
  }),
  // The writable faces are the hypervisor's; a guest has no other time base.
  TBL_WRITE: derived(284, '', { width: 32, fields: half('Lower half, to write.'), read: 'never' }),
  TBU_WRITE: derived(285, '', { width: 32, fields: half('Upper half, to write.'), read: 'never' }),
  TBU40: derived(286, 'Upper 40 bits, to write.', { read: 'never', needs: 'isa-2.07' }),
  VTB: derived(849, 'Virtual time base: runs while the partition does.', { needs: 'isa-2.07' }),
  PURR: derived(309, 'Processor utilization of resources.', { needs: 'isa-2.05' }),
  SPURR: derived(308, 'The same, scaled by frequency.', { needs: 'isa-2.05' }),

  DEC: {
    at: spr(22),
    width: 64,
    reset: 0n,
    read: 'supervisor',
    write: 'supervisor',
    fields: whole('Decrementer: one less with each tick of the time base.'),
    derive: decrementer,
    wrote: (vcpu, written) => setDecrementer(vcpu, written),
    source: 'book III, 7.3; with LPCR[LD] wider than 32 bits and sign-extended',
  },
  DEC_ZERO: slot('Time base at which DEC was or will be 0.', 0n, { affects: ['interrupts'] }),
  DEC_ARMED: slot('Edge: DEC has not been negative since it was written.', 0n),
  DEC_PENDING: slot('Edge: the exception that waits to be taken.', 0n, { affects: ['interrupts'] }),
  HDEC: {
    at: spr(310),
    width: 64,
    reset: LOW,
    read: 'hypervisor',
    write: 'hypervisor',
    fields: whole('Hypervisor decrementer: the hypervisor’s own business.'),
  },
};
