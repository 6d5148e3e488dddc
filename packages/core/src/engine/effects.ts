/** The stepper's ops with an effect: kinds of `perform` for what every guest does all the time, a closure for each of the others. */
import type { AccessShape, Op, Operand } from '@countervisor/contract';
import { SIGNAL_INDEX } from '../pmu/classes.ts';
import { note, probe, slowLoad, slowStore } from './access.ts';
import type { Engine } from './engine.ts';
import { kindOf } from './pure.ts';
import { CODE, makeStep, type Run, type Step, wordOf } from './step.ts';

export { CODE };

/** Finds an operand's place. */
export type Placing = (o: Operand) => number;

const swap = (v: number): number => (v << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24);

/** Finishes a loaded value in `lo/hi`: byte order, then sign. */
function finish(x: Engine, shape: AccessShape): void {
  const { size } = shape;
  if (shape.big === true) {
    if (size === 8) {
      const lo = x.lo;
      x.lo = swap(x.hi);
      x.hi = swap(lo);
    } else if (size === 4) x.lo = swap(x.lo);
    else if (size === 2) x.lo = swap(x.lo) >>> 16;
  }
  if (shape.signed !== true) return;
  if (size < 4) x.lo = (x.lo << (32 - 8 * size)) >> (32 - 8 * size);
  if (size < 8) x.hi = shape.width === 32 ? 0 : x.lo >> 31;
}

/** Any load: every shape, straight through the slow way when the soft-TLB does not answer. */
function load(x: Engine, shape: AccessShape, at: number, to: number): Run {
  const { m, memory } = x;
  const { bytes } = memory;
  const { halves } = x;
  const { size } = shape;
  const plain = shape.big !== true && shape.signed !== true;
  // An access may need more alignment than its size: one of an exclusive pair.
  const below = Math.max(size, shape.align ?? 1) - 1;
  const other = shape.level !== undefined || shape.space !== undefined;
  return (s) => {
    const i = wordOf(at, s);
    const lo = m[i] as number;
    const hi = m[i + 1] as number;
    const e = x.tlb + ((lo >>> 12) & 255) * 8;
    if ((lo & below) === 0 && !other && m[e] === ((hi << 20) | (lo >>> 12)) && m[e + 1] === hi >>> 12) {
      if (x.noting) note(x, lo, hi, size, false);
      const host = (m[e + 6] as number) + (lo & 4095);
      x.hi = 0;
      if (size === 8) {
        x.lo = m[host >> 2] as number;
        x.hi = m[(host >> 2) + 1] as number;
      } else if (size === 4) x.lo = m[host >> 2] as number;
      else if (size === 1) x.lo = bytes[host] as number;
      else x.lo = halves[host >> 1] as number;
    } else {
      const code = slowLoad(x, lo, hi, shape);
      if (code !== 0) return code;
    }
    if (!plain) finish(x, shape);
    const o = wordOf(to, s);
    m[o] = x.lo;
    m[o + 1] = x.hi;
    return 0;
  };
}

function store(x: Engine, shape: AccessShape, at: number, value: number): Run {
  const { m, memory } = x;
  const { bytes } = memory;
  const { halves } = x;
  const { size, big } = shape;
  const below = Math.max(size, shape.align ?? 1) - 1;
  const other = shape.level !== undefined || shape.space !== undefined;
  return (s) => {
    const i = wordOf(at, s);
    const lo = m[i] as number;
    const hi = m[i + 1] as number;
    const v = wordOf(value, s);
    let l = m[v] as number;
    let h = m[v + 1] as number;
    if (big === true) {
      if (size === 8) {
        const t = l;
        l = swap(h);
        h = swap(t);
      } else if (size === 4) l = swap(l);
      else if (size === 2) l = swap(l) >>> 16;
    }
    const e = x.tlb + ((lo >>> 12) & 255) * 8;
    if ((lo & below) === 0 && !other && m[e + 2] === ((hi << 20) | (lo >>> 12)) && m[e + 3] === hi >>> 12) {
      if (x.noting) note(x, lo, hi, size, true);
      const host = (m[e + 6] as number) + (lo & 4095);
      if (size === 8) {
        m[host >> 2] = l;
        m[(host >> 2) + 1] = h;
      } else if (size === 4) m[host >> 2] = l;
      else if (size === 1) bytes[host] = l;
      else halves[host >> 1] = l;
      return 0;
    }
    x.lo = l;
    x.hi = h;
    return slowStore(x, lo, hi, shape);
  };
}

const word64 = (m: Int32Array, i: number): bigint =>
  (BigInt((m[i + 1] as number) >>> 0) << 32n) | BigInt((m[i] as number) >>> 0);

