import { SIGNALS } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { common, eventOf, events } from './events.ts';
import { Fake } from './testing/view.ts';

/** Numbers and names, from the table of Arm DDI 0487 D14.2. */
const TABLE: Readonly<Record<number, string>> = {
  0: 'SW_INCR',
  6: 'LD_RETIRED',
  7: 'ST_RETIRED',
  8: 'INST_RETIRED',
  9: 'EXC_TAKEN',
  10: 'EXC_RETURN',
  12: 'PC_WRITE_RETIRED',
  13: 'BR_IMMED_RETIRED',
  14: 'BR_RETURN_RETIRED',
  15: 'UNALIGNED_LDST_RETIRED',
  17: 'CPU_CYCLES',
  19: 'MEM_ACCESS',
  27: 'INST_SPEC',
  30: 'CHAIN',
  33: 'BR_RETIRED',
  35: 'STALL_FRONTEND',
  36: 'STALL_BACKEND',
  60: 'STALL',
};

describe('events', () => {
  it('have the manual’s numbers and names', () => {
    expect(Object.fromEntries(events.map(({ id, name }) => [id, name]))).toEqual(TABLE);
  });
  it('count signals that exist', () => {
    for (const { counts } of events) for (const signal of counts) expect(Object.keys(SIGNALS)).toContain(signal);
  });
});

describe('PMCEID<n>_EL0', () => {
  const of = (cpu: string) => {
    const { features } = new Fake({ cpu }).cpu;
    return [common(0, features), common(1, features)];
  };
  // Bits 0, 6 to 10, 12 to 15, 17, 19, 27, 30.
  const LOW = 0x480a_f7c1n;
  it('shows what is counted on v3', () => expect(of('cortex-a57')).toEqual([LOW, 0x2n]));
  it('adds the stalls on v3p1', () => expect(of('neoverse-n1')).toEqual([LOW, 0x1an]));
  it('adds STALL on v3p4', () => expect(of('neoverse-v1')).toEqual([LOW, 0x1000_001an]));
  it('agrees with what a selector counts', () => {
    for (const cpu of ['cortex-a57', 'neoverse-n1', 'max']) {
      const { features } = new Fake({ cpu }).cpu;
      for (let id = 0; id < 64; id++) {
        const bit = (common(id < 32 ? 0 : 1, features) >> BigInt(id % 32)) & 1n;
        expect([cpu, id, eventOf(id, features) !== undefined]).toEqual([cpu, id, bit === 1n]);
      }
    }
  });
  it('has what the suites of the field insist on', () => {
    for (const cpu of ['cortex-a57', 'cortex-a76', 'neoverse-n2', 'max']) {
      const [low, high] = of(cpu) as [bigint, bigint];
      for (const id of [0x00, 0x08, 0x11]) expect((low >> BigInt(id)) & 1n).toBe(1n);
      if (cpu !== 'cortex-a57') expect(high & 0x18n).toBe(0x18n);
    }
  });
});
