/** Columns: the first to the left, the others to the right unless asked otherwise; two spaces between, none at the end. */

export interface TableOptions {
  /** Columns, from 0, that stand to the left as well. */
  readonly left?: readonly number[];
  /** Spaces in front of every line. */
  readonly indent?: number;
}

/** Width in a terminal: of what we print, only characters outside the Basic Latin block could differ, and names are the users' own. */
const width = (text: string): number => [...text].length;

export function table(rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(0, ...rows.map((row) => width(row[i] ?? ''))));
  const left = new Set([0, ...(options.left ?? [])]);
  const indent = ' '.repeat(options.indent ?? 0);
  return rows
    .map((row) => {
      const cells = row.map((cell, i) => {
        const pad = ' '.repeat((widths[i] as number) - width(cell));
        return left.has(i) ? cell + pad : pad + cell;
      });
      return `${(indent + cells.join('  ')).trimEnd()}\n`;
    })
    .join('');
}
