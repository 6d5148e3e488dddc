/**
 * AMD's performance counters: four of the K7, six of family 15h and later whose first four are the same, and PerfMonV2's global registers.
 * AMD64 Architecture Programmer's Manual volume 2, 13.2; PerfMonV2: 13.2.4 and CPUID Fn8000_0022.
 *
 * They are windows onto the storage of Intel's: IA32_PMCn and IA32_PERFEVTSELn. The global registers are their own.
 */
import type { Vcpu, View } from '@countervisor/contract';
import { msr } from '../address.ts';
import { perfmon } from './perfmon.ts';
import { SELECT } from './pmu.ts';
import { field, type Rows, whole } from './row.ts';

/** Bits 40 and 41: count only while SVM's guest, or its host, runs. 13.2.2. */
const GUEST_ONLY = 1n << 40n;
const HOST_ONLY = 1n << 41n;
/** What a selector holds; the other bits are kept 0. */
const SELECTOR = 0x0000_030f_ffd7_ffffn & ~(1n << 19n);

const ROOT = 2;

export const amdSelector = (view: Pick<View, 'get'>, n: number): bigint => view.get(`IA32_PERFEVTSEL${n}`);

export function amdCounting(view: View, n: number, selector: bigint, level: number): boolean {
  if (perfmon(view).version >= 2 && ((view.get('PERF_CNTR_GLOBAL_CTL') >> BigInt(n)) & 1n) === 0n) return false;
  const only = selector & (GUEST_ONLY | HOST_ONLY);
  if (level === ROOT) {
    // Hypervisors that keep the counters for the guest set GuestOnly themselves (KVM, Xen); a guest that has them as they are may not have.
    if (view.policy !== 'passthrough' || only === GUEST_ONLY) return false;
    return (selector & SELECT.OS) !== 0n;
  }
  if (only === HOST_ONLY) return false;
  return (selector & (level === 0 ? SELECT.USR : SELECT.OS)) !== 0n;
}

/** The counter wrapped: its status (PerfMonV2), and its interrupt. */
export function amdOverflow(vcpu: Vcpu, n: number): void {
  if (perfmon(vcpu).version >= 2) {
    vcpu.set('PERF_CNTR_GLOBAL_STATUS', vcpu.get('PERF_CNTR_GLOBAL_STATUS') | (1n << BigInt(n)));
  }
  if ((amdSelector(vcpu, n) & SELECT.INT) !== 0n) vcpu.set('PMI', 1n);
}

const supervisor = {
  width: 64,
  reset: 0n,
  read: 'supervisor',
  write: 'supervisor',
  traps: ['MSR_BITMAP', 'OWN_BITMAP', 'NO_SUCH_COUNTER'],
} as const;

const select = (n: number) => ({
  role: 'selector' as const,
  fields: {
    EVENT_LOW: field([7, 0], 'Event select 7:0.'),
    UMASK: field([15, 8], 'Unit mask.'),
    USR: field(16, 'Counts at CPL above 0.'),
    OS: field(17, 'Counts at CPL 0.'),
    EDGE: field(18, 'Edge detect.'),
    RESERVED_19: field(19, 'Reserved.', 'zero'),
    INT: field(20, 'Interrupt on overflow.'),
    RESERVED_21: field(21, 'Reserved.', 'zero'),
    EN: field(22, 'Enable.'),
    INV: field(23, 'Inverts the comparison with CNT_MASK.'),
    CNT_MASK: field([31, 24], 'Counts cycles with at least this many events.'),
    EVENT_HIGH: field([35, 32], 'Event select 11:8.'),
    RESERVED_39_36: field([39, 36], 'Reserved.', 'zero'),
    GUEST_ONLY: field(40, 'Counts while a guest runs, and not else.'),
    HOST_ONLY: field(41, 'Counts while the host runs, and not else.'),
    RESERVED_63_42: field([63, 42], 'Reserved.', 'zero'),
  },
  view: () => `IA32_PERFEVTSEL${n}`,
  accepts: (_view: View, value: bigint) => value & SELECTOR,
  affects: ['pmu'] as const,
});

const count = (n: number) => ({
  role: 'counter' as const,
  fields: { COUNT: field([47, 0], 'The count.'), RESERVED_63_48: field([63, 48], 'Reserved.', 'zero') },
  view: () => `IA32_PMC${n}`,
});

const k7 = (n: number): Rows => ({
  [`PERF_EVT_SEL${n}`]: { ...supervisor, at: msr(0xc001_0000 + n), needs: 'k7_perfctr', ...select(n) },
  [`PERF_CTR${n}`]: { ...supervisor, at: msr(0xc001_0004 + n), needs: 'k7_perfctr', ...count(n) },
});

const core = (n: number): Rows => ({
  [`PERF_CTL_CORE${n}`]: { ...supervisor, at: msr(0xc001_0200 + 2 * n), needs: 'perfctr_core', ...select(n) },
  [`PERF_CTR_CORE${n}`]: { ...supervisor, at: msr(0xc001_0201 + 2 * n), needs: 'perfctr_core', ...count(n) },
});

const times = (n: number, rows: (n: number) => Rows): Rows =>
  Object.assign({}, ...Array.from({ length: n }, (_, i) => rows(i)));

const bits = (view: View): bigint => (1n << BigInt(perfmon(view).general)) - 1n;

export const amd: Rows = {
  ...times(4, k7),
  ...times(6, core),
  PERF_CNTR_GLOBAL_STATUS: {
    ...supervisor,
    at: msr(0xc000_0300),
    write: 'never',
    role: 'overflow',
    needs: 'perfmon_v2',
    fields: whole('Overflows, by counter.'),
  },
  PERF_CNTR_GLOBAL_CTL: {
    ...supervisor,
    at: msr(0xc000_0301),
    role: 'global',
    needs: 'perfmon_v2',
    fields: whole('Enables, by counter.'),
    accepts: (view, value) => value & bits(view),
    affects: ['pmu'],
  },
  PERF_CNTR_GLOBAL_STATUS_CLR: {
    ...supervisor,
    at: msr(0xc000_0302),
    role: 'overflow',
    needs: 'perfmon_v2',
    fields: whole('Writing a 1 clears the bit of the status. Reads as 0.'),
    derive: () => 0n,
    wrote: (vcpu, written) => {
      vcpu.set('PERF_CNTR_GLOBAL_STATUS', vcpu.get('PERF_CNTR_GLOBAL_STATUS') & ~written);
    },
  },
  PERF_CNTR_GLOBAL_STATUS_SET: {
    ...supervisor,
    at: msr(0xc000_0303),
    role: 'overflow',
    needs: 'perfmon_v2',
    fields: whole('Writing a 1 sets the bit of the status. Reads as 0.'),
    derive: () => 0n,
    wrote: (vcpu, written) => {
      vcpu.set('PERF_CNTR_GLOBAL_STATUS', vcpu.get('PERF_CNTR_GLOBAL_STATUS') | (written & bits(vcpu)));
    },
  },
};
