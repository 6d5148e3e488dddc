/** H_PERFMON row by row in each of the three Xens, and the context switch in its order. Expectations by hand from the thread, the code of 2007 and LoPAR. */
import { boot, Machine, type MachineConfig } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { program as assemble, type Item, label, load, mfspr, mtmsrd, mtspr, nop, op } from '../asm.ts';
import { ppc64 } from '../index.ts';
import { MMCR0 } from '../registers/mmcr.ts';
import { hcall, left, off, run } from '../testing/guest.ts';

type Xen = '2007' | 'plan' | 'lopar';
const configOf = (xen: Xen, more: Readonly<Record<string, string>> = {}): Partial<MachineConfig> => ({
  personality: 'xen-ppc',
  mode: xen === 'lopar' ? 'strict' : 'compat',
  options: xen === 'lopar' ? more : { built: xen, ...more },
});

const H_PERFMON = 0x7c;
const ENABLE = 1n << 63n;
const GRANULARITY = 1n << 62n;
const OTHER = 1n << 61n;
const [SUCCESS, PARAMETER, RESOURCE] = [0n, -4n, -16n].map((n) => BigInt.asUintN(64, n)) as [bigint, bigint, bigint];

/** Calls one behind the other; [status, R4] of each from r14 on. */
function calls(
  xen: Xen,
  words: readonly (readonly [set: bigint, clear: bigint])[],
  more: Readonly<Record<string, string>> = {},
) {
  const machine = run({
    cpu: '970',
    vpmu: true,
    config: configOf(xen, more),
    program: words.map(([set, clear], n) => [
      hcall(H_PERFMON, set, clear),
      op('or', `r${14 + 2 * n}`, 'r3', 'r3'),
      op('or', `r${15 + 2 * n}`, 'r4', 'r4'),
    ]),
  });
  const values = left(machine, ...words.flatMap((_, n) => [`GPR${14 + 2 * n}`, `GPR${15 + 2 * n}`]));
  return words.map((_, n) => [values[2 * n], values[2 * n + 1]]);
}

describe('H_PERFMON', () => {
  it.each([
    // R4 is what the guest passed, or the modes that are on.
    ['a bit that is none', OTHER, 0n, [PARAMETER, OTHER], [PARAMETER, OTHER]],
    ['a bit that is none, to reset', 0n, OTHER, [PARAMETER, 0n], [PARAMETER, 0n]],
    ['the lowest bit', 1n, 0n, [PARAMETER, 1n], [PARAMETER, 1n]],
    ['one bit in both', ENABLE, ENABLE, [RESOURCE, ENABLE], [RESOURCE, ENABLE]],
    ['granularity in both', GRANULARITY, GRANULARITY, [RESOURCE, GRANULARITY], [RESOURCE, GRANULARITY]],
    [
      'one in both and one that is none',
      ENABLE | OTHER,
      ENABLE,
      [PARAMETER, ENABLE | OTHER],
      [PARAMETER, ENABLE | OTHER],
    ],
    ['enable', ENABLE, 0n, [SUCCESS, ENABLE], [SUCCESS, ENABLE]],
    [
      'enable, and high granularity',
      ENABLE | GRANULARITY,
      0n,
      [SUCCESS, ENABLE | GRANULARITY],
      [SUCCESS, ENABLE | GRANULARITY],
    ],
    ['disable what is off', 0n, ENABLE, [SUCCESS, 0n], [SUCCESS, 0n]],
    ['granularity alone', GRANULARITY, 0n, [SUCCESS, GRANULARITY], [SUCCESS, GRANULARITY]],
    ['nothing', 0n, 0n, [SUCCESS, 0n], [SUCCESS, 0n]],
    ['reset granularity', 0n, GRANULARITY, [SUCCESS, 0n], [SUCCESS, 0n]],
  ] as const)('%s', (_, set, clear, compat, strict) => {
    for (const xen of ['2007', 'plan'] as const) expect([xen, calls(xen, [[set, clear]])]).toEqual([xen, [compat]]);
    expect(calls('lopar', [[set, clear]])).toEqual([strict]);
  });
  it('twice on, twice off: success each time; LoPAR tells the modes in R4', () => {
    const words = [
      [ENABLE, 0n],
      [ENABLE, 0n],
      [GRANULARITY, 0n],
      [0n, ENABLE],
      [0n, ENABLE],
    ] as const;
    for (const xen of ['2007', 'plan'] as const)
      expect(calls(xen, words).map(([status]) => status)).toEqual([0n, 0n, 0n, 0n, 0n]);
    expect(calls('lopar', words).map(([, r4]) => r4)).toEqual([
      ENABLE,
      ENABLE,
      ENABLE | GRANULARITY,
      GRANULARITY,
      GRANULARITY,
    ]);
  });
  it('is busy once, where it is told to be', () => {
    expect(
      calls(
        'lopar',
        [
          [ENABLE, 0n],
          [ENABLE, 0n],
        ],
        { busy: 'once' },
      ),
    ).toEqual([
      [1n, ENABLE],
      [0n, ENABLE],
    ]);
  });
});

