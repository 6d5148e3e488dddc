/** Registers of the generic timer. Arm DDI 0487, D19.12; who may use them at EL0: CNTKCTL_EL1. */
import type { TrapGroup, View } from '@countervisor/contract';
import { sysreg } from '../address.ts';
import { count, FREQUENCY, met, physical, type Timer, virtual } from '../platform/timer.ts';
import { type Fields, field, type Level, type Row, type Rows, res0, slot, whole } from './row.ts';

type Group = TrapGroup<string, Level, string>;

const allowed = (name: string): Group => ({
  when: { register: 'CNTKCTL_EL1', field: name, is: 0n },
  on: 'both',
  at: ['el0'],
  cause: 'user-sysreg',
  source: `CNTKCTL_EL1.${name} is 0, Arm DDI 0487 D19.12`,
});

/** Controls of EL1 that keep EL0 from the timer. */
export const timerGroups: Readonly<Record<string, Group>> = {
  EL0PCTEN: allowed('EL0PCTEN'),
  EL0VCTEN: allowed('EL0VCTEN'),
  EL0PTEN: allowed('EL0PTEN'),
  EL0VTEN: allowed('EL0VTEN'),
  EL0_FREQUENCY: {
    when: (view) => (view.get('CNTKCTL_EL1') & 3n) === 0n,
    on: 'both',
    at: ['el0'],
    cause: 'user-sysreg',
    source: 'CNTKCTL_EL1.EL0PCTEN and EL0VCTEN are 0, Arm DDI 0487 D19.12',
  },
};

const row = (crm: number, op2: number, fields: Fields, more: Partial<Row>): Row => ({
  at: sysreg(3, 3, 14, crm, op2),
  width: 64,
  reset: 0n,
  read: 'el0',
  write: 'el0',
  fields,
  ...more,
});

const CONTROL: Fields = {
  ENABLE: field(0, 'The timer is on.'),
  IMASK: field(1, 'Its interrupt is masked.'),
  ISTATUS: field(2, 'The condition is met; reads 0 while the timer is off.', 'ignored'),
  ...res0([63, 3]),
};

const STORED: Fields = { ENABLE: field(0, 'On.'), IMASK: field(1, 'Masked.'), ...res0([63, 2]) };

/** CTL, CVAL and TVAL of one timer. */
function timerRows(prefix: string, timer: Timer, crm: number, group: string): Rows {
  const traps = [group];
  return {
    [timer.control]: slot(`What ${prefix}_CTL_EL0 stores.`, 0n, { fields: STORED, affects: ['interrupts'] }),
    [`${prefix}_CTL_EL0`]: row(crm, 1, CONTROL, {
      traps,
      derive: (view) => view.get(timer.control) | (met(view, timer) ? 4n : 0n),
      wrote: (vcpu, written) => vcpu.set(timer.control, written & 3n),
    }),
    [timer.compare]: row(crm, 2, whole('The count at which the condition is met.'), { traps, affects: ['interrupts'] }),
    [`${prefix}_TVAL_EL0`]: row(
      crm,
      0,
      { TimerValue: field([31, 0], 'Ticks until the condition is met, signed.'), ...res0([63, 32]) },
      {
        traps,
        derive: (view) => BigInt.asUintN(32, view.get(timer.compare) - count(view)),
        wrote: (vcpu, written) => vcpu.set(timer.compare, BigInt.asUintN(64, count(vcpu) + BigInt.asIntN(32, written))),
        source: 'CNTV_TVAL_EL0: a view of CVAL against the count',
      },
    ),
  };
}

const counter = (view: View): bigint => count(view);

export const timer: Rows = {
  CNTFRQ_EL0: row(
    0,
    0,
    { Frequency: field([31, 0], 'Ticks per second.'), ...res0([63, 32]) },
    { reset: FREQUENCY, write: 'el2', traps: ['EL0_FREQUENCY'] },
  ),
  CNTPCT_EL0: row(0, 1, whole('Ticks since power-on.', 'ignored'), {
    write: 'never',
    derive: counter,
    traps: ['EL0PCTEN'],
  }),
  CNTVCT_EL0: row(0, 2, whole('Ticks since power-on; the offset is 0.', 'ignored'), {
    write: 'never',
    derive: counter,
    traps: ['EL0VCTEN'],
  }),
  CNTKCTL_EL1: {
    at: sysreg(3, 0, 14, 1, 0),
    width: 64,
    reset: 0n,
    read: 'el1',
    write: 'el1',
    fields: {
      EL0PCTEN: field(0, 'EL0 may read CNTPCT_EL0 and CNTFRQ_EL0.'),
      EL0VCTEN: field(1, 'EL0 may read CNTVCT_EL0 and CNTFRQ_EL0.'),
      EVNTEN: field(2, 'Event stream; stored. WFE returns at once here, so there is nothing to wake.'),
      EVNTDIR: field(3, 'Which edge of the bit makes an event; stored.'),
      EVNTI: field([7, 4], 'Which bit of the count makes events; stored.'),
      EL0VTEN: field(8, 'EL0 may use the virtual timer.'),
      EL0PTEN: field(9, 'EL0 may use the physical timer.'),
      ...res0([63, 10]),
    },
    source: 'UNKNOWN at reset; 0 keeps EL0 out',
  },
  ...timerRows('CNTP', physical, 2, 'EL0PTEN'),
  ...timerRows('CNTV', virtual, 3, 'EL0VTEN'),
};
