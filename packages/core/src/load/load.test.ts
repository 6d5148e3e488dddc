import { template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { plugin } from '../testing/plugin.ts';
import { load } from './load.ts';
import { CAPABILITIES, negotiate } from './negotiate.ts';
import type { PluginRefused } from './validate.ts';

function refusal(ask: () => unknown): PluginRefused {
  try {
    ask();
  } catch (error) {
    return error as PluginRefused;
  }
  throw new Error('it was not refused');
}

describe('load', () => {
  it('hands back the plugin itself', () => {
    expect(load(template)).toBe(template);
    expect(load(template)).toBe(template);
  });

  it('freezes its data all the way down, also behind what was frozen already', () => {
    const arch = plugin((a) => {
      a.registers = Object.freeze({ ...a.registers });
    });
    load(arch);
    const data = [
      arch,
      arch.registers,
      arch.registers.STATUS.fields.IE,
      arch.pmu.events[0].counts,
      arch.switching.freeze[0],
    ];
    for (const thing of data) expect(Object.isFrozen(thing)).toBe(true);
  });

  it('leaves alone what is not plain data', () => {
    const cache = new Map();
    const bytes = new Uint8Array(4);
    load(
      plugin((a) => {
        a.sampling = { none: 'why', cache, bytes };
      }),
    );
    cache.set(1, 2);
    bytes[0] = 1;
    expect(Object.isFrozen(cache)).toBe(false);
  });

  it('a plugin that goes round in circles is no problem', () => {
    const arch = plugin();
    arch.sampling = { none: 'why', itself: arch };
    expect(load(arch)).toBe(arch);
  });

  it('reads no further in a plugin of another contract', () => {
    const error = refusal(() => load({ name: 'future', contract: 2, tables: [] }));
    expect(error.code).toBe('CV_CONTRACT');
    expect(error.message).toBe('future is written for contract 2; this core speaks 1.');
  });

  it('reports a contract that is no number with all other problems', () => {
    const error = refusal(() => load({ contract: '1' }));
    expect(error.code).toBe('CV_PLUGIN_REFUSED');
    expect(error.problems.map((p) => p.where)).toContain('contract');
  });

  it('refuses with every unmet need and every policy not offered', () => {
    const arch = plugin((a) => {
      a.needs = ['pmu.counting', 'pmu.overflows', 'pmu.pebs'];
    });
    const { code, problems } = refusal(() => load(arch, { policies: ['switched', 'shadow'] }));
    expect(code).toBe('CV_PLUGIN_REFUSED');
    expect(problems.map((p) => `${p.code} ${p.message} ${p.remedy}`)).toEqual([
      "CV_NEEDS_UNMET template needs 'pmu.overflows', which this core was not built with or was started without. Did you mean 'pmu.overflow'?",
      `CV_NEEDS_UNMET template needs 'pmu.pebs', which this core was not built with or was started without. Granted: ${Object.keys(CAPABILITIES).join(', ')}. Update the core, or load the architecture without what needs it.`,
      "CV_POLICY_NOT_OFFERED The caller asks for the policy 'shadow', which is not offered. Offered: off, passthrough, switched, emulated, mediated.",
    ]);
  });
});

describe('negotiate', () => {
  it('has nothing against a plugin whose needs are granted', () => {
    expect(negotiate(template, { policies: ['mediated', 'off'] })).toEqual([]);
  });

  it('grants no more than the caller does', () => {
    const unmet = negotiate(template, { grants: ['pmu.counting', 'guest.devices'] });
    expect(unmet.map((p) => p.message.split("'")[1])).toEqual(['pmu.overflow', 'guest.interrupts']);
  });
});
