/** Conditions, alerts, their interrupt and their place, event-based branches, time base events, branch history. Counts and addresses by hand from the comments. */
import { describe, expect, it } from 'vitest';
import { program as assemble, b, type Item, label, load, mfspr, mtmsrd, mtspr, nop, op, sc } from './asm.ts';
import { MMCR0, SIER } from './registers/mmcr.ts';
import { BASE, left, NOTES, off, run } from './testing/guest.ts';
import { address, radix, toProblem } from './testing/problem.ts';

const INSTRUCTIONS = 0x0202_0202n;
const EE = (1n << 63n) | 0x9000n;

const labelsOf = (items: readonly Item[]): ReadonlyMap<string, bigint> => assemble(items, BASE).labels;

/** Counter n is left this many events from negative. */
const from = (n: number, events: number): readonly Item[] => [
  load('r5', 0x8000_0000n - BigInt(events)),
  mtspr(`PMC${n}`, 'r5'),
];

/** Everything but MMCR0, whose values stand in r10 and r11. */
const prepare = (start: bigint, more: readonly Item[] = []): readonly Item[] => [
  load('r5', 0x7fff_ffff_0000),
  mtspr('DEC', 'r5'),
  load('r5', INSTRUCTIONS),
  mtspr('MMCR1', 'r5'),
  load('r28', NOTES),
  load('r30', MMCR0.FC),
  load('r10', start),
  more,
];

/** Handler at 0xF00: r20 = SRR0 - the label's address, r21 = MMCR0, r22 = SRR1; MMCR0 goes back frozen. */
const handler: readonly Item[] = [
  mfspr('r20', 'SRR0'),
  mfspr('r21', 'MMCR0'),
  mfspr('r22', 'SRR1'),
  mfspr('r23', 'SIAR'),
  mfspr('r24', 'PMC1'),
  mtspr('MMCR0', 'r30'),
  op('rfid'),
];

describe('the interrupt', () => {
  const program = (msr: bigint, ce: bigint, counter: number): readonly Item[] => [
    prepare(MMCR0.PMAE | ce, from(counter, 3)),
    address('r27', 'window'),
    load('r6', msr),
    mtmsrd('r6'),
    mtspr('MMCR0', 'r10'),
    label('window'),
    nop(), // 1
    nop(), // 2
    nop(), // 3: negative
    nop(),
    nop(),
    mtspr('MMCR0', 'r30'),
  ];
  it.each([
    ['PMC1CE', MMCR0.PMC1CE, 1],
    ['PMCjCE', MMCR0.PMCjCE, 2],
    ['PMCjCE', MMCR0.PMCjCE, 4],
    ['PMCjCE', MMCR0.PMCjCE, 5],
    ['PMCjCE', MMCR0.PMCjCE, 6],
  ])(
    'by %s, is taken behind the third instruction; SIAR is its address, PMAE gone and PMAO there',
    (_, ce, counter) => {
      const machine = run({ cpu: 'power9', vpmu: true, program: program(EE, ce, counter), vectors: { 3840: handler } });
      const [window = 0n, to = 0n, mmcr0, srr1, siar = 0n, sier] = left(
        machine,
        'GPR27',
        'GPR20',
        'GPR21',
        'GPR22',
        'GPR23',
        'SIER',
      );
      expect([to - window, siar - window]).toEqual([12n, 8n]);
      expect(mmcr0).toBe(MMCR0.PMAO | ce);
      // MSR[HV] is not touched.
      expect(srr1).toBe(EE);
      expect(sier).toBe(SIER.SIAR_VALID);
    },
  );
  it('waits for EE, and is a level', () => {
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      program: [
        prepare(MMCR0.PMAE | MMCR0.PMC1CE, from(1, 3)),
        address('r27', 'window'),
        load('r6', EE),
        mtspr('MMCR0', 'r10'),
        label('window'),
        Array.from({ length: 9 }, () => nop()),
        mtmsrd('r6'), // window + 36: taken behind it
        nop(),
      ],
      vectors: { 3840: handler },
    });
    const [window = 0n, to = 0n, siar = 0n] = left(machine, 'GPR27', 'GPR20', 'GPR23');
    expect([to - window, siar - window]).toEqual([40n, 8n]);
  });
  it.each([
    ['PMC1CE', MMCR0.PMC1CE, 2],
    ['PMCjCE', MMCR0.PMCjCE, 1],
    ['nothing', 0n, 1],
  ])('%s has no say about the other counters', (_, ce, counter) => {
    const machine = run({ cpu: 'power9', vpmu: true, program: program(EE, ce, counter), vectors: { 3840: handler } });
    expect(left(machine, 'GPR20', `PMC${counter}`)).toEqual([0n, 0x8000_0003n]);
  });
  it('with PMCC 0b11 PMC5 is no condition', () => {
    const closed = 3n << 18n;
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      program: program(EE, MMCR0.PMCjCE | closed, 5),
      vectors: { 3840: handler },
    });
    expect(left(machine, 'GPR20')).toEqual([0n]);
  });
});

