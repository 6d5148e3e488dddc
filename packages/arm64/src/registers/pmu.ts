/**
 * The Performance Monitors' registers and MDCR_EL2. Arm DDI 0487, D24.5 and D24.3.17; order of the checks after the access pseudocode there.
 *
 * Set and clear registers are two windows onto one stored register each (PMCNTEN, PMINTEN, PMOVS), and PMCR_EL0 is what PMCR stores plus what the
 * CPU and MDCR_EL2.HPMN say: the stored ones hold every counter's bit, the windows show those that the present level may see.
 */
import { family, type View } from '@countervisor/contract';
import { sysreg } from '../address.ts';
import { accessible, CYCLE, counterMask, counters, implemented, MOST, ownFilters } from '../counters.ts';
import { common, SW_INCR } from '../events.ts';
import { fine } from './fgt.ts';
import { MDCR, MDCR_FIELDS, PMCR, PMCR_CONTROLS } from './monitor.ts';
import { type Fields, field, type Row, type Rows, res0, whole } from './row.ts';

type Place = readonly [op1: number, crn: number, crm: number, op2: number];

const row = (
  place: Place,
  more: Omit<Row, 'at' | 'width' | 'reset' | 'read' | 'write' | 'needs'> & Partial<Row>,
): Row => ({
  at: sysreg(3, ...place),
  width: 64,
  reset: 'unknown',
  read: 'el0',
  write: 'el0',
  needs: 'pmuv3',
  ...more,
});

const bits = (means: string, write: 'one-sets' | 'one-clears' | 'plain'): Fields => ({
  P: field([30, 0], `Event counter n: ${means}`, write),
  C: field(31, `Cycle counter: ${means}`, write),
  ...res0([63, 32]),
});

/** A stored register behind windows: no instruction names it. */
const stored = (means: string, more: Pick<Row, 'role' | 'affects'>): Row => ({
  width: 64,
  reset: 'unknown',
  read: 'el2',
  write: 'el2',
  needs: 'pmuv3',
  fields: bits(means, 'plain'),
  ...more,
});

/** A window that sets or clears bits of a stored register. */
const window = (
  place: Place,
  name: string,
  means: string,
  write: 'one-sets' | 'one-clears',
  more: Pick<Row, 'role' | 'traps'> & Partial<Row>,
): Row => row(place, { fields: bits(means, write), view: () => name, implemented: counterMask, ...more });

/** Bits 31:26: who is counted. */
const FILTERS: Fields = {
  M: field(26, 'EL3 is counted when equal to P.'),
  NSH: field(27, 'EL2 is counted (the sense is inverse to the others).'),
  NSU: field(28, 'Non-secure EL0 is counted when equal to U.'),
  NSK: field(29, 'Non-secure EL1 is counted when equal to P.'),
  U: field(30, 'EL0 is not counted.'),
  P: field(31, 'EL1 is not counted.'),
};
const FILTER_BITS = 0xfc00_0000n;
/** What a guest without EL2 and EL3 of its own has of them: P and U. */
const GUEST_FILTER_BITS = 0xc000_0000n;

const TYPE: Fields = {
  evtCount: field(
    [15, 0],
    'Event number: 10 bits, 16 from PMUv3p1 on. One that is not supported is kept, and nothing is counted.',
  ),
  ...res0([23, 16]),
  SH: field(24, 'Secure EL2; RES0, there is none.', 'zero'),
  MT: field(25, 'Multithreading; RES0, there is none.', 'zero'),
  ...FILTERS,
  ...res0([63, 32]),
};

const typeBits = (view: Pick<View, 'cpu'>): bigint =>
  FILTER_BITS | (view.cpu.features.has('pmuv3p1') ? 0xffffn : 0x3ffn);

/**
 * Emulated counters belong to a vCPU that has neither EL2 nor EL3: NSK, NSU, NSH and M are RES0 there. Of a mediated guest's writes, which all trap, the
 * hypervisor lets the same bits through, so that the guest's counters never count at EL2.
 */
const guestFilters = (view: View, value: bigint): bigint =>
  ownFilters(view.policy) ? value & (GUEST_FILTER_BITS | 0xffffn) : value;

