/**
 * What lifts mean where user-mode QEMU cannot be asked: 32-bit mode, alignment, quadword reservations, facilities, system calls, signals of the run. Results
 * by hand from Power ISA 3.0B; the rest is compared with QEMU in test/differential/ppc64.
 */
import { describe, expect, it } from 'vitest';
import { op } from '../asm.ts';
import { bitHelpers } from './bits.ts';
import { EARLY, instruction, LITTLE_ENDIAN, NARROW } from './decode.ts';
import { evaluate, memoryOf } from './testing/evaluate.ts';

const PC = 0x1_0000_1000n;
const SF = 1n << 63n;
const PR = 1n << 14n;
const ONES = (1n << 64n) - 1n;

/** Bytes from an address on. */
const bytes = (at: bigint, ...values: number[]): Map<bigint, number> =>
  new Map(values.map((value, i) => [at + BigInt(i), value]));

/** Runs one instruction; registers that are not given hold 0, and FSCR lets everything pass. */
function run(
  words: readonly number[],
  given: Readonly<Record<string, bigint>> = {},
  mode = 0,
  there: ReadonlyMap<bigint, number> = new Map(),
  pc = PC,
) {
  const registers = new Map<string, bigint>(Object.entries({ MSR: SF, FSCR: 0xffffn, ...given }));
  const memory = memoryOf(there);
  const found = instruction(words[0] as number, words[1] ?? 0, mode);
  if (found === undefined) throw new Error(`No instruction: ${words}.`);
  const { end, passed } = evaluate(found.lift, pc, { registers, memory, helpers: bitHelpers }, found.length);
  const get = (name: string): bigint => registers.get(name) ?? 0n;
  const hex = (at: bigint, count: number): string =>
    Array.from({ length: count }, (_, i) =>
      (memory.bytes.get(at + BigInt(i)) as number).toString(16).padStart(2, '0'),
    ).join('');
  return { end, passed, get, hex, next: end.kind === 'next' ? end.pc : undefined };
}

