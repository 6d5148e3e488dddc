/** Exceptions, memory protection, time, and the hypervisor's one trap bit. */
import type { Register, View } from '@countervisor/contract';
import { control as at } from '../address.ts';
import type { Level } from '../features.ts';
import { KINDS } from '../isa/exceptions.ts';

export type ControlName = 'STATUS' | 'VECTOR' | 'EPC' | 'CAUSE' | 'FAULT' | 'USER_FROM' | 'SCRATCH' | 'TIME' | 'HCTL';

type Row = Register<ControlName, Level, never>;

export const control: Readonly<Record<ControlName, Row>> = {
  STATUS: {
    at: at(0x00),
    width: 64,
    reset: 0n,
    read: 'kernel',
    write: 'kernel',
    fields: {
      // Every bit of the width belongs to a field, and reserved ones are written, too: a gap is refused at load.
      RESERVED: { bits: [63, 3], means: 'Reserved.', write: 'zero' },
      PLEVEL: { bits: 2, means: 'The level before the last exception.', values: { user: 0, kernel: 1 } },
      PIE: { bits: 1, means: 'IE before the last exception.' },
      IE: { bits: 0, means: 'Interrupts are taken.' },
    },
    affects: ['interrupts'],
  },
  VECTOR: {
    at: at(0x01),
    width: 64,
    reset: 'unknown',
    read: 'kernel',
    write: 'kernel',
    fields: {
      ADDRESS: { bits: [63, 2], means: 'Where every exception goes, bits 63 to 2.' },
      RESERVED: { bits: [1, 0], means: 'Reserved.', write: 'zero' },
    },
    // `accepts` is pure and comes before anything has changed: it returns what is stored, or the exception that the guest takes.
    accepts: (_view, value) => (value === 0n ? { refuse: 'undefined' } : value),
  },
  EPC: {
    at: at(0x02),
    width: 64,
    reset: 'unknown',
    read: 'kernel',
    write: 'kernel',
    fields: {
      ADDRESS: { bits: [63, 2], means: 'Where sysret continues, bits 63 to 2.' },
      RESERVED: { bits: [1, 0], means: 'Reserved.', write: 'zero' },
    },
  },
  CAUSE: {
    at: at(0x03),
    width: 64,
    reset: 0n,
    read: 'kernel',
    write: 'never',
    fields: {
      RESERVED: { bits: [63, 32], means: 'Reserved.', write: 'zero' },
      DETAIL: { bits: [31, 8], means: "The exception's syndrome.", write: 'ignored' },
      KIND: { bits: [7, 0], means: 'What happened.', write: 'ignored', values: KINDS },
    },
  },
  FAULT: {
    at: at(0x04),
    width: 64,
    reset: 0n,
    read: 'kernel',
    write: 'never',
    fields: { ADDRESS: { bits: [63, 0], means: 'The address that faulted, if one did.', write: 'ignored' } },
  },
  USER_FROM: {
    at: at(0x05),
    width: 64,
    reset: 0n,
    read: 'kernel',
    write: 'kernel',
    fields: {
      PAGE: { bits: [63, 12], means: 'First 4 KiB page that the user level may touch.' },
      RESERVED: { bits: [11, 0], means: 'Reserved.', write: 'zero' },
    },
    affects: ['translation'],
  },
  SCRATCH: {
    at: at(0x06),
    width: 64,
    reset: 'unknown',
    read: 'kernel',
    write: 'kernel',
    fields: { VALUE: { bits: [63, 0], means: 'For the exception handler.' } },
  },
  TIME: {
    at: at(0x07),
    width: 64,
    reset: 0n,
    read: 'user',
    write: 'never',
    fields: { VALUE: { bits: [63, 0], means: "Cycles on the domain's clock.", write: 'ignored' } },
    // No stored value: a pure function of state, level and time.
    derive: (view: View): bigint => view.now,
  },
  HCTL: {
    at: at(0x40),
    width: 64,
    reset: 0n,
    read: 'hypervisor',
    write: 'hypervisor',
    // The hypervisor's own control stays on the physical CPU; `policy.ts` writes it for every vCPU that comes to run.
    home: 'pcpu',
    fields: {
      RESERVED: { bits: [63, 1], means: 'Reserved.', write: 'zero' },
      TPM: { bits: 0, means: "The guest's accesses to PMU registers are trapped." },
    },
  },
};
