/** Counting rule 6 (ARCHITECTURE.md): signals that only the run can know, and cycles that cost more than one, overflow at their instruction, too. */
import { asm } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { constant, event, guest, type Line, ran, times, vector } from '../testing/guest.ts';
import { counter, place, sampled } from '../testing/sampled.ts';

const { addi, beqz, bnez, call, jump, label, load, movi, nop, readreg, ret, store, syscall, sysret, writereg } = asm;

describe('rule 6: rare signals are watched', () => {
  // Each body has the signal at places that its comment names, counted in instructions from its start; the third one overflows.
  const three: Record<string, [body: Line[], place: number]> = {
    LOADS: [[nop(), load('R4', 'R2', 0), load('R4', 'R2', 8), nop(), load('R4', 'R2', 0), nop(), nop()], 5],
    STORES: [[store('R4', 'R2', 0), nop(), store('R4', 'R2', 0), load('R4', 'R2', 0), store('R4', 'R2', 0), nop()], 5],
    ACCESSES: [[store('R4', 'R2', 0), load('R4', 'R2', 0), nop(), load('R4', 'R2', 0), nop()], 4],
    MEMORY: [[load('R4', 'R2', 0), store('R4', 'R2', 0), nop(), nop(), load('R4', 'R2', 0), nop()], 5],
    UNALIGNED: [[load('R4', 'R2', 1), load('R4', 'R2', 0), store('R4', 'R2', 4), load('R4', 'R2', 7), nop(), nop()], 4],
    BRANCHES: [[bnez('R3', 1), beqz('R3', 1), nop(), jump(1), nop(), nop()], 4],
    // Taken: the first, not the second, the third, the fifth.
    TAKEN: [[bnez('R3', 1), beqz('R3', 1), jump(1), nop(), bnez('R3', 1), nop()], 5],
    IMMEDIATE_BRANCHES: [[movi('R7', 'on'), ret(), label('on'), jump(1), beqz('R3', 1), jump(1), nop(), nop()], 5],
    CALLS: [[call(1), call(1), jump(1), call(1), nop(), nop()], 4],
    RETURNS: [
      [
        movi('R7', 'a'),
        ret(),
        label('a'),
        movi('R7', 'b'),
        ret(),
        label('b'),
        movi('R7', 'c'),
        ret(),
        label('c'),
        nop(),
        nop(),
      ],
      6,
    ],
  };
  it.each(Object.entries(three))('rule 6: %s, at exactly the third', (name, [body, at]) => {
    for (const slice of [1, 3, 1000]) expect(place(sampled(name, -3, body, { slice }))).toBe(at);
  });

  it('rule 6: EXCEPTIONS and EXCEPTION_RETURNS, which end no instruction of their own', () => {
    for (const [name, at] of [
      // The third system call's exception: at its boundary interrupts are off; behind the handler's return it is taken.
      ['EXCEPTIONS', 3],
      // The third return is the boundary itself.
      ['EXCEPTION_RETURNS', 3],
    ] as const) {
      const g = ran([
        ...vector('handler'),
        ...counter(name, -3),
        movi('R3', 1),
        writereg('STATUS', 'R3'),
        writereg('PMCTL', 'R3'),
        label('body'),
        ...times(6, syscall(0)),
        label('handler'),
        readreg('R4', 'CAUSE'),
        addi('R5', 'R4', -0x107), // an interrupt of the PMU
        beqz('R5', 'done'),
        sysret(),
        label('done'),
        readreg('R4', 'EPC'),
        movi('R7', 'body'),
        readreg('R6', 'PMC0'),
      ]);
      expect(place(g)).toBe(at);
      expect(g.get('R6')).toBe(name === 'EXCEPTIONS' ? 1n : 0n); // the interrupt is an exception, too
    }
  });

  it('rule 6: farther away than one watches, it still is exact', () => {
    // 70,000 loads in a loop of three instructions: the interrupt is behind the load of the last turn.
    const g = ran(
      [
        ...vector('handler'),
        ...counter('LOADS', 0),
        ...constant('R4', 2n ** 32n - 70_000n),
        writereg('PMC0', 'R4'),
        movi('R6', 0x2000),
        movi('R3', 1),
        writereg('STATUS', 'R3'),
        movi('R5', 0),
        writereg('PMCTL', 'R3'),
        label('again'),
        addi('R5', 'R5', 1),
        label('at'),
        load('R7', 'R6', 0),
        jump('again'),
        label('handler'),
        readreg('R4', 'EPC'),
        movi('R7', 'at'),
      ],
      { slice: 100_000 },
    );
    expect([g.get('R5'), place(g)]).toEqual([70_000n, 1]);
  });
});