describe('32-bit mode', () => {
  it('addresses by the low word, and an update leaves all 64 bits in RA', () => {
    const there = bytes(0x10n, 0x12, 0x34, 0x56, 0x78);
    const x = run(op('lwzu', 'r3', 0x10, 'r4'), { GPR4: 0x7_0000_0000n }, NARROW, there);
    expect(x.get('GPR3')).toBe(0x12345678n);
    expect(x.get('GPR4')).toBe(0x7_0000_0010n);
    // The same in 64-bit mode is nowhere.
    expect(run(op('lwzu', 'r3', 0x10, 'r4'), { GPR4: 0x7_0000_0000n }, 0, there).end).toEqual({
      kind: 'fault',
      why: 'memory',
      address: 0x7_0000_0010n,
      write: false,
    });
  });

  it('compares the low word for CR0, and carries and overflows out of it; the result has 64 bits', () => {
    const sum = { GPR4: 0x7fff_ffffn, GPR5: 1n };
    const narrow = run(op('addo.', 'r3', 'r4', 'r5'), sum, NARROW);
    expect(['GPR3', 'CR0', 'OV', 'OV32', 'SO'].map(narrow.get)).toEqual([0x8000_0000n, 9n, 1n, 1n, 1n]);
    const wide = run(op('addo.', 'r3', 'r4', 'r5'), sum);
    expect(['GPR3', 'CR0', 'OV', 'OV32', 'SO'].map(wide.get)).toEqual([0x8000_0000n, 4n, 0n, 1n, 0n]);
    const carry = { GPR4: 0xffff_ffffn, GPR5: 1n };
    expect(['GPR3', 'CR0', 'CA', 'CA32'].map(run(op('addc.', 'r3', 'r4', 'r5'), carry, NARROW).get)).toEqual([
      0x1_0000_0000n,
      2n,
      1n,
      1n,
    ]);
    expect(['CR0', 'CA', 'CA32'].map(run(op('addc.', 'r3', 'r4', 'r5'), carry).get)).toEqual([4n, 0n, 1n]);
    // nego of the least word; addme of 0 without CA borrows from neither: all ones, no carry.
    expect(['GPR3', 'OV'].map(run(op('nego', 'r3', 'r4'), { GPR4: 0x8000_0000n }, NARROW).get)).toEqual([
      BigInt.asUintN(64, -0x8000_0000n),
      1n,
    ]);
    expect(['GPR3', 'CA'].map(run(op('addme', 'r3', 'r4'), {}, NARROW).get)).toEqual([ONES, 0n]);
  });

  it('tests the low word of CTR, which counts all 64 bits', () => {
    // bdnz .+8 with CTR 1_0000_0001: the low word becomes 0.
    const x = run(op('bc', 16, 0, 8), { CTR: 0x1_0000_0001n }, NARROW, new Map(), 0x1000n);
    expect([x.next, x.get('CTR')]).toEqual([0x1004n, 0x1_0000_0000n]);
    expect(run(op('bc', 16, 0, 8), { CTR: 0x1_0000_0001n }, 0, new Map(), 0x1000n).next).toBe(0x1008n);
  });

  it('branches to, and links, addresses of 32 bits; sums with the address have 64', () => {
    const back = run(op('bl', -0x2000), {}, NARROW, new Map(), 0x1000n);
    expect([back.next, back.get('LR')]).toEqual([0xffff_f000n, 0x1004n]);
    expect(run(op('bclr', 20, 0, 0), { LR: 0x5_8000_0003n }, NARROW).next).toBe(0x8000_0000n);
    expect(run(op('bclr', 20, 0, 0), { LR: 0x5_8000_0003n }).next).toBe(0x5_8000_0000n);
    expect(run(op('addpcis', 'r3', -1), {}, NARROW, new Map(), 0x1000n).get('GPR3')).toBe(BigInt.asUintN(64, -0xeffcn));
    expect(run(op('paddi', 'r3', 'r0', -0x2000, 1), {}, NARROW, new Map(), 0x1000n).get('GPR3')).toBe(
      BigInt.asUintN(64, -0x1000n),
    );
  });

  it('shifts with CA32 as CA, and before version 3.0 there is neither CA32 nor OV32', () => {
    const x = run(op('srawi', 'r3', 'r4', 1), { GPR4: 0x8000_0001n, CA32: 0n });
    expect(['GPR3', 'CA', 'CA32'].map(x.get)).toEqual([BigInt.asUintN(64, -0x4000_0000n), 1n, 1n]);
    const early = run(op('srawi', 'r3', 'r4', 1), { GPR4: 0x8000_0001n }, EARLY);
    expect(['CA', 'CA32'].map(early.get)).toEqual([1n, 0n]);
    const sum = run(op('addo', 'r3', 'r4', 'r5'), { GPR4: ONES >> 1n, GPR5: ONES >> 1n }, EARLY);
    expect(['OV', 'OV32', 'SO'].map(sum.get)).toEqual([1n, 0n, 1n]);
  });
});

describe('alignment', () => {
  const there = new Map(Array.from({ length: 64 }, (_, i) => [0x1000n + BigInt(i), i] as const));

  it.each([
    ['lharx', 1],
    ['lwarx', 2],
    ['ldarx', 4],
    ['lqarx', 8],
  ] as const)('%s raises the alignment interrupt', (name, off) => {
    const x = run(op(name, 'r6', 'r0', 'r4', 0), { GPR4: 0x1000n + BigInt(off) }, 0, there);
    expect(x.end).toEqual({ kind: 'fault', why: 'alignment', address: 0x1000n + BigInt(off), write: false });
    expect(run(op(name, 'r6', 'r0', 'r4', 0), { GPR4: 0x1010n }, 0, there).end.kind).toBe('next');
  });

  it.each([
    ['sthcx.', 1],
    ['stwcx.', 2],
    ['stdcx.', 4],
    ['stqcx.', 8],
  ] as const)('%s does so without a reservation, too', (name, off) => {
    const x = run(op(name, 'r6', 'r0', 'r4'), { GPR4: 0x1000n + BigInt(off) }, 0, there);
    expect(x.end).toEqual({ kind: 'raise', exception: 'alignment', syndrome: 0x1000n + BigInt(off), retires: false });
  });

  it.each([
    ['lmw', op('lmw', 'r30', 4, 'r4')],
    ['stmw', op('stmw', 'r30', 4, 'r4')],
    ['lswi', op('lswi', 'r30', 'r4', 5)],
    ['stswi', op('stswi', 'r30', 'r4', 5)],
  ] as const)('%s does so in little-endian mode, whatever the address', (name, words) => {
    const at = name.endsWith('mw') ? 0x1008n : 0x1004n;
    expect(run(words, { GPR4: 0x1004n }, LITTLE_ENDIAN, there).end).toEqual({
      kind: 'raise',
      exception: 'alignment',
      syndrome: at,
      retires: false,
    });
    expect(run(words, { GPR4: 0x1001n }, 0, there).end.kind).toBe('next');
  });
});

