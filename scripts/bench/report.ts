/** Ratios of engines, paired by round, and their table. */

/** An engine's guest MIPS (retired instructions per microsecond of CPU time) by kernel, in the order of the rounds. */
export interface Measured {
  readonly name: string;
  readonly mips: ReadonlyMap<string, readonly number[]>;
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** One engine's rate over another's. */
export interface Comparison {
  readonly of: string;
  readonly over: string;
  readonly kernels: Readonly<Record<string, Spread>>;
  /** Of the kernels' medians. */
  readonly geometricMean: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
  return { min: sorted[0] as number, median, max: sorted.at(-1) as number };
}

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

const rounds = ({ mips }: Measured, kernel: string): readonly number[] => mips.get(kernel) ?? [];

export function compare(of: Measured, over: Measured, kernels: readonly string[]): Comparison {
  const spreads = kernels.map((kernel) => {
    const theirs = rounds(over, kernel);
    return spread(rounds(of, kernel).map((rate, round) => rate / (theirs[round] as number)));
  });
  return {
    of: of.name,
    over: over.name,
    kernels: Object.fromEntries(kernels.map((kernel, i) => [kernel, spreads[i] as Spread])),
    geometricMean: geometricMean(spreads.map(({ median }) => median)),
  };
}

const figure = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(value >= 10 ? 3 : 2));
const three = ({ min, median, max }: Spread): string => `${figure(min)}..${figure(median)}..${figure(max)}`;

/** Columns as wide as their widest cell; the first to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const [head = []] = rows;
  const widths = head.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const cell = (value: string, column: number): string => {
    const width = widths[column] as number;
    return column === 0 ? value.padEnd(width) : value.padStart(width);
  };
  return rows.map((row) => `${row.map(cell).join('  ')}\n`).join('');
}

/** Text for people: each engine's MIPS, then each comparison. */
export function text(
  engines: readonly Measured[],
  comparisons: readonly Comparison[],
  kernels: readonly string[],
): string {
  const head = [...kernels, 'geomean'];
  const speeds = engines.map((engine) => {
    const medians = kernels.map((kernel) => spread(rounds(engine, kernel)).median);
    return [engine.name, ...medians.map(figure), figure(geometricMean(medians))];
  });
  const ratios = comparisons.map((comparison) => [
    `${comparison.of} / ${comparison.over}`,
    ...kernels.map((kernel) => three(comparison.kernels[kernel] as Spread)),
    figure(comparison.geometricMean),
  ]);
  const speed = table([['guest MIPS, median', ...head], ...speeds]);
  return ratios.length === 0 ? speed : `${speed}\n${table([['ratio, min..median..max', ...head], ...ratios])}`;
}

/** One figure a line, the names first. */
export function figuresText(figures: Readonly<Record<string, number>>): string {
  const rows = Object.entries(figures).map(([name, value]) => [name, figure(value)]);
  return rows.length === 0 ? '' : table(rows);
}
