import type { ProgramName, Signal } from '@countervisor/contract';
import { programs, template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { Machine, type MachineConfig } from '../machine.ts';
import { bootFlat } from '../testing/boot.ts';
import { SIGNAL_NAMES } from './classes.ts';
import { Observer } from './observe.ts';

function observed(program: ProgramName, config: Partial<MachineConfig> = {}, vpmu = true): { o: Observer; m: Machine } {
  const m = new Machine({ arch: template, ...config });
  const domain = m.addDomain({ name: 'a', vcpus: 1, memory: 65536, vpmu });
  bootFlat(m, domain, programs[program].code);
  const o = domain.observe();
  m.run({ until: 10_000 });
  return { o, m };
}

describe('observe', () => {
  // The programs state their counts by hand; software increments and carries are a counter's, not the stream's.
  const names = Object.keys(programs) as ProgramName[];
  it.each(names)('%s: every signal as its program says, with and without a vPMU', (name) => {
    const { counts, pmu } = programs[name];
    for (const vpmu of pmu ? [true] : [true, false]) {
      const { o } = observed(name, {}, vpmu);
      for (const signal of SIGNAL_NAMES) {
        if (signal === 'cycle') expect(o.total([signal]), signal).toBe(counts.instruction);
        else expect(o.total([signal]), signal).toBe(counts[signal] ?? 0);
      }
    }
  });

  it('keeps levels apart: forbidden-read retires one instruction at the user level and takes its exception there', () => {
    const { o } = observed('forbidden-read');
    expect([0, 1, 2].map((level) => o.count('instruction', level))).toEqual([1, 11, 0]);
    expect([0, 1, 2].map((level) => o.count('exception', level))).toEqual([1, 0, 0]);
    expect([0, 1, 2].map((level) => o.count('exception-return', level))).toEqual([0, 1, 0]);
  });

  it('sees the work of the hypervisor at its own level', () => {
    // call-host traps five times: version, two bytes, an unknown number, exit.
    const { o } = observed('call-host', { hypervisor: { trap: { instructions: 100, cycles: 300 } } });
    expect(o.count('instruction', 2)).toBe(500);
    expect(o.count('cycle', 2)).toBe(1500);
    expect(o.count('instruction', 1)).toBe(15);
  });

  it('is the same at any slice, and sees a domain alone', () => {
    const one = observed('count-loop', { slice: 1 }).o;
    const all = observed('count-loop', { slice: 1000 }).o;
    for (const signal of SIGNAL_NAMES) expect(one.total([signal])).toBe(all.total([signal]));
    const m = new Machine({ arch: template, slice: 2 });
    const [a, b] = ['a', 'b'].map((name) => {
      const domain = m.addDomain({ name, vcpus: 1, memory: 65536, vpmu: false });
      bootFlat(m, domain, programs[name === 'a' ? 'count-loop' : 'ten-nops'].code);
      return domain.observe();
    });
    m.run();
    expect(a?.total(['branch'])).toBe(5);
    expect(b?.total(['branch'])).toBe(0);
    expect(b?.total(['instruction'])).toBe(13);
  });

  it('adds a signal named twice twice, and keeps to the levels asked for', () => {
    const o = new Observer(3);
    const signals = new Float64Array(SIGNAL_NAMES.length);
    signals[SIGNAL_NAMES.indexOf('load' as Signal)] = 3;
    o.add(1, signals);
    expect(o.total(['load', 'load', 'store'])).toBe(6);
    expect(o.total(['load'], [0, 2])).toBe(0);
    expect(o.total(['load'], [1])).toBe(3);
  });
});

describe('stopAt', () => {
  it('pauses before the instruction, once', () => {
    const m = new Machine({ arch: template });
    const domain = m.addDomain({ name: 'a', vcpus: 1, memory: 65536, vpmu: false });
    bootFlat(m, domain, programs['count-loop'].code);
    const [v] = domain.vcpus;
    domain.stopAt(0x1008n); // bnez, the third instruction: first reached after movi and addi
    m.run();
    expect([domain.paused, domain.instructions(), v && domain.pc(v), v?.handle.get('R1')]).toEqual([
      true,
      2,
      0x1008n,
      4n,
    ]);
    domain.paused = false;
    domain.stopAt(0x1008n);
    m.run(); // the same place again: it has not moved
    expect(domain.instructions()).toBe(2);
    domain.paused = false;
    m.run();
    expect([domain.instructions(), domain.ended?.status]).toEqual([13, 0]);
  });
});
