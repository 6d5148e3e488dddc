import { template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { type Anything, plugin } from '../testing/plugin.ts';
import { compile } from './compile.ts';
import { cpuModel } from './cpu.ts';

const compiled = (change: (arch: Anything) => void = () => {}, cpu = 'tiny') => {
  const arch = plugin(change);
  return compile(arch, cpuModel(arch, cpu));
};

describe('compile: registers', () => {
  const arch = compiled();

  it('numbers every row from 0, in the order of the table', () => {
    expect(arch.registers.map((r) => r.name)).toEqual(Object.keys(template.registers));
    arch.registers.forEach((register, id) => {
      expect(register.id).toBe(id);
      expect(arch.byName.get(register.name)).toBe(register);
    });
  });

  it('turns fields into masks by behaviour', () => {
    // PMSEL0: NU 31, NK 30, H 29 and EVENT 7:0 are stored, 28:8 must be 0.
    expect(arch.byName.get('PMSEL0')).toMatchObject({
      width: 32,
      mask: 0xffff_ffffn,
      plain: 0xe000_00ffn,
      mustBe0: 0x1fff_ff00n,
      zero: 0n,
      one: 0n,
      ignored: 0n,
      oneSets: 0n,
      oneClears: 0n,
      mustBe1: 0n,
    });
    expect(arch.byName.get('PMENSET')).toMatchObject({ oneSets: 0xfn, zero: 0xffff_fff0n, plain: 0n });
    expect(arch.byName.get('PMENCLR')).toMatchObject({ oneClears: 0xfn });
    expect(arch.byName.get('CAUSE')).toMatchObject({ ignored: 0xffff_ffffn, zero: 0xffff_ffff_0000_0000n });
  });

  it('every bit of every register is in exactly one mask', () => {
    for (const r of arch.registers) {
      const masks = [r.plain, r.oneSets, r.oneClears, r.ignored, r.zero, r.one, r.mustBe0, r.mustBe1];
      expect(masks.reduce((a, b) => a | b)).toBe(r.mask);
      expect(masks.reduce((a, b) => a + b)).toBe(r.mask);
    }
  });

  it('knows where a field is', () => {
    expect(arch.byName.get('PMSEL0')?.fields.get('EVENT')).toEqual([7, 0]);
    expect(arch.byName.get('PMSEL0')?.fields.get('NU')).toEqual([31, 31]);
  });

  it('knows homes, and gives those of the physical CPU a slot each', () => {
    const home = (name: string) => arch.byName.get(name)?.home;
    expect([home('R0'), home('STATUS'), home('HCTL'), home('PMC0'), home('PMUSER')]).toEqual([
      'vcpu',
      'vcpu',
      'pcpu',
      'policy',
      'policy',
    ]);
    const slots = arch.registers.filter((r) => r.home !== 'vcpu').map((r) => r.bankSlot);
    expect(slots).toEqual(slots.map((_, i) => i));
    expect(arch.bankSlots).toBe(slots.length);
    expect(arch.registers.filter((r) => r.home === 'vcpu').every((r) => r.bankSlot === -1)).toBe(true);
  });

  it('turns levels into indices', () => {
    const levels = (name: string) => [arch.byName.get(name)?.readLevel, arch.byName.get(name)?.writeLevel];
    expect(levels('R0')).toEqual([0, 0]);
    expect(levels('PMC0')).toEqual([0, 1]);
    expect(levels('HCTL')).toEqual([2, 2]);
    expect(levels('PMINC')).toEqual([Infinity, 0]);
    expect(levels('TIME')).toEqual([0, Infinity]);
    expect([arch.levels, arch.hypervisorLevel]).toEqual([['user', 'kernel', 'hypervisor'], 2]);
  });

  it('sums what a register affects', () => {
    const affects = (name: string) => arch.byName.get(name)?.affects;
    expect([affects('R0'), affects('USER_FROM'), affects('LEVEL'), affects('STATUS')]).toEqual([0, 1, 2, 4]);
    const all = compiled((a) => {
      a.registers.STATUS.affects = ['decode', 'pmu', 'interrupts', 'level', 'translation'];
    });
    expect(all.byName.get('STATUS')?.affects).toBe(31);
  });

  it('finds the program counter', () => {
    expect(arch.pc).toBe(arch.byName.get('PC'));
  });
});

describe('compile: addresses', () => {
  it('finds a register by space and index', () => {
    expect(compiled().byAddress.get('control')?.get(0x1c)?.name).toBe('PMC0');
    expect(compiled().byAddress.get('control')?.get(0x99)).toBeUndefined();
    expect(compiled().byAddress.get('other')).toBeUndefined();
  });

  const shared = (a: Anything): void => {
    a.cpus['tiny-none'].features = ['other'];
    a.registers.SCRATCH.needs = 'other';
    a.registers.SCRATCH.at.index = 0x10;
  };

  it.each([
    ['tiny', 'PMCTL'],
    ['tiny-none', 'SCRATCH'],
  ])('of two rows at one address, %s has %s', (cpu, name) => {
    const found = compiled(shared, cpu).byAddress.get('control')?.get(0x10);
    expect([found?.name, found?.exists]).toEqual([name, true]);
  });

  it('a register without its feature stays known, and does not exist', () => {
    const none = compiled(undefined, 'tiny-none');
    expect(none.byAddress.get('control')?.get(0x1c)).toMatchObject({ name: 'PMC0', exists: false });
    expect(none.byName.get('STATUS')?.exists).toBe(true);
  });
});

describe('compile: traps, events, counters', () => {
  const arch = compiled();

  it('a group knows its control, its levels and its cause', () => {
    const group = arch.groups.get('TPM');
    expect(group).toMatchObject({ on: 'both', levels: 0b011, high: 0, low: 0, is: 1n });
    expect(group?.register).toBe(arch.byName.get('HCTL')?.id);
    expect(group?.cause).toBe(arch.causes.get('pmu'));
    expect(arch.byName.get('PMC0')?.groups.map((g) => g.name)).toEqual(['USER_PMU', 'TPM']);
    expect(arch.byName.get('PMC0')?.groups[1]).toBe(group);
    expect([...arch.causes.values()].map((cause) => cause.id)).toEqual([0, 1, 2, 3]);
  });

  it.each([
    ['a bitmap', { intercept: 'per-register' }],
    ['a function', () => true],
  ])('a group armed by %s has no register', (_, when) => {
    const group = compiled((a) => {
      a.trapGroups.TPM.when = when;
    }).groups.get('TPM');
    expect(group).toMatchObject({ high: 0, low: 0, is: 0n });
    expect(group).not.toHaveProperty('register');
  });

  it('has the events whose feature this CPU has', () => {
    const change = (a: Anything): void => {
      a.pmu.events[3].needs = 'wide';
    };
    expect(compiled(change).events.get(3)).toBeUndefined();
    expect(compiled(change, 'tiny-wide').events.get(3)?.name).toBe('LOADS');
    expect(compiled(change).events.size).toBe(compiled(change, 'tiny-wide').events.size - 1);
  });

  it('has every counter, in its place, and says which exist', () => {
    expect(arch.counters.map((c) => [c.index, c.value.name, c.exists])).toEqual([
      [0, 'PMC0', true],
      [1, 'PMC1', true],
      [2, 'PMC2', true],
      [3, 'PMC3', true],
    ]);
    expect(compiled(undefined, 'tiny-none').counters.map((c) => c.exists)).toEqual([false, false, false, false]);
    const byItself = compiled((a) => {
      a.pmu.counters[2].needs = 'wide';
    });
    expect(byItself.counters.map((c) => c.exists)).toEqual([true, true, false, true]);
  });

  it('is frozen', () => {
    expect(() => Object.assign(arch, { bankSlots: 0 })).toThrow(TypeError);
    expect(() => Object.assign(arch.registers[0] as object, { id: 9 })).toThrow(TypeError);
    expect(() => (arch.registers as unknown[]).pop()).toThrow(TypeError);
    expect(() => Object.assign(arch.groups.get('TPM') as object, { levels: 0 })).toThrow(TypeError);
  });
});
