/** Counting rule 7 (ARCHITECTURE.md): the widths of a count; and clock dividers. */
import { asm } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { counters, disable, enable, prepare } from '../testing/counters.ts';
import { type Asked, constant, type Line, ran, times, vector, WITH_PMU } from '../testing/guest.ts';

const { label, movi, nop, readreg, writereg } = asm;

describe.each(WITH_PMU)('under %s', (policy) => {
  const wide: Asked = { policy, cpu: 'tiny-wide' };

  describe('rule 7: the width of the count and that of its overflow', () => {
    it('rule 7: 32 bits hold 32 and overflow there', () => {
      const { all } = ran([...prepare(0, 'INSTRUCTIONS', -2), ...enable(1), ...times(3, nop()), ...disable], {
        policy,
      });
      expect(all('PMC0', 'PMSTAT')).toEqual([3n, 1n]);
    });

    it('rule 7: 64 bits go on beyond 32 without an overflow', () => {
      const { all } = ran(
        [
          ...prepare(0, 'INSTRUCTIONS'),
          ...constant('R4', 0xffff_fffen),
          writereg('PMC0', 'R4'),
          ...enable(1),
          ...times(3, nop()),
          ...disable,
        ],
        wide,
      );
      expect(all('PMC0', 'PMSTAT')).toEqual([0x1_0000_0003n, 0n]);
    });

    it('rule 7: 64 bits overflow at their end, exactly', () => {
      const at = (nops: number): bigint[] =>
        ran([...prepare(0, 'INSTRUCTIONS', -5), ...enable(1), ...times(nops, nop()), ...disable], wide).all(
          'PMC0',
          'PMSTAT',
        );
      expect(at(2)).toEqual([0xffff_ffff_ffff_ffffn, 0n]);
      expect(at(3)).toEqual([0n, 1n]);
      expect(at(4)).toEqual([1n, 1n]);
    });

    it.each([31, 32, 40, 48])(
      'rule 7: a count of 64 bits that overflows at %i does so once, and holds the rest',
      (bits) => {
        const arch = counters(() => ({ overflowWidth: () => bits }));
        const full = 2n ** BigInt(bits);
        // Just below, with something standing above the overflow width already.
        for (const above of [0n, 5n]) {
          const at = (nops: number): bigint[] =>
            ran(
              [...prepare(0, 'INSTRUCTIONS'), ...enable(1), writereg('PMC0', 'R4'), ...times(nops, nop()), ...disable],
              {
                ...wide,
                arch,
                set: { R4: above * full + full - 4n },
              },
            ).all('PMC0', 'PMSTAT');
          expect(at(1)).toEqual([above * full + full - 1n, 0n]);
          expect(at(2)).toEqual([(above + 1n) * full, 1n]);
          expect(at(9)).toEqual([(above + 1n) * full + 7n, 1n]);
        }
      },
    );

    it('rule 7: a count of 48 bits wraps there', () => {
      const arch = counters(() => ({ width: () => 48, overflowWidth: () => 48 }));
      const { all } = ran(
        [...prepare(0, 'INSTRUCTIONS'), ...enable(1), writereg('PMC0', 'R4'), ...times(3, nop()), ...disable],
        { ...wide, arch, set: { R4: 2n ** 48n - 2n } },
      );
      expect(all('PMC0', 'PMSTAT')).toEqual([3n, 1n]);
    });

    it('rule 7: the upper half that a counter lacks reads as 0, whatever is written there', () => {
      const { get } = ran([...constant('R4', 0x1fff_ffff_ffffn), writereg('PMC0', 'R4'), readreg('R5', 'PMC0')], {
        policy,
      });
      expect(get('R5')).toBe(0xffff_ffffn);
    });
  });

  describe('clock dividers', () => {
    // Counter 0 counts every fourth; counter 1 all.
    const arch = counters((_, n) => (n === 0 ? { divisor: () => 4 } : {}));
    const both: Line[] = [...prepare(0, 'INSTRUCTIONS'), ...prepare(1, 'INSTRUCTIONS')];

    it.each([
      [1, 0n], // one and the two that disable
      [2, 1n],
      [5, 1n],
      [6, 2n],
      [98, 25n],
    ])('%i instructions and two more make %i', (nops, count) => {
      for (const slice of [1, 3, 1000]) {
        const { all } = ran([...both, ...enable(3), ...times(nops, nop()), ...disable], { policy, arch, slice });
        expect(all('PMC0', 'PMC1')).toEqual([count, BigInt(nops + 2)]);
      }
    });

    it('the rest is kept over a pause', () => {
      // 3 + 3 + 3 = 9: two and a rest of 1.
      const { all } = ran(
        [
          ...both,
          ...enable(3),
          nop(),
          ...disable,
          ...enable(3),
          nop(),
          ...disable,
          nop(),
          ...enable(3),
          nop(),
          ...disable,
        ],
        { policy, arch },
      );
      expect(all('PMC0', 'PMC1')).toEqual([2n, 9n]);
    });

    it('it overflows at the instruction that completes the last step', () => {
      const { all } = ran(
        [
          ...vector('handler'),
          ...prepare(0, 'INSTRUCTIONS', -2),
          movi('R2', 1),
          writereg('PMINTEN', 'R2'),
          writereg('STATUS', 'R2'),
          ...enable(1),
          label('body'),
          ...times(20, nop()),
          label('handler'),
          readreg('R4', 'EPC'),
          movi('R5', 'body'),
        ],
        { policy, arch },
      );
      expect((all('R4')[0] as bigint) - (all('R5')[0] as bigint)).toBe(32n);
    });
  });
});
