/**
 * Counting on a whole machine: guest programs, with what each must read worked out in its comments. PMSWINC_EL0, CHAIN and what else the field's own suite
 * checks: suite-*.test.ts.
 */
import type { MachineConfig } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import {
  add,
  adr,
  b,
  bcond,
  bl,
  eret,
  type Item,
  isb,
  label,
  ldp,
  ldr,
  load,
  mem,
  mov,
  movz,
  mrs,
  msr,
  nop,
  quads,
  ret,
  str,
  subs,
  svc,
} from './asm.ts';
import { left, machine, run } from './testing/guest.ts';

const set = (register: string, value: number | bigint): Item => [load('X0', value), msr(register, 'X0')];
const get = (x: string, register: string): Item => mrs(x, register);
const times = (n: number, item: Item): readonly Item[] => Array.from({ length: n }, () => item);

/** Everything at 0: counters, selectors, enables, status. */
const clear: Item = [
  ...times(1, set('PMCR_EL0', 6)),
  set('PMCNTENCLR_EL0', 0xffff_ffff),
  set('PMOVSCLR_EL0', 0xffff_ffff),
  set('PMINTENCLR_EL1', 0xffff_ffff),
  set('PMEVTYPER0_EL0', 0),
  set('PMEVTYPER1_EL0', 0),
  set('PMCCFILTR_EL0', 0),
  set('PMUSERENR_EL0', 0),
];
const enable = (counters: number, pmcr = 1): Item => [
  set('PMCNTENSET_EL0', counters),
  load('X0', pmcr),
  msr('PMCR_EL0', 'X0'),
];
const disable: Item = msr('PMCR_EL0', 'XZR');

const emulated: Partial<MachineConfig> = { personality: 'plain' };
const on = (cpu: string): Partial<MachineConfig> => ({ ...emulated, cpu });

describe('the window', () => {
  it('begins behind the enabling write and ends with the disabling one', () => {
    const program = (n: number): readonly Item[] => [
      clear,
      set('PMEVTYPER0_EL0', 0x08),
      enable(0x8000_0001, 0x41),
      ...times(n, nop()), // n
      disable, // 1
      get('X20', 'PMEVCNTR0_EL0'),
      get('X21', 'PMCCNTR_EL0'),
      get('X22', 'PMOVSCLR_EL0'),
    ];
    for (const n of [0, 1, 7, 100]) {
      expect(run(program(n), emulated, 'X20', 'X21', 'X22')).toEqual([BigInt(n + 1), BigInt(n + 1), 0n]);
    }
  });
  it('is filtered by level: U leaves EL0 out, P EL1', () => {
    const program = (type: number): readonly Item[] => [
      clear,
      set('PMEVTYPER0_EL0', type),
      adr('X1', 'vectors'),
      msr('VBAR_EL1', 'X1'),
      set('SPSR_EL1', 0x3c0),
      adr('X1', 'user'),
      msr('ELR_EL1', 'X1'),
      enable(1),
      eret(), // 1 at EL1
      label('user'),
      ...times(5, nop()), // 5 at EL0
      svc(0), // 1 at EL0
      ...times(3, nop()),
      { bytes: new Uint8Array(0), align: 2048 },
      label('vectors'),
      { bytes: new Uint8Array(0x400), align: 4 },
      disable, // 1 at EL1
      get('X20', 'PMEVCNTR0_EL0'),
      label('end'),
    ];
    const count = (type: number) => run(program(type), emulated, 'X20')[0];
    expect(count(0x08)).toBe(8n);
    expect(count(0x4000_0008)).toBe(2n);
    expect(count(0x8000_0008)).toBe(6n);
    expect(count(0xc000_0008)).toBe(0n);
    // EXC_TAKEN and EXC_RETURN count at the level that is left.
    expect([count(0x09), count(0x4000_0009), count(0x8000_0009)]).toEqual([1n, 0n, 1n]);
    expect([count(0x0a), count(0x4000_000a), count(0x8000_000a)]).toEqual([1n, 1n, 0n]);
  });
});

