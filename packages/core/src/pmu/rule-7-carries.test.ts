/** Counting rule 7 (ARCHITECTURE.md): carries from one counter to the next, and software increments. */
import { asm } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { counters, disable, enable, prepare } from '../testing/counters.ts';
import { type Asked, constant, event, type Line, NK, ran, times, toUser, vector, WITH_PMU } from '../testing/guest.ts';

const { call, label, movi, nop, readreg, ret, syscall, writereg } = asm;

describe.each(WITH_PMU)('under %s', (policy) => {
  const wide: Asked = { policy, cpu: 'tiny-wide' };

  describe('rule 7: carries', () => {
    it('rule 7: the neighbour counts the carry at the same boundary', () => {
      const { all } = ran(
        [
          ...prepare(0, 'INSTRUCTIONS', -2),
          ...prepare(1, 'CARRY', 5),
          ...enable(3),
          readreg('R4', 'PMC1'), // 5: at -2
          readreg('R5', 'PMC1'), // 5: at -1
          readreg('R6', 'PMC1'), // 6: counter 0 is 0
          readreg('R7', 'PMC0'), // 1
          ...disable,
        ],
        { policy },
      );
      expect(all('R4', 'R5', 'R6', 'R7', 'PMSTAT')).toEqual([5n, 5n, 6n, 1n, 1n]);
    });

    it("rule 7: the neighbour's own overflow is raised there, too", () => {
      const { all } = ran(
        [
          ...vector('handler'),
          ...prepare(0, 'INSTRUCTIONS', -3),
          ...prepare(1, 'CARRY', -1),
          movi('R2', 2),
          writereg('PMINTEN', 'R2'), // the carry counter's interrupt alone
          ...enable(3),
          movi('R3', 1), // -2
          writereg('STATUS', 'R3'), // -1
          label('last'),
          nop(), // both wrap: interrupt
          nop(),
          label('handler'),
          ...disable, // 2
          readreg('R4', 'EPC'),
          movi('R5', 'last'),
          readreg('R6', 'PMSTAT'),
        ],
        { policy },
      );
      expect(all('PMC0', 'PMC1', 'R6')).toEqual([2n, 0n, 3n]);
      expect((all('R4')[0] as bigint) - (all('R5')[0] as bigint)).toBe(4n);
    });

    it('rule 7: two pairs are two chains; a carry goes no further than its neighbour', () => {
      const { all } = ran(
        [
          ...prepare(0, 'INSTRUCTIONS', -1),
          ...prepare(1, 'CARRY', -1),
          ...prepare(2, 'INSTRUCTIONS', -2),
          ...prepare(3, 'CARRY', 7),
          ...enable(15),
          nop(),
          nop(),
          ...disable,
        ],
        { policy },
      );
      expect(all('PMC0', 'PMC1', 'PMC2', 'PMC3', 'PMSTAT')).toEqual([3n, 0n, 2n, 8n, 7n]);
    });

    it('rule 7: an even counter that selects CARRY has no neighbour and counts nothing', () => {
      const { all } = ran(
        [...prepare(1, 'INSTRUCTIONS', -2), ...prepare(2, 'CARRY', 7), ...enable(6), ...times(4, nop()), ...disable],
        { policy },
      );
      expect(all('PMC1', 'PMC2', 'PMSTAT')).toEqual([4n, 7n, 2n]);
    });

    it('rule 7: no carry comes from a neighbour that stands still, and none is kept for one that does', () => {
      const chain: Line[] = [...prepare(0, 'INSTRUCTIONS', -2), ...prepare(1, 'CARRY', 5)];
      expect(ran([...chain, ...enable(2), ...times(4, nop()), ...disable], { policy }).all('PMC0', 'PMC1')).toEqual([
        0xffff_fffen,
        5n,
      ]);
      expect(
        ran([...chain, ...enable(1), ...times(4, nop()), movi('R2', 2), writereg('PMENSET', 'R2'), nop(), ...disable], {
          policy,
        }).all('PMC0', 'PMC1'),
      ).toEqual([7n, 5n]);
    });

    it('rule 7: none comes from a neighbour that overflows at 64 bits', () => {
      const { all } = ran(
        [...prepare(0, 'INSTRUCTIONS', -2), ...prepare(1, 'CARRY', 5), ...enable(3), ...times(4, nop()), ...disable],
        wide,
      );
      expect(all('PMC0', 'PMC1', 'PMSTAT')).toEqual([4n, 5n, 1n]);
    });

    it('rule 7: it comes from a neighbour of 64 bits that overflows at 32, for each time it passes there', () => {
      const { all } = ran(
        [
          ...prepare(0, 'INSTRUCTIONS'),
          ...prepare(1, 'CARRY', 5),
          ...enable(3),
          writereg('PMC0', 'R4'),
          ...times(4, nop()),
          ...disable,
        ],
        {
          ...wide,
          arch: counters((_, n) => (n === 0 ? { overflowWidth: () => 32 } : {})),
          set: { R4: 0x7_ffff_fffen },
        },
      );
      expect(all('PMC0', 'PMC1', 'PMSTAT')).toEqual([0x8_0000_0004n, 6n, 1n]);
    });

    it('rules 3 and 7: a written neighbour carries nothing, a written chain counts none', () => {
      const chain: Line[] = [
        ...prepare(0, 'INSTRUCTIONS', -2),
        ...prepare(1, 'CARRY', 5),
        movi('R4', 50),
        ...enable(3),
        nop(),
      ];
      expect(
        ran([...chain, writereg('PMC0', 'R4'), nop(), ...disable], { policy }).all('PMC0', 'PMC1', 'PMSTAT'),
      ).toEqual([53n, 5n, 0n]);
      expect(
        ran([...chain, writereg('PMC1', 'R4'), nop(), ...disable], { policy }).all('PMC0', 'PMC1', 'PMSTAT'),
      ).toEqual([3n, 50n, 1n]);
    });
  });

  describe('rule 7: software increments', () => {
    it('rule 7: one for each set bit whose counter counts them', () => {
      const { all } = ran(
        [
          ...prepare(0, 'INCREMENT', 10),
          ...prepare(1, 'INCREMENT', 20),
          ...prepare(2, 'INSTRUCTIONS', 30),
          ...prepare(3, 'INCREMENT', 40),
          movi('R4', 7),
          ...enable(15),
          writereg('PMINC', 'R4'), // 0 and 1; 2 counts the instruction alone, 3 was not named
          writereg('PMINC', 'R3'), // 0
          ...disable,
        ],
        { policy },
      );
      expect(all('PMC0', 'PMC1', 'PMC2', 'PMC3')).toEqual([12n, 21n, 34n, 40n]);
    });

    it('rule 7: none while the counter is off, by either bit, nor behind a filter', () => {
      const { all } = ran(
        [
          ...prepare(0, 'INCREMENT'),
          ...prepare(1, 'INCREMENT'),
          ...prepare(2, 'INCREMENT'),
          ...constant('R4', NK | BigInt(event('INCREMENT'))),
          writereg('PMSEL2', 'R4'),
          movi('R4', 7),
          writereg('PMINC', 'R4'), // nothing is on
          ...enable(5),
          writereg('PMINC', 'R4'), // 0
          ...disable,
          writereg('PMINC', 'R4'), // nothing
        ],
        { policy },
      );
      expect(all('PMC0', 'PMC1', 'PMC2')).toEqual([1n, 0n, 0n]);
    });

    it('rule 7: the user level makes them, where it may', () => {
      const { all } = ran(
        [
          ...vector('handler'),
          ...prepare(0, 'INCREMENT'),
          movi('R2', 1),
          writereg('PMUSER', 'R2'),
          ...enable(1),
          ...toUser('user'),
          writereg('PMINC', 'R3'),
          writereg('PMINC', 'R3'),
          readreg('R5', 'PMC0'),
          syscall(0),
          label('handler'),
        ],
        { policy },
      );
      expect(all('R5')).toEqual([2n]);
    });

    it('rule 7: they overflow and carry at their own boundary', () => {
      const { all } = ran(
        [
          ...prepare(0, 'INCREMENT', -2),
          ...prepare(1, 'CARRY', 8),
          ...enable(3),
          writereg('PMINC', 'R3'),
          readreg('R4', 'PMC1'), // 8
          writereg('PMINC', 'R3'),
          readreg('R5', 'PMC1'), // 9
          readreg('R6', 'PMSTAT'), // 1
          readreg('R7', 'PMC0'), // 0
          ...disable,
        ],
        { policy },
      );
      expect(all('R4', 'R5', 'R6', 'R7')).toEqual([8n, 9n, 1n, 0n]);
    });
  });
});

it('rule 7: calls and returns that make a pair of 32 bits one of 64', () => {
  // 70,000 is beyond 16 bits: counter 0 begins 1,000 before its end.
  const { all } = ran([
    ...prepare(0, 'RETURNS'),
    ...constant('R4', 2n ** 32n - 1000n),
    writereg('PMC0', 'R4'),
    ...prepare(1, 'CARRY'),
    movi('R6', 1500),
    ...enable(3),
    label('again'),
    call('function'),
    asm.addi('R6', 'R6', -1),
    asm.bnez('R6', 'again'),
    ...disable,
    asm.jump('end'),
    label('function'),
    ret(),
    label('end'),
  ]);
  expect(all('PMC0', 'PMC1', 'PMSTAT')).toEqual([500n, 1n, 1n]);
});
