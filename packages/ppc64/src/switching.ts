/** Which performance monitor registers travel with a vCPU, and in which order. */
import type { SwitchPlan } from '@countervisor/contract';

export const switching: SwitchPlan = {
  controls: [],
  freeze: [],
  counters: [],
  because: 'There is no performance monitor yet.',
};
