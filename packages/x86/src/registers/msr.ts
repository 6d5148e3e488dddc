/**
 * Model-specific registers that are not the PMU's: Intel SDM volume 4, table 2-2 (architectural MSRs); AMD APM volume 2, appendix A. A value that the manual
 * refuses is #GP(0); an MSR without a row is #GP(0) and named.
 */
import type { Refusal, View } from '@countervisor/contract';
import { msr, tsc } from '../address.ts';
import { deadlineTicks, setDeadline } from '../platform/timer.ts';
import { perfmon } from './perfmon.ts';
import { hasPebs } from './pmu.ts';
import { field, mustBe0, type Row, type Rows, slot, whole, zero } from './row.ts';

const refused: Refusal = { refuse: '#GP', syndrome: 0n };
const supervisor = { read: 'supervisor', write: 'supervisor' } as const;

const isCanonical = (value: bigint): boolean => BigInt.asIntN(48, value) === BigInt.asIntN(64, value);

/** Holds an address: #GP for one that is not canonical. */
const address = (index: number, means: string, more: Partial<Row> = {}): Row =>
  slot(means, 0n, {
    at: msr(index),
    ...supervisor,
    accepts: (_view, value) => (isCanonical(value) ? value : refused),
    ...more,
  });

const stored = (index: number, means: string, reset = 0n, more: Partial<Row> = {}): Row =>
  slot(means, reset, { at: msr(index), ...supervisor, ...more });

/** Read-only: a write is #GP. */
const constant = (
  index: number,
  means: string,
  value: bigint | ((view: View) => bigint),
  more: Partial<Row> = {},
): Row =>
  slot(means, 0n, {
    at: msr(index),
    read: 'supervisor',
    write: 'never',
    fields: whole(means, 'ignored'),
    derive: typeof value === 'bigint' ? () => value : value,
    ...more,
  });

/** Memory types that MTRRs and PAT know; PAT also UC-, 7. */
const TYPES = [0n, 1n, 4n, 5n, 6n];

const typed = (value: bigint, allowed: readonly bigint[]): boolean => {
  for (let at = 0n; at < 64n; at += 8n) if (!allowed.includes((value >> at) & 0xffn)) return false;
  return true;
};

const aboveMemory = (view: View, value: bigint): boolean => value >> (view.cpu.identity.PHYSICAL_BITS ?? 36n) !== 0n;

/** A pair of a variable range. Volume 3, 11.11.2.3. */
function range(n: number): Rows {
  const needs = { needs: 'mtrr' } as const;
  return {
    [`MTRR_PHYSBASE${n}`]: stored(0x200 + 2 * n, `Base and type of variable range ${n}.`, 0n, {
      ...needs,
      accepts: (view, value) =>
        aboveMemory(view, value) || (value & 0xf00n) !== 0n || !TYPES.includes(value & 0xffn) ? refused : value,
    }),
    [`MTRR_PHYSMASK${n}`]: stored(0x201 + 2 * n, `Mask and valid bit of variable range ${n}.`, 0n, {
      ...needs,
      accepts: (view, value) => (aboveMemory(view, value) || (value & 0x7ffn) !== 0n ? refused : value),
    }),
  };
}

const FIXED: Readonly<Record<string, number>> = {
  MTRR_FIX64K_00000: 0x250,
  MTRR_FIX16K_80000: 0x258,
  MTRR_FIX16K_A0000: 0x259,
  ...Object.fromEntries(
    ['C0000', 'C8000', 'D0000', 'D8000', 'E0000', 'E8000', 'F0000', 'F8000'].map((at, n) => [
      `MTRR_FIX4K_${at}`,
      0x268 + n,
    ]),
  ),
};

const mtrrs: Rows = {
  MTRRCAP: constant(0xfe, 'Eight variable ranges, fixed ranges, write combining.', 0x508n, { needs: 'mtrr' }),
  ...Object.assign({}, ...Array.from({ length: 8 }, (_, n) => range(n))),
  ...Object.fromEntries(
    Object.entries(FIXED).map(([name, index]) => [
      name,
      stored(index, 'Types of eight fixed ranges.', 0n, {
        needs: 'mtrr',
        accepts: (_view, value) => (typed(value, TYPES) ? value : refused),
      }),
    ]),
  ),
  MTRR_DEF_TYPE: stored(0x2ff, 'Default type, enables.', 0n, {
    needs: 'mtrr',
    accepts: (_view, value) => ((value & ~0xcffn) !== 0n || !TYPES.includes(value & 0xffn) ? refused : value),
  }),
};

