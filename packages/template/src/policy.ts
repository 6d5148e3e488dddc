/**
 * How this hardware enforces a policy: core says for each role direct, trap or absent; the answer is control-register writes.
 *
 * There is one trap bit for the whole PMU, so a policy that wants to see some roles sees all of them: the handler in `traps.ts` lets core
 * perform those that were to be direct. Same result, more exits, and the trace shows them.
 */
import type { Demand, Writes } from '@countervisor/contract';

export function enforce(demand: Demand): Writes<'HCTL'> {
  // 'identity' alone is no reason: its registers hold nothing that a guest could change or learn of another.
  const { identity: _, ...others } = demand;
  const trap = Object.values(others).some((what) => what !== 'direct');
  return [['HCTL', trap ? 1n : 0n]];
}