describe('events', () => {
  /** Ten turns of a loop with two loads, one store of a pair, one call and its return. */
  const body: Item = [
    adr('X2', 'data'),
    movz('X3', 10), // 2
    label('again'),
    ldr('X4', mem('X2')), // 10 turns: load
    ldr('X5', mem('X2', 8)), // load
    str('X4', mem('X2', 16)), // store
    ldp('X6', 'X7', mem('X2')), // load of two
    bl('leaf'), // immediate branch, call
    subs('X3', 'X3', 1),
    bcond('NE', 'again'), // immediate branch; 9 taken
    b('over'), // immediate branch
    label('leaf'),
    ret(), // return
    label('data'),
    { bytes: new Uint8Array(64), align: 8 },
    label('over'),
  ];
  const count = (event: number, cpu = 'neoverse-n2') =>
    run(
      [clear, set('PMEVTYPER0_EL0', event), enable(1), body, disable, get('X20', 'PMEVCNTR0_EL0')],
      on(cpu),
      'X20',
    )[0];
  it.each([
    ['INST_RETIRED', 0x08, 2 + 10 * 8 + 1 + 1],
    ['INST_SPEC', 0x1b, 2 + 10 * 8 + 1 + 1],
    ['CPU_CYCLES', 0x11, 2 + 10 * 8 + 1 + 1],
    ['LD_RETIRED', 0x06, 30],
    ['ST_RETIRED', 0x07, 10],
    ['MEM_ACCESS', 0x13, 10 * 5],
    ['UNALIGNED_LDST_RETIRED', 0x0f, 0],
    ['BR_RETIRED', 0x21, 10 * 3 + 1],
    ['BR_IMMED_RETIRED', 0x0d, 10 * 2 + 1],
    ['BR_RETURN_RETIRED', 0x0e, 10],
    // bl and ret each turn, 9 of 10 back, once over the data.
    ['PC_WRITE_RETIRED', 0x0c, 10 * 2 + 9 + 1],
    ['STALL_BACKEND', 0x24, 0],
    ['an event that is not supported', 0x03, 0],
  ])('%s', (_name, event, expected) => {
    expect(count(event)).toBe(BigInt(expected));
  });
  it('UNALIGNED_LDST_RETIRED counts what would fault under SCTLR_EL1.A', () => {
    // One block of 1 GiB, mapped onto itself: T0SZ 25, so the first level is 1; attribute 0 is normal memory; AF, bits 1:0 are 1.
    const paging: Item = [
      set('MAIR_EL1', 0xff),
      set('TCR_EL1', 25 | (1 << 23)),
      adr('X1', 'table'),
      msr('TTBR0_EL1', 'X1'),
      set('SCTLR_EL1', 1),
      isb(),
    ];
    const table: Item = [
      b('behind'),
      { bytes: new Uint8Array(0), align: 4096 },
      label('table'),
      quads(0, 0x4000_0000 | 0x401),
      label('behind'),
    ];
    const accesses: Item = [
      adr('X2', 'behind'),
      ldr('X3', mem('X2')), // aligned
      ldr('X3', mem('X2', 1)),
      ldr('W3', mem('X2', 2)),
      ldr('W3', mem('X2', 4)), // aligned
      ldp('X4', 'X5', mem('X2', 8)), // aligned
    ];
    const program: readonly Item[] = [
      table,
      clear,
      paging,
      set('PMEVTYPER0_EL0', 0x0f),
      enable(1),
      accesses,
      disable,
      get('X20', 'PMEVCNTR0_EL0'),
    ];
    expect(run(program, emulated, 'X20')).toEqual([2n]);
  });
  it('STALL_BACKEND and STALL_FRONTEND move with the cost table, and cycles with them', () => {
    const costs = { load: { backend: 3 }, branch: { frontend: 2 } };
    const of = (event: number) =>
      run(
        [clear, set('PMEVTYPER0_EL0', event), enable(1), body, disable, get('X20', 'PMEVCNTR0_EL0')],
        { ...on('neoverse-n2'), costs },
        'X20',
      )[0];
    expect([of(0x24), of(0x23), of(0x3c)]).toEqual([90n, 62n, 152n]);
    expect(of(0x11)).toBe(84n + 152n);
    expect(of(0x08)).toBe(84n);
  });
});

