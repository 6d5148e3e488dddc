/** Ops that stand together mean what they mean alone: every fusion, and what must keep it from happening, against the lift performed at once. */
import type { Lifter, Value, Width } from '@countervisor/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { steps } from './build.ts';
import { lift } from './lift.ts';
import { Foreign, RAM } from './testing/foreign.ts';
import { perform } from './testing/perform.ts';

type Lift = (b: Lifter) => void;

const REGISTERS = ['RAX', 'RBX', 'RCX', 'RDX', 'RSI', 'ZF', 'CF', 'SF', 'OF'];
const DATA = RAM + 0x3000n;
const TARGET = 0x1234_5678_9abcn;

/** The flags of a − b, in the order in which lifts say them. */
function compare(
  b: Lifter,
  x: Value,
  y: Value,
  width: Width,
  more: { kept?: string; spoil?: (b: Lifter, result: Value) => void; zero?: string } = {},
): void {
  const result = b.sub(x, y, width);
  const n = b.shr(result, b.constant(width - 1), width);
  const [z, c, v] = [b.eq(x, y, width), b.leu(y, x, width), b.xor(b.lts(x, y, width), n)];
  if (more.kept !== undefined) b.set(more.kept, result);
  b.set('SF', n);
  b.set(more.zero ?? 'ZF', z);
  b.set('CF', c);
  b.set('OF', v);
  more.spoil?.(b, result);
}

/** The flags of a & b. */
function test(b: Lifter, x: Value, y: Value, width: Width, kept?: string): void {
  const result = b.and(x, y, width);
  if (kept !== undefined) b.set(kept, result);
  b.set('SF', b.shr(result, b.constant(width - 1), width));
  b.set('ZF', b.eq(result, b.constant(0)));
  b.set('CF', b.constant(0));
  b.set('OF', b.constant(0));
}

const widths = [32, 64] as const;
const a = (b: Lifter): Value => b.get('RAX');
const c = (b: Lifter): Value => b.get('RBX');
const at = (b: Lifter): Value => b.and(a(b), b.constant(0x7f8));

/** Name, lift, and how many steps it takes: what is fused is one. */
const CASES: readonly (readonly [name: string, steps: number, lift: Lift])[] = [
  ...widths.flatMap((w): (typeof CASES)[number][] => [
    [`compare ${w}`, 1, (b) => compare(b, a(b), c(b), w)],
    [`compare ${w} with a constant`, 1, (b) => compare(b, a(b), b.constant(0x8000_0000n), w)],
    [`compare ${w} with itself`, 1, (b) => compare(b, a(b), a(b), w)],
    [`compare ${w} from a constant`, 1, (b) => compare(b, b.constant(0), c(b), w)],
    [`compare ${w}, kept`, 1, (b) => compare(b, a(b), c(b), w, { kept: 'RCX' })],
    [`compare ${w}, kept over an input`, 1, (b) => compare(b, a(b), c(b), w, { kept: 'RBX' })],
    [`compare ${w}, kept over a flag`, 9, (b) => compare(b, a(b), c(b), w, { kept: 'CF' })],
    [`compare ${w} of a flag`, 8, (b) => compare(b, b.get('ZF'), c(b), w)],
    [`compare ${w}, one flag for two`, 7, (b) => compare(b, a(b), c(b), w, { zero: 'CF' })],
    [
      `compare ${w} of which more is used`,
      8,
      (b) => compare(b, a(b), c(b), w, { spoil: (l, r) => l.set('RDX', l.add(r, c(l))) }),
    ],
    [`test ${w}`, 1, (b) => test(b, a(b), c(b), w)],
    [`test ${w} of one register`, 1, (b) => test(b, a(b), a(b), w)],
    [`test ${w}, kept over an input`, 1, (b) => test(b, a(b), c(b), w, 'RAX')],
    [`branch if equal ${w}`, 1, (b) => b.branch(b.eq(a(b), b.constant(0), w), TARGET)],
    [`branch if unequal ${w}`, 1, (b) => b.branch(b.ne(a(b), b.constant(0), w), TARGET)],
    [`branch if equal to another ${w}`, w === 64 ? 1 : 2, (b) => b.branch(b.eq(a(b), c(b), w), TARGET)],
    [`branch if below ${w}`, w === 64 ? 1 : 2, (b) => b.branch(b.ltu(a(b), c(b), w), TARGET)],
    [`branch if not above ${w}`, w === 64 ? 1 : 2, (b) => b.branch(b.leu(a(b), c(b), w), TARGET)],
    [
      `branch on a kept comparison ${w}`,
      3,
      (b) => {
        const equal = b.eq(a(b), b.constant(0), w);
        b.set('RCX', equal);
        b.branch(equal, TARGET);
      },
    ],
  ]),
  ['branch', 1, (b) => b.branch(a(b), TARGET)],
  ['branch if unequal to another', 1, (b) => b.branch(b.ne(a(b), c(b)), TARGET)],
  ['branch if less', 2, (b) => b.branch(b.lts(a(b), c(b)), TARGET)],
  ['branch if bits', 1, (b) => b.branch(b.and(a(b), c(b)), TARGET)],
  ['branch if no bits', 1, (b) => b.branch(b.eq(b.and(a(b), c(b)), b.constant(0)), TARGET)],
  ['branch if no bits of a word', 2, (b) => b.branch(b.eq(b.and(a(b), c(b)), b.constant(0), 32), TARGET)],
  ['branch if bits are one', 2, (b) => b.branch(b.eq(b.and(a(b), c(b)), b.constant(1)), TARGET)],
  [
    'branch if no bits, which are kept',
    3,
    (b) => {
      const bits = b.and(a(b), c(b));
      b.set('RCX', bits);
      b.branch(b.eq(bits, b.constant(0)), TARGET);
    },
  ],
  [
    'a probe and two stores',
    5,
    (b) => {
      const to = b.add(at(b), b.constant(DATA));
      b.probe(to, 16, true, { size: 8 });
      b.store(to, c(b), { size: 8 });
      b.store(b.add(to, b.constant(8)), a(b), { size: 8 });
    },
  ],
  [
    'a probe that faults, a store behind it',
    3,
    (b) => {
      b.probe(a(b), 8, true, { size: 8 });
      b.store(b.add(at(b), b.constant(DATA)), c(b), { size: 8 });
    },
  ],
  ['jump', 1, (b) => b.jump(b.constant(TARGET))],
  ['jump to a register', 1, (b) => b.jump(a(b))],
  ['bits, then a region', 2, (b) => b.when(b.and(a(b), b.constant(0xff)), () => b.set('RCX', c(b)))],
  [
    'bits that are used once more',
    4,
    (b) => {
      const bits = b.and(a(b), b.constant(0xff));
      b.when(bits, () => b.set('RCX', c(b)));
      b.set('RDX', bits);
    },
  ],
  [
    'a region that ends between ops that would stand together',
    6,
    (b) => {
      b.when(b.get('RCX'), () => {
        const result = b.and(a(b), c(b));
        b.set('SF', b.shr(result, b.constant(63)));
        b.set('ZF', b.eq(result, b.constant(0)));
      });
      b.set('CF', b.constant(0));
      b.set('OF', b.constant(0));
    },
  ],
  ['a load from a sum', 2, (b) => b.set('RCX', b.load(b.add(at(b), b.constant(DATA)), { size: 8 }))],
  ['a load from a sum over its address', 2, (b) => b.set('RAX', b.load(b.add(at(b), b.constant(DATA)), { size: 2 }))],
  ['a store to a sum', 2, (b) => b.store(b.add(at(b), b.constant(DATA)), c(b), { size: 4 })],
  [
    'a store of its own address',
    3,
    (b) => {
      const sum = b.add(at(b), b.constant(DATA));
      b.store(sum, sum, { size: 8 });
    },
  ],
  [
    'a sum that is kept',
    4,
    (b) => {
      const sum = b.add(at(b), b.constant(DATA));
      const loaded = b.load(sum, { size: 1 });
      b.set('RCX', loaded);
      b.set('RAX', sum);
    },
  ],
  [
    'a signed load from a sum',
    3,
    (b) => b.set('RCX', b.load(b.add(at(b), b.constant(DATA)), { size: 4, signed: true })),
  ],
  ['a big-endian store to a sum', 3, (b) => b.store(b.add(at(b), b.constant(DATA)), c(b), { size: 4, big: true })],
  ['a load from a sum that faults', 1, (b) => b.set('RCX', b.load(b.add(a(b), b.constant(0x40_0000n)), { size: 8 }))],
];

