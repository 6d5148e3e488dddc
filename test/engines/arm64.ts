/**
 * Random A64 programs that run for some thousand instructions: nested loops, calls, branches of every kind, any data processing, loads and stores
 * of every form, aligned or not, some to nowhere; exceptions, counters that overflow every 1, 2, 3, 7, … and interrupt, code that rewrites itself.
 */
import type { PolicyName } from '@countervisor/contract';
import {
  type Assembled,
  add,
  adr,
  program as assemble,
  b,
  bcond,
  bl,
  blr,
  brk,
  cbnz,
  cbz,
  data,
  eret,
  hvc,
  type Item,
  isb,
  label,
  ldr,
  load,
  mem,
  mov,
  movz,
  mrs,
  msr,
  msrImmediate,
  nop,
  post,
  ret,
  str,
  sub,
  subs,
  svc,
  tbnz,
  tbz,
} from '../../packages/arm64/src/asm.ts';
import { arm64 } from '../../packages/arm64/src/index.ts';
import { rowOf } from '../../packages/arm64/src/isa/decode.ts';
import { rows } from '../../packages/arm64/src/isa/instructions/index.ts';
import type { Row } from '../../packages/arm64/src/isa/row.ts';
import { boot, Machine } from '../../packages/core/src/index.ts';
import type { Random } from '../differential/random.ts';
import type { EngineName, Make } from './same.ts';

const BASE = 0x4008_0000n;
const DATA = 0x4030_0000;
const LOG = 0x4060_0000;
const TABLES = 0x4070_0000n;
const MEMORY = 8 * 1024 * 1024;

const CONDITIONS = ['EQ', 'NE', 'CS', 'CC', 'MI', 'PL', 'VS', 'VC', 'HI', 'LS', 'GE', 'LT', 'GT', 'LE', 'AL'];
/** Events of the PMU that count something here: software increments, loads, stores, branches, cycles, instructions … */
const EVENTS = [0x00, 0x06, 0x07, 0x08, 0x08, 0x09, 0x0a, 0x0c, 0x0d, 0x0e, 0x0f, 0x11, 0x13, 0x1e, 0x21];
const PERIODS = [1, 2, 3, 5, 7, 13, 50, 100, 1000, 10_000];

const arithmetic = rows.filter(
  ({ cost, name }) => ['alu', 'multiply', 'divide', 'nop'].includes(cost) && !name.startsWith('BTI'),
);
const memory = rows.filter(({ cost }) => ['load', 'store', 'atomic'].includes(cost));

const BASES = [19, 20, 21];

/** A word of the row with registers that a program may lose, and bases that lead to its data. */
function word(row: Row, random: Random): number | undefined {
  let all = (random.u32() & ~row.mask) | row.match;
  const touches = row.cost === 'load' || row.cost === 'store' || row.cost === 'atomic';
  for (const { name, low, width } of row.slots) {
    if (width !== 5 || !/^R/.test(name)) continue;
    let n = random.once(12) ? 31 : random.below(16);
    if (touches && name === 'Rn') n = random.one(BASES);
    if (touches && name === 'Rm' && row.slots.some((slot) => slot.name === 'option')) n = 22;
    // Nothing changes the stack pointer but what may.
    if (!touches && name === 'Rd' && n === 31) n = random.below(16);
    all = (all & ~(31 << low)) | (n << low);
  }
  all >>>= 0;
  return rowOf(all) === row ? all : undefined;
}

const raw = (at: number): Item => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, at, true);
  return data(bytes);
};

function any(rows: readonly Row[], random: Random): Item {
  for (;;) {
    const at = word(random.one(rows), random);
    if (at !== undefined) return raw(at);
  }
}

const x = (random: Random): string => `X${random.below(16)}`;

/** Sets the bases anew: where they were moved to is soon nowhere. */
const bases = (random: Random): Item => [
  load('X19', DATA + 0x10000 + 8 * random.below(16)),
  load('X20', DATA + 0x20000 + random.below(4096)),
  load('X21', DATA + 0x30000 + 16 * random.below(200)),
  movz('X22', 8 * random.below(64)),
];

interface Writer {
  readonly random: Random;
  labels: number;
}

const fresh = (w: Writer): string => `l${w.labels++}`;

const COUNTERS = ['PMEVCNTR0_EL0', 'PMEVCNTR1_EL0', 'PMCCNTR_EL0', 'PMOVSSET_EL0', 'PMCNTENSET_EL0', 'CNTVCT_EL0'];

