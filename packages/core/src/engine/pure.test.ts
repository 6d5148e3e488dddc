import { PURE_OPS, type PureOpName, type Width } from '@countervisor/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Engine } from './engine.ts';
import { evaluate } from './lift.ts';
import { perform } from './perform.ts';
import { pureStep } from './pure.ts';
import { REGISTER } from './step.ts';

const EDGES = [
  0n,
  1n,
  2n,
  31n,
  32n,
  33n,
  63n,
  64n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
];
const WIDE = [
  ...EDGES,
  ...EDGES.map((e) => BigInt.asUintN(64, -e)),
  1n << 32n,
  1n << 53n,
  (1n << 53n) + 1n,
  1n << 63n,
  (1n << 63n) - 1n,
];
const word = fc.oneof(fc.constantFrom(...WIDE), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }));

function run(op: PureOpName, width: Width, a: bigint, b: bigint, c: bigint, to: number): bigint {
  const m = new Int32Array(16);
  const put = (at: number, v: bigint): void => {
    m[at] = Number(BigInt.asIntN(32, v));
    m[at + 1] = Number(BigInt.asIntN(32, v >> 32n));
  };
  put(4, a);
  put(6, b);
  put(8, c);
  // a is a register of the vCPU whose block starts at word 2; b and c are absolute.
  const step = pureStep(m, op, width, { d: to, a: REGISTER + 2, b: 6, c: 8 });
  expect(perform({ m } as Engine, step, 2)).toBe(0);
  return (BigInt((m[to + 1] as number) >>> 0) << 32n) | BigInt((m[to] as number) >>> 0);
}

describe('every pure op of the stepper means what its row says', () => {
  for (const op of Object.keys(PURE_OPS) as PureOpName[]) {
    for (const width of [32, 64] as const) {
      it(`${op} at width ${width}`, () => {
        fc.assert(
          fc.property(word, word, word, fc.constantFrom(4, 6, 8, 10), (a, b, c, to) => {
            expect(run(op, width, a, b, c, to)).toBe(evaluate(op, width, a, b, c));
          }),
          { numRuns: 400 },
        );
      });
    }
  }
});

describe('the rows of the pure ops, against hand-derived results', () => {
  const cases: readonly (readonly [PureOpName, Width, bigint, bigint, bigint, bigint])[] = [
    ['carry', 64, 0xffff_ffff_ffff_ffffn, 0n, 1n, 1n],
    ['carry', 32, 0xffff_ffffn, 1n, 0n, 1n],
    ['carry', 32, 0x1_0000_0000n, 1n, 0n, 0n],
    ['overflow', 64, 0x7fff_ffff_ffff_ffffn, 0n, 1n, 1n],
    ['overflow', 32, 0x8000_0000n, 0xffff_ffffn, 0n, 1n],
    ['overflow', 32, 0x7fff_ffffn, 0xffff_ffffn, 1n, 0n],
    ['divs', 64, 1n << 63n, 0xffff_ffff_ffff_ffffn, 0n, 1n << 63n],
    ['divs', 32, 7n, 0xffff_fffen, 0n, 0xffff_fffdn],
    ['divu', 64, 5n, 0n, 0n, 0n],
    ['rems', 32, 0xffff_fff9n, 2n, 0n, 0xffff_ffffn],
    ['remu', 64, 5n, 0n, 0n, 5n],
    ['mulhs', 64, 0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn, 0n, 0n],
    ['mulhu', 64, 0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn, 0n, 0xffff_ffff_ffff_fffen],
    ['sar', 64, 1n << 63n, 63n, 0n, 0xffff_ffff_ffff_ffffn],
    ['rotr', 32, 1n, 1n, 0n, 0x8000_0000n],
    ['clz', 64, 0n, 0n, 0n, 64n],
    ['ctz', 32, 0x100n, 0n, 0n, 8n],
    ['bswap', 64, 0x0102_0304_0506_0708n, 0n, 0n, 0x0807_0605_0403_0201n],
    ['rbit', 32, 1n, 0n, 0n, 0x8000_0000n],
    ['sext8', 64, 0x80n, 0n, 0n, 0xffff_ffff_ffff_ff80n],
    ['select', 64, 1n << 40n, 2n, 3n, 2n],
  ];
  it.each(cases)('%s at %i of %s, %s, %s is %s', (op, width, a, b, c, expected) => {
    expect(evaluate(op, width, a, b, c)).toBe(expected);
  });
});
