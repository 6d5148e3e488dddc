/** Any lift that keeps the law, on the engine and performed at once over bigint: the same registers, memory, exceptions and counts. */
import { type Lifter, PURE_OPS, type PureOpName, type Value, type Width } from '@countervisor/contract';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Foreign, RAM } from './testing/foreign.ts';
import { perform } from './testing/perform.ts';

const PURE_NAMES = Object.keys(PURE_OPS) as PureOpName[];
const REGISTERS = ['RAX', 'RBX', 'RCX', 'RDX', 'RSI', 'ZF'];
/** Two pages of data, the first readable and writable, the second only readable, the third not there. */
const DATA = RAM + 0x3000n;
const SIZES = [1, 2, 4, 8] as const;

/** One word of a lift, with values by number: `env` has what was made before it. */
type Act = (b: Lifter, env: Value[]) => void;

/** Writes a lift by throwing dice: the same dice, the same lift. Knows the law, and keeps it. */
function write(dice: readonly number[]): (b: Lifter) => void {
  let at = 0;
  let made = 0;
  let changed = false;
  let stored = false;
  let probed = false;
  const roll = (n: number): number => (dice[at++ % dice.length] as number) % n;
  const one = <T>(list: readonly T[]): T => list[roll(list.length)] as T;

  const region = (
    length: number,
    outer: readonly number[],
    outerVariables: readonly number[],
    depth: number,
  ): Act[] => {
    const acts: Act[] = [];
    const seen = [...outer];
    const variables = [...outerVariables];
    const make = (act: (b: Lifter, env: Value[]) => Value): number => {
      const id = made++;
      acts.push((b, env) => {
        env[id] = act(b, env);
      });
      seen.push(id);
      return id;
    };
    const pick = (): number => {
      if (seen.length > 0 && roll(5) > 0) return one(seen);
      const value = BigInt(roll(7)) - 3n;
      return make((b) => b.constant(value));
    };
    const v = (env: Value[], id: number): Value => env[id] as Value;
    const address = (base: bigint, mask: number): number => {
      const from = pick();
      return make((b, env) => b.add(b.constant(base), b.and(v(env, from), b.constant(mask))));
    };
    for (let n = 0; n < length && at < 3 * dice.length; n++) {
      const may = !changed && !stored;
      const what = roll(20);
      if (what < 4) {
        const name = one(REGISTERS);
        make((b) => b.get(name));
      } else if (what < 9) {
        const name = one(PURE_NAMES);
        const width: Width = one([32, 64]);
        const from = Array.from({ length: PURE_OPS[name].inputs }, pick);
        make((b, env) => (b[name] as (...args: (Value | Width)[]) => Value)(...from.map((id) => v(env, id)), width));
      } else if (what === 9) {
        const from = pick();
        variables.push(make((b, env) => b.variable(v(env, from))));
      } else if (what === 10 && variables.length > 0) {
        const [to, from] = [one(variables), pick()];
        acts.push((b, env) => b.assign(v(env, to), v(env, from)));
      } else if (what < 13) {
        const [name, from] = [one(REGISTERS), pick()];
        acts.push((b, env) => b.set(name, v(env, from)));
        changed = true;
      } else if (what < 15 && depth < 3) {
        // A condition that is not known at lift time: else a probe could be where nobody sees it.
        const [name, from] = [one(REGISTERS), pick()];
        const when = make((b, env) => b.xor(b.get(name), v(env, from)));
        const body = region(1 + roll(5), seen, variables, depth + 1);
        acts.push((b, env) => b.when(v(env, when), () => all(body, b, env)));
      } else if (what === 15 && !changed && (!stored || probed)) {
        const size = one(SIZES);
        const shape = {
          size,
          big: roll(2) === 0,
          signed: roll(2) === 0,
          width: one(size === 8 ? ([64] as const) : ([32, 64] as const)),
        };
        if (!stored) {
          const from = address(DATA + one([0n, 0xe80n, 0xff0n, 0x1e80n]), 0x1ff);
          make((b, env) => b.load(v(env, from), shape));
        }
        if (roll(2) === 0) {
          // What a probe has tried may be accessed in any order.
          if (!stored) acts.push((b) => b.probe(b.constant(DATA), 0xe00, true));
          probed = true;
          const inside = address(DATA, 0x3f8);
          const from = pick();
          acts.push((b, env) => b.store(v(env, inside), v(env, from), shape));
          stored = true;
          make((b, env) => b.load(v(env, inside), { size: 8 }));
        }
      } else if (what === 16 && may) {
        const kind = roll(4);
        const [x, y] = [pick(), pick()];
        const retires = roll(2) === 0;
        if (kind === 0) acts.push((b, env) => b.when(v(env, x), () => b.raise('oops', v(env, y), retires)));
        else if (kind === 1) acts.push((b, env) => b.trap('hypercall', v(env, x)));
        else make((b, env) => b.call('mix', v(env, x), v(env, y)));
      } else if (what === 17) {
        const signal = one(['load', 'store', 'call'] as const);
        acts.push((b) => b.emit(signal));
        changed = true;
      } else if (what === 18 && depth > 0) {
        const end = roll(3);
        const from = pick();
        if (end === 0) {
          acts.push((b, env) => b.jump(v(env, from)));
          return acts;
        }
        if (end === 1) acts.push((b, env) => b.branch(v(env, from), 0x1234_5678_9abcn));
        else acts.push((b, env) => b.again(v(env, from)));
      }
    }
    return acts;
  };
  const acts = region(30, [], [], 0);
  return (b) => all(acts, b, []);
}

