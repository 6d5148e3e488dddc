/** Which performance monitor registers travel with a vCPU, and in which order. */
import type { SwitchPlan } from '@countervisor/contract';
import { MMCR0 } from './registers/mmcr.ts';
import { BHRB_ENTRIES } from './registers/sampling.ts';

const numbered = (name: string, count: number, from = 0): readonly string[] =>
  Array.from({ length: count }, (_, n) => `${name}${n + from}`);

export const switching: SwitchPlan = {
  // MMCR0 first, so that it comes back last: its FC keeps every counter still.
  controls: ['MMCR0', 'MMCRA'],
  freeze: [['MMCR0', MMCR0.FC]],
  // Read behind the freeze, and so written before the controls; the selectors stand behind the counters and come back before them.
  counters: [
    ...numbered('PMC', 8, 1),
    ...['MMCR1', 'MMCR2', 'MMCR3', 'SDAR', 'SIAR', 'SIER', 'SIER2', 'SIER3', 'ALERTED', 'TB_EVENT', 'BHRB_NEXT'],
    ...numbered('BHRB_', BHRB_ENTRIES),
  ],
  because:
    'Freezing overwrites MMCR0, so it is saved first; a counter read while it runs would be neither the value before nor after. On the way in everything is in place before MMCR0, whose FC starts the counters.',
};
