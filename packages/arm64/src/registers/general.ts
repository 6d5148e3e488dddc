/**
 * General registers and process state: what instructions reach by number or implicitly, never by a system register address.
 * Arm DDI 0487, B1.2 and D1.4. Each piece of PSTATE has a register of its own, so that a lift sets flags without masks.
 */
import { sysreg } from '../address.ts';
import { field, type Row, type Rows, res0, slot } from './row.ts';

const bit = (means: string, reset: bigint, more: Partial<Row> = {}): Row =>
  slot(means, reset, {
    fields: { VALUE: field(0, means), ...res0([63, 1]) },
    ...more,
  });

// The manual leaves them UNKNOWN at reset; guests are entered with 0, as on QEMU's boards, so 0 it is.
const numbered: Rows = Object.fromEntries(
  Array.from({ length: 31 }, (_, n) => [`X${n}`, slot(`General register ${n}.`, 0n)]),
);

export const general: Rows = {
  ...numbered,
  SP: slot('The stack pointer in use: SP_EL0 or SP_EL1, as PSTATE.EL and PSTATE.SP say.', 0n),
  PC: slot('Address of the next instruction.', 0n),

  N: bit('Negative.', 0n),
  Z: bit('Zero.', 0n),
  C: bit('Carry.', 0n),
  V: bit('Overflow.', 0n),
  DAIF: {
    at: sysreg(3, 3, 4, 2, 1),
    width: 64,
    reset: 0x3c0n,
    read: 'el0',
    write: 'el0',
    fields: {
      ...res0([5, 0]),
      F: field(6, 'FIQ is masked.'),
      I: field(7, 'IRQ is masked.'),
      A: field(8, 'SError is masked.'),
      D: field(9, 'Watchpoint, breakpoint and software step exceptions are masked.'),
      ...res0([63, 10]),
    },
    traps: ['UMA'],
    affects: ['interrupts'],
    source: 'C5.2.2',
  },
  // Translations of EL0, EL1 and EL1 with PAN are kept apart (isa/mmu.ts), so a change of these selects and does not forget.
  EL: bit('Exception level: 0 or 1.', 1n, { affects: ['level', 'interrupts', 'pmu'] }),
  SPSEL: bit('PSTATE.SP: at EL1, use SP_EL1 (1) or SP_EL0 (0).', 1n),
  IL: bit('Illegal execution state: every instruction raises an exception.', 0n, { affects: ['decode'] }),
  SS: bit('Software step: PSTATE.SS.', 0n),
  PAN: bit('Privileged access never: EL1 may not read or write what EL0 may.', 0n, { affects: ['level'] }),

  EXCLUSIVE_ADDRESS: slot('Virtual address of the last load-exclusive.', 0n),
  EXCLUSIVE_SIZE: slot('Its size in bytes; 0 when the monitor is open.', 0n),
  EXCLUSIVE_LOW: slot('The value it loaded, low 64 bits.', 0n),
  EXCLUSIVE_HIGH: slot('The value it loaded, high 64 bits of a pair.', 0n),
};
