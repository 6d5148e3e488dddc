/** Who may access what, and what stops them: levels × PMUSERENR_EL0 × MDCR_EL2, by hand from the access tables of Arm DDI 0487 D24.5. */
import type { Trap } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { Fake, type Options, tables } from './testing/view.ts';
import { causes, sysregSyndrome, trapGroups } from './traps.ts';

const EN = 1n;
const SW = 2n;
const CR = 4n;
const ER = 8n;
const TPM = 1n << 6n;
const TPMCR = 1n << 5n;

/** What an access comes to, in one word. */
function verdict(name: string, write: boolean, options: Options): string {
  const decided = new Fake(options).decide(name, write ? 0n : undefined);
  return decided.verdict === 'trapped' ? decided.cause : decided.verdict;
}

const user = (bits: bigint, mdcr = 6n): Options => ({ level: 0, registers: { PMUSERENR_EL0: bits, MDCR_EL2: mdcr } });

/** D24.5.26: which bits of PMUSERENR_EL0 let EL0 read, and write. `-`: no bit does; `no`: not at EL0, or not at all. */
const ENABLES: Readonly<Record<string, readonly [read: string, write: string]>> = {
  PMCR_EL0: ['EN', 'EN'],
  PMCNTENSET_EL0: ['EN', 'EN'],
  PMCNTENCLR_EL0: ['EN', 'EN'],
  PMOVSCLR_EL0: ['EN', 'EN'],
  PMOVSSET_EL0: ['EN', 'EN'],
  PMSWINC_EL0: ['no', 'EN SW'],
  PMSELR_EL0: ['EN ER', 'EN ER'],
  PMCEID0_EL0: ['EN', 'no'],
  PMCEID1_EL0: ['EN', 'no'],
  PMCCNTR_EL0: ['EN CR', 'EN'],
  PMXEVTYPER_EL0: ['EN', 'EN'],
  PMXEVCNTR_EL0: ['EN ER', 'EN'],
  PMEVCNTR0_EL0: ['EN ER', 'EN'],
  PMEVCNTR5_EL0: ['EN ER', 'EN'],
  PMEVTYPER0_EL0: ['EN', 'EN'],
  PMCCFILTR_EL0: ['EN', 'EN'],
  PMINTENSET_EL1: ['no', 'no'],
  PMINTENCLR_EL1: ['no', 'no'],
  PMMIR_EL1: ['no', 'no'],
  PMUSERENR_EL0: ['always', 'no'],
};
const BITS: Readonly<Record<string, bigint>> = { EN, SW, CR, ER };

describe.each(Object.entries(ENABLES))('%s at EL0', (name, enables) => {
  it.each([
    ['read', false],
    ['write', true],
  ] as const)('%s: PMUSERENR_EL0 is asked, and before MDCR_EL2.TPM', (_word, write) => {
    const by = enables[write ? 1 : 0];
    for (let bits = 0n; bits < 16n; bits++) {
      const allowed = by === 'always' || by.split(' ').some((bit) => (bits & (BITS[bit] ?? 0n)) !== 0n);
      const expected = by === 'no' ? 'undefined' : allowed ? 'direct' : 'user-sysreg';
      expect([bits, verdict(name, write, user(bits))]).toEqual([bits, expected]);
      const trapped = expected === 'direct' ? 'sysreg' : expected;
      expect([bits, verdict(name, write, user(bits, 6n | TPM))]).toEqual([bits, trapped]);
    }
  });
});

it('the table above has every register, of the numbered ones two', () => {
  const numbered = /^PMEV(CNTR|TYPER)\d+_EL0$/;
  const names = Object.entries(tables).filter(([name, { at }]) => at !== undefined && name.startsWith('PM'));
  expect(
    names
      .map(([name]) => name)
      .filter((name) => !numbered.test(name))
      .sort(),
  ).toEqual(
    Object.keys(ENABLES)
      .filter((name) => !numbered.test(name))
      .sort(),
  );
});

