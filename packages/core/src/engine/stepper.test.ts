import { describe, expect, it } from 'vitest';
import { SIGNAL_INDEX } from '../pmu/classes.ts';
import { CODE } from './effects.ts';
import { ATTENTION } from './engine.ts';
import { step } from './stepper.ts';
import type { Options, Row } from './testing/arch.ts';
import { Foreign, RAM, REFUSED, SPACE } from './testing/foreign.ts';

const DATA = RAM + 0x4000n;
const rows: readonly Row[] = [
  { name: 'nop', lift: () => {} },
  { name: 'count', lift: (b) => b.set('RAX', b.add(b.get('RAX'), b.constant(1))) },
  {
    name: 'loop',
    operands: 1,
    signals: ['branch'],
    lift: (b, [by = 0]) => b.branch(b.ne(b.get('RAX'), b.get('RBX')), b.pc - BigInt(by)),
  },
  { name: 'goto', signals: ['branch', 'taken'], lift: (b) => b.jump(b.get('RDX')) },
  { name: 'load', signals: ['load'], lift: (b) => b.set('RAX', b.load(b.get('RSI'), { size: 8 })) },
  { name: 'fault', lift: (b) => b.raise('oops', b.constant(0x1_0000_0002n)) },
  { name: 'call gate', lift: (b) => b.raise('gate', b.constant(7), true) },
  {
    name: 'hypercall',
    lift(b) {
      b.trap('hypercall', b.get('RAX'));
      b.set('RBX', b.constant(5));
    },
  },
  { name: 'read', lift: (b) => b.set('RAX', b.read(SPACE, b.get('RCX'))) },
  { name: 'write', lift: (b) => b.write(SPACE, b.get('RCX'), b.get('RAX')) },
  { name: 'six', operands: 5, lift: (b, [x = 0]) => b.set('RAX', b.constant(x)) },
  { name: 'slow', cost: 'slow', lift: () => {} },
  { name: 'turns', lift: (b) => turns(b) },
];
function turns(b: Parameters<Row['lift']>[0]): void {
  const left = b.sub(b.get('RCX'), b.constant(1));
  b.set('RCX', left);
  b.again(left);
}

const machine = (options: Options = {}): Foreign => new Foreign({ set0: rows, ...options });

describe('budgets', () => {
  it.each([0, 1, 2, 3, 7, 100, 4096])('step(x, %i) runs exactly that many', (n) => {
    const x = machine();
    x.load(RAM, x.encode('count'), x.encode('count'), x.encode('loop', 2)).set('RBX', -1n);
    expect(step(x.x, n)).toBe(n);
    expect(x.signals().instruction ?? 0).toBe(n);
    // Of every three, two count and the third goes back.
    expect(x.get('RAX')).toBe(BigInt(Math.ceil((2 * n) / 3)));
    expect(x.get('PC')).toBe(RAM + BigInt(n % 3));
  });

  it('in pieces of any size: the same end', () => {
    const ends = [1, 2, 5, 64, 1000].map((piece) => {
      const x = machine();
      x.load(RAM, x.encode('count'), x.encode('loop', 1), x.encode('slow')).put({ RBX: 300n });
      let left = 601;
      while (left > 0) left -= step(x.x, Math.min(piece, left));
      return [x.all(), x.signals()];
    });
    for (const end of ends) expect(end).toEqual(ends[0]);
    // 300 times count and loop, of which 299 go back, then one at 1 + 3 + 2 cycles.
    expect(ends[0]?.[1]).toEqual({
      instruction: 601,
      cycle: 606,
      branch: 300,
      taken: 299,
      'stall-backend': 3,
      'stall-frontend': 2,
    });
  });

  it('unfinished turns use budget as instructions do', () => {
    const x = machine().put({ RCX: 10n });
    x.load(RAM, x.encode('turns'), x.encode('nop'));
    expect(step(x.x, 4)).toBe(4);
    expect(x.get('RCX')).toBe(6n);
    expect(step(x.x, 7)).toBe(7);
    expect(x.get('PC')).toBe(RAM + 2n);
    expect(x.signals()).toEqual({ instruction: 2, cycle: 11 });
  });
});

