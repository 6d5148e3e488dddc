/** Counting rule 11 (ARCHITECTURE.md): each domain's own time, its vCPUs in rounds, and what waits. Numbers in comments were made by hand. */
import type { Arch } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import {
  type Asked,
  beside,
  COUNTING,
  exit,
  type Guest,
  guest,
  type Line,
  ran,
  SERVICE,
  times,
  vector,
} from '../testing/guest.ts';

const { addi, bnez, jump, label, load, movi, nop, readreg, store, sysret, trap, wait, writereg } = asm;

/** Starts vCPU 1 at a label: four instructions; uses R0 to R3. */
const start = (to: string): Line[] => [movi('R0', SERVICE.start), movi('R1', 1), movi('R2', to), trap(0)];
/** The timer of this vCPU: three instructions. */
const timer = (cycle: number): Line[] => [movi('R6', 0x200), movi('R7', cycle), store('R7', 'R6', 0)];
const off = (g: Guest, index: number): bigint => g.domain.vcpus[index]?.handle.get('R4') as bigint;

describe('rule 11: a virtual clock', () => {
  it('rule 11: advances with the cycles of its own domain alone', () => {
    for (const slice of [1, 3, 10, 1000]) {
      const g = guest([...times(20, nop()), readreg('R4', 'TIME'), ...times(20, nop()), readreg('R5', 'TIME')], {
        slice,
      });
      beside(g.machine, 'b', times(500, nop()));
      g.run();
      expect(g.all('R4', 'R5')).toEqual([20n, 41n]);
    }
  });

  it('rule 11: advances by cycles, not by instructions', () => {
    expect(ran([...times(5, nop()), readreg('R4', 'TIME')], { costs: { plain: { frontend: 6 } } }).get('R4')).toBe(35n);
  });

  it.each(COUNTING)('rule 11: a timer comes at its cycle, under %s and at every slice', (policy) => {
    for (const slice of [1, 2, 7, 1000]) {
      const g = ran(
        [
          ...vector('handler'), // 2
          ...timer(20), // 5
          movi('R2', 1), // 6
          writereg('STATUS', 'R2'), // 7
          label('body'),
          ...times(30, nop()), // thirteen of them
          label('handler'),
          readreg('R4', 'TIME'),
          readreg('R5', 'EPC'),
          movi('R6', 'body'),
        ],
        { policy, slice },
      );
      expect([g.get('R4'), g.get('R5') - g.get('R6')]).toEqual([20n, 13n * 4n]);
    }
  });

  it('rule 11: a timer within an instruction comes at its end', () => {
    // Three cycles each: 5 + 2 instructions end at 21; cycle 40 is in the seventh nop, which ends at 42.
    const g = ran(
      [
        ...vector('handler'),
        ...timer(40),
        movi('R2', 1),
        writereg('STATUS', 'R2'),
        label('body'),
        ...times(30, nop()),
        label('handler'),
        readreg('R4', 'TIME'),
        readreg('R5', 'EPC'),
        movi('R6', 'body'),
      ],
      { costs: { plain: { backend: 2 }, system: { backend: 2 }, memory: { backend: 2 } } },
    );
    expect([g.get('R4'), g.get('R5') - g.get('R6')]).toEqual([42n, 28n]);
  });

  it('rule 11: a masked timer that is due is taken when it is unmasked', () => {
    const g = ran([
      ...vector('handler'),
      ...timer(10),
      ...times(20, nop()),
      movi('R2', 1),
      writereg('STATUS', 'R2'),
      ...times(9, nop()),
      label('handler'),
      readreg('R4', 'TIME'),
    ]);
    expect(g.get('R4')).toBe(27n); // 2 + 3 + 20 + 2
  });

  it('rule 11: whoever waits jumps to the deadline', () => {
    const g = ran([...timer(5000), wait(), readreg('R4', 'TIME'), ...timer(9000), wait(), readreg('R5', 'TIME')]);
    expect(g.all('R4', 'R5')).toEqual([5000n, 9000n]);
    expect(g.v.cycles).toBe(13);
  });

  it.each(['virtual', 'machine'] as const)('rule 11: beyond 2^52 cycles nobody jumps: %s clock', (time) => {
    const wait52 = (R7: bigint): Guest =>
      ran([movi('R6', 0x200), store('R7', 'R6', 0), wait(), readreg('R4', 'TIME')], { time, set: { R7, R4: 0n } });
    const last = wait52(2n ** 52n);
    expect([last.get('R4'), last.domain.ended?.reason]).toEqual([2n ** 52n, 'poweroff']);
    for (const beyond of [2n ** 52n + 1n, 2n ** 63n + 1n, 2n ** 64n - 1n]) {
      const g = wait52(beyond);
      expect([g.get('R4'), g.domain.ended?.reason]).toEqual([0n, 'waits-for-ever']);
    }
  });

  it('rule 11: whoever waits jumps although a neighbour runs', () => {
    for (const slice of [1, 5, 100]) {
      const g = guest([...timer(5000), wait(), readreg('R4', 'TIME')], { slice });
      beside(g.machine, 'b', times(50, nop()));
      g.run();
      expect(g.get('R4')).toBe(5000n);
    }
  });

  it('rule 11: a wait whose interrupt is enabled takes it at the deadline', () => {
    const g = ran(
      [
        ...vector('handler'),
        movi('R2', 1),
        writereg('STATUS', 'R2'),
        ...timer(700),
        wait(),
        movi('R5', 1),
        label('handler'),
        readreg('R4', 'TIME'),
      ],
      { set: { R5: 0n } },
    );
    expect(g.all('R4', 'R5')).toEqual([700n, 0n]);
  });
});

