/**
 * Gives a region's control flow the nested form that WebAssembly wants: sequences of blocks and loops. A loop's header is the only block that is
 * jumped back to; other blocks of a loop at which control may arrive from outside are reached through a dispatch at its head.
 */

export type Shape =
  | { readonly kind: 'block'; readonly node: number }
  | {
      readonly kind: 'loop';
      readonly header: number;
      /** In an order in which control goes forward only, but for jumps to the header. The header comes first. */
      readonly body: readonly Shape[];
      readonly nodes: ReadonlySet<number>;
    };

/** The strongly connected parts of a graph, those first that lead to others (Tarjan 1972, without recursion). */
export function components(nodes: readonly number[], successors: (node: number) => readonly number[]): number[][] {
  const index = new Map<number, number>();
  const low = new Map<number, number>();
  const onStack = new Set<number>();
  const stack: number[] = [];
  const found: number[][] = [];
  const inside = new Set(nodes);
  for (const root of nodes) {
    if (index.has(root)) continue;
    const calls: { node: number; next: number; to: readonly number[] }[] = [];
    const open = (node: number): void => {
      index.set(node, index.size);
      low.set(node, index.get(node) as number);
      stack.push(node);
      onStack.add(node);
      calls.push({ node, next: 0, to: successors(node).filter((to) => inside.has(to)) });
    };
    open(root);
    while (calls.length > 0) {
      const call = calls.at(-1) as (typeof calls)[number];
      const to = call.to[call.next++];
      if (to === undefined) {
        calls.pop();
        const mine = low.get(call.node) as number;
        const up = calls.at(-1);
        if (up !== undefined) low.set(up.node, Math.min(low.get(up.node) as number, mine));
        if (mine !== index.get(call.node)) continue;
        const part: number[] = [];
        let node: number;
        do {
          node = stack.pop() as number;
          onStack.delete(node);
          part.push(node);
        } while (node !== call.node);
        found.push(part);
      } else if (!index.has(to)) open(to);
      else if (onStack.has(to)) {
        low.set(call.node, Math.min(low.get(call.node) as number, index.get(to) as number));
      }
    }
  }
  return found.reverse();
}

/** Shapes of these nodes; what leads to one of `headers` is a jump back and no edge here. */
export function shape(
  nodes: readonly number[],
  successors: (node: number) => readonly number[],
  entries: ReadonlySet<number>,
  headers: ReadonlySet<number> = new Set(),
): Shape[] {
  const forward = (node: number): readonly number[] => successors(node).filter((to) => !headers.has(to));
  const before = new Map<number, number[]>();
  for (const node of nodes) for (const to of forward(node)) before.set(to, [...(before.get(to) ?? []), node]);
  return components(nodes, forward).map((part): Shape => {
    const [only] = part as [number];
    if (part.length === 1 && !forward(only).includes(only)) return { kind: 'block', node: only };
    const inside = new Set(part);
    const score = (node: number): number => {
      const from = before.get(node) ?? [];
      const outside = from.filter((one) => !inside.has(one)).length;
      const back = from.length - outside;
      // Where control comes in from blocks outside; else where it is said to arrive; of those, where most jumps go back to.
      return (outside > 0 ? 2_000_000 : entries.has(node) ? 1_000_000 : 0) + back * 1000;
    };
    const header = part.reduce((best, node) =>
      score(node) > score(best) || (score(node) === score(best) && node < best) ? node : best,
    );
    const body = shape(
      [header, ...part.filter((node) => node !== header)],
      successors,
      entries,
      new Set([...headers, header]),
    );
    return { kind: 'loop', header, body, nodes: inside };
  });
}
