import type { Op, Operand, PureOpName, Width } from '@countervisor/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inputs, output, tidy } from './tidy.ts';

const MASK = (1n << 64n) - 1n;
const REGISTERS = ['A', 'B', 'C', 'D'] as const;
const register = (name: string): Operand => ({ kind: 'register', name });
const temporary = (index: number): Operand => ({ kind: 'temporary', index });
const constant = (value: bigint): Operand => ({ kind: 'constant', value });

/** A few pure ops, said anew: this evaluator shares nothing with the engine. */
const PURE: Readonly<Partial<Record<PureOpName, (a: bigint, b: bigint, c: bigint) => bigint>>> = {
  copy: (a) => a,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  xor: (a, b) => a ^ b,
  not: (a) => ~a,
  eq: (a, b) => (a === b ? 1n : 0n),
  select: (a, b, c) => (a !== 0n ? b : c),
};
const ARITY: Readonly<Partial<Record<PureOpName, number>>> = { copy: 1, not: 1, select: 3 };
const PURE_NAMES = Object.keys(PURE) as PureOpName[];

/**
 * What can be seen of a list of ops: its effects in order, each with the registers as they are at that moment, and the registers at the end. Loads,
 * reads and helpers give numbers made from what they were asked; where `faults` says so, they end the instruction instead.
 */
function observe(ops: readonly Op[], start: Readonly<Record<string, bigint>>, faults: (n: number) => boolean): unknown {
  const registers: Record<string, bigint> = { ...start };
  const temporaries = new Map<number, bigint>();
  const seen: unknown[] = [];
  const get = (o: Operand): bigint => {
    if (o.kind === 'constant') return o.value;
    return o.kind === 'register' ? (registers[o.name] as bigint) : (temporaries.get(o.index) ?? 0xdeadn);
  };
  const put = (o: Operand, v: bigint): void => {
    if (o.kind === 'register') registers[o.name] = v & MASK;
    else if (o.kind === 'temporary') temporaries.set(o.index, v & MASK);
  };
  const see = (...what: unknown[]): number => seen.push([...what, { ...registers }]);
  for (let i = 0; i < ops.length; i++) {
    const op = ops[i] as Op;
    if ('width' in op) {
      const [a = 0n, b = 0n, c = 0n] = [op.a, op.b, op.c].map((o) => (o === undefined ? 0n : get(o)));
      put(op.to, (PURE[op.op] as NonNullable<(typeof PURE)['add']>)(a, b, c) & MASK);
      continue;
    }
    switch (op.op) {
      case 'skip':
        if (get(op.unless) === 0n) i += op.count;
        break;
      case 'load':
      case 'read':
      case 'call': {
        const asked = inputs(op).map(get);
        if (faults(see(op.op, asked))) return seen;
        put(
          op.to,
          asked.reduce((sum, v) => sum * 31n + v, 7n),
        );
        break;
      }
      case 'jump':
        see('jump', get(op.to));
        return seen;
      case 'branch':
        if (get(op.when) === 0n) break;
        see('branch', op.to);
        return seen;
      case 'again':
        if (get(op.when) === 0n) break;
        see('again');
        return seen;
      case 'raise':
        see('raise', get(op.syndrome));
        return seen;
      default:
        if (faults(see(op.op, inputs(op).map(get)))) return seen;
    }
  }
  see('end');
  return seen;
}

