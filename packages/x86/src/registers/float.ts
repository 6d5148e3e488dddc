/**
 * x87 and XMM state. Intel SDM volume 1, 8.1 (x87 registers), 10.2 (XMM and MXCSR); reset values: volume 3, table 10-1.
 * FPR0 to FPR7 are the physical registers R0 to R7; ST(i) is number (TOP + i) modulo 8.
 */
import { field, narrow, type Rows, slot, zero } from './row.ts';

const numbered = (count: number, rows: (n: number) => Rows): Rows =>
  Object.assign({}, ...Array.from({ length: count }, (_, n) => rows(n)));

export const float: Rows = {
  ...numbered(8, (n) => ({
    [`FPR${n}`]: slot(`Significand of x87 register R${n}, its integer bit included.`, 0n),
    [`FPR${n}_SE`]: narrow(16, `Sign and exponent of x87 register R${n}.`, 0n),
  })),
  FCW: narrow(16, 'x87 control word.', 0x40n, {
    fields: {
      MASKS: field([5, 0], 'Exceptions that are masked: IM, DM, ZM, OM, UM, PM.'),
      RESERVED_6: field(6, 'Reads as 1.'),
      ...zero(7),
      PC: field([9, 8], 'Precision: 0 for 24 bits, 2 for 53, 3 for 64.'),
      RC: field([11, 10], 'Rounding: 0 to nearest, 1 down, 2 up, 3 to zero.'),
      X: field(12, 'Infinity control, without meaning.'),
      ...zero([15, 13]),
    },
  }),
  FSW: narrow(16, 'x87 status word.', 0n, {
    fields: {
      EXCEPTIONS: field([5, 0], 'IE, DE, ZE, OE, UE, PE.'),
      SF: field(6, 'Stack fault.'),
      ES: field(7, 'An exception that is not masked.'),
      C0: field(8, 'Condition code.'),
      C1: field(9, 'Condition code: rounded up; of stack faults, overflow.'),
      C2: field(10, 'Condition code.'),
      TOP: field([13, 11], 'Number of the register that is ST(0).'),
      C3: field(14, 'Condition code.'),
      B: field(15, 'As ES.'),
    },
  }),
  FTW: narrow(8, 'x87 registers that are not empty, one bit each, as FXSAVE has them.', 0xffn),
  FOP: narrow(11, 'Opcode of the last x87 instruction. Not kept up to date: 0 unless loaded.', 0n),
  FIP: slot('Address of the last x87 instruction. Not kept up to date: 0 unless loaded.', 0n),
  FDP: slot('Address of its operand. Not kept up to date: 0 unless loaded.', 0n),
  ...numbered(16, (n) => ({
    [`XMM${n}_LOW`]: slot(`Bits 63:0 of XMM${n}.`, 0n),
    [`XMM${n}_HIGH`]: slot(`Bits 127:64 of XMM${n}.`, 0n),
  })),
  MXCSR: narrow(32, 'Control and status of SSE.', 0x1f80n, {
    fields: { VALUE: field([15, 0], 'Exceptions, masks, rounding.'), ...zero([31, 16]) },
  }),
  X87_HIGH: slot('Second word of what an x87 helper stores, until it is stored.', 0n),
  X87_HELD: slot('1 while an exception that is not masked holds back what an x87 helper would store.', 0n),
};