describe('rule 6: cycles that cost more than one', () => {
  const costs = { plain: { backend: 2 }, memory: { backend: 8, frontend: 1 }, system: { frontend: 3 } };

  it.each<[string, number, number, bigint]>([
    // Nops of three cycles; then the handler's movi of 3 and writereg of 4.
    ['CYCLES', -6, 2, 0n + 7n],
    ['CYCLES', -7, 3, 2n + 7n],
    ['CYCLES', -1, 1, 2n + 7n],
    ['CYCLES', -30, 10, 0n + 7n],
    // Two of the three; of the writereg none.
    ['STALL_BACKEND', -5, 3, 1n + 2n],
    ['STALL_BACKEND', -6, 3, 0n + 2n],
  ])('rule 6: %s from %i interrupts at nop %i', (name, count, at, left) => {
    for (const slice of [1, 2, 1000]) {
      const g = sampled(name, count, times(12, nop()), { costs, slice });
      expect([place(g), g.get('R6')]).toEqual([at, left]);
    }
  });

  it('rule 6: instructions are hit to the one although their cycles are counted beside', () => {
    const g = guest(
      [
        ...vector('handler'),
        ...counter('INSTRUCTIONS', -11),
        movi('R2', event('CYCLES')),
        writereg('PMSEL1', 'R2'),
        movi('R2', -4000),
        writereg('PMC1', 'R2'),
        movi('R2', 3),
        writereg('PMENSET', 'R2'),
        movi('R3', 1),
        writereg('STATUS', 'R3'),
        writereg('PMCTL', 'R3'),
        label('body'),
        ...times(20, nop()),
        label('handler'),
        readreg('R4', 'EPC'),
        movi('R7', 'body'),
      ],
      { costs },
    ).run();
    expect(place(g)).toBe(11);
  });

  it('rule 6: a far cycle overflow in a mix of costs is behind the right instruction', () => {
    // A turn costs 3 + 10 + 1 = 14 cycles; a thousand turns and 11 more end in the load of the next, at 14,013.
    const turn = [addi('R5', 'R5', 1), load('R6', 'R2', 0), jump('again')];
    const g = sampled('CYCLES', -14_011, [label('again'), ...turn], { costs, set: { R5: 0n } });
    expect(place(g)).toBe(2);
    expect(g.get('R6')).toBe(2n + 7n);
  });

  it('rule 6: two counters of different events, the nearer one first', () => {
    const g = guest(
      [
        ...vector('handler'),
        ...counter('LOADS', -2),
        movi('R2', event('CYCLES')),
        writereg('PMSEL1', 'R2'),
        movi('R2', -40),
        writereg('PMC1', 'R2'),
        movi('R2', 3),
        writereg('PMENSET', 'R2'),
        writereg('PMINTEN', 'R2'),
        movi('R2', 0x2000),
        movi('R3', 1),
        writereg('STATUS', 'R3'),
        writereg('PMCTL', 'R3'),
        label('body'),
        load('R4', 'R2', 0), // 10 cycles
        ...times(5, nop()), // 25
        load('R4', 'R2', 0), // 35, the second load
        nop(),
        nop(),
        label('handler'),
        readreg('R5', 'PMSTAT'), // 39
        readreg('R6', 'PMSTAT'), // 43: this one overflows
        readreg('R3', 'PMSTAT'),
        readreg('R4', 'EPC'),
        movi('R7', 'body'),
      ],
      { costs },
    ).run();
    expect([place(g), ...g.all('R5', 'R6', 'R3')]).toEqual([7, 1n, 1n, 3n]);
  });
});
