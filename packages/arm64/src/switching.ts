/** Which Performance Monitors registers travel with a vCPU, and in which order. */
import type { SwitchPlan } from '@countervisor/contract';
import { CYCLE, guestCounters, MOST } from './counters.ts';

const numbered = (name: string): readonly string[] => Array.from({ length: MOST }, (_, n) => `${name}${n}_EL0`);

/** The event counter that a register is about, by the register's name. */
const COUNTER_OF: ReadonlyMap<string, number> = new Map(
  ['PMEVCNTR', 'PMEVTYPER'].flatMap((name) => numbered(name).map((register, n) => [register, n] as const)),
);
/** A bit for each counter. */
const PER_COUNTER: ReadonlySet<string> = new Set(['PMCNTEN', 'PMINTEN', 'PMOVS']);
const ALL = 0xffff_ffff_ffff_ffffn;

export const switching: SwitchPlan = {
  // PMCR first, so that it comes back last: its E starts every counter of the guest.
  controls: ['PMCR', 'PMCNTEN', 'PMINTEN', 'PMUSERENR_EL0', 'PMSELR_EL0'],
  freeze: [
    ['PMCR', 0n],
    ['PMCNTEN', 0n],
  ],
  // A selector stands behind its counter, so that it comes back before it. The overflow status comes back last of these: the counters behind it cannot raise
  // it, and the interrupt enables, still to come, cannot see it too early.
  counters: [
    'PMOVS',
    'PMCCNTR_EL0',
    'PMCCFILTR_EL0',
    ...numbered('PMEVCNTR').flatMap((counter, n) => [counter, `PMEVTYPER${n}_EL0`]),
  ],
  // The host's counters, their selectors and their bits stay where they are; all else of these registers is about the guest's.
  travels: (register, policy, cpu) => {
    if (policy !== 'mediated') return ALL;
    const own = guestCounters(policy, cpu);
    if (PER_COUNTER.has(register)) return (1n << BigInt(CYCLE)) | ((1n << BigInt(own)) - 1n);
    const n = COUNTER_OF.get(register);
    return n === undefined || n < own ? ALL : 0n;
  },
  because:
    'Freezing overwrites PMCR.E and PMCNTEN, so they are saved before it; a counter read while it runs would be neither the value before nor after. On the way in the filters and selectors are in place before the enables that start the counters, PMCR.E last.',
};