function all(acts: readonly Act[], b: Lifter, env: Value[]): void {
  for (const act of acts) act(b, env);
}

describe('a lift on the engine', () => {
  const word = fc.oneof(
    fc.constantFrom(0n, 1n, 2n, (1n << 64n) - 1n, 1n << 63n, 1n << 32n, 0xffff_ffffn),
    fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  );
  const registers = fc.tuple(...REGISTERS.map(() => word));
  const helpers = {
    mix: (
      vcpu: { get(n: string): bigint; set(n: string, v: bigint): void },
      [a = 0n, b = 0n]: readonly bigint[],
    ): bigint => {
      const was = vcpu.get('RAX');
      vcpu.set('RAX', (a ^ (b << 1n)) & 0xffff_ffff_ffff_ffffn);
      return was + a - b;
    },
  };

  it('does what its words say', { timeout: 60_000 }, () => {
    const ends = { next: 0, jumped: 0, again: 0, raised: 0, faulted: 0 };
    let body: (b: Lifter) => void = () => {};
    const x = new Foreign({ set0: [{ name: 'sample', lift: (b) => body(b) }], helpers });
    x.pages.set((DATA >> 12n) + 1n, { physical: DATA + 0x1000n, write: false });
    x.pages.set((DATA >> 12n) + 2n, undefined);
    const data = x.bytes(DATA, 0x2000);
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 30, maxLength: 100 }), registers, (dice, values) => {
        body = write(dice);
        data.forEach((_, i) => {
          data[i] = (i * 37 + 11) & 255;
        });
        const bytes = data.slice();
        x.taken.length = 0;
        x.trapped.length = 0;
        x.x.counts.fill(0);
        x.x.extra.fill(0);
        const start = new Map(REGISTERS.map((name, i) => [name, values[i] as bigint]));
        x.put(Object.fromEntries(start)).load(RAM, x.encode('sample'));

        const index = (at: bigint): number => Number(at - DATA);
        const memory = {
          read: (at: bigint) => (at >= RAM && at < DATA + 0x2000n ? bytes[index(at)] : undefined),
          writable: (at: bigint) => at >= DATA && at < DATA + 0x1000n,
          write(at: bigint, byte: number) {
            bytes[index(at)] = byte;
          },
        };
        const { log, pc } = perform(body, start, memory, helpers, RAM, RAM + 1n);
        const last = log.at(-1) ?? '';
        const again = last === 'again';
        const faulted = pc === undefined || / retires$/.test(last);
        if (pc === undefined) ends[last.startsWith('oops') ? 'raised' : 'faulted']++;
        else ends[again ? 'again' : pc === RAM + 1n ? 'next' : 'jumped']++;

        x.run(1);
        expect(Object.fromEntries(REGISTERS.map((name) => [name, x.get(name)]))).toEqual(Object.fromEntries(start));
        expect(Buffer.compare(data, bytes)).toBe(0);
        expect(x.get('PC')).toBe(pc ?? RAM);
        const found = [
          ...x.trapped.map(({ cause, argument }) => `trap ${cause} ${argument}`),
          ...x.taken.map(({ kind, address, syndrome, pc: where }) =>
            kind === 'page-fault' ? `${kind} ${address}` : `${kind} ${syndrome}${where === RAM ? '' : ' retires'}`,
          ),
        ];
        expect(found).toEqual(log.filter((line) => line.startsWith('trap') || (faulted && line === last)));
        const signals = x.signals();
        for (const signal of ['load', 'store', 'call', 'taken'] as const) {
          expect(signals[signal] ?? 0).toBe(log.filter((line) => line === `emit ${signal}`).length);
        }
        expect(signals.instruction ?? 0).toBe(pc === undefined || again ? 0 : 1);
      }),
      { numRuns: 1000 },
    );
    // Every way to end was taken, often.
    for (const [end, count] of Object.entries(ends)) expect(count, end).toBeGreaterThan(5);
  });
});
