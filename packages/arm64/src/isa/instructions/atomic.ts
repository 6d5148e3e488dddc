/** Exclusives, acquire and release, and FEAT_LSE atomics. Arm DDI 0487, B2 (synchronization and semaphores), C3.2, C4.1. */
import type { AccessShape, Lifter, Signal, Value } from '@countervisor/contract';
import { base, plus } from '../address.ts';
import { setX, x } from '../operands.ts';
import { type Row, row } from '../row.ts';

/** Every access here is to an aligned address; FEAT_LSE2's relaxation is absent. */
const SIZES = [
  { suffix: 'B', size: '00', bytes: 1 },
  { suffix: 'H', size: '01', bytes: 2 },
  { suffix: ' W', size: '10', bytes: 4 },
  { suffix: ' X', size: '11', bytes: 8 },
] as const;

type Size = (typeof SIZES)[number];

const shapeOf = ({ bytes }: Size): AccessShape => ({ size: bytes, align: bytes });
/** One of a pair of doublewords that is accessed as 16 bytes at once. */
const QUAD: AccessShape = { size: 8, align: 16 };

const LOAD: readonly Signal[] = ['load', 'access'];
const STORE: readonly Signal[] = ['store', 'access'];
/** A read and a write of memory in one. */
const BOTH: readonly Signal[] = ['load', 'store', 'access', 'access'];

/** The monitor holds what was read, so that a store-exclusive finds out whether anybody wrote something else since. */
function watch(b: Lifter, at: Value, bytes: number, low: Value, high?: Value): void {
  b.set('EXCLUSIVE_ADDRESS', at);
  b.set('EXCLUSIVE_SIZE', b.constant(bytes));
  b.set('EXCLUSIVE_LOW', low);
  if (high !== undefined) b.set('EXCLUSIVE_HIGH', high);
}

/** Status 0 and the store where the monitor still matches, else status 1; the monitor is open afterwards. */
function storeIfWatched(b: Lifter, at: Value, bytes: number, s: number, attempt: (done: () => void) => void): void {
  const status = b.variable(b.constant(1));
  const same = b.eq(b.get('EXCLUSIVE_ADDRESS'), at);
  b.when(b.and(same, b.eq(b.get('EXCLUSIVE_SIZE'), b.constant(bytes))), () => {
    attempt(() => {
      b.assign(status, b.constant(0));
      // ST_RETIRED counts no store-exclusive that fails.
      b.emit('store');
      b.emit('access');
    });
  });
  b.set('EXCLUSIVE_SIZE', b.constant(0));
  setX(b, s, status);
}

function exclusive(size: Size): readonly Row[] {
  const shape = shapeOf(size);
  const load = (name: string, o0: '0' | '1'): Row =>
    row(
      `${name}${size.suffix}`,
      'atomic',
      `${size.size} 001000 0 1 0 xxxxx ${o0} xxxxx Rn Rt` as string,
      (b, f) => {
        const at = base(b, f.Rn);
        const value = b.load(at, shape);
        watch(b, at, size.bytes, value);
        setX(b, f.Rt, value);
      },
      { signals: LOAD },
    );
  const store = (name: string, o0: '0' | '1'): Row =>
    row(`${name}${size.suffix}`, 'atomic', `${size.size} 001000 0 0 0 Rs ${o0} xxxxx Rn Rt` as string, (b, f) => {
      const at = base(b, f.Rn);
      storeIfWatched(b, at, size.bytes, f.Rs, (done) => {
        b.probe(at, size.bytes, true, shape);
        b.when(b.eq(b.load(at, shape), b.get('EXCLUSIVE_LOW')), () => {
          b.store(at, x(b, f.Rt), shape);
          done();
        });
      });
    });
  return [load('LDXR', '0'), load('LDAXR', '1'), store('STXR', '0'), store('STLXR', '1')];
}

const low32 = (b: Lifter, value: Value): Value => b.zext32(value);
const high32 = (b: Lifter, value: Value): Value => b.shr(value, b.constant(32));
const joined = (b: Lifter, low: Value, high: Value): Value => b.or(b.zext32(low), b.shl(high, b.constant(32)));