/** Something for the middle of a block. */
function item(w: Writer, deep: number): Item {
  const { random } = w;
  const kind = random.below(100);
  if (kind < 42) return any(arithmetic, random);
  if (kind < 62) return any(memory, random);
  if (kind < 66) return ldr(x(random), mem(`X${random.one(BASES)}`, 8 * random.below(8)));
  if (kind < 70) return str(x(random), mem(`X${random.one(BASES)}`, 8 * random.below(8)));
  if (kind < 78) {
    const to = fresh(w);
    const jump = random.one([
      (): Item => bcond(random.one(CONDITIONS), to),
      (): Item => cbz(x(random), to),
      (): Item => cbnz(x(random), to),
      (): Item => tbz(x(random), random.below(64), to),
      (): Item => tbnz(x(random), random.below(64), to),
      (): Item => b(to),
    ]);
    return [jump(), items(w, random.below(4), deep), label(to)];
  }
  if (kind < 84 && deep < 2) {
    const top = fresh(w);
    const counter = deep === 0 ? 'X16' : 'X17';
    return [
      movz(counter, 1 + random.below(6)),
      label(top),
      items(w, 1 + random.below(6), deep + 1),
      subs(counter, counter, 1),
      bcond('NE', top),
    ];
  }
  if (kind < 86) return bases(random);
  if (kind < 88) return mrs(x(random), random.one(COUNTERS));
  if (kind < 89) return [movz('X18', random.below(4)), msr('PMSWINC_EL0', 'X18')];
  if (kind < 90) return [msr(random.one(['PMEVCNTR0_EL0', 'PMEVCNTR1_EL0']), random.one(['X25', 'XZR']))];
  if (kind < 91) return random.one<Item>([svc(random.below(9)), brk(1), raw(0), isb()]);
  if (kind < 92) return msrImmediate(random.one(['DAIFSet', 'DAIFClr']), random.one([2, 15, 0]));
  if (kind < 95) return rewritten(w);
  // A device: the UART's flags, the distributor.
  if (kind < 96) return [load('X18', random.one([0x0900_0018, 0x0800_0004])), ldr('W5', mem('X18'))];
  return nop();
}

/** One instruction that is replaced before it runs, now and then. */
function rewritten(w: Writer): Item {
  const { random } = w;
  const at = fresh(w);
  const other = word(random.one(arithmetic), random) ?? 0xd503201f;
  const skip = fresh(w);
  return [
    tbnz(x(random), random.below(8), skip),
    adr('X18', at),
    load('X27', other),
    str('W27', mem('X18')),
    label(skip),
    isb(),
    items(w, random.below(3), 2),
    label(at),
    any(arithmetic, random),
  ];
}

const items = (w: Writer, count: number, deep: number): Item => Array.from({ length: count }, () => item(w, deep));

function body(w: Writer): Item {
  const { random } = w;
  const functions = 1 + random.below(4);
  const leaf = fresh(w);
  const call = (i: number): Item =>
    random.once(4) ? [adr('X18', `f${i}`), blr('X18')] : random.once(5) ? [] : bl(`f${i}`);
  const calls = Array.from({ length: functions }, (_, i) => [items(w, random.below(5), 0), call(i)]);
  const made = Array.from({ length: functions }, (_, i): Item => {
    const far = random.once(4) ? data(new Uint8Array(4 * random.below(900))) : [];
    const inner = random.once(2) ? bl(leaf) : [];
    return [
      far,
      label(`f${i}`),
      mov('X29', 'X30'),
      items(w, 2 + random.below(14), 0),
      inner,
      items(w, random.below(4), 1),
      ret('X29'),
    ];
  });
  return [
    load('X28', 4 + random.below(40)),
    label('main'),
    bases(random),
    calls,
    subs('X28', 'X28', 1),
    bcond('NE', 'main'),
    load('X0', 0x8400_0008),
    hvc(0),
    made,
    label(leaf),
    items(w, 1 + random.below(6), 1),
    ret(),
  ];
}

const vectors = (): Item => [
  data(new Uint8Array(0), 2048),
  label('vectors'),
  data(new Uint8Array(0x200)),
  // A fault or a call: written down, skipped.
  mrs('X26', 'ELR_EL1'),
  mrs('X27', 'ESR_EL1'),
  str('X26', post('X23', 8)),
  str('X27', post('X23', 8)),
  b('skip'),
  data(new Uint8Array(0x80 - 20)),
  // An interrupt: written down, the counters set back, acknowledged.
  mrs('X26', 'ELR_EL1'),
  str('X26', post('X23', 8)),
  mrs('X26', 'PMOVSCLR_EL0'),
  msr('PMOVSCLR_EL0', 'X26'),
  msr('PMEVCNTR0_EL0', 'X25'),
  msr('PMEVCNTR1_EL0', 'X24'),
  load('X27', 0x0801_0000),
  ldr('W26', mem('X27', 0xc)),
  str('W26', mem('X27', 0x10)),
  eret(),
  label('skip'),
  // SVC returns behind itself already.
  sub('X27', 'X27', 0),
  mrs('X26', 'ESR_EL1'),
  raw(0xd35afc00 | (26 << 5) | 27), // LSR X27, X26, 26
  sub('X27', 'X27', 0x15),
  cbz('X27', 'back'),
  mrs('X26', 'ELR_EL1'),
  add('X26', 'X26', 4),
  msr('ELR_EL1', 'X26'),
  label('back'),
  eret(),
];

