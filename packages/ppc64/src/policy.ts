/**
 * How HFSCR[PM] makes the hardware do what a vPMU policy demands: while it is 0, every access to the performance monitor goes to the hypervisor. Power ISA 3.0B, book
 * III, 6.2.11. A CPU before version 2.07 has no such bit: there every guest has the physical registers, whatever the policy.
 *
 * MMCR0[FCH] is always 1 for a guest whose registers are its own, so that what the hypervisor does is not counted; a guest that has the physical ones as they are
 * may clear it.
 */
import type { Demand, Personality, PmuRole, View, Writes } from '@countervisor/contract';

/** HFSCR[PM] and HFSCR[BHRB]. */
const PM = 0x18n;

const ROLES: readonly PmuRole[] = ['counter', 'selector', 'enable', 'global', 'sampling'];

/** Does the policy let the guest touch no register without being asked? The hardware knows all or nothing. */
export const trapsPmu = (demand: Demand): boolean => ROLES.some((role) => demand[role] !== 'direct');

export function enforce(demand: Demand, view: View): Writes {
  if (!view.cpu.features.has('isa-2.07')) return [];
  const hfscr = view.get('HFSCR');
  return [['HFSCR', trapsPmu(demand) ? hfscr & ~PM : hfscr | PM]];
}

/** No real system: PAPR and the manual, and nothing else. A domain that asks for a vPMU gets one of its own; one that does not has none. */
export const plain: Personality = {
  name: 'plain',
  means:
    'No real system: a domain with `vpmu` gets a performance monitor of its own, by the manual; one without has none.',
  policy: (_mode, vpmu) => (vpmu ? 'switched' : 'off'),
  policies: ['off', 'passthrough', 'switched', 'emulated'],
  quirks: [],
  settings: (_mode, vpmu) => ({ vpmu }),
  handlers: () => ({}),
  interrupt: (_mode, vpmu) => vpmu,
};
