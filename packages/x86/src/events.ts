/**
 * Events: what a selector's event and unit mask count, in neutral signals. Intel SDM volume 3, 20.2.1.2 (architectural events) and the models' event
 * lists; AMD64 volume 2, 13.2 and the processor programming references.
 *
 * A number is UMASK and event select as they stand in the selector (bits 15:0); AMD's event select has four more bits (35:32, here 19:16), and AMD's own
 * events are marked by bit 20, since Intel's mean other things.
 *
 * The last cache and the prediction of branches have the smallest model that lets their events count something that can be told beforehand: CLFLUSH is one
 * reference and one miss, IBPB makes one branch that was mispredicted, and nothing else is either. Only generations with eight general counters have it
 * (registers/perfmon.ts); on others CPUID.0AH:EBX says that these events are absent.
 *
 * What has no model (micro-operations, caches between core and memory, TLBs, speculation) has no row: its selector is kept and counts nothing.
 */
import type { PmuEvent, View } from '@countervisor/contract';
import { perfmon } from './registers/perfmon.ts';

export const AMD = 0x10_0000;

export const CYCLES = 0x003c;
export const REFERENCE = 0x013c;
export const INSTRUCTIONS = 0x00c0;
/** INST_RETIRED.PREC_DIST. */
export const PRECISE_INSTRUCTIONS = 0x01c0;
export const LLC_REFERENCES = 0x4f2e;
export const LLC_MISSES = 0x412e;
export const BRANCHES = 0x00c4;
export const BRANCH_MISSES = 0x00c5;
/** MEM_INST_RETIRED.ALL_LOADS and .ALL_STORES (MEM_UOPS_RETIRED on Haswell): a record has the address of their data. */
export const LOADS = 0x81d0;
export const STORES = 0x82d0;

interface Row extends PmuEvent {
  /** Generations that have it; absent: all of its vendor. */
  readonly on?: readonly string[];
  /** Bit of CPUID.0AH:EBX that says that it is not there. */
  readonly architectural?: number;
}

const BIG = ['haswell', 'skylake', 'icelake-server', 'sapphire-rapids'];
const KINDS_OF_BRANCH = ['nehalem', 'haswell', 'skylake', 'icelake-server', 'sapphire-rapids'];

export const rows: readonly Row[] = [
  { id: CYCLES, name: 'CPU_CLK_UNHALTED.THREAD', means: 'Core cycles while not halted, by the published cost table.', counts: ['cycle'], architectural: 0 },
  { id: INSTRUCTIONS, name: 'INST_RETIRED.ANY', means: 'Instructions retired.', counts: ['instruction'], architectural: 1 },
  { id: REFERENCE, name: 'CPU_CLK_UNHALTED.REF', means: 'Reference cycles: the core runs at the reference frequency, so one for each cycle.', counts: ['cycle'], architectural: 2 },
  { id: LLC_REFERENCES, name: 'LONGEST_LAT_CACHE.REFERENCE', means: 'References to the last cache: one for each CLFLUSH.', counts: ['cache-reference'], architectural: 3 },
  { id: LLC_MISSES, name: 'LONGEST_LAT_CACHE.MISS', means: 'Those that missed: one for each CLFLUSH.', counts: ['cache-miss'], architectural: 4 },
  { id: BRANCHES, name: 'BR_INST_RETIRED.ALL_BRANCHES', means: 'Branches retired, taken or not, far ones included.', counts: ['branch'], architectural: 5 },
  { id: BRANCH_MISSES, name: 'BR_MISP_RETIRED.ALL_BRANCHES', means: 'Mispredicted branches: one for each IBPB.', counts: ['branch-miss'], architectural: 6 },
  { id: PRECISE_INSTRUCTIONS, name: 'INST_RETIRED.PREC_DIST', means: 'Instructions retired, for precise distribution.', counts: ['instruction'], on: ['haswell', 'skylake', 'icelake-server', 'sapphire-rapids'] },
  { id: 0x02c4, name: 'BR_INST_RETIRED.NEAR_CALL', means: 'Near calls retired.', counts: ['call'], on: KINDS_OF_BRANCH },
  { id: 0x08c4, name: 'BR_INST_RETIRED.NEAR_RETURN', means: 'Near returns retired.', counts: ['return'], on: BIG },
  { id: 0x20c4, name: 'BR_INST_RETIRED.NEAR_TAKEN', means: 'Branches retired that were taken, near ones.', counts: ['taken'], on: BIG },
  { id: 0xf7c4, name: 'BR_INST_RETIRED.RETURN', means: 'Near returns retired.', counts: ['return'], on: ['silvermont'] },
  { id: 0xf9c4, name: 'BR_INST_RETIRED.CALL', means: 'Near calls retired.', counts: ['call'], on: ['silvermont'] },
  { id: 0x010b, name: 'MEM_INST_RETIRED.LOADS', means: 'Instructions retired that load.', counts: ['load'], on: ['nehalem'] },
  { id: 0x020b, name: 'MEM_INST_RETIRED.STORES', means: 'Instructions retired that store.', counts: ['store'], on: ['nehalem'] },
  { id: LOADS, name: 'MEM_INST_RETIRED.ALL_LOADS', means: 'Instructions retired that load.', counts: ['load'], on: BIG },
  { id: STORES, name: 'MEM_INST_RETIRED.ALL_STORES', means: 'Instructions retired that store.', counts: ['store'], on: BIG },

  { id: AMD | 0x0076, name: 'CPU_CYCLES_NOT_IN_HALT', means: 'Core cycles while not halted, by the published cost table.', counts: ['cycle'] },
  { id: AMD | 0x00c0, name: 'RETIRED_INSTRUCTIONS', means: 'Instructions retired.', counts: ['instruction'] },
  { id: AMD | 0x00c2, name: 'RETIRED_BRANCH_INSTRUCTIONS', means: 'Branches retired, taken or not, far ones included.', counts: ['branch'] },
  { id: AMD | 0x00c4, name: 'RETIRED_TAKEN_BRANCH_INSTRUCTIONS', means: 'Branches retired that were taken, far ones included.', counts: ['taken', 'far'] },
  { id: AMD | 0x00c8, name: 'RETIRED_NEAR_RETURNS', means: 'Near returns retired.', counts: ['return'] },
]; // biome-ignore format: a table

const byId: ReadonlyMap<number, Row> = new Map(rows.map((row) => [row.id, row]));

export const events: readonly PmuEvent[] = rows.map(({ on: _on, architectural: _bit, ...event }) => event);

/** The event that a selector chooses, if this CPU counts it. */
export function eventOf(view: Pick<View, 'cpu'>, selector: bigint): number | undefined {
  const { vendor, missing } = perfmon(view);
  const number = Number(selector & 0xffffn);
  const id = vendor === 'amd' ? AMD | number | (Number((selector >> 32n) & 15n) << 16) : number;
  const row = byId.get(id);
  if (row === undefined) return undefined;
  if (row.architectural !== undefined && ((missing >> row.architectural) & 1) === 1) return undefined;
  if (row.on !== undefined && !row.on.includes(String(view.cpu.settings.perfmon))) return undefined;
  return id;
}

/** What fixed counters count. Volume 3, table 20-2. */
export const FIXED_EVENTS: readonly number[] = [INSTRUCTIONS, CYCLES, REFERENCE, 0];
