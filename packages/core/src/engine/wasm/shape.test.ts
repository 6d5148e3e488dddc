import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { components, type Shape, shape } from './shape.ts';

const first = (one: Shape): number => (one.kind === 'block' ? one.node : one.header);
const nodes = (one: Shape): readonly number[] => (one.kind === 'block' ? [one.node] : [...one.nodes]);
const text = (shapes: readonly Shape[]): string =>
  shapes.map((one) => (one.kind === 'block' ? one.node : `(${one.header}: ${text(one.body)})`)).join(' ');
const shaped = (edges: readonly (readonly number[])[], entries: readonly number[] = [0]): Shape[] =>
  shape(
    edges.map((_, node) => node),
    (node) => edges[node] as number[],
    new Set(entries),
  );

describe('strongly connected parts', () => {
  it('come in the order of the edges between them', () => {
    const edges = [[1], [2, 3], [1], [4], [3]];
    expect(components([0, 1, 2, 3, 4], (n) => edges[n] as number[]).map((part) => [...part].sort())).toEqual([
      [0],
      [1, 2],
      [3, 4],
    ]);
  });
});

describe('shapes', () => {
  it('a straight line and a diamond', () => {
    expect(text(shaped([[1], [2], []]))).toBe('0 1 2');
    expect(text(shaped([[1, 2], [3], [3], []]))).toMatch(/^0 (1 2|2 1) 3$/);
  });

  it('a block that goes back to itself', () => expect(text(shaped([[1], [1, 2], []]))).toBe('0 (1: 1) 2'));

  it('a loop in a loop', () => expect(text(shaped([[1], [2], [2, 3], [1, 4], []]))).toBe('0 (1: 1 (2: 2) 3) 4'));

  it('the header is where control comes in from outside, not where it might arrive otherwise', () => {
    expect(text(shaped([[1], [2], [1]], [0, 2]))).toBe('0 (1: 1 2)');
  });

  it('of any graph: every edge goes forward or to the header of a loop around it', () => {
    const graph = fc
      .integer({ min: 1, max: 9 })
      .chain((n) => fc.array(fc.array(fc.nat(n - 1), { maxLength: 3 }), { minLength: n, maxLength: n }));
    fc.assert(
      fc.property(graph, fc.nat(8), (edges, entry) => {
        const shapes = shaped(edges, [entry % edges.length]);
        expect(shapes.flatMap(nodes).sort((a, b) => a - b)).toEqual(edges.map((_, node) => node));
        const walk = (list: readonly Shape[], headers: readonly number[], later: readonly number[]): void => {
          list.forEach((one, i) => {
            const ahead = [...later, ...list.slice(i + 1).flatMap(nodes)];
            if (one.kind === 'block') {
              for (const to of edges[one.node] ?? []) expect([...headers, ...ahead]).toContain(to);
              return;
            }
            expect(first(one.body[0] as Shape)).toBe(one.header);
            walk(one.body, [...headers, one.header], ahead);
          });
        };
        walk(shapes, [], []);
      }),
      { numRuns: 2000, seed: 5 },
    );
  });
});
