/**
 * The policy mediated: counters divided between guest and host. What traps on which CPU, what a guest counts, and that the host's counters are neither touched
 * nor seen. Expectations by hand from Arm DDI 0487 (MDCR_EL2, HDFGRTR_EL2, HDFGWTR_EL2) and the table in the cover text of the series that proposes it for KVM.
 */
import { Handle, type Machine, type MachineConfig } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import {
  add,
  adr,
  b,
  bcond,
  eret,
  type Item,
  label,
  ldr,
  load,
  mem,
  mov,
  movn,
  movz,
  mrs,
  msr,
  nop,
  str,
  subs,
  svc,
} from './asm.ts';
import { cpus } from './registers/models.ts';
import { booted, left, machine, run } from './testing/guest.ts';
import { Fake, type Options } from './testing/view.ts';

const set = (register: string, value: number | bigint): Item => [load('X0', value), msr(register, 'X0')];
const get = (x: string, register: string): Item => mrs(x, register);
const times = (n: number, item: Item): readonly Item[] => Array.from({ length: n }, () => item);
const INST_RETIRED = 0x08;
const CPU_CYCLES = 0x11;

const MODELS = [...Object.keys(cpus), 'neoverse-n2,+fgt', 'cortex-a57,+fgt'];
const mediated = { policy: 'mediated' } as const;
const keeps = (host_counters: number, counters = 6): Partial<MachineConfig> => ({
  cpuSettings: { counters, host_counters },
});

/** The guest's counters stopped and at 0. */
const clear: Item = [
  set('PMCR_EL0', 6),
  set('PMCNTENCLR_EL0', 0xffff_ffff),
  set('PMOVSCLR_EL0', 0xffff_ffff),
  set('PMINTENCLR_EL1', 0xffff_ffff),
  set('PMCCFILTR_EL0', 0),
];

/** A register of the physical CPU, whoever is on it. */
function physical(made: Machine, name: string, value?: bigint, at = 0): bigint {
  const register = made.arch.byName.get(name);
  const pcpu = made.pcpus[at];
  if (register === undefined || pcpu === undefined) throw new Error(`no ${name} on ${at}`);
  if (pcpu.current !== undefined) {
    const handle = new Handle(pcpu.current, true);
    if (value !== undefined) handle.store(register, value);
    return handle.raw(register);
  }
  const words = pcpu.rest.subarray(register.bankSlot * 2, register.bankSlot * 2 + 2);
  if (value !== undefined) words.set([Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))]);
  return (BigInt((words[1] as number) >>> 0) << 32n) | BigInt((words[0] as number) >>> 0);
}

/** The host uses counters 4 and 5 of six: the guests' instructions and cycles, at EL1 and EL0. */
const HOST = 0x30n;
const HOST_STATE = ['PMEVCNTR4_EL0', 'PMEVTYPER4_EL0', 'PMEVCNTR5_EL0', 'PMEVTYPER5_EL0'] as const;
function hostCounts(made: Machine, at = 0, from = 0n): Machine {
  for (const [name, value] of [
    ['PMEVTYPER4_EL0', BigInt(INST_RETIRED)],
    ['PMEVTYPER5_EL0', BigInt(CPU_CYCLES)],
    ['PMEVCNTR4_EL0', from],
    ['PMEVCNTR5_EL0', from],
    ['PMCNTEN', HOST],
    ['PMINTEN', HOST],
    ['PMOVS', 0n],
  ] as const) {
    physical(made, name, value, at);
  }
  return made;
}

