/** Planted faults in lifts of x86: each way in which a row could be wrong by one bit or one flag, so that the comparison itself is tested. */
import type { Lifter, Value } from '@countervisor/contract';
import type { Instruction } from '../../packages/x86/src/isa/decode.ts';
import { GENERAL } from '../../packages/x86/src/isa/operands.ts';
import type { Row } from '../../packages/x86/src/isa/row.ts';
import { x86Evaluator } from './x86-backend.ts';
import type { X86Case } from './x86-cases.ts';

type Lift = Instruction['lift'];
type Any = (...args: never[]) => unknown;

/** What a set of a flag's slot can get wrong: each flag that is read from it. */
const SLOTS: Readonly<Record<string, Readonly<Record<string, (b: Lifter, value: Value) => Value>>>> = {
  CF: { CF: (b, v) => b.xor(v, b.constant(1)) },
  OF: { OF: (b, v) => b.xor(v, b.constant(1)) },
  NONZERO: { ZF: (b, v) => b.eq(v, b.constant(0)) },
  RESULT: {
    SF: (b, v) => b.xor(v, b.constant(1n << 63n)),
    PF: (b, v) => b.xor(v, b.constant(1)),
  },
  AUX: { AF: (b, v) => b.xor(v, b.constant(0x10)) },
  SYSTEM_FLAGS: { DF: (b, v) => b.xor(v, b.constant(0x400)) },
};

/** Helpers whose work must show; without them their answer is 0. */
const HELPERS = ['x87', 'decimal', 'quotient', 'flags', 'set-flags'];

const CHANGES = ['store', 'jump', 'branch', 'raise'];

function pointsOf(method: string, first: unknown): readonly string[] {
  if (method === 'set') {
    const register = first as string;
    if (GENERAL.includes(register)) return ['result'];
    return Object.keys(SLOTS[register] ?? {});
  }
  if (method === 'raise' && first === 'fault') return ['raise fault'];
  if (method === 'call') return HELPERS.includes(first as string) ? [`call ${first}`] : [];
  return CHANGES.includes(method) ? [method] : [];
}

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

const watching =
  (points: Set<string>) =>
  (lift: Lift): Lift =>
  (b) =>
    lift(
      wrapped(b, (method, call, args) => {
        for (const point of pointsOf(method, args[0])) points.add(point);
        return plain(call, args);
      }),
    );

function faulty(b: Lifter, method: string, point: string, call: Any, args: unknown[]): unknown {
  const flip = (value: unknown): Value => b.xor(value as Value, b.constant(1));
  switch (method) {
    case 'set': {
      const change = SLOTS[args[0] as string]?.[point];
      return plain(call, [args[0], change === undefined ? flip(args[1]) : change(b, args[1] as Value)]);
    }
    case 'store':
      return plain(call, [args[0], flip(args[1]), args[2]]);
    case 'call':
      return b.constant(0);
    case 'jump':
      return plain(call, [b.add(args[0] as Value, b.constant(4))]);
    case 'branch':
      return plain(call, [b.eq(args[0] as Value, b.constant(0)), args[1]]);
    default:
      return undefined;
  }
}

/** The lift with a fault at one point, wherever it passes it. */
const planted =
  (point: string) =>
  (lift: Lift): Lift =>
  (b) =>
    lift(
      wrapped(b, (method, call, args) =>
        pointsOf(method, args[0]).includes(point) ? faulty(b, method, point, call, args) : plain(call, args),
      ),
    );

/** For rows that change nothing: they change RBX. */
const busy =
  (lift: Lift): Lift =>
  (b) => {
    lift(b);
    b.set('RBX', b.xor(b.get('RBX'), b.constant(1)));
  };

export interface X86Planted {
  readonly point: string;
  readonly mutate: (lift: Lift) => Lift;
}

/** Every fault that a row's cases pass. Flags that the manual leaves open cannot be wrong. */
export function mutations(row: Row, cases: readonly X86Case[]): readonly X86Planted[] {
  const points = new Set<string>();
  const watcher = x86Evaluator((_name, lift) => watching(points)(lift));
  for (const c of cases) watcher.run(c);
  for (const name of row.leaves.split(' ')) points.delete(name);
  if (points.size === 0) return [{ point: 'nothing', mutate: busy }];
  return [...points].map((point) => ({ point, mutate: planted(point) }));
}
