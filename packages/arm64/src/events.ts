/**
 * Events: what a selector's number counts, in neutral signals. Arm DDI 0487, D14.3.
 *
 * What has no model (cache refills, branch prediction, TLB walks, speculation) has no row: its bit in PMCEID0_EL0 or PMCEID1_EL0 is 0, its number stays
 * in the selector, and nothing is counted, as the manual has it for unsupported events (D24.5.12).
 */
import type { PmuEvent } from '@countervisor/contract';

export const SW_INCR = 0x00;
export const CPU_CYCLES = 0x11;
export const CHAIN = 0x1e;

/** Event numbers that PMCEID0_EL0 and PMCEID1_EL0 tell of: 0 to 0x3F in their low halves, from 0x4000 on in the high ones. */
const EXTENDED = 0x4000;

export const events: readonly PmuEvent[] = [
  {
    id: SW_INCR,
    name: 'SW_INCR',
    means: 'Software wrote PMSWINC_EL0 with the counter’s bit set.',
    counts: ['increment'],
  },
  { id: 0x06, name: 'LD_RETIRED', means: 'Loads retired; prefetches are none of them.', counts: ['load'] },
  { id: 0x07, name: 'ST_RETIRED', means: 'Stores retired; a store-exclusive that fails is none.', counts: ['store'] },
  { id: 0x08, name: 'INST_RETIRED', means: 'Instructions retired.', counts: ['instruction'] },
  { id: 0x09, name: 'EXC_TAKEN', means: 'Exceptions taken, at the level they left.', counts: ['exception'] },
  { id: 0x0a, name: 'EXC_RETURN', means: 'Exception returns retired.', counts: ['exception-return'] },
  {
    id: 0x0c,
    name: 'PC_WRITE_RETIRED',
    means: 'Software changes of the PC: branches taken, and exception returns. BRK, SVC, HVC, SMC and ISB are none.',
    counts: ['taken', 'exception-return'],
    source:
      'D14.3.1: exception returns are included; the others are IMPLEMENTATION DEFINED before PMUv3p9, excluded from it on',
  },
  {
    id: 0x0d,
    name: 'BR_IMMED_RETIRED',
    means: 'Branches to a constant target retired, taken or not.',
    counts: ['branch-immediate'],
  },
  { id: 0x0e, name: 'BR_RETURN_RETIRED', means: 'RET retired; exception returns are none.', counts: ['return'] },
  {
    id: 0x0f,
    name: 'UNALIGNED_LDST_RETIRED',
    means: 'Loads and stores retired whose address was not a multiple of their size.',
    counts: ['unaligned'],
  },
  { id: CPU_CYCLES, name: 'CPU_CYCLES', means: 'Cycles, by the published cost table.', counts: ['cycle'] },
  { id: 0x13, name: 'MEM_ACCESS', means: 'Data memory accesses; a pair makes two.', counts: ['access'] },
  {
    id: 0x1b,
    name: 'INST_SPEC',
    means: 'Instructions executed speculatively: equal to those retired, as nothing is speculated.',
    counts: ['instruction'],
  },
  {
    id: CHAIN,
    name: 'CHAIN',
    means: 'Odd counters: the even neighbour below carried out of bit 31. Even counters: nothing.',
    counts: ['carry'],
  },
  {
    id: 0x21,
    name: 'BR_RETIRED',
    means: 'Branches retired, taken or not, unconditional ones and exception returns included.',
    counts: ['branch', 'exception-return'],
    source:
      'D14.3.1: unconditional direct branches and exception returns are IMPLEMENTATION DEFINED before PMUv3p9; included, as Arm recommends',
  },
  {
    id: 0x23,
    name: 'STALL_FRONTEND',
    means: 'Cycles lost fetching, by the published cost table.',
    counts: ['stall-frontend'],
    needs: 'pmuv3p1',
  },
  {
    id: 0x24,
    name: 'STALL_BACKEND',
    means: 'Cycles beyond the first of each instruction, by the published cost table.',
    counts: ['stall-backend'],
    needs: 'pmuv3p1',
  },
  {
    id: 0x3c,
    name: 'STALL',
    means: 'Cycles in which no operation was sent for execution: both kinds of stall, which never coincide here.',
    counts: ['stall-frontend', 'stall-backend'],
    needs: 'pmuv3p4',
  },
];

const byId: ReadonlyMap<number, PmuEvent> = new Map(events.map((event) => [event.id, event]));

/** The event of this number, if this CPU counts it. */
export function eventOf(id: number, features: ReadonlySet<string>): PmuEvent | undefined {
  const event = byId.get(id);
  return event === undefined || (event.needs !== undefined && !features.has(event.needs)) ? undefined : event;
}

/** PMCEID<n>_EL0: bits 31:0 for events 32n to 32n + 31, bits 63:32 for 0x4000 + 32n on. D24.5.4, D24.5.5. */
export function common(n: 0 | 1, features: ReadonlySet<string>): bigint {
  let bits = 0n;
  for (const { id } of events) {
    if (eventOf(id, features) === undefined) continue;
    const within = id & (EXTENDED - 1);
    if (within >> 5 !== n) continue;
    if (id < 0x40) bits |= 1n << BigInt(within & 31);
    else if (id >= EXTENDED && id < EXTENDED + 0x40) bits |= 1n << BigInt(32 + (within & 31));
  }
  return bits;
}