const counterBits = (view: Pick<View, 'cpu'>): bigint =>
  view.cpu.features.has('pmuv3p5') ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;

const selection = (view: View): number => Number(view.get('PMSELR_EL0') & 0x1fn);

/** PMCR_EL0's stored bits on this CPU. */
const controls = (view: Pick<View, 'cpu'>): bigint => {
  const { E, D, X, DP, LC, LP } = PMCR;
  return E | D | X | DP | LC | (view.cpu.features.has('pmuv3p5') ? LP : 0n);
};

const perCounter: Rows = family(MOST, (n) => ({
  [`PMEVCNTR${n}_EL0`]: row([3, 14, 8 | (n >> 3), n & 7], {
    fields: whole(`Event counter ${n}; 32 bits before PMUv3p5.`),
    role: 'counter',
    traps: ['NO_SUCH_COUNTER', 'PMUSERENR_ER_READ', ...fine('PMEVCNTRn_EL0'), 'TPM', 'HPMN_ZERO', 'HPMN'],
    implemented: counterBits,
  }),
  [`PMEVTYPER${n}_EL0`]: row([3, 14, 12 | (n >> 3), n & 7], {
    fields: TYPE,
    role: 'selector',
    traps: ['NO_SUCH_COUNTER', 'PMUSERENR_EN', ...fine('PMEVTYPERn_EL0'), 'TPM', 'HPMN_ZERO', 'HPMN'],
    implemented: typeBits,
    accepts: guestFilters,
    affects: ['pmu'],
  }),
}));

