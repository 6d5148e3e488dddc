/** Counting rules 1 to 4 (ARCHITECTURE.md): what decides whether an instruction is counted, and when. Counts in comments were made by hand. */
import { asm } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { disable, enable, prepare } from '../testing/counters.ts';
import { constant, event, guest, type Line, NK, NU, ran, times, toUser, vector, WITH_PMU } from '../testing/guest.ts';

const { addi, jump, label, load, movi, nop, readreg, syscall, sysret, writereg } = asm;

const INSTRUCTIONS = event('INSTRUCTIONS');

describe.each(WITH_PMU)('under %s', (policy) => {
  describe('rule 1: level and filters before an instruction decide whether it is counted', () => {
    // Counter 0 leaves the kernel level out, counter 1 the user level, counter 2 neither, counter 3 both.
    const { all } = ran(
      [
        ...vector('handler'),
        ...constant('R4', NK | BigInt(INSTRUCTIONS)),
        writereg('PMSEL0', 'R4'),
        ...constant('R4', NU | BigInt(INSTRUCTIONS)),
        writereg('PMSEL1', 'R4'),
        movi('R4', INSTRUCTIONS),
        writereg('PMSEL2', 'R4'),
        ...constant('R4', NU | NK | BigInt(INSTRUCTIONS)),
        writereg('PMSEL3', 'R4'),
        movi('R4', 0),
        ...([0, 1, 2, 3] as const).map((n) => writereg(`PMC${n}`, 'R4')),
        ...enable(15),
        ...toUser('user'), // 5 at the kernel level, the sysret with them
        ...times(3, nop()), // 3 at the user level
        syscall(0), // 1 at the user level
        label('handler'), // from here on the kernel
        ...disable, // 2
      ],
      { policy },
    );

    it('rule 1: what is left out at a level is not counted there', () => {
      expect(all('PMC0', 'PMC1', 'PMC2', 'PMC3')).toEqual([4n, 7n, 11n, 0n]);
    });

    it('rule 1: a filter takes effect behind the write that sets it, and behind the one that clears it', () => {
      const { get } = ran(
        [
          ...constant('R4', NK | BigInt(INSTRUCTIONS)),
          movi('R5', INSTRUCTIONS),
          ...prepare(0, 'INSTRUCTIONS'),
          ...enable(),
          nop(), // 1
          writereg('PMSEL0', 'R4'), // 2: the old selector was in force
          ...times(5, nop()), // left out
          writereg('PMSEL0', 'R5'), // left out: it still was
          nop(), // 3
          ...disable, // 5
        ],
        { policy },
      );
      expect(get('PMC0')).toBe(5n);
    });

    it('rule 1: another event is counted behind the write that selects it', () => {
      const { get } = ran(
        [
          movi('R4', event('LOADS')),
          movi('R5', 0x2000),
          ...prepare(0, 'INSTRUCTIONS'),
          ...enable(),
          load('R6', 'R5', 0), // 1
          writereg('PMSEL0', 'R4'), // 2
          ...times(4, load('R6', 'R5', 0)), // 6
          ...times(3, nop()),
          ...disable,
        ],
        { policy },
      );
      expect(get('PMC0')).toBe(6n);
    });

    it('rule 1: an event that does not exist counts nothing', () => {
      const { get } = ran(
        [
          ...prepare(0, 'INSTRUCTIONS'),
          movi('R2', 0x55),
          writereg('PMSEL0', 'R2'),
          ...enable(),
          ...times(9, nop()),
          ...disable,
        ],
        { policy },
      );
      expect(get('PMC0')).toBe(0n);
    });
  });

  describe('rule 2: the enabling write is not counted, the disabling one is', () => {
    it.each<[string, Line[], Line[], bigint]>([
      // On and off in one place each; between them three nops.
      ['PMCTL.E on and off', enable(), [movi('R3', 0), writereg('PMCTL', 'R3')], 5n],
      [
        'PMENSET on, PMENCLR off',
        [movi('R3', 1), writereg('PMCTL', 'R3'), writereg('PMENSET', 'R3')],
        [writereg('PMENCLR', 'R3')],
        4n,
      ],
      ['PMCTL.E on, PMENCLR off', enable(), [movi('R3', 1), writereg('PMENCLR', 'R3')], 5n],
      [
        'PMENSET on, PMCTL.E off',
        [movi('R3', 1), writereg('PMCTL', 'R3'), writereg('PMENSET', 'R3')],
        [movi('R3', 0), writereg('PMCTL', 'R3')],
        5n,
      ],
    ])('rule 2: %s', (_, on, off, count) => {
      const { get } = ran([...prepare(0, 'INSTRUCTIONS'), ...on, ...times(3, nop()), ...off, ...times(3, nop())], {
        policy,
      });
      expect(get('PMC0')).toBe(count);
    });

    it('rule 2: on and off at once leave one, the write that disables', () => {
      const { get } = ran([...prepare(0, 'INSTRUCTIONS'), ...enable(), writereg('PMENCLR', 'R3')], { policy });
      expect(get('PMC0')).toBe(1n);
    });

    it('rule 2: what is on already counts the write that enables it again, and another one', () => {
      const { all } = ran(
        [
          ...prepare(0, 'INSTRUCTIONS'),
          ...prepare(1, 'INSTRUCTIONS'),
          ...enable(),
          movi('R2', 3), // 1
          writereg('PMENSET', 'R2'), // 2: enables 1
          nop(), // 3, and 1
          ...disable, // 5, and 3
        ],
        { policy },
      );
      expect(all('PMC0', 'PMC1')).toEqual([5n, 3n]);
    });

    it('rule 2: holds at any slice, and with every window once more', () => {
      for (const slice of [1, 2, 3, 5]) {
        const { get } = ran(
          [...prepare(0, 'INSTRUCTIONS'), ...enable(), ...disable, nop(), ...enable(), nop(), ...disable],
          { policy, slice },
        );
        expect(get('PMC0')).toBe(5n); // 2 and 3
      }
    });
  });

  describe("rule 3: an explicit write wins over the instruction's own increment", () => {
    it('rule 3: one write resets several counters, and wins for each of them', () => {
      const { all } = ran(
        [
          ...([0, 1, 2, 3] as const).flatMap((n) => prepare(n, 'INSTRUCTIONS', 100 * n)),
          ...enable(15),
          ...times(7, nop()),
          movi('R2', 3),
          writereg('PMCTL', 'R2'), // R and E: all are 0
          readreg('R4', 'PMC0'), // 0, then counted
          readreg('R5', 'PMC1'), // 1
          readreg('R6', 'PMC2'), // 2
          readreg('R7', 'PMC3'), // 3
          ...disable,
        ],
        { policy },
      );
      expect(all('R4', 'R5', 'R6', 'R7')).toEqual([0n, 1n, 2n, 3n]);
    });

    it('rule 3: a reset that disables leaves 0; one that enables counts from the next instruction on', () => {
      const { all } = ran(
        [
          ...prepare(0, 'INSTRUCTIONS', 50),
          ...enable(),
          nop(),
          movi('R2', 2),
          writereg('PMCTL', 'R2'), // R without E
          ...times(4, nop()),
          readreg('R4', 'PMC0'), // 0
          movi('R2', 50),
          writereg('PMC0', 'R2'),
          movi('R2', 3),
          writereg('PMCTL', 'R2'), // R and E
          ...times(4, nop()), // 4
          readreg('R5', 'PMC0'), // 4
          ...disable,
        ],
        { policy },
      );
      expect(all('R4', 'R5')).toEqual([0n, 4n]);
    });

    it('rule 3: the write that would have been the overflow is none', () => {
      const { all } = ran(
        [
          ...prepare(0, 'INSTRUCTIONS', -2),
          movi('R4', 7),
          ...enable(),
          nop(), // -1
          writereg('PMC0', 'R4'), // 7, not 0
          readreg('R5', 'PMSTAT'), // 7, then 8
          readreg('R6', 'PMC0'), // 8
          ...disable,
        ],
        { policy },
      );
      expect(all('R5', 'R6')).toEqual([0n, 8n]);
    });

    it('rule 3: a counter is written while another one overflows at the same boundary', () => {
      const { all } = ran(
        [
          ...prepare(0, 'INSTRUCTIONS'),
          ...prepare(1, 'INSTRUCTIONS', -2),
          movi('R4', 7),
          ...enable(3),
          nop(), // 1 and -1
          writereg('PMC0', 'R4'), // 7 and 0: the overflow
          readreg('R5', 'PMC0'), // 7
          readreg('R6', 'PMC1'), // 1
          readreg('R7', 'PMSTAT'), // counter 1 alone
          ...disable,
        ],
        { policy },
      );
      expect(all('R5', 'R6', 'R7')).toEqual([7n, 1n, 2n]);
    });

    it('rule 3: a read sees what retired before it', () => {
      const { all } = ran(
        [...prepare(0, 'INSTRUCTIONS'), ...enable(), readreg('R4', 'PMC0'), readreg('R5', 'PMC0'), ...disable],
        { policy },
      );
      expect(all('R4', 'R5')).toEqual([0n, 1n]);
    });
  });

  describe('rule 4: a control change first brings every count up to date', () => {
    it('rule 4: a long run, then a write that changes what is counted', () => {
      const { all } = ran(
        [
          ...prepare(0, 'INSTRUCTIONS'),
          ...prepare(1, 'BRANCHES'),
          movi('R4', event('STORES')),
          movi('R5', 1000),
          ...enable(3),
          label('again'),
          addi('R5', 'R5', -1), // 1,000
          asm.bnez('R5', 'again'), // 2,000; 1,000 branches
          writereg('PMSEL0', 'R4'), // 2,001
          writereg('PMSEL1', 'R4'), // not counted as a store, nor as a branch
          jump('on'), // neither
          label('on'),
          ...disable,
        ],
        { policy },
      );
      expect(all('PMC0', 'PMC1')).toEqual([2001n, 1000n]);
    });

    it('rule 4: a raw write between two runs stops the count where it was', () => {
      const g = guest([...prepare(0, 'INSTRUCTIONS'), ...enable(), ...times(20, nop())], { policy });
      g.run(8 + 5); // five behind the enabling write
      expect(g.get('PMC0')).toBe(5n);
      g.v.handle.set('PMCTL', 0n);
      g.run();
      expect([g.get('PMC0'), g.domain.ended?.reason]).toEqual([5n, 'poweroff']);
    });

    it('rule 4: a raw count between two runs stands, and goes on from there', () => {
      const g = guest([...prepare(0, 'INSTRUCTIONS'), ...enable(), ...times(20, nop())], { policy });
      g.run(8 + 5);
      g.v.handle.set('PMC0', 1000n);
      g.run();
      expect(g.get('PMC0')).toBe(1018n); // 15 nops and the three that exit
    });
  });

  it('rules 1 to 4: an exception return changes level, interrupts and the place to go on in one instruction', () => {
    const { get } = ran(
      [
        ...vector('handler'),
        ...prepare(0, 'INSTRUCTIONS'),
        ...constant('R4', NU | BigInt(INSTRUCTIONS)),
        writereg('PMSEL0', 'R4'),
        ...enable(),
        ...toUser('user'), // 5
        nop(),
        syscall(0), // the user's
        ...disable, // never: the handler goes on elsewhere
        label('handler'),
        movi('R2', 'end'), // 6
        writereg('EPC', 'R2'), // 7
        movi('R2', 4), // 8
        writereg('STATUS', 'R2'), // 9: PLEVEL is kernel
        sysret(), // 10
        label('end'),
        ...disable, // 12
      ],
      { policy },
    );
    expect(get('PMC0')).toBe(12n);
  });
});