/** GICv2: distributor at 0x08000000, CPU interface at 0x08010000; INTID 23 is bit 23 of GICD_ISENABLER0. */
const poke = (at: number, value: number): Item => [load('X1', at), load('X2', value), str('W2', mem('X1'))];
const listen: Item = [
  adr('X1', 'vectors'),
  msr('VBAR_EL1', 'X1'),
  poke(0x0801_0004, 0xf0),
  poke(0x0801_0000, 1),
  poke(0x0800_0100, 1 << 23),
  poke(0x0800_0000, 1),
];
/** Counts what it takes in X24: IRQs, with X23 kept in X25, and undefined instructions, which it steps over. */
const vectors: Item = [
  { bytes: new Uint8Array(0), align: 2048 },
  label('vectors'),
  { bytes: new Uint8Array(0x200), align: 4 },
  // Synchronous, from EL1.
  add('X24', 'X24', 1),
  mrs('X1', 'ELR_EL1'),
  add('X1', 'X1', 4),
  msr('ELR_EL1', 'X1'),
  eret(),
  { bytes: new Uint8Array(0x80 - 5 * 4), align: 4 },
  // IRQ, from EL1.
  mov('X25', 'X23'),
  add('X24', 'X24', 1),
  load('X1', 0x0801_000c),
  ldr('W26', mem('X1')), // IAR
  mrs('X20', 'PMOVSCLR_EL0'),
  msr('PMOVSCLR_EL0', 'X20'),
  str('W26', mem('X1', 4)), // EOIR
  eret(),
];

const exits = (made: Machine, name = 'd0'): number => made.domain(name).vcpus[0]?.exits.get('sysreg') ?? 0;

