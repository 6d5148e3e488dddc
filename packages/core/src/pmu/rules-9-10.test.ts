/** Counting rules 9 and 10 (ARCHITECTURE.md): cycles come from the published table; an instruction that is not finished has its own. */
import type { Arch, CodeReader, Decoded, Lifter } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { disable, enable, prepare } from '../testing/counters.ts';
import { type Asked, guest, type Line, ran, times, vector, WITH_PMU } from '../testing/guest.ts';

const { add, addi, beqz, jump, label, load, movi, nop, readreg, store, sysret, wait, writereg } = asm;

describe('rule 9: cycles are a function of what retired and of the table', () => {
  const cycles: readonly Line[] = [
    ...prepare(0, 'CYCLES'),
    ...prepare(1, 'STALL_BACKEND'),
    ...prepare(2, 'STALL_FRONTEND'),
    ...prepare(3, 'INSTRUCTIONS'),
    movi('R5', 0x2000),
    ...enable(15),
  ];
  const all = ['PMC0', 'PMC1', 'PMC2', 'PMC3'];

  it('rule 9: one each by default, and no stall', () => {
    expect(ran([...cycles, load('R4', 'R5', 0), jump(1), nop(), ...disable]).all(...all)).toEqual([5n, 0n, 0n, 5n]);
  });

  it('rule 9: by class, replaceable one by one', () => {
    const costs = { memory: { backend: 9 }, branch: { frontend: 4 }, system: { backend: 1, frontend: 2 } };
    const g = ran([...cycles, load('R4', 'R5', 0), store('R4', 'R5', 0), jump(1), beqz('R3', 1), nop(), ...disable], {
      costs,
    });
    // Two of 10, two of 5, a nop of 1, a movi of 1, a writereg of 4; stalls 18 + 1 and 8 + 2.
    expect(g.all(...all)).toEqual([36n, 19n, 10n, 7n]);
    // Before: eight constants and eight writes that prepare, one address, two and two that enable. Behind: two constants and a trap.
    const before = 8 + 8 * 4 + 1 + 2 + 2 * 4;
    expect(g.domain.vcpus[0]?.cycles).toBe(before + 36 + 2 + 4);
  });

  it.each(WITH_PMU)('rule 9: waiting costs none, time goes on: %s', (policy) => {
    const g = ran(
      [
        movi('R5', 0x200),
        movi('R6', 10_000),
        store('R6', 'R5', 0),
        ...prepare(0, 'CYCLES'),
        ...enable(),
        readreg('R4', 'TIME'), // 1: at 11
        wait(), // 2
        readreg('R5', 'TIME'), // 3: at 10,000
        ...disable, // 5
      ],
      { policy },
    );
    expect(g.all('PMC0', 'R4', 'R5')).toEqual([5n, 11n, 10_000n]);
    // 3 + 8 + 5 and the exit.
    expect([g.v.cycles, g.domain.instructions()]).toEqual([19, 19]);
  });
});

