/**
 * Who counts when: every freeze of MMCR0 and MMCR2, alone and in pairs, at each level, with the mark and the run latch. The truth table below is written
 * from the sentences of Power ISA 3.0B, book III, 9.4.4 and 9.4.6, bit numbers included, and shares nothing with the code.
 */
import type { View } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import {
  addi,
  program as assemble,
  b,
  bdnz,
  type Item,
  label,
  load,
  mtctr,
  mtmsrd,
  mtspr,
  nop,
  op,
  quads,
  rfid,
  sc,
} from './asm.ts';
import { counters } from './counters.ts';
import { ppc64 } from './index.ts';
import { BASE, run } from './testing/guest.ts';
import { address, PROBLEM, radix } from './testing/problem.ts';

/** The machine's state as the manual's sentences name it. */
interface Where {
  readonly hv: 0 | 1;
  readonly pr: 0 | 1;
  readonly pmm: 0 | 1;
  readonly run: 0 | 1;
  /** The counter, from 1. */
  readonly n: number;
  /** Is another bit of MMCR0 1? By the manual's bit number. */
  readonly mmcr0: (bit: number) => boolean;
}

/** A bit by the manual's number in MMCR0 (32 to 63), and when the counter "is not incremented" for its being 1, or where it is 0. */
interface Sentence {
  readonly name: string;
  readonly bit: number;
  readonly whenOne?: (w: Where) => boolean;
  readonly whenZero?: (w: Where) => boolean;
}

const MMCR0_SENTENCES: readonly Sentence[] = [
  { name: 'FC', bit: 32, whenOne: () => true },
  { name: 'FCS', bit: 33, whenOne: (w) => w.hv === 0 && w.pr === 0 },
  { name: 'FCP', bit: 34, whenOne: (w) => (w.mmcr0(51) ? w.hv === 1 && w.pr === 1 : w.pr === 1) },
  { name: 'FCM1', bit: 35, whenOne: (w) => w.pmm === 1 },
  { name: 'FCM0', bit: 36, whenOne: (w) => w.pmm === 0 },
  { name: 'TRIGGER', bit: 50, whenOne: (w) => w.n > 1 },
  { name: 'FCPC', bit: 51, whenOne: (w) => !w.mmcr0(34) && w.hv === 0 && w.pr === 1 },
  { name: 'C56RUN', bit: 55, whenZero: (w) => w.n > 4 && w.run === 0 },
  { name: 'FC1-4', bit: 58, whenOne: (w) => w.n <= 4 },
  { name: 'FC5-6', bit: 59, whenOne: (w) => w.n > 4 },
  { name: 'FCTI', bit: 60, whenOne: () => true },
  { name: 'FCTA', bit: 61 },
  { name: 'FCSS', bit: 57 },
  { name: 'FC1-4WAIT', bit: 62, whenOne: (w) => w.n <= 4 && w.run === 0 },
  { name: 'FCH', bit: 63, whenOne: (w) => w.hv === 1 && w.pr === 0 },
];

/** Bits 0 to 6 of a counter's nine in MMCR2. */
const MMCR2_SENTENCES: readonly Sentence[] = [
  { name: 'FCnS', bit: 0, whenOne: (w) => w.hv === 0 && w.pr === 0 },
  { name: 'FCnP0', bit: 1, whenOne: (w) => w.hv === 0 && w.pr === 1 },
  { name: 'FCnP1', bit: 2, whenOne: (w) => w.hv === 1 && w.pr === 1 },
  { name: 'FCnM1', bit: 3, whenOne: (w) => w.pmm === 1 },
  { name: 'FCnM0', bit: 4, whenOne: (w) => w.pmm === 0 },
  { name: 'FCnWAIT', bit: 5, whenOne: (w) => w.run === 0 },
  { name: 'FCnH', bit: 6, whenOne: (w) => w.hv === 1 && w.pr === 0 },
];

/** Bits that are 1: [register, manual's bit]; those of MMCR2 for every counter. */
type Bits = readonly (readonly [register: 0 | 2, bit: number])[];

function counts(bits: Bits, where: Omit<Where, 'mmcr0'>): boolean {
  const has = (register: 0 | 2, bit: number): boolean => bits.some(([r, one]) => r === register && one === bit);
  const w: Where = { ...where, mmcr0: (bit) => has(0, bit) };
  const stops = (register: 0 | 2, { bit, whenOne, whenZero }: Sentence): boolean =>
    (has(register, bit) ? whenOne?.(w) : whenZero?.(w)) ?? false;
  return !MMCR0_SENTENCES.some((s) => stops(0, s)) && !MMCR2_SENTENCES.some((s) => stops(2, s));
}

const value0 = (bits: Bits): bigint =>
  bits.reduce((all, [r, bit]) => (r === 0 ? all | (1n << BigInt(63 - bit)) : all), 0n);
const value2 = (bits: Bits): bigint =>
  bits.reduce(
    (all, [r, bit]) =>
      r === 2 ? [0, 1, 2, 3, 4, 5].reduce((sum, n) => sum | (1n << BigInt(63 - 9 * n - bit)), all) : all,
    0n,
  );

