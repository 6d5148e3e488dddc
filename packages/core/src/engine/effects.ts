/** The stepper's ops with an effect, one closure each. */
import type { AccessShape, Op, Operand } from '@countervisor/contract';
import { SIGNAL_INDEX } from '../pmu/classes.ts';
import { probe, slowLoad, slowStore } from './access.ts';
import type { Engine } from './engine.ts';
import type { Step } from './pure.ts';

/** What a step returns when it does not simply go on. */
export const CODE = {
  /** PC is set; the instruction retires. */
  jumped: -1,
  /** `Engine.fault` is to be taken at this instruction; nothing retires. */
  fault: -2,
  /** Retires, and `Engine.fault` is taken at the next one. */
  raised: -3,
  /** Not finished: one unit of budget, the same PC. */
  again: -4,
  /** Nothing retires, PC stays: retry, or the vCPU has left. */
  stopped: -5,
} as const;

/** A place in the words: `(s & mask) + offset`. */
export interface Place {
  readonly at: number;
  readonly mask: number;
}

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
function load(x: Engine, shape: AccessShape, at: Place, to: Place): Step {
  const { m, memory } = x;
  const { bytes } = memory;
  const words = m;
  const halves = new Uint16Array(memory.buffer);
  const { size } = shape;
  const plain = shape.big !== true && shape.signed !== true;
  // An access may need more alignment than its size: one of an exclusive pair.
  const below = Math.max(size, shape.align ?? 1) - 1;
  const other = shape.level !== undefined;
  return (s) => {
    const i = (s & at.mask) + at.at;
    const lo = m[i] as number;
    const hi = m[i + 1] as number;
    const e = x.tlb + ((lo >>> 12) & 255) * 8;
    if ((lo & below) === 0 && !other && m[e] === ((hi << 20) | (lo >>> 12)) && m[e + 1] === hi >>> 12) {
      const host = (m[e + 6] as number) + (lo & 4095);
      x.hi = 0;
      if (size === 8) {
        x.lo = words[host >> 2] as number;
        x.hi = words[(host >> 2) + 1] as number;
      } else if (size === 4) x.lo = words[host >> 2] as number;
      else if (size === 1) x.lo = bytes[host] as number;
      else x.lo = halves[host >> 1] as number;
    } else {
      const code = slowLoad(x, lo, hi, shape);
      if (code !== 0) return code;
    }
    if (!plain) finish(x, shape);
    const o = (s & to.mask) + to.at;
    m[o] = x.lo;
    m[o + 1] = x.hi;
    return 0;
  };
}

function store(x: Engine, shape: AccessShape, at: Place, value: Place): Step {
  const { m, memory } = x;
  const { bytes } = memory;
  const halves = new Uint16Array(memory.buffer);
  const { size, big } = shape;
  const below = Math.max(size, shape.align ?? 1) - 1;
  const other = shape.level !== undefined;
  return (s) => {
    const i = (s & at.mask) + at.at;
    const lo = m[i] as number;
    const hi = m[i + 1] as number;
    const v = (s & value.mask) + value.at;
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

/** The closure of an op that is not pure. `place` finds operands. */
export function effectStep(x: Engine, op: Op, place: (o: Operand) => Place): Step {
  const { m } = x;
  const pc = x.arch.pc.id * 2;
  switch (op.op) {
    case 'load':
      return load(x, op.shape, place(op.at), place(op.to));
    case 'store':
      return store(x, op.shape, place(op.at), place(op.value));
    case 'probe': {
      const at = place(op.at);
      return (s) => {
        const i = (s & at.mask) + at.at;
        return probe(x, m[i] as number, m[i + 1] as number, op.size, op.write, op.shape);
      };
    }
    case 'skip': {
      const unless = place(op.unless);
      const { count } = op;
      return (s) => {
        const i = (s & unless.mask) + unless.at;
        return (m[i] as number) === 0 && (m[i + 1] as number) === 0 ? count : 0;
      };
    }
    case 'jump': {
      const to = place(op.to);
      return (s) => {
        const i = (s & to.mask) + to.at;
        const lo = m[i] as number;
        m[s + pc + 1] = m[i + 1] as number;
        m[s + pc] = lo;
        return CODE.jumped;
      };
    }
    case 'branch': {
      const when = place(op.when);
      const lo = Number(BigInt.asIntN(32, op.to));
      const hi = Number(BigInt.asIntN(32, op.to >> 32n));
      const taken = SIGNAL_INDEX.taken;
      return (s) => {
        const i = (s & when.mask) + when.at;
        if ((m[i] as number) === 0 && (m[i + 1] as number) === 0) return 0;
        x.emit(taken, 1);
        m[s + pc] = lo;
        m[s + pc + 1] = hi;
        return CODE.jumped;
      };
    }
    case 'read': {
      const index = place(op.index);
      const to = place(op.to);
      const { space } = op;
      return (s) => {
        const code = x.doors.access(x.v, space, (m[(s & index.mask) + index.at] as number) >>> 0, false);
        if (code !== 0) return code;
        const o = (s & to.mask) + to.at;
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
        const v = (s & value.mask) + value.at;
        x.lo = m[v] as number;
        x.hi = m[v + 1] as number;
        return x.doors.access(x.v, space, (m[(s & index.mask) + index.at] as number) >>> 0, true);
      };
    }
    case 'raise': {
      const syndrome = place(op.syndrome);
      const { exception, retires } = op;
      return (s) => {
        x.fault = { kind: exception, syndrome: word64(m, (s & syndrome.mask) + syndrome.at) };
        return retires ? CODE.raised : CODE.fault;
      };
    }
    case 'trap': {
      const argument = place(op.argument);
      const { cause } = op;
      return (s) => x.doors.trap(x.v, cause, word64(m, (s & argument.mask) + argument.at));
    }
    case 'call': {
      const to = place(op.to);
      const args = op.args.map(place);
      const { helper } = op;
      return (s) => {
        const result = x.doors.call(
          x.v,
          helper,
          args.map((a) => word64(m, (s & a.mask) + a.at)),
        );
        const o = (s & to.mask) + to.at;
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
        const i = (s & when.mask) + when.at;
        return (m[i] as number) === 0 && (m[i + 1] as number) === 0 ? 0 : CODE.again;
      };
    }
    default:
      throw new TypeError(`${op.op} is a pure op`);
  }
}