/** A load or store that `perform` has a kind for: to memory, little-endian, of the current level, loads zero-extended. */
export const isPlain = (shape: AccessShape): boolean =>
  shape.big !== true &&
  shape.signed !== true &&
  shape.level === undefined &&
  shape.space === undefined &&
  (shape.align ?? 1) <= shape.size;

/** Where a branch goes, as a step holds it. */
export const target = (to: bigint): { readonly lo: number; readonly hi: number } => ({
  lo: Number(BigInt.asIntN(32, to)),
  hi: Number(BigInt.asIntN(32, to >> 32n)),
});

const ZERO: Operand = { kind: 'constant', value: 0n };

/** The step of an op that is not pure. */
export function effectStep(x: Engine, op: Op, place: Placing): Step {
  switch (op.op) {
    case 'load':
    case 'store': {
      if (!isPlain(op.shape)) break;
      const { shape } = op;
      const d = place(op.op === 'load' ? op.to : op.value);
      return makeStep(kindOf(op.op), { d, a: place(op.at), b: place(ZERO), c: shape.size - 1, shape });
    }
    case 'probe': {
      const { shape, size, write } = op;
      if (shape.level !== undefined) break;
      const c = Math.max(shape.size, shape.align ?? 1) - 1;
      // `hi` is the tag of the kind of access, counted from the entry's first.
      return makeStep(kindOf('probe'), { a: place(op.at), c, lo: size, hi: write ? 2 : 0, shape });
    }
    case 'skip':
      return makeStep(kindOf('skip'), { a: place(op.unless) });
    case 'jump':
      if (op.to.kind === 'constant') return makeStep(kindOf('jump'), target(op.to.value));
      return makeStep(kindOf('jumpTo'), { a: place(op.to) });
    case 'branch':
      return makeStep(kindOf('branch64'), { a: place(op.when), ...target(op.to) });
    default:
  }
  return makeStep(0, { run: closure(x, op, place) });
}

function closure(x: Engine, op: Op, place: Placing): Run {
  const { m } = x;
  switch (op.op) {
    case 'load':
      return load(x, op.shape, place(op.at), place(op.to));
    case 'store':
      return store(x, op.shape, place(op.at), place(op.value));
    case 'probe': {
      const at = place(op.at);
      return (s) => {
        const i = wordOf(at, s);
        return probe(x, m[i] as number, m[i + 1] as number, op.size, op.write, op.shape);
      };
    }
    case 'read': {
      const index = place(op.index);
      const to = place(op.to);
      const { space } = op;
      return (s) => {
        const code = x.doors.access(x.v, space, (m[wordOf(index, s)] as number) >>> 0, false);
        if (code !== 0) return code;
        const o = wordOf(to, s);
        m[o] = x.lo;
        m[o + 1] = x.hi;
        return 0;
      };
    }
    case 'write': {
      const index = place(op.index);
      const value = place(op.value);
      const { space } = op;
      return (s) => {
        const v = wordOf(value, s);
        x.lo = m[v] as number;
        x.hi = m[v + 1] as number;
        return x.doors.access(x.v, space, (m[wordOf(index, s)] as number) >>> 0, true);
      };
    }
    case 'raise': {
      const syndrome = place(op.syndrome);
      const { exception, retires } = op;
      return (s) => {
        x.fault = { kind: exception, syndrome: word64(m, wordOf(syndrome, s)) };
        return retires ? CODE.raised : CODE.fault;
      };
    }
    case 'trap': {
      const argument = place(op.argument);
      const { cause } = op;
      return (s) => x.doors.trap(x.v, cause, word64(m, wordOf(argument, s)));
    }
    case 'call': {
      const to = place(op.to);
      const args = op.args.map(place);
      const { helper } = op;
      return (s) => {
        const result = x.doors.call(
          x.v,
          helper,
          args.map((a) => word64(m, wordOf(a, s))),
        );
        const o = wordOf(to, s);
        m[o] = Number(BigInt.asIntN(32, result));
        m[o + 1] = Number(BigInt.asIntN(32, result >> 32n));
        return 0;
      };
    }
    case 'emit': {
      const signal = SIGNAL_INDEX[op.signal as keyof typeof SIGNAL_INDEX];
      return () => {
        x.emit(signal, 1);
        return 0;
      };
    }
    case 'again': {
      const when = place(op.when);
      return (s) => {
        const i = wordOf(when, s);
        return (m[i] as number) === 0 && (m[i + 1] as number) === 0 ? 0 : CODE.again;
      };
    }
    default:
      throw new TypeError(`${op.op} has no closure`);
  }
}
