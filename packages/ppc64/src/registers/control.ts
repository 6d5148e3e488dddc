/**
 * Registers of a guest's operating system: interrupts, storage control, facilities, the run latch. Power ISA 3.0B, book III, 4 and 5; book II, 7
 * (event-based branches). The hypervisor's own are in hypervisor.ts, MSR is in msr.ts.
 */
import type { View } from '@countervisor/contract';
import { spr } from '../address.ts';
import { msr } from './msr.ts';
import { type Fields, field, type Row, type Rows, reserved, slot, whole } from './row.ts';

/** A 64-bit register of supervisor state. QEMU's pseries hands every one over as 0. */
const os = (index: number, fields: string | Fields, more: Partial<Row> = {}): Row => ({
  at: spr(index),
  width: 64,
  reset: 0n,
  read: 'supervisor',
  write: 'supervisor',
  fields: typeof fields === 'string' ? whole(fields) : fields,
  ...more,
});

const word = (means: string): Fields => ({ VALUE: field([31, 0], means) });
const os32 = (index: number, means: string, more: Partial<Row> = {}): Row =>
  os(index, word(means), { width: 32, ...more });

const PROBLEM = { read: 'problem', write: 'problem' } as const;
const TRANSLATION = { affects: ['translation'] } as const;
const V2_07 = { needs: 'isa-2.07' } as const;
const V3_0 = { needs: 'isa-3.0' } as const;
const V3_1 = { needs: 'isa-3.1' } as const;
const V2_06 = { needs: 'isa-2.06' } as const;

/** A register that has another number for another privilege. */
const face = (of: string, row: Row, more: Partial<Row> = {}): Row => ({ ...row, view: () => of, ...more });

/** FSCR's bits and the number by which a facility interrupt names them. Book III, 6.2.10. */
export const FACILITY = { DSCR: 2, EBB: 7, TAR: 8, SCV: 12, PREFIX: 13 } as const;

/** BESCR: what event-based branches are enabled, and what has occurred. Book II, 7.2.1. */
const bescr: Fields = {
  PMEO: field(0, 'A performance monitor event-based exception has occurred.'),
  EEO: field(1, 'An external one has occurred.'),
  ...reserved([31, 2]),
  PME: field(32, 'Performance monitor event-based exceptions are enabled.'),
  EE: field(33, 'External ones are enabled.'),
  ...reserved([62, 34]),
  GE: field(63, 'Event-based branches are taken.'),
};
const BESCR = 0x8000_0003_0000_0003n;

const EBB = { ...PROBLEM, ...V2_07, traps: ['FSCR_EBB'] } as const;

const amrRow = os(29, 'Authority mask: two bits for each of 32 keys, of which radix asks key 0.', {
  ...V2_06,
  ...TRANSLATION,
});
const dscr = os(
  17,
  { VALUE: field([24, 0], 'Data stream control: hints for prefetching.'), ...reserved([63, 25]) },
  V2_07,
);

/** Bits of AMR that problem state may change are those of UAMOR. */
const maskedByUamor = (view: View, value: bigint, before: bigint): bigint => {
  const mask = view.level === 0 ? view.get('UAMOR') : (1n << 64n) - 1n;
  return (value & mask) | (before & ~mask);
};

/** Thread state shows the run latch of each thread of the core, thread 0 first. */
const runLatch = (view: Pick<View, 'get' | 'level'>): bigint => {
  const run = view.get('CTRL') & 1n;
  return view.level === 0 ? run : run | (run << 15n);
};

const ctrlFields: Fields = {
  RUN: field(0, 'The run latch: this thread does useful work.'),
  ...reserved([7, 1]),
  TS: field([15, 8], 'Run latches of the threads of this core.', 'ignored'),
  ...reserved([31, 16]),
};

