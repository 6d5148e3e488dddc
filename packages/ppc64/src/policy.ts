/** How HFSCR and MMCR0 make the hardware do what a vPMU policy demands. */
import type { Demand, Personality, View, Writes } from '@countervisor/contract';

export function enforce(_demand: Demand, _view: View): Writes {
  return [];
}

/** No real system: the manual, and nothing else. */
export const plain: Personality = {
  name: 'plain',
  means: 'No real system: PAPR hypercalls and the manual.',
  policy: (_mode, vpmu) => (vpmu ? 'passthrough' : 'off'),
  policies: ['off', 'passthrough'],
  quirks: [],
  settings: (_mode, vpmu) => ({ vpmu }),
  handlers: () => ({}),
  interrupt: (_mode, vpmu) => vpmu,
};
