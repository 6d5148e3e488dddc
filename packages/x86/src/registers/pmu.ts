/**
 * Registers of architectural performance monitoring. Intel SDM volume 3, 20.2; addresses from volume 4, table 2-2. AMD's are in registers/amd.ts.
 *
 * `traps` are tried in order: the MSR bitmap (or RDPMC exiting) first, as the hardware has it, then whether this CPU has such a counter.
 */
import type { Refusal, Vcpu, View } from '@countervisor/contract';
import { msr, pmc } from '../address.ts';
import { hostOf } from '../sampling/hosts.ts';
import { selected } from '../sampling/pin.ts';
import { DEBUGCTL, STATUS } from './debugctl.ts';
import { bitOf, counterBits, extended, FIXED, MOST_FIXED, MOST_GENERAL, perfmon } from './perfmon.ts';
import { field, type Rows, slot, whole } from './row.ts';

export const GP: Refusal = { refuse: '#GP', syndrome: 0n };

/** EVNTSEL bits. Volume 3, 20.2.1, 20.2.3; ADAPTIVE: 20.9.2. */
export const SELECT: Readonly<
  Record<'USR' | 'OS' | 'EDGE' | 'INT' | 'ANY' | 'EN' | 'INV' | 'IN_TX' | 'IN_TXCP' | 'ADAPTIVE', bigint>
> = {
  USR: 1n << 16n,
  OS: 1n << 17n,
  EDGE: 1n << 18n,
  INT: 1n << 20n,
  ANY: 1n << 21n,
  EN: 1n << 22n,
  INV: 1n << 23n,
  IN_TX: 1n << 32n,
  IN_TXCP: 1n << 33n,
  ADAPTIVE: 1n << 34n,
};

/** Four bits for each fixed counter, and one more from bit 32 on. Volume 3, 20.2.2, 20.9.2. */
export const FIXED_CTRL: Readonly<Record<'OS' | 'USR' | 'ANY' | 'PMI', bigint>> = { OS: 1n, USR: 2n, ANY: 4n, PMI: 8n };
export const fixedControl = (view: Pick<View, 'get'>, i: number): bigint =>
  (view.get('IA32_FIXED_CTR_CTRL') >> BigInt(4 * i)) & 15n;

const ones = (n: number): bigint => (1n << BigInt(n)) - 1n;

/** AnyThread: from version 3 on; version 5 says that it is deprecated (CPUID.0AH:EDX[15]), and reserved. Volume 3, 20.2.3, 20.2.5. */
const anyThread = (view: View): boolean => [3, 4].includes(perfmon(view).version);

function selector(view: View, value: bigint): bigint | Refusal {
  let allowed = ones(32);
  if (!anyThread(view)) allowed &= ~SELECT.ANY;
  if (perfmon(view).pebs?.baseline === true) allowed |= SELECT.ADAPTIVE;
  return (value & ~allowed) === 0n ? value : GP;
}

function fixedSelector(view: View, value: bigint): bigint | Refusal {
  const { fixed, pebs } = perfmon(view);
  let allowed = 0n;
  for (let i = 0; i < fixed; i++) {
    allowed |= (anyThread(view) ? 15n : 11n) << BigInt(4 * i);
    if (pebs?.baseline === true) allowed |= 1n << BigInt(FIXED + 4 * i);
  }
  return (value & ~allowed) === 0n ? value : GP;
}

const fits = (width: (view: View) => number) => (view: View, value: bigint) =>
  value >> BigInt(width(view)) === 0n ? value : GP;

/** The rows that every one of them shares. */
const supervisor = {
  width: 64,
  reset: 0n,
  read: 'supervisor',
  write: 'supervisor',
  traps: ['MSR_BITMAP', 'OWN_BITMAP', 'NO_SUCH_COUNTER'],
} as const;