const ONE: Bits = [
  ...MMCR0_SENTENCES.map(({ bit }) => [0, bit] as const),
  ...MMCR2_SENTENCES.map(({ bit }) => [2, bit] as const),
];
const SETS: readonly Bits[] = [
  [],
  ...ONE.map((bit) => [bit]),
  ...ONE.flatMap((first, n) => ONE.slice(n + 1).map((second) => [first, second])),
];
const nameOf = (bits: Bits): string =>
  bits
    .map(([r, bit]) => (r === 0 ? MMCR0_SENTENCES : MMCR2_SENTENCES).find((s) => s.bit === bit)?.name ?? '')
    .join(' and ');

const INSTRUCTIONS = 0x0202_0202n;
const FLAGS = [0, 1] as const;

describe('the predicate', () => {
  it.each(['power8', 'power9', 'power10'])('of a %s agrees with the manual for every bit alone and in pairs', (cpu) => {
    const model = { name: cpu, features: new Set(ppc64.cpus[cpu]?.features) };
    let looked = 0;
    for (const bits of SETS) {
      for (const [level, hv, pr] of [
        [0, 0, 1],
        [1, 0, 0],
        [2, 1, 0],
      ] as const) {
        for (const pmm of FLAGS) {
          for (const latch of FLAGS) {
            const registers: Record<string, bigint> = {
              MMCR0: value0(bits),
              MMCR1: INSTRUCTIONS,
              MMCR2: value2(bits),
              MSR: pmm === 1 ? 4n : 0n,
              CTRL: BigInt(latch),
            };
            const view = { cpu: model, get: (name: string) => registers[name] ?? 0n } as unknown as View;
            // What the hypervisor does, it does unmarked: an interrupt cleared MSR[PMM].
            const mark = hv === 1 ? 0 : pmm;
            const gated = cpu === 'power10' && latch === 0;
            for (let n = 1; n <= 6; n++) {
              const expected = counts(bits, { hv, pr, pmm: mark, run: latch, n }) && !(gated && n <= 4);
              const what = `${nameOf(bits)}: PMC${n} at level ${level}, PMM ${pmm}, RUN ${latch}`;
              expect([what, counters[n - 1]?.counting(view, level)]).toEqual([what, expected]);
              looked++;
            }
          }
        }
      }
    }
    expect(looked).toBe(254 * 3 * 2 * 2 * 6);
  });

  it('with PMCC 0b11, PMC5 and PMC6 follow the run latch and no bit of the monitor', () => {
    for (const latch of FLAGS) {
      for (const bits of SETS) {
        const registers: Record<string, bigint> = {
          MMCR0: value0(bits) | 0xc_0000n,
          MMCR2: value2(bits),
          CTRL: BigInt(latch),
        };
        const model = { name: 'power9', features: new Set(ppc64.cpus.power9?.features) };
        const view = { cpu: model, get: (name: string) => registers[name] ?? 0n } as unknown as View;
        for (const n of [5, 6]) expect(counters[n - 1]?.counting(view, 1)).toBe(latch === 1);
      }
    }
  });

  it('each counter has its own nine bits', () => {
    const model = { name: 'power9', features: new Set(ppc64.cpus.power9?.features) };
    for (let own = 1; own <= 6; own++) {
      const registers: Record<string, bigint> = {
        MMCR1: INSTRUCTIONS,
        MMCR2: 1n << BigInt(63 - 9 * (own - 1)),
        CTRL: 1n,
      };
      const view = { cpu: model, get: (name: string) => registers[name] ?? 0n } as unknown as View;
      const frozen = [1, 2, 3, 4, 5, 6].filter((n) => !counters[n - 1]?.counting(view, 1));
      expect(frozen).toEqual([own]);
    }
  });

  it('of a 970: FC, FCS, FCP, FCM1, FCM0, TRIGGER and FCH alone; FCS is about the hypervisor, too', () => {
    const model = { name: '970', features: new Set(ppc64.cpus['970']?.features) };
    const frozen = (bit: number, level: number, pmm: bigint, n: number): boolean => {
      const registers: Record<string, bigint> = { MMCR0: 1n << BigInt(63 - bit), MMCR1: 0n, MSR: pmm, CTRL: 0n };
      const view = { cpu: model, get: (name: string) => registers[name] ?? 0n } as unknown as View;
      return counters[n - 1]?.counting(view, level) === false;
    };
    const says: Readonly<Record<number, (level: number, pmm: bigint, n: number) => boolean>> = {
      32: () => true,
      33: (level) => level > 0,
      34: (level) => level === 0,
      35: (level, pmm) => pmm !== 0n && level < 2,
      36: (level, pmm) => pmm === 0n || level === 2,
      50: (_level, _pmm, n) => n > 1,
      63: (level) => level === 2,
    };
    for (let bit = 32; bit < 64; bit++) {
      for (const level of [0, 1, 2]) {
        for (const pmm of [0n, 4n]) {
          for (const n of [1, 2, 8]) {
            expect([bit, level, pmm, n, frozen(bit, level, pmm, n)]).toEqual([
              bit,
              level,
              pmm,
              n,
              says[bit]?.(level, pmm, n) ?? false,
            ]);
          }
        }
      }
    }
  });
});

