/** Counting rule 6 (ARCHITECTURE.md): an overflow is raised at its instruction's boundary, under every policy and at every slice. */
import { asm } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { constant, event, type Guest, type Line, ran, times, vector, WITH_PMU } from '../testing/guest.ts';
import { counter, place, sampled } from '../testing/sampled.ts';

const { addi, beqz, jump, label, movi, nop, readreg, sysret, writereg } = asm;

describe.each(WITH_PMU)('under %s', (policy) => {
  it.each([1, 2, 3, 5, 40])('rule 6: a counter %i before its end interrupts after exactly so many', (n) => {
    const g = sampled('INSTRUCTIONS', -n, times(50, nop()), { policy });
    expect(place(g)).toBe(n);
    // It wrapped to 0; the interrupt itself is no instruction, and two of the handler stop it.
    expect(g.all('R5', 'R6')).toEqual([1n, 2n]);
  });

  it('rule 6: at n - 1 nothing has happened, at n it holds exactly 0', () => {
    const body = (nops: number): Guest =>
      ran(
        [
          ...counter('INSTRUCTIONS', -7),
          movi('R3', 1),
          writereg('PMCTL', 'R3'),
          ...times(nops, nop()),
          movi('R3', 0), // one more
          writereg('PMCTL', 'R3'), // and one more
        ],
        { policy },
      );
    expect(body(4).all('PMC0', 'PMSTAT')).toEqual([0xffff_ffffn, 0n]);
    expect(body(5).all('PMC0', 'PMSTAT')).toEqual([0n, 1n]);
    expect(body(6).all('PMC0', 'PMSTAT')).toEqual([1n, 1n]);
  });

  it('rule 6: the status is to be seen by the next instruction, not by the one that overflows', () => {
    const { all } = ran(
      [
        ...counter('INSTRUCTIONS', -3),
        movi('R3', 1),
        writereg('PMCTL', 'R3'),
        ...times(3, readreg('R4', 'PMSTAT')),
        readreg('R5', 'PMSTAT'),
      ],
      { policy },
    );
    expect(all('R4', 'R5')).toEqual([0n, 1n]);
  });

  it('rule 6: masked, it waits, and is taken behind the write that unmasks', () => {
    const masked: Line[] = [
      ...vector('handler'),
      ...counter('INSTRUCTIONS', -3),
      movi('R3', 1),
      writereg('PMCTL', 'R3'),
      ...times(10, nop()), // the third overflows
      readreg('R6', 'PMSTAT'),
      label('unmask'),
    ];
    const tail: Line[] = [nop(), nop(), label('handler'), readreg('R4', 'EPC'), movi('R5', 'unmask')];
    // By the kernel's own mask, then by that of the counter.
    const first = ran([...masked, writereg('STATUS', 'R3'), ...tail], { policy });
    expect([first.get('R4') - first.get('R5'), first.get('R6')]).toEqual([4n, 1n]);
    const second = ran(
      [...masked, movi('R2', 1), writereg('PMINTEN', 'R2'), writereg('STATUS', 'R3'), movi('R2', 0), ...tail],
      { policy },
    );
    expect(second.get('R4') - second.get('R5')).toBe(12n);
    const third = ran(
      [
        movi('R3', 0),
        writereg('PMINTEN', 'R3'),
        ...masked,
        movi('R2', 0),
        writereg('PMINTEN', 'R2'),
        writereg('STATUS', 'R3'),
        movi('R2', 1),
        writereg('PMINTEN', 'R2'),
        ...tail,
      ],
      { policy },
    );
    expect(third.get('R4') - third.get('R5')).toBe(20n);
  });

  it('rule 6: cleared before it is unmasked, it never comes', () => {
    const { all } = ran(
      [
        ...vector('handler'),
        ...counter('INSTRUCTIONS', -3),
        movi('R3', 1),
        writereg('PMCTL', 'R3'),
        ...times(10, nop()),
        writereg('PMSTAT', 'R3'),
        readreg('R6', 'PMSTAT'),
        writereg('STATUS', 'R3'),
        movi('R4', 99),
        jump('over'),
        label('handler'),
        movi('R4', 1),
        label('over'),
      ],
      { policy },
    );
    expect(all('R4', 'R6')).toEqual([99n, 0n]);
  });

  it('rule 6: cleared by the very instruction that overflows, it is up behind it', () => {
    const { get } = ran(
      [
        ...counter('INSTRUCTIONS', -3),
        movi('R3', 1),
        writereg('PMCTL', 'R3'),
        nop(),
        nop(),
        writereg('PMSTAT', 'R3'),
        readreg('R4', 'PMSTAT'),
      ],
      { policy },
    );
    expect(get('R4')).toBe(1n);
  });

  it('rule 6: two overflows at one boundary are two status bits and one interrupt', () => {
    const { all, domain } = ran(
      [
        ...vector('handler'),
        movi('R2', event('INSTRUCTIONS')),
        ...([0, 1, 3] as const).map((n) => writereg(`PMSEL${n}`, 'R2')),
        movi('R2', -4),
        ...([0, 1, 3] as const).map((n) => writereg(`PMC${n}`, 'R2')),
        movi('R2', -3),
        writereg('PMC3', 'R2'), // one earlier, and its interrupt is off
        movi('R2', 11),
        writereg('PMENSET', 'R2'),
        movi('R2', 3),
        writereg('PMINTEN', 'R2'),
        movi('R3', 1),
        writereg('STATUS', 'R3'),
        movi('R6', 0),
        writereg('PMCTL', 'R3'),
        label('body'),
        ...times(6, nop()),
        movi('R3', 0),
        writereg('PMCTL', 'R3'),
        jump('end'),
        label('handler'),
        addi('R6', 'R6', 1),
        readreg('R4', 'PMSTAT'),
        readreg('R5', 'PMSAMPLE'),
        writereg('PMSTAT', 'R4'),
        sysret(),
        label('end'),
        movi('R7', 'body'),
      ],
      { policy },
    );
    expect(all('R4', 'R6', 'PMSTAT')).toEqual([11n, 1n, 0n]);
    expect((all('R5')[0] as bigint) - (all('R7')[0] as bigint)).toBe(16n);
    expect(domain.ended?.status).toBe(0);
  });

  it.each([1, 2, 3, 4, 7, 100])('rule 6: in the middle of a slice of %i and at its end', (slice) => {
    for (const n of [1, 4, 9, 12])
      expect(place(sampled('INSTRUCTIONS', -n, times(20, nop()), { policy, slice }))).toBe(n);
  });

  it('rule 6: it comes again and again, each time after exactly as many', () => {
    // The handler reloads the counter: between its return and the next interrupt, ten turns of one instruction are the user's.
    const { all } = ran(
      [
        ...vector('handler'),
        ...constant('R4', (1n << 30n) | BigInt(event('INSTRUCTIONS'))), // not at the kernel level
        writereg('PMSEL0', 'R4'),
        movi('R4', -10),
        writereg('PMC0', 'R4'),
        movi('R2', 1),
        writereg('PMENSET', 'R2'),
        writereg('PMINTEN', 'R2'),
        writereg('PMCTL', 'R2'),
        movi('R5', 0),
        movi('R6', 0),
        movi('R3', 'user'),
        writereg('EPC', 'R3'),
        movi('R3', 2),
        writereg('STATUS', 'R3'), // user, interrupts on
        sysret(),
        label('user'),
        addi('R6', 'R6', 1),
        jump('user'),
        label('handler'),
        addi('R5', 'R5', 1),
        writereg('PMC0', 'R4'),
        writereg('PMSTAT', 'R2'),
        addi('R7', 'R5', -8),
        beqz('R7', 'end'),
        sysret(),
        label('end'),
      ],
      { policy },
    );
    // Eight interrupts, ten user instructions before each: 80, half of them additions.
    expect(all('R5', 'R6')).toEqual([8n, 40n]);
  });
});
