/** Whether a counter counts: bits by level, expectations by hand from Arm DDI 0487 D13.5 and D24.5.12. */
import { describe, expect, it } from 'vitest';
import { accessible, CYCLE, counterMask, counters, exists, firstRange } from './counters.ts';
import { MDCR, PMCR } from './registers/monitor.ts';
import { Fake, type Options } from './testing/view.ts';

const P = 1n << 31n;
const U = 1n << 30n;
const NSK = 1n << 29n;
const NSU = 1n << 28n;
const NSH = 1n << 27n;
const M = 1n << 26n;

/** Event counter 0 and the cycle counter enabled with one filter each, six counters, all of them the guest's. */
const filter = (bits: bigint, more: Options['registers'] = {}, options: Options = {}): Fake =>
  new Fake({
    ...options,
    registers: {
      PMCR: PMCR.E,
      PMCNTEN: 0xffff_ffffn,
      MDCR_EL2: 6n,
      PMEVTYPER0_EL0: bits | 0x08n,
      PMCCFILTR_EL0: bits,
      ...more,
    },
  });

describe('filters', () => {
  // EL0 counts when U equals NSU, EL1 when P equals NSK, EL2 when NSH is set. M decides about EL3, where nothing runs.
  it.each([
    ['none', 0n, 'EL0 EL1'],
    ['P', P, 'EL0'],
    ['U', U, 'EL1'],
    ['P U', P | U, ''],
    ['NSK', NSK, 'EL0'],
    ['NSU', NSU, 'EL1'],
    ['NSK NSU', NSK | NSU, ''],
    ['P NSK', P | NSK, 'EL0 EL1'],
    ['U NSU', U | NSU, 'EL0 EL1'],
    ['P U NSK NSU', P | U | NSK | NSU, 'EL0 EL1'],
    ['P NSU', P | NSU, ''],
    ['U NSK', U | NSK, ''],
    ['NSH', NSH, 'EL0 EL1 EL2'],
    ['P U NSH', P | U | NSH, 'EL2'],
    ['M', M, 'EL0 EL1'],
    ['P M', P | M, 'EL0'],
  ])('%s', (_name, bits, counted) => {
    const view = filter(bits);
    const levels = [0, 1, 2];
    for (const n of [0, CYCLE]) {
      expect(
        levels
          .filter((level) => view.counting(n, level))
          .map((level) => `EL${level}`)
          .join(' '),
      ).toBe(counted);
    }
  });
});

describe('enables', () => {
  // Table D13-4: PMCNTENSET gates all; PMCR.E the first range and the cycle counter, MDCR_EL2.HPME the second range.
  it.each([
    // E, HPME, enabled → counter 0 (first range), counter 4 (second range, HPMN = 4), cycle counter
    [0, 0, true, [false, false, false]],
    [1, 0, true, [true, false, true]],
    [0, 1, true, [false, true, false]],
    [1, 1, true, [true, true, true]],
    [1, 1, false, [false, false, false]],
  ] as const)('E=%i HPME=%i PMCNTEN=%s', (e, hpme, enabled, expected) => {
    const view = filter(0n, {
      PMCR: e === 1 ? PMCR.E : 0n,
      MDCR_EL2: 4n | (hpme === 1 ? MDCR.HPME : 0n),
      PMCNTEN: enabled ? 0xffff_ffffn : 0n,
      PMEVTYPER4_EL0: 0x08n,
    });
    expect([0, 4, CYCLE].map((n) => view.counting(n, 1))).toEqual(expected);
  });
});

describe('prohibition at EL2', () => {
  const at2 = (cpu: string, mdcr: bigint, pmcr = PMCR.E): readonly boolean[] => {
    const view = filter(NSH, { MDCR_EL2: 4n | MDCR.HPME | mdcr, PMCR: pmcr, PMEVTYPER4_EL0: NSH | 8n }, { cpu });
    return [0, 4, CYCLE].map((n) => view.counting(n, 2));
  };
  it('none by default', () => expect(at2('neoverse-n2', 0n)).toEqual([true, true, true]));
  it('HPMD stops the first range alone, from v3p1 on', () => {
    expect(at2('cortex-a76', MDCR.HPMD)).toEqual([false, true, true]);
    expect(at2('cortex-a57', MDCR.HPMD)).toEqual([true, true, true]);
  });
  it('HPMD stops the cycle counter when DP is set', () => {
    expect(at2('cortex-a76', MDCR.HPMD, PMCR.E | PMCR.DP)).toEqual([false, true, false]);
    expect(at2('cortex-a76', 0n, PMCR.E | PMCR.DP)).toEqual([true, true, true]);
  });
  it('HCCD stops the cycle counter whatever DP says, from v3p5 on', () => {
    expect(at2('neoverse-n2', MDCR.HCCD)).toEqual([true, true, false]);
    expect(at2('neoverse-v1', MDCR.HCCD)).toEqual([true, true, true]);
  });
  it('none of them reaches EL1', () => {
    const view = filter(0n, { MDCR_EL2: 6n | MDCR.HPMD | MDCR.HCCD, PMCR: PMCR.E | PMCR.DP });
    expect([0, CYCLE].map((n) => view.counting(n, 1))).toEqual([true, true]);
  });
});