describe('it stops at the boundary of the instruction', () => {
  it('whose row emits a signal that may overflow', () => {
    const x = machine().put({ RSI: DATA });
    x.load(RAM, x.encode('nop'), x.encode('load'), x.encode('nop'));
    x.x.critical = 1 << SIGNAL_INDEX.load;
    expect(step(x.x, 10)).toBe(2);
    expect(x.get('PC')).toBe(RAM + 2n);
  });

  it('that emits such a signal while it runs', () => {
    const x = machine().put({ RBX: 5n });
    x.load(RAM, x.encode('nop'), x.encode('loop', 1));
    x.x.critical = 1 << SIGNAL_INDEX.taken;
    expect(step(x.x, 10)).toBe(2);
    expect(x.x.attention).toBe(ATTENTION.pmu);
  });

  it('every turn, when cycles may overflow', () => {
    const x = machine().put({ RCX: 10n });
    x.load(RAM, x.encode('turns'));
    x.x.critical = 1 << SIGNAL_INDEX.cycle;
    expect(step(x.x, 10)).toBe(1);
    x.x.critical = 1 << SIGNAL_INDEX.instruction;
    expect(step(x.x, 9)).toBe(9);
  });

  it('but not for an unaligned access, whether it retires, faults or has another turn', () => {
    const x = machine({
      set0: [
        ...rows,
        {
          name: 'unaligned turns',
          lift(b) {
            b.load(b.get('RSI'), { size: 8 });
            turns(b);
          },
        },
      ],
    }).put({ RSI: DATA + 1n, RCX: 3n });
    x.load(RAM, x.encode('unaligned turns'), x.encode('load'), x.encode('nop'));
    expect(step(x.x, 5)).toBe(5);
    expect(x.signals()).toMatchObject({ instruction: 3, cycle: 5, unaligned: 2 });
    // A fault leaves no trace of the attempt, also for what comes next.
    x.pages.set((DATA >> 12n) + 1n, undefined);
    x.put({ PC: RAM + 1n, RSI: DATA + 0xffdn });
    expect(step(x.x, 1)).toBe(0);
    expect(x.x.attention).toBe(0);
    x.put({ PC: RAM + 2n });
    expect(step(x.x, 1)).toBe(1);
    expect(x.signals().unaligned).toBe(2);
  });

  it('unaligned, when that may overflow', () => {
    const x = machine().put({ RSI: DATA + 1n });
    x.load(RAM, x.encode('load'), x.encode('nop'));
    x.x.critical = 1 << SIGNAL_INDEX.unaligned;
    expect(step(x.x, 10)).toBe(1);
    expect(x.x.attention).toBe(ATTENTION.pmu);
  });

  it('during which something asked for attention', () => {
    const x = machine({ set0: [...rows, { name: 'level', lift: (b) => b.set('LEVEL', b.constant(1)) }] });
    x.load(RAM, x.encode('nop'), x.encode('level'), x.encode('nop'));
    expect(step(x.x, 10)).toBe(2);
    expect(x.x.attention).toBe(ATTENTION.level);
  });

  it('that an embedder asked for, before it runs', () => {
    const x = machine();
    let reached = 0;
    const stop = { pc: RAM + 1n, reached: () => void reached++ };
    x.x.stop = stop;
    x.load(RAM, x.encode('count'), x.encode('count'), x.encode('count'));
    expect(step(x.x, 10)).toBe(1);
    expect([reached, x.get('RAX'), x.get('PC')]).toEqual([1, 1n, RAM + 1n]);
    expect(x.taken).toEqual([]);
    x.x.stop = undefined;
    expect(step(x.x, 2)).toBe(2);
    expect([reached, x.get('RAX')]).toEqual([1, 3n]);
  });
});

