/** Repeated registers as one row: `family(31, (n) => ({ [`PMEVCNTR${n}_EL0`]: … }))`. */
export function family<Row>(
  count: number,
  rows: (n: number) => Readonly<Record<string, Row>>,
): Readonly<Record<string, Row>> {
  const all: Record<string, Row> = {};
  for (let n = 0; n < count; n++) Object.assign(all, rows(n));
  return all;
}