describe('rule 11: two vCPUs in rounds', () => {
  const two: Asked = { vcpus: 2 };

  it('rule 11: each advances a quantum, then the next one', () => {
    // vCPU 1 counts turns of two instructions in memory; vCPU 0 looks there three times, 100 instructions apart.
    const lines: Line[] = [
      ...start('second'), // 4: its round ends here
      movi('R6', 0x2000), // 5
      load('R3', 'R6', 0), // 6
      ...times(99, nop()),
      load('R4', 'R6', 0), // 106
      ...times(99, nop()),
      load('R5', 'R6', 0), // 206
      ...exit(),
      label('second'),
      movi('R6', 0x2000),
      movi('R5', 0),
      label('again'),
      addi('R5', 'R5', 1),
      store('R5', 'R6', 0),
      jump('again'),
    ];
    // The quantum is 50. In its round after the start, vCPU 0 does 5 to 54 before vCPU 1 has begun: 0. Of 106 the round is the third, 105 to 154:
    // two quanta of vCPU 1 have gone, 100 instructions, 2 + 32 turns of three and two more, the store with them: 33. Of 206 it is the fifth, 205
    // to 254: four quanta, 200 instructions, 2 + 66 · 3: 66.
    for (const slice of [1, 3, 50, 70, 1000]) {
      for (const pcpus of [1, 2]) {
        const g = ran(lines, { ...two, quantum: 50, slice, pcpus });
        expect(g.all('R3', 'R4', 'R5'), `slice ${slice}, ${pcpus}`).toEqual([0n, 33n, 66n]);
      }
    }
  });

  it('rule 11: the clock advances by the longest of a round', () => {
    // vCPU 1 costs one cycle each; vCPU 0 loads at ten. Quantum 10: each round of vCPU 0 with ten loads is 100 cycles.
    const lines: Line[] = [
      ...start('second'), // cycle 4
      movi('R6', 0x2000),
      ...times(29, load('R5', 'R6', 0)),
      ...exit(),
      label('second'),
      ...times(9, nop()),
      readreg('R4', 'TIME'), // its tenth: at 4 + 9
      readreg('R5', 'TIME'), // the next round: at 4 + 91
      ...times(9, nop()),
      readreg('R6', 'TIME'), // and the next: at 95 + 100
      label('self'),
      jump('self'),
    ];
    for (const [slice, pcpus] of [
      [1, 1],
      [7, 1],
      [1000, 1],
      [1000, 2],
      [3, 2],
    ] as const) {
      const g = ran(lines, { ...two, quantum: 10, slice, pcpus, costs: { memory: { backend: 9 } } });
      const second = g.domain.vcpus[1]?.handle;
      expect([second?.get('R4'), second?.get('R5'), second?.get('R6')]).toEqual([13n, 95n, 195n]);
    }
  });

  it('rule 11: powered on by the machine, both begin in the first round', () => {
    const lines: Line[] = [
      movi('R6', 0x2000),
      load('R4', 'R6', 0),
      ...times(40, nop()),
      load('R5', 'R6', 0),
      ...exit(),
      label('second'),
      movi('R6', 0x2000),
      movi('R5', 9),
      store('R5', 'R6', 0),
      label('self'),
      jump('self'),
    ];
    for (const pcpus of [1, 2]) {
      const g = guest(lines, { ...two, quantum: 20, pcpus });
      const [, second] = g.domain.vcpus;
      // `second` stands behind 43 instructions and the exit.
      g.machine.power(second as NonNullable<typeof second>, [
        ['PC', 0x1000n + 4n * 46n],
        ['LEVEL', 1n],
      ]);
      g.run();
      expect(g.all('R4', 'R5')).toEqual([0n, 9n]);
      expect(second?.handle.get('R6')).toBe(0x2000n);
    }
  });

  it('rule 11: a yield gives the rest of the turn away', () => {
    // vCPU 1 stores 1 behind ten nops; vCPU 0 looks before and behind its yield.
    const lines: Line[] = [
      ...start('second'),
      movi('R6', 0x2000),
      load('R4', 'R6', 0),
      movi('R0', SERVICE.yield),
      trap(0),
      load('R5', 'R6', 0),
      ...exit(),
      label('second'),
      ...times(10, nop()),
      movi('R6', 0x2000),
      movi('R5', 1),
      store('R5', 'R6', 0),
      label('self'),
      jump('self'),
    ];
    for (const pcpus of [1, 2]) expect(ran(lines, { ...two, pcpus }).all('R4', 'R5')).toEqual([0n, 1n]);
  });

  it.each([1, 2])(
    'rule 11: a timer that falls into time given away comes at the next turn, on %i physical',
    (pcpus) => {
      // vCPU 0 yields early; the round lasts a thousand cycles, for vCPU 1 goes on. Its timer at 100 is long past when it runs next.
      const lines: Line[] = [
        ...vector('handler'), // 2
        movi('R2', 1),
        writereg('STATUS', 'R2'), // 4
        ...timer(100), // 7
        ...start('second'), // 11: the end of its round
        movi('R0', SERVICE.yield),
        trap(0), // 13: the end of the next one
        label('body'),
        ...times(20, nop()),
        movi('R5', 99),
        ...exit(),
        label('handler'),
        readreg('R4', 'EPC'),
        movi('R5', 'body'),
        readreg('R6', 'TIME'),
        ...exit(),
        label('second'),
        label('self'),
        jump('self'),
      ];
      const g = ran(lines, { ...two, pcpus });
      expect(g.get('R4')).toBe(g.get('R5'));
      // Round one ended at 11, round two lasted vCPU 1's thousand; two of the handler came before.
      expect(g.get('R6')).toBe(1013n);
    },
  );

  it.each([1, 2])('rule 11: when both wait, the nearer deadline is next, on %i physical', (pcpus) => {
    const lines: Line[] = [
      ...vector('handler'),
      movi('R2', 1),
      writereg('STATUS', 'R2'),
      ...start('second'),
      ...timer(30_000),
      wait(), // vCPU 1's store has been there for long
      movi('R4', -1),
      label('handler'),
      readreg('R4', 'TIME'),
      movi('R6', 0x2000),
      load('R5', 'R6', 0),
      ...exit(),
      label('second'),
      ...vector('handler'),
      movi('R2', 1),
      writereg('STATUS', 'R2'),
      ...timer(20_000),
      wait(),
      movi('R4', -1),
      label('self'),
      jump('self'),
    ];
    // Both have one vector, so vCPU 1 ends the domain at its own deadline.
    const g = ran(lines, { ...two, pcpus });
    expect(off(g, 1)).toBe(20_000n);
    expect(g.domain.vcpus[0]?.waiting).toBe(true);
  });

  it.each([1, 2])('rule 11: one that waits wakes within its round at its deadline, on %i physical', (pcpus) => {
    // vCPU 0 waits until 300, in the second round of 1,000; vCPU 1 runs on. Its clock then says 300, not the next round's.
    const lines: Line[] = [
      ...start('second'),
      ...timer(300),
      wait(),
      readreg('R4', 'TIME'),
      ...exit(),
      label('second'),
      label('self'),
      jump('self'),
    ];
    for (const slice of [1, 9, 2000]) expect(ran(lines, { ...two, pcpus, slice }).get('R4')).toBe(300n);
  });

  it.each([1, 2])(
    'rule 11: one that waits longer than a round wakes in the round of its deadline, on %i physical',
    (pcpus) => {
      const lines: Line[] = [
        ...start('second'),
        ...timer(3500),
        wait(),
        readreg('R4', 'TIME'),
        ...exit(),
        label('second'),
        label('self'),
        jump('self'),
      ];
      // Rounds begin at 0, 4, 1004, 2004, 3004: in the last one it jumps to 3500.
      for (const slice of [1, 9, 2000]) expect(ran(lines, { ...two, pcpus, slice }).get('R4')).toBe(3500n);
    },
  );

  it('rule 11: slices and physical CPUs change nothing a guest sees', () => {
    // Both count in memory under a timer each, and write down when it came.
    const handler = (at: number): Line[] => [
      readreg('R4', 'TIME'),
      movi('R5', 0),
      store('R4', 'R5', at),
      load('R4', 'R5', 0x2000),
      store('R4', 'R5', at + 8),
      store('R5', 'R6', 0),
      sysret(),
    ];
    const lines: Line[] = [
      ...vector('handler'),
      movi('R2', 1),
      writereg('STATUS', 'R2'),
      ...start('second'),
      ...timer(777),
      movi('R3', 900),
      label('count'),
      movi('R5', 0),
      load('R4', 'R5', 0x2000),
      addi('R4', 'R4', 1),
      store('R4', 'R5', 0x2000),
      addi('R3', 'R3', -1),
      bnez('R3', 'count'),
      ...exit(),
      label('handler'),
      ...handler(0x3000),
      label('second'),
      ...vector('handler'),
      movi('R2', 1),
      writereg('STATUS', 'R2'),
      ...timer(2222),
      movi('R3', -1),
      jump('count'),
    ];
    const seen = [1, 2, 7, 13, 100, 5000].flatMap((slice) =>
      [1, 2].map((pcpus) => {
        const g = guest(lines, { ...two, slice, pcpus, quantum: 100 });
        beside(g.machine, 'b', times(200, nop()));
        g.run(20_000);
        return JSON.stringify([
          g.domain.ended,
          g.domain.vcpus.map((v) => [v.instructions, v.cycles]),
          ...[0x2000n, 0x3000n, 0x3008n].map((at) => String(g.domain.memory.read(at, 8))),
        ]);
      }),
    );
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toContain('poweroff');
  });

  it('rule 11: another quantum is another interleaving, and a single vCPU knows none', () => {
    const lines = [...times(30, nop()), readreg('R4', 'TIME'), ...timer(100), wait(), readreg('R5', 'TIME')];
    for (const quantum of [1, 10, 1000]) expect(ran(lines, { quantum }).all('R4', 'R5')).toEqual([30n, 100n]);
  });
});