describe('the cycle counter', () => {
  const program = (pmcr: number, preset: bigint): readonly Item[] => [
    clear,
    set('PMCCNTR_EL0', preset),
    enable(0x8000_0000, pmcr),
    load('X1', 400),
    label('again'),
    subs('X1', 'X1', 1),
    bcond('NE', 'again'),
    disable, // 1 + 800 + 1 = 802
    get('X20', 'PMCCNTR_EL0'),
    get('X21', 'PMOVSCLR_EL0'),
  ];
  const of = (pmcr: number, preset = 0n) => run(program(pmcr, preset), on('cortex-a57'), 'X20', 'X21');
  it('counts every cycle, or with D every 64th while LC is 0', () => {
    expect(of(0x01)).toEqual([802n, 0n]);
    expect(of(0x09)).toEqual([12n, 0n]); // 802 = 12 * 64 + 34
    expect(of(0x49)).toEqual([802n, 0n]);
  });
  it('overflows beyond 32 bits, or with LC beyond 64, and has 64 either way', () => {
    expect(of(0x01, 0xffff_ffffn)).toEqual([0x1_0000_0321n, 0x8000_0000n]);
    expect(of(0x41, 0xffff_ffffn)).toEqual([0x1_0000_0321n, 0n]);
    expect(of(0x41, 0xffff_ffff_ffff_ffffn)).toEqual([0x321n, 0x8000_0000n]);
  });
});

describe('two domains on one CPU', () => {
  /** Leaves its cycle counter running, then works so that the other one has its turn. With HPMN = 0 it may touch no event counter. */
  const leaver: readonly Item[] = [
    set('PMCR_EL0', 4),
    set('PMCCFILTR_EL0', 0),
    set('PMCNTENSET_EL0', 0x8000_0000),
    set('PMCR_EL0', 0x41),
    load('X1', 3000),
    label('a'),
    subs('X1', 'X1', 1),
    bcond('NE', 'a'),
  ];
  /** Leaves a mark in an event counter. */
  const marker: readonly Item[] = [
    set('PMCR_EL0', 0),
    set('PMEVCNTR2_EL0', 0x1eaf),
    load('X1', 3000),
    label('a'),
    subs('X1', 'X1', 1),
    bcond('NE', 'a'),
  ];
  /** Never touches a control: reads what is there, twice. */
  const reader: readonly Item[] = [
    load('X1', 50),
    label('a'),
    subs('X1', 'X1', 1),
    bcond('NE', 'a'),
    get('X20', 'PMCCNTR_EL0'),
    get('X21', 'PMCR_EL0'),
  ];
  const pair = (first: readonly Item[], second: readonly Item[], config: Partial<MachineConfig>) => {
    const made = machine(
      { slice: 1000, pcpus: 1, cpu: 'neoverse-n1', ...config },
      { name: 'leaver', program: first },
      { name: 'reader', program: second },
    );
    left(made, 'leaver');
    return left(made, 'reader', 'X20', 'X21');
  };
  const both = (config: Partial<MachineConfig>) => pair(leaver, reader, config);
  it('xen-arm compat: one reads the other’s cycles', () => {
    const [cycles, pmcr] = both({ personality: 'xen-arm', mode: 'compat' }) as [bigint, bigint];
    expect(pmcr).toBe(0x410c_0041n);
    // The leaver's slice of 1000, less what came before the enabling write, and the reader's own.
    expect(cycles).toBeGreaterThan(900n);
    expect(cycles).toBeLessThan(1200n);
  });
  it('xen-arm compat with hpmn0: all: and its event counters', () => {
    const peek = [...reader, get('X20', 'PMEVCNTR2_EL0')];
    const compat = { personality: 'xen-arm', mode: 'compat', cpuSettings: { hpmn0: 'all' } } as const;
    expect(pair(marker, peek, compat)[0]).toBe(0x1eafn);
    for (const config of [{ personality: 'xen-arm', mode: 'strict' }, { personality: 'plain' }] as const) {
      expect(pair(marker, peek, config)[0]).not.toBe(0x1eafn);
    }
  });
  it.each([
    ['xen-arm strict', { personality: 'xen-arm', mode: 'strict' }],
    ['plain', { personality: 'plain' }],
    ['kvm-arm64', { personality: 'kvm-arm64' }],
  ] as const)('%s: it reads what it had at power-on', (_name, config) => {
    const alone = left(
      machine({ slice: 1000, pcpus: 1, cpu: 'neoverse-n1', ...config }, { name: 'reader', program: reader }),
      'reader',
      'X20',
      'X21',
    );
    expect(both(config)).toEqual(alone);
  });
});

