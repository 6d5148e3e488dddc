/** The overflow interrupt as the field's PMU suite checks it: PPI INTID 23, a level, through a GICv2 and a GICv3. */
import {
  add,
  adr,
  b,
  bcond,
  data,
  eret,
  type Item,
  isb,
  label,
  ldr,
  load,
  mem,
  mrs,
  msr,
  orr,
  str,
  subs,
  ubfx,
} from './asm.ts';
import {
  ALL,
  CHAIN,
  checks,
  E,
  get,
  LP,
  MEM_ACCESS,
  preset,
  type Row,
  reset,
  run,
  SW_INCR,
  select,
  set,
  times,
  V3P5,
} from './testing/suite.ts';

type Gic = 2 | 3;
const PMU = 1 << 23;

const poke = (at: number, value: number): Item => [load('X10', at), load('X11', value), str('W11', mem('X10'))];
const DISTRIBUTOR = 0x0800_0000;
const INTERFACE = 0x0801_0000;
const REDISTRIBUTOR = 0x080a_0000;
const LOCAL = REDISTRIBUTOR + 0x1_0000;

const gic = (version: Gic): Item =>
  version === 2
    ? [
        poke(DISTRIBUTOR + 0x100, PMU), // ISENABLER0
        poke(DISTRIBUTOR, 1),
        poke(INTERFACE + 4, 0xf0), // PMR
        poke(INTERFACE, 1),
      ]
    : [
        poke(DISTRIBUTOR, 0x12), // ARE, EnableGrp1
        poke(REDISTRIBUTOR + 0x14, 0), // WAKER
        poke(LOCAL + 0x80, PMU), // IGROUPR0
        poke(LOCAL + 0x414, 0xa0a0_a0a0), // IPRIORITYR5
        poke(LOCAL + 0x100, PMU), // ISENABLER0
        [set('ICC_SRE_EL1', 7), isb(), set('ICC_PMR_EL1', 0xf0), set('ICC_IGRPEN1_EL1', 1)],
      ];

const acknowledge = (version: Gic): Item =>
  version === 2 ? [load('X10', INTERFACE + 0xc), ldr('W26', mem('X10'))] : mrs('X26', 'ICC_IAR1_EL1');
const end = (version: Gic): Item => (version === 2 ? str('W26', mem('X10', 4)) : msr('ICC_EOIR1_EL1', 'X26'));

/** X23: interrupts; X24, X25 and X28: how often bits 0, 1 and any other were set in PMOVSCLR_EL0; X26: the last INTID. */
const handled = (version: Gic, program: Item): Item => [
  [adr('X10', 'vectors'), msr('VBAR_EL1', 'X10')],
  [load('X23', 0), load('X24', 0), load('X25', 0), load('X26', 0), load('X28', 0)],
  gic(version),
  reset,
  msr('DAIF', 'XZR'),
  program,
  [isb(), get('X22', 'PMOVSCLR_EL0'), b('end')],
  [data(new Uint8Array(0), 2048), label('vectors'), data(new Uint8Array(0x280), 2048)],
  // IRQ from EL1h: looks, writes all ones back, ends.
  acknowledge(version),
  mrs('X11', 'PMOVSCLR_EL0'),
  add('X23', 'X23', 1),
  [ubfx('X12', 'X11', 0, 1), add('X24', 'X24', 'X12')],
  [ubfx('X12', 'X11', 1, 1), add('X25', 'X25', 'X12')],
  [ubfx('X12', 'X11', 2, 30), orr('X28', 'X28', 'X12')],
  [load('X12', ALL), msr('PMOVSCLR_EL0', 'X12')],
  end(version),
  eret(),
  label('end'),
];

/** 20 loads from RAM. */
const loads = (bits: number): Item => [
  [load('X2', 20), load('X3', 0x4008_0000)],
  run(bits, ldr('X4', mem('X3')), subs('X2', 'X2', 1), bcond('GT', -8)),
];
const increments = (bits: number): Item => [load('X2', 3), run(bits, times(100, msr('PMSWINC_EL0', 'X2')))];

const rows = (version: Gic, name: string, bits: number): readonly Row[] => {
  const long = bits !== E;
  const from = long ? -16 : 0xffff_fff0;
  const row = (
    what: string,
    enabled: number,
    second: number,
    odd: number | bigint | ((mask: bigint) => bigint),
    work: Item,
    leaves: Row['leaves'],
  ): Row => ({
    name: `${name}: ${what}`,
    ...(long && { on: [V3P5] }),
    settings: { gic: version },
    program: ({ mask }) =>
      handled(version, [
        select(MEM_ACCESS, second),
        preset(from, typeof odd === 'function' ? odd(mask) : odd),
        set('PMCNTENSET_EL0', 3),
        set('PMINTENSET_EL1', enabled),
        work,
        get('X21', 'PMEVCNTR1_EL0'),
      ]),
    leaves,
  });
  const two: Item = [loads(bits), increments(bits)];
  return [
    row('PMINTENSET_EL1 = 0: MEM_ACCESS and SW_INCR overflow, and no interrupt comes', 0, SW_INCR, from, two, () => ({
      ...{ X23: 0n, X24: 0n, X25: 0n, X28: 0n },
      X22: 3n,
    })),
    row(
      'PMINTENSET_EL1 = all: an overflow by MEM_ACCESS and one by SW_INCR, bits 0 and 1 exactly once, INTID 23, and the line drops',
      ALL,
      SW_INCR,
      from,
      two,
      () => ({ X23: 2n, X24: 1n, X25: 1n, X26: 23n, X28: 0n, X22: 0n }),
    ),
    row('#1 = CHAIN, #0 wraps: exactly 0x1', ALL, CHAIN, 0, loads(bits), () => ({
      ...{ X23: 1n, X24: 1n, X25: 0n, X26: 23n, X28: 0n, X22: 0n },
      X21: long ? 0n : 1n,
    })),
    long
      ? row(
          '#1 = CHAIN from all ones: exactly 0x1, CHAIN does not count',
          ALL,
          CHAIN,
          (m) => m,
          loads(bits),
          ({ mask }) => ({
            ...{ X23: 1n, X24: 1n, X25: 0n, X26: 23n, X28: 0n, X22: 0n },
            X21: mask,
          }),
        )
      : row(
          '#1 = CHAIN from all ones: 0x3 in one interrupt, #1 wraps',
          ALL,
          CHAIN,
          (m) => m,
          loads(bits),
          () => ({
            ...{ X23: 1n, X24: 1n, X25: 1n, X26: 23n, X28: 0n, X22: 0n },
            X21: 0n,
          }),
        ),
  ];
};

checks('overflow-interrupt', [
  ...rows(2, 'GICv2', E),
  ...rows(3, 'GICv3', E),
  ...rows(2, '64 bits, GICv2', E | LP),
  ...rows(3, '64 bits, GICv3', E | LP),
]);