/** Pairs of words are one doubleword to memory; pairs of doublewords are two accesses that need 16-byte alignment. */
function exclusivePair(load: boolean, name: string, o0: '0' | '1', wide: boolean): Row {
  const bytes = wide ? 16 : 8;
  const full = `${name} ${wide ? 'X' : 'W'}`;
  const size = `1 ${wide ? '1' : '0'}`;
  if (load) {
    return row(
      full,
      'atomic',
      `${size} 001000 0 1 1 xxxxx ${o0} Rt2 Rn Rt` as string,
      (b, f) => {
        const at = base(b, f.Rn);
        const first = b.load(at, wide ? QUAD : { size: 8, align: 8 });
        const second = wide ? b.load(plus(b, at, 8), { size: 8 }) : high32(b, first);
        watch(b, at, bytes, first, wide ? second : undefined);
        setX(b, f.Rt, wide ? first : low32(b, first));
        setX(b, f.Rt2, second);
      },
      { signals: ['load', 'access', 'access'] },
    );
  }
  return row(full, 'atomic', `${size} 001000 0 0 1 Rs ${o0} Rt2 Rn Rt` as string, (b, f) => {
    const at = base(b, f.Rn);
    storeIfWatched(b, at, bytes, f.Rs, (done) => {
      b.probe(at, bytes, true, wide ? QUAD : { size: 8, align: 8 });
      const first = b.eq(b.load(at, { size: 8 }), b.get('EXCLUSIVE_LOW'));
      const next = plus(b, at, 8);
      const unchanged = wide ? b.and(first, b.eq(b.load(next, { size: 8 }), b.get('EXCLUSIVE_HIGH'))) : first;
      b.when(unchanged, () => {
        if (wide) {
          b.store(at, x(b, f.Rt), { size: 8 });
          b.store(next, x(b, f.Rt2), { size: 8 });
        } else b.store(at, joined(b, x(b, f.Rt), x(b, f.Rt2)), { size: 8 });
        done();
        b.emit('access');
      });
    });
  });
}

/** LDAR and STLR; LDLAR and STLLR of FEAT_LOR, which order within a region: one region here, all of memory. */
function acquireRelease(size: Size): readonly Row[] {
  const shape = shapeOf(size);
  const load = (name: string, o0: '0' | '1', needs?: string): Row =>
    row(
      `${name}${size.suffix}`,
      'load',
      `${size.size} 001000 1 1 0 xxxxx ${o0} xxxxx Rn Rt` as string,
      (b, f) => setX(b, f.Rt, b.load(base(b, f.Rn), shape)),
      { signals: LOAD, ...(needs && { needs }) },
    );
  const store = (name: string, o0: '0' | '1', needs?: string): Row =>
    row(
      `${name}${size.suffix}`,
      'store',
      `${size.size} 001000 1 0 0 xxxxx ${o0} xxxxx Rn Rt` as string,
      (b, f) => b.store(base(b, f.Rn), x(b, f.Rt), shape),
      { signals: STORE, ...(needs && { needs }) },
    );
  return [
    load('LDAR', '1'),
    load('LDLAR', '0', 'lor'),
    store('STLR', '1'),
    store('STLLR', '0', 'lor'),
    row(
      `LDAPR${size.suffix}`,
      'load',
      `${size.size} 111 0 00 1 0 1 11111 1 100 00 Rn Rt` as string,
      (b, f) => setX(b, f.Rt, b.load(base(b, f.Rn), shape)),
      { signals: LOAD, needs: 'rcpc' },
    ),
  ];
}

/** What memory becomes: of the value there (zero-extended) and the operand. The store cuts it to size. */
type Update = (b: Lifter, old: Value, by: Value, size: Size) => Value;

const sext = (b: Lifter, value: Value, { bytes }: Size): Value => {
  if (bytes === 1) return b.sext8(value);
  return bytes === 2 ? b.sext16(value) : value;
};
const zext = (b: Lifter, value: Value, { bytes }: Size): Value => {
  if (bytes === 1) return b.zext8(value);
  return bytes === 2 ? b.zext16(value) : value;
};
const below = (b: Lifter, a: Value, by: Value, size: Size, isSigned: boolean): Value => {
  const width = size.bytes === 4 ? 32 : 64;
  return isSigned
    ? b.lts(sext(b, a, size), sext(b, by, size), width)
    : b.ltu(zext(b, a, size), zext(b, by, size), width);
};

const UPDATES: readonly (readonly [name: string, o3: string, opc: string, update: Update])[] = [
  ['LDADD', '0', '000', (b, old, by) => b.add(old, by)],
  ['LDCLR', '0', '001', (b, old, by) => b.and(old, b.not(by))],
  ['LDEOR', '0', '010', (b, old, by) => b.xor(old, by)],
  ['LDSET', '0', '011', (b, old, by) => b.or(old, by)],
  ['LDSMAX', '0', '100', (b, old, by, size) => b.select(below(b, old, by, size, true), by, old)],
  ['LDSMIN', '0', '101', (b, old, by, size) => b.select(below(b, by, old, size, true), by, old)],
  ['LDUMAX', '0', '110', (b, old, by, size) => b.select(below(b, old, by, size, false), by, old)],
  ['LDUMIN', '0', '111', (b, old, by, size) => b.select(below(b, by, old, size, false), by, old)],
  ['SWP', '1', '000', (_b, _old, by) => by],
];

