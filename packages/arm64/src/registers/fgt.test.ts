/** Which accesses each bit of HDFGRTR_EL2 and HDFGWTR_EL2 stops: by hand from the two registers' descriptions, Arm DDI 0487, D24.2. */
import { describe, expect, it } from 'vitest';
import { Fake, tables } from '../testing/view.ts';
import { pmu } from './pmu.ts';

const numbered = (name: string): readonly string[] => Array.from({ length: 31 }, (_, n) => `${name}${n}_EL0`);

/** Bit, the registers whose reads (R) and writes (W) it stops at EL1, and whether it stops EL0 too. */
const BITS: readonly (readonly [bit: number, on: 'R' | 'W' | 'RW', el0: boolean, names: readonly string[]])[] = [
  [12, 'RW', true, [...numbered('PMEVCNTR'), 'PMXEVCNTR_EL0']],
  [13, 'RW', true, [...numbered('PMEVTYPER'), 'PMXEVTYPER_EL0']],
  [14, 'RW', true, ['PMCCFILTR_EL0']],
  [15, 'RW', true, ['PMCCNTR_EL0']],
  [16, 'RW', true, ['PMCNTENSET_EL0', 'PMCNTENCLR_EL0']],
  [17, 'RW', false, ['PMINTENSET_EL1', 'PMINTENCLR_EL1']],
  [18, 'RW', true, ['PMOVSSET_EL0', 'PMOVSCLR_EL0']],
  [19, 'RW', true, ['PMSELR_EL0']],
  [20, 'W', true, ['PMSWINC_EL0']],
  [21, 'W', true, ['PMCR_EL0']],
  [22, 'R', false, ['PMMIR_EL1']],
  [57, 'RW', true, ['PMUSERENR_EL0']],
  [58, 'R', true, ['PMCEID0_EL0', 'PMCEID1_EL0']],
];
const REGISTERS = { R: 'HDFGRTR_EL2', W: 'HDFGWTR_EL2' } as const;

/** The accesses that trap to EL2 while these bits are set, as `read NAME` and `write NAME`. EL0 is let in by PMUSERENR_EL0.EN unless said. */
function stopped(registers: Readonly<Record<string, bigint>>, level: 0 | 1, cpu = 'max', open = 1n): readonly string[] {
  const on = new Fake({ cpu, level, counters: 31, registers: { PMUSERENR_EL0: open, MDCR_EL2: 31n, ...registers } });
  return Object.keys(pmu)
    .filter((name) => tables[name]?.at !== undefined)
    .flatMap((name) =>
      [undefined, 0n].flatMap((write) => {
        const decided = on.decide(name, write);
        return decided.verdict === 'trapped' && decided.cause === 'sysreg'
          ? [`${write === undefined ? 'read' : 'write'} ${name}`]
          : [];
      }),
    )
    .sort();
}

describe.each(BITS)('bit %i', (bit, on, el0, names) => {
  it.each(['R', 'W'] as const)('of the register for %s', (way) => {
    const verb = way === 'R' ? 'read' : 'write';
    const expected = on.includes(way) ? names.map((name) => `${verb} ${name}`).sort() : [];
    const bits = { [REGISTERS[way]]: 1n << BigInt(bit) };
    // A bit that is not there cannot be set.
    if (expected.length === 0) {
      const view = new Fake({ cpu: 'max', level: 2 });
      view.write(REGISTERS[way], 1n << BigInt(bit));
      expect(view.get(REGISTERS[way])).toBe(0n);
      return;
    }
    expect(stopped(bits, 1)).toEqual(expected);
    // MSR PMUSERENR_EL0 is undefined at EL0.
    expect(stopped(bits, 0)).toEqual(el0 ? expected.filter((one) => one !== 'write PMUSERENR_EL0') : []);
    expect(stopped(bits, 1, 'neoverse-n2')).toEqual([]);
  });
});

describe('the order', () => {
  const all = { HDFGRTR_EL2: 0x600_0000_004f_f000n, HDFGWTR_EL2: 0x200_0000_003f_f000n };
  it('PMUSERENR_EL0 keeps EL0 out before: only its own reads get as far', () => {
    expect(stopped(all, 0, 'max', 0n)).toEqual(['read PMUSERENR_EL0']);
  });
  it('MDCR_EL2.TPM and HPMN come behind', () => {
    const on = new Fake({ cpu: 'max', counters: 6, registers: { ...all, MDCR_EL2: 0x42n } });
    for (const name of ['PMEVCNTR4_EL0', 'PMEVTYPER1_EL0', 'PMOVSSET_EL0']) {
      expect(on.decide(name)).toMatchObject({ group: expect.stringMatching(/^FGR_/) });
      expect(on.decide(name, 0n)).toMatchObject({ group: expect.stringMatching(/^FGW_/) });
    }
    // There is no bit for it.
    expect(on.decide('PMCR_EL0')).toMatchObject({ group: 'TPM' });
    // Nor a trap of what does not exist.
    expect(on.decide('PMEVCNTR6_EL0')).toMatchObject({ cause: 'undefined' });
  });
});
