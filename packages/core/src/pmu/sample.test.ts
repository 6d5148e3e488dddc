/** What core tells an architecture that samples: at which boundaries, and what it knows of the instruction. Counts in comments were made by hand. */
import type { Arch, Branch, Counted, Exception, Lifter, Retired, Sampling, View } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { type Asked, event, type Guest, guest, type Line, RAM, ran, toUser, vector } from '../testing/guest.ts';
import { counter } from '../testing/sampled.ts';

const { beqz, bnez, call, jump, label, load, movi, nop, readreg, ret, store, syscall, writereg } = asm;

const sampling = (how: Sampling): Arch => ({ ...template, sampling: how }) as unknown as Arch;

interface Seen {
  readonly counted: readonly Counted[];
  readonly retired: Retired;
}

/** Counter 0 counts an event, this far from its overflow; the body runs with it. Uses R2, R3. */
const body = (name: string, left: number, lines: readonly Line[], more: readonly Line[] = []): Line[] => [
  ...vector('off'),
  movi('R2', event(name)),
  writereg('PMSEL0', 'R2'),
  movi('R2', -left),
  writereg('PMC0', 'R2'),
  ...more,
  movi('R2', 15),
  writereg('PMENSET', 'R2'),
  movi('R3', 1),
  writereg('PMCTL', 'R3'),
  label('body'),
  ...lines,
  label('off'),
  movi('R3', 0),
  writereg('PMCTL', 'R3'),
  movi('R7', 'body'),
];

/** Where an address is, in instructions from the label `body`. */
const place = (g: Guest, pc: bigint): number => Number(BigInt.asIntN(64, pc - g.get('R7'))) / 4;

function seen(how: Partial<Sampling>, lines: readonly Line[], asked: Asked = {}): { g: Guest; all: Seen[] } {
  const all: Seen[] = [];
  const arch = sampling({
    ...how,
    boundary(vcpu, counted, retired) {
      all.push({ counted, retired });
      return how.boundary?.(vcpu, counted, retired);
    },
  });
  return { g: ran(lines, { arch, policy: 'emulated', ...asked }), all };
}

const DATA = RAM + 0x800;

