import { type Arch, defineArch } from '@countervisor/contract';
import { cpuModel } from '@countervisor/core';
import { template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../exit.ts';
import { parseEvents } from './events.ts';

const arch = template as unknown as Arch;
const parse = (...lists: string[]) => parseEvents(lists, arch, cpuModel(arch));

describe('parseEvents', () => {
  it.each([
    ['cycles', ['cycle'], [0, 1, 2]],
    ['instructions:u', ['instruction'], [0]],
    ['branches:k', ['branch'], [1]],
    ['LOADS:h', ['load'], [2]],
    ['loads:ku', ['load'], [0, 1]],
    ['r03', ['load'], [0, 1, 2]],
    ['R3:u', ['load'], [0]],
    ['MEMORY', ['load', 'store'], [0, 1, 2]],
  ])('%s', (text, signals, levels) => {
    expect(parse(text)).toEqual([{ text, signals, levels }]);
  });

  it('takes lists, and each event once', () => {
    expect(parse('cycles,LOADS', 'cycles, STORES').map((spec) => spec.text)).toEqual(['cycles', 'LOADS', 'STORES']);
  });

  it('says why something cannot be counted instead of counting 0', () => {
    expect(parse('r77')[0]).toEqual({ text: 'r77', levels: [0, 1, 2], why: 'template models no event 0x77' });
    expect(parse('CARRY')[0]).toMatchObject({ why: expect.stringContaining('own counters') as string });
    expect(parse('CARRY')[0]?.signals).toBeUndefined();
    // Silicon has it, the model has not: no misspelling of anything.
    for (const name of ['L1D_CACHE_REFILL', 'branch-misses', 'constructor']) {
      expect(parse(name)[0]).toMatchObject({ text: name, why: `template models no event ${name}` });
    }
    const events = [
      ...arch.pmu.events,
      { id: 0x30, name: 'WIDE', means: 'x', counts: ['load' as const], needs: 'wide' },
    ];
    const more = defineArch({ ...arch, pmu: { ...arch.pmu, events } });
    expect(parseEvents(['WIDE'], more, cpuModel(more))[0]).toMatchObject({ why: 'the CPU tiny has no wide' });
    expect(parseEvents(['WIDE'], more, cpuModel(more, 'tiny,+wide'))[0]?.signals).toEqual(['load']);
  });

  it.each([
    ['CYCLS', "Did you mean 'cycles'?"],
    ['cycles:x', 'Modifiers are u'],
    ['cycles:', 'Write u, k, h'],
    ['cycles:u:k', 'together'],
    ['{cycles', 'braces'],
    ['cycles,,LOADS', 'single commas'],
    ['x/y', 'rNNN takes a number'],
  ])('%s is refused', (text, remedy) => {
    expect(() => parse(text)).toThrow(UsageError);
    try {
      parse(text);
    } catch (error) {
      expect((error as UsageError).remedy).toContain(remedy);
    }
  });
});
