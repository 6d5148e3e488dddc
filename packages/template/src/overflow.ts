/** What happens when a counter wraps, and what the PMU's interrupt line then does. */
import type { Vcpu, View } from '@countervisor/contract';

/** Called at the boundary of the instruction at which counter n wrapped. Raw writes reach the bank that counted. */
export function overflow(vcpu: Vcpu, n: number): void {
  vcpu.set('PMSTAT', vcpu.get('PMSTAT') | (1n << BigInt(n)));
}

/** A level, not an edge: it stays up until the guest clears its status. */
export function line(view: View): boolean {
  return (view.get('PMSTAT') & view.get('PMINTEN')) !== 0n;
}