describe('a boundary that is sampled', () => {
  const work = [
    movi('R4', DATA),
    load('R5', 'R4', 0), // 1: the first load
    store('R5', 'R4', 8),
    load('R5', 'R4', 16), // 3: the second
    nop(),
    load('R5', 'R4', 24), // 5: the third
    nop(),
  ];

  it.each(['emulated', 'switched', 'passthrough'] as const)(
    'is the one of an overflow, with the address of its data; %s',
    (policy) => {
      const { g, all } = seen({}, body('LOADS', 2, work), { policy, slice: 3 });
      expect(all.map(({ counted }) => counted)).toEqual([[{ counter: 0, amount: 1, wrapped: true, armed: false }]]);
      const [{ retired }] = all as [Seen];
      expect([place(g, retired.pc), place(g, retired.next)]).toEqual([3, 4]);
      expect(retired).toMatchObject({ level: 1, name: 'load' });
      expect(retired.access).toEqual({ address: BigInt(DATA + 16), size: 8, write: false });
    },
  );

  it('has no data address where the instruction has none, and a store says that it wrote', () => {
    expect(seen({}, body('INSTRUCTIONS', 5, work)).all.map(({ retired }) => retired.access)).toEqual([undefined]);
    expect(seen({}, body('STORES', 1, work)).all.map(({ retired }) => retired.access)).toEqual([
      { address: BigInt(DATA + 8), size: 8, write: true },
    ]);
  });

  it('of a slow access, to a device or across pages, has its address too', () => {
    const lines = [movi('R4', RAM + 0xffc), load('R5', 'R4', 0), movi('R4', 0x100), load('R5', 'R4', 0)];
    for (const [left, address] of [
      [1, RAM + 0xffc],
      [2, 0x100],
    ] as const) {
      const { all } = seen({}, body('LOADS', left, lines));
      expect(all.map(({ retired }) => retired.access?.address)).toEqual([BigInt(address)]);
    }
  });

  it('is also the next event of an armed counter, and only that', () => {
    let armed = false;
    const { g, all } = seen(
      {
        armed: (_: View, n: number) => armed && n === 0,
        boundary(_vcpu, counted) {
          armed = counted[0]?.wrapped === true;
          return undefined;
        },
      },
      body('LOADS', 1, work),
    );
    expect(all.map(({ counted: [one], retired }) => [one?.wrapped, one?.armed, place(g, retired.pc)])).toEqual([
      [true, false, 1],
      [false, true, 3],
    ]);
  });

  it('may be every event: a counter that stays armed', () => {
    const { g, all } = seen({ armed: () => true }, body('INSTRUCTIONS', 1000, work));
    // The body's seven, the movi behind it, and the write that disables (rule 2).
    expect(all.map(({ retired }) => place(g, retired.pc))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('can raise an exception there, before the next instruction', () => {
    const fault: Exception = { kind: 'access', address: 0x1234n };
    const { g } = seen({ boundary: () => fault }, [
      ...vector('handler'),
      ...body('LOADS', 1, [...vector('handler'), ...work], []).slice(2),
      jump('end'),
      label('handler'),
      readreg('R6', 'FAULT'),
      readreg('R5', 'EPC'),
      movi('R7', 'body'),
      label('end'),
    ]);
    // Two instructions of `vector`, movi, and the load: the exception stands behind it.
    expect([g.get('R6'), place(g, g.get('R5'))]).toEqual([0x1234n, 4]);
  });
});

describe('branches that are written down', () => {
  const lines = [
    movi('R4', 0),
    beqz('R4', 'on'), // 1, taken
    nop(),
    label('on'),
    bnez('R4', 'on'), // 3, not taken
    call('f'), // 4
    jump('over'), // 5
    label('f'),
    ret(), // 6
    label('over'),
    nop(), // 7
  ];

  function branches(given: readonly Line[], on: (view: View, level: number) => boolean = () => true) {
    const all: Branch[] = [];
    const arch = sampling({
      branches: (view, level) => view.field('PMCTL', 'E') === 1n && on(view, level),
      branched(_vcpu, branch) {
        all.push(branch);
        return undefined;
      },
    });
    return { g: ran(body('INSTRUCTIONS', 1000, given), { arch, policy: 'emulated' }), all };
  }

  it('are those taken, with both ends', () => {
    const { g, all } = branches(lines);
    expect(all.map(({ kind, name, from, to }) => [kind, name, place(g, from), place(g, to)])).toEqual([
      ['branch', 'beqz', 1, 3],
      ['call', 'call', 4, 6],
      ['return', 'ret', 6, 5],
      ['branch', 'jump', 5, 7],
    ]);
  });

  it('and the ways to other levels and back', () => {
    const { g, all } = branches([
      ...toUser('user'), // 0 to 4
      syscall(7), // 5
    ]);
    expect(all.map(({ kind, name, levels, from }) => [kind, name, levels, place(g, from)])).toEqual([
      ['exception-return', 'sysret', [1, 0], 4],
      ['exception', 'syscall', [0, 1], 5],
    ]);
  });

  it('at the levels asked for alone', () => {
    expect(
      branches(
        [...lines, ...toUser('user'), jump('next'), label('next'), syscall(7)],
        (_, level) => level === 0,
      ).all.map(({ name }) => name),
    ).toEqual(['jump', 'syscall']);
  });

  it('change nothing else', () => {
    const without = ran(body('INSTRUCTIONS', 1000, lines), { policy: 'emulated' });
    const { g } = branches(lines);
    expect(g.all('PMC0', 'R4', 'R7')).toEqual(without.all('PMC0', 'R4', 'R7'));
    expect(g.v.instructions).toBe(without.v.instructions);
  });
});

describe('a counter with a threshold', () => {
  const { pmu } = template as unknown as Arch;
  const with0 = (threshold: NonNullable<(typeof pmu.counters)[number]['threshold']>): Arch =>
    ({
      ...template,
      pmu: { ...pmu, counters: pmu.counters.map((one, n) => (n === 0 ? { ...one, threshold } : one)) },
    }) as unknown as Arch;
  const costs = { memory: { backend: 3, frontend: 0 } };
  const lines = [movi('R4', DATA), load('R5', 'R4', 0), load('R5', 'R4', 8), nop(), load('R5', 'R4', 0), nop()];

  it.each([
    // Loads cost four cycles, everything else one: 4 + 3 * 4 + movi and the write = 3 + 12 + 2.
    ['cycles with a load', 'LOADS', { least: 1, invert: false, edge: false }, 3],
    ['cycles without', 'LOADS', { least: 1, invert: true, edge: false }, 14],
    ['runs of cycles without', 'LOADS', { least: 1, invert: true, edge: true }, 4],
    ['runs of stalls', 'STALL_BACKEND', { least: 1, invert: false, edge: true }, 3],
  ])('%s', (_what, name, threshold, expected) => {
    const g = guest(body(name, 0, lines), { arch: with0(() => threshold), costs, policy: 'emulated' });
    expect(Number(g.run().get('PMC0'))).toBe(expected);
  });

  it('overflows at its instruction, whatever the slice', () => {
    for (const slice of [1, 2, 7]) {
      const g = guest([...counter('LOADS', -2), ...body('LOADS', 2, lines).slice(6)], {
        arch: with0(() => ({ least: 1, invert: false, edge: false })),
        policy: 'emulated',
        slice,
      });
      expect(g.run().get('PMSTAT') & 1n).toBe(1n);
    }
  });
});

describe('ports', () => {
  const { isa, platforms } = template as unknown as Arch;
  const tiny = platforms.tiny as NonNullable<typeof platforms.tiny>;
  const shape = { size: 1, space: 'io' } as const;
  const written: [number, number | bigint][] = [];
  const arch = {
    ...template,
    isa: {
      ...isa,
      // `nop` writes R4 to the port in R5 and reads it back into R6.
      decode(...args: Parameters<typeof isa.decode>) {
        const found = isa.decode(...args);
        if (found?.name !== 'nop') return found;
        const lift = (b: Lifter): void => {
          b.store(b.get('R5'), b.get('R4'), shape);
          b.set('R6', b.get('R4'));
        };
        return { ...found, lift };
      },
    },
    platforms: {
      tiny: {
        ...tiny,
        devices: [
          ...tiny.devices,
          {
            name: 'port',
            per: 'domain',
            space: 'io',
            // The console's place in memory, and no overlap.
            range: { base: 0x100n, size: 2 },
            sizes: [1],
            state: () => ({}),
            write(_: unknown, offset: number, __: number, value: number | bigint) {
              written.push([offset, value]);
              return true;
            },
          },
        ],
      },
    },
  } as unknown as Arch;

  it('are apart from memory; one that nobody answers is named', () => {
    const g = ran([movi('R4', 0x41), movi('R5', 0x101), nop(), movi('R5', 0x200), nop()], { arch });
    expect(written).toEqual([[1, 0x41]]);
    expect(g.domain.console).toBe('');
    expect(g.said).toEqual([expect.stringMatching(/^CV_NO_PORT a: the guest wrote port 0x200 /)]);
  });
});

describe('an access to no register', () => {
  it('is what the architecture says it is', () => {
    const { isa } = template as unknown as Arch;
    const register = (_: View, { index, write }: { index: number; write: boolean }): Exception => ({
      kind: 'privileged',
      syndrome: BigInt(index) | (write ? 0x1000n : 0n),
    });
    const arch = { ...template, isa: { ...isa, faults: { ...isa.faults, register } } } as unknown as Arch;
    const lines = (line: Line): Line[] => [...vector('handler'), line, label('handler'), readreg('R6', 'CAUSE')];
    expect(ran(lines(readreg('R4', 0x7f)), { arch }).get('R6')).toBe(2n | (0x7fn << 8n));
    expect(ran(lines(writereg(0x7f, 'R4')), { arch }).get('R6')).toBe(2n | (0x107fn << 8n));
  });
});