/** Lists as lifts make them: every temporary is written before it is read, in the same region or one around it. */
const list: fc.Arbitrary<Op[]> = fc.array(fc.nat(), { minLength: 4, maxLength: 120 }).map((dice) => {
  const ops: Op[] = [];
  let at = 0;
  const roll = (n: number): number => (dice[at++ % dice.length] as number) % n;
  let temporaries = 0;
  const body = (length: number, seen: readonly number[], depth: number): void => {
    const known = [...seen];
    const value = (): Operand => {
      const kind = roll(4);
      if (kind === 0 || known.length === 0) return register(REGISTERS[roll(4)] as string);
      return kind === 1 ? constant(BigInt(roll(3))) : temporary(known[roll(known.length)] as number);
    };
    const fresh = (): Operand => {
      known.push(temporaries);
      return temporary(temporaries++);
    };
    for (let n = 0; n < length && at < dice.length * 2; n++) {
      const what = roll(16);
      if (what < 6) {
        const op = PURE_NAMES[roll(PURE_NAMES.length)] as PureOpName;
        const [a, b, c] = [value(), value(), value()];
        const arity = ARITY[op] ?? 2;
        const made = { op, width: 64 as Width, a, ...(arity > 1 && { b }), ...(arity > 2 && { c }) };
        // Now and then a variable is assigned, or a register written by something else than a copy.
        const again = roll(8);
        const to = again === 0 && known.length > 0 ? temporary(known[roll(known.length)] as number) : fresh();
        ops.push({ ...made, to: again === 1 ? register(REGISTERS[roll(4)] as string) : to } as Op);
      } else if (what < 10) {
        ops.push({ op: 'copy', width: 64, a: value(), to: register(REGISTERS[roll(4)] as string) });
      } else if (what < 13 && depth < 3) {
        const skip = ops.push({ op: 'skip', unless: value(), count: 0 }) - 1;
        body(1 + roll(4), known, depth + 1);
        ops[skip] = { op: 'skip', unless: (ops[skip] as Op & { op: 'skip' }).unless, count: ops.length - skip - 1 };
      } else {
        const from = value();
        const effects: (() => Op)[] = [
          () => ({ op: 'load', to: fresh(), at: from, shape: { size: 8 } }),
          () => ({ op: 'store', at: from, value: value(), shape: { size: 8 } }),
          () => ({ op: 'call', to: fresh(), helper: 'h', args: [from, value()] }),
          () => ({ op: 'read', to: fresh(), space: 's', index: from }),
          () => ({ op: 'write', value: value(), space: 's', index: from }),
          () => ({ op: 'probe', at: from, size: 8, write: true, shape: { size: 1 } }),
          () => ({ op: 'trap', cause: 'c', argument: from }),
          () => ({ op: 'emit', signal: 'load' }),
          () => ({ op: 'raise', exception: 'e', syndrome: from, retires: false }),
          () => ({ op: 'branch', when: from, to: 4n }),
          () => ({ op: 'again', when: from }),
          () => ({ op: 'jump', to: from }),
        ];
        // What ends the instruction for sure comes seldom, so that there is something behind most of what is here.
        const kind = roll(effects.length);
        ops.push((effects[kind === 8 || kind === 11 ? roll(effects.length) : kind] as () => Op)());
      }
    }
  };
  body(40, [], 0);
  return ops;
});

