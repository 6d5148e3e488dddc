import { describe, expect, it } from 'vitest';
import { testVcpu } from './testing/vcpu.ts';
import { causes } from './traps.ts';

describe('traps', () => {
  const trap = {
    cause: 'pmu',
    pc: 0n,
    bits: 0n,
    argument: 0n,
    access: { register: 'PMC0', address: { space: 'control', index: 0x1c } },
  };
  const handle = (cause: 'pmu' | 'user-pmu', policy: 'off' | 'emulated') => {
    const { handler } = causes[cause];
    return typeof handler === 'function' ? handler(testVcpu({}, 'tiny', { policy }), trap) : undefined;
  };

  it('the hypervisor performs the access, but not for a domain without a vPMU', () => {
    expect(handle('pmu', 'emulated')).toMatchObject({ then: 'complete' });
    expect(handle('pmu', 'emulated')).not.toHaveProperty('value');
    expect(handle('pmu', 'off')).toMatchObject({ then: 'inject', exception: { kind: 'undefined' } });
  });

  it('the user level is told which register', () => {
    expect(handle('user-pmu', 'emulated')).toEqual({
      then: 'inject',
      exception: { kind: 'privileged', syndrome: 0x1cn },
    });
  });
});
