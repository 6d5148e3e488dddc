/** The generic timer: one tick is 16 cycles of a 1 GHz clock; conditions and deadlines by hand, and against a search. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { timerGroups } from '../registers/timer.ts';
import { Board, type FakeVcpu } from '../testing/board.ts';
import { timerDeadline } from './timer.ts';
import { virt } from './virt.ts';

function at(now: bigint, registers: Readonly<Record<string, bigint>> = {}): FakeVcpu {
  const made = new Board();
  made.now = now;
  const cpu = made.cpu();
  for (const [name, value] of Object.entries(registers)) cpu.write(name, value);
  return cpu;
}

const lines = (cpu: FakeVcpu): readonly boolean[] =>
  ['virtual-timer', 'physical-timer'].map((source) => virt.sources[source]?.(cpu) === true);

const V = { CNTV_CVAL_EL0: 100n, CNTV_CTL_EL0: 1n };

describe('the count', () => {
  it('has 62.5 million ticks a second, and rounds down', () => {
    const second = at(1_000_000_000n);
    expect(second.get('CNTFRQ_EL0')).toBe(62_500_000n);
    expect([second.get('CNTVCT_EL0'), second.get('CNTPCT_EL0')]).toEqual([62_500_000n, 62_500_000n]);
    expect(at(15n).get('CNTVCT_EL0')).toBe(0n);
    expect(at(16n).get('CNTVCT_EL0')).toBe(1n);
  });
});

describe.each([
  ['CNTV', 0],
  ['CNTP', 1],
] as const)('%s', (name, which) => {
  const CTL = `${name}_CTL_EL0`;
  const CVAL = `${name}_CVAL_EL0`;
  const TVAL = `${name}_TVAL_EL0`;
  const line = (cpu: FakeVcpu): boolean => lines(cpu)[which] as boolean;

  it('its condition is met from the tick that reaches the compare value on', () => {
    for (const [now, met] of [
      [1599n, false],
      [1600n, true],
      [1_000_000n, true],
    ] as const) {
      const cpu = at(now, { [CVAL]: 100n, [CTL]: 1n });
      expect([now, cpu.get(CTL), line(cpu)]).toEqual([now, met ? 5n : 1n, met]);
    }
  });
  it('IMASK hides the line, not the status; off there is neither', () => {
    const masked = at(1600n, { [CVAL]: 100n, [CTL]: 3n });
    expect([masked.get(CTL), line(masked)]).toEqual([7n, false]);
    const off = at(1600n, { [CVAL]: 100n, [CTL]: 0n });
    expect([off.get(CTL), line(off)]).toEqual([0n, false]);
  });
  it('ISTATUS is not writable', () => {
    expect(at(0n, { [CVAL]: 100n, [CTL]: 0xffff_ffffn }).get(CTL)).toBe(3n);
  });
  it('TVAL is a signed distance', () => {
    const cpu = at(1600n, { [CVAL]: 130n });
    expect(cpu.get(TVAL)).toBe(30n);
    cpu.write(TVAL, 7n);
    expect(cpu.get(CVAL)).toBe(107n);
    cpu.write(TVAL, 0xffff_fffen);
    expect(cpu.get(CVAL)).toBe(98n);
    expect(cpu.get(TVAL)).toBe(0xffff_fffen);
    // Bits above 31 do not count.
    cpu.write(TVAL, 0xabcd_0000_0001n);
    expect(cpu.get(CVAL)).toBe(101n);
  });
  it('compares unsigned', () => {
    expect(line(at(1n << 60n, { [CVAL]: 0xffff_ffff_ffff_ffffn, [CTL]: 1n }))).toBe(false);
    expect(at(0n, { [CVAL]: 0xffff_ffff_ffff_ffffn, [CTL]: 1n }).get(CTL)).toBe(1n);
  });
});

describe('the deadline', () => {
  it('is the first cycle at which a line rises', () => {
    expect(timerDeadline(at(0n, V))).toBe(1600n);
    expect(timerDeadline(at(1599n, V))).toBe(1600n);
    expect(timerDeadline(at(0n, { ...V, CNTP_CVAL_EL0: 99n, CNTP_CTL_EL0: 1n }))).toBe(1584n);
    expect(timerDeadline(at(0n, { ...V, CNTP_CVAL_EL0: 101n, CNTP_CTL_EL0: 1n }))).toBe(1600n);
  });
  it('is none when nothing will change', () => {
    expect(timerDeadline(at(0n))).toBeUndefined();
    expect(timerDeadline(at(1600n, V))).toBeUndefined();
    expect(timerDeadline(at(0n, { ...V, CNTV_CTL_EL0: 3n }))).toBeUndefined();
    // One has fired; the other is still to come.
    expect(timerDeadline(at(1600n, { ...V, CNTP_CVAL_EL0: 200n, CNTP_CTL_EL0: 1n }))).toBe(3200n);
  });
  it('agrees with looking at every cycle', () => {
    const control = fc.constantFrom(0n, 1n, 2n, 3n);
    const compare = fc.bigInt({ min: 0n, max: 12n });
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 150n }), control, compare, control, compare, (now, vc, v, pc, p) => {
        const cpu = at(now, { CNTV_CTL_EL0: vc, CNTV_CVAL_EL0: v, CNTP_CTL_EL0: pc, CNTP_CVAL_EL0: p });
        const before = lines(cpu);
        const deadline = timerDeadline(cpu);
        let first: bigint | undefined;
        for (let cycle = now + 1n; cycle < 250n && first === undefined; cycle++) {
          cpu.board.now = cycle;
          if (lines(cpu).some((line, i) => line !== before[i])) first = cycle;
        }
        expect(deadline).toBe(first);
      }),
      { numRuns: 500, seed: 16 },
    );
  });
});

describe('EL0', () => {
  // CNTKCTL_EL1: EL0PCTEN 0, EL0VCTEN 1, EL0VTEN 8, EL0PTEN 9.
  it.each([
    ['CNTPCT_EL0', 0],
    ['CNTVCT_EL0', 1],
    ['CNTV_CTL_EL0', 8],
    ['CNTV_CVAL_EL0', 8],
    ['CNTV_TVAL_EL0', 8],
    ['CNTP_CTL_EL0', 9],
    ['CNTP_CVAL_EL0', 9],
    ['CNTP_TVAL_EL0', 9],
  ] as const)('%s needs bit %i', (name, bit) => {
    const cpu = new Board().cpu();
    const groups = cpu.row(name).traps ?? [];
    expect(groups.length).toBe(1);
    const group = timerGroups[groups[0] as string];
    expect([group?.at, group?.cause]).toEqual([['el0'], 'user-sysreg']);
    const when = group?.when;
    if (typeof when !== 'object' || !('register' in when)) throw new Error('a field decides');
    const armed = (value: bigint): boolean =>
      cpu.put({ CNTKCTL_EL1: value }).field(when.register, when.field) === when.is;
    expect([armed(0n), armed(1n << BigInt(bit)), armed(0x3ffn & ~(1n << BigInt(bit)))]).toEqual([true, false, true]);
  });
  it('CNTFRQ_EL0 needs either counter', () => {
    const cpu = new Board().cpu();
    expect(cpu.row('CNTFRQ_EL0').traps).toEqual(['EL0_FREQUENCY']);
    const when = timerGroups.EL0_FREQUENCY?.when;
    if (typeof when !== 'function') throw new Error('two fields decide');
    const access = { register: 'CNTFRQ_EL0', address: { space: 'sysreg', index: 0 } };
    expect([0n, 1n, 2n, 3n, 0x3fcn].map((value) => when(cpu.put({ CNTKCTL_EL1: value }), access))).toEqual([
      true,
      false,
      false,
      false,
      true,
    ]);
  });
});
