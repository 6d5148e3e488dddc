import { describe, expect, it } from 'vitest';
import { still } from '../testing/still.ts';
import type { ExceptionName } from './calls.ts';
import { combine, faults, kinds, TRIPLE_FAULT, take } from './exceptions.ts';

/** SDM volume 3, tables 6-4 and 6-5. */
const CONTRIBUTORY: readonly ExceptionName[] = ['#DE', '#TS', '#NP', '#SS', '#GP'];
const BENIGN = (Object.keys(kinds) as ExceptionName[]).filter(
  (name) => !CONTRIBUTORY.includes(name) && name !== '#PF' && name !== '#DF',
);

describe('two exceptions in a row', () => {
  it('make a double fault where table 6-5 says so', () => {
    for (const second of CONTRIBUTORY) {
      for (const first of [...BENIGN, 'INTR'] as const) expect(combine(first, second)).toBe('second');
      for (const first of [...CONTRIBUTORY, '#PF'] as const) expect(combine(first, second)).toBe('double');
    }
    for (const first of CONTRIBUTORY) expect(combine(first, '#PF')).toBe('second');
    expect(combine('#PF', '#PF')).toBe('double');
    for (const second of BENIGN) expect(combine('#PF', second)).toBe('second');
  });

  it('shut down behind a double fault', () => {
    for (const second of [...CONTRIBUTORY, '#PF'] as const) expect(combine('#DF', second)).toBeUndefined();
    for (const second of BENIGN) expect(combine('#DF', second)).toBe('second');
  });
});

describe('taking an exception', () => {
  it('in real mode goes through four bytes of the vector table, without an error code', () => {
    const { vcpu } = still();
    vcpu.set('CS', 0x100n);
    vcpu.set('CS_BASE', 0x1000n);
    vcpu.set('RIP', 0x1234n);
    vcpu.set('RSP', 0x8000n);
    vcpu.set('RFLAGS', 0x302n);
    vcpu.domain.write(13n * 4n, new Uint8Array([0x78, 0x56, 0x00, 0x30]));
    take(vcpu, { kind: '#GP', syndrome: 0n });
    expect(vcpu.get('CS')).toBe(0x3000n);
    expect(vcpu.get('RIP')).toBe(0x3_5678n);
    expect(vcpu.get('RSP')).toBe(0x7ffan);
    // IP, CS, FLAGS.
    expect([...(vcpu.domain.read(0x7ffan, 6) as Uint8Array)]).toEqual([0x34, 0x02, 0x00, 0x01, 0x02, 0x03]);
    expect(vcpu.get('RFLAGS')).toBe(2n);
  });

  it('without any table ends the domain: a triple fault', () => {
    const { vcpu, domain } = still();
    vcpu.set('CR0', 0x11n);
    vcpu.set('IDTR_LIMIT', 0n);
    take(vcpu, { kind: '#UD' });
    expect(domain.ended).toEqual({ reason: 'reset', status: TRIPLE_FAULT });
  });

  it('refuses a name that it does not know', () => {
    expect(() => take(still().vcpu, { kind: '#XX' })).toThrowError(/x86 knows no exception '#XX'/);
  });
});

describe('an access that is undefined', () => {
  const of = (space: string, index: number, de = 0n): string => {
    const { vcpu } = still();
    vcpu.set('CR4', de << 3n);
    return faults.register(vcpu, { space, index, write: false }).kind;
  };
  it('is #UD for control and debug registers without a name, and #GP elsewhere', () => {
    for (const n of [1, 5, 6, 7, 9, 15]) expect(of('cr', n)).toBe('#UD');
    for (const n of [0, 2, 3, 4, 8]) expect(of('cr', n)).toBe('#GP');
    for (const n of [8, 15]) expect(of('dr', n)).toBe('#UD');
    expect([of('dr', 4), of('dr', 4, 1n), of('dr', 6, 1n)]).toEqual(['#GP', '#UD', '#GP']);
    for (const space of ['msr', 'pmc', 'tsc', 'xcr']) expect(of(space, 0x1234)).toBe('#GP');
  });
});