const word = fc.oneof(
  fc.constantFrom(
    0n,
    1n,
    0x7fff_ffffn,
    0x8000_0000n,
    0xffff_ffffn,
    1n << 32n,
    (1n << 63n) - 1n,
    1n << 63n,
    (1n << 64n) - 1n,
  ),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);

describe('ops that stand together', () => {
  it.each(CASES)('%s: %i steps, the same meaning', (_name, count, body) => {
    const x = new Foreign({ set0: [{ name: 'sample', lift: body }] });
    // Nothing above the first 64 KiB but RAM itself, so that a wild address faults.
    const data = x.bytes(DATA, 0x1000);
    expect(steps(x.x, lift(x.arch, 'sample', RAM, RAM + 1n, body))).toHaveLength(count);
    fc.assert(
      fc.property(word, word, fc.boolean(), (first, second, equal) => {
        data.forEach((_, i) => {
          data[i] = (i * 37 + 11) & 255;
        });
        const bytes = data.slice();
        const memory = {
          read: (address: bigint) =>
            address >= DATA && address < DATA + 0x1000n ? bytes[Number(address - DATA)] : undefined,
          writable: (address: bigint) => address >= DATA && address < DATA + 0x1000n,
          write: (address: bigint, byte: number) => {
            bytes[Number(address - DATA)] = byte;
          },
        };
        x.taken.length = 0;
        x.x.counts.fill(0);
        x.x.extra.fill(0);
        const values = new Map(REGISTERS.map((name, i) => [name, BigInt(i + 2)]));
        values
          .set('RAX', first)
          .set('RBX', equal ? first : second)
          .set('RCX', BigInt(equal));
        x.put(Object.fromEntries(values)).load(RAM, x.encode('sample'));
        const { log, pc } = perform(body, values, memory, {}, RAM, RAM + 1n);
        x.run(1);
        expect(Object.fromEntries(REGISTERS.map((name) => [name, x.get(name)]))).toEqual(Object.fromEntries(values));
        expect(x.get('PC')).toBe(pc ?? RAM);
        expect(x.taken).toHaveLength(pc === undefined ? 1 : 0);
        expect(x.signals().taken ?? 0).toBe(log.filter((line) => line === 'emit taken').length);
        expect(Buffer.compare(data, bytes)).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