export const control: Rows = {
  MSR: msr,
  TRACE_DUE: slot('SRR1 of the trace interrupt that comes behind this instruction; 0: none.', 0n, {
    affects: ['interrupts'],
  }),
  TRACE_PC: slot('The instruction behind which it comes.', 0n),

  DSISR: os32(18, 'What was wrong with the access of a data storage or alignment interrupt.'),
  DAR: os(19, 'Its effective address.'),
  SRR0: os(
    26,
    { ...reserved([1, 0]), VALUE: field([63, 2], 'Address to return to.') },
    { source: 'book III, 4.3.1: the low two bits are reserved' },
  ),
  SRR1: os(27, 'MSR to return to, and what interrupted.'),
  SPRG0: os(272, 'Software’s.'),
  SPRG1: os(273, 'Software’s.'),
  SPRG2: os(274, 'Software’s.'),
  SPRG3: os(275, 'Software’s; problem state may read it.'),
  USPRG3: face('SPRG3', os(259, 'SPRG3 for problem state.'), { read: 'problem', write: 'never' }),
  VRSAVE: os32(256, 'Software’s note of the vector registers in use.', PROBLEM),
  CFAR: os(
    28,
    { ...reserved([1, 0]), VALUE: field([63, 2], 'Where the last branch came from: stored, never updated here.') },
    { needs: 'isa-2.05' },
  ),

  CTRL: { width: 32, reset: 1n, read: 'problem', write: 'supervisor', fields: ctrlFields, affects: ['pmu'] },
  CTRLF: {
    at: spr(136),
    width: 32,
    reset: 0n,
    read: 'problem',
    write: 'never',
    fields: ctrlFields,
    derive: runLatch,
    source: 'book III, 4.3.6: thread states are shown to privileged software alone',
  },
  CTRLT: { ...face('CTRL', os32(152, '')), fields: ctrlFields, read: 'never' },

  DSCR: dscr,
  UDSCR: face('DSCR', { ...dscr, at: spr(3) }, { ...PROBLEM, traps: ['FSCR_DSCR'] }),
  AMR: amrRow,
  UAMR: face('AMR', { ...amrRow, at: spr(13) }, { ...PROBLEM, accepts: maskedByUamor }),
  IAMR: os(61, 'Instruction authority mask.', { ...V2_07, ...TRANSLATION }),
  UAMOR: os(157, 'Bits of AMR that problem state may change.', V2_06),
  PSPB: os32(159, 'Problem state priority boost.', V2_07),
  WORT: os(895, 'Work optimization hints.', V2_07),
  PPR: os(
    896,
    { ...reserved([49, 0]), PRI: field([52, 50], 'Program priority: a hint.'), ...reserved([63, 53]) },
    { ...PROBLEM, needs: 'isa-2.06', reset: 4n << 50n },
  ),
  PPR32: {
    at: spr(898),
    width: 32,
    reset: 0n,
    ...PROBLEM,
    fields: { ...reserved([17, 0]), PRI: field([20, 18], 'Program priority.'), ...reserved([31, 21]) },
    derive: (view) => view.get('PPR') >> 32n,
    wrote: (vcpu, written) => vcpu.set('PPR', ((written >> 18n) & 7n) << 50n),
    ...V2_07,
  },

  FSCR: os(
    153,
    {
      ...reserved([1, 0]),
      DSCR: field(2, 'Problem state may use DSCR.'),
      ...reserved([6, 3]),
      EBB: field(7, 'Problem state may use event-based branches.'),
      TAR: field(8, 'Problem state may use TAR.'),
      ...reserved([11, 9]),
      SCV: field(12, 'scv is a system call.'),
      PREFIX: field(13, 'Prefixed instructions are executed.'),
      ...reserved([55, 14]),
      IC: field([63, 56], 'The facility that was not available.'),
    },
    {
      ...V2_07,
      implemented: (view) =>
        0xff00_0000_0000_0184n |
        (view.cpu.features.has('isa-3.0') ? 0x1000n : 0n) |
        (view.cpu.features.has('isa-3.1') ? 0x2000n : 0n),
    },
  ),

  BESCR: { at: spr(806), width: 64, reset: 0n, ...EBB, fields: bescr, affects: ['pmu', 'interrupts'] },
  BESCRS: {
    at: spr(800),
    width: 64,
    reset: 0n,
    ...EBB,
    fields: bescr,
    derive: (view) => view.get('BESCR'),
    wrote: (vcpu, written) => vcpu.set('BESCR', vcpu.get('BESCR') | (written & BESCR)),
  },
  BESCRSU: {
    at: spr(801),
    width: 32,
    reset: 0n,
    ...EBB,
    fields: word('Upper half of BESCR, to set bits.'),
    derive: (view) => view.get('BESCR') >> 32n,
    wrote: (vcpu, written) => vcpu.set('BESCR', vcpu.get('BESCR') | ((written << 32n) & BESCR)),
  },
  BESCRR: {
    at: spr(802),
    width: 64,
    reset: 0n,
    ...EBB,
    fields: bescr,
    derive: (view) => view.get('BESCR'),
    wrote: (vcpu, written) => vcpu.set('BESCR', vcpu.get('BESCR') & ~written),
  },
  BESCRRU: {
    at: spr(803),
    width: 32,
    reset: 0n,
    ...EBB,
    fields: word('Upper half of BESCR, to reset bits.'),
    derive: (view) => view.get('BESCR') >> 32n,
    wrote: (vcpu, written) => vcpu.set('BESCR', vcpu.get('BESCR') & ~(written << 32n)),
  },
  EBBHR: {
    at: spr(804),
    width: 64,
    reset: 0n,
    ...EBB,
    fields: { ...reserved([1, 0]), VALUE: field([63, 2], 'Address of the handler of event-based branches.') },
  },
  EBBRR: {
    at: spr(805),
    width: 64,
    reset: 0n,
    ...EBB,
    fields: { ...reserved([1, 0]), VALUE: field([63, 2], 'Address to return to.') },
  },

  PIDR: os32(48, 'Process: the entry of the process table for quadrant 0.', { ...V3_0, ...TRANSLATION }),
  TIDR: os(144, 'Thread, for wait and the accelerators.', { needs: 'tidr' }),
  PSSCR: os(
    823,
    {
      RL: field([3, 0], 'Requested level of power saving.'),
      MTL: field([7, 4], 'Most that a loss may come to.'),
      TR: field([9, 8], 'Transition rate.'),
      ...reserved([15, 10]),
      PSLL: field([19, 16], 'Limit of the level.'),
      EC: field(20, 'Exit criteria.'),
      ESL: field(21, 'State may be lost.'),
      SD: field(22, 'Status is disabled.'),
      ...reserved([59, 23]),
      PLS: field([63, 60], 'Level that was reached.', 'ignored'),
    },
    V3_0,
  ),
  DEXCR: os(828, 'Dynamic execution control, of supervisor and problem state.', V3_1),
  UDEXCR: {
    at: spr(812),
    width: 32,
    reset: 0n,
    read: 'problem',
    write: 'never',
    fields: { VALUE: field([31, 0], 'The lower half of DEXCR, for problem state.', 'ignored') },
    derive: (view) => view.get('DEXCR') >> 32n,
    ...V3_1,
  },
  UHDEXCR: {
    at: spr(455),
    width: 32,
    reset: 0n,
    read: 'problem',
    write: 'never',
    fields: { VALUE: field([31, 0], 'HDEXCR, for problem state.', 'ignored') },
    derive: () => 0n,
    ...V3_1,
  },
  HASHKEYR: os(468, 'Key of the hash instructions.', V3_1),
  TRIG1: os(881, 'Trigger of the trace facility: nothing follows.', { ...V3_0, read: 'never' }),
  TRIG2: os(882, 'Likewise.', { ...V3_0, read: 'never' }),
  TRACE: os(1006, 'Trace data: nobody looks.', { ...V3_0, read: 'never', write: 'problem' }),

  ACCR: os(29, 'Address compare control: stored, never matches.', { needs: '970' }),
  SDR1: os(25, 'Where the hashed page table is.', { needs: '970', write: 'hypervisor' }),
  DABR: os(1013, 'Data address breakpoint: set by H_SET_DABR, never matches.', { needs: '970', write: 'hypervisor' }),
};
