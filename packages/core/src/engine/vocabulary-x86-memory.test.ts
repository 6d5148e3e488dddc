/** The ops can say what faults midway, works on 128 bits and repeats itself: Intel SDM volume 2, IDIV, CMPXCHG16B, REP MOVS. Results by hand. */
import { describe, expect, it } from 'vitest';
import { FLAGS, GENERAL } from './testing/arch.ts';
import { Foreign, RAM } from './testing/foreign.ts';
import { helpers, set0 } from './testing/x86.ts';

const machine = (): Foreign => new Foreign({ set0, helpers });
const RBX = GENERAL.indexOf('RBX');
const RDI = GENERAL.indexOf('RDI');
const ONES = 0xffff_ffff_ffff_ffffn;

/** 'C A Z' and so on: which of the flags are set, in the order of EFLAGS. */
const flagsOf = (x: Foreign): string =>
  ['CF', 'PF', 'AF', 'ZF', 'SF', 'OF']
    .filter((f) => x.get(f) === 1n)
    .map((f) => f.charAt(0))
    .join('');
const setFlags = (x: Foreign, letters: string): void => {
  for (const flag of FLAGS) x.set(flag, letters.includes(flag.charAt(0)) ? 1n : 0n);
};

describe('IDIV, 128 by 64 bits', () => {
  const minus = (v: bigint): bigint => BigInt.asUintN(64, -v);
  const rows: readonly (readonly [
    high: bigint,
    low: bigint,
    by: bigint,
    quotient: bigint,
    rest: bigint,
    why: string,
  ])[] = [
    [0n, 7n, 2n, 3n, 1n, '7 = 3 × 2 + 1'],
    [ONES, minus(7n), 2n, minus(3n), minus(1n), 'towards zero; the remainder has the sign of the dividend'],
    [0n, 7n, minus(2n), minus(3n), 1n, '7 = -3 × -2 + 1'],
    [1n, 0n, 3n, 0x5555_5555_5555_5555n, 1n, '2^64 = 3 × 0x5555555555555555 + 1'],
    [minus(2n), ONES, 3n, 0xaaaa_aaaa_aaaa_aaabn, minus(2n), '-(2^64 + 1) = -0x5555555555555555 × 3 - 2'],
    [1n, 0n, minus(2n), 0x8000_0000_0000_0000n, 0n, '2^64 / -2 = -2^63, the least that fits'],
  ];
  it.each(rows)('0x%s:0x%s by 0x%s', (high, low, by, quotient, rest) => {
    const x = machine().put({ RDX: high, RAX: low, RBX: by });
    x.load(RAM, x.encode('idiv64', RBX));
    expect(x.run(1)).toBe(1);
    expect([x.get('RAX'), x.get('RDX')]).toEqual([quotient, rest]);
  });

  it.each([
    ['by 0', 0n, 5n, 0n],
    ['2^64 by 2: 2^63 does not fit', 1n, 0n, 2n],
    ['-2^63 by -1', ONES, 1n << 63n, ONES],
    ['-2^127 by 1', 1n << 63n, 0n, 1n],
    ['-2^127 by -2^63', 1n << 63n, 0n, 1n << 63n],
  ])('%s: #DE at the instruction, nothing changed, nothing retired', (_what, high, low, by) => {
    const x = machine().put({ RDX: high, RAX: low, RBX: by });
    x.load(RAM, x.encode('nop'), x.encode('idiv64', RBX));
    const ram = x.ram();
    expect(x.run(5)).toBe(1);
    expect(x.taken).toEqual([{ kind: 'divide-error', syndrome: 0n, pc: RAM + 1n }]);
    expect([x.get('RDX'), x.get('RAX'), x.get('RBX')]).toEqual([high, low, by]);
    expect(x.ram()).toEqual(ram);
    expect(x.signals()).toEqual({ instruction: 1, cycle: 1 });
  });
});

