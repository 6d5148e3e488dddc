/** Ratios of engines, paired by round, and their table. */
import { KERNELS } from './kernels.ts';

/** Guest MIPS (retired instructions per CPU microsecond) of each round, by engine, by kernel. */
export type Rates = Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;

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

export function compare(rates: Rates, of: string, over: string): Comparison {
  const kernels = Object.fromEntries(
    KERNELS.filter((kernel) => rates[of]?.[kernel] !== undefined).map((kernel) => {
      const theirs = rates[over]?.[kernel] as readonly number[];
      return [kernel, spread((rates[of]?.[kernel] as readonly number[]).map((rate, round) => rate / (theirs[round] as number)))];
    }),
  );
  return { of, over, kernels, geometricMean: geometricMean(Object.values(kernels).map((s) => s.median)) };
}

const figure = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(value >= 10 ? 3 : 2));
const three = ({ min, median, max }: Spread): string => `${figure(min)}..${figure(median)}..${figure(max)}`;

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] as readonly string[]).map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number))).join('  '))
    .join('\n');
}

/** Text for people: each engine's MIPS, then each comparison. */
export function text(rates: Rates, comparisons: readonly Comparison[]): string {
  const engines = Object.keys(rates);
  const kernels = KERNELS.filter((kernel) => rates[engines[0] as string]?.[kernel] !== undefined);
  const speed = engines.map((engine) => {
    const medians = kernels.map((kernel) => spread(rates[engine]?.[kernel] as readonly number[]).median);
    return [engine, ...medians.map(figure), figure(geometricMean(medians))];
  });
  const ratios = comparisons.map((c) => [
    `${c.of} / ${c.over}`,
    ...kernels.map((kernel) => three(c.kernels[kernel] as Spread)),
    figure(c.geometricMean),
  ]);
  const head = [...kernels, 'geomean'];
  const parts = [`${table([['MIPS (median)', ...head], ...speed])}\n`];
  if (ratios.length > 0) parts.push(`${table([['ratio (min..median..max)', ...head], ...ratios])}\n`);
  return parts.join('\n');
}
