/** The context switch: what moves, in which order, and what stays behind. */
import type { Arch, Personality, SwitchPlan, Vcpu, Writes } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { Handle } from '../handle.ts';
import type { Machine } from '../machine.ts';
import type { EventMap } from '../report/events.ts';
import { counters, disable, enable, prepare } from '../testing/counters.ts';
import { beside, type Guest, guest, type Line, times } from '../testing/guest.ts';
import { leave, switchTo } from './switch.ts';

const { jump, label, movi, nop, readreg, writereg } = asm;

const CARRIED = [...template.switching.controls, ...template.switching.counters] as string[];
const plain = template.personalities.plain as Personality;

/** A machine of two domains that never count; nothing has run yet. */
function pair(
  policy: 'switched' | 'mediated' | 'passthrough' | 'emulated' | 'off',
  arch: Arch = template as Arch,
): [Guest, Guest] {
  const a = guest([label('on'), jump('on')], { policy, arch, pcpus: 2 });
  return [a, beside(a.machine, 'b', [label('on'), jump('on')], { policy })];
}
const cpu = (g: Guest, n = 0): NonNullable<Machine['pcpus'][number]> =>
  g.machine.pcpus[n] as NonNullable<Machine['pcpus'][number]>;
describe('what travels', () => {
  const pattern = (name: string, seed: number): bigint => {
    const { width } = (template.registers as Readonly<Record<string, { readonly width: number }>>)[name] as {
      width: number;
    };
    return BigInt.asUintN(width, 0x9e37_79b9_7f4a_7c15n * BigInt(CARRIED.indexOf(name) + 1 + seed * 100));
  };

  it.each(['switched', 'mediated'] as const)(
    '%s: leaving and returning is the identity for every carried register',
    (policy) => {
      const [a, b] = pair(policy);
      switchTo(a.machine, cpu(a), a.v);
      const physical = new Handle(a.v, true);
      for (const name of CARRIED) physical.store(physical.register(name), pattern(name, 1));
      switchTo(a.machine, cpu(a), b.v);
      const other = new Handle(b.v, true);
      for (const name of CARRIED) other.store(other.register(name), pattern(name, 2));
      switchTo(a.machine, cpu(a), a.v);
      for (const name of CARRIED) expect(physical.raw(physical.register(name)), name).toBe(pattern(name, 1));
      switchTo(a.machine, cpu(a), b.v);
      for (const name of CARRIED) expect(other.raw(other.register(name)), name).toBe(pattern(name, 2));
    },
  );

  it.each(['switched', 'mediated'] as const)('%s: it takes them along to another physical CPU', (policy) => {
    const [a] = pair(policy);
    switchTo(a.machine, cpu(a), a.v);
    const physical = new Handle(a.v, true);
    for (const name of CARRIED) physical.store(physical.register(name), pattern(name, 3));
    switchTo(a.machine, cpu(a, 1), a.v);
    expect([cpu(a).current, cpu(a, 1).current]).toEqual([undefined, a.v]);
    for (const name of CARRIED) expect(physical.raw(physical.register(name)), name).toBe(pattern(name, 3));
    switchTo(a.machine, cpu(a), a.v);
    for (const name of CARRIED) expect(physical.raw(physical.register(name)), name).toBe(pattern(name, 3));
  });

  it('the bits that are not the guest’s stay on the physical CPU, whoever comes and goes', () => {
    const switching: SwitchPlan = {
      ...template.switching,
      // Under this policy the fourth counter is the host's, and so is its bit of the enables.
      travels: (name, policy) => {
        if (policy !== 'mediated') return ~0n;
        if (name === 'PMC3' || name === 'PMSEL3') return 0n;
        return name === 'PMENSET' ? 7n : ~0n;
      },
    };
    const [a, b] = pair('mediated', { ...template, switching } as Arch);
    const physical = new Handle(a.v, true);
    const other = new Handle(b.v, true);
    const put = (handle: Handle, name: string, value: bigint): void => handle.store(handle.register(name), value);
    const raw = (handle: Handle, ...names: readonly string[]): bigint[] =>
      names.map((name) => handle.raw(handle.register(name)));

    switchTo(a.machine, cpu(a), a.v);
    for (const [name, value] of [
      ['PMC0', 10n],
      ['PMC3', 13n],
      ['PMSEL3', 3n],
      ['PMENSET', 0xdn],
    ] as const) {
      put(physical, name, value);
    }
    const told: string[][] = [];
    a.machine.events.on('switch', (e) => told.push([...e.steps]));
    switchTo(a.machine, cpu(a), b.v);
    expect(raw(other, 'PMC3', 'PMSEL3', 'PMENSET')).toEqual([13n, 3n, 8n]);
    put(other, 'PMC3', 14n);
    put(other, 'PMENSET', 0xan);
    switchTo(a.machine, cpu(a), a.v);
    expect(raw(physical, 'PMC0', 'PMC3', 'PMSEL3', 'PMENSET')).toEqual([10n, 14n, 3n, 0xdn]);
    // The second physical CPU has a fourth counter of its own, as power-on left it.
    switchTo(a.machine, cpu(a, 1), a.v);
    expect(raw(physical, 'PMC0', 'PMC3', 'PMENSET')).toEqual([10n, 0x1de7_ec7e_dbad_c0den, 5n]);
    const saved = told.flat().filter((step) => step.startsWith('save PMENSET '));
    expect(saved[0]).toBe('save PMENSET 0x5');
    expect(told.flat().filter((step) => /PMC3|PMSEL3/.test(step))).toEqual([]);
    expect(told.flat()).toContain('restore PMC0 0xa');
  });

  it('switched: while it is away, its values are read where they wait', () => {
    const [a, b] = pair('switched');
    switchTo(a.machine, cpu(a), a.v);
    a.v.handle.set('PMC2', 77n);
    a.v.handle.set('PMSEL2', 5n);
    switchTo(a.machine, cpu(a), b.v);
    expect(a.all('PMC2', 'PMSEL2')).toEqual([77n, 5n]);
    a.v.handle.set('PMC2', 78n);
    switchTo(a.machine, cpu(a), a.v);
    expect(a.get('PMC2')).toBe(78n);
  });

  it('passthrough: the bank stays with the physical CPU', () => {
    const [a, b] = pair('passthrough');
    switchTo(a.machine, cpu(a), a.v);
    const physical = new Handle(a.v, true);
    for (const name of CARRIED) physical.store(physical.register(name), pattern(name, 4));
    switchTo(a.machine, cpu(a), b.v);
    const other = new Handle(b.v, true);
    for (const name of CARRIED) expect(other.raw(other.register(name)), name).toBe(pattern(name, 4));
    // To the second physical CPU it comes without them.
    switchTo(a.machine, cpu(a, 1), a.v);
    expect(physical.raw(physical.register('PMSEL0'))).toBe(0n);
    switchTo(a.machine, cpu(a), a.v);
    for (const name of CARRIED) expect(physical.raw(physical.register(name)), name).toBe(pattern(name, 4));
  });

  it('passthrough: the report still has what a guest saw last', () => {
    const [a, b] = pair('passthrough');
    switchTo(a.machine, cpu(a), a.v);
    a.v.handle.set('PMC0', 1234n);
    switchTo(a.machine, cpu(a), b.v);
    b.v.handle.set('PMC0', 1n);
    expect(a.get('PMC0')).toBe(1234n);
    switchTo(a.machine, cpu(a), a.v);
    expect(a.get('PMC0')).toBe(1n);
  });

  it.each(['emulated', 'off'] as const)('%s: neither brings nor takes anything', (policy) => {
    const [a, b] = pair(policy);
    switchTo(a.machine, cpu(a), a.v);
    const physical = new Handle(a.v, true);
    const mine = new Handle(a.v, false);
    for (const name of CARRIED) {
      physical.store(physical.register(name), pattern(name, 5));
      mine.store(mine.register(name), pattern(name, 6));
    }
    switchTo(a.machine, cpu(a), b.v);
    const other = new Handle(b.v, true);
    for (const name of CARRIED) expect(other.raw(other.register(name)), name).toBe(pattern(name, 5));
    for (const name of CARRIED) expect(mine.raw(mine.register(name)), name).toBe(pattern(name, 6));
  });

  it('the rest of a clock divider travels with its counters, and a newcomer finds none', () => {
    const arch = counters(() => ({ divisor: () => 4 }));
    const lines = (n: number): Line[] => [...prepare(0, 'INSTRUCTIONS'), ...enable(), ...times(n, nop()), ...disable];
    // Alone: 4 · k + 2 with the two that disable.
    for (const slice of [1, 2, 3, 5, 11, 13]) {
      for (const policy of ['switched', 'mediated'] as const) {
        const a = guest(lines(20), { policy, arch, slice });
        const b = beside(a.machine, 'b', lines(33), { policy });
        a.run();
        expect([a.get('PMC0'), b.get('PMC0')], `${policy} ${slice}`).toEqual([5n, 8n]); // 22 / 4 and 35 / 4
      }
    }
  });
});