/** TSC ticks of so many cycles. */
const ticks = (view: View, cycles: bigint): bigint => (cycles * BigInt(view.cpu.settings.tsc as number)) / 1000n;

export const timeStamp = (view: View): bigint => BigInt.asUintN(64, ticks(view, view.now) + view.get('TSC_OFFSET'));

const time: Rows = {
  TSC: stored(0x10, 'Time-stamp counter.', 0n, {
    derive: timeStamp,
    parts: (vcpu, value) => vcpu.set('TSC_OFFSET', BigInt.asUintN(64, value - ticks(vcpu, vcpu.now))),
  }),
  TSC_OFFSET: slot('What writes of TSC and TSC_ADJUST have added to the counter.', 0n),
  /** What RDTSC reads: CR4.TSD has had its say in the lift. */
  RDTSC: slot('TSC, as RDTSC and RDTSCP read it.', 0n, {
    at: tsc,
    write: 'never',
    fields: whole('TSC.', 'ignored'),
    traps: ['RDTSC_EXITING'],
    derive: timeStamp,
  }),
  TSC_ADJUST: stored(0x3b, 'What writes have added to the counter.', 0n, {
    needs: 'tsc_adjust',
    derive: (view) => view.get('TSC_OFFSET'),
    parts: (vcpu, value) => vcpu.set('TSC_OFFSET', value),
  }),
  TSC_AUX: stored(0xc000_0103, 'What RDTSCP leaves in ECX.', 0n, {
    needs: 'rdtscp',
    fields: { AUX: field([31, 0], 'Processor number.'), ...mustBe0([63, 32]) },
  }),
  TSC_DEADLINE: stored(0x6e0, 'TSC at which the local APIC timer fires; 0: never.', 0n, {
    needs: 'tsc_deadline_timer',
    derive: deadlineTicks,
    parts: setDeadline,
  }),
};

const APIC_BASE: Row = {
  at: msr(0x1b),
  width: 64,
  reset: (view) => 0xfee0_0800n | (view.index === 0 ? 0x100n : 0n),
  ...supervisor,
  traps: ['APIC_MOVE'],
  fields: {
    ...mustBe0([7, 0], 9, 10),
    BSP: field(8, 'The bootstrap processor.', 'ignored'),
    ENABLE: field(11, 'The local APIC is on.'),
    BASE: field([51, 12], 'Physical address of its page.'),
    ...mustBe0([63, 52]),
  },
  accepts: (view, value) => (aboveMemory(view, value) ? refused : value),
  affects: ['interrupts'],
  source: 'SDM volume 3, 10.4.4; EXTD (x2APIC) is reserved',
};

const calls: Rows = {
  SYSENTER_CS: stored(0x174, 'CS of SYSENTER.', 0n, { needs: 'sep' }),
  SYSENTER_ESP: address(0x175, 'ESP of SYSENTER.', { needs: 'sep' }),
  SYSENTER_EIP: address(0x176, 'EIP of SYSENTER.', { needs: 'sep' }),
  STAR: stored(0xc000_0081, 'CS and SS of SYSCALL and SYSRET.', 0n, { needs: 'syscall' }),
  LSTAR: address(0xc000_0082, 'RIP of SYSCALL.', { needs: 'syscall' }),
  CSTAR: address(0xc000_0083, 'RIP of SYSCALL in compatibility mode.', { needs: 'syscall' }),
  SFMASK: stored(0xc000_0084, 'Flags that SYSCALL clears.', 0n, {
    needs: 'syscall',
    fields: { MASK: field([31, 0], 'Flags.'), ...mustBe0([63, 32]) },
  }),
  KERNEL_GS_BASE: address(0xc000_0102, 'The other base of GS: SWAPGS.', { needs: 'lm' }),
};