const generalRows = (n: number): Rows => ({
  [`IA32_PMC${n}`]: {
    ...supervisor,
    at: msr(0xc1 + n),
    role: 'counter',
    needs: 'perfmon',
    fields: whole('The count. A write takes the low 32 bits, sign-extended to the counter’s width.'),
    accepts: (view, value) => extended(value, perfmon(view).width),
  },
  [`IA32_A_PMC${n}`]: {
    ...supervisor,
    at: msr(0x4c1 + n),
    role: 'counter',
    needs: 'full_width',
    fields: whole('The count, written whole; bits beyond its width are refused.'),
    view: () => `IA32_PMC${n}`,
    accepts: fits((view) => perfmon(view).width),
    source: 'SDM volume 3, 20.2.8',
  },
  [`IA32_PERFEVTSEL${n}`]: {
    ...supervisor,
    at: msr(0x186 + n),
    role: 'selector',
    needs: 'perfmon',
    fields: {
      EVENT: field([7, 0], 'Event select.'),
      UMASK: field([15, 8], 'Unit mask.'),
      USR: field(16, 'Counts at CPL above 0.'),
      OS: field(17, 'Counts at CPL 0.'),
      E: field(18, 'Edge detect.'),
      PC: field(19, 'Pin control: stored, and no pin.'),
      INT: field(20, 'Interrupt on overflow.'),
      ANY: field(21, 'Any thread of the core; there is one.'),
      EN: field(22, 'Enable.'),
      INV: field(23, 'Inverts the comparison with CMASK.'),
      CMASK: field([31, 24], 'Counts cycles with at least this many events.'),
      IN_TX: field(32, 'Within a transaction: reserved, as there are none.'),
      IN_TXCP: field(33, 'Outside aborted transactions: reserved.'),
      ADAPTIVE_RECORD: field(34, 'PEBS records have the groups of PEBS_DATA_CFG.'),
      HIGH: field([63, 35], 'Reserved.'),
    },
    accepts: selector,
    wrote: (vcpu) => selected(vcpu, n),
    affects: ['pmu'],
  },
  [`PMC${n}`]: {
    ...supervisor,
    at: pmc(n),
    read: 'user',
    write: 'never',
    role: 'counter',
    needs: 'perfmon',
    traps: ['RDPMC_PCE', 'RDPMC_EXITING', 'NO_SUCH_COUNTER'],
    fields: whole('The count, to RDPMC.'),
    view: () => `IA32_PMC${n}`,
  },
});

const fixedRows = (i: number): Rows => ({
  [`IA32_FIXED_CTR${i}`]: {
    ...supervisor,
    at: msr(0x309 + i),
    role: 'counter',
    needs: 'perfmon_2',
    fields: whole('The count.'),
    accepts: fits((view) => perfmon(view).fixedWidth),
  },
  [`FIXED_CTR${i}`]: {
    ...supervisor,
    at: pmc(0x4000_0000 + i),
    read: 'user',
    write: 'never',
    role: 'counter',
    needs: 'perfmon_2',
    traps: ['RDPMC_PCE', 'RDPMC_EXITING', 'NO_SUCH_COUNTER'],
    fields: whole('The count, to RDPMC with bit 30 set.'),
    view: () => `IA32_FIXED_CTR${i}`,
  },
});

const times = (n: number, rows: (n: number) => Rows): Rows =>
  Object.assign({}, ...Array.from({ length: n }, (_, i) => rows(i)));

/** Status bits that software can clear, or set. */
export function statusBits(view: View): bigint {
  const { version, pebs } = perfmon(view);
  let bits = counterBits(view) | STATUS.COND_CHGD;
  if (pebs !== undefined) bits |= STATUS.OVF_BUF;
  if (version >= 4) bits |= STATUS.LBR_FRZ | STATUS.CTR_FRZ | STATUS.ASCI;
  return bits;
}

const only = (bits: (view: View) => bigint) => (view: View, value: bigint) =>
  (value & ~bits(view)) === 0n ? value : GP;

