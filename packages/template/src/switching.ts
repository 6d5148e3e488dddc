/** What travels on a context switch, and in which order. Out and in are mirror images of this one list, so nothing can be saved but not restored. */
import type { SwitchPlan } from '@countervisor/contract';
import type { PmuName } from './registers/pmu.ts';
import type { SamplingName } from './registers/sampling.ts';

export const switching: SwitchPlan<PmuName | SamplingName> = {
  controls: ['PMCTL', 'PMENSET', 'PMINTEN', 'PMUSER', 'PMSEL0', 'PMSEL1', 'PMSEL2', 'PMSEL3'],
  freeze: [['PMCTL', 0n]],
  counters: ['PMSTAT', 'PMSAMPLE', 'PMC0', 'PMC1', 'PMC2', 'PMC3'],
  because:
    'PMCTL.E starts the counters, so it is read before the freeze destroys it and written after everything else; status and sample can change until the counters stand still, so they are read after the freeze.',
};