describe('what traps', () => {
  /** At EL1, to read and to write: with FEAT_FGT, D for direct and T for trapped; - where there is no such access. */
  const FINE: Readonly<Record<string, string>> = {
    PMCR_EL0: 'DD',
    PMCNTENSET_EL0: 'DD',
    PMCNTENCLR_EL0: 'DD',
    PMINTENSET_EL1: 'DD',
    PMINTENCLR_EL1: 'DD',
    PMSELR_EL0: 'DD',
    PMCCNTR_EL0: 'DD',
    PMEVCNTR0_EL0: 'DD',
    PMEVCNTR3_EL0: 'DD',
    PMXEVCNTR_EL0: 'DD',
    PMUSERENR_EL0: 'DD',
    PMSWINC_EL0: '-D',
    PMOVSSET_EL0: 'TT',
    PMOVSCLR_EL0: 'TT',
    PMEVTYPER0_EL0: 'TT',
    PMEVTYPER3_EL0: 'TT',
    PMXEVTYPER_EL0: 'TT',
    PMCCFILTR_EL0: 'TT',
    PMCEID0_EL0: 'T-',
    PMCEID1_EL0: 'T-',
    PMMIR_EL1: 'T-',
    // The host's: undefined, by way of the hypervisor.
    PMEVCNTR4_EL0: 'TT',
    PMEVTYPER5_EL0: 'TT',
  };
  const enforced = (cpu: string, fgt: boolean, options: Options = {}): Fake => {
    const made = new Fake({ cpu, policy: 'mediated', counters: 6, host_counters: 2, ...options });
    // As policy.test.ts has them.
    made.set('MDCR_EL2', fgt ? 0x84n : 0xe4n);
    if (fgt)
      for (const [name, bits] of [
        ['HDFGRTR_EL2', 0x400_0000_0044_6000n],
        ['HDFGWTR_EL2', 0x4_6000n],
      ] as const)
        made.set(name, bits);
    return made;
  };
  const verdicts = (on: Fake, name: string): string =>
    [undefined, 0n]
      .map((write) => {
        const decided = on.decide(name, write);
        return decided.verdict === 'direct' ? 'D' : decided.verdict === 'undefined' ? '-' : 'T';
      })
      .join('');

  it('with FEAT_FGT: selectors, the overflow status, what tells of the host’s PMU; all else is direct', () => {
    const on = enforced('max', true);
    expect(Object.fromEntries(Object.keys(FINE).map((name) => [name, verdicts(on, name)]))).toEqual(FINE);
  });
  it('without it: everything, by MDCR_EL2.TPM', () => {
    for (const cpu of ['cortex-a57', 'neoverse-n1', 'neoverse-v1', 'neoverse-n2']) {
      const on = enforced(cpu, false);
      for (const [name, fine] of Object.entries(FINE)) {
        const expected = name === 'PMMIR_EL1' && !on.cpu.features.has('pmuv3p4') ? '--' : fine.replace(/D/g, 'T');
        expect([cpu, name, verdicts(on, name)]).toEqual([cpu, name, expected]);
      }
    }
  });

  it.each(MODELS)('%s: a guest that counts makes so many exits', (cpu) => {
    const program: readonly Item[] = [
      set('PMCR_EL0', 6), // direct: PMCR
      set('PMCNTENCLR_EL0', 0xffff_ffff), // direct
      set('PMSELR_EL0', 1), // direct
      set('PMXEVTYPER_EL0', INST_RETIRED), // trapped
      set('PMEVTYPER0_EL0', CPU_CYCLES), // trapped
      set('PMCCFILTR_EL0', 0), // trapped
      set('PMCNTENSET_EL0', 0x8000_0003), // direct
      set('PMCR_EL0', 0x41), // direct
      ...times(10, nop()), // 10
      msr('PMCR_EL0', 'XZR'), // 11; direct
      get('X20', 'PMEVCNTR0_EL0'), // direct
      get('X21', 'PMXEVCNTR_EL0'), // direct
      get('X22', 'PMCCNTR_EL0'), // direct
      get('X23', 'PMOVSSET_EL0'), // trapped
    ];
    const made = machine({ cpu, ...keeps(2) }, { program, ...mediated });
    const all = 5 + 3 + 4 + 1;
    expect(left(made, 'd0', 'X20', 'X21', 'X22')).toEqual([11n, 11n, 11n]);
    expect(exits(made)).toBe(cpu === 'max' || cpu.endsWith('+fgt') ? 4 : all);
    expect(made.domain('d0').vcpus[0]?.exits.get('hypercall')).toBe(1);
  });

  it('EL0 is shut out by the guest’s own PMUSERENR_EL0, and the hypervisor does not hear of it', () => {
    const program: readonly Item[] = [
      adr('X1', 'vectors'),
      msr('VBAR_EL1', 'X1'),
      set('PMUSERENR_EL0', 4), // CR: 1 exit without FEAT_FGT
      adr('X1', 'user'),
      msr('ELR_EL1', 'X1'),
      msr('SPSR_EL1', 'XZR'),
      eret(),
      label('user'),
      get('X20', 'PMCCNTR_EL0'), // allowed: 1 exit without FEAT_FGT
      get('X21', 'PMEVCNTR0_EL0'), // not: taken to EL1
      svc(0),
      { bytes: new Uint8Array(0), align: 2048 },
      label('vectors'),
      { bytes: new Uint8Array(0x400), align: 4 },
      mrs('X22', 'ESR_EL1'),
    ];
    for (const mode of ['compat', 'strict'] as const) {
      for (const [cpu, expected] of [
        ['cortex-a57', 2],
        ['max', 0],
      ] as const) {
        const made = machine({ cpu, personality: 'kvm-arm64', mode }, { program, ...mediated });
        // EC 0x18, IL; read of Op0 3, Op2 0, Op1 3, CRn 14, Rt 21, CRm 8.
        expect(left(made, 'd0', 'X22')).toEqual([0x6230_fab1n]);
        expect([cpu, exits(made)]).toEqual([cpu, expected]);
      }
    }
  });

  it('leaves no fine-grained trap behind for the neighbour', () => {
    const program: readonly Item[] = [
      ...times(40, get('X20', 'PMEVTYPER0_EL0')),
      ...times(40, get('X21', 'PMOVSSET_EL0')),
    ];
    const made = machine(
      { cpu: 'max', slice: 7 },
      { name: 'a', program, ...mediated },
      { name: 'b', program, policy: 'switched' },
      { name: 'c', program, policy: 'emulated' },
    );
    expect(['a', 'b', 'c'].map((name) => exits(made, name))).toEqual([80, 0, 80]);
    expect(made.domain('a').vcpus[0]?.switches).toBeGreaterThan(5);
  });
});