describe('at EL1', () => {
  const kernel = (mdcr: bigint): Options => ({ level: 1, registers: { PMUSERENR_EL0: 0n, MDCR_EL2: mdcr } });
  it('TPM stops every Performance Monitors register, PMUSERENR_EL0 is not asked', () => {
    for (const name of Object.keys(ENABLES)) {
      if (name === 'PMSWINC_EL0') continue;
      expect([name, verdict(name, false, kernel(6n | TPM))]).toEqual([name, 'sysreg']);
      expect([name, verdict(name, false, kernel(6n))]).toEqual([name, 'direct']);
    }
    expect(verdict('PMSWINC_EL0', true, kernel(6n | TPM))).toBe('sysreg');
  });
  it('TPMCR stops PMCR_EL0 alone', () => {
    for (const name of Object.keys(ENABLES)) {
      if (name === 'PMSWINC_EL0') continue;
      expect([name, verdict(name, false, kernel(6n | TPMCR))]).toEqual([
        name,
        name === 'PMCR_EL0' ? 'sysreg' : 'direct',
      ]);
    }
  });
  it('and nothing stops EL2', () => {
    for (const name of Object.keys(ENABLES)) {
      if (name === 'PMSWINC_EL0') continue;
      expect(verdict(name, false, { level: 2, registers: { MDCR_EL2: 6n | TPM | TPMCR } })).toBe('direct');
    }
  });
});

describe('a hypervisor that opens EL0', () => {
  it('is asked whatever the guest wrote', () => {
    const options: Options = { ...user(0n, 6n | TPM), settings: { el0: 'open' } };
    for (const [name, [read]] of Object.entries(ENABLES)) {
      if (read !== 'no') expect(verdict(name, false, options)).toBe('sysreg');
    }
  });
  it('is what a policy without Performance Monitors means', () => {
    expect(verdict('PMCR_EL0', false, { ...user(0n, 6n | TPM), policy: 'off' })).toBe('sysreg');
    expect(verdict('PMCR_EL0', false, { ...user(0n, 6n | TPM), policy: 'off', settings: { el0: 'guest' } })).toBe(
      'user-sysreg',
    );
  });
});

describe('debug registers', () => {
  // D24.3.17: what TDRA, TDOSA and TDA each stop; TDE stands for all three.
  const GROUPS: Readonly<Record<string, readonly string[]>> = {
    TDRA: ['MDRAR_EL1'],
    TDOSA: ['OSLAR_EL1', 'OSLSR_EL1', 'OSDLR_EL1', 'DBGPRCR_EL1'],
    TDA: [
      'MDSCR_EL1',
      'MDCCINT_EL1',
      'MDCCSR_EL0',
      'DBGDTR_EL0',
      'DBGDTRTX_EL0',
      'OSDTRRX_EL1',
      'OSDTRTX_EL1',
      'OSECCR_EL1',
      'DBGCLAIMSET_EL1',
      'DBGCLAIMCLR_EL1',
      'DBGAUTHSTATUS_EL1',
      ...[0, 1, 2, 3].flatMap((n) => [`DBGBVR${n}_EL1`, `DBGBCR${n}_EL1`, `DBGWVR${n}_EL1`, `DBGWCR${n}_EL1`]),
    ],
  };
  const bit = { TDE: 1n << 8n, TDA: 1n << 9n, TDOSA: 1n << 10n, TDRA: 1n << 11n };
  const writes = (name: string) => tables[name]?.read === 'never';
  for (const [group, names] of Object.entries(GROUPS)) {
    it.each(names)(`%s: ${group} and TDE stop it, the others do not`, (name) => {
      for (const [control, mdcr] of Object.entries(bit)) {
        const expected = control === group || control === 'TDE' ? 'sysreg' : 'direct';
        expect([control, verdict(name, writes(name), { registers: { MDCR_EL2: mdcr } })]).toEqual([control, expected]);
      }
    });
  }
  it('MDSCR_EL1.TDCC keeps EL0 out of the communications channel before EL2 is asked', () => {
    const options = (tdcc: bigint): Options => ({ level: 0, registers: { MDSCR_EL1: tdcc << 12n, MDCR_EL2: bit.TDA } });
    for (const name of ['MDCCSR_EL0', 'DBGDTR_EL0', 'DBGDTRTX_EL0']) {
      expect(verdict(name, false, options(1n))).toBe('user-sysreg');
      expect(verdict(name, false, options(0n))).toBe('sysreg');
    }
  });
  it('there are as many breakpoints and watchpoints as ID_AA64DFR0_EL1 says', () => {
    // A57: BRPs 5, WRPs 3.
    const of = (name: string) => verdict(name, false, { cpu: 'cortex-a57' });
    expect([of('DBGBVR5_EL1'), of('DBGBCR5_EL1'), of('DBGWVR3_EL1'), of('DBGWCR3_EL1')]).toEqual(
      Array(4).fill('direct'),
    );
    expect([of('DBGBVR6_EL1'), of('DBGBCR6_EL1'), of('DBGWVR4_EL1'), of('DBGWCR15_EL1')]).toEqual(
      Array(4).fill('undefined'),
    );
  });
  it('enabling one is loud', () => {
    const view = new Fake();
    expect(view.decide('DBGBCR0_EL1', 0n)).toEqual({ verdict: 'direct' });
    expect(view.decide('DBGBCR0_EL1', 1n)).toMatchObject({ cause: 'unmodelled' });
    expect(view.decide('DBGWCR0_EL1', 1n)).toMatchObject({ cause: 'unmodelled' });
    expect(view.decide('MDSCR_EL1', 1n)).toMatchObject({ cause: 'unmodelled' });
    expect(view.decide('MDSCR_EL1', 0x8000n)).toEqual({ verdict: 'direct' });
  });
});

