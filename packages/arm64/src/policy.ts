/**
 * How MDCR_EL2 makes the hardware do what a vPMU policy demands. Arm DDI 0487, D24.3.17.
 *
 * The hardware traps coarsely: MDCR_EL2.TPM takes every Performance Monitors register. Where a policy asks for some of them, all are trapped, and
 * those that were to be direct complete at once on the same registers. With FEAT_FGT it traps finely, and those are direct.
 *
 * Mediated: the partitioned PMU, as proposed for KVM on arm64 (Colton Lewis, 2025 and 2026). MDCR_EL2.HPMN divides the counters; those below are the guest's on
 * the hardware itself, the host keeps the others and lets them run (HPME).
 */
import type { Demand, Personality, PmuRole, View, Writes } from '@countervisor/contract';
import { guestCounters } from './counters.ts';
import { fineTraps } from './registers/fgt.ts';
import { MDCR } from './registers/monitor.ts';

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

/** Can the hardware trap single registers, where the policy wants only some? */
const finely = ({ policy, cpu }: View): boolean => policy === 'mediated' && cpu.features.has('fgt');

/** MDCR_EL2 for a guest: its counters, what traps, and EL2 kept out of them where the CPU can. */
export function monitorDebug(demand: Demand, view: View): bigint {
  let value = BigInt(guestCounters(view.policy, view.cpu));
  if (trapsPmu(demand) && !finely(view)) value |= MDCR.TPM | MDCR.TPMCR;
  if (view.policy === 'passthrough') return value;
  if (view.policy === 'mediated') value |= MDCR.HPME;
  // The guest may set NSH; what the hypervisor does must not show all the same.
  if (view.cpu.features.has('pmuv3p1')) value |= MDCR.HPMD;
  if (view.cpu.features.has('pmuv3p5')) value |= MDCR.HCCD;
  return value;
}

/**
 * HDFGRTR_EL2 and HDFGWTR_EL2, where there are such: what the policy asks for, and the overflow status, because the host takes the interrupt that the guest's
 * counters and its own share.
 */
export function fineGrained(demand: Demand, view: View): Writes {
  if (!view.cpu.features.has('fgt')) return [];
  const [read, write] = fineTraps((name, role) => finely(view) && (name === 'PMOVS' || demand[role] !== 'direct'));
  return [
    ['HDFGRTR_EL2', read],
    ['HDFGWTR_EL2', write],
  ];
}

export function enforce(demand: Demand, view: View): Writes {
  return [['MDCR_EL2', monitorDebug(demand, view)], ...fineGrained(demand, view)];
}

/** No real system: the manual, and nothing else. A domain that asks for a vPMU gets one of its own; one that does not has none. */
export const plain: Personality = {
  name: 'plain',
  means:
    'No real system: a domain with `vpmu` gets Performance Monitors of its own, by the manual; one without has none.',
  policy: (_mode, vpmu) => (vpmu ? 'emulated' : 'off'),
  policies: ['off', 'passthrough', 'switched', 'emulated', 'mediated'],
  quirks: [],
  settings: (_mode, vpmu) => ({ vpmu }),
  handlers: () => ({}),
  interrupt: (_mode, vpmu) => vpmu,
};