function pmu(random: Random, period: number, second: number): Item {
  return [
    load('X25', BigInt.asUintN(32, -BigInt(period))),
    load('X24', BigInt.asUintN(32, -BigInt(second))),
    load('X0', 0xffff_ffff),
    msr('PMOVSCLR_EL0', 'X0'),
    msr('PMINTENCLR_EL1', 'X0'),
    msr('PMCNTENCLR_EL0', 'X0'),
    movz('X0', random.one(EVENTS)),
    msr('PMEVTYPER0_EL0', 'X0'),
    movz('X0', random.one(EVENTS)),
    msr('PMEVTYPER1_EL0', 'X0'),
    msr('PMEVCNTR0_EL0', 'X25'),
    msr('PMEVCNTR1_EL0', 'X24'),
    msr('PMCCFILTR_EL0', 'XZR'),
    movz('X0', random.one([0, 1, 2, 3])),
    msr('PMINTENSET_EL1', 'X0'),
    load('X0', random.one([0x8000_0003, 1, 2, 3])),
    msr('PMCNTENSET_EL0', 'X0'),
    movz('X0', random.one([1, 1, 1, 0x9, 0x41])),
    msr('PMCR_EL0', 'X0'),
  ];
}

const LISTEN: Item = [
  load('X2', 0x0801_0000),
  movz('X3', 0xf0),
  str('W3', mem('X2', 4)),
  movz('X3', 1),
  str('W3', mem('X2')),
  load('X2', 0x0800_0000),
  load('X4', 1 << 23),
  str('W4', mem('X2', 0x100)),
  str('W3', mem('X2')),
];

function written(random: Random, vpmu: boolean): Assembled {
  const w: Writer = { random, labels: 0 };
  const counters = vpmu && !random.once(5) ? pmu(random, random.one(PERIODS), random.one(PERIODS)) : [];
  return assemble(
    [
      adr('X1', 'vectors'),
      msr('VBAR_EL1', 'X1'),
      load('X23', LOG),
      load('X1', LOG - 0x1000),
      raw(0x9100003f), // MOV SP, X1
      LISTEN,
      Array.from({ length: 16 }, (_, n) => load(`X${n}`, random.edge())),
      counters,
      random.once(5) ? [] : msr('DAIF', 'XZR'),
      body(w),
      vectors(),
    ],
    BASE,
  );
}

const VALID = 1n;
const AF = 1n << 10n;

/** One table: the devices' GiB, and the memory's. */
function paging(machine: Machine): void {
  for (const { memory, vcpus } of machine.domains) {
    memory.write(TABLES, 8, (TABLES + 0x1000n) | 3n);
    memory.write(TABLES + 0x1000n, 8, 0n | VALID | AF | (1n << 54n) | (1n << 2n));
    memory.write(TABLES + 0x1008n, 8, 0x4000_0000n | VALID | AF | (3n << 8n));
    const handle = vcpus[0]?.handle;
    handle?.set('MAIR_EL1', 0x00ffn);
    handle?.set('TCR_EL1', 16n | (16n << 16n) | (1n << 23n));
    handle?.set('TTBR0_EL1', TABLES);
    handle?.set('SCTLR_EL1', 0x30d0_0800n | 5n);
  }
}

const POLICIES: readonly PolicyName[] = ['off', 'passthrough', 'switched', 'emulated', 'mediated', 'emulated'];

export interface Guest {
  readonly make: Make;
  readonly means: string;
  readonly hot: number;
  readonly deaf: readonly string[];
}

/** A random machine with one or two random guests. */
export function guest(random: Random): Guest {
  const slice = random.one([1, 2, 3, 7, 50, 333, 1000, 10_000, 10_000]);
  const pcpus = random.one([1, 1, 2]);
  const mmu = random.once(2);
  const costs = random.once(4)
    ? { alu: { backend: 2 }, load: { backend: 7, frontend: 1 }, branch: { frontend: 3 } }
    : {};
  const domains = Array.from({ length: random.one([1, 1, 2]) }, () => {
    const policy = random.one(POLICIES);
    return { policy, image: written(random, policy !== 'off').bytes };
  });
  const policies = domains.map(({ policy }) => policy).join('+');
  return {
    means: `slice ${slice}, ${pcpus} pCPUs, ${mmu ? 'paged' : 'flat'}, ${policies}${'alu' in costs ? ', costs' : ''}`,
    hot: random.one([-1, 0, 1, 2, 5]),
    deaf: random.once(2) ? ['access'] : [],
    make: (engine: EngineName) => {
      const machine = new Machine({
        arch: arm64,
        cpu: 'neoverse-n1',
        personality: 'plain',
        slice,
        pcpus,
        costs,
        engine,
      });
      domains.forEach(({ policy, image }, i) => {
        const domain = machine.addDomain({ name: `d${i}`, vcpus: 1, memory: MEMORY, vpmu: policy !== 'off', policy });
        boot(machine, domain, { bytes: image, file: domain.name, kind: 'flat' });
      });
      if (mmu) paging(machine);
      return machine;
    },
  };
}
