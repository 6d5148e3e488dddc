/** What each Performance Monitors register holds after a write, and who may touch it. Expectations by hand from Arm DDI 0487 D24.5. */
import { describe, expect, it } from 'vitest';
import { Fake, type Options } from '../testing/view.ts';

const at = (registers: Options['registers'] = {}, options: Options = {}): Fake => new Fake({ ...options, registers });

describe('PMCR_EL0', () => {
  it('shows IMP and IDCODE of the core, and N', () => {
    // Technical reference manuals: A57 0x41013000, A76 0x410B3000, N1 0x410C3000, V1 0x41213000, N2 0x3000, all with six counters.
    const reads = (cpu: string) => new Fake({ cpu }).read('PMCR_EL0');
    expect(reads('cortex-a57')).toBe(0x4101_3000n);
    expect(reads('cortex-a72')).toBe(0x4102_3000n);
    expect(reads('cortex-a76')).toBe(0x410b_3000n);
    expect(reads('neoverse-n1')).toBe(0x410c_3000n);
    expect(reads('neoverse-v1')).toBe(0x4121_3000n);
    expect(reads('neoverse-n2')).toBe(0x3000n);
  });
  it('shows HPMN as N to EL1 and EL0, all counters to EL2', () => {
    const n = (level: 0 | 1 | 2) => at({ MDCR_EL2: 4n }, { level }).field('PMCR_EL0', 'N');
    expect([n(0), n(1), n(2)]).toEqual([4n, 4n, 6n]);
  });
  it('keeps E, D, X, DP, LC, and LP from v3p5 on; P and C read as 0; the rest ignores writes', () => {
    const after = (cpu: string) => {
      const view = new Fake({ cpu });
      view.write('PMCR_EL0', 0xffff_ffff_ffff_ffffn);
      return view.read('PMCR_EL0');
    };
    expect(after('neoverse-n2')).toBe(0x30f9n);
    expect(after('neoverse-v1')).toBe(0x4121_3079n);
  });
  it('P resets the event counters that the guest has, C the cycle counter, and neither the selectors nor the status', () => {
    const counts = { PMEVCNTR0_EL0: 5n, PMEVCNTR3_EL0: 6n, PMEVCNTR4_EL0: 7n, PMCCNTR_EL0: 8n };
    const rest = { PMEVTYPER0_EL0: 0x11n, PMOVS: 0x8000_0001n, PMCNTEN: 1n, MDCR_EL2: 4n };
    const after = (written: bigint, level: 0 | 1 | 2 = 1) => {
      const view = at({ ...counts, ...rest }, { level });
      view.write('PMCR_EL0', written);
      for (const [name, value] of Object.entries(rest)) expect(view.stored.get(name)).toBe(value);
      return Object.keys(counts).map((name) => view.stored.get(name));
    };
    expect(after(0n)).toEqual([5n, 6n, 7n, 8n]);
    expect(after(2n)).toEqual([0n, 0n, 7n, 8n]);
    expect(after(4n)).toEqual([5n, 6n, 7n, 0n]);
    expect(after(6n)).toEqual([0n, 0n, 7n, 0n]);
    expect(after(2n, 2)).toEqual([0n, 0n, 0n, 8n]);
  });
});

describe.each([
  ['PMCNTENSET_EL0', 'PMCNTENCLR_EL0', 'PMCNTEN'],
  ['PMINTENSET_EL1', 'PMINTENCLR_EL1', 'PMINTEN'],
  ['PMOVSSET_EL0', 'PMOVSCLR_EL0', 'PMOVS'],
])('%s and %s', (set, clear, stored) => {
  it('set and clear one register, and both read it', () => {
    const view = at({ [stored]: 0b0001n });
    view.write(set, 0b0110n);
    expect([view.read(set), view.read(clear)]).toEqual([0b0111n, 0b0111n]);
    view.write(clear, 0b0011n);
    expect([view.read(set), view.read(clear)]).toEqual([0b0100n, 0b0100n]);
  });
  it('have a bit for each counter there is, and the cycle counter', () => {
    const view = at({ [stored]: 0n });
    view.write(set, 0xffff_ffff_ffff_ffffn);
    expect(view.read(set)).toBe(0x8000_003fn);
  });
  it('neither show nor touch the hypervisor’s counters', () => {
    const view = at({ [stored]: 0x30n, MDCR_EL2: 4n });
    expect(view.read(set)).toBe(0n);
    view.write(set, 0xffff_ffffn);
    expect(view.stored.get(stored)).toBe(0x8000_003fn);
    view.write(clear, 0xffff_ffffn);
    expect(view.stored.get(stored)).toBe(0x30n);
    view.level = 2;
    expect(view.read(set)).toBe(0x30n);
  });
});

