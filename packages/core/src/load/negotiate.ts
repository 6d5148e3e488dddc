/** What a plugin needs against what core grants, what is asked of it against what it offers. Named, so that both can grow. */
import { type Arch, CONTRACT } from '@countervisor/contract';
import { fail } from '../report/errors.ts';
import { near } from '../report/near.ts';
import { type Problem, Problems, show } from './problems.ts';

/** Contract numbers this core understands: the present one and the one before. */
export const CONTRACTS: readonly number[] = Object.freeze([CONTRACT, CONTRACT - 1].filter((n) => n >= 1));

/** Capabilities a plugin may name in `needs`, and what core does for it. One is removed only when the contract number moves. */
export const CAPABILITIES: Readonly<Record<string, string>> = {
  'pmu.counting': 'Counters count the signals of retired instructions by the published rules.',
  'pmu.overflow': 'A wrap is told to the architecture at the boundary of its instruction.',
  'guest.interrupts': "The platform's interrupts reach guests.",
  'guest.devices': "The platform's devices answer guests.",
};

export interface Asked {
  /** Capabilities granted; core's own, unless a caller withholds some. */
  readonly grants?: readonly string[];
  /** Policies that will be asked for. */
  readonly policies?: readonly string[];
}

/** Throws CV_CONTRACT: a plugin of another shape is not read any further. */
export function checkContract(plugin: Readonly<Record<string, unknown>>): void {
  const { contract, name } = plugin;
  if (typeof contract !== 'number' || !Number.isInteger(contract) || CONTRACTS.includes(contract)) return;
  const arch = typeof name === 'string' ? name : 'the plugin';
  throw fail('CV_CONTRACT', { arch, has: show(contract), accepted: CONTRACTS });
}

/** Everything that is missing on either side; empty when both fit. */
export function negotiate(arch: Pick<Arch, 'name' | 'needs' | 'offers'>, asked: Asked = {}): readonly Problem[] {
  const problems = new Problems();
  const granted = asked.grants ?? Object.keys(CAPABILITIES);
  for (const need of arch.needs) {
    if (granted.includes(need)) continue;
    problems.note('CV_NEEDS_UNMET', 'needs', { arch: arch.name, need, near: near(need, granted), granted });
  }
  const offered: readonly string[] = arch.offers.policies;
  for (const policy of asked.policies ?? []) {
    if (offered.includes(policy)) continue;
    problems.note('CV_POLICY_NOT_OFFERED', 'offers.policies', { who: 'The caller', policy, offered });
  }
  return problems.list;
}