describe('in which order', () => {
  function steps(
    arch: Arch,
    policy: 'switched' | 'passthrough' | 'emulated',
    mode: 'compat' | 'strict' = 'compat',
  ): string[][] {
    const a = guest([nop()], { arch, policy, mode });
    const b = beside(a.machine, 'b', [nop()], { policy });
    const all: string[][] = [];
    a.machine.events.on('switch', (e) => all.push([`${e.from} > ${e.to}`, ...e.steps]));
    switchTo(a.machine, cpu(a), a.v);
    switchTo(a.machine, cpu(a), b.v);
    switchTo(a.machine, cpu(a), b.v); // is there already
    switchTo(a.machine, cpu(a), a.v);
    return all;
  }
  const names = (list: readonly string[] | undefined, what: string): string[] =>
    (list ?? []).filter((s) => s.startsWith(what)).map((s) => s.split(' ')[1] as string);

  it('out: controls, freeze, counters; in: enforcement, counters, controls, the mirror image', () => {
    const all = steps(template as Arch, 'switched');
    expect(all.map((s) => s[0])).toEqual(['idle > a', 'a > b', 'b > a']);
    for (const s of all.slice(1)) {
      const kinds = s.slice(1).map((step) => step.split(' ').slice(0, 2).join(' '));
      const { controls, counters: counts } = template.switching;
      expect(kinds).toEqual([
        ...controls.map((r) => `save ${r}`),
        'freeze PMCTL',
        ...counts.map((r) => `save ${r}`),
        'enforce HCTL',
        ...[...counts].reverse().map((r) => `restore ${r}`),
        ...[...controls].reverse().map((r) => `restore ${r}`),
      ]);
    }
    // From idle nothing is saved.
    expect(names(all[0], 'save')).toEqual([]);
  });

  it('passthrough and emulated: enforcement alone', () => {
    expect(steps(template as Arch, 'passthrough').map((s) => s.slice(1))).toEqual([
      ['enforce HCTL 0x0'],
      ['enforce HCTL 0x0'],
      ['enforce HCTL 0x0'],
    ]);
    expect(steps(template as Arch, 'emulated')[1]?.slice(1)).toEqual(['enforce HCTL 0x1']);
  });

  const withPersonality = (more: Partial<Personality>): Arch =>
    ({ ...template, personalities: { plain: { ...plain, ...more } } }) as Arch;

  it("a personality's enforcement comes last, with mode, demand and view, and replaces the architecture's", () => {
    const asked: unknown[] = [];
    const arch = withPersonality({
      enforce: (mode, demand, view): Writes => {
        asked.push([mode, demand.counter, view.index]);
        return [
          ['HCTL', 0xffn],
          ['PMUSER', 1n],
        ];
      },
    });
    const all = steps(arch, 'switched', 'strict');
    expect(all[1]?.slice(-2)).toEqual(['enforce HCTL 0xff', 'enforce PMUSER 0x1']);
    expect(names(all[1], 'enforce')).toEqual(['HCTL', 'PMUSER']);
    expect(asked).toEqual(Array.from({ length: 3 }, () => ['strict', 'direct', 0]));
  });

  it('what a CPU lacks is neither moved nor written', () => {
    const arch = withPersonality({ enforce: () => [['PMUSER', 1n]] });
    const a = guest([nop()], { arch, cpu: 'tiny-none', policy: 'switched' });
    const b = beside(a.machine, 'b', [nop()], { policy: 'switched' });
    let last: readonly string[] = ['?'];
    a.machine.events.on('switch', (e) => {
      last = e.steps;
    });
    switchTo(a.machine, cpu(a), a.v);
    switchTo(a.machine, cpu(a), b.v);
    expect(last).toEqual([]);
  });

  it('a personality may move other registers in another order', () => {
    const arch = withPersonality({
      switching: (mode): Partial<SwitchPlan> =>
        mode === 'strict' ? { counters: ['PMC1', 'PMC0'], controls: ['PMSEL0'], freeze: [] } : {},
    });
    const all = steps(arch, 'switched', 'strict');
    expect([names(all[1], 'save'), names(all[1], 'freeze'), names(all[1], 'restore')]).toEqual([
      ['PMSEL0', 'PMC1', 'PMC0'],
      [],
      ['PMC0', 'PMC1', 'PMSEL0'],
    ]);
    expect(names(steps(arch, 'switched')[1], 'save')).toEqual(CARRIED);
  });

  it('hooks are called once for each who leaves and each who comes, there and then', () => {
    const calls: string[] = [];
    const seen = (vcpu: Vcpu): string => `${(vcpu as Handle).v.name} PMC0=${vcpu.get('PMC0')}`;
    const arch = {
      ...template,
      switching: {
        ...template.switching,
        contextSwitchFrom: (vcpu: Vcpu) => void calls.push(`from ${seen(vcpu)}`),
        contextSwitchTo: (vcpu: Vcpu) => void calls.push(`to ${seen(vcpu)}`),
      },
    } as unknown as Arch;
    for (const policy of ['switched', 'passthrough', 'emulated'] as const) {
      calls.length = 0;
      const a = guest([nop()], { arch, policy });
      const b = beside(a.machine, 'b', [nop()], { policy });
      a.v.handle.set('PMC0', 11n);
      b.v.handle.set('PMC0', 22n);
      switchTo(a.machine, cpu(a), a.v);
      if (policy === 'passthrough') a.v.handle.set('PMC0', 33n);
      switchTo(a.machine, cpu(a), b.v);
      leave(a.machine, cpu(a));
      leave(a.machine, cpu(a)); // nobody is there
      const [first, second] = policy === 'passthrough' ? [33, 33] : [11, 22];
      expect(calls.slice(1)).toEqual([`from a PMC0=${first}`, `to b PMC0=${second}`, `from b PMC0=${second}`]);
      expect(calls[0]).toMatch(/^to a /);
    }
  });

  it('a switch is counted for the vCPU and for the physical CPU, and a migration as one', () => {
    const [a, b] = pair('switched');
    switchTo(a.machine, cpu(a), a.v);
    switchTo(a.machine, cpu(a), b.v);
    switchTo(a.machine, cpu(a, 1), b.v);
    expect([a.v.switches, b.v.switches, cpu(a).switches, cpu(a, 1).switches]).toEqual([1, 2, 2, 1]);
  });
});

