/** What each domain did, ready to print: core's summary, the guest's own exit code, and which counters nobody ever wrote. */
import { type Domain, type DomainReport, type Machine, summaries } from '@countervisor/core';

export interface CounterLine {
  readonly vcpu: number;
  readonly counter: string;
  readonly event: string | undefined;
  readonly value: bigint;
  /** Still holds the loud pattern of an unknown reset: nobody has written it, and it has not counted. */
  readonly unset: boolean;
}

export interface End {
  /** poweroff, reset, crash; or a fault's name. */
  readonly reason: string;
  /** Raw. */
  readonly status: number;
  /** The guest's own: what it told by its platform's convention, else the raw status. */
  readonly code: number;
  readonly verdict: 'passed' | 'failed' | 'faulted';
}

export interface Report extends Omit<DomainReport, 'counters' | 'end'> {
  readonly end: End | undefined;
  readonly vcpus: number;
  readonly counters: readonly CounterLine[];
  /** Bytes that the console's limit kept out. */
  readonly dropped: number;
}

function endOfDomain(domain: Domain, summary: DomainReport): End | undefined {
  const { end } = summary;
  if (end === undefined) return undefined;
  return { ...end, code: domain.platform.code?.(end.status, summary.console) ?? end.status };
}

function countersOf(machine: Machine, domain: Domain, summary: DomainReport): CounterLine[] {
  return summary.counters.flatMap((list, vcpu) =>
    list.map((line): CounterLine => {
      const register = machine.arch.byName.get(line.counter);
      const handle = domain.vcpus[vcpu]?.handle;
      let unset = false;
      if (register?.row.reset === 'unknown' && handle !== undefined) {
        const reset = machine.resetValue(register, handle);
        unset =
          line.value === (register.row.implemented === undefined ? reset : reset & register.row.implemented(handle));
      }
      return { vcpu, ...line, unset };
    }),
  );
}

export function reports(machine: Machine): Report[] {
  return summaries(machine).map((summary, i) => {
    const domain = machine.domains[i] as Domain;
    return {
      ...summary,
      end: endOfDomain(domain, summary),
      vcpus: domain.vcpus.length,
      counters: countersOf(machine, domain, summary),
      dropped: domain.dropped,
    };
  });
}

/** The guest's own end, in words. */
export function endOf({ end }: Pick<Report, 'end'>): string {
  if (end === undefined) return 'not ended';
  const code = end.code === end.status ? '' : ` (code ${end.code})`;
  return `${end.reason} ${end.status}${code}, ${end.verdict}`;
}
