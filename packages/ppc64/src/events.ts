/**
 * Events by the codes that Linux gives them: counter in 19:16 (0: any of PMC1 to PMC4), unit in 15:12, selector in 7:0. Linux arch/powerpc/perf:
 * power8-events-list.h, power9-events-list.h, power10-events-list.h, ppc970-pmu.c. The 970's are its selectors, marked by 0x970000.
 *
 * What has no model (mispredicted branches, caches, thresholds, marked instructions) has no row: its selector is kept and nothing is counted.
 */
import type { PmuEvent, View } from '@countervisor/contract';
import { isModern } from './registers/mmcr.ts';

interface Row extends PmuEvent {
  /** Models that have it. */
  readonly on: readonly string[];
  /** Counted only while the run latch is 1. */
  readonly run?: readonly string[];
}

const MODERN = ['power8', 'power9', 'power10'];
const P8 = ['power8'];
const P9 = ['power9'];
const P10 = ['power10'];

export const RUN_INSTRUCTIONS = 0x500fa;
export const RUN_CYCLES = 0x600f4;
const OLD = 0x97_0000;

export const rows: readonly Row[] = [
  { id: 0x0001e, name: 'PM_CYC', means: 'Cycles, by the published cost table; POWER10: while the run latch is 1.', counts: ['cycle'], on: MODERN, run: P10 },
  { id: 0x00002, name: 'PM_INST_CMPL', means: 'Instructions completed; POWER10: while the run latch is 1.', counts: ['instruction'], on: MODERN, run: P10 },
  { id: RUN_INSTRUCTIONS, name: 'PM_RUN_INST_CMPL', means: 'Instructions completed while the run latch is 1: PMC5.', counts: ['instruction'], on: MODERN },
  { id: 0x400fa, name: 'PM_RUN_INST_CMPL_ALT', means: 'The same, on PMC4.', counts: ['instruction'], on: ['power8', 'power9'], run: MODERN },
  { id: RUN_CYCLES, name: 'PM_RUN_CYC', means: 'Cycles while the run latch is 1: PMC6.', counts: ['cycle'], on: MODERN },
  { id: 0x200f4, name: 'PM_RUN_CYC_ALT', means: 'The same, on PMC2.', counts: ['cycle'], on: ['power8', 'power9'], run: MODERN },
  { id: 0x10068, name: 'PM_BRU_FIN', means: 'Branches completed.', counts: ['branch'], on: P8 },
  { id: 0x4d05e, name: 'PM_BR_CMPL', means: 'Branches completed.', counts: ['branch'], on: ['power9', 'power10'] },
  { id: 0x10012, name: 'PM_BR_CMPL_ALT', means: 'The same, on PMC1.', counts: ['branch'], on: P9 },
  { id: 0x2f04a, name: 'PM_BR_FIN', means: 'Branches completed.', counts: ['branch'], on: P10 },
  { id: 0x200fa, name: 'PM_BR_TAKEN_CMPL', means: 'Branches completed that were taken.', counts: ['taken'], on: MODERN },
  { id: 0x100ee, name: 'PM_LD_REF_L1', means: 'Loads completed: each refers to the first cache.', counts: ['load'], on: P8 },
  { id: 0x100fc, name: 'PM_LD_REF_L1', means: 'Loads completed: each refers to the first cache.', counts: ['load'], on: ['power9', 'power10'] },
  { id: 0x200f0, name: 'PM_ST_CMPL', means: 'Stores completed. PM_ST_FIN on POWER8.', counts: ['store'], on: ['power8', 'power9'] },
  { id: 0x20016, name: 'PM_ST_FIN', means: 'Stores finished: those completed, as nothing is speculated.', counts: ['store'], on: P10 },
  { id: OLD | 7, name: 'PM_CYC_970', means: 'Cycles: selector 7 of any counter.', counts: ['cycle'], on: ['970'] },
  { id: OLD | 1, name: 'PM_INST_CMPL_970', means: 'Instructions completed: selector 1 of any counter.', counts: ['instruction'], on: ['970'] },
]; // biome-ignore format: a table

export const events: readonly PmuEvent[] = unique(rows.map(({ on: _on, run: _run, ...event }) => event));

/** Names of the catalogue are one each; two codes of one name are told apart by them. */
function unique(all: readonly PmuEvent[]): PmuEvent[] {
  const seen = new Set<string>();
  return all.map((event) => {
    const name = seen.has(event.name) ? `${event.name}_${event.id.toString(16).toUpperCase()}` : event.name;
    seen.add(name);
    return { ...event, name };
  });
}

const byId: ReadonlyMap<number, Row> = new Map(rows.map((row) => [row.id, row]));

/** The field that selects for counter n of the 970: register, shift. */
const OLD_SELECT: Readonly<Record<number, readonly [register: string, shift: bigint]>> = {
  1: ['MMCR0', 8n],
  2: ['MMCR0', 1n],
  3: ['MMCR1', 27n],
  4: ['MMCR1', 22n],
  5: ['MMCR1', 17n],
  6: ['MMCR1', 12n],
  7: ['MMCR1', 7n],
  8: ['MMCR1', 2n],
};

/** The event that counter n (from 1) has selected, if this model counts it. */
export function eventOf(view: View, n: number): Row | undefined {
  const has = (id: number): Row | undefined => {
    const row = byId.get(id);
    return row?.on.includes(view.cpu.name) === true ? row : undefined;
  };
  if (!isModern(view)) {
    const [register, shift] = OLD_SELECT[n] ?? ['MMCR1', 0n];
    return has(OLD | Number((view.get(register) >> shift) & 0x1fn));
  }
  if (n === 5) return has(RUN_INSTRUCTIONS);
  if (n === 6) return has(RUN_CYCLES);
  const mmcr1 = view.get('MMCR1');
  const select = Number((mmcr1 >> BigInt(8 * (4 - n))) & 0xffn);
  const unit = Number((mmcr1 >> BigInt(60 - 4 * (n - 1))) & 15n);
  return has((n << 16) | (unit << 12) | select) ?? has((n << 16) | select) ?? has(select);
}