const SELECT_970 = 1n << 8n;

/** Counts instructions in PMC1 of a 970, or does not ask for it; ends after a while. */
const counting = (ask: boolean, turns: number, mark = false): readonly Item[] => [
  ask ? hcall(H_PERFMON, ENABLE, 0n) : [],
  mark ? [load('r5', (1n << 63n) | 0x1004n), mtmsrd('r5')] : [],
  load('r30', MMCR0.FC | SELECT_970),
  load('r29', SELECT_970),
  load('r5', 0n),
  mtspr('PMC1', 'r5'),
  load('r5', turns),
  mtspr(9, 'r5'),
  mtspr('MMCR0', 'r29'),
  label('again'),
  nop(),
  op('bc', 16, 0, -4),
  mtspr('MMCR0', 'r30'), // 2 a turn, and this
  mfspr('r20', 'PMC1'),
  mfspr('r21', 'MMCR0'),
];

/** A guest that counts nothing and goes on for as long. */
const idle = (turns: number): readonly Item[] => [
  load('r5', turns),
  mtspr(9, 'r5'),
  label('again'),
  mfspr('r20', 'PMC1'),
  op('bc', 16, 0, -4),
];

interface Told {
  readonly machine: Machine;
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

function together(xen: Xen, guests: Readonly<Record<string, readonly Item[]>>, slice = 50): Told {
  const machine = new Machine({
    arch: ppc64,
    cpu: '970',
    pcpus: 1,
    slice,
    hypervisor: { trap: { instructions: 1000 }, switch: { instructions: 1000 } },
    ...configOf(xen),
  } as MachineConfig);
  for (const [name, items] of Object.entries(guests)) {
    const domain = machine.addDomain({ name, vcpus: 1, memory: 8 << 20, vpmu: true });
    boot(machine, domain, { bytes: assemble([...items, off], 0x40_0000n).bytes, file: name, kind: 'flat' });
  }
  const notes: string[] = [];
  const warnings: string[] = [];
  machine.events.on('note', ({ domain, what }) => notes.push(`${domain}: ${what}`));
  machine.events.on('diagnostic', ({ code, message }) => warnings.push(`${code} ${message}`));
  machine.run({ until: 100_000 });
  return { machine, notes, warnings };
}

const end = (machine: Machine, name: string, ...registers: readonly string[]): readonly bigint[] =>
  registers.map((register) => machine.domain(name).vcpus[0]?.handle.get(register) ?? -1n);

describe('the plan', () => {
  it('two that asked count exactly their own; the third is warned about by name, and ends frozen', () => {
    const { machine, warnings } = together('plan', {
      one: counting(true, 300),
      two: counting(true, 500),
      // Looks at MMCR0 and, twice, at PMC1 before it stops.
      stray: [
        load('r29', SELECT_970),
        mtspr('MMCR0', 'r29'),
        idle(200),
        mfspr('r21', 'MMCR0'),
        mfspr('r22', 'PMC1'),
        nop(),
        mfspr('r23', 'PMC1'),
      ],
    });
    expect(end(machine, 'one', 'GPR20')).toEqual([601n]);
    expect(end(machine, 'two', 'GPR20')).toEqual([1001n]);
    const bad = warnings.filter((line) => line.startsWith('CV_BAD_DOMAIN'));
    expect(bad.length).toBeGreaterThan(0);
    expect(bad.every((line) => line.includes('stray'))).toBe(true);
    const [mmcr0 = 0n, first, second] = end(machine, 'stray', 'GPR21', 'GPR22', 'GPR23');
    expect(mmcr0 & MMCR0.FC).toBe(MMCR0.FC);
    expect(second).toBe(first);
  });
  it('a domain that sets MSR[PMM] without having asked is bad, too', () => {
    const { warnings } = together('plan', {
      one: idle(300),
      marked: [load('r5', (1n << 63n) | 0x1004n), mtmsrd('r5'), idle(300)],
    });
    expect(warnings.filter((line) => line.startsWith('CV_BAD_DOMAIN')).join()).toMatch(/marked.*MSR\[PMM\]/);
  });
  it('saves MMCRs and counters, freezes, restores the counters and MMCR0 last', () => {
    const { notes } = together('plan', { one: counting(true, 300), two: counting(true, 300) });
    const names = ['MMCR0', 'MMCR1', 'MMCRA', ...Array.from({ length: 8 }, (_, n) => `PMC${n + 1}`)];
    const words = notes.map((line) => line.split(' ').slice(0, 3).join(' '));
    const at = words.indexOf('one: save MMCR0', words.indexOf('two: save MMCR0'));
    expect(words.slice(at, at + 23)).toEqual([
      ...names.map((name) => `one: save ${name}`),
      'one: freeze MMCR0',
      ...[...names.slice(3), 'MMCRA', 'MMCR1', 'MMCR0'].map((name) => `two: restore ${name}`),
    ]);
  });
  it('MSR[PMM] travels with its vCPU', () => {
    const { machine } = together('plan', {
      one: [
        hcall(H_PERFMON, ENABLE, 0n),
        load('r5', (1n << 63n) | 0x1004n),
        mtmsrd('r5'),
        idle(300),
        op('mfmsr', 'r22'),
      ],
      two: [idle(400), op('mfmsr', 'r22')],
    });
    expect(end(machine, 'one', 'GPR22').map((msr) => msr & 4n)).toEqual([4n]);
    expect(end(machine, 'two', 'GPR22').map((msr) => msr & 4n)).toEqual([0n]);
  });
});

describe('what was built in 2007', () => {
  it('two that asked count their own; what the first left running counts the second’s preparations, too', () => {
    const { machine, warnings } = together('2007', { one: counting(true, 300), two: counting(true, 500) });
    expect([end(machine, 'one', 'GPR20'), end(machine, 'two', 'GPR20')]).toEqual([[601n], [1004n]]); // li, mtspr CTR, mtspr MMCR0
    expect(warnings.filter((line) => line.startsWith('CV_BAD_DOMAIN'))).toEqual([]);
  });
  it('one that did not reads what its neighbour counts, and counts into it', () => {
    const { machine } = together('2007', { one: counting(true, 300), spy: idle(400) });
    expect(end(machine, 'spy', 'GPR20')[0]).toBeGreaterThan(0n);
    expect(end(machine, 'one', 'GPR20')).toEqual([601n]);
  });
  it('one that counts without having asked is not warned about, and loses its counts to who did', () => {
    const { machine, warnings } = together('2007', { one: counting(true, 300), stray: counting(false, 400) });
    expect(warnings.filter((line) => line.startsWith('CV_BAD_DOMAIN'))).toEqual([]);
    expect(end(machine, 'stray', 'GPR20')).not.toEqual([801n]);
  });
  it('saves in its order, and loads MMCR0 last', () => {
    const { notes } = together('2007', { one: counting(true, 300), two: counting(true, 300) });
    const names = ['MMCR0', 'MMCR1', 'MMCRA', ...Array.from({ length: 8 }, (_, n) => `PMC${n + 1}`)];
    const words = notes.map((line) => line.split(' ').slice(0, 3).join(' '));
    const at = words.indexOf('one: save MMCR0', words.indexOf('two: save MMCR0'));
    expect(words.slice(at, at + 22)).toEqual([
      ...names.map((name) => `one: save ${name}`),
      ...[...names.slice(3), 'MMCRA', 'MMCR1', 'MMCR0'].map((name) => `two: restore ${name}`),
    ]);
  });
  it('off and on again: the old values come back at the next switch', () => {
    const { machine } = together(
      '2007',
      {
        one: [
          counting(true, 300),
          hcall(H_PERFMON, 0n, ENABLE),
          load('r5', 77),
          mtspr('PMC1', 'r5'),
          hcall(H_PERFMON, ENABLE, 0n),
          // Long enough to be switched away and back: what was saved at the last switch while it was on.
          load('r5', 200),
          mtspr(9, 'r5'),
          op('bc', 16, 0, 0),
          mfspr('r22', 'PMC1'),
        ],
        two: idle(2000),
      },
      700,
    );
    expect(end(machine, 'one', 'GPR22')[0]).not.toBe(0n);
  });
});

describe('FCH', () => {
  const items = (clear: boolean): readonly Item[] => [
    load('r30', MMCR0.FC | SELECT_970),
    load('r29', clear ? SELECT_970 : SELECT_970 | MMCR0.FCH),
    hcall(H_PERFMON, ENABLE, 0n),
    load('r5', 0n),
    mtspr('PMC1', 'r5'),
    load('r3', 0x28),
    mtspr('MMCR0', 'r29'),
    op('sc', 1), // 1, and 1,000 of the hypervisor's
    nop(), // 2
    mtspr('MMCR0', 'r30'), // 3
    mfspr('r20', 'PMC1'),
  ];
  const config = { hypervisor: { trap: { instructions: 1000 } } };
  it.each(['2007', 'plan'] as const)('%s: the hypervisor’s work is not counted, whatever the guest wrote', (xen) => {
    for (const clear of [false, true]) {
      const machine = run({ cpu: '970', vpmu: true, config: { ...config, ...configOf(xen) }, program: items(clear) });
      expect(left(machine, 'GPR20')).toEqual([3n]);
    }
  });
  it('without such a hypervisor: with FCH not, without it by exactly that much', () => {
    const counted = [false, true].map((clear) =>
      left(run({ cpu: '970', vpmu: true, config, program: items(clear) }), 'GPR20'),
    );
    expect(counted).toEqual([[3n], [1003n]]);
  });
  it('shows in MMCR0 once the hypervisor was there', () => {
    const machine = run({
      cpu: '970',
      vpmu: true,
      config: configOf('2007'),
      program: [load('r5', MMCR0.FC), mtspr('MMCR0', 'r5'), hcall(H_PERFMON, ENABLE, 0n), mfspr('r20', 'MMCR0')],
    });
    expect(left(machine, 'GPR20')).toEqual([MMCR0.FC | MMCR0.FCH]);
  });
});
