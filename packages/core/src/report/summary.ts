/** What a run did, as plain data: per domain its end, its work, its exits by cause, and what each PMU counter read. */
import type { Domain, Ending } from '../domain.ts';
import type { Machine } from '../machine.ts';

export interface CounterReport {
  /** The register that holds the count. */
  readonly counter: string;
  /** What its selector names now: the event's name, `undefined` when nothing modelled is selected. */
  readonly event: string | undefined;
  readonly value: bigint;
}

export interface DomainReport {
  readonly name: string;
  readonly policy: string;
  readonly console: string;
  /** `undefined` while it runs: stopped by a limit. */
  readonly end: (Ending & { readonly verdict: 'passed' | 'failed' | 'faulted' }) | undefined;
  readonly instructions: number;
  readonly cycles: number;
  /** Exits to the hypervisor by cause. */
  readonly traps: Readonly<Record<string, number>>;
  readonly exits: number;
  /** Times one of its vCPUs was switched to. */
  readonly switches: number;
  /** Per vCPU. */
  readonly counters: readonly (readonly CounterReport[])[];
}

/** Endings that the guest did not choose. */
const FAULTS: ReadonlySet<string> = new Set(['exception-loop', 'retry-loop', 'waits-for-ever', 'crash', 'unmodelled']);

function counters(domain: Domain): CounterReport[][] {
  const { arch } = domain;
  return domain.vcpus.map((v) =>
    arch.counters
      .filter((c) => c.exists && arch.arch.pmu.exists(v.handle, c.index))
      .map((c) => {
        const id = c.row.event(v.handle);
        return {
          counter: c.value.name,
          event: id === undefined ? undefined : arch.events.get(id)?.name,
          value: v.handle.read(c.value),
        };
      }),
  );
}

export function summary(domain: Domain): DomainReport {
  const traps: Record<string, number> = {};
  let exits = 0;
  for (const v of domain.vcpus) {
    for (const [cause, n] of v.exits) {
      traps[cause] = (traps[cause] ?? 0) + n;
      exits += n;
    }
  }
  const { ended } = domain;
  return {
    name: domain.name,
    policy: domain.policyName,
    console: domain.console,
    end: ended && {
      ...ended,
      verdict: FAULTS.has(ended.reason) ? 'faulted' : domain.platform.verdict(ended.status, domain.console),
    },
    instructions: domain.instructions(),
    cycles: domain.vcpus.reduce((sum, v) => sum + v.cycles, 0),
    traps,
    exits,
    switches: domain.vcpus.reduce((sum, v) => sum + v.switches, 0),
    counters: counters(domain),
  };
}

export function summaries(machine: Machine): DomainReport[] {
  return machine.domains.map(summary);
}