describe('the program counter', () => {
  it('carries into its high half, by steps, jumps and branches', () => {
    const x = machine();
    for (const page of [0xffff_fn, 0x10_0000n]) x.pages.set(page, { physical: RAM + 0x1000n });
    x.bytes(RAM + 0x1fffn, 1)[0] = x.encode('count')[0] as number;
    x.load(RAM + 0x1000n, x.encode('goto'));
    x.put({ PC: 0xffff_ffffn, RDX: 0xffff_fffen });
    expect(x.run(2)).toBe(2);
    expect(x.get('PC')).toBe(0xffff_fffen);
    expect(x.get('RAX')).toBe(1n);
  });

  it('jumps to the same place 4 GiB on', () => {
    const x = machine();
    x.pages.set(RAM >> 12n, { physical: RAM });
    x.pages.set((RAM + (1n << 32n)) >> 12n, { physical: RAM + 0x1000n });
    x.load(RAM + 0x1000n, x.encode('nop'), x.encode('count'));
    x.load(RAM, x.encode('goto'), x.encode('fault'));
    // What stands there below 4 GiB is known already.
    x.put({ PC: RAM + 1n }).run(1);
    expect(x.taken).toHaveLength(1);
    x.put({ PC: RAM, RDX: RAM + (1n << 32n) + 1n });
    expect(step(x.x, 2)).toBe(2);
    expect([x.get('RAX'), x.taken.length]).toEqual([1n, 1]);
  });

  it('wraps at the end of the address space', () => {
    const x = machine();
    x.pages.set((1n << 52n) - 1n, { physical: RAM });
    x.pages.set(0n, { physical: RAM });
    x.bytes(RAM + 0xfffn, 1)[0] = x.encode('count')[0] as number;
    x.load(RAM, x.encode('count'));
    x.put({ PC: 0xffff_ffff_ffff_ffffn });
    x.run(2);
    expect([x.get('PC'), x.get('RAX')]).toEqual([1n, 2n]);
  });

  it('at an exception that retires is the next one, also across 4 GiB', () => {
    const x = machine();
    x.pages.set(0xffff_fn, { physical: RAM });
    x.bytes(RAM + 0xfffn, 1)[0] = x.encode('call gate')[0] as number;
    x.put({ PC: 0xffff_ffffn });
    expect(x.run(5)).toBe(1);
    expect(x.taken).toEqual([{ kind: 'gate', syndrome: 7n, pc: 0x1_0000_0000n }]);
    expect(x.signals().instruction).toBe(1);
  });

  it('that is no multiple of the instruction length is a fault where that exists', () => {
    const x = machine({ grain: 4 });
    x.load(RAM, x.encode('goto'));
    x.put({ RDX: RAM + 0x802n });
    expect(x.run(5)).toBe(1);
    expect(x.taken).toEqual([{ kind: 'fetch-alignment', pc: RAM + 0x802n }]);
    // Also on a page that is not there: alignment comes first.
    x.put({ PC: 0xdead_0002n }).run(1);
    expect(x.taken[1]).toEqual({ kind: 'fetch-alignment', pc: 0xdead_0002n });
  });
});

describe('what does not finish has changed nothing', () => {
  function refused(x: Foreign, taken: object): void {
    const before = [x.all(), x.ram(), x.signals()];
    expect(x.run(1)).toBe(0);
    expect(x.taken).toEqual([taken]);
    expect([x.all(), x.ram(), x.signals()]).toEqual(before);
    expect(x.x.attention).toBe(0);
  }

  it('an exception of its own', () => {
    const x = machine();
    refused(x.load(RAM, x.encode('fault')), { kind: 'oops', syndrome: 0x1_0000_0002n, pc: RAM });
  });

  it('bytes that mean nothing', () => {
    const x = machine();
    x.load(RAM, [0xee, 0x11, 0x22, 0x33]);
    refused(x, { kind: 'undefined', syndrome: 0x3322_11een, pc: RAM });
    expect(x.x.bits).toBe(0x3322_11een);
  });

  it('the same at the end of a page, when the next one is not there', () => {
    const x = machine();
    x.pages.set((RAM >> 12n) + 1n, undefined);
    x.load(RAM + 0xffen, [0xee, 0x11]);
    refused(x, { kind: 'undefined', syndrome: 0x11een, pc: RAM + 0xffen });
    // Its own page was asked for, the next one was not.
    expect(x.translations).toBe(1);
  });

  it.each([
    ['not there', undefined, { kind: 'page-fault', address: DATA, syndrome: 2n }],
    ['not to be executed', { physical: DATA, fetch: false }, { kind: 'page-fault', address: DATA, syndrome: 2n }],
    ['not memory', { physical: 0x9000_0000n }, { kind: 'bus', address: DATA, syndrome: 0x9000_0000n }],
  ])('a page of code that is %s', (_what, page, fault) => {
    const x = machine();
    x.pages.set(DATA >> 12n, page);
    x.put({ PC: DATA + 4n });
    const offset = fault.kind === 'bus' ? { address: DATA + 4n, syndrome: 0x9000_0004n } : { address: DATA + 4n };
    refused(x, { ...fault, ...offset, pc: DATA + 4n });
  });

  it.each([
    ['not there', undefined, { kind: 'page-fault', address: DATA, syndrome: 2n }],
    ['not to be executed', { physical: DATA, fetch: false }, { kind: 'page-fault', address: DATA, syndrome: 2n }],
    ['not memory', { physical: 0x9000_0000n }, { kind: 'bus', address: DATA, syndrome: 0x9000_0000n }],
  ])('an instruction whose second half is on a page that is %s: the fault is there', (_what, page, fault) => {
    for (const before of [1n, 3n, 5n]) {
      const x = machine();
      x.load(DATA - before, x.encode('six', 9, 0, 0, 0, 0));
      x.pages.set(DATA >> 12n, page);
      refused(x, { ...fault, pc: DATA - before });
    }
  });

  it('a word whose second half is on a page that is not there: the fault is at its first byte', () => {
    const x = new Foreign({ set1: rows }).put({ MODE: 1n });
    x.load(DATA - 2n, x.encode('nop'));
    x.pages.set(DATA >> 12n, undefined);
    refused(x, { kind: 'page-fault', address: DATA, syndrome: 2n, pc: DATA - 2n });
  });
});

