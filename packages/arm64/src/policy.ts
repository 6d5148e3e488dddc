/**
 * How MDCR_EL2 makes the hardware do what a vPMU policy demands. Arm DDI 0487, D24.3.17.
 *
 * The hardware traps coarsely: MDCR_EL2.TPM takes every Performance Monitors register. Where a policy asks for some of them, all are trapped, and
 * those that were to be direct complete at once on the same registers.
 */
import type { Demand, Personality, PmuRole, View, Writes } from '@countervisor/contract';
import { implemented, MDCR } from './counters.ts';

/** What TPM stops: everything but the identification registers that have a control of their own. */
const BEHIND_TPM: readonly PmuRole[] = [
  'counter',
  'selector',
  'enable',
  'global',
  'overflow',
  'interrupt',
  'user-access',
];

/** Does the policy let the guest touch no Performance Monitors register without being asked? */
export function trapsPmu(demand: Demand): boolean {
  return BEHIND_TPM.some((role) => demand[role] !== 'direct');
}

/** MDCR_EL2 for a guest to which every event counter belongs, and from which EL2 is kept out where the CPU can. */
export function monitorDebug(demand: Demand, view: View): bigint {
  let value = BigInt(implemented(view));
  if (trapsPmu(demand)) value |= MDCR.TPM | MDCR.TPMCR;
  if (view.policy === 'passthrough') return value;
  // The guest may set NSH; what the hypervisor does must not show all the same.
  if (view.cpu.features.has('pmuv3p1')) value |= MDCR.HPMD;
  if (view.cpu.features.has('pmuv3p5')) value |= MDCR.HCCD;
  return value;
}

export function enforce(demand: Demand, view: View): Writes {
  return [['MDCR_EL2', monitorDebug(demand, view)]];
}

/** No real system: the manual, and nothing else. A domain that asks for a vPMU gets one of its own; one that does not has none. */
export const plain: Personality = {
  name: 'plain',
  means:
    'No real system: a domain with `vpmu` gets Performance Monitors of its own, by the manual; one without has none.',
  policy: (_mode, vpmu) => (vpmu ? 'emulated' : 'off'),
  policies: ['off', 'passthrough', 'switched', 'emulated'],
  quirks: [],
  settings: (_mode, vpmu) => ({ vpmu }),
  handlers: () => ({}),
  interrupt: (_mode, vpmu) => vpmu,
};
