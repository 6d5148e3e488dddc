/** Interrupts, timers and refusals on a whole machine: one instruction is one cycle, one tick of the timer 16 of them. */
import type { Machine } from '@countervisor/core';
import { describe, expect, it } from 'vitest';
import { adr, b, data, hvc, type Item, isb, label, load, mem, mrs, msr, msrImmediate, str, wfi } from '../asm.ts';
import { left, machine, off } from '../testing/guest.ts';

const GICD = 0x0800_0000;
const GICC = 0x0801_0000;
const GICR_SGI = 0x080b_0000;
const VIRTUAL_TIMER = 27;

const store = (address: number, value: number): Item => [load('X1', address), load('X2', value), str('W2', mem('X1'))];

const DISTRIBUTOR = store(GICD, 3);
const READY: Readonly<Record<2 | 3, Item>> = {
  2: [store(GICD + 0x100, 2 ** VIRTUAL_TIMER), store(GICC + 4, 0xf0), store(GICC, 1)],
  3: [
    store(GICR_SGI + 0x80, 0xffff_ffff),
    store(GICR_SGI + 0x100, 2 ** VIRTUAL_TIMER),
    load('X1', 0xf0),
    msr('ICC_PMR_EL1', 'X1'),
    load('X1', 1),
    msr('ICC_IGRPEN1_EL1', 'X1'),
  ],
};

/** Waits for the virtual timer at count 100, in a loop or by WFI; the handler takes the time and ends. */
const guest = (gic: 2 | 3, waiting: Item): readonly Item[] => [
  adr('X1', 'vectors'),
  msr('VBAR_EL1', 'X1'),
  DISTRIBUTOR,
  READY[gic],
  load('X1', 100),
  msr('CNTV_CVAL_EL0', 'X1'),
  load('X1', 1),
  msr('CNTV_CTL_EL0', 'X1'),
  msrImmediate('DAIFClr', 2),
  label('wait'),
  waiting,
  b('wait'),
  data(new Uint8Array(0), 2048),
  label('vectors'),
  data(new Uint8Array(0x280)),
  mrs('X20', 'CNTVCT_EL0'),
  gic === 3 ? mrs('X21', 'ICC_IAR1_EL1') : [],
  gic === 3 ? mrs('X22', 'ICC_RPR_EL1') : [],
];

const finished = (made: Machine): number => made.domain('d0').instructions();

describe('the virtual timer', () => {
  it.each([2, 3] as const)('interrupts a loop after exactly 1600 cycles, GICv%i', (gic) => {
    const made = machine({}, { program: guest(gic, []), settings: { gic } });
    expect(left(made, 'd0', 'X20')).toEqual([100n]);
    // Behind the 1600 instructions: the handler's reads, the two or three instructions that load the number, HVC.
    const handler = (gic === 3 ? 3 : 1) + off.flat(3).length;
    expect(finished(made)).toBe(1600 + handler);
  });
  it.each([2, 3] as const)('wakes WFI at its very tick, GICv%i', (gic) => {
    const made = machine({}, { program: guest(gic, wfi()), settings: { gic } });
    expect(left(made, 'd0', 'X20')).toEqual([100n]);
    expect(finished(made)).toBeLessThan(100);
  });
  it('is INTID 27 with a running priority of 0', () => {
    const made = machine({}, { program: guest(3, []), settings: { gic: 3 } });
    expect(left(made, 'd0', 'X21', 'X22')).toEqual([27n, 0n]);
  });
});

describe('what is refused', () => {
  it('ICC registers on a GICv2 are UNDEFINED', () => {
    const program = (name: string): readonly Item[] => [
      adr('X1', 'vectors'),
      msr('VBAR_EL1', 'X1'),
      mrs('X9', name),
      load('X9', 1),
      off,
      data(new Uint8Array(0), 2048),
      label('vectors'),
      data(new Uint8Array(0x200)),
      mrs('X10', 'ESR_EL1'),
    ];
    for (const name of ['ICC_PMR_EL1', 'ICC_IAR1_EL1', 'ICC_SRE_EL1']) {
      const two = machine({}, { program: program(name), settings: { gic: 2 } });
      expect([name, ...left(two, 'd0', 'X9', 'X10')]).toEqual([name, 0n, 0x0200_0000n]);
      const three = machine({}, { program: program(name), settings: { gic: 3 } });
      expect([name, ...left(three, 'd0', 'X9', 'X10')]).toEqual([name, 1n, 0n]);
    }
  });
  it('a granule of 64 KiB stops the run by name', () => {
    const program = [
      load('X1', (1 << 14) | 25),
      msr('TCR_EL1', 'X1'),
      mrs('X1', 'SCTLR_EL1'),
      load('X2', 1),
      0xaa020021, // ORR X1, X1, X2
      msr('SCTLR_EL1', 'X1'),
      isb(),
    ];
    const { ended } = machine({}, { program }).domain('d0');
    expect(ended?.reason).toBe('unmodelled');
  });
  it('PSCI answers an unknown number with -1', () => {
    const made = machine({}, { program: [load('X0', 0x539), hvc(0), 0xaa0003e9 /* MOV X9, X0 */] });
    expect(left(made, 'd0', 'X9')).toEqual([(1n << 64n) - 1n]);
  });
});