describe('a negative counter is a level', () => {
  const machine = (writes: readonly Item[]) =>
    run({
      cpu: 'power9',
      vpmu: true,
      program: [
        prepare(MMCR0.FC, [load('r5', 0x8000_0000n), mtspr('PMC1', 'r5'), mtspr('MMCR0', 'r10')]),
        address('r27', 'window'),
        label('window'),
        writes,
      ],
    });
  const set = (value: bigint): readonly Item[] => [load('r5', value), mtspr('MMCR0', 'r5')];
  const { FC, PMAE, PMAO, PMC1CE, FCECE, TRIGGER } = MMCR0;
  it.each([
    ['PMAE with the condition: at once', set(FC | PMAE | PMC1CE), FC | PMAO | PMC1CE],
    ['the condition after PMAE', [set(FC | PMAE), set(FC | PMAE | PMC1CE)], FC | PMAO | PMC1CE],
    ['no condition: nothing', set(FC | PMAE), FC | PMAE],
    ['no PMAE: no alert, but FCECE freezes', set(PMC1CE | FCECE), FC | PMC1CE | FCECE],
    ['TRIGGER ends, and FCECE is as 0 meanwhile', set(PMC1CE | FCECE | TRIGGER | PMAE), PMC1CE | FCECE | PMAO],
    ['TRIGGER ends without a condition, too', set(FC | TRIGGER | PMAE), FC | PMAE],
    ['PMAO is software’s to set and clear', [set(FC | PMAO), set(FC)], FC],
  ] as const)('%s', (_, writes, expected) => {
    expect(left(machine(writes), 'MMCR0')).toEqual([expected]);
  });
  it('a counter that is written negative', () => {
    const writes = [set(FC | PMAE | MMCR0.PMCjCE), load('r5', 0xffff_ffffn), mtspr('PMC3', 'r5')];
    expect(left(machine(writes), 'MMCR0', 'SIER')).toEqual([FC | PMAO | MMCR0.PMCjCE, SIER.SIAR_VALID]);
  });
  it('SIAR is the address of the write that found it', () => {
    const [siar = 0n, window = 0n] = left(machine([nop(), set(FC | PMAE | PMC1CE), nop()]), 'SIAR', 'GPR27');
    // nop, four to load, the write.
    expect(siar - window).toBe(20n);
  });
});

describe('what a condition does', () => {
  it('TRIGGER: the others begin when PMC1 turns negative', () => {
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      program: [
        prepare(MMCR0.TRIGGER, from(1, 4)),
        mtspr('MMCR0', 'r10'),
        Array.from({ length: 4 }, () => nop()), // 4: negative
        Array.from({ length: 3 }, () => nop()), // 3, and the write
        mtspr('MMCR0', 'r30'),
      ],
    });
    expect(left(machine, 'PMC1', 'PMC2', 'PMC4', 'PMC5', 'PMC6')).toEqual([0x8000_0004n, 4n, 4n, 4n, 4n]);
  });
  it('FCECE: all stop at that boundary', () => {
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      program: [
        prepare(MMCR0.FCECE | MMCR0.PMCjCE, from(2, 4)),
        mtspr('MMCR0', 'r10'),
        Array.from({ length: 9 }, () => nop()),
      ],
    });
    expect(left(machine, 'PMC1', 'PMC2', 'MMCR0')).toEqual([4n, 0x8000_0000n, MMCR0.FC | MMCR0.FCECE | MMCR0.PMCjCE]);
  });
  it('at 31 bits alone: from all ones to 0 is no condition', () => {
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      program: [
        prepare(0n, [load('r5', 0xffff_fffen), mtspr('PMC1', 'r5')]),
        mtspr('MMCR0', 'r10'),
        nop(), // all ones
        nop(), // 0
        load('r6', MMCR0.PMAE | MMCR0.PMC1CE), // 2: 2
        mtspr('MMCR0', 'r6'), // 3
        nop(), // 4
        mtspr('MMCR0', 'r30'), // 5
      ],
    });
    expect(left(machine, 'PMC1', 'MMCR0')).toEqual([5n, MMCR0.FC]);
  });
  it('SDAR is the address of the data, where the instruction has some', () => {
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      program: [
        prepare(MMCR0.PMAE | MMCR0.PMC1CE, from(1, 2)),
        address('r27', 'window'),
        mtspr('MMCR0', 'r10'),
        label('window'),
        nop(),
        op('std', 'r5', 24, 'r28'),
        op('ld', 'r5', 8, 'r28'),
      ],
    });
    const [siar = 0n, window = 0n, ...rest] = left(machine, 'SIAR', 'GPR27', 'SDAR', 'SIER');
    expect(siar - window).toBe(4n);
    expect(rest).toEqual([BigInt(NOTES) + 24n, SIER.SIAR_VALID | SIER.SDAR_VALID]);
  });
  it('of the hypervisor’s own work: SIER says so, and no address is valid', () => {
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      program: [
        prepare(MMCR0.PMAE | MMCR0.PMC1CE, from(1, 500)),
        load('r3', 0x28),
        mtspr('MMCR0', 'r10'),
        sc(1), // and 1000
        mtspr('MMCR0', 'r30'),
        mfspr('r20', 'SIER'),
      ],
      config: { hypervisor: { trap: { instructions: 1000 } } },
    });
    expect(left(machine, 'GPR20')).toEqual([SIER.SIHV]);
  });
});

