/**
 * The PMU's registers. A `role` says what a vPMU policy decides about: where the register lives, who may touch it, what travels on a switch.
 * `traps` are tried in order: first may the user level at all, then does the hypervisor want to see it.
 */
import { family, ones, type Register, type Vcpu, type View } from '@countervisor/contract';
import { control as at } from '../address.ts';
import { EVENT_IDS } from '../events.ts';
import { counters, counterWidth, type Level, MOST_COUNTERS } from '../features.ts';
import type { GroupName } from '../traps.ts';

type Digit = '0' | '1' | '2' | '3';
export type CounterName = `PMC${Digit}`;
export type SelectorName = `PMSEL${Digit}`;
export type PmuName =
  | 'PMCTL'
  | 'PMENSET'
  | 'PMENCLR'
  | 'PMSTAT'
  | 'PMINTEN'
  | 'PMUSER'
  | 'PMINC'
  | SelectorName
  | CounterName;

/** With its names typed, a misspelt one in a row is a red line in the editor. */
type Row = Register<PmuName, Level, GroupName>;

/** One bit for each counter that this CPU has. */
const implemented = (view: View): bigint => ones(counters(view));

export const pmu: Readonly<Record<PmuName, Row>> = {
  PMCTL: {
    at: at(0x10),
    width: 32,
    reset: 0n,
    read: 'kernel',
    write: 'kernel',
    role: 'global',
    traps: ['USER_PMU', 'TPM'],
    needs: 'pmu',
    fields: {
      RESERVED: { bits: [31, 2], means: 'Reserved.', write: 'zero' },
      // Reads as 0; what writing a 1 does is in `wrote`, for it goes beyond the stored bits.
      R: { bits: 1, means: 'Writing 1 sets every counter to 0.', write: 'zero' },
      E: { bits: 0, means: 'Counters run.' },
    },
    wrote: (vcpu: Vcpu, written: bigint): void => {
      if ((written & 2n) === 0n) return;
      for (let n = 0; n < counters(vcpu); n++) vcpu.set(`PMC${n}`, 0n);
    },
  },
  PMENSET: {
    at: at(0x11),
    width: 32,
    reset: 0n,
    read: 'kernel',
    write: 'kernel',
    role: 'enable',
    traps: ['USER_PMU', 'TPM'],
    needs: 'pmu',
    implemented,
    fields: {
      RESERVED: { bits: [31, 4], means: 'Reserved.', write: 'zero' },
      N: { bits: [3, 0], means: 'Bit n enables counter n.', write: 'one-sets' },
    },
  },
  PMENCLR: {
    at: at(0x12),
    width: 32,
    reset: 0n,
    read: 'kernel',
    write: 'kernel',
    role: 'enable',
    traps: ['USER_PMU', 'TPM'],
    needs: 'pmu',
    implemented,
    // A window: PMENSET holds the bits, this row's fields say what a write through it does to them.
    view: () => 'PMENSET',
    fields: {
      RESERVED: { bits: [31, 4], means: 'Reserved.', write: 'zero' },
      N: { bits: [3, 0], means: 'Writing 1 to bit n disables counter n.', write: 'one-clears' },
    },
  },
  PMSTAT: {
    at: at(0x13),
    width: 32,
    reset: 0n,
    read: 'kernel',
    write: 'kernel',
    role: 'overflow',
    traps: ['USER_PMU', 'TPM'],
    needs: 'pmu',
    affects: ['interrupts'],
    implemented,
    fields: {
      RESERVED: { bits: [31, 4], means: 'Reserved.', write: 'zero' },
      N: { bits: [3, 0], means: 'Counter n has overflowed; writing 1 clears.', write: 'one-clears' },
    },
  },
  PMINTEN: {
    at: at(0x14),
    width: 32,
    reset: 0n,
    read: 'kernel',
    write: 'kernel',
    role: 'interrupt',
    traps: ['USER_PMU', 'TPM'],
    needs: 'pmu',
    affects: ['interrupts'],
    implemented,
    fields: {
      RESERVED: { bits: [31, 4], means: 'Reserved.', write: 'zero' },
      N: { bits: [3, 0], means: 'Bit n lets the overflow of counter n interrupt.' },
    },
  },
  PMUSER: {
    at: at(0x15),
    width: 32,
    reset: 0n,
    read: 'kernel',
    write: 'kernel',
    role: 'user-access',
    traps: ['TPM'],
    needs: 'pmu',
    fields: {
      RESERVED: { bits: [31, 1], means: 'Reserved.', write: 'zero' },
      EN: { bits: 0, means: 'The user level may read counters and write PMINC.' },
    },
  },
  PMINC: {
    at: at(0x16),
    width: 32,
    reset: 0n,
    read: 'never',
    write: 'user',
    role: 'counter',
    traps: ['USER_PMU', 'TPM'],
    needs: 'pmu',
    fields: {
      RESERVED: { bits: [31, 4], means: 'Reserved.', write: 'zero' },
      N: { bits: [3, 0], means: 'Writing 1 to bit n adds one to counter n, if it counts INCREMENT.', write: 'zero' },
    },
    wrote: (vcpu: Vcpu, written: bigint): void => {
      for (let n = 0; n < counters(vcpu); n++) {
        const asked = ((written >> BigInt(n)) & 1n) === 1n;
        // Whether counter n runs at all is core's question to `counters.ts`; which event it has selected is not.
        if (asked && vcpu.field(`PMSEL${n}`, 'EVENT') === BigInt(EVENT_IDS.INCREMENT)) vcpu.count(`PMC${n}`, 1);
      }
    },
  },
  ...(family(MOST_COUNTERS, (n) => ({
    [`PMSEL${n}`]: {
      at: at(0x18 + n),
      width: 32,
      reset: 0n,
      read: 'kernel',
      write: 'kernel',
      role: 'selector',
      traps: ['USER_PMU', 'TPM'],
      needs: 'pmu',
      fields: {
        NU: { bits: 31, means: 'Nothing is counted at the user level.' },
        NK: { bits: 30, means: 'Nothing is counted at the kernel level.' },
        H: { bits: 29, means: 'The hypervisor level is counted, too.' },
        RESERVED: { bits: [28, 8], means: 'Reserved; writing 1 is undefined.', write: 'must-be-0' },
        EVENT: { bits: [7, 0], means: 'Number of the event; one that does not exist counts nothing.' },
      },
    } satisfies Row,
  })) as Readonly<Record<SelectorName, Row>>),
  ...(family(MOST_COUNTERS, (n) => ({
    [`PMC${n}`]: {
      at: at(0x1c + n),
      width: 64,
      reset: 'unknown',
      read: 'user',
      write: 'kernel',
      role: 'counter',
      traps: ['USER_PMU', 'TPM'],
      needs: 'pmu',
      // A counter that this CPU lacks reads as 0 and ignores writes; a 32-bit one does so with its upper half.
      implemented: (view: View): bigint => (n < counters(view) ? ones(counterWidth(view)) : 0n),
      fields: { COUNT: { bits: [63, 0], means: 'The count.' } },
    } satisfies Row,
  })) as Readonly<Record<CounterName, Row>>),
};