describe('CMPXCHG16B', () => {
  const at = RAM + 0x3010n;
  const start = { RAX: 0x1111n, RDX: 0x2222n, RBX: 0xaaaan, RCX: 0xbbbbn, RDI: at };
  const words = (x: Foreign, where: bigint): (bigint | undefined)[] => [
    x.memory.read(where, 8),
    x.memory.read(where + 8n, 8),
  ];

  function prepared(low: bigint, high: bigint, where = at, instruction = 'cmpxchg16b'): Foreign {
    const x = machine().put({ ...start, RDI: where });
    x.memory.write(where, 8, low);
    x.memory.write(where + 8n, 8, high);
    setFlags(x, 'CPASO');
    return x.load(RAM, x.encode(instruction, RDI));
  }

  it('equal: memory takes RCX:RBX, ZF is set, the other flags stay', () => {
    const x = prepared(0x1111n, 0x2222n);
    x.run(1);
    expect(words(x, at)).toEqual([0xaaaan, 0xbbbbn]);
    expect([x.get('RAX'), x.get('RDX')]).toEqual([0x1111n, 0x2222n]);
    expect(flagsOf(x)).toBe('CPAZSO');
    expect(x.signals()).toEqual({ instruction: 1, cycle: 1, load: 1, store: 1, access: 2 });
  });

  it.each([
    ['the low half', 0x1112n, 0x2222n],
    ['the high half', 0x1111n, 0x2222_0000_2222n],
  ])('%s differs: RDX:RAX takes memory, ZF is cleared, the other flags stay', (_what, low, high) => {
    const x = prepared(low, high);
    x.set('ZF', 1n);
    x.run(1);
    expect(words(x, at)).toEqual([low, high]);
    expect([x.get('RAX'), x.get('RDX')]).toEqual([low, high]);
    expect(flagsOf(x)).toBe('CPASO');
  });

  function refused(x: Foreign, exception: object): void {
    const before = [x.all(), x.ram()];
    expect(x.run(1)).toBe(0);
    expect(x.taken).toEqual([{ ...exception, pc: RAM }]);
    expect([x.all(), x.ram()]).toEqual(before);
    expect(x.signals()).toEqual({});
  }

  it('not at a multiple of 16: #GP, and nothing changed', () => {
    refused(prepared(0x1111n, 0x2222n, at + 8n), { kind: 'general-protection', syndrome: 0n });
  });

  it.each([
    ['equal', 0x1111n],
    ['different', 0x1112n],
  ])('in a page that cannot be written, %s: a fault, and nothing changed', (_what, low) => {
    const x = prepared(low, 0x2222n);
    x.pages.set(at >> 12n, { physical: at & ~0xfffn, write: false });
    refused(x, { kind: 'page-fault', address: at, syndrome: 1n });
  });

  // An aligned operand is on one page; the ops must do better than that.
  const split = RAM + 0x3ff8n;
  it.each([
    ['cannot be read', { read: false }, 0n],
    ['can be read but not written', { write: false }, 1n],
  ])('the second half in a page that %s: a fault there, and nothing changed', (_what, page, kind) => {
    const x = prepared(0x1111n, 0x2222n, split, 'cmpxchg16b at any address');
    x.pages.set((split + 8n) >> 12n, { physical: split + 8n, ...page });
    refused(x, { kind: 'page-fault', address: split + 8n, syndrome: kind });
  });

  it('on two pages that can be written: done', () => {
    const x = prepared(0x1111n, 0x2222n, split, 'cmpxchg16b at any address');
    x.run(1);
    expect(words(x, split)).toEqual([0xaaaan, 0xbbbbn]);
  });
});

