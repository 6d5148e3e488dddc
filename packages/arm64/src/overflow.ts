/** Overflow: the status bits, and the level of the interrupt. Arm DDI 0487, D13.3 (PMUIRQ) and the pseudocode PMUOverflowCondition. */
import type { Vcpu, View } from '@countervisor/contract';
import { CYCLE, firstRange, implemented, MDCR, PMCR } from './counters.ts';

/** Counter n wrapped. */
export function overflow(vcpu: Vcpu, n: number): void {
  vcpu.set('PMOVS', vcpu.get('PMOVS') | (1n << BigInt(n)));
}

const low = (n: number): bigint => (1n << BigInt(n)) - 1n;

/**
 * The level of PMUIRQ: some counter has its status and its interrupt enable set, and the enable of its range is on: PMCR_EL0.E below HPMN and for the cycle
 * counter, MDCR_EL2.HPME above. PMCNTENSET_EL0 has no part in it, unless
 * a personality says so: older KVM had it there.
 */
export function line(view: View): boolean {
  let pending = view.get('PMOVS') & view.get('PMINTEN') & (low(implemented(view)) | (1n << BigInt(CYCLE)));
  if (view.settings.overflowNeedsEnable === true) pending &= view.get('PMCNTEN');
  if (pending === 0n) return false;
  const second = low(implemented(view)) & ~low(firstRange(view));
  const e = (view.get('PMCR') & PMCR.E) !== 0n;
  const hpme = (view.get('MDCR_EL2') & MDCR.HPME) !== 0n;
  return (e && (pending & ~second) !== 0n) || (hpme && (pending & second) !== 0n);
}