describe('a switch is told', () => {
  const told = (a: Guest): EventMap['switch'][] => {
    const all: EventMap['switch'][] = [];
    a.machine.events.on('switch', (e) => all.push(e));
    return all;
  };
  const words = (e: EventMap['switch'] | undefined): Set<string> =>
    new Set(e?.steps.map((step) => step.split(' ')[0] as string));

  it('a migration as two: what is saved where it was, and what is restored where it is', () => {
    const [a] = pair('switched');
    switchTo(a.machine, cpu(a), a.v);
    const all = told(a);
    switchTo(a.machine, cpu(a, 1), a.v);
    expect(all.map(({ pcpu, from, to }) => [pcpu, from, to])).toEqual([
      [0, 'a', 'idle'],
      [1, 'idle', 'a'],
    ]);
    expect(all[0]?.steps.length).toBe(CARRIED.length + template.switching.freeze.length);
    expect(words(all[0])).toEqual(new Set(['save', 'freeze']));
    expect(words(all[1])).toEqual(new Set(['enforce', 'restore']));
  });

  it('the leave of each vCPU of a domain that has ended', () => {
    const a = guest([nop()], { policy: 'switched' });
    const all = told(a);
    a.run();
    expect(all.map(({ from, to }) => `${from} ${to}`)).toEqual(['idle a', 'a idle']);
    expect(all[1]?.steps.filter((step) => step.startsWith('save ')).length).toBe(CARRIED.length);
  });

  it("the architecture's own hooks by its name", () => {
    const hooks = { contextSwitchFrom: () => {}, contextSwitchTo: () => {} };
    const arch = { ...template, switching: { ...template.switching, ...hooks } } as unknown as Arch;
    const a = guest([nop()], { policy: 'emulated', arch });
    const all = told(a);
    a.run();
    expect(all.map(({ steps }) => steps.filter((step) => step.startsWith('context')))).toEqual([
      ['contextSwitchTo template'],
      ['contextSwitchFrom template'],
    ]);
  });
});

