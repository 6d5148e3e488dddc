/** Overflow: the status bits, and the level of the interrupt. Arm DDI 0487, D13.3 (PMUIRQ) and the pseudocode PMUOverflowCondition. */
import type { Vcpu, View } from '@countervisor/contract';
import { CYCLE, firstRange, implemented } from './counters.ts';
import { MDCR, PMCR } from './registers/monitor.ts';

/** Counter n wrapped. */
export function overflow(vcpu: Vcpu, n: number): void {
  vcpu.set('PMOVS', vcpu.get('PMOVS') | (1n << BigInt(n)));
}

const low = (n: number): bigint => (1n << BigInt(n)) - 1n;

/**
 * The level of PMUIRQ: some counter has its status and its interrupt enable set, and the enable of its range is on: PMCR_EL0.E below HPMN and for the cycle
 * counter, MDCR_EL2.HPME above. PMCNTENSET_EL0 has no part in it, unless
 * a personality says so: older KVM had it there, for the counters that it emulates.
 *
 * Beside a mediated guest the hypervisor takes that interrupt and passes on what is the guest's: the first range and the cycle counter.
 */
export function line(view: View): boolean {
  const all = low(implemented(view));
  const first = low(firstRange(view)) & all;
  const mediated = view.policy === 'mediated';
  let pending = view.get('PMOVS') & view.get('PMINTEN') & ((mediated ? first : all) | (1n << BigInt(CYCLE)));
  if (!mediated && view.settings.overflowNeedsEnable === true) pending &= view.get('PMCNTEN');
  if (pending === 0n) return false;
  const second = all & ~first;
  const e = (view.get('PMCR') & PMCR.E) !== 0n;
  const hpme = (view.get('MDCR_EL2') & MDCR.HPME) !== 0n;
  return (e && (pending & ~second) !== 0n) || (hpme && (pending & second) !== 0n);
}