describe('rule 10: an instruction that is not finished', () => {
  /** `fill`: R1 words of R3 to R2 and on, one in each turn; R1 counts down. A turn with nothing left retires. */
  const FILL = 0x30;
  const fill: Line = () => FILL * 2 ** 24;
  const row: Decoded = {
    name: 'fill',
    length: 4,
    cost: 'memory',
    signals: [],
    lift(b: Lifter): void {
      b.when(b.ne(b.get('R1'), b.constant(0)), () => {
        b.store(b.get('R2'), b.get('R3'), { size: 8 });
        b.set('R2', b.add(b.get('R2'), b.constant(8)));
        b.set('R1', b.sub(b.get('R1'), b.constant(1)));
        b.emit('store');
      });
      b.again(b.ne(b.get('R1'), b.constant(0)));
    },
  };
  const arch = {
    ...template,
    isa: {
      ...template.isa,
      decode: (code: CodeReader, ...rest: [bigint, number, never]): Decoded | undefined =>
        code.u32(0) === FILL * 2 ** 24 ? row : template.isa.decode(code, ...rest),
    },
  } as Arch;

  const prepared = (turns: number, stores = 0): Line[] => [
    ...prepare(0, 'INSTRUCTIONS'),
    ...prepare(1, 'CYCLES'),
    ...prepare(2, 'STORES', stores),
    movi('R1', turns),
    movi('R2', 0x2000),
  ];
  /** R2 moves on with each word; `enable` would take it. */
  const on: readonly Line[] = [movi('R4', 7), writereg('PMENSET', 'R4'), movi('R3', 1), writereg('PMCTL', 'R3')];

  it.each([0, 1, 2, 5, 300])('rule 10: %i turns are as many cycles, and one instruction', (turns) => {
    for (const slice of [1, 2, 3, 1000]) {
      const g = ran([...prepared(turns), ...on, fill, ...disable], { arch, slice });
      const own = Math.max(1, turns);
      expect(g.all('PMC0', 'PMC1', 'PMC2')).toEqual([3n, BigInt(own + 2), BigInt(turns)]);
      expect(g.get('R2')).toBe(0x2000n + 8n * BigInt(turns));
      expect(g.domain.instructions()).toBe(3 * 4 + 2 + 4 + 3 + 3);
      expect(g.v.cycles - g.domain.instructions()).toBe(own - 1);
      expect(turns === 0 ? 1n : g.domain.memory.read(0x2000n + 8n * BigInt(turns - 1), 8)).toBe(1n);
      expect(g.domain.memory.read(0x2000n + 8n * BigInt(turns), 8)).toBe(0n);
    }
  });

  it.each([1, 2, 4, 1000])(
    'rule 10: an interrupt comes between two turns, and it goes on where it was: slice %i',
    (slice) => {
      const asked: Asked = { arch, slice };
      const g = ran(
        [
          ...vector('handler'),
          ...prepared(9, -4),
          movi('R6', 'here'),
          movi('R4', 4),
          writereg('PMINTEN', 'R4'),
          movi('R4', 1),
          writereg('STATUS', 'R4'),
          ...on,
          label('here'),
          fill, // after four stores: the handler
          ...disable,
          jump('end'),
          label('handler'),
          readreg('R4', 'EPC'),
          readreg('R5', 'PMSTAT'),
          writereg('PMSTAT', 'R5'),
          movi('R0', 0),
          store('R1', 'R0', 0x3000), // what was left
          sysret(),
          label('end'),
          movi('R0', 0),
          load('R7', 'R0', 0x3000),
        ],
        asked,
      );
      expect(g.get('R4')).toBe(g.get('R6')); // `here`: the instruction itself
      // Five turns were left; nine words stand in memory, of which five came behind the wrap.
      expect(g.all('R5', 'R7', 'PMC2')).toEqual([4n, 5n, 5n + 1n]);
      // The fill, six of the handler, two that disable.
      expect(g.get('PMC0')).toBe(9n);
      expect(g.get('PMC1')).toBe(9n + 8n);
    },
  );

  it('rule 10: a fault in one of its turns leaves what was done', () => {
    // The last word of memory, and one more.
    const g = guest(
      [
        ...vector('handler'),
        ...prepared(3),
        movi('R2', 0x7ff8),
        add('R2', 'R2', 'R2'),
        addi('R2', 'R2', 0x1000),
        ...on,
        fill,
        nop(),
        label('handler'),
        addi('R7', 'R1', 0),
        ...disable,
      ],
      { arch },
    );
    g.run();
    // 0x10ff0 and 0x10ff8 are memory, 0x11000 is not: two turns not finished, no retirement; then the handler's three.
    expect(g.all('R7', 'PMC0', 'PMC1', 'PMC2', 'FAULT')).toEqual([1n, 3n, 5n, 2n, 0x11000n]);
  });

  it('rule 10: cycles overflow within it', () => {
    const g = ran(
      [
        ...vector('handler'),
        ...prepared(20),
        movi('R4', -6),
        writereg('PMC1', 'R4'),
        movi('R4', 2),
        writereg('PMINTEN', 'R4'),
        movi('R4', 1),
        writereg('STATUS', 'R4'),
        ...on,
        fill,
        ...times(3, nop()),
        label('handler'),
        addi('R7', 'R1', 0),
      ],
      { arch },
    );
    expect(g.get('R7')).toBe(14n);
  });
});
