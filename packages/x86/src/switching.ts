/** Which registers of the performance monitors travel with a vCPU, and in which order. Intel SDM volume 3, 20.2.4; AMD APM volume 2, 13.2. */
import type { SwitchPlan } from '@countervisor/contract';
import { MOST_FIXED, MOST_GENERAL } from './registers/perfmon.ts';

const times = (n: number, name: string): readonly string[] => Array.from({ length: n }, (_, i) => `${name}${i}`);

export const switching: SwitchPlan = {
  // GLOBAL_CTRL first, so that it comes back last: it starts every counter of version 2 and later. AMD's first generations have the selectors alone.
  controls: ['IA32_PERF_GLOBAL_CTRL', 'IA32_FIXED_CTR_CTRL', ...times(MOST_GENERAL, 'IA32_PERFEVTSEL')],
  freeze: [
    ['IA32_PERF_GLOBAL_CTRL', 0n],
    ...times(MOST_GENERAL, 'IA32_PERFEVTSEL').map((name): readonly [string, bigint] => [name, 0n]),
  ],
  counters: ['IA32_PERF_GLOBAL_STATUS', ...times(MOST_FIXED, 'IA32_FIXED_CTR'), ...times(MOST_GENERAL, 'IA32_PMC')],
  because:
    'Freezing overwrites the enables, so they are saved before it; a counter read while it runs would be neither the value before nor after. On the way in counters are in place before the selectors that start them, GLOBAL_CTRL last.',
};