describe('quadwords', () => {
  const there = new Map(Array.from({ length: 16 }, (_, i) => [0x1000n + BigInt(i), i + 1] as const));
  const FIRST = 0x0102_0304_0506_0708n;
  const SECOND = 0x090a_0b0c_0d0e_0f10n;

  it('lqarx reserves what it loads, and stqcx. stores where it is still there', () => {
    const loaded = run(op('lqarx', 'r6', 'r0', 'r4', 0), { GPR4: 0x1000n }, 0, there);
    expect([loaded.get('GPR6'), loaded.get('GPR7')]).toEqual([FIRST, SECOND]);
    const held = Object.fromEntries(
      ['RESERVE_ADDRESS', 'RESERVE_SIZE', 'RESERVE_VALUE', 'RESERVE_LOW'].map((name) => [name, loaded.get(name)]),
    );
    expect(held).toEqual({ RESERVE_ADDRESS: 0x1000n, RESERVE_SIZE: 16n, RESERVE_VALUE: FIRST, RESERVE_LOW: SECOND });
    const given = { GPR4: 0x1000n, GPR8: 0xaan, GPR9: 0xbbn, SO: 1n, ...held };
    const stored = run(op('stqcx.', 'r8', 'r0', 'r4'), given, 0, there);
    expect(stored.hex(0x1000n, 16)).toBe('00000000000000aa00000000000000bb');
    expect([stored.get('CR0'), stored.get('RESERVE_SIZE')]).toEqual([3n, 0n]);
    expect(stored.end).toMatchObject({ signals: ['store', 'access', 'access'] });
    // The second doubleword was changed meanwhile; the first one; the address is another; it was a doubleword's.
    for (const other of [
      { ...given, RESERVE_LOW: 0n },
      { ...given, RESERVE_VALUE: 0n },
      { ...given, RESERVE_ADDRESS: 0x2000n },
      { ...given, RESERVE_SIZE: 8n },
    ]) {
      const failed = run(op('stqcx.', 'r8', 'r0', 'r4'), other, 0, there);
      expect(failed.hex(0x1000n, 16)).toBe('0102030405060708090a0b0c0d0e0f10');
      expect([failed.get('CR0'), failed.get('RESERVE_SIZE')]).toEqual([1n, 0n]);
      expect(failed.end).toMatchObject({ signals: [] });
    }
  });

  it('in little-endian mode the even register has the higher half of the number, and the higher address', () => {
    const x = run(op('lqarx', 'r6', 'r0', 'r4', 0), { GPR4: 0x1000n }, LITTLE_ENDIAN, there);
    expect([x.get('GPR6'), x.get('GPR7')]).toEqual([0x100f_0e0d_0c0b_0a09n, 0x0807_0605_0403_0201n]);
    const held = {
      RESERVE_ADDRESS: 0x1000n,
      RESERVE_SIZE: 16n,
      RESERVE_VALUE: x.get('GPR6'),
      RESERVE_LOW: x.get('GPR7'),
    };
    const stored = run(
      op('stqcx.', 'r8', 'r0', 'r4'),
      { GPR4: 0x1000n, GPR8: 0xaan, GPR9: 0xbbn, ...held },
      LITTLE_ENDIAN,
      there,
    );
    expect(stored.hex(0x1000n, 16)).toBe('bb00000000000000aa00000000000000');
  });
});

describe('what the run alone can say', () => {
  const branch = (BI: number, given: Record<string, bigint>) =>
    run(op('bclr', 12, BI, 0), { LR: 0x2000n, ...given }).end;

  it('a conditional return counts as taken and as a return when it is taken', () => {
    expect(branch(2, { CR0: 2n })).toEqual({ kind: 'next', pc: 0x2000n, signals: ['taken', 'return'] });
    expect(branch(2, { CR0: 13n })).toEqual({ kind: 'next', pc: PC + 4n, signals: [] });
    expect(run(op('bclr', 12, 2, 1), { LR: 0x2000n, CR0: 2n }).end).toMatchObject({ signals: ['taken'] });
    expect(run(op('bclrl', 12, 2, 0), { LR: 0x2000n, CR0: 2n }).end).toMatchObject({ signals: ['taken'] });
  });

  it('bclrl links whether or not it is taken, and goes where LR pointed before', () => {
    const taken = run(op('bclrl', 12, 2, 0), { LR: 0x2000n, CR0: 2n });
    expect([taken.next, taken.get('LR')]).toEqual([0x2000n, PC + 4n]);
    const not = run(op('bclrl', 12, 2, 0), { LR: 0x2000n });
    expect([not.next, not.get('LR')]).toEqual([PC + 4n, PC + 4n]);
  });

  it('a store-conditional that does not store counts as none', () => {
    expect(run(op('stwcx.', 'r3', 'r0', 'r4'), { GPR4: 0x1000n }).end).toMatchObject({ kind: 'next', signals: [] });
  });
});