describe('the division', () => {
  it.each(MODELS)(
    '%s: a guest has the counters below HPMN, and its bits of the registers that have one for each',
    (cpu) => {
      const program: readonly Item[] = [
        movz('X24', 0),
        listen,
        get('X20', 'PMCR_EL0'),
        movn('X0', 0),
        ...['PMCNTENSET_EL0', 'PMINTENSET_EL1', 'PMOVSSET_EL0'].map((name) => msr(name, 'X0')),
        get('X21', 'PMCNTENCLR_EL0'),
        get('X22', 'PMINTENCLR_EL1'),
        get('X23', 'PMOVSCLR_EL0'),
        get('X27', 'PMEVCNTR3_EL0'),
        get('X27', 'PMEVCNTR4_EL0'), // undefined
        msr('PMEVTYPER5_EL0', 'X0'), // undefined
        set('PMSELR_EL0', 4),
        get('X27', 'PMXEVCNTR_EL0'), // undefined
        msr('PMXEVTYPER_EL0', 'X0'), // undefined
        get('X27', 'PMEVCNTR6_EL0'), // undefined: there is none
        set('PMSELR_EL0', 31),
        get('X27', 'PMXEVTYPER_EL0'),
        b('end'),
        vectors,
        label('end'),
      ];
      const made = machine({ cpu, ...keeps(2) }, { program, ...mediated });
      const [pmcr, ...seen] = left(made, 'd0', 'X20', 'X21', 'X22', 'X23', 'X24') as [bigint, ...bigint[]];
      expect((pmcr >> 11n) & 31n).toBe(4n);
      expect(seen).toEqual([0x8000_000fn, 0x8000_000fn, 0x8000_000fn, 5n]);
    },
  );

  it('the host keeps none unless it says so, and the other policies know nothing of it', () => {
    const n = (policy: 'mediated' | 'emulated' | 'switched', host_counters: number): bigint =>
      ((left(machine(keeps(host_counters), { program: [get('X20', 'PMCR_EL0')], policy }), 'd0', 'X20')[0] as bigint) >>
        11n) &
      31n;
    expect([n('mediated', 0), n('mediated', 5), n('emulated', 5), n('switched', 5)]).toEqual([6n, 1n, 6n, 6n]);
  });

  it('counts nothing of the hypervisor’s work, whatever the guest asks for', () => {
    const NSH = 1 << 27;
    const program: readonly Item[] = [
      clear,
      set('PMEVTYPER0_EL0', 0xfc00_0008 & ~(3 << 30)), // NSK, NSU, NSH, M as well
      get('X22', 'PMEVTYPER0_EL0'),
      set('PMCCFILTR_EL0', NSH),
      get('X23', 'PMCCFILTR_EL0'),
      set('PMCNTENSET_EL0', 0x8000_0001),
      set('PMCR_EL0', 0x41),
      ...times(3, set('PMEVTYPER1_EL0', NSH)), // 6, and three exits
      msr('PMCR_EL0', 'XZR'), // 7
      get('X20', 'PMEVCNTR0_EL0'),
      get('X21', 'PMCCNTR_EL0'),
    ];
    for (const cpu of MODELS) {
      const hypervisor = { trap: { instructions: 1000 }, switch: { instructions: 777 } };
      const made = machine({ cpu, hypervisor, slice: 5 }, { program, ...mediated }, { program, ...mediated });
      for (const name of ['d0', 'd1']) {
        expect([cpu, ...left(made, name, 'X20', 'X21', 'X22', 'X23')]).toEqual([cpu, 7n, 7n, 8n, 0n]);
      }
    }
    // What UNKNOWN holds at power-on has NSH as well.
    const untouched: readonly Item[] = [
      set('PMCNTENSET_EL0', 0x8000_0000),
      set('PMCCNTR_EL0', 0),
      set('PMCR_EL0', 0x41),
      ...times(9, get('X20', 'PMOVSSET_EL0')),
      msr('PMCR_EL0', 'XZR'),
      get('X20', 'PMCCNTR_EL0'),
    ];
    const worked = { hypervisor: { trap: { instructions: 1000 } }, cpu: 'cortex-a57' };
    const made = machine(worked, { program: untouched, ...mediated });
    // P, U and NSU of that pattern are set, NSK is not: EL1 is left out.
    expect(left(made, 'd0', 'X20')).toEqual([0n]);
  });

  it('HPMN = 0: no event counters with FEAT_HPMN0, or as the setting hpmn0 has it; never the host’s', () => {
    const program: readonly Item[] = [
      movz('X24', 0),
      listen,
      clear,
      get('X20', 'PMCR_EL0'),
      get('X27', 'PMEVCNTR0_EL0'), // undefined
      set('PMCNTENSET_EL0', 0xffff_ffff),
      get('X21', 'PMCNTENSET_EL0'),
      set('PMCR_EL0', 0x41),
      ...times(5, nop()),
      msr('PMCR_EL0', 'XZR'),
      get('X22', 'PMCCNTR_EL0'),
      b('end'),
      vectors,
      label('end'),
    ];
    const made = (cpu: string, hpmn0: string): Machine =>
      machine({ cpu, cpuSettings: { counters: 6, host_counters: 6, hpmn0 } }, { program, ...mediated });
    for (const [cpu, hpmn0] of [
      ['max', 'none'],
      ['max', 'all'],
      ['max', 'diagnostic'],
      ['neoverse-n1,+hpmn0', 'all'],
      ['neoverse-n1,+hpmn0,+fgt', 'all'],
      ['neoverse-n1', 'none'],
      ['cortex-a57', 'none'],
    ] as const) {
      const [pmcr, ...seen] = left(made(cpu, hpmn0), 'd0', 'X20', 'X21', 'X22', 'X24') as [bigint, ...bigint[]];
      expect([cpu, (pmcr >> 11n) & 31n, ...seen]).toEqual([cpu, 0n, 0x8000_0000n, 6n, 1n]);
    }
    for (const cpu of ['neoverse-n1', 'neoverse-n1,+fgt', 'max,-hpmn0']) {
      for (const hpmn0 of ['all', 'diagnostic']) {
        expect([cpu, hpmn0, made(cpu, hpmn0).domain('d0').ended?.reason]).toEqual([cpu, hpmn0, 'unmodelled']);
      }
    }
  });
});

