/**
 * The performance monitor's registers: counters and their controls. Power ISA 3.0B, book III, 9.4; numbers from 4.4.5 (each has another one for problem state,
 * 16 lower, behind MMCR0[PMCC]).
 */
import type { Refusal, Vcpu, View } from '@countervisor/contract';
import { spr } from '../address.ts';
import { evaluate } from '../overflow.ts';
import { MMCR0, USER_MMCR0, USER_MMCR2 } from './mmcr.ts';
import { type Fields, field, type Row, type Rows, reserved, whole } from './row.ts';

/** How far below its own number a register's number for problem state is. */
const USER = 16;

const supervisor = {
  width: 64,
  reset: 0n,
  read: 'supervisor',
  write: 'supervisor',
  traps: ['HFSCR_PM'],
} as const;

const PROBLEM_TRAPS = ['HFSCR_PM', 'PMCC_CLOSED', 'PMCC_READ_ONLY', 'READ_ONLY_970'] as const;

/** The same register for problem state. */
function user(of: string, row: Row, more: Partial<Row> = {}): Row {
  const { at, wrote: _wrote, reset: _reset, ...rest } = row;
  return {
    ...rest,
    at: spr((at?.index ?? 0) - USER),
    reset: 0n,
    read: 'problem',
    write: 'problem',
    traps: PROBLEM_TRAPS,
    view: () => of,
    wrote: (vcpu) => evaluate(vcpu),
    ...more,
  };
}

const word = (means: string): Fields => ({ VALUE: field([31, 0], means), ...reserved([63, 32]) });

function counter(n: number): Rows {
  const row: Row = {
    ...supervisor,
    at: spr(786 + n),
    role: 'counter',
    fields: word('The count. It is negative while bit 31 is 1.'),
    wrote: (vcpu) => evaluate(vcpu),
    affects: ['pmu', 'interrupts'],
    ...(n > 6 && { needs: '970' }),
  };
  const fixed = n === 5 || n === 6;
  return {
    [`PMC${n}`]: row,
    [`UPMC${n}`]: user(`PMC${n}`, row, fixed ? { traps: [...PROBLEM_TRAPS, 'PMCC_FIXED'] } : {}),
  };
}

const mmcr0Fields: Fields = {
  FCH: field(0, 'Freeze while in hypervisor state. FCHV, FCH.'),
  FCWAIT: field(1, 'Freeze PMC1 to PMC4 while the run latch is 0. The 970 has its PMC2SEL in 5:1.'),
  FCTA: field(2, 'Freeze while tags are active; they never are.'),
  FCTI: field(3, 'Freeze while tags are inactive; they always are.'),
  FC56: field(4, 'Freeze PMC5 and PMC6.'),
  FC14: field(5, 'Freeze PMC1 to PMC4.'),
  FCSS: field(6, 'Freeze while a transaction is suspended; there are none.'),
  PMAO: field(7, 'A performance monitor alert has occurred.'),
  C56RUN: field(8, 'PMC5 and PMC6 count whatever the run latch says. The 970 has its PMC1SEL in 12:8.'),
  PMCCEXT: field(9, 'Problem state may not read where PMCC is 0. Version 3.1.'),
  BIT_10: field(10, 'Of PMC1SEL on the 970.'),
  PMAO_SYNC: field(11, 'Alerts are synchronous: they are, always.'),
  FCPC: field(12, 'FCP is about the host’s problem state alone, or about all.'),
  TRIGGER: field(13, 'The other counters wait until PMC1 is negative.'),
  PMCjCE: field(14, 'A negative PMC2 to PMC6 is a condition.'),
  PMC1CE: field(15, 'A negative PMC1 is a condition.'),
  BIT_17_16: field([17, 16], 'Stored.'),
  PMCC: field([19, 18], 'What problem state may do.'),
  EBE: field(20, 'Alerts make event-based branches.'),
  BHRBA: field(21, 'Problem state may use the branch history buffer.'),
  TBEE: field(22, 'The time base’s events are conditions.'),
  TBSEL: field([24, 23], 'Which bit of the time base.'),
  FCECE: field(25, 'A condition freezes the counters.'),
  PMAE: field(26, 'Conditions make alerts.'),
  FCM0: field(27, 'Freeze while MSR[PMM] is 0.'),
  FCM1: field(28, 'Freeze while MSR[PMM] is 1.'),
  FCP: field(29, 'Freeze in problem state.'),
  FCS: field(30, 'Freeze in privileged, non-hypervisor state.'),
  FC: field(31, 'Freeze.'),
  ...reserved([63, 32]),
};