describe('HPMN', () => {
  const ranges = (hpmn: bigint, options: Options = {}) => {
    const view = new Fake({ registers: { MDCR_EL2: hpmn }, ...options });
    return [firstRange(view.vcpu), accessible(view.vcpu)];
  };
  it('gives the guest the counters below it', () => {
    expect(ranges(4n)).toEqual([4, 4]);
    expect(ranges(6n)).toEqual([6, 6]);
  });
  it('hides none from EL2', () => expect(ranges(4n, { level: 2 })).toEqual([4, 6]));
  it('beyond the number of counters is all of them', () => expect(ranges(31n)).toEqual([6, 6]));
  it.each([
    ['none', 0],
    ['diagnostic', 0],
    ['all', 6],
  ])('of 0 with hpmn0: %s gives %i', (hpmn0, expected) => {
    expect(ranges(0n, { hpmn0 })).toEqual([expected, expected]);
  });
  it('masks the bits of PMCNTENSET_EL0 and its kin, never the cycle counter', () => {
    const mask = (hpmn: bigint, level: 1 | 2) => counterMask(new Fake({ registers: { MDCR_EL2: hpmn }, level }).vcpu);
    expect(mask(4n, 1)).toBe(0x8000_000fn);
    expect(mask(0n, 1)).toBe(0x8000_0000n);
    expect(mask(4n, 2)).toBe(0x8000_003fn);
  });
});

describe('width and overflow', () => {
  const of = (cpu: string, n: number, pmcr: bigint, mdcr = 4n) => {
    const { vcpu } = new Fake({ cpu, registers: { PMCR: pmcr, MDCR_EL2: mdcr } });
    return [counters[n]?.width(vcpu), counters[n]?.overflowWidth(vcpu)];
  };
  it('event counters have 32 bits before v3p5', () => {
    expect(of('neoverse-v1', 0, PMCR.LP)).toEqual([32, 32]);
  });
  it('64 bits from v3p5 on, overflowing beyond 32 without LP', () => {
    expect(of('neoverse-n2', 0, 0n)).toEqual([64, 32]);
    expect(of('neoverse-n2', 0, PMCR.LP)).toEqual([64, 64]);
  });
  it('HLP, not LP, for the second range', () => {
    expect(of('neoverse-n2', 4, PMCR.LP)).toEqual([64, 32]);
    expect(of('neoverse-n2', 4, 0n, 4n | MDCR.HLP)).toEqual([64, 64]);
    expect(of('neoverse-n2', 0, 0n, 4n | MDCR.HLP)).toEqual([64, 32]);
  });
  it('LC for the cycle counter, which always has 64', () => {
    expect(of('cortex-a57', CYCLE, 0n)).toEqual([64, 32]);
    expect(of('cortex-a57', CYCLE, PMCR.LC)).toEqual([64, 64]);
  });
  it('D divides by 64 while LC is 0', () => {
    const by = (pmcr: bigint) => counters[CYCLE]?.divisor?.(new Fake({ registers: { PMCR: pmcr } }).vcpu);
    expect([0n, PMCR.D, PMCR.LC, PMCR.D | PMCR.LC].map(by)).toEqual([1, 64, 1, 1]);
  });
});

describe('events', () => {
  const selects = (cpu: string, type: bigint) =>
    counters[0]?.event(new Fake({ cpu, registers: { PMEVTYPER0_EL0: type } }).vcpu);
  it('are selected by 10 bits on v3, by 16 from v3p1 on', () => {
    // Bits 15:10 do not exist on v3.
    expect(selects('cortex-a57', 0x408n)).toBe(0x08);
    expect(selects('cortex-a76', 0x408n)).toBeUndefined();
  });
  it('that are not supported count nothing', () => expect(selects('max', 0x03n)).toBeUndefined());
  it('of a later version count nothing', () => {
    expect(selects('cortex-a57', 0x23n)).toBeUndefined();
    expect(selects('cortex-a76', 0x23n)).toBe(0x23);
    expect(selects('neoverse-n1', 0x3cn)).toBeUndefined();
    expect(selects('neoverse-v1', 0x3cn)).toBe(0x3c);
  });
  it('the cycle counter counts cycles', () => expect(counters[CYCLE]?.event(new Fake().vcpu)).toBe(0x11));
});

it('CHAIN has a neighbour on odd counters alone', () => {
  expect(counters[1]?.neighbour).toBe(0);
  expect(counters[29]?.neighbour).toBe(28);
  expect(counters[0]?.neighbour).toBeUndefined();
  expect(counters[30]?.neighbour).toBeUndefined();
  expect(counters[CYCLE]?.neighbour).toBeUndefined();
});

it('there are as many as the setting says, and the cycle counter', () => {
  const { vcpu } = new Fake({ counters: 4 });
  expect(counters.map((_, n) => n).filter((n) => exists(vcpu, n))).toEqual([0, 1, 2, 3, 31]);
});