/** MISC_ENABLE bits that a guest may change: fast strings, MONITOR's, limit CPUID, xTPR. The PMU's are for reading. */
const misc: Row = {
  at: msr(0x1a0),
  width: 64,
  reset: (view) =>
    1n |
    (view.settings.vpmu !== false && perfmon(view).version > 0 ? 1n << 7n : 0n) |
    (view.settings.vpmu !== false && view.cpu.features.has('ds') ? 0n : 1n << 11n) |
    (view.settings.vpmu !== false && hasPebs(view) ? 0n : 1n << 12n),
  traps: ['OWN_BITMAP'],
  ...supervisor,
  needs: 'intel',
  fields: {
    FAST_STRINGS: field(0, 'Fast string instructions.'),
    ...zero([6, 1], [10, 8], [15, 13], 17, [21, 19], [33, 24], [63, 35]),
    PERFMON: field(7, 'Performance monitoring is available.', 'ignored'),
    BTS_UNAVAILABLE: field(11, 'No branch trace store.', 'ignored'),
    PEBS_UNAVAILABLE: field(12, 'No processor event-based sampling.', 'ignored'),
    EIST: field(16, 'Enhanced SpeedStep.'),
    MONITOR: field(18, 'MONITOR and MWAIT, which are absent.', 'ignored'),
    LIMIT_CPUID: field(22, 'CPUID has three basic leaves.'),
    XTPR: field(23, 'No xTPR messages.'),
    XD_DISABLE: field(34, 'No execute disable: not modelled.', 'ignored'),
  },
  source: 'SDM volume 4, table 2-2, IA32_MISC_ENABLE',
};

const amdOnly = (index: number, means: string, reset = 0n): Row => stored(index, means, reset, { needs: 'amd' });

export const msrs: Rows = {
  ...time,
  APIC_BASE,
  PLATFORM_ID: constant(0x17, 'Platform identification: 0.', 0n, { needs: 'intel' }),
  SPEC_CTRL: stored(0x48, 'Speculation control: IBRS, STIBP, SSBD. Nothing is speculated.', 0n, {
    needs: 'spec_ctrl',
    fields: { BITS: field([2, 0], 'IBRS, STIBP, SSBD.'), ...mustBe0([63, 3]) },
  }),
  PRED_CMD: stored(0x49, 'Prediction command: bit 0 is IBPB, a barrier. Written only.', 0n, {
    needs: 'pred_cmd',
    read: 'never',
    fields: {
      IBPB: field(0, 'Barrier: by the model of prediction (events.ts), one branch behind it is mispredicted.', 'zero'),
      ...mustBe0([63, 1]),
    },
    wrote: (vcpu, written) => {
      if ((written & 1n) !== 0n) vcpu.emit('branch-miss');
    },
    source: 'SDM volume 4, table 2-2, IA32_PRED_CMD',
  }),
  BIOS_SIGN_ID: slot('Revision of the microcode, in the upper half.', 0n, {
    at: msr(0x8b),
    ...supervisor,
    fields: whole('Revision.', 'ignored'),
    derive: (view) => view.cpu.identity.BIOS_SIGN_ID ?? 0n,
  }),
  PLATFORM_INFO: constant(0xce, 'Maximum non-turbo ratio, in units of 100 MHz: 10.', 0xa00n, { needs: 'intel' }),
  ARCH_CAPABILITIES: constant(0x10a, 'What needs no mitigation.', (view) => view.cpu.identity.ARCH_CAPABILITIES ?? 0n, {
    needs: 'arch_capabilities',
  }),
  MCG_CAP: constant(0x179, 'Machine check banks: none.', 0n, { needs: 'mca' }),
  MCG_STATUS: stored(0x17a, 'Machine check status.', 0n, {
    needs: 'mca',
    accepts: (_view, value) => (value === 0n ? value : refused),
  }),
  MISC_ENABLE: misc,
  PAT: stored(0x277, 'Page attribute table.', 0x0007_0406_0007_0406n, {
    needs: 'pat',
    accepts: (_view, value) => (typed(value, [...TYPES, 7n]) ? value : refused),
  }),
  ...calls,
  ...mtrrs,
  SYSCFG: amdOnly(0xc001_0010, 'System configuration of AMD.'),
  HWCR: amdOnly(0xc001_0015, 'Hardware configuration of AMD: TSC frequency select is set.', 0x100_0000n),
  DE_CFG: amdOnly(0xc001_1029, 'Decode configuration of AMD: LFENCE serialises.', 2n),
};