const global: Rows = {
  IA32_FIXED_CTR_CTRL: {
    ...supervisor,
    at: msr(0x38d),
    role: 'selector',
    needs: 'perfmon_2',
    fields: whole(
      'Four bits for each fixed counter: OS, USR, any thread, PMI; from bit 32 on, every fourth: adaptive records.',
    ),
    accepts: fixedSelector,
    affects: ['pmu'],
  },
  IA32_PERF_GLOBAL_STATUS: {
    ...supervisor,
    at: msr(0x38e),
    write: 'never',
    role: 'overflow',
    needs: 'perfmon_2',
    fields: whole(
      'Overflows, by counter; 58 LBRs frozen, 59 counters frozen, 62 debug store at its threshold, 63 changed.',
    ),
    affects: ['pmu'],
  },
  IA32_PERF_GLOBAL_CTRL: {
    ...supervisor,
    at: msr(0x38f),
    // Volume 3, table 10-1: power-up sets the bits of the general counters.
    reset: (view) => ones(perfmon(view).general),
    role: 'global',
    needs: 'perfmon_2',
    fields: whole('Enables, by counter.'),
    accepts: only(counterBits),
    affects: ['pmu'],
  },
  IA32_PERF_GLOBAL_STATUS_RESET: {
    ...supervisor,
    at: msr(0x390),
    role: 'overflow',
    needs: 'perfmon_2',
    fields: whole('Writing a 1 clears the bit of GLOBAL_STATUS. Reads as 0. Called GLOBAL_OVF_CTRL before version 4.'),
    derive: () => 0n,
    accepts: only(statusBits),
    wrote: (vcpu, written) => {
      vcpu.set('IA32_PERF_GLOBAL_STATUS', vcpu.get('IA32_PERF_GLOBAL_STATUS') & ~written);
    },
    source: 'SDM volume 3, 20.2.4',
  },
  IA32_PERF_GLOBAL_STATUS_SET: {
    ...supervisor,
    at: msr(0x391),
    role: 'overflow',
    needs: 'perfmon_4',
    fields: whole('Writing a 1 sets the bit of GLOBAL_STATUS. Reads as 0.'),
    derive: () => 0n,
    accepts: only((view) => statusBits(view) & ~STATUS.COND_CHGD),
    wrote: (vcpu, written) => {
      vcpu.set('IA32_PERF_GLOBAL_STATUS', vcpu.get('IA32_PERF_GLOBAL_STATUS') | written);
    },
    source: 'SDM volume 3, 20.2.4',
  },
  IA32_PERF_GLOBAL_INUSE: {
    ...supervisor,
    at: msr(0x392),
    write: 'never',
    role: 'global',
    needs: 'perfmon_4',
    fields: whole('Counters whose selector is not 0; bit 63: one of them interrupts.'),
    derive: inUse,
    source: 'SDM volume 3, 20.2.4.3',
  },
  IA32_PERF_CAPABILITIES: {
    ...supervisor,
    at: msr(0x345),
    traps: ['MSR_BITMAP', 'NOT_SHOWN'],
    reset: capabilities,
    write: 'never',
    role: 'identity',
    needs: 'pdcm',
    fields: whole(
      'LBR format 5:0, PEBS trap 6, saves architectural registers 7, record format 11:8, full-width writes 13, baseline 14.',
    ),
    derive: capabilities,
  },
  EDX_EAX: slot('EDX and EAX as one: what RDMSR, RDPMC and RDTSC leave.', 0n, {
    write: 'never',
    fields: whole('Both.', 'ignored'),
    // A MOV from a control register leaves more than 32 bits in RAX alone.
    derive: (view) => {
      const rax = view.get('RAX');
      return rax >> 32n !== 0n ? rax : (BigInt.asUintN(32, view.get('RDX')) << 32n) | rax;
    },
  }),
  PMI: {
    width: 1,
    reset: 0n,
    read: 'user',
    write: 'user',
    role: 'interrupt',
    fields: {
      VALUE: field(
        0,
        'The performance monitors have asked for an interrupt, and the local APIC has not looked yet: an edge.',
      ),
    },
    affects: ['interrupts'],
  },
};