describe('the host’s counters', () => {
  /** Everything that a guest can write, all ones and all zeros, in turns. */
  const writable = [
    'PMCR_EL0',
    'PMCNTENSET_EL0',
    'PMCNTENCLR_EL0',
    'PMINTENSET_EL1',
    'PMINTENCLR_EL1',
    'PMOVSSET_EL0',
    'PMOVSCLR_EL0',
    'PMSWINC_EL0',
    'PMCCNTR_EL0',
    'PMCCFILTR_EL0',
    'PMUSERENR_EL0',
    'PMEVCNTR0_EL0',
    'PMEVCNTR3_EL0',
    'PMEVTYPER0_EL0',
    'PMEVTYPER3_EL0',
  ];
  const wild: readonly Item[] = [
    set('PMSELR_EL0', 3),
    load('X9', 30),
    label('again'),
    movn('X0', 0),
    ...writable.map((name) => msr(name, 'X0')),
    ...['PMXEVTYPER_EL0', 'PMXEVCNTR_EL0'].map((name) => msr(name, 'X0')),
    ...writable.map((name) => msr(name, 'XZR')),
    subs('X9', 'X9', 1),
    bcond('NE', 'again'),
  ];

  it.each(MODELS)('%s: count all that the guests do, and none of it reaches them', (cpu) => {
    for (const slice of [3, 50, 10_000]) {
      const made = hostCounts(
        booted({ cpu, slice, ...keeps(2) }, { program: wild, ...mediated }, { program: wild, ...mediated }),
      );
      made.run({ until: 100_000 });
      const all = made.domains.reduce((sum, domain) => sum + domain.instructions(), 0);
      expect(all).toBeGreaterThan(2000);
      expect(made.domains.map(({ ended }) => ended?.reason)).toEqual(['poweroff', 'poweroff']);
      expect(HOST_STATE.map((name) => physical(made, name))).toEqual([BigInt(all), 8n, BigInt(all), 17n]);
      // Its enables are as they were, and no overflow has been put there or taken away.
      expect(['PMCNTEN', 'PMINTEN', 'PMOVS'].map((name) => physical(made, name) & HOST)).toEqual([HOST, HOST, 0n]);
    }
  });

  it('are each physical CPU’s own: a vCPU that moves takes none along', () => {
    const made = booted(
      { cpu: 'max', pcpus: 2, slice: 20, ...keeps(2) },
      { program: wild, ...mediated },
      { program: wild, ...mediated },
    );
    hostCounts(made, 0, 1000n);
    hostCounts(made, 1, 5000n);
    made.run({ until: 100_000 });
    const counted = [0, 1].map(
      (at) => Number(physical(made, 'PMEVCNTR4_EL0', undefined, at)) - (at === 0 ? 1000 : 5000),
    );
    expect(counted).toEqual(made.pcpus.map(({ instructions }) => instructions));
    expect(counted.every((n) => n > 500)).toBe(true);
  });

  it('overflow for the host: the status is there, the guest sees no bit of it and takes no interrupt', () => {
    const program: readonly Item[] = [
      movz('X24', 0),
      movz('X23', 0),
      clear,
      listen,
      set('PMEVTYPER0_EL0', INST_RETIRED),
      set('PMEVCNTR0_EL0', 0xffff_ffff - 9),
      set('PMINTENSET_EL1', 1),
      set('PMCNTENSET_EL0', 1),
      msr('DAIF', 'XZR'),
      set('PMCR_EL0', 1),
      ...times(20, add('X23', 'X23', 1)), // the guest's own wraps with the 10th
      msr('PMCR_EL0', 'XZR'),
      ...times(20, nop()), // PMCR_EL0.E is 0, HPME is not
      get('X21', 'PMOVSSET_EL0'),
      get('X22', 'PMINTENSET_EL1'),
      b('end'),
      vectors,
      label('end'),
    ];
    for (const cpu of MODELS) {
      // The host's wrap somewhere before and behind, at 32 bits.
      for (const before of [5, 50, 75, 90, 95]) {
        const made = hostCounts(
          booted({ cpu, ...keeps(2) }, { program, ...mediated }),
          0,
          0x1_0000_0000n - BigInt(before),
        );
        made.run({ until: 10_000 });
        expect([cpu, before, ...left(made, 'd0', 'X24', 'X25', 'X26', 'X20', 'X21', 'X22')]).toEqual([
          cpu,
          before,
          1n,
          10n,
          23n,
          1n,
          0n,
          1n,
        ]);
        expect([cpu, before, physical(made, 'PMOVS') & HOST]).toEqual([cpu, before, HOST]);
      }
    }
  });
});