describe('in a run', () => {
  it('a domain that ended has left its physical CPUs, and they keep the enforcement', () => {
    const a = guest([nop()], { policy: 'emulated' });
    a.run();
    expect([cpu(a).current, a.v.pcpu]).toEqual([undefined, undefined]);
    const slot = a.machine.arch.byName.get('HCTL')?.bankSlot as number;
    expect(cpu(a).rest[slot * 2]).toBe(1);
  });

  it('vCPUs run where they are pinned, the others by their position', () => {
    const a = guest([...times(50, nop())], { pcpus: 3, pins: [[2]], slice: 10 });
    const b = beside(a.machine, 'b', times(50, nop()));
    const c = beside(a.machine, 'c', times(50, nop()), { pins: [[0]] });
    const where: Record<string, Set<number>> = {};
    a.machine.events.on('switch', ({ to, pcpu }) => {
      if (to === 'idle') return;
      where[to] ??= new Set();
      where[to].add(pcpu);
    });
    a.run();
    expect(where).toEqual({ a: new Set([2]), b: new Set([1]), c: new Set([0]) });
    expect([a, b, c].map((g) => g.domain.ended?.reason)).toEqual(['poweroff', 'poweroff', 'poweroff']);
  });

  it('reads of an absent vCPU ask the hypervisor controls it last ran under', () => {
    const [a, b] = pair('emulated');
    switchTo(a.machine, cpu(a), a.v);
    expect(a.get('HCTL')).toBe(1n);
    switchTo(a.machine, cpu(a), b.v);
    new Handle(b.v, true).store(a.v.handle.register('HCTL'), 0n);
    expect(a.get('HCTL')).toBe(1n);
  });

  it('a guest that counts while it is moved between two physical CPUs misses nothing', () => {
    for (const policy of ['switched', 'emulated', 'mediated'] as const) {
      const a = guest(
        [
          ...prepare(0, 'INSTRUCTIONS'),
          ...enable(),
          ...times(40, nop()),
          readreg('R4', 'PMC0'),
          movi('R3', 0),
          writereg('PMCTL', 'R3'),
        ],
        { policy, pcpus: 2 },
      );
      for (let until = 1; until < 50; until++) {
        a.run(until);
        switchTo(a.machine, cpu(a, until % 2), a.v);
      }
      a.run();
      expect(a.all('R4', 'PMC0')).toEqual([40n, 43n]);
    }
  });
});
