/**
 * What must not compile. Each `@ts-expect-error` is itself an error when the line beneath it compiles, so `tsc` proves these tests; at run time
 * they show that `defineArch` is the identity.
 */
import { describe, expect, it } from 'vitest';
import { CONTRACT, defineArch } from './arch.ts';
import type { Exception, Translation } from './isa.ts';
import { none } from './none.ts';
import type { Writes } from './policy.ts';

const fields = { VALUE: { bits: [63, 0], means: 'A value.' } } as const;
const register = { width: 64, reset: 0n, read: 'user', write: 'user', fields } as const;
const fault = (): Exception => ({ kind: 'undefined' });

/** Everything that a mistake below does not concern. */
const rest = {
  name: 'small',
  contract: CONTRACT,
  needs: [],
  offers: { policies: ['off'] },
  levels: ['user', 'hypervisor'],
  level: () => 0,
  cpus: {},
  defaultCpu: 'one',
  settings: {},
  sampling: none('It is a test.'),
  isa: {
    grain: 4,
    longest: 4,
    pc: 'PC',
    costs: {},
    decode: () => undefined,
    regimes: 1,
    regime: () => 0,
    translate: (): Translation => ({ physical: 0n, read: true, write: true, fetch: true }),
    take: () => {},
    faults: { undefined: fault, alignment: fault, bus: fault },
    helpers: {},
  },
  platforms: {},
  defaultPlatform: 'none',
  personalities: {},
} as const;

const pmu = { events: [], exists: () => false, overflow: () => {}, line: () => false, source: 'pmu' } as const;
const counter = { width: () => 32, overflowWidth: () => 32, event: () => 0, counting: () => false } as const;
const handler = { to: 'guest', handler: 'wait', means: 'A test.' } as const;
const group = { on: 'both', at: ['user'], source: 'a test' } as const;
const hypercalls = { services: {}, unknown: () => 0n } as const;
const order = { freeze: [], counters: [], because: 'A test.' } as const;

describe('defineArch', () => {
  it('takes an architecture whose names all resolve, and hands it back', () => {
    const arch = {
      ...rest,
      registers: { PC: register, CTL: { ...register, traps: ['T'] }, COUNT: { ...register, view: (): 'CTL' => 'CTL' } },
      trapGroups: { T: { ...group, when: { register: 'CTL', field: 'VALUE', is: 1n }, cause: 'stop' } },
      causes: { stop: handler },
      pmu: { ...pmu, counters: [{ ...counter, value: 'COUNT' }] },
      enforce: (): Writes<'CTL'> => [['CTL', 1n]],
      switching: { ...order, controls: ['CTL'] },
      hypercalls: { ...hypercalls, convention: { number: 'CTL', arguments: [], result: 'CTL' } },
    } as const;
    expect(defineArch(arch)).toBe(arch);
  });

  it('does not compile: a trap group that names an unknown register', () => {
    const arch = defineArch({
      ...rest,
      registers: { PC: register, CTL: { ...register, traps: ['T'] } },
      // @ts-expect-error: 'CTRL' is no register
      trapGroups: { T: { ...group, when: { register: 'CTRL', field: 'VALUE', is: 1n }, cause: 'stop' } },
      causes: { stop: handler },
      pmu: { ...pmu, counters: [] },
      enforce: () => [],
      switching: { ...order, controls: [] },
      hypercalls: { ...hypercalls, convention: { number: 'CTL', arguments: [], result: 'CTL' } },
    });
    expect(Object.keys(arch.registers)).not.toContain('CTRL');
  });

  it('does not compile: a switch list with an unknown register', () => {
    const arch = defineArch({
      ...rest,
      registers: { PC: register, CTL: { ...register, traps: ['T'] } },
      trapGroups: { T: { ...group, when: () => false, cause: 'stop' } },
      causes: { stop: handler },
      pmu: { ...pmu, counters: [] },
      enforce: () => [],
      // @ts-expect-error: 'CTRL' is no register
      switching: { ...order, controls: ['CTRL'] },
      hypercalls: { ...hypercalls, convention: { number: 'CTL', arguments: [], result: 'CTL' } },
    });
    expect(Object.keys(arch.registers)).not.toContain('CTRL');
  });

  it('does not compile: a register with an unknown trap group', () => {
    const arch = defineArch({
      ...rest,
      // @ts-expect-error: 'S' is no trap group
      registers: { PC: register, CTL: { ...register, traps: ['S'] } },
      trapGroups: { T: { ...group, when: () => false, cause: 'stop' } },
      causes: { stop: handler },
      pmu: { ...pmu, counters: [] },
      enforce: () => [],
      switching: { ...order, controls: [] },
      hypercalls: { ...hypercalls, convention: { number: 'CTL', arguments: [], result: 'CTL' } },
    });
    expect(Object.keys(arch.trapGroups)).not.toContain('S');
  });

  it('does not compile: a trap group with a cause that nobody handles', () => {
    const arch = defineArch({
      ...rest,
      registers: { PC: register, CTL: { ...register, traps: ['T'] } },
      // @ts-expect-error: 'halt' is no cause
      trapGroups: { T: { ...group, when: () => false, cause: 'halt' } },
      causes: { stop: handler },
      pmu: { ...pmu, counters: [] },
      enforce: () => [],
      switching: { ...order, controls: [] },
      hypercalls: { ...hypercalls, convention: { number: 'CTL', arguments: [], result: 'CTL' } },
    });
    expect(Object.keys(arch.causes)).not.toContain('halt');
  });
});
