/** Generations of performance monitors, by guest code: AMD's three, what each refuses, both ways to freeze. Numbers by hand. */
import { describe, expect, it } from 'vitest';
import { type Item, mov, nop, rdpmc, wrmsr as write } from './asm.ts';
import { type Asked, DATA, wrmsr } from './testing/long.ts';
import { faults, found, interrupts, prepared, result, taken } from './testing/suite.ts';

const nops = (n: number): Item => Array.from({ length: n }, () => nop());
function words(count: number, program: Item, cpu: string, more: Asked = {}): bigint[] {
  const made = prepared(program, { cpu, ...more }).run();
  expect(made.domain.ended?.reason).toBe('poweroff');
  return Array.from({ length: count }, (_, n) => made.word(DATA + 8n * BigInt(n)));
}
const writing = (n: number, msr: number, value: bigint): Item =>
  faults(n, mov('ECX', msr), mov('EAX', value & 0xffff_ffffn), mov('EDX', value >> 32n), write());

const USR_OS = 0x3_0000n;
const EN = 0x40_0000n;
const INSTR = 0xc0n | USR_OS;

describe('AMD', () => {
  it.each([
    ['amd-10h', 0xc001_0000, 0xc001_0004],
    ['amd-15h', 0xc001_0200, 0xc001_0201],
    ['zen2', 0xc001_0200, 0xc001_0201],
    ['zen2', 0xc001_0000, 0xc001_0004],
  ])('%s: the selector at 0x%x alone starts and stops', (cpu, select, count) => {
    const program: Item = [wrmsr(count, 0n), wrmsr(select, INSTR | EN), nops(10), wrmsr(select, 0n), result(0, count)];
    // Ten, and four of the write that stops.
    expect(words(1, program, cpu)).toEqual([14n]);
  });

  it('zen4: the global control starts and stops, its status is set and cleared', () => {
    const program: Item = [
      [wrmsr(0xc000_0301, 0n), wrmsr(0xc001_0201, (1n << 48n) - 5n), wrmsr(0xc001_0200, INSTR | EN)],
      [wrmsr(0xc000_0301, 1n), nops(10), wrmsr(0xc000_0301, 0n)],
      [result(0, 0xc001_0201), result(1, 0xc000_0300)],
      [wrmsr(0xc000_0303, 2n), result(2, 0xc000_0300), wrmsr(0xc000_0302, 3n), result(3, 0xc000_0300)],
    ];
    expect(words(4, program, 'zen4')).toEqual([9n, 1n, 3n, 0n]);
  });

  it('the core counters’ first four are those of the K7; a host-only counter stands still', () => {
    const program: Item = [
      wrmsr(0xc001_0201, 77n),
      result(0, 0xc001_0004),
      wrmsr(0xc001_0005, 78n),
      result(1, 0xc001_0203),
    ];
    expect(words(2, program, 'zen2')).toEqual([77n, 78n]);
    const host: Item = [
      [wrmsr(0xc001_0200, INSTR | EN | (1n << 41n)), wrmsr(0xc001_0202, INSTR | EN | (1n << 40n)), nops(10)],
      [wrmsr(0xc001_0202, 0n), result(0, 0xc001_0201), result(1, 0xc001_0203)],
    ];
    expect(words(2, host, 'zen2')).toEqual([0n, 14n]);
  });

  it('LVTPC is not masked when it accepts the interrupt', () => {
    const program: Item = [
      [wrmsr(0xc001_0201, (1n << 48n) - 5n), wrmsr(0xc001_0200, INSTR | EN | 0x10_0000n), nops(10)],
      [wrmsr(0xc001_0200, 0n), interrupts, taken(0), found(1)],
    ];
    expect(words(2, program, 'zen2')).toEqual([1n, 0x20n]);
  });
});

describe('reserved bits', () => {
  const ANY = 1n << 21n;
  it.each([
    ['core2', 'G'],
    ['haswell', '.'],
    ['skylake', '.'],
    ['icelake-server', 'G'],
  ])('AnyThread on %s: %s', (cpu, expected) => {
    const [found] = words(1, writing(0, 0x186, ANY), cpu);
    expect(found === 1n ? 'G' : '.').toBe(expected);
  });
  it('EVNTSEL, GLOBAL_CTRL, STATUS_SET and counters that are not there', () => {
    const program: Item = [
      [writing(0, 0x186, 1n << 32n), writing(1, 0x38f, 1n << 4n), writing(2, 0x391, 1n << 63n), writing(3, 0xc5, 0n)],
      [writing(4, 0x38f, 0xfn), writing(5, 0x391, 1n), faults(6, mov('ECX', 4), rdpmc()), writing(7, 0x392, 0n)],
    ];
    expect(words(8, program, 'skylake')).toEqual([1n, 1n, 1n, 1n, 0n, 0n, 1n, 1n]);
    expect(words(1, writing(0, 0x391, 1n), 'haswell')).toEqual([1n]);
  });
  it('GLOBAL_INUSE: selectors that are not 0, and who interrupts', () => {
    const program: Item = [wrmsr(0x188, 0x10_00c0n), wrmsr(0x38d, 0x30n), result(0, 0x392)];
    expect(words(1, program, 'skylake')).toEqual([(1n << 63n) | (1n << 33n) | 4n]);
  });
});

describe('freeze on PMI', () => {
  const program: Item = [
    wrmsr(0x1d9, 0x1000n),
    [wrmsr(0xc1, 0xffff_fffbn), wrmsr(0x186, INSTR | EN | 0x10_0000n), wrmsr(0x187, INSTR | EN)],
    [wrmsr(0x38f, 3n), nops(20), result(0, 0xc1), result(1, 0xc2), result(2, 0x38e), result(3, 0x38f)],
  ];
  it('version 3 clears GLOBAL_CTRL', () => expect(words(4, program, 'haswell')).toEqual([0n, 5n, 1n, 0n]));
  it('version 4 sets CTR_FRZ, until it is cleared', () => {
    expect(words(4, program, 'skylake')).toEqual([0n, 5n, 1n | (1n << 59n), 3n]);
    const again: Item = [program, wrmsr(0x390, 1n << 59n), nops(10), wrmsr(0x38f, 0n), result(0, 0xc2)];
    expect(words(1, again, 'skylake')).toEqual([5n + 14n]);
  });
});

it('EDGE, INV and CMASK count cycles by their instructions', () => {
  const count = (bits: bigint): bigint =>
    words(
      1,
      [wrmsr(0x186, INSTR | EN | bits), wrmsr(0x38f, 1n), nops(20), wrmsr(0x38f, 0n), result(0, 0xc1)],
      'skylake',
    )[0] ?? 0n;
  const [EDGE, INV, CMASK] = [1n << 18n, 1n << 23n, 1n << 24n];
  // 24 instructions, one in each cycle.
  expect(count(0n)).toBe(24n);
  expect(count(CMASK)).toBe(24n);
  expect(count(CMASK | INV)).toBe(0n);
  expect(count(2n * CMASK)).toBe(0n);
  expect(count((2n * CMASK) | INV)).toBe(24n);
  // One run of such cycles.
  expect(count(CMASK | EDGE)).toBe(1n);
});