describe('other controls', () => {
  it('HCR_EL2.TID1, TID2, TID3 and TACR stop their registers', () => {
    const stops = (bits: bigint, level: 0 | 1 = 1) =>
      ['MIDR_EL1', 'REVIDR_EL1', 'CTR_EL0', 'CSSELR_EL1', 'ID_AA64PFR0_EL1', 'S3_0_C0_C7_7', 'ACTLR_EL1'].filter(
        (name) =>
          new Fake({ level, registers: { HCR_EL2: bits, SCTLR_EL1: 1n << 15n } }).decide(name).verdict === 'trapped',
      );
    expect(stops(0n)).toEqual([]);
    expect(stops(1n << 16n)).toEqual(['REVIDR_EL1']);
    expect(stops(1n << 17n)).toEqual(['CTR_EL0', 'CSSELR_EL1']);
    expect(stops(1n << 17n, 0)).toEqual(['CTR_EL0']);
    expect(stops(1n << 18n)).toEqual(['ID_AA64PFR0_EL1', 'S3_0_C0_C7_7']);
    expect(stops(1n << 21n)).toEqual(['ACTLR_EL1']);
  });
  it('SCTLR_EL1 keeps EL0 from DAIF and CTR_EL0', () => {
    const of = (name: string, sctlr: bigint) => verdict(name, false, { level: 0, registers: { SCTLR_EL1: sctlr } });
    expect([of('DAIF', 0n), of('DAIF', 1n << 9n)]).toEqual(['user-sysreg', 'direct']);
    expect([of('CTR_EL0', 0n), of('CTR_EL0', 1n << 15n)]).toEqual(['user-sysreg', 'direct']);
  });
  it('SP_EL0 is undefined while it is the stack pointer in use', () => {
    expect(verdict('SP_EL0', false, { registers: { SPSEL: 0n } })).toBe('undefined');
    expect(verdict('SP_EL0', false, { registers: { SPSEL: 1n } })).toBe('direct');
  });
  it('CPACR_EL1.FPEN keeps EL0, or both, from FPCR', () => {
    // 0b00 and 0b10 trap both levels, 0b01 EL0 alone, 0b11 none (D24.2.36).
    const of = (fpen: bigint, level: 0 | 1) => verdict('FPCR', false, { level, registers: { CPACR_EL1: fpen << 20n } });
    expect([0n, 1n, 2n, 3n].map((fpen) => of(fpen, 0))).toEqual(['fp-access', 'fp-access', 'fp-access', 'direct']);
    expect([0n, 1n, 2n, 3n].map((fpen) => of(fpen, 1))).toEqual(['fp-access', 'direct', 'fp-access', 'direct']);
  });
  it('hpmn0: diagnostic stops what depends on HPMN = 0, and nothing else', () => {
    const of = (name: string, hpmn0: string, mdcr = 0n) =>
      verdict(name, false, { hpmn0, registers: { MDCR_EL2: mdcr } });
    for (const name of [
      'PMCR_EL0',
      'PMCNTENSET_EL0',
      'PMOVSCLR_EL0',
      'PMINTENSET_EL1',
      'PMEVCNTR0_EL0',
      'PMEVTYPER0_EL0',
    ]) {
      expect([name, of(name, 'diagnostic')]).toEqual([name, 'reserved-hpmn']);
      expect([name, of(name, 'diagnostic', 6n)]).toEqual([name, 'direct']);
    }
    expect(of('PMCCNTR_EL0', 'diagnostic')).toBe('direct');
    expect([of('PMEVCNTR0_EL0', 'none'), of('PMEVCNTR0_EL0', 'all')]).toEqual(['sysreg', 'direct']);
  });
});