const mmcr0: Row = {
  ...supervisor,
  at: spr(795),
  reset: MMCR0.FC,
  role: 'global',
  fields: mmcr0Fields,
  wrote: (vcpu) => evaluate(vcpu),
  affects: ['pmu', 'interrupts'],
  source: '9.4.4; reset: QEMU, so that a guest that never touches the monitor does not count',
};

const mmcr1: Row = {
  ...supervisor,
  at: spr(798),
  role: 'selector',
  fields: whole(
    'Events: PMC1SEL to PMC4SEL, eight bits each from bit 31 down; units from bit 63 down. The 970: PMC3SEL to PMC8SEL.',
  ),
  affects: ['pmu'],
};

const mmcr2Row: Row = {
  ...supervisor,
  at: spr(785),
  role: 'enable',
  needs: 'isa-2.07',
  fields: whole(
    'Freezes of each counter: nine bits from bit 63 down, of which seven are used: S, P0, P1, M1, M0, WAIT, H.',
  ),
  affects: ['pmu'],
  source: '9.4.6',
};

const mmcra: Row = {
  ...supervisor,
  at: spr(786),
  role: 'sampling',
  fields: whole('Sampling: SAMPLE_ENABLE 0, thresholds; on the 970 SIPR 27 and SIHV 28.'),
  affects: ['pmu'],
};

const mmcr3: Row = {
  ...supervisor,
  at: spr(754),
  role: 'selector',
  needs: 'isa-3.1',
  fields: whole('More of the events: sources of data. Stored; what they choose is not modelled.'),
  affects: ['pmu'],
};

/** A read shows what problem state may see; a write changes that and nothing else. */
const masked = (of: string, row: Row, bits: bigint): Row => {
  // In supervisor state the number is another one for the whole register: kvm-unit-tests compares the two.
  const maskOf = (view: View): bigint =>
    view.level === 0 ? bits : (row.implemented?.(view) ?? BigInt.asUintN(64, -1n));
  return user(of, row, {
    view: undefined as never,
    derive: (view: View) => view.get(of) & maskOf(view),
    accepts: (_view: View, value: bigint): bigint | Refusal => value,
    wrote: (vcpu: Vcpu, written: bigint) => {
      const mask = maskOf(vcpu);
      vcpu.set(of, (vcpu.get(of) & ~mask) | (written & mask));
      evaluate(vcpu);
    },
  });
};

const without = ({ view: _view, ...row }: Row): Row => row;

export const pmu: Rows = {
  ...Object.assign({}, ...Array.from({ length: 8 }, (_, n) => counter(n + 1))),
  MMCR0: mmcr0,
  UMMCR0: without(masked('MMCR0', mmcr0, USER_MMCR0)),
  MMCR1: mmcr1,
  UMMCR1: user('MMCR1', mmcr1, { write: 'never' }),
  MMCR2: mmcr2Row,
  UMMCR2: without(masked('MMCR2', mmcr2Row, USER_MMCR2)),
  MMCR3: mmcr3,
  UMMCR3: user('MMCR3', mmcr3, { write: 'never' }),
  MMCRA: mmcra,
  UMMCRA: user('MMCRA', mmcra),
};
