/**
 * Fine-grained traps of the Performance Monitors (FEAT_FGT): a bit of HDFGRTR_EL2 for reads and of HDFGWTR_EL2 for writes stops one register, or one
 * family of them, where MDCR_EL2.TPM stops all. Arm DDI 0487, D24.2 (the two registers) and the access pseudocode of each register they stop.
 *
 * The bits about debug, trace and profiling registers are left out: no hypervisor here sets them.
 */
import type { PmuRole, TrapGroup } from '@countervisor/contract';
import { sysreg } from '../address.ts';
import { type Fields, field, type Level, type Row, type Rows, res0 } from './row.ts';

interface Stop {
  readonly bit: number;
  /** Absent: both. PMCR_EL0 is stopped only when it is written, and what is read-only only when it is read. */
  readonly on?: 'read' | 'write';
  /** That of the registers it stops. */
  readonly role: PmuRole;
  /** Levels that can come so far. */
  readonly at?: readonly Level[];
}

export type FineName =
  | 'PMEVCNTRn_EL0'
  | 'PMEVTYPERn_EL0'
  | 'PMCCFILTR_EL0'
  | 'PMCCNTR_EL0'
  | 'PMCNTEN'
  | 'PMINTEN'
  | 'PMOVS'
  | 'PMSELR_EL0'
  | 'PMSWINC_EL0'
  | 'PMCR_EL0'
  | 'PMMIR_EL1'
  | 'PMUSERENR_EL0'
  | 'PMCEIDn_EL0';

/** By the field's name in both registers. PMEVCNTRn and PMEVTYPERn stop PMXEVCNTR_EL0 and PMXEVTYPER_EL0 as well. */
export const FINE: Readonly<Record<FineName, Stop>> = {
  PMEVCNTRn_EL0: { bit: 12, role: 'counter' },
  PMEVTYPERn_EL0: { bit: 13, role: 'selector' },
  PMCCFILTR_EL0: { bit: 14, role: 'selector' },
  PMCCNTR_EL0: { bit: 15, role: 'counter' },
  PMCNTEN: { bit: 16, role: 'enable' },
  PMINTEN: { bit: 17, role: 'interrupt', at: ['el1'] },
  PMOVS: { bit: 18, role: 'overflow' },
  PMSELR_EL0: { bit: 19, role: 'global' },
  PMSWINC_EL0: { bit: 20, on: 'write', role: 'counter' },
  PMCR_EL0: { bit: 21, on: 'write', role: 'global' },
  PMMIR_EL1: { bit: 22, on: 'read', role: 'identity', at: ['el1'] },
  PMUSERENR_EL0: { bit: 57, role: 'user-access' },
  PMCEIDn_EL0: { bit: 58, on: 'read', role: 'identity' },
};

const WAYS = ['read', 'write'] as const;
type Way = (typeof WAYS)[number];

const REGISTER: Readonly<Record<Way, string>> = { read: 'HDFGRTR_EL2', write: 'HDFGWTR_EL2' };

const stops = Object.entries(FINE) as readonly (readonly [FineName, Stop])[];
const stopped = (way: Way): readonly (readonly [FineName, Stop])[] =>
  stops.filter(([, { on }]) => on === undefined || on === way);

/** The register's fields, and the bits between them. */
function fields(way: Way): Fields {
  const all: Record<string, Fields[string]> = {};
  let next = 0;
  for (const [name, { bit }] of stopped(way)) {
    if (bit > next) Object.assign(all, res0(bit - 1 === next ? next : [bit - 1, next]));
    all[name] = field(bit, `EL1 and EL0 ${way}s of ${name.replace('n_EL0', '<n>_EL0')} trap.`);
    next = bit + 1;
  }
  return { ...all, ...res0([63, next]) };
}

const row = (way: Way, op2: number): Row => ({
  at: sysreg(3, 4, 3, 1, op2),
  width: 64,
  reset: 0n,
  read: 'el2',
  write: 'el2',
  home: 'pcpu',
  needs: 'fgt',
  fields: fields(way),
});

export const fgt: Rows = { [REGISTER.read]: row('read', 4), [REGISTER.write]: row('write', 5) };

const group = (name: FineName, way: Way): string => `${way === 'read' ? 'FGR' : 'FGW'}_${name}`;

/** The groups of a row that this field stops. They are asked behind PMUSERENR_EL0 and before MDCR_EL2.TPM. */
export function fine(name: FineName): readonly string[] {
  const { on } = FINE[name];
  return WAYS.filter((way) => on === undefined || on === way).map((way) => group(name, way));
}

export const fgtGroups: Readonly<Record<string, TrapGroup<string, Level, string>>> = Object.fromEntries(
  WAYS.flatMap((way) =>
    stopped(way).map(([name, { at }]) => [
      group(name, way),
      {
        when: { register: REGISTER[way], field: name, is: 1n },
        on: way,
        at: at ?? ['el0', 'el1'],
        cause: 'sysreg',
        source: `${REGISTER[way]}.${name}, Arm DDI 0487 D24.2`,
      },
    ]),
  ),
);

/** Values of HDFGRTR_EL2 and HDFGWTR_EL2 that stop these. */
export function fineTraps(which: (name: FineName, role: PmuRole) => boolean): readonly [read: bigint, write: bigint] {
  const bits = (way: Way): bigint =>
    stopped(way).reduce((sum, [name, { bit, role }]) => (which(name, role) ? sum | (1n << BigInt(bit)) : sum), 0n);
  return [bits('read'), bits('write')];
}