describe('handlers', () => {
  const trap = (more: Partial<Trap>): Trap => ({ cause: 'sysreg', pc: 0x4008_0000n, bits: 0n, argument: 0n, ...more });
  const outcome = (cause: string, view: Fake, more: Partial<Trap>) => {
    const { handler } = causes[cause] ?? {};
    if (typeof handler !== 'function') throw new Error(`${cause} has no handler here`);
    return handler(view.vcpu, trap(more));
  };
  const access = (register: string) => ({ access: { register, address: { space: 'sysreg', index: 0 } } });

  it('the syndrome of EC 0x18 comes from the instruction', () => {
    // mrs x5, pmccntr_el0 is d53b9d05: Op0 3, Op2 0, Op1 3, CRn 9, Rt 5, CRm 13, read.
    expect(sysregSyndrome(0xd53b9d05n)).toBe((3n << 20n) | (3n << 14n) | (9n << 10n) | (5n << 5n) | (13n << 1n) | 1n);
    // msr pmselr_el0, x7 is d51b9ca7: Op2 5, CRm 12, write.
    expect(sysregSyndrome(0xd51b9ca7n)).toBe(
      (3n << 20n) | (5n << 17n) | (3n << 14n) | (9n << 10n) | (7n << 5n) | (12n << 1n),
    );
    expect(outcome('user-sysreg', new Fake(), { bits: 0xd53b9d05n })).toEqual({
      then: 'inject',
      exception: { kind: 'sysreg-trap', syndrome: 0x30e4bbn },
    });
  });
  it('complete on the guest’s own registers', () => {
    expect(outcome('sysreg', new Fake({ policy: 'emulated' }), access('PMCR_EL0'))).toEqual({ then: 'complete' });
    expect(outcome('sysreg', new Fake({ policy: 'off' }), access('MDSCR_EL1'))).toEqual({ then: 'complete' });
    expect(outcome('identity', new Fake(), access('ID_AA64DFR0_EL1'))).toEqual({ then: 'complete' });
  });
  it('undefined without Performance Monitors, and for the hypervisor’s counters', () => {
    expect(outcome('sysreg', new Fake({ policy: 'off' }), access('PMCR_EL0'))).toMatchObject({
      then: 'inject',
      exception: { kind: 'undefined' },
    });
    expect(outcome('sysreg', new Fake(), { ...access('PMEVCNTR5_EL0'), group: 'HPMN' })).toMatchObject({
      then: 'inject',
    });
  });
  it('what is not modelled ends the domain by name', () => {
    expect(outcome('unmodelled', new Fake(), { bits: 0x1e604000n })).toMatchObject({
      then: 'unmodelled',
      code: 'CV_UNMODELLED_INSTRUCTION',
      message: expect.stringContaining('instruction 0x1e604000 at pc 0x40080000 (EL1)'),
    });
    expect(outcome('unmodelled', new Fake(), access('DBGBCR0_EL1'))).toMatchObject({
      then: 'unmodelled',
      message: expect.stringContaining('DBGBCR0_EL1'),
    });
    expect(outcome('reserved-hpmn', new Fake(), access('PMCR_EL0'))).toMatchObject({
      then: 'unmodelled',
      message: expect.stringContaining('neoverse-n2'),
    });
  });
  it('WFE gives the turn away, SMC is undefined', () => {
    const view = new Fake();
    expect(outcome('wait-event', view, {})).toEqual({ then: 'complete' });
    expect(view.yields).toBe(1);
    expect(outcome('smc', view, {})).toMatchObject({ then: 'inject', exception: { kind: 'undefined' } });
    expect(outcome('undefined', view, {})).toMatchObject({ then: 'inject', exception: { kind: 'undefined' } });
    expect(outcome('fp-access', view, {})).toEqual({
      then: 'inject',
      exception: { kind: 'fp-access' },
    });
  });
  it('every group says where its rule stands', () => {
    for (const { source } of Object.values(trapGroups)) expect(source).toMatch(/Arm DDI 0487|not modelled/);
  });
});