describe('strings of the length in XER', () => {
  const there = new Map(Array.from({ length: 8 }, (_, i) => [0x1000n + BigInt(i), i + 1] as const));

  it('lswx loads words and a tail, and counts an access for each', () => {
    const x = run(op('lswx', 'r31', 'r5', 'r4'), { GPR4: 0x1000n, XER_COUNT: 6n, GPR1: 7n }, 0, there);
    expect([x.get('GPR31'), x.get('GPR0'), x.get('GPR1')]).toEqual([0x01020304n, 0x05060000n, 7n]);
    expect(x.end).toMatchObject({ signals: ['access', 'access'] });
    // Nothing to move: nothing happens, in either byte order.
    for (const mode of [0, LITTLE_ENDIAN]) {
      const none = run(op('lswx', 'r31', 'r5', 'r4'), { GPR31: 5n, XER_COUNT: 0n }, mode);
      expect([none.end, none.get('GPR31')]).toEqual([{ kind: 'next', pc: PC + 4n, signals: [] }, 5n]);
    }
  });

  it('lswx over an address register is an invalid form, and in little-endian mode there is none', () => {
    const given = { GPR4: 0x1000n, XER_COUNT: 6n };
    const illegal = { kind: 'raise', exception: 'program', syndrome: 0x8_0000n, retires: false };
    expect(run(op('lswx', 'r3', 'r0', 'r4'), given, 0, there).end).toEqual(illegal);
    expect(run(op('lswx', 'r31', 'r5', 'r4'), given, 0, there).end.kind).toBe('next');
    expect(run(op('lswx', 'r3', 'r0', 'r4'), { ...given, XER_COUNT: 4n }, 0, there).end.kind).toBe('next');
    expect(run(op('lswx', 'r5', 'r0', 'r4'), given, LITTLE_ENDIAN, there).end).toMatchObject({
      exception: 'alignment',
    });
  });

  it('stswx stores them, or nothing at all', () => {
    const given = { GPR4: 0x1000n, XER_COUNT: 7n, GPR31: 0xaabbccddn, GPR0: 0x11223344n };
    const x = run(op('stswx', 'r31', 'r0', 'r4'), given, 0, there);
    expect(x.hex(0x1000n, 8)).toBe('aabbccdd11223308');
    expect(x.end).toMatchObject({ signals: ['access', 'access'] });
    const across = new Map(Array.from({ length: 4 }, (_, i) => [0xffcn + BigInt(i), i] as const));
    const faulted = run(op('stswx', 'r31', 'r0', 'r4'), { ...given, GPR4: 0xffcn }, 0, across);
    expect(faulted.end).toEqual({ kind: 'fault', why: 'memory', address: 0x1000n, write: true });
    expect(faulted.hex(0xffcn, 4)).toBe('00010203');
  });
});