describe('time base events', () => {
  // 64 ticks are 125 cycles: bit 8 of the time base is first 1 at tick 256, which is cycle 500.
  it.each([
    ['55', 2n, 500n],
    ['51', 1n, 8000n],
    ['63', 3n, undefined],
  ])('TBSEL for bit %s', (_bit, select, cycle) => {
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      program: [
        prepare(MMCR0.PMAE | MMCR0.TBEE | (select << 23n)),
        load('r6', EE),
        mtmsrd('r6'),
        mtspr('MMCR0', 'r10'),
        label('wait'),
        b('wait'),
      ],
      vectors: { 3840: [mfspr('r20', 'TB'), mfspr('r21', 'MMCR0'), ...off] },
    });
    const [tb = 0n, mmcr0 = 0n] = left(machine, 'GPR20', 'GPR21');
    expect(mmcr0 & (MMCR0.PMAE | MMCR0.PMAO)).toBe(MMCR0.PMAO);
    if (cycle === undefined) expect(tb).toBeLessThan(20n);
    else expect(tb).toBe((cycle * 64n) / 125n);
  });
  it('FCECE freezes at it, without PMAE', () => {
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      program: [
        prepare(MMCR0.FCECE | MMCR0.TBEE | (2n << 23n)),
        mtspr('MMCR0', 'r10'),
        label('wait'),
        mfspr('r5', 'TB'),
        op('cmpi', 'cr0', 1, 'r5', 300),
        op('bc', 12, 0, -8),
      ],
    });
    const [mmcr0 = 0n, pmc6 = 0n] = left(machine, 'MMCR0', 'PMC6');
    expect(mmcr0 & MMCR0.FC).toBe(MMCR0.FC);
    // Frozen at cycle 500: the instructions before the start are not counted.
    expect(pmc6).toBeGreaterThan(400n);
    expect(pmc6).toBeLessThan(500n);
  });
});

describe('event-based branches', () => {
  it('an alert with EBE and PME branches in problem state, and no interrupt is taken', () => {
    const user = MMCR0.PMAE | MMCR0.PMC1CE | MMCR0.EBE | (2n << 18n);
    const items: readonly Item[] = [
      prepare(MMCR0.FC | user, [radix, from(1, 4)]),
      load('r5', 1n << 7n),
      mtspr('FSCR', 'r5'),
      mtspr('MMCR0', 'r10'),
      toProblem('user'),
      label('user'),
      address('r5', 'ebb'),
      mtspr('EBBHR', 'r5'),
      load('r5', (1n << 63n) | (1n << 32n)),
      mtspr('BESCRS', 'r5'),
      address('r27', 'window'),
      load('r5', MMCR0.PMAE),
      mtspr('UMMCR0', 'r5'),
      label('window'),
      nop(), // 1
      nop(), // 2
      nop(), // 3
      nop(), // 4: negative
      nop(), // where it goes on
      sc(0),
      label('ebb'),
      mfspr('r20', 'EBBRR'),
      mfspr('r21', 'BESCR'),
      mfspr('r22', 'UMMCR0'),
      load('r5', 0n),
      mtspr('UPMC1', 'r5'),
      load('r5', MMCR0.PMAE),
      mtspr('UMMCR0', 'r5'),
      load('r5', 1n),
      mtspr('BESCRR', 'r5'),
      load('r5', 1n << 32n),
      mtspr('BESCRS', 'r5'),
      op('rfebb', 1),
      label('kernel'),
    ];
    const done = labelsOf(items).get('kernel') as bigint;
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      program: items,
      vectors: { 3072: [op('b', Number(done) - 0xc00)] },
    });
    const [to = 0n, window = 0n, bescr, mmcr0, after] = left(machine, 'GPR20', 'GPR27', 'GPR21', 'GPR22', 'BESCR');
    expect(to - window).toBe(16n);
    // GE is gone while the handler runs, PME too; PMEO tells why.
    expect(bescr).toBe(1n);
    expect(mmcr0).toBe(MMCR0.PMAO);
    expect(after).toBe((1n << 63n) | (1n << 32n));
  });
});

