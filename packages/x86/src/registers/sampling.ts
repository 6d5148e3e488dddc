/**
 * Registers of the debug store, PEBS, branch trace and last branch records. Intel SDM volume 3, 18.4 (debug and branch recording), 19 (last branch
 * records), 20.6 (PEBS) and 20.9 (adaptive PEBS); addresses from volume 4.
 */
import type { Refusal, View } from '@countervisor/contract';
import { msr } from '../address.ts';
import { hostOf } from '../sampling/hosts.ts';
import { enabled, moved, pinNames } from '../sampling/pin.ts';
import { DEBUGCTL } from './debugctl.ts';
import { FIXED, perfmon } from './perfmon.ts';
import { GP, hasPebs } from './pmu.ts';
import { field, type Row, type Rows, slot, whole } from './row.ts';

const supervisor = {
  width: 64,
  reset: 0n,
  read: 'supervisor',
  write: 'supervisor',
  role: 'sampling',
  traps: ['MSR_BITMAP', 'OWN_BITMAP', 'NO_SUCH_COUNTER'],
} as const;

const only =
  (bits: (view: View) => bigint) =>
  (view: View, value: bigint): bigint | Refusal =>
    (value & ~bits(view)) === 0n ? value : GP;

const canonical = (value: bigint): boolean => BigInt.asIntN(48, value) === BigInt.asIntN(64, value);

/**
 * PEBS_ENABLE: general counters; from bit 32 on, before the baseline, loads whose latency is measured (kept, and no load is ever slow enough);
 * with it, fixed counters.
 */
export function pebsEnableBits(view: View): bigint {
  const { pebs, fixed } = perfmon(view);
  // A software check of the patch of 2014, looser than Silvermont.
  if (lenient(view)) return 0xf_0000_000fn;
  if (pebs === undefined || !hasPebs(view)) return 0n;
  const general = pebs.general.reduce((bits, n) => bits | (1n << BigInt(n)), 0n);
  if (pebs.baseline) return general | (((1n << BigInt(fixed)) - 1n) << BigInt(FIXED));
  return pebs.format >= 1 && pebs.layout === undefined ? general | (general << 32n) : general;
}

/** The checks of the patch of 2014. */
const lenient = (view: View): boolean => hostOf(view).pebs === 'pin' && !hostOf(view).strict && hasPebs(view);

/** Bits 5:0 of AMD's; Intel's by what is there. */
function debugctlBits(view: View): bigint {
  const { vendor, version, lbr } = perfmon(view);
  if (vendor === 'amd') return 0x3fn;
  let bits = DEBUGCTL.BTF | (1n << 14n);
  if (lbr !== undefined && lbr.from !== 'architectural') bits |= DEBUGCTL.LBR;
  if (view.cpu.features.has('ds'))
    bits |= DEBUGCTL.TR | DEBUGCTL.BTS | DEBUGCTL.BTINT | DEBUGCTL.BTS_OFF_OS | DEBUGCTL.BTS_OFF_USR;
  if (version >= 2) bits |= DEBUGCTL.FREEZE_LBRS_ON_PMI | DEBUGCTL.FREEZE_PERFMON_ON_PMI;
  return bits;
}

