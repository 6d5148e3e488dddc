/** The level of PMUIRQ, by hand from Arm DDI 0487 D13.3 and D13.5.1. */
import { describe, expect, it } from 'vitest';
import { line, overflow } from './overflow.ts';
import { MDCR, PMCR } from './registers/monitor.ts';
import { Fake, type Options } from './testing/view.ts';

const C = 1n << 31n;
const level = (registers: Options['registers'], options: Options = {}) =>
  line(new Fake({ ...options, registers: { MDCR_EL2: 4n, ...registers } }).vcpu);

describe('the interrupt', () => {
  it.each([
    // status, interrupt enable, E, HPME → line; HPMN = 4 of 6
    ['nothing overflowed', 0n, 0xffn, 1, 1, false],
    ['no enable', 0xffn, 0n, 1, 1, false],
    ['another counter’s enable', 0b01n, 0b10n, 1, 1, false],
    ['first range', 0b0001n, 0b0001n, 1, 0, true],
    ['first range without E', 0b0001n, 0b0001n, 0, 1, false],
    ['second range', 0b1_0000n, 0b1_0000n, 0, 1, true],
    ['second range without HPME', 0b1_0000n, 0b1_0000n, 1, 0, false],
    ['cycle counter', C, C, 1, 0, true],
    ['cycle counter without E', C, C, 0, 1, false],
    ['a counter that does not exist', 0x40n, 0x40n, 1, 1, false],
  ] as const)('%s', (_name, status, enable, e, hpme, expected) => {
    expect(
      level({
        PMOVS: status,
        PMINTEN: enable,
        PMCR: e === 1 ? PMCR.E : 0n,
        MDCR_EL2: 4n | (hpme === 1 ? MDCR.HPME : 0n),
      }),
    ).toBe(expected);
  });

  it('does not ask whether the counter is enabled', () => {
    expect(level({ PMOVS: 1n, PMINTEN: 1n, PMCR: PMCR.E, PMCNTEN: 0n })).toBe(true);
  });

  it('does ask where a personality has it so', () => {
    const settings = { overflowNeedsEnable: true };
    const set = { PMOVS: 1n, PMINTEN: 1n, PMCR: PMCR.E };
    expect(level({ ...set, PMCNTEN: 0n }, { settings })).toBe(false);
    expect(level({ ...set, PMCNTEN: 1n }, { settings })).toBe(true);
  });
});

it('an overflow sets its counter’s status and leaves the others', () => {
  const view = new Fake({ registers: { PMOVS: 0b100n } });
  overflow(view.vcpu, 0);
  overflow(view.vcpu, 31);
  expect(view.get('PMOVS')).toBe(0x8000_0005n);
});
