/**
 * Checks of what the field's own PMU suite looks at (kvm-unit-tests, arm/pmu.c): one row for one behaviour, each a guest program on a whole machine with
 * the numbers that it must leave. Every row runs on PMUv3, v3p1 and v3p5, under traps and on the physical registers; and once more on a PMU that
 * is inert (its registers hold what is written, nothing counts), which must fail every row but those marked as being about the register file alone.
 */
import type { Arch } from '@countervisor/contract';
import type { MachineConfig } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { and, bcond, type Item, isb, load, mrs, msr, orr, subs } from '../asm.ts';
import { arm64 } from '../index.ts';
import { left, machine } from './guest.ts';

/** A CPU by its PMU: width of event counters, and what PMCR_EL0 and the identification registers must say. */
export interface Version {
  readonly name: string;
  readonly cpu: string;
  /** ID_AA64DFR0_EL1.PMUVer. */
  readonly pmuver: bigint;
  /** PMCR_EL0.IMP and IDCODE. Arm's technical reference manuals of the Cortex-A57, Neoverse N1 and N2. */
  readonly imp: bigint;
  readonly idcode: bigint;
  /** All ones of an event counter. */
  readonly mask: bigint;
  /** PMCR_EL0.LP is there. */
  readonly long: boolean;
}

export const V3: Version = {
  name: 'v3',
  cpu: 'cortex-a57',
  pmuver: 1n,
  imp: 0x41n,
  idcode: 0x01n,
  mask: 0xffff_ffffn,
  long: false,
};
export const V3P1: Version = { ...V3, name: 'v3p1', cpu: 'neoverse-n1', pmuver: 4n, idcode: 0x0cn };
export const V3P5: Version = {
  name: 'v3p5',
  cpu: 'neoverse-n2',
  pmuver: 6n,
  imp: 0n,
  idcode: 0n,
  mask: 0xffff_ffff_ffff_ffffn,
  long: true,
};
const VERSIONS: readonly Version[] = [V3, V3P1, V3P5];

export interface Row {
  /** The sub-test, and what holds. */
  readonly name: string;
  /** Passed by an inert PMU too: nothing is counted in it. */
  readonly registersOnly?: true;
  /** All, unless said. */
  readonly on?: readonly Version[];
  readonly config?: Partial<MachineConfig>;
  /** Settings of the domain. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly program: (version: Version) => Item;
  /** General registers at the end. */
  readonly leaves: (version: Version) => Readonly<Record<string, bigint>>;
}

/** Registers take what is written, PMSWINC_EL0 and PMCR_EL0 act on them; no counter ever counts. */
const inert: Arch = {
  ...arm64,
  pmu: { ...arm64.pmu, counters: arm64.pmu.counters.map((counter) => ({ ...counter, counting: () => false })) },
} as Arch;

/** What the guest leaves in the registers that the row names. */
function outcome(
  row: Row,
  version: Version,
  config: Partial<MachineConfig>,
  policy: 'emulated' | 'switched',
): Readonly<Record<string, bigint>> {
  const made = machine(
    { personality: 'plain', cpu: version.cpu, ...row.config, ...config },
    { program: [row.program(version)], policy, ...(row.settings !== undefined && { settings: row.settings }) },
  );
  const names = Object.keys(row.leaves(version));
  const values = left(made, 'd0', ...names);
  return Object.fromEntries(names.map((name, i) => [name, values[i] as bigint]));
}

/** One named check for each row and version, and one on an inert PMU. */
export function checks(subject: string, rows: readonly Row[]): void {
  describe(`6.1 ${subject}`, () => {
    for (const row of rows) {
      for (const version of row.on ?? VERSIONS) {
        it(`6.1 ${subject}: ${row.name} [${version.name}]`, () => {
          expect(outcome(row, version, {}, 'emulated')).toEqual(row.leaves(version));
          expect(outcome(row, version, {}, 'switched')).toEqual(row.leaves(version));
        });
      }
    }
  });
  describe(`6.1 ${subject}, on an inert PMU`, () => {
    for (const row of rows) {
      it(`${row.name}: ${row.registersOnly ? 'passes, being about registers alone' : 'fails'}`, () => {
        for (const version of row.on ?? VERSIONS) {
          const seen = outcome(row, version, { arch: inert }, 'emulated');
          if (row.registersOnly) expect(seen).toEqual(row.leaves(version));
          else expect(seen).not.toEqual(row.leaves(version));
        }
      });
    }
  });
}

// Programs. X9 holds what PMCR_EL0's writes carry along; X0 and X1 are for passing values.

export const E = 0x01;
export const P = 0x02;
export const C = 0x04;
export const LC = 0x40;
export const LP = 0x80;
/** Interrupt, overflow and enable bit of the cycle counter. */
export const CYCLES = 0x8000_0000;
export const ALL = 0xffff_ffff;
export const CPU_CYCLES = 0x11;
export const INST_RETIRED = 0x08;
export const MEM_ACCESS = 0x13;
export const SW_INCR = 0x00;
export const CHAIN = 0x1e;

export const times = (n: number, ...items: readonly Item[]): Item =>
  Array.from({ length: n }, (): Item => items).flat() as Item;
export const set = (register: string, value: number | bigint): Item => [load('X0', value), msr(register, 'X0')];
export const get = (x: string, register: string): Item => mrs(x, register);

/** PMCR_EL0's read-only bits into X9: every write of the suite's carries them along. */
export const probe: Item = [mrs('X9', 'PMCR_EL0'), and('X9', 'X9', 0xffff_ff00)];
export const pmcr = (bits: number): Item => [load('X1', bits), orr('X0', 'X9', 'X1'), msr('PMCR_EL0', 'X0')];

/** How the suite starts every test: counters 0 and stopped, nothing enabled, no status. Selectors stay. */
export const reset: Item = [
  probe,
  pmcr(LC | C | P),
  set('PMCNTENCLR_EL0', ALL),
  set('PMOVSCLR_EL0', ALL),
  set('PMINTENCLR_EL1', ALL),
];
export const select = (...events: readonly number[]): Item =>
  events.map((event, n) => set(`PMEVTYPER${n}_EL0`, event)) as Item;
export const preset = (...values: readonly (number | bigint)[]): Item =>
  values.map((value, n) => set(`PMEVCNTR${n}_EL0`, value)) as Item;
export const stop: Item = msr('PMCR_EL0', 'XZR');

/** Counted: the body and the write that stops. */
export const run = (bits: number, ...body: readonly Item[]): Item => [pmcr(bits), body, stop];

/** n instructions, the stopping write included: an isb, then turns of two. n is even, and 4 or more. */
export const instructions = (bits: number, n: number): Item => [
  load('X2', (n - 2) / 2),
  run(bits, isb(), subs('X2', 'X2', 1), bcond('GT', -4)), // 1 + 2 * (n - 2) / 2 + 1 = n
];