const store: Rows = {
  IA32_DEBUGCTL: {
    ...supervisor,
    at: msr(0x1d9),
    traps: ['MSR_BITMAP', 'OWN_BITMAP', 'BTF'],
    fields: {
      LBR: field(0, 'Last branches are recorded.'),
      BTF: field(1, 'Single step on branches: not modelled, and refused by name.'),
      BITS_5_2: field([5, 2], 'AMD: pins.'),
      TR: field(6, 'Branch trace messages; with BTS, to the debug store.'),
      BTS: field(7, 'Branch trace store.'),
      BTINT: field(8, 'Interrupt at its threshold, instead of a ring.'),
      BTS_OFF_OS: field(9, 'Not at CPL 0.'),
      BTS_OFF_USR: field(10, 'Not above CPL 0.'),
      FREEZE_LBRS_ON_PMI: field(11, 'LBRs freeze when the performance monitors interrupt.'),
      FREEZE_PERFMON_ON_PMI: field(12, 'Counters freeze then.'),
      BIT_13: field(13, 'Uncore interrupts: reserved.'),
      FREEZE_WHILE_SMM: field(14, 'Counters stand still in SMM; there is none.'),
      HIGH: field([63, 15], 'Reserved.'),
    },
    accepts: only(debugctlBits),
    affects: ['pmu'],
  },
  IA32_DS_AREA: {
    ...supervisor,
    at: msr(0x600),
    needs: 'ds',
    fields: whole('Linear address of the debug store.'),
    // The patch of 2014 stored what it was given.
    accepts: (view, value) => (canonical(value) || lenient(view) ? value : GP),
    wrote: (vcpu, written) => moved(vcpu, written),
    affects: ['pmu'],
  },
  IA32_PEBS_ENABLE: {
    ...supervisor,
    at: msr(0x3f1),
    needs: 'pebs',
    fields: whole('Counters whose overflows are recorded.'),
    accepts: only(pebsEnableBits),
    // A counter that is no longer enabled forgets that it was armed; its status stays, an ordinary overflow.
    wrote: (vcpu, written, before) => {
      vcpu.set('PEBS_ARMED', vcpu.get('PEBS_ARMED') & written);
      enabled(vcpu, written, before);
    },
    affects: ['pmu'],
  },
  MSR_PEBS_DATA_CFG: {
    ...supervisor,
    at: msr(0x3f2),
    needs: 'pebs_baseline',
    fields: {
      MEMINFO: field(0, 'Memory access.'),
      GP: field(1, 'General registers.'),
      XMM: field(2, 'XMM registers.'),
      LBR: field(3, 'Last branches.'),
      RESERVED_23_4: field([23, 4], 'Reserved.', 'must-be-0'),
      LBR_ENTRIES: field([31, 24], 'How many, less one.'),
      RESERVED_63_32: field([63, 32], 'Reserved.', 'must-be-0'),
    },
    source: 'SDM volume 3, 20.9.2.3',
  },
  DS_ENTRY: slot(
    'Guest value of DS_AREA in the atomic switch list of VM entry, where a hypervisor keeps one. Not architectural.',
    0n,
    {
      role: 'sampling',
      affects: ['pmu'],
    },
  ),
  ...Object.fromEntries(
    pinNames.map((name) => [
      name,
      slot('Number of a pinned guest page, and 1 more; 0: none. Not architectural.', 0n, { role: 'sampling' }),
    ]),
  ),
  PEBS_CHOSEN: slot(
    'PEBS_ENABLE as it was when each selector was written: for a hypervisor that looks at it only then. Not architectural.',
    0n,
    {
      role: 'sampling',
      affects: ['pmu'],
    },
  ),
  PEBS_ARMED: slot('Counters that have overflowed and whose next event is recorded. Not architectural.', 0n, {
    role: 'sampling',
    affects: ['pmu'],
  }),
};

/** LBR windows: a legacy register, or an architectural one where entry 0 is the youngest. */
function window(view: View, what: string, n: number): string | 'undefined' {
  const { lbr } = perfmon(view);
  if (lbr === undefined || n >= depth(view)) return 'undefined';
  if (lbr.from !== 'architectural') return `${what}_${n}`;
  const top = Number(view.get('LBR_TOS'));
  return `${what}_${(top - n + lbr.depth) % lbr.depth}`;
}

/** Entries in use. */
export function depth(view: View): number {
  const { lbr } = perfmon(view);
  if (lbr === undefined) return 0;
  return lbr.from === 'architectural' ? Number(view.get('IA32_LBR_DEPTH')) : lbr.depth;
}

const WHATS = [
  ['FROM', 'Where a branch was taken from.'],
  ['TO', 'Where it went.'],
  ['INFO', 'Cycles since the one before (15:0); mispredicted (63).'],
] as const;
/** Addresses by what and facility: feature, first MSR. */
const LEGACY = {
  FROM: [['lbr_40', 0x40], ['lbr_680', 0x680]],
  TO: [['lbr_40', 0x60], ['lbr_680', 0x6c0]],
  INFO: [['lbr_info', 0xdc0]],
} as const; // biome-ignore format: a table
const ARCHITECTURAL = { FROM: 0x1500, TO: 0x1600, INFO: 0x1200 } as const;

