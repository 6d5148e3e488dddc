/**
 * What instructions reach by number or implicitly: general registers, LR, CTR, TAR, and XER and CR in pieces, so that a lift sets a flag without masks.
 * Power ISA 3.0B, book I, 2.3 (branch facility registers) and 3.2 (fixed-point facility registers).
 */
import { spr } from '../address.ts';
import { field, type Row, type Rows, reserved, slot } from './row.ts';

const bits = (high: number, means: string): Row =>
  slot(means, 0n, { fields: { VALUE: field(high === 0 ? 0 : [high, 0], means), ...reserved([63, high + 1]) } });

// The manual leaves them undefined at reset; guests are entered with 0, as on QEMU's pseries, so 0 it is.
const numbered: Rows = Object.fromEntries(
  Array.from({ length: 32 }, (_, n) => [`GPR${n}`, slot(`General-purpose register ${n}.`, 0n)]),
);

/** CR field n: bits LT, GT, EQ, SO from 3 down to 0. */
const conditions: Rows = Object.fromEntries(
  Array.from({ length: 8 }, (_, n) => [`CR${n}`, bits(3, `Condition register field ${n}: LT, GT, EQ, SO.`)]),
);

/** Pieces of XER and where they stand in it, least significant bit 0. OV32 and CA32 came with version 3.0. */
export const XER_PIECES: readonly (readonly [name: string, low: number, width: number])[] = [
  ['SO', 31, 1],
  ['OV', 30, 1],
  ['CA', 29, 1],
  ['OV32', 19, 1],
  ['CA32', 18, 1],
  ['XER_COUNT', 0, 7],
];

const SINCE_3_0 = 'isa-3.0';

export const general: Rows = {
  ...numbered,
  NIA: slot('Address of the next instruction.', 0n),
  ...conditions,

  SO: bits(0, 'Summary overflow.'),
  OV: bits(0, 'Overflow.'),
  CA: bits(0, 'Carry.'),
  OV32: bits(0, 'Overflow of the low word.'),
  CA32: bits(0, 'Carry out of the low word.'),
  XER_COUNT: bits(6, 'Bytes that lswx and stswx move.'),
  XER: {
    at: spr(1),
    width: 64,
    reset: 0n,
    read: 'problem',
    write: 'problem',
    fields: {
      COUNT: field([6, 0], 'Bytes that lswx and stswx move.'),
      ...reserved([17, 7]),
      CA32: field(18, 'Carry out of the low word.'),
      OV32: field(19, 'Overflow of the low word.'),
      ...reserved([28, 20]),
      CA: field(29, 'Carry.'),
      OV: field(30, 'Overflow.'),
      SO: field(31, 'Summary overflow.'),
      ...reserved([63, 32]),
    },
    implemented: (view) => (view.cpu.features.has(SINCE_3_0) ? 0xe00c_007fn : 0xe000_007fn),
    derive: (view) => XER_PIECES.reduce((all, [name, low]) => all | (view.get(name) << BigInt(low)), 0n),
    wrote: (vcpu, written) => {
      const later = vcpu.cpu.features.has(SINCE_3_0);
      for (const [name, low, width] of XER_PIECES) {
        const there = later || !name.endsWith('32');
        vcpu.set(name, there ? (written >> BigInt(low)) & ((1n << BigInt(width)) - 1n) : 0n);
      }
    },
    source: 'book I, 3.2.2',
  },

  LR: slot('Link register.', 0n, { at: spr(8) }),
  CTR: slot('Count register.', 0n, { at: spr(9) }),
  TAR: slot('Target address register.', 0n, {
    at: spr(815),
    needs: 'isa-2.07',
    traps: ['FSCR_TAR'],
    source: 'book I, 2.3.4',
  }),

  // The reservation of load-and-reserve: size 0 is none. Book II, 1.7.4.
  RESERVE_ADDRESS: slot('Effective address of the reservation.', 0n),
  RESERVE_SIZE: slot('Its size in bytes; 0 when there is none.', 0n),
  RESERVE_VALUE: slot('The value it loaded; of a quadword the doubleword that the even register got.', 0n),
  RESERVE_LOW: slot('Of a quadword, the doubleword that the odd register got.', 0n),
};