describe('Xen’s ways, from inside', () => {
  const xen = { personality: 'xen-arm', mode: 'compat', cpu: 'neoverse-n1' } as const;
  it('vpmu = 1: no event counters, the cycle counter there', () => {
    expect(run([get('X20', 'PMCR_EL0'), get('X21', 'MDSCR_EL1')], xen, 'X20', 'X21')).toEqual([0x410c_0000n, 0n]);
    expect(run([get('X20', 'PMCR_EL0')], { ...xen, cpuSettings: { hpmn0: 'all' } }, 'X20')).toEqual([0x410c_3000n]);
  });
  it('vpmu = 0: PMUVer shows, PMCR_EL0 reads 0', () => {
    const made = machine(xen, { program: [get('X20', 'ID_AA64DFR0_EL1'), get('X21', 'PMCR_EL0')], vpmu: false });
    const [dfr0, pmcr] = left(made, 'd0', 'X20', 'X21') as [bigint, bigint];
    expect([(dfr0 >> 8n) & 15n, pmcr]).toEqual([4n, 0n]);
  });
  it('hpmn0: diagnostic ends the domain by name', () => {
    const made = machine({ ...xen, cpuSettings: { hpmn0: 'diagnostic' } }, { program: [get('X20', 'PMCR_EL0')] });
    expect(made.domain('d0').ended?.reason).toBe('unmodelled');
  });
});

describe('the interrupt', () => {
  /** GICv2: distributor at 0x08000000, CPU interface at 0x08010000; INTID 23 is bit 23 of GICD_ISENABLER0. */
  const poke = (at: number, value: number): Item => [load('X1', at), load('X2', value), str('W2', mem('X1'))];
  const program = (inten: number): readonly Item[] => [
    clear,
    adr('X1', 'vectors'),
    msr('VBAR_EL1', 'X1'),
    poke(0x0801_0004, 0xf0),
    poke(0x0801_0000, 1),
    poke(0x0800_0100, 1 << 23),
    poke(0x0800_0000, 1),
    set('PMINTENSET_EL1', inten),
    set('PMEVTYPER0_EL0', 0x08),
    set('PMEVCNTR0_EL0', 0xffff_ffff - 9),
    movz('X24', 0),
    movz('X23', 0),
    msr('DAIF', 'XZR'),
    enable(1),
    ...times(20, add('X23', 'X23', 1)), // the counter wraps with the 10th
    disable,
    get('X21', 'PMOVSCLR_EL0'),
    b('end'),
    { bytes: new Uint8Array(0), align: 2048 },
    label('vectors'),
    { bytes: new Uint8Array(0x280), align: 4 },
    // IRQ from EL1h.
    mov('X25', 'X23'), // how far the program came
    add('X24', 'X24', 1),
    load('X1', 0x0801_000c),
    ldr('W26', mem('X1')), // IAR
    mrs('X20', 'PMOVSCLR_EL0'),
    msr('PMOVSCLR_EL0', 'X20'),
    str('W26', mem('X1', 4)), // EOIR
    eret(),
    label('end'),
  ];
  const names = ['X24', 'X25', 'X26', 'X20', 'X21'];
  it('comes once, at the very instruction, as INTID 23', () => {
    expect(run([...program(1)], emulated, ...names)).toEqual([1n, 10n, 23n, 1n, 0n]);
  });
  it('does not come unless it is enabled', () => {
    expect(run([...program(2)], emulated, 'X24', 'X21')).toEqual([0n, 1n]);
  });
  it.each([
    ['strict', { personality: 'xen-arm', mode: 'strict' }],
    ['switched', { personality: 'plain' }],
  ] as const)('comes with the physical registers: %s', (policy, config) => {
    const made = machine(config, { program: program(1), ...(policy === 'switched' && { policy }) });
    expect(left(made, 'd0', ...names)).toEqual([1n, 10n, 23n, 1n, 0n]);
  });
  it('never comes under xen-arm compat', () => {
    expect(
      run(program(1), { personality: 'xen-arm', mode: 'compat', cpuSettings: { hpmn0: 'all' } }, 'X24', 'X21'),
    ).toEqual([0n, 1n]);
  });
});