/** A and R order only, so one row serves the plain, acquire and release forms, and ST<op> is LD<op> to the zero register. */
const updates: readonly Row[] = UPDATES.flatMap(([name, o3, opc, update]) =>
  SIZES.map((size) =>
    row(
      `${name}${size.suffix}`,
      'atomic',
      `${size.size} 111 0 00 A R 1 Rs ${o3} ${opc} 00 Rn Rt` as string,
      (b, f) => {
        const at = base(b, f.Rn);
        const shape = shapeOf(size);
        const old = b.load(at, shape);
        b.store(at, update(b, old, x(b, f.Rs), size), shape);
        setX(b, f.Rt, old);
      },
      { signals: BOTH, needs: 'lse' },
    ),
  ),
);

/** A compare that fails needs write permission all the same, as QEMU has it. */
const compareAndSwap: readonly Row[] = SIZES.map((size) =>
  row(
    `CAS${size.suffix}`,
    'atomic',
    `${size.size} 001000 1 L 1 Rs o0 11111 Rn Rt` as string,
    (b, f) => {
      const at = base(b, f.Rn);
      const shape = shapeOf(size);
      const old = b.load(at, shape);
      b.probe(at, size.bytes, true, shape);
      const expected = zext(b, x(b, f.Rs), size);
      b.when(b.eq(old, expected, size.bytes === 4 ? 32 : 64), () => b.store(at, x(b, f.Rt), shape));
      setX(b, f.Rs, old);
    },
    { signals: BOTH, needs: 'lse' },
  ),
);

const compareAndSwapPairs: readonly Row[] = [
  row(
    'CASP W',
    'atomic',
    '0 0 001000 0 L 1 Rs o0 11111 Rn Rt',
    (b, f) => {
      const at = base(b, f.Rn);
      const shape: AccessShape = { size: 8, align: 8 };
      const old = b.load(at, shape);
      b.probe(at, 8, true, shape);
      const expected = joined(b, x(b, f.Rs), x(b, f.Rs + 1));
      b.when(b.eq(old, expected), () => b.store(at, joined(b, x(b, f.Rt), x(b, f.Rt + 1)), shape));
      const high = high32(b, old);
      setX(b, f.Rs, low32(b, old));
      setX(b, f.Rs + 1, high);
    },
    { signals: BOTH, needs: 'lse', allocated: (f) => (f.Rs & 1) === 0 && (f.Rt & 1) === 0 },
  ),
  row(
    'CASP X',
    'atomic',
    '0 1 001000 0 L 1 Rs o0 11111 Rn Rt',
    (b, f) => {
      const at = base(b, f.Rn);
      const next = plus(b, at, 8);
      const low = b.load(at, QUAD);
      const high = b.load(next, { size: 8 });
      b.probe(at, 16, true, QUAD);
      const same = b.and(b.eq(low, x(b, f.Rs)), b.eq(high, x(b, f.Rs + 1)));
      b.when(same, () => {
        b.store(at, x(b, f.Rt), { size: 8 });
        b.store(next, x(b, f.Rt + 1), { size: 8 });
      });
      setX(b, f.Rs, low);
      setX(b, f.Rs + 1, high);
    },
    { signals: BOTH, needs: 'lse', allocated: (f) => (f.Rs & 1) === 0 && (f.Rt & 1) === 0 },
  ),
];

export const atomic: readonly Row[] = [
  ...SIZES.flatMap(exclusive),
  exclusivePair(true, 'LDXP', '0', false),
  exclusivePair(true, 'LDXP', '0', true),
  exclusivePair(true, 'LDAXP', '1', false),
  exclusivePair(true, 'LDAXP', '1', true),
  exclusivePair(false, 'STXP', '0', false),
  exclusivePair(false, 'STXP', '0', true),
  exclusivePair(false, 'STLXP', '1', false),
  exclusivePair(false, 'STLXP', '1', true),
  row('CLREX', 'barrier', '1101010100 0 00 011 0011 xxxx 010 11111', (b) => b.set('EXCLUSIVE_SIZE', b.constant(0))),
  ...SIZES.flatMap(acquireRelease),
  ...updates,
  ...compareAndSwap,
  ...compareAndSwapPairs,
];