describe('the branch history', () => {
  it('has taken branches, the youngest first; with an address of its own for a target that a register holds', () => {
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      program: [
        prepare(MMCR0.FC | MMCR0.PMAE),
        op('clrbhrb'),
        address('r27', 'window'),
        address('r6', 'third'),
        op('mtspr', 9, 'r6'),
        mtspr('MMCR0', 'r10'),
        label('window'),
        b('second'), // 0
        nop(),
        label('second'),
        op('bcctr', 20, 0, 0), // 8
        nop(),
        label('third'),
        nop(), // 16
        mtspr('MMCR0', 'r30'),
        ...[0, 1, 2, 3].map((n) => op('mfbhrbe', `r${20 + n}`, n)),
      ],
    });
    const [window = 0n, ...entries] = left(machine, 'GPR27', 'GPR20', 'GPR21', 'GPR22', 'GPR23');
    expect(entries).toEqual([window + 8n, (window + 16n) | 2n, window, 0n]);
  });
  it.each([
    ['without PMAE', 0n, 'power9'],
    ['while FCS freezes it', MMCR0.PMAE | MMCR0.FCS, 'power9'],
    ['of privileged state from version 3.1 on', MMCR0.PMAE, 'power10'],
  ])('is empty %s', (_, start, cpu) => {
    const machine = run({
      cpu,
      vpmu: true,
      program: [
        prepare(start),
        op('clrbhrb'),
        mtspr('MMCR0', 'r10'),
        b(4),
        mtspr('MMCR0', 'r30'),
        op('mfbhrbe', 'r20', 0),
      ],
    });
    expect(left(machine, 'GPR20')).toEqual([0n]);
  });
});

describe("Linux's filters", () => {
  // isa207-common: exclude_user is FCnP0, exclude_kernel FCnS in a guest, exclude_hv FCnH, each in the counter's own group of MMCR2.
  const group = (n: number, bit: number): bigint => 1n << BigInt(63 - 9 * (n - 1) - bit);
  it.each(['power9', 'power10'])('%s: :u, :k, :h and none, side by side', (cpu) => {
    const [S, P0, H] = [0, 1, 6] as const;
    const filters = group(1, S) | group(1, H) | group(2, P0) | group(2, H) | group(3, S) | group(3, P0);
    const items: readonly Item[] = [
      prepare(0n, radix),
      load('r5', filters),
      mtspr('MMCR2', 'r5'),
      address('r5', 'user'),
      mtspr('SRR0', 'r5'),
      load('r5', (1n << 63n) | 0xc030n),
      mtspr('SRR1', 'r5'),
      load('r3', 0x28),
      mtspr('MMCR0', 'r10'),
      sc(1), // supervisor 1, hypervisor 1000
      op('rfid'), // 2
      label('user'),
      nop(), // problem 1
      nop(), // 2
      sc(0), // 3
      label('kernel'), // supervisor: the handler's branch 3
      mtspr('MMCR0', 'r30'), // 4
    ];
    const done = labelsOf(items).get('kernel') as bigint;
    const machine = run({
      cpu,
      vpmu: true,
      program: items,
      vectors: { 3072: [op('b', Number(done) - 0xc00)] },
      config: { hypervisor: { trap: { instructions: 1000 } } },
    });
    expect(left(machine, 'PMC1', 'PMC2', 'PMC3', 'PMC4')).toEqual([3n, 4n, 1000n, 1007n]);
  });
  it('a 970 has them in MMCR0, for all counters alike', () => {
    // ppc970-pmu: PMC1SEL 1 (instructions); FCP, FCS, FCH; problem state cannot be reached without a hashed page table.
    const own = 1n << 8n;
    const counted = (freeze: bigint): bigint | undefined => {
      const machine = run({
        cpu: '970',
        vpmu: true,
        program: [prepare(own | freeze), load('r3', 0x28), mtspr('MMCR0', 'r10'), sc(1), nop(), mtspr('MMCR0', 'r30')],
        config: { hypervisor: { trap: { instructions: 1000 } } },
      });
      return left(machine, 'PMC1')[0];
    };
    expect([counted(0n), counted(MMCR0.FCS), counted(MMCR0.FCP), counted(MMCR0.FCH)]).toEqual([1003n, 0n, 1003n, 3n]);
  });
});