describe('an instruction across a page end', () => {
  it('runs, and is read anew each time, so that a store to either page is seen', () => {
    const x = machine();
    x.pages.set(0x700n, { physical: RAM + 0x1000n });
    x.pages.set(0x701n, { physical: RAM + 0x5000n });
    const [op] = x.encode('six', 0, 0, 0, 0, 0);
    x.bytes(RAM + 0x1fffn, 1)[0] = op as number;
    x.bytes(RAM + 0x5000n, 1)[0] = 42;
    x.put({ PC: 0x70_0fffn }).run(1);
    expect([x.get('RAX'), x.get('PC')]).toEqual([42n, 0x70_1005n]);
    x.bytes(RAM + 0x5000n, 1)[0] = 43;
    x.put({ PC: 0x70_0fffn }).run(1);
    expect(x.get('RAX')).toBe(43n);
  });
});

describe('the two roads', () => {
  it('a register is read and written by its address, which may be a value', () => {
    const x = machine().put({ RCX: 0xffff_fff0n, RAX: 0x1234_5678_9abc_def0n });
    x.load(RAM, x.encode('write'), x.encode('read')).run(1);
    expect(x.road.get(0xffff_fff0)).toBe(0x1234_5678_9abc_def0n);
    x.put({ RAX: 0n }).run(1);
    expect(x.get('RAX')).toBe(0x1234_5678_9abc_def0n);
  });

  it.each(['read', 'write'])('a %s that is refused takes its exception, and nothing changed', (name) => {
    const x = machine().put({ RCX: BigInt(REFUSED), RAX: 3n });
    x.load(RAM, x.encode(name));
    const before = x.all();
    expect(x.run(1)).toBe(0);
    expect(x.taken).toEqual([{ kind: 'undefined', syndrome: BigInt(REFUSED), pc: RAM }]);
    expect([x.all(), [...x.road]]).toEqual([before, []]);
  });

  it('a trap that is completed lets the rest of the instruction run', () => {
    const x = machine().put({ RAX: 0x1234_5678_9abc_def0n });
    x.load(RAM, x.encode('hypercall'));
    expect(x.run(1)).toBe(1);
    expect(x.trapped).toEqual([{ cause: 'hypercall', argument: 0x1234_5678_9abc_def0n }]);
    expect([x.get('RBX'), x.get('PC')]).toEqual([5n, RAM + 1n]);
  });

  it('a trap that stops the vCPU leaves the instruction undone', () => {
    const x = machine();
    x.answer = CODE.stopped;
    x.load(RAM, x.encode('hypercall'));
    expect(x.run(1)).toBe(0);
    expect([x.get('RBX'), x.get('PC'), x.taken.length]).toEqual([0n, RAM, 0]);
    expect(x.signals()).toEqual({});
  });
});

describe('what it costs', () => {
  /** Bytes that the engine allocates for an instruction, in the middle of three measurements. */
  function allocated(x: Foreign, instructions: number): number {
    step(x.x, 300_000);
    const trials = [0, 1, 2].map(() => {
      const before = process.memoryUsage().heapUsed;
      expect(step(x.x, instructions)).toBe(instructions);
      return (process.memoryUsage().heapUsed - before) / instructions;
    });
    return trials.sort((a, b) => a - b)[1] as number;
  }

  it.each([
    ['aligned', 0n],
    ['unaligned', 3n],
    ['on two pages', 0xffcn],
  ])('nothing is allocated for an instruction: loads %s', (_what, offset) => {
    const x = machine().put({ RSI: DATA + offset, RBX: -1n });
    x.load(RAM, x.encode('load'), x.encode('loop', 1));
    // An object takes 16 bytes at least.
    expect(allocated(x, 200_000)).toBeLessThan(1);
  });

  it('nor for going from page to page', () => {
    const x = machine({
      set0: [...rows, { name: 'far', lift: (b) => b.jump(b.xor(b.constant(b.pc), b.constant(0x1000))) }],
    });
    x.load(RAM + 0x2000n, x.encode('far'));
    x.load(RAM + 0x3000n, x.encode('far'));
    expect(allocated(x, 200_000)).toBeLessThan(1);
  });
});
