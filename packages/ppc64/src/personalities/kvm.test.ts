/** The facility on demand, the order in which KVM restores on POWER9, and the counts that a guest loses which does not say it counts. */
import { boot, Machine } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { program as assemble, type Item, label, load, mfspr, mtspr, op } from '../asm.ts';
import { ppc64 } from '../index.ts';
import { MMCR0 } from '../registers/mmcr.ts';
import { hcall, left, off, run } from '../testing/guest.ts';

const KVM = { personality: 'kvm-ppc' } as const;
const AREA = 0x52_0000;

/** A virtual processor area of 640 bytes whose pmcregs_in_use is this. */
const area = (inUse: number): readonly Item[] => [
  load('r6', AREA),
  load('r5', 640),
  op('sth', 'r5', 4, 'r6'),
  load('r5', inUse),
  op('stb', 'r5', 0xbb, 'r6'),
  hcall(0xdc, 1n << 45n, 0, AREA),
];

const loop = (turns: number): readonly Item[] => [
  load('r5', turns),
  mtspr(9, 'r5'),
  label(`again ${turns}`),
  op('ori', 'r0', 'r0', 0),
  op('bc', 16, 0, -4),
];

/** Counts 200 turns of two instructions, two before them, and the write that stops. */
const counting = (before: readonly Item[]): readonly Item[] => [
  before,
  load('r5', 0x0202_0202n),
  mtspr('MMCR1', 'r5'),
  load('r30', MMCR0.FC),
  load('r29', 0n),
  load('r5', 0n),
  mtspr('PMC1', 'r5'),
  mtspr('MMCR0', 'r29'),
  loop(200),
  mtspr('MMCR0', 'r30'),
  mfspr('r20', 'PMC1'),
];

function beside(first: readonly Item[]): { machine: Machine; switches: string[][]; notes: string[] } {
  const machine = new Machine({ arch: ppc64, cpu: 'power9', pcpus: 1, slice: 60, ...KVM });
  for (const [name, items] of [
    ['one', first],
    ['two', loop(400)],
  ] as const) {
    const domain = machine.addDomain({ name, vcpus: 1, memory: 8 << 20, vpmu: true });
    boot(machine, domain, { bytes: assemble([...items, off], 0x40_0000n).bytes, file: name, kind: 'flat' });
  }
  const switches: string[][] = [];
  const notes: string[] = [];
  machine.events.on('switch', ({ steps }) => switches.push([...steps]));
  machine.events.on('note', ({ what }) => notes.push(what));
  machine.run({ until: 100_000 });
  return { machine, switches, notes };
}

const r20 = (machine: Machine): bigint => machine.domain('one').vcpus[0]?.handle.get('GPR20') ?? -1n;

describe('HFSCR[PM]', () => {
  it('is opened by the first access, which is run again and counts once; the next ones are direct', () => {
    const machine = run({
      cpu: 'power9',
      vpmu: true,
      config: KVM,
      program: [mfspr('r20', 'MMCR0'), mfspr('r21', 'PMC1'), mtspr('PMC1', 'r20'), mfspr('r22', 'PMC1')],
    });
    expect(left(machine, 'GPR20', 'GPR21', 'GPR22')).toEqual([MMCR0.FC, 0n, MMCR0.FC]);
    expect(machine.domain('d').vcpus[0]?.exits.get('performance-monitor')).toBe(1);
  });
  it('stays closed to a guest without a monitor: illegal instruction', () => {
    const machine = run({
      cpu: 'power9',
      config: KVM,
      program: [load('r20', 5), mfspr('r20', 'MMCR0'), load('r22', 1)],
      vectors: {
        1792: [mfspr('r21', 'SRR1'), mfspr('r5', 'SRR0'), op('addi', 'r5', 'r5', 4), mtspr('SRR0', 'r5'), op('rfid')],
      },
    });
    const [value, srr1 = 0n, on] = left(machine, 'GPR20', 'GPR21', 'GPR22');
    expect([value, srr1 & 0x8_0000n, on]).toEqual([5n, 0x8_0000n, 1n]);
  });
  it('H_PERFMON has no handler', () => {
    const program = [hcall(0x7c, 1n << 63n, 0n), op('or', 'r20', 'r3', 'r3')];
    const machine = run({ cpu: 'power9', vpmu: true, config: KVM, program });
    expect(left(machine, 'GPR20')).toEqual([BigInt.asUintN(64, -2n)]);
  });
});

describe('a switch', () => {
  it.each([
    ['without an area', []],
    ['with pmcregs_in_use = 1', area(1)],
  ] as const)('%s loses nothing', (_, before) => {
    expect(r20(beside(counting(before)).machine)).toBe(403n);
  });
  it('with pmcregs_in_use = 0 gives back what was last saved, and closes the facility', () => {
    const { machine, notes } = beside(counting(area(0)));
    // Frozen and cleared at each switch: of 403 only what was counted behind the last one could be there, and MMCR0 came back frozen.
    expect(r20(machine)).toBe(0n);
    expect(notes.some((what) => what.includes('pmcregs_in_use is 0'))).toBe(true);
  });
  it('restores PMC1 to PMC6, MMCR1, MMCR2, SDAR, SIAR, SIER, MMCRA, and MMCR0 last', () => {
    const { switches } = beside(counting([]));
    const restored = (switches[3] ?? [])
      .filter((step) => step.startsWith('restore '))
      .map((step) => step.split(' ')[1] as string)
      .filter((name) => /^(PMC|MMCR|S[DI]AR|SIER)/.test(name));
    expect(restored).toEqual([
      ...['PMC1', 'PMC2', 'PMC3', 'PMC4', 'PMC5', 'PMC6'],
      ...['MMCR1', 'MMCR2', 'SDAR', 'SIAR', 'SIER', 'MMCRA', 'MMCR0'],
    ]);
  });
});