describe("rule 11: the machine's clock", () => {
  const machine: Asked = { time: 'machine' };

  it('rule 11: neighbours show, a documented leak', () => {
    // Slice 10: after ten of its own, ten of the neighbour's.
    const g = guest([...times(9, nop()), readreg('R4', 'TIME'), readreg('R5', 'TIME')], { ...machine, slice: 10 });
    beside(g.machine, 'b', times(500, nop()));
    g.run();
    expect(g.all('R4', 'R5')).toEqual([9n, 20n]);
  });

  it('rule 11: on a physical CPU of its own, none', () => {
    const g = guest([...times(9, nop()), readreg('R4', 'TIME'), readreg('R5', 'TIME')], {
      ...machine,
      slice: 10,
      pcpus: 2,
    });
    beside(g.machine, 'b', times(500, nop()));
    g.run();
    expect(g.all('R4', 'R5')).toEqual([9n, 10n]);
  });

  it('rule 11: with nobody else to run, it jumps to the deadline', () => {
    const g = ran([...timer(5000), wait(), readreg('R4', 'TIME')], machine);
    expect([g.domain.ended?.reason, g.get('R4')]).toEqual(['poweroff', 5000n]);
  });

  it('rule 11: a physical CPU with nothing to do keeps up with the others, and stops at its deadline', () => {
    const g = guest([...timer(250), wait(), readreg('R4', 'TIME')], { ...machine, slice: 100, pcpus: 2 });
    beside(g.machine, 'b', times(2000, nop()));
    g.run();
    expect(g.get('R4')).toBe(250n);
    // It had ended long before its neighbour, whose 2,003 it keeps up with.
    expect(g.machine.pcpus.map((p) => p.clock)).toEqual([2003, 2003]);
    expect(g.machine.pcpus.map((p) => p.cycles)).toEqual([8, 2003]);
  });

  it('rule 11: while a neighbour runs, a wait lasts as long as that takes', () => {
    // Four instructions, then the neighbour's slices of 100, until the clock has passed 250: at 304.
    const g = guest([...timer(250), wait(), readreg('R4', 'TIME')], { ...machine, slice: 100 });
    beside(g.machine, 'b', times(2000, nop()));
    g.run();
    expect([g.domain.ended?.reason, g.get('R4')]).toEqual(['poweroff', 304n]);
  });
});

