/** Planted faults: each way in which a row's lift could be wrong by one bit, so that the comparison itself is tested. */
import type { Decoded, Lifter, Value } from '@countervisor/contract';

type Lift = Decoded['lift'];
type Any = (...args: never[]) => unknown;

/** Names the words of the lifter that change something: 'set N', 'set result', 'store', 'jump', 'branch', 'raise', 'trap', 'read', 'write'. */
function pointOf(method: string, first: unknown): string | undefined {
  if (method === 'set') {
    const register = first as string;
    if (/^(X|GPR)[0-9]+$|^SP$/.test(register)) return 'set result';
    return `set ${register}`;
  }
  return ['store', 'jump', 'branch', 'raise', 'trap', 'read', 'write'].includes(method) ? method : undefined;
}

/** A lifter that does as another one does, but for one method. */
function wrapped(b: Lifter, change: (method: string, call: Any, args: unknown[]) => unknown): Lifter {
  return new Proxy(b, {
    get: (target, property) => {
      const value = target[property as keyof Lifter] as unknown;
      if (typeof value !== 'function') return value;
      const call = value.bind(target) as Any;
      return (...args: unknown[]) => change(property as string, call, args);
    },
  });
}

const plain = (call: Any, args: unknown[]): unknown => call(...(args as never[]));

/** Collects the points that a lift passes. */
export function watching(points: Set<string>): (lift: Lift) => Lift {
  return (lift) => (b) =>
    lift(
      wrapped(b, (method, call, args) => {
        const point = pointOf(method, args[0]);
        if (point !== undefined) points.add(point);
        return plain(call, args);
      }),
    );
}

const flipped = (b: Lifter, value: Value): Value => b.xor(value, b.constant(1));

function faulty(b: Lifter, method: string, call: Any, args: unknown[]): unknown {
  switch (method) {
    case 'set':
      // A monitor of another size is as good as an open one: the fault is to leave it as it was.
      if (args[0] === 'EXCLUSIVE_SIZE' || args[0] === 'RESERVE_SIZE') return undefined;
      return plain(call, [args[0], flipped(b, args[1] as Value)]);
    case 'store':
      return plain(call, [args[0], flipped(b, args[1] as Value), args[2]]);
    case 'read':
      return b.constant(0);
    case 'write':
      return plain(call, [args[0], args[1], b.xor(args[2] as Value, b.constant(3 | (1 << 22)))]);
    case 'jump':
      return plain(call, [b.add(args[0] as Value, b.constant(4))]);
    case 'branch':
      return plain(call, [b.eq(args[0] as Value, b.constant(0)), args[1]]);
    case 'raise':
      return plain(call, [args[0], flipped(b, (args[1] as Value | undefined) ?? b.constant(0)), args[2]]);
    case 'trap':
      return undefined;
    default:
      throw new Error(`No fault is known for ${method}.`);
  }
}

/** The lift with a fault at one point, wherever it passes it. */
export function planted(point: string): (lift: Lift) => Lift {
  return (lift) => (b) =>
    lift(
      wrapped(b, (method, call, args) =>
        pointOf(method, args[0]) === point ? faulty(b, method, call, args) : plain(call, args),
      ),
    );
}

/** The lift with its writes of system registers gone to another one. */
export const astray =
  (lift: Lift): Lift =>
  (b) =>
    lift(
      wrapped(b, (method, call, args) =>
        method === 'write'
          ? plain(call, [args[0], b.xor(args[1] as Value, b.constant(8)), args[2]])
          : plain(call, args),
      ),
    );

/** For rows that change nothing: they change a register. */
export const busy =
  (register: string) =>
  (lift: Lift): Lift =>
  (b) => {
    lift(b);
    b.set(register, flipped(b, b.get(register)));
  };
