/**
 * Load-and-reserve and store-conditional. Power ISA 3.0B, book II, 4.6.2; book III, 6.5.8: an operand that is not aligned raises the alignment
 * interrupt, whether or not there is a reservation.
 *
 * What the manual leaves open: a store-conditional of another length than the load's, or to another address, stores nothing and says so in CR0; EH is a hint.
 */
import type { AccessShape, Lifter, Value } from '@countervisor/contract';
import { address, gpr, indexed, plus, setCr, setGpr } from '../operands.ts';
import { bin, type Mode, type Row, row, type Version } from '../row.ts';
import { DOUBLE, LOAD, shapeOf } from './memory.ts';

const SIZES: readonly {
  readonly letter: string;
  readonly bytes: 1 | 2 | 4 | 8;
  readonly load: number;
  readonly store: number;
  readonly needs?: Version;
}[] = [
  { letter: 'b', bytes: 1, load: 52, store: 694, needs: 'isa-2.06' },
  { letter: 'h', bytes: 2, load: 116, store: 726, needs: 'isa-2.06' },
  { letter: 'w', bytes: 4, load: 20, store: 150 },
  { letter: 'd', bytes: 8, load: 84, store: 214 },
];

const SOURCE = 'book II, 4.6.2';

/** The reservation holds what was read, so that a store finds out whether anybody wrote something else since. */
function reserve(b: Lifter, at: Value, bytes: number, value: Value, second?: Value): void {
  b.set('RESERVE_ADDRESS', at);
  b.set('RESERVE_SIZE', b.constant(bytes));
  b.set('RESERVE_VALUE', value);
  if (second !== undefined) b.set('RESERVE_LOW', second);
}

/** Stores where the reservation still holds, ends it, and says so in CR0: 0, 0, whether it stored, SO. */
function conditionally(b: Lifter, at: Value, bytes: number, attempt: (done: () => void) => void): void {
  const stored = b.variable(b.constant(0));
  const same = b.eq(b.get('RESERVE_ADDRESS'), at);
  b.when(b.and(same, b.eq(b.get('RESERVE_SIZE'), b.constant(bytes))), () => {
    attempt(() => {
      b.assign(stored, b.constant(2));
      // Only a store that was performed is one.
      b.emit('store');
      b.emit('access');
    });
  });
  b.set('RESERVE_SIZE', b.constant(0));
  setCr(b, 0, stored, b.get('SO'));
}

/** Alignment is checked before anything else, even where nothing will be stored. */
function aligned(b: Lifter, at: Value, bytes: number): void {
  if (bytes === 1) return;
  b.when(b.and(at, b.constant(bytes - 1)), () => b.raise('alignment', at));
}

const singles: readonly Row[] = SIZES.flatMap(({ letter, bytes, load, store, needs }) => {
  const shape = (mode: Mode): AccessShape => shapeOf(mode, { bytes });
  const more = needs === undefined ? {} : { needs };
  return [
    row(
      `l${letter}arx`,
      'atomic',
      `011111 RT RA RB ${bin(load, 10)} EH` as string,
      'RT RA RB EH',
      SOURCE,
      (b, f, mode) => {
        const at = address(b, mode, indexed(b, f.RA, f.RB));
        const value = b.load(at, { ...shape(mode), ...(bytes > 1 && { align: bytes }) });
        reserve(b, at, bytes, value);
        setGpr(b, f.RT, value);
      },
      { signals: LOAD, ...more },
    ),
    row(
      `st${letter}cx.`,
      'atomic',
      `011111 RS RA RB ${bin(store, 10)} 1` as string,
      'RS RA RB',
      SOURCE,
      (b, f, mode) => {
        const at = address(b, mode, indexed(b, f.RA, f.RB));
        aligned(b, at, bytes);
        conditionally(b, at, bytes, (done) => {
          b.probe(at, bytes, true);
          b.when(b.eq(b.load(at, shape(mode)), b.get('RESERVE_VALUE')), () => {
            b.store(at, gpr(b, f.RS), shape(mode));
            done();
          });
        });
      },
      more,
    ),
  ];
});

const quads: readonly Row[] = [
  row(
    'lqarx',
    'atomic',
    `011111 RT RA RB ${bin(276, 10)} EH` as string,
    'RT RA RB EH',
    SOURCE,
    (b, f, mode) => {
      const at = address(b, mode, indexed(b, f.RA, f.RB));
      const shape = shapeOf(mode, DOUBLE);
      const low = b.load(at, { ...shape, align: 16 });
      const high = b.load(plus(b, at, 8), shape);
      const [even, odd] = mode.big ? [low, high] : [high, low];
      reserve(b, at, 16, even, odd);
      setGpr(b, f.RT, even);
      setGpr(b, f.RT + 1, odd);
    },
    {
      signals: ['load', 'access', 'access'],
      needs: 'isa-2.07',
      allocated: (f) => f.RT % 2 === 0 && f.RA !== f.RT && f.RB !== f.RT,
    },
  ),
  row(
    'stqcx.',
    'atomic',
    `011111 RS RA RB ${bin(182, 10)} 1` as string,
    'RS RA RB',
    SOURCE,
    (b, f, mode) => {
      const at = address(b, mode, indexed(b, f.RA, f.RB));
      const shape = shapeOf(mode, DOUBLE);
      aligned(b, at, 16);
      conditionally(b, at, 16, (done) => {
        b.probe(at, 16, true);
        const next = plus(b, at, 8);
        const [even, odd] = mode.big ? [at, next] : [next, at];
        const first = b.eq(b.load(even, shape), b.get('RESERVE_VALUE'));
        b.when(b.and(first, b.eq(b.load(odd, shape), b.get('RESERVE_LOW'))), () => {
          b.store(even, gpr(b, f.RS), shape);
          b.store(odd, gpr(b, f.RS + 1), shape);
          done();
          b.emit('access');
        });
      });
    },
    { needs: 'isa-2.07', allocated: (f) => f.RS % 2 === 0 },
  ),
];

export const atomic: readonly Row[] = [...singles, ...quads];