describe('PMSWINC_EL0', () => {
  const written = (bits: bigint, more: Options['registers'] = {}, options: Options = {}) => {
    const view = at({ PMCR: 1n, PMCNTEN: 0x3fn, PMEVTYPER1_EL0: 0x11n, ...more }, options);
    view.write('PMSWINC_EL0', bits);
    return view.counted;
  };
  it('counts once for each bit whose counter selects SW_INCR', () => {
    expect(written(0b1011n)).toEqual(['PMEVCNTR0_EL0', 'PMEVCNTR3_EL0']);
  });
  it('needs E', () => expect(written(1n, { PMCR: 0n })).toEqual([]));
  it('needs the counter’s enable', () =>
    expect(written(0b11_0001n, { PMCNTEN: 0x30n })).toEqual(['PMEVCNTR4_EL0', 'PMEVCNTR5_EL0']));
  it('is filtered by level', () => {
    expect(written(1n, { PMEVTYPER0_EL0: 1n << 31n })).toEqual([]);
    expect(written(1n, { PMEVTYPER0_EL0: 1n << 31n }, { level: 0 })).toEqual(['PMEVCNTR0_EL0']);
  });
  it('does not reach the hypervisor’s counters', () =>
    expect(written(0x3fn, { MDCR_EL2: 1n })).toEqual(['PMEVCNTR0_EL0']));
  it('cannot be read', () => expect(at().decide('PMSWINC_EL0')).toEqual({ verdict: 'undefined' }));
});

describe('PMEVTYPER<n>_EL0', () => {
  const after = (cpu: string, value: bigint, policy: Options['policy'] = 'switched') => {
    const view = new Fake({ cpu, policy });
    view.write('PMEVTYPER0_EL0', value);
    return view.read('PMEVTYPER0_EL0');
  };
  it('keeps the filters and 10 bits of event on v3, 16 from v3p1 on', () => {
    expect(after('cortex-a57', 0xffff_ffff_ffff_ffffn)).toBe(0xfc00_03ffn);
    expect(after('cortex-a76', 0xffff_ffff_ffff_ffffn)).toBe(0xfc00_ffffn);
  });
  it('keeps a number that nothing counts', () => expect(after('max', 0xean)).toBe(0xean));
  it('has P and U alone where the vCPU has neither EL2 nor EL3', () => {
    expect(after('cortex-a57', 0xffff_ffffn, 'emulated')).toBe(0xc000_03ffn);
  });
});

describe('PMEVCNTR<n>_EL0', () => {
  it('has 32 bits, 64 from v3p5 on', () => {
    const after = (cpu: string) => {
      const view = new Fake({ cpu });
      view.write('PMEVCNTR0_EL0', 0x1234_5678_9abc_def0n);
      return view.read('PMEVCNTR0_EL0');
    };
    expect(after('neoverse-v1')).toBe(0x9abc_def0n);
    expect(after('neoverse-n2')).toBe(0x1234_5678_9abc_def0n);
  });
});

