/** What the translator does with hot code: when it makes regions, when it drops them, and that it stops where `step` stops. Template guests on whole machines. */
import { asm } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { exit, type Guest, guest, type Line, times, vector } from '../testing/guest.ts';

const { addi, bnez, jump, label, load, movi, nop, readreg, store, sysret } = asm;

/** Counts R4 down from so many, with something in between. */
const loop = (count: number, ...lines: Line[]): Line[] => [
  movi('R4', count),
  label('loop'),
  ...lines,
  addi('R4', 'R4', -1),
  bnez('R4', 'loop'),
];
const counts = ({ domain }: Guest) => domain.translator?.counts;
const translated = (lines: readonly Line[], asked = {}): Guest => guest(lines, { engine: 'translator', ...asked });

describe('hot code', () => {
  it('is translated once it is hot, and then runs there', () => {
    const cold = translated(loop(50, nop())).run();
    expect(counts(cold)).toMatchObject({ made: 0, translated: 0 });
    const hot = translated(loop(1000, nop())).run();
    expect(counts(hot)).toMatchObject({ made: 1, alive: 1, refused: 0 });
    // Of 3,004 instructions: a hundred rounds of three are the stepper's, and the ends.
    expect(counts(hot)?.translated).toBeGreaterThan(2600);
    expect(hot.domain.instructions()).toBe(1 + 3000 + 3);
  });

  it("goes on behind an instruction that is the stepper's", () => {
    const g = translated(loop(1000, nop(), readreg('R3', 'TIME'), nop())).run();
    expect(counts(g)?.translated).toBeGreaterThan(3000);
    expect(g.domain.instructions()).toBe(1 + 5000 + 3);
  });

  it('that begins with one is translated from behind it', () => {
    const g = translated(loop(1000, readreg('R3', 'TIME'), ...times(5, nop()))).run();
    expect(counts(g)?.translated).toBeGreaterThan(5000);
  });

  it('in the stepper alone there is none', () => {
    const g = guest(loop(1000), { engine: 'stepper' }).run();
    expect(g.domain.translator).toBeUndefined();
    expect(g.domain.ended?.reason).toBe('poweroff');
  });
});

describe('code that changes', () => {
  it('is dropped with its page, and what was written runs', () => {
    // The third pass over the loop finds an instruction that adds 2 in place of the one that adds 1.
    const g = translated([
      movi('R5', 0),
      movi('R6', 2),
      label('again'),
      movi('R4', 500),
      label('loop'),
      label('patched'),
      addi('R5', 'R5', 1),
      nop(),
      addi('R4', 'R4', -1),
      bnez('R4', 'loop'),
      movi('R2', 'other'),
      load('R3', 'R2', 0),
      movi('R2', 'patched'),
      store('R3', 'R2', 0),
      addi('R6', 'R6', -1),
      bnez('R6', 'again'),
      ...exit(),
      nop(),
      label('other'),
      addi('R5', 'R5', 2),
      nop(),
    ]).run();
    expect(g.said).toEqual([]);
    expect(g.get('R5')).toBe(500n + 1000n);
    expect(counts(g)?.dropped).toBeGreaterThan(0);
  });
});

describe('budgets', () => {
  it.each([1, 2, 3, 7, 100])('slices of %i instructions: every turn is as long as it should be', (slice) => {
    const seen = (['stepper', 'translator'] as const).map((engine) => {
      const g = guest(loop(400, nop(), nop()), { engine, slice });
      g.domain.engine.hot = 5;
      const turns: number[] = [];
      while (g.machine.pass()) turns.push(g.domain.instructions());
      return [turns, g.v.cycles, g.all('R4', 'PC')];
    });
    expect(seen[1]).toEqual(seen[0]);
  });
});

describe('faults', () => {
  it('in the middle of a block: what stands before has happened, what stands behind has not', () => {
    const lines = [
      ...vector('handler'),
      movi('R5', 0),
      movi('R6', 0x4000),
      ...loop(300, addi('R5', 'R5', 1), load('R3', 'R6', 0), addi('R5', 'R5', 1)),
      movi('R6', 0x7000),
      addi('R6', 'R6', 0x7ff8),
      addi('R6', 'R6', 0x7ff8),
      jump('loop'),
      label('handler'),
    ];
    const seen = (['stepper', 'translator'] as const).map((engine) => {
      const g = guest(lines, { engine }).run(20_000);
      return [...g.all('R5', 'R4', 'EPC', 'FAULT', 'PC'), g.domain.instructions(), g.v.cycles];
    });
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[0]?.[0]).toBe(601n);
  });
});

it("sysret, which is the stepper's, ends a block", () => {
  const g = translated([
    movi('R5', 300),
    label('again'),
    movi('R2', 'there'),
    asm.writereg('EPC', 'R2'),
    movi('R2', 4),
    asm.writereg('STATUS', 'R2'),
    sysret(),
    label('there'),
    addi('R5', 'R5', -1),
    bnez('R5', 'again'),
  ]).run();
  expect(g.domain.ended?.reason).toBe('poweroff');
  expect(g.get('R5')).toBe(0n);
  expect(counts(g)?.translated).toBeGreaterThan(300);
});