export const pmu: Rows = {
  PMCR: {
    ...stored('', { role: 'global', affects: ['pmu', 'interrupts'] }),
    // E resets to 0. The others are UNKNOWN; 0 as well, so that software which sets E alone counts every cycle.
    reset: 0n,
    fields: {
      ...PMCR_CONTROLS,
      P: field(1, 'Never stored.', 'zero'),
      C: field(2, 'Never stored.', 'zero'),
      ...res0([63, 8]),
    },
    implemented: controls,
  },
  PMCR_EL0: row([3, 9, 12, 0], {
    fields: {
      ...PMCR_CONTROLS,
      ...res0([10, 8]),
      N: field([15, 11], 'Event counters: those below MDCR_EL2.HPMN, for EL1 and EL0.', 'ignored'),
      IDCODE: field([23, 16], 'Identification.', 'ignored'),
      IMP: field([31, 24], 'Implementer.', 'ignored'),
      ...res0([63, 32]),
    },
    reset: 0n,
    role: 'global',
    traps: ['PMUSERENR_EN', ...fine('PMCR_EL0'), 'TPM', 'TPMCR', 'HPMN_ZERO'],
    derive: (view) => {
      const { PMCR_EL0 = 0n } = view.cpu.identity;
      return (PMCR_EL0 & 0xffff_0000n) | (BigInt(accessible(view)) << 11n) | view.get('PMCR');
    },
    wrote: (vcpu, written) => {
      if ((written & PMCR.P) !== 0n) {
        for (let n = 0; n < accessible(vcpu); n++) vcpu.set(`PMEVCNTR${n}_EL0`, 0n);
      }
      if ((written & PMCR.C) !== 0n) vcpu.set('PMCCNTR_EL0', 0n);
      vcpu.set('PMCR', written & controls(vcpu));
    },
    source: 'D24.5.8: P at EL1 reaches the first range alone; neither P nor C touches selectors or overflow status',
  }),

  PMCNTEN: stored('enabled.', { role: 'enable', affects: ['pmu'] }),
  PMCNTENSET_EL0: window([3, 9, 12, 1], 'PMCNTEN', 'enabled; written 1, enable.', 'one-sets', {
    role: 'enable',
    traps: ['PMUSERENR_EN', ...fine('PMCNTEN'), 'TPM', 'HPMN_ZERO'],
  }),
  PMCNTENCLR_EL0: window([3, 9, 12, 2], 'PMCNTEN', 'enabled; written 1, disable.', 'one-clears', {
    role: 'enable',
    traps: ['PMUSERENR_EN', ...fine('PMCNTEN'), 'TPM', 'HPMN_ZERO'],
  }),

  PMINTEN: stored('interrupts on overflow.', { role: 'interrupt', affects: ['interrupts'] }),
  PMINTENSET_EL1: window([0, 9, 14, 1], 'PMINTEN', 'interrupts on overflow; written 1, enable.', 'one-sets', {
    role: 'interrupt',
    read: 'el1',
    write: 'el1',
    traps: [...fine('PMINTEN'), 'TPM', 'HPMN_ZERO'],
  }),
  PMINTENCLR_EL1: window([0, 9, 14, 2], 'PMINTEN', 'interrupts on overflow; written 1, disable.', 'one-clears', {
    role: 'interrupt',
    read: 'el1',
    write: 'el1',
    traps: [...fine('PMINTEN'), 'TPM', 'HPMN_ZERO'],
  }),

  PMOVS: stored('has overflowed.', { role: 'overflow', affects: ['interrupts'] }),
  PMOVSCLR_EL0: window([3, 9, 12, 3], 'PMOVS', 'has overflowed; written 1, forget it.', 'one-clears', {
    role: 'overflow',
    traps: ['PMUSERENR_EN', ...fine('PMOVS'), 'TPM', 'HPMN_ZERO'],
  }),
  PMOVSSET_EL0: window([3, 9, 14, 3], 'PMOVS', 'has overflowed; written 1, say so.', 'one-sets', {
    role: 'overflow',
    traps: ['PMUSERENR_EN', ...fine('PMOVS'), 'TPM', 'HPMN_ZERO'],
  }),

  PMSWINC_EL0: row([3, 9, 12, 4], {
    fields: { P: field([30, 0], 'Written 1: event counter n counts one SW_INCR.', 'zero'), ...res0([63, 31]) },
    reset: 0n,
    read: 'never',
    role: 'counter',
    traps: ['PMUSERENR_SW', ...fine('PMSWINC_EL0'), 'TPM', 'HPMN_ZERO'],
    wrote: (vcpu, written) => {
      for (let n = 0; n < accessible(vcpu); n++) {
        const counter = counters[n];
        if (((written >> BigInt(n)) & 1n) === 0n || counter === undefined) continue;
        if (counter.event(vcpu) === SW_INCR && counter.counting(vcpu, vcpu.level)) vcpu.count(counter.value, 1);
      }
    },
  }),

  PMSELR_EL0: row([3, 9, 12, 5], {
    fields: {
      SEL: field([4, 0], 'Counter that PMXEVTYPER_EL0 and PMXEVCNTR_EL0 reach; 31 is the cycle counter.'),
      ...res0([63, 5]),
    },
    // It chooses a counter, not an event: the two windows reach no further than the counters themselves.
    role: 'global',
    traps: ['PMUSERENR_ER', ...fine('PMSELR_EL0'), 'TPM'],
    source: 'D24.5.22: an unimplemented SEL reads as UNKNOWN; as written, here',
  }),
  PMXEVTYPER_EL0: row([3, 9, 13, 1], {
    fields: TYPE,
    role: 'selector',
    traps: ['NO_SUCH_COUNTER', 'PMUSERENR_EN', ...fine('PMEVTYPERn_EL0'), 'TPM', 'HPMN_ZERO', 'HPMN'],
    view: (view) => (selection(view) === CYCLE ? 'PMCCFILTR_EL0' : `PMEVTYPER${selection(view)}_EL0`),
    accepts: (view, value) => guestFilters(view, selection(view) === CYCLE ? value & FILTER_BITS : value),
    source:
      'D24.5.28: with SEL at or beyond the counters there are CONSTRAINED UNPREDICTABLE; of the permitted outcomes UNDEFINED beyond N and a trap to EL2 beyond HPMN, as FEAT_FGT makes mandatory',
  }),
  PMXEVCNTR_EL0: row([3, 9, 13, 2], {
    fields: whole('The selected event counter.'),
    role: 'counter',
    traps: ['NO_SUCH_COUNTER', 'PMUSERENR_ER_READ', ...fine('PMEVCNTRn_EL0'), 'TPM', 'HPMN_ZERO', 'HPMN'],
    view: (view) => (selection(view) === CYCLE ? 'undefined' : `PMEVCNTR${selection(view)}_EL0`),
    source: 'D24.5.27: as PMXEVTYPER_EL0; SEL = 31 is UNDEFINED',
  }),
  ...perCounter,

  PMCCNTR_EL0: row([3, 9, 13, 0], {
    fields: { CCNT: field([63, 0], 'Cycles.') },
    role: 'counter',
    traps: ['PMUSERENR_CR', ...fine('PMCCNTR_EL0'), 'TPM'],
  }),
  PMCCFILTR_EL0: row([3, 14, 15, 7], {
    fields: {
      ...res0([23, 0]),
      SH: field(24, 'Secure EL2; RES0, there is none.', 'zero'),
      ...res0(25),
      ...FILTERS,
      ...res0([63, 32]),
    },
    role: 'selector',
    traps: ['PMUSERENR_EN', ...fine('PMCCFILTR_EL0'), 'TPM'],
    accepts: guestFilters,
    affects: ['pmu'],
  }),

  PMUSERENR_EL0: row([3, 9, 14, 0], {
    fields: {
      EN: field(0, 'EL0 may access the Performance Monitors.'),
      SW: field(1, 'EL0 may write PMSWINC_EL0.'),
      CR: field(2, 'EL0 may read PMCCNTR_EL0.'),
      ER: field(3, 'EL0 may read event counters, and read and write PMSELR_EL0.'),
      ...res0([63, 4]),
    },
    write: 'el1',
    role: 'user-access',
    traps: [...fine('PMUSERENR_EL0'), 'TPM'],
    source: 'D24.5.26: UNKNOWN at reset; EL0 writes are UNDEFINED, EL0 reads are not subject to EN',
  }),
  PMCEID0_EL0: row([3, 9, 12, 6], {
    fields: whole('Common events 0 to 31, and 0x4000 to 0x401F in the high half, that are counted.', 'ignored'),
    reset: 0n,
    write: 'never',
    role: 'identity',
    traps: ['PMUSERENR_EN', ...fine('PMCEIDn_EL0'), 'TPM'],
    derive: (view) => common(0, view.cpu.features),
  }),
  PMCEID1_EL0: row([3, 9, 12, 7], {
    fields: whole('Common events 32 to 63, and 0x4020 to 0x403F in the high half, that are counted.', 'ignored'),
    reset: 0n,
    write: 'never',
    role: 'identity',
    traps: ['PMUSERENR_EN', ...fine('PMCEIDn_EL0'), 'TPM'],
    derive: (view) => common(1, view.cpu.features),
  }),
  PMMIR_EL1: row([0, 9, 14, 6], {
    fields: {
      SLOTS: field([7, 0], 'Most that STALL_SLOT adds in a cycle; 0, it is not counted.', 'ignored'),
      BUS_SLOTS: field([15, 8], 'Bus slots; 0, not available.', 'ignored'),
      BUS_WIDTH: field([19, 16], 'Bus width; 0, not available.', 'ignored'),
      ...res0([63, 20]),
    },
    reset: 0n,
    read: 'el1',
    write: 'never',
    needs: 'pmuv3p4',
    role: 'identity',
    traps: [...fine('PMMIR_EL1'), 'TPM'],
    derive: () => 0n,
  }),

  MDCR_EL2: {
    at: sysreg(3, 4, 1, 1, 1),
    width: 64,
    reset: (view) => BigInt(implemented(view)),
    read: 'el2',
    write: 'el2',
    home: 'pcpu',
    fields: MDCR_FIELDS,
    implemented: (view) => {
      const { features } = view.cpu;
      let mask = MDCR.TDE | MDCR.TDA | MDCR.TDOSA | MDCR.TDRA;
      if (features.has('pmuv3')) mask |= MDCR.HPMN | MDCR.TPMCR | MDCR.TPM | MDCR.HPME;
      if (features.has('pmuv3p1')) mask |= MDCR.HPMD;
      if (features.has('pmuv3p5')) mask |= MDCR.HCCD | MDCR.HLP;
      return mask;
    },
    affects: ['pmu', 'interrupts'],
    source: 'D24.3.17',
  },
};