describe('tidy', () => {
  const values = fc.record({ A: fc.nat(3), B: fc.nat(3), C: fc.nat(3), D: fc.constantFrom(0, 1) });

  it('keeps the meaning: every effect in its order, with the same registers at that moment', {
    timeout: 60_000,
  }, () => {
    let smaller = 0;
    fc.assert(
      fc.property(list, values, fc.nat(6), (ops, small, fault) => {
        const start = Object.fromEntries(Object.entries(small).map(([name, v]) => [name, BigInt(v)]));
        const tidied = tidy(ops);
        if (tidied.length < ops.length) smaller++;
        const faults = (n: number): boolean => fault > 0 && n % fault === 0;
        expect(observe(tidied, start, faults)).toEqual(observe(ops, start, faults));
        expect(tidied.length).toBeLessThanOrEqual(ops.length);
      }),
      { numRuns: 2000 },
    );
    expect(smaller).toBeGreaterThan(300);
  });

  it('leaves what it was given as it was', () => {
    fc.assert(
      fc.property(list, (ops) => {
        const before = JSON.stringify(ops, (_, v) => (typeof v === 'bigint' ? `${v}n` : v));
        tidy(ops);
        expect(JSON.stringify(ops, (_, v) => (typeof v === 'bigint' ? `${v}n` : v))).toBe(before);
      }),
      { numRuns: 100 },
    );
  });

  const copy = (to: Operand, a: Operand): Op => ({ op: 'copy', width: 64, to, a });
  const add = (to: Operand, a: Operand, b: Operand): Op => ({ op: 'add', width: 64, to, a, b });
  const [A, B] = [register('A'), register('B')];
  const [t0, t1] = [temporary(0), temporary(1)];

  it('drops chains of unused results, from the end', () => {
    expect(tidy([add(t0, A, B), add(t1, t0, A)])).toEqual([]);
  });

  it('lets a sum go to its register past what does not touch it', () => {
    expect(tidy([add(t0, A, B), add(t1, B, B), copy(A, t0), copy(B, t1)])).toEqual([add(A, A, B), add(B, B, B)]);
  });

  it('does not let it pass what reads or writes the register', () => {
    const read = [add(t0, A, B), add(t1, A, A), copy(A, t0), copy(B, t1)];
    expect(tidy(read)).toEqual([add(t0, A, B), add(B, A, A), copy(A, t0)]);
    const written = [add(t0, A, B), copy(A, B), copy(A, t0)];
    expect(tidy(written)).toEqual(written);
  });

  it('does not let it pass what can stop the instruction', () => {
    const ops: Op[] = [add(t0, A, B), { op: 'load', to: t1, at: B, shape: { size: 8 } }, copy(A, t0)];
    expect(tidy(ops)).toEqual(ops);
  });

  it('does not let it into another region', () => {
    const into: Op[] = [add(t0, A, B), { op: 'skip', unless: B, count: 1 }, copy(A, t0)];
    expect(tidy(into)).toEqual(into);
    const skipped: Op[] = [{ op: 'skip', unless: B, count: 1 }, add(t0, A, B), copy(A, t0)];
    expect(tidy(skipped)).toEqual(skipped);
    const outOf: Op[] = [copy(t0, A), { op: 'skip', unless: B, count: 1 }, add(t0, A, B), copy(A, t0)];
    expect(tidy(outOf)).toEqual(outOf);
  });

  it('a region that is left empty shrinks the one around it', () => {
    const skip = (count: number): Op => ({ op: 'skip', unless: B, count });
    expect(tidy([skip(3), copy(A, B), skip(1), add(t0, A, A), copy(B, A)])).toEqual([skip(1), copy(A, B), copy(B, A)]);
    expect(tidy([skip(2), skip(1), add(t0, A, A), copy(B, A)])).toEqual([copy(B, A)]);
  });

  it('a condition of nothing is not computed', () => {
    expect(tidy([add(t0, A, B), { op: 'skip', unless: t0, count: 1 }, add(t1, A, A), copy(A, B)])).toEqual([
      copy(A, B),
    ]);
  });

  it('leaves a result that is used twice', () => {
    const twice = [add(t0, A, B), copy(A, t0), copy(B, t0)];
    expect(tidy(twice)).toEqual(twice);
  });

  it('knows what every op reads and writes', () => {
    const shape = { size: 8 } as const;
    const rows: readonly (readonly [Op, readonly Operand[], Operand | undefined])[] = [
      [{ op: 'load', to: t0, at: A, shape }, [A], t0],
      [{ op: 'store', at: A, value: B, shape }, [A, B], undefined],
      [{ op: 'probe', at: A, size: 8, write: true, shape }, [A], undefined],
      [{ op: 'skip', unless: A, count: 1 }, [A], undefined],
      [{ op: 'jump', to: A }, [A], undefined],
      [{ op: 'branch', when: A, to: 4n }, [A], undefined],
      [{ op: 'read', to: t0, space: 's', index: A }, [A], t0],
      [{ op: 'write', value: A, space: 's', index: B }, [A, B], undefined],
      [{ op: 'raise', exception: 'e', syndrome: A, retires: true }, [A], undefined],
      [{ op: 'trap', cause: 'c', argument: A }, [A], undefined],
      [{ op: 'call', to: t0, helper: 'h', args: [A, B] }, [A, B], t0],
      [{ op: 'emit', signal: 'load' }, [], undefined],
      [{ op: 'again', when: A }, [A], undefined],
      [add(A, B, t0), [B, t0], A],
    ];
    for (const [op, reads, writes] of rows) {
      expect([...inputs(op)]).toEqual([...reads]);
      expect(output(op)).toEqual(writes);
    }
  });
});