function inUse(view: View): bigint {
  const { general, fixed } = perfmon(view);
  let bits = 0n;
  let interrupts = false;
  for (let n = 0; n < general; n++) {
    const select = view.get(`IA32_PERFEVTSEL${n}`);
    if ((select & 0xffn) !== 0n) bits |= 1n << BigInt(n);
    if ((select & SELECT.INT) !== 0n) interrupts = true;
  }
  for (let i = 0; i < fixed; i++) {
    const control = fixedControl(view, i);
    if (control !== 0n) bits |= 1n << BigInt(FIXED + i);
    if ((control & FIXED_CTRL.PMI) !== 0n) interrupts = true;
  }
  return interrupts ? bits | (1n << 63n) : bits;
}

/** Volume 3, 19.8 (PEBS in IA32_PERF_CAPABILITIES) and 20.2.8. The guest's CPUID decides whether PEBS is there. */
export function capabilities(view: View): bigint {
  const { fullWidth, pebs, lbr } = perfmon(view);
  let bits = BigInt(lbr?.format ?? 0);
  if (pebs !== undefined && hasPebs(view)) {
    // Trap-like since Nehalem; architectural registers are saved since then, too.
    bits |= BigInt(pebs.format) << 8n;
    bits |= (1n << 6n) | (pebs.format > 0 ? 1n << 7n : 0n);
    if (hasBaseline(view)) bits |= 1n << 14n;
  }
  return fullWidth ? bits | (1n << 13n) : bits;
}

/** Adaptive records: upstream's KVM has taken them away again (9e985cbf2942), because they showed the guest the host's last branches. */
export function hasBaseline(view: View): boolean {
  const { pebs, strict } = hostOf(view);
  return perfmon(view).pebs?.baseline === true && hasPebs(view) && !(pebs === 'ept' && !strict);
}

/** Has this guest the debug store's PEBS? The CPU has, and its hypervisor lets it. */
export function hasPebs(view: View): boolean {
  const { pebs, strict, allowed } = hostOf(view);
  if (!view.cpu.features.has('pebs') || pebs === 'off') return false;
  // The patch of 2014 goes by the host's CPUID alone.
  return allowed || (pebs === 'pin' && !strict);
}

export const pmu: Rows = {
  ...times(MOST_GENERAL, generalRows),
  ...times(MOST_FIXED, fixedRows),
  ...global,
};

/** Asks for an interrupt; freezes what DEBUGCTL says, in the way of this version (volume 3, 18.4.7). */
export function requestInterrupt(vcpu: Vcpu): void {
  vcpu.set('PMI', 1n);
  const control = vcpu.get('IA32_DEBUGCTL');
  const streamlined = perfmon(vcpu).version >= 4;
  if ((control & DEBUGCTL.FREEZE_PERFMON_ON_PMI) !== 0n) {
    if (streamlined) vcpu.set('IA32_PERF_GLOBAL_STATUS', vcpu.get('IA32_PERF_GLOBAL_STATUS') | STATUS.CTR_FRZ);
    else vcpu.set('IA32_PERF_GLOBAL_CTRL', 0n);
  }
  if ((control & DEBUGCTL.FREEZE_LBRS_ON_PMI) !== 0n) {
    if (streamlined) vcpu.set('IA32_PERF_GLOBAL_STATUS', vcpu.get('IA32_PERF_GLOBAL_STATUS') | STATUS.LBR_FRZ);
    else vcpu.set('IA32_DEBUGCTL', control & ~DEBUGCTL.LBR);
  }
}

/** Does the bit of a counter in GLOBAL_STATUS stand at this position of the list? */
export const statusOf = (counter: number): bigint => 1n << BigInt(bitOf(counter));