describe('REP MOVS', () => {
  const from = RAM + 0x2000n;
  const to = RAM + 0x4000n;
  const text = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24];

  function prepared(size: number, count: bigint, more: Readonly<Record<string, bigint>> = {}): Foreign {
    const x = machine().put({ RCX: count, RSI: from, RDI: to, ...more });
    x.bytes(from, text.length).set(text);
    return x.load(RAM, x.encode(`rep movs${size}`), x.encode('nop'), x.encode('nop'));
  }
  const registers = (x: Foreign): bigint[] => [x.get('RCX'), x.get('RSI') - from, x.get('RDI') - to];

  it.each([
    [8, 1],
    [16, 2],
    [32, 4],
    [64, 8],
  ])('%i bits: three elements, three units and three cycles of the string, one instruction', (size, bytes) => {
    const x = prepared(size, 3n);
    setFlags(x, 'CPAZSO');
    expect(x.run(3)).toBe(3);
    expect(x.get('PC')).toBe(RAM + 1n);
    expect(registers(x)).toEqual([0n, 3n * BigInt(bytes), 3n * BigInt(bytes)]);
    expect([...x.bytes(to, 3 * bytes + 1)]).toEqual([...text.slice(0, 3 * bytes), 0]);
    expect(flagsOf(x)).toBe('CPAZSO');
    // Two unfinished turns of a cycle each; the turn that finishes costs what the row costs: 1 + 3 + 2. Loads and stores of every turn.
    expect(x.signals()).toEqual({
      instruction: 1,
      cycle: 8,
      'stall-backend': 3,
      'stall-frontend': 2,
      load: 3,
      store: 3,
      access: 6,
    });
  });

  it('stops where the budget ends, with every finished element committed, and goes on from there', () => {
    const x = prepared(16, 5n);
    for (const [turns, left] of [
      [1, 4n],
      [2, 2n],
    ] as const) {
      expect(x.run(turns)).toBe(turns);
      expect(x.get('PC')).toBe(RAM);
      const done = Number(5n - left) * 2;
      expect(registers(x)).toEqual([left, BigInt(done), BigInt(done)]);
      expect([...x.bytes(to, done + 1)]).toEqual([...text.slice(0, done), 0]);
      expect(x.signals().instruction).toBeUndefined();
      expect(x.signals().cycle).toBe(Number(5n - left));
    }
    // An interrupt's handler has its turn here, then comes back.
    x.set('PC', RAM + 2n);
    expect(x.run(1)).toBe(1);
    x.set('PC', RAM);
    expect(x.run(3)).toBe(3);
    expect(registers(x)).toEqual([0n, 10n, 10n]);
    expect(x.get('PC')).toBe(RAM + 2n);
    expect(x.signals()).toMatchObject({ instruction: 3, load: 5, store: 5, access: 10 });
  });

  it('one unit of budget is one turn or one instruction, whatever they are', () => {
    const x = prepared(8, 3n);
    expect(x.run(5)).toBe(5);
    expect(x.get('PC')).toBe(RAM + 3n);
    expect(x.signals().instruction).toBe(3);
  });

  it('a fault in the middle: what is done is done, the fault is taken at the string, and it can go on', () => {
    // Two elements fit in front of the page that is not there.
    const x = prepared(64, 3n, { RDI: to + 0xff0n });
    x.pages.set((to >> 12n) + 1n, undefined);
    expect(x.run(9)).toBe(2);
    expect(x.taken).toEqual([{ kind: 'page-fault', address: to + 0x1000n, syndrome: 1n, pc: RAM }]);
    expect(registers(x)).toEqual([1n, 16n, 0x1000n]);
    expect([...x.bytes(to + 0xff0n, 16)]).toEqual(text.slice(0, 16));
    expect(x.signals()).toEqual({ cycle: 2, load: 2, store: 2, access: 4 });
    x.pages.delete((to >> 12n) + 1n);
    expect(x.run(1)).toBe(1);
    expect([...x.bytes(to + 0xff0n, 24)]).toEqual(text);
    expect(x.signals()).toMatchObject({ instruction: 1, load: 3, store: 3 });
  });

  it('a fault of the load: nothing of that element', () => {
    const x = prepared(8, 2n, { RSI: from + 0xfffn });
    x.pages.set((from >> 12n) + 1n, { physical: from, read: false });
    expect(x.run(9)).toBe(1);
    expect(x.taken).toEqual([{ kind: 'page-fault', address: from + 0x1000n, syndrome: 0n, pc: RAM }]);
    expect(registers(x)).toEqual([1n, 0x1000n, 1n]);
  });

  it('RCX 0: retires without an access, so addresses do not matter', () => {
    const x = prepared(64, 0n, { RSI: 0xdead_0000n, RDI: 0xdead_0000n });
    expect(x.run(1)).toBe(1);
    expect(x.taken).toEqual([]);
    expect(x.get('PC')).toBe(RAM + 1n);
    expect(x.signals()).toEqual({ instruction: 1, cycle: 6, 'stall-backend': 3, 'stall-frontend': 2 });
  });

  it('DF 1: downwards', () => {
    const x = prepared(32, 2n, { DF: 1n, RSI: from + 4n, RDI: to + 4n });
    x.run(2);
    expect(registers(x)).toEqual([0n, -4n, -4n]);
    expect([...x.bytes(to, 9)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 0]);
  });

  it('onto itself, one byte on: the first byte fills all', () => {
    const x = prepared(8, 6n, { RDI: from + 1n });
    x.run(6);
    expect([...x.bytes(from, 8)]).toEqual([1, 1, 1, 1, 1, 1, 1, 8]);
  });

  it('each unaligned turn is unaligned, but the instruction that retires is counted once', () => {
    const x = prepared(32, 3n, { RSI: from + 1n });
    x.run(3);
    expect(x.signals()).toMatchObject({ instruction: 1, unaligned: 1, load: 3 });
  });

  it('writes over itself: the next turn runs what is there now', () => {
    // Three bytes of nop over the string instruction and the two behind it.
    const x = prepared(8, 3n, { RDI: RAM });
    x.bytes(from, 3).set([...x.encode('nop'), ...x.encode('nop'), ...x.encode('nop')]);
    expect(x.run(2)).toBe(2);
    expect(x.get('RCX')).toBe(2n);
    expect(x.get('PC')).toBe(RAM + 1n);
    expect(x.signals()).toMatchObject({ instruction: 1, load: 1, store: 1 });
  });
});