const COST = 1000;
const OUT = 0x68_0000;

interface Case {
  readonly bits: Bits;
  readonly pmm: 0 | 1;
  readonly run: 0 | 1;
}

const CASES: readonly Case[] = SETS.flatMap((bits) =>
  FLAGS.flatMap((pmm) => FLAGS.map((latch) => ({ bits, pmm, run: latch }))),
);

/** One window for each case of a table: supervisor, hypervisor and problem state, and back. */
const program = (cases: readonly Case[]): readonly Item[] => [
  radix,
  load('r5', 0x7fff_ffff_0000),
  mtspr('DEC', 'r5'),
  load('r5', INSTRUCTIONS),
  mtspr('MMCR1', 'r5'),
  address('r20', 'table'),
  address('r23', 'problem'),
  load('r21', OUT),
  load('r5', cases.length),
  mtctr('r5'),
  load('r30', 0x8000_0000n),
  label('case'),
  Array.from({ length: 6 }, (_, n) => [load('r5', 0), mtspr(`PMC${n + 1}`, 'r5')]),
  op('ld', 'r10', 0, 'r20'),
  op('ld', 'r11', 8, 'r20'),
  op('ld', 'r12', 16, 'r20'),
  op('ld', 'r13', 24, 'r20'),
  addi('r20', 'r20', 32),
  mtspr('MMCR2', 'r11'),
  mtspr('CTRLT', 'r13'),
  load('r6', PROBLEM),
  op('or', 'r6', 'r6', 'r12'),
  mtspr('SRR0', 'r23'),
  mtspr('SRR1', 'r6'),
  load('r6', (1n << 63n) | 0x1000n),
  op('or', 'r6', 'r6', 'r12'),
  mtmsrd('r6'),
  load('r3', 0x28), // H_SET_DABR: an exit, and no more
  mtspr('MMCR0', 'r10'),
  nop(), // marked supervisor: 1
  nop(), // 2
  nop(), // 3
  sc(1), // 4, and the hypervisor's 1000
  rfid(), // 5
  label('back'),
  // The system call cleared PMM. Unmarked supervisor: the handler's branch, and this write.
  mtspr('MMCR0', 'r30'),
  Array.from({ length: 6 }, (_, n) => [op('mfspr', 'r5', 771 + n), op('std', 'r5', 8 * n, 'r21')]),
  addi('r21', 'r21', 48),
  bdnz('case'),
  b('end'),
  label('problem'),
  Array.from({ length: 5 }, () => nop()), // problem: 5
  sc(0), // 6
  label('table'),
  quads(...cases.flatMap(({ bits, pmm, run: latch }) => [value0(bits), value2(bits), pmm * 4, latch])),
  label('end'),
];

const MARKED = 5n;
const UNMARKED = 2n;
const USER = 6n;

function expected({ bits, pmm, run: latch }: Case, n: number, gated: boolean): bigint {
  if (gated && latch === 0 && n <= 4) return 0n;
  const when = (hv: 0 | 1, pr: 0 | 1, mark: 0 | 1): bigint =>
    counts(bits, { hv, pr, pmm: mark, run: latch, n }) ? 1n : 0n;
  return MARKED * when(0, 0, pmm) + UNMARKED * when(0, 0, 0) + USER * when(0, 1, pmm) + BigInt(COST) * when(1, 0, 0);
}

describe('on a machine, whose hypervisor takes 1,000 instructions for each exit', () => {
  it.each(['power9', 'power10'])('%s: exact counts for every freeze alone and in pairs, at every level', (cpu) => {
    const items = program(CASES);
    const { labels } = assemble(items, BASE);
    const back = Number((labels.get('back') as bigint) - 0xc00n);
    const machine = run({
      cpu,
      vpmu: true,
      program: items,
      vectors: { 3072: [op('b', back)] },
      config: { hypervisor: { trap: { instructions: COST } } },
    });
    const domain = machine.domain('d');
    expect(domain.ended?.reason).toBe('poweroff');
    const bytes = domain.memory.slice(BigInt(OUT), 48 * CASES.length) as Uint8Array;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const seen = new Set<bigint>();
    for (const [at, one] of CASES.entries()) {
      const what = `${nameOf(one.bits)}, PMM ${one.pmm}, RUN ${one.run}`;
      const got = Array.from({ length: 6 }, (_, n) => view.getBigUint64(48 * at + 8 * n));
      const wanted = Array.from({ length: 6 }, (_, n) => expected(one, n + 1, cpu === 'power10'));
      expect([what, ...got]).toEqual([what, ...wanted]);
      for (const count of got) seen.add(count);
    }
    // Nothing of this would be seen if all were alike.
    expect(seen.size).toBeGreaterThan(10);
  });
});