const entries: Rows = Object.fromEntries(
  WHATS.flatMap(([what, means]) =>
    Array.from({ length: 32 }, (_, n): [string, Row][] => [
      [`LBR_${what}_${n}`, slot(`${means} Storage; the MSRs are windows.`, 0n, { role: 'sampling' })],
      ...LEGACY[what].flatMap(([needs, base]): [string, Row][] =>
        // Facilities at 0x40 have eight entries at most, and 0x60 follows.
        needs === 'lbr_40' && n >= 8
          ? []
          : [
              [
                `MSR_LASTBRANCH_${n}_${what}${needs === 'lbr_40' ? '_AT_40' : ''}`,
                {
                  ...supervisor,
                  at: msr(base + n),
                  needs,
                  fields: whole(means),
                  view: (view) => window(view, `LBR_${what}`, n),
                },
              ],
            ],
      ),
      [
        `IA32_LBR_${n}_${what}`,
        {
          ...supervisor,
          at: msr(ARCHITECTURAL[what] + n),
          needs: 'arch_lbr',
          fields: whole(means),
          view: (view) => window(view, `LBR_${what}`, n),
        },
      ],
    ]).flat(),
  ),
);

const records: Rows = {
  ...entries,
  LBR_TOS: slot('Position of the youngest entry.', 0n, { role: 'sampling' }),
  LBR_CYCLE: slot('Cycle at which it was made, low 32 bits.', 0n, { role: 'sampling' }),
  MSR_LASTBRANCH_TOS: {
    ...supervisor,
    at: msr(0x1c9),
    write: 'never',
    needs: 'lbr',
    fields: whole('Position of the youngest entry.'),
    view: () => 'LBR_TOS',
  },
  MSR_LBR_SELECT: {
    ...supervisor,
    at: msr(0x1c8),
    needs: 'lbr_select',
    fields: {
      CPL_EQ_0: field(0, 'Not those that end at CPL 0.'),
      CPL_NEQ_0: field(1, 'Not those that end above it.'),
      JCC: field(2, 'Not conditional ones.'),
      NEAR_REL_CALL: field(3, 'Not relative calls.'),
      NEAR_IND_CALL: field(4, 'Not indirect calls.'),
      NEAR_RET: field(5, 'Not near returns.'),
      NEAR_IND_JMP: field(6, 'Not indirect jumps.'),
      NEAR_REL_JMP: field(7, 'Not relative jumps.'),
      FAR_BRANCH: field(8, 'Not far branches.'),
      EN_CALLSTACK: field(9, 'Calls push and returns pop.'),
      RESERVED_63_10: field([63, 10], 'Reserved.', 'must-be-0'),
    },
    accepts: only((view) => BigInt(perfmon(view).lbr?.select ?? 0)),
    affects: ['pmu'],
    source: 'SDM volume 3, 18.9.2',
  },
  IA32_LBR_CTL: {
    ...supervisor,
    at: msr(0x14ce),
    needs: 'arch_lbr',
    fields: {
      LBREN: field(0, 'Last branches are recorded.'),
      OS: field(1, 'Those that end at CPL 0.'),
      USR: field(2, 'Those that end above it.'),
      CALL_STACK: field(3, 'Calls push and returns pop.'),
      RESERVED_15_4: field([15, 4], 'Reserved.', 'must-be-0'),
      COND: field(16, 'Conditional ones.'),
      NEAR_REL_JMP: field(17, 'Relative jumps.'),
      NEAR_IND_JMP: field(18, 'Indirect jumps.'),
      NEAR_REL_CALL: field(19, 'Relative calls.'),
      NEAR_IND_CALL: field(20, 'Indirect calls.'),
      NEAR_RET: field(21, 'Near returns.'),
      OTHER_BRANCH: field(22, 'All others.'),
      RESERVED_63_23: field([63, 23], 'Reserved.', 'must-be-0'),
    },
    affects: ['pmu'],
    source: 'SDM volume 3, 19.1',
  },
  IA32_LBR_DEPTH: {
    ...supervisor,
    at: msr(0x14cf),
    reset: (view) => BigInt(perfmon(view).lbr?.depth ?? 0),
    needs: 'arch_lbr',
    fields: whole('Entries: 8, 16, 24 or 32. Writing it clears all.'),
    accepts: (view, value) =>
      value > 0n && value % 8n === 0n && value <= BigInt(perfmon(view).lbr?.depth ?? 0) ? value : GP,
    wrote: (vcpu) => {
      for (let n = 0; n < 32; n++) for (const what of ['FROM', 'TO', 'INFO']) vcpu.set(`LBR_${what}_${n}`, 0n);
      vcpu.set('LBR_TOS', 0n);
    },
    source: 'SDM volume 3, 19.1.2',
  },
};

export const samplingRegisters: Rows = { ...store, ...records };