describe('what waits for ever', () => {
  it('rule 11: ends, and says so', () => {
    const g = ran([nop(), wait(), nop()]);
    expect(g.domain.ended).toEqual({ reason: 'waits-for-ever', status: 0 });
    expect(g.said).toEqual([
      'CV_WAITS_FOR_EVER a: every vCPU waits for an interrupt, and nothing within 2^52 cycles could raise one.',
    ]);
    expect(g.domain.instructions()).toBe(2);
  });

  it('rule 11: with a timer that is past and switched off', () => {
    expect(ran([...timer(50), wait(), ...timer(0), wait()]).domain.ended?.reason).toBe('waits-for-ever');
  });

  it.each(['virtual', 'machine'] as const)('rule 11: whose deadline passes without waking anybody: %s', (time) => {
    const tiny = template.platforms.tiny as (typeof template.platforms)[string];
    const arch = { ...template, platforms: { tiny: { ...tiny, wakes: () => false } } } as unknown as Arch;
    const g = ran([...timer(500), wait()], { arch, time });
    expect([g.domain.ended?.reason, g.v.cycles]).toEqual(['waits-for-ever', 4]);
  });

  it.each([1, 2])('rule 11: both of two, and not one alone, on %i physical', (pcpus) => {
    const both = [...start('second'), wait(), label('second'), wait()];
    expect(ran(both, { vcpus: 2, pcpus }).domain.ended?.reason).toBe('waits-for-ever');
    const one = [...start('second'), wait(), label('second'), ...times(3000, nop())];
    // vCPU 1 falls into the exit that stands behind.
    expect(ran(one, { vcpus: 2, pcpus }).domain.ended?.reason).toBe('poweroff');
  });

  it('rule 11: under the clock of the machine as well, and the neighbour goes on', () => {
    const g = guest([wait()], { time: 'machine', slice: 10 });
    const b = beside(g.machine, 'b', times(100, nop()));
    g.run();
    expect([g.domain.ended?.reason, b.domain.ended?.reason]).toEqual(['waits-for-ever', 'poweroff']);
  });
});
