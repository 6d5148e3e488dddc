/** What each domain did, ready to print: core's summary, and which counters nobody ever wrote. */
import { type DomainReport, type Machine, summaries } from '@countervisor/core';

export interface CounterLine {
  readonly vcpu: number;
  readonly counter: string;
  readonly event: string | undefined;
  readonly value: bigint;
  /** Still holds the loud pattern of an unknown reset: nobody has written it, and it has not counted. */
  readonly unset: boolean;
}

export interface Report extends Omit<DomainReport, 'counters'> {
  readonly vcpus: number;
  readonly counters: readonly CounterLine[];
  /** Bytes that the console's limit kept out. */
  readonly dropped: number;
}

export function reports(machine: Machine): Report[] {
  return summaries(machine).map((summary, i) => {
    const domain = machine.domains[i] as (typeof machine.domains)[number];
    const counters = summary.counters.flatMap((list, vcpu) =>
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
    return { ...summary, vcpus: domain.vcpus.length, counters, dropped: domain.dropped };
  });
}

/** The guest's own end, in words. */
export function endOf(report: Pick<Report, 'end'>): string {
  const { end } = report;
  if (end === undefined) return 'not ended';
  return `${end.reason} ${end.status}, ${end.verdict}`;
}