describe('system calls and facilities', () => {
  const raised = (words: readonly number[], given: Record<string, bigint> = {}) => run(words, given).end;

  it('sc retires; sc 1 is the hypervisor’s, from either state; other bits of LEV are ignored', () => {
    expect(raised(op('sc', 0))).toEqual({ kind: 'raise', exception: 'system-call', syndrome: 0n, retires: true });
    expect(raised(op('sc', 2))).toEqual({ kind: 'raise', exception: 'system-call', syndrome: 0n, retires: true });
    expect(run(op('sc', 1)).passed).toEqual([{ cause: 'hypercall', argument: 1n }]);
    expect(run(op('sc', 3), { MSR: SF | PR }).passed).toEqual([{ cause: 'hypercall', argument: 1n }]);
  });

  it('scv needs FSCR[SCV]', () => {
    expect(raised(op('scv', 5))).toEqual({
      kind: 'raise',
      exception: 'system-call-vectored',
      syndrome: 5n,
      retires: true,
    });
    const closed = { kind: 'raise', exception: 'facility-unavailable', syndrome: 12n, retires: false };
    expect(raised(op('scv', 5), { FSCR: 0xffffn & ~(1n << 12n) })).toEqual(closed);
  });

  it.each([
    ['bctar', op('bctar', 20, 0, 0), 8],
    ['pnop', op('pnop'), 13],
  ] as const)('%s needs FSCR in problem state alone', (_name, words, bit) => {
    const shut = { FSCR: 0xffffn & ~(1n << BigInt(bit)) };
    expect(raised(words, { ...shut, MSR: SF | PR })).toEqual({
      kind: 'raise',
      exception: 'facility-unavailable',
      syndrome: BigInt(bit),
      retires: false,
    });
    expect(raised(words, shut).kind).toBe('next');
    expect(raised(words, { MSR: SF | PR }).kind).toBe('next');
  });

  it('wait waits; with a condition it has already waited', () => {
    expect(run(op('wait', 0, 0)).passed).toEqual([{ cause: 'wait', argument: 0n }]);
    expect(run(op('wait', 1, 0)).passed).toEqual([]);
    expect(run(op('stop')).passed).toEqual([{ cause: 'wait', argument: 1n }]);
  });

  it.each([
    ['slbmte', op('slbmte', 'r3', 'r4')],
    ['slbmfee', op('slbmfee', 'r3', 'r4', 0)],
  ] as const)('%s is refused by name', (_name, words) => {
    expect(run(words).passed).toEqual([{ cause: 'unmodelled', argument: 0n }]);
  });

  it('slbia finds nothing to invalidate', () => {
    expect(run(op('slbia', 7)).end).toEqual({ kind: 'next', pc: PC + 4n, signals: [] });
  });
});

describe('units that are not modelled', () => {
  // lfd f1, 0(r3); fadd f1, f2, f3; vadduwm v1, v2, v3; lvx v1, r2, r3; xvadddp vs1, vs2, vs3; xsaddqp v1, v2, v3; mfvsrd r3, vs1 and vs33; lxv vs1 and vs33, 0(r3).
  const WORDS: readonly (readonly [text: string, word: number, unit: string, bit: number])[] = [
    ['lfd', 0xc8230000, 'fp', 13],
    ['fadd', 0xfc22182a, 'fp', 13],
    ['vadduwm', 0x10221880, 'vector', 25],
    ['lvx', 0x7c2218ce, 'vector', 25],
    ['xvadddp', 0xf0221b00, 'vsx', 23],
    ['xsaddqp', 0xfc221808, 'vsx', 23],
    ['mfvsrd vs1', 0x7c230066, 'fp', 13],
    ['mfvsrd vs33', 0x7c230067, 'vector', 25],
    ['lxv vs1', 0xf4230001, 'vsx', 23],
    ['lxv vs33', 0xf4230009, 'vector', 25],
  ];
  it.each(WORDS)(
    '%s is unavailable while its bit of MSR is 0, and refused by name when it is 1',
    (_text, word, unit, bit) => {
      const all = (1n << 13n) | (1n << 23n) | (1n << 25n);
      const off = run([word], { MSR: SF | (all & ~(1n << BigInt(bit))) });
      expect(off.end).toEqual({ kind: 'raise', exception: `${unit}-unavailable`, syndrome: 0n, retires: false });
      expect(run([word], { MSR: SF | (1n << BigInt(bit)) }).passed).toEqual([{ cause: 'unmodelled', argument: 0n }]);
    },
  );
});

describe('byte order', () => {
  const there = bytes(0x1000n, 1, 2, 3, 4, 5, 6, 7, 8);
  it.each([
    ['lwz', op('lwz', 'r3', 0, 'r4'), 0x01020304n, 0x04030201n],
    ['lhbrx', op('lhbrx', 'r3', 'r0', 'r4'), 0x0201n, 0x0102n],
    ['ldbrx', op('ldbrx', 'r3', 'r0', 'r4'), 0x0807060504030201n, 0x0102030405060708n],
    ['lha', op('lha', 'r3', 6, 'r4'), 0x0708n, 0x0807n],
  ] as const)('%s', (_name, words, big, little) => {
    expect(run(words, { GPR4: 0x1000n }, 0, there).get('GPR3')).toBe(big);
    expect(run(words, { GPR4: 0x1000n }, LITTLE_ENDIAN, there).get('GPR3')).toBe(little);
  });
});
