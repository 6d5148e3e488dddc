/**
 * No real system: what a hypervisor without a history would do. A domain that asks for a vPMU gets one of its own; one that does not has none.
 * A personality of a real system adds its quirks by name, its handlers and its hypercall services here.
 */
import type { Personality } from '@countervisor/contract';
import type { ControlName } from '../registers/control.ts';

export const plain: Personality<ControlName> = {
  name: 'plain',
  means: 'No real system: the manual, and nothing else.',
  policy: (_mode, vpmu) => (vpmu ? 'emulated' : 'off'),
  policies: ['off', 'passthrough', 'switched', 'emulated', 'mediated'],
  quirks: [],
  settings: (_mode, vpmu) => ({ vpmu }),
  handlers: () => ({}),
  interrupt: (_mode, vpmu) => vpmu,
};