describe('the guest’s counters', () => {
  const program = (n: number): readonly Item[] => [
    clear,
    set('PMEVTYPER0_EL0', INST_RETIRED),
    set('PMEVTYPER3_EL0', CPU_CYCLES),
    set('PMEVCNTR3_EL0', n),
    set('PMUSERENR_EL0', n % 16),
    set('PMCNTENSET_EL0', 0x8000_0009),
    set('PMCR_EL0', 0x41),
    ...times(n, nop()), // n
    msr('PMCR_EL0', 'XZR'), // n + 1
    ...times(30, nop()),
    get('X20', 'PMEVCNTR0_EL0'),
    get('X21', 'PMEVCNTR3_EL0'),
    get('X22', 'PMCCNTR_EL0'),
    get('X23', 'PMUSERENR_EL0'),
    get('X24', 'PMCNTENSET_EL0'),
    get('X25', 'PMEVTYPER3_EL0'),
  ];
  const LENGTHS = [1, 40, 123];
  const results = (config: Partial<MachineConfig>): readonly unknown[] => {
    const made = machine(config, ...LENGTHS.map((n) => ({ program: program(n), ...mediated })));
    return LENGTHS.map((_, n) => [
      ...left(made, `d${n}`, 'X20', 'X21', 'X22', 'X23', 'X24', 'X25'),
      made.domain(`d${n}`).instructions(),
      exits(made, `d${n}`),
    ]);
  };

  it.each(MODELS)(
    '%s: the same at every slice, on one physical CPU and on three, with the host counting beside',
    (cpu) => {
      const first = results({ cpu, ...keeps(2) });
      expect(first.map((one) => (one as unknown[]).slice(0, 6))).toEqual(
        LENGTHS.map((n) => [n + 1, 2 * n + 1, n + 1, n % 16, 0x8000_0009, CPU_CYCLES].map(BigInt)),
      );
      for (const pcpus of [1, 3]) {
        for (const slice of [1, 2, 7, 64, 100_000]) expect(results({ cpu, slice, pcpus, ...keeps(2) })).toEqual(first);
      }
    },
  );

  it('kvm-arm64 and plain: the same numbers and exits', () => {
    for (const cpu of ['cortex-a57', 'max']) {
      expect(results({ cpu, personality: 'kvm-arm64', slice: 9 })).toEqual(results({ cpu, personality: 'plain' }));
      expect(run([get('X20', 'PMUSERENR_EL0')], { cpu, personality: 'kvm-arm64' }, 'X20')).toHaveLength(1);
    }
  });
});