describe('PMSELR_EL0 and its windows', () => {
  it('reach the selected counter and its selector', () => {
    const view = at({ PMSELR_EL0: 3n });
    view.write('PMXEVTYPER_EL0', 0x8000_0013n);
    view.write('PMXEVCNTR_EL0', 77n);
    expect([view.get('PMEVTYPER3_EL0'), view.get('PMEVCNTR3_EL0')]).toEqual([0x8000_0013n, 77n]);
    expect([view.read('PMXEVTYPER_EL0'), view.read('PMXEVCNTR_EL0')]).toEqual([0x8000_0013n, 77n]);
  });
  it('keep the widths of what they reach', () => {
    const view = at({ PMSELR_EL0: 0n }, { cpu: 'cortex-a57' });
    view.write('PMXEVTYPER_EL0', 0xffff_ffff_ffff_ffffn);
    view.write('PMXEVCNTR_EL0', 0xffff_ffff_ffff_ffffn);
    expect([view.get('PMEVTYPER0_EL0'), view.get('PMEVCNTR0_EL0')]).toEqual([0xfc00_03ffn, 0xffff_ffffn]);
  });
  it('SEL = 31 is the cycle counter’s filter, and no counter', () => {
    const view = at({ PMSELR_EL0: 31n });
    view.write('PMXEVTYPER_EL0', 0xffff_ffff_ffff_ffffn);
    expect(view.get('PMCCFILTR_EL0')).toBe(0xfc00_0000n);
    expect(view.read('PMXEVCNTR_EL0')).toBe('undefined');
    expect(view.decide('PMXEVTYPER_EL0')).toEqual({ verdict: 'direct' });
    expect(view.decide('PMXEVCNTR_EL0')).toMatchObject({ verdict: 'trapped', cause: 'undefined' });
  });
  it('SEL keeps five bits', () => {
    const view = at();
    view.write('PMSELR_EL0', 0xffn);
    expect(view.read('PMSELR_EL0')).toBe(0x1fn);
  });
});

describe('counters beyond those there are', () => {
  const names = (n: number) => [`PMEVCNTR${n}_EL0`, `PMEVTYPER${n}_EL0`];
  it('N and above are undefined, at EL0 before PMUSERENR_EL0 is asked', () => {
    for (const level of [0, 1] as const) {
      for (const name of names(6)) expect(at({}, { level }).decide(name)).toMatchObject({ cause: 'undefined' });
      for (const name of ['PMXEVCNTR_EL0', 'PMXEVTYPER_EL0']) {
        expect(at({ PMSELR_EL0: 6n }, { level }).decide(name)).toMatchObject({ cause: 'undefined' });
      }
    }
  });
  it('HPMN and above go to EL2', () => {
    for (const name of names(4)) {
      expect(at({ MDCR_EL2: 4n }).decide(name)).toEqual({ verdict: 'trapped', group: 'HPMN', cause: 'sysreg' });
      expect(at({ MDCR_EL2: 5n }).decide(name)).toEqual({ verdict: 'direct' });
    }
    for (const name of ['PMXEVCNTR_EL0', 'PMXEVTYPER_EL0']) {
      expect(at({ MDCR_EL2: 4n, PMSELR_EL0: 4n }).decide(name)).toMatchObject({ group: 'HPMN' });
      expect(at({ MDCR_EL2: 4n, PMSELR_EL0: 3n }).decide(name)).toEqual({ verdict: 'direct' });
    }
  });
  it('all 31 are there when the setting says so', () => {
    expect(at({}, { counters: 31 }).decide('PMEVCNTR30_EL0')).toEqual({ verdict: 'direct' });
  });
});

describe('MDCR_EL2', () => {
  const after = (cpu: string, without: readonly string[] = []) => {
    const view = new Fake({ cpu, level: 2, without });
    view.write('MDCR_EL2', 0xffff_ffff_ffff_ffffn);
    return view.read('MDCR_EL2');
  };
  it('has the bits of its version', () => {
    expect(after('cortex-a57')).toBe(0xfffn);
    expect(after('cortex-a76')).toBe(0x2_0fffn);
    expect(after('neoverse-v1')).toBe(0x2_0fffn);
    expect(after('neoverse-n2')).toBe(0x482_0fffn);
  });
  it('has the debug traps alone on a CPU without Performance Monitors', () => {
    expect(after('neoverse-n2', ['pmuv3'])).toBe(0xf00n);
  });
  it('is out of the guest’s reach', () => expect(at().decide('MDCR_EL2')).toEqual({ verdict: 'undefined' }));
});

describe('without the feature', () => {
  it('the registers are not there', () => {
    for (const name of ['PMCR_EL0', 'PMEVCNTR0_EL0', 'PMUSERENR_EL0', 'PMCEID0_EL0']) {
      expect(new Fake({ without: ['pmuv3'] }).decide(name)).toEqual({ verdict: 'undefined' });
    }
  });
  it('PMMIR_EL1 is there from v3p4 on', () => {
    expect(new Fake({ cpu: 'cortex-a76' }).decide('PMMIR_EL1')).toEqual({ verdict: 'undefined' });
    expect(new Fake({ cpu: 'neoverse-v1' }).decide('PMMIR_EL1')).toEqual({ verdict: 'direct' });
  });
});
