/**
 * How the VM-execution controls make the hardware do what a vPMU policy demands. Intel SDM volume 3, 25.6.2 and 25.6.9; AMD APM volume 2, 15.10 and 15.11.
 *
 * MSRs have a bit each in a bitmap, so a policy stops exactly those that it asks for. RDPMC is stopped as a whole.
 */
import type { Demand, Personality, View, Writes } from '@countervisor/contract';
import { PROCBASED } from './traps.ts';

/** Controls for a guest under these demands. */
export function controls(demand: Demand): bigint {
  let value = PROCBASED.HLT_EXITING | PROCBASED.USE_MSR_BITMAPS;
  if (demand.counter !== 'direct') value |= PROCBASED.RDPMC_EXITING;
  return value;
}

export function enforce(demand: Demand, _view: View): Writes {
  return [['PROCBASED_CTLS', controls(demand)]];
}

/** No real system: the manual, and nothing else. A domain that asks for a vPMU gets one of its own; one that does not has none. */
export const plain: Personality = {
  name: 'plain',
  means:
    'No real system: a domain with `vpmu` gets performance monitors of its own, by the manual; one without has none.',
  policy: (_mode, vpmu) => (vpmu ? 'emulated' : 'off'),
  policies: ['off', 'passthrough', 'switched', 'emulated', 'mediated'],
  quirks: [],
  settings: (_mode, vpmu) => ({ vpmu }),
  handlers: () => ({}),
  interrupt: (_mode, vpmu) => vpmu,
  createdBy: 'vmm',
};
