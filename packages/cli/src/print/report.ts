/** The closing table of a run: one column a domain, one line a fact. */
import { type CounterLine, endOf, type Report } from '../report.ts';
import { grouped } from './number.ts';
import { table } from './table.ts';

/** Columns side by side; more domains than this go into a further block. */
const ABREAST = 6;

interface Row {
  readonly label: string;
  readonly cells: readonly string[];
  /** A counter that no domain has used. */
  readonly idle?: boolean;
}

function trapRows(reports: readonly Report[]): Row[] {
  const causes = [...new Set(reports.flatMap((report) => Object.keys(report.traps)))].sort();
  return causes.map((cause) => ({
    label: `  ${cause}`,
    cells: reports.map(({ traps }) => (traps[cause] === undefined ? '-' : grouped(traps[cause]))),
  }));
}

const keyOf = (line: CounterLine): string => `${line.vcpu} ${line.counter} ${line.event ?? ''}`;

function counterRows(reports: readonly Report[]): Row[] {
  const several = reports.some((report) => report.vcpus > 1);
  const order = new Map<string, CounterLine>();
  const names = new Map<string, number>();
  for (const report of reports) {
    for (const line of report.counters) {
      if (!names.has(line.counter)) names.set(line.counter, names.size);
      if (!order.has(keyOf(line))) order.set(keyOf(line), line);
    }
  }
  const lines = [...order.values()].sort(
    (a, b) => a.vcpu - b.vcpu || (names.get(a.counter) as number) - (names.get(b.counter) as number),
  );
  return lines.map((line) => {
    const found = reports.map((report) => report.counters.find((other) => keyOf(other) === keyOf(line)));
    const cells = found.map((one) => (one === undefined ? '-' : one.unset ? 'unset' : grouped(one.value)));
    const idle = found.every((one) => one === undefined || one.unset || (one.event === undefined && one.value === 0n));
    const event = line.event === undefined ? '' : ` ${line.event}`;
    return { label: `${several ? `vCPU ${line.vcpu} ` : ''}${line.counter}${event}`, cells, idle };
  });
}

function block(reports: readonly Report[]): string {
  const rows: Row[] = [
    { label: 'policy', cells: reports.map((r) => r.policy) },
    { label: 'instructions', cells: reports.map((r) => grouped(r.instructions)) },
    { label: 'cycles', cells: reports.map((r) => grouped(r.cycles)) },
    { label: 'switches', cells: reports.map((r) => grouped(r.switches)) },
    { label: 'exits', cells: reports.map((r) => grouped(r.exits)) },
    ...trapRows(reports),
  ];
  const counters = counterRows(reports);
  const busy = counters.filter((row) => row.idle !== true);
  const idle = counters.length - busy.length;
  rows.push(...busy);
  if (idle > 0)
    rows.push({ label: `${idle} ${busy.length > 0 ? 'other ' : ''}counters`, cells: reports.map(() => 'unused') });
  rows.push({ label: 'exit', cells: reports.map(endOf) });
  return table([['', ...reports.map((r) => r.name)], ...rows.map((row) => [row.label, ...row.cells])]);
}

export function closingTable(reports: readonly Report[]): string {
  const blocks: string[] = [];
  for (let i = 0; i < reports.length; i += ABREAST) blocks.push(block(reports.slice(i, i + ABREAST)));
  return blocks.join('\n');
}
