/** Extensions of the template: what they add works for a guest, and what does not fit together is refused by name. */
import { type Arch, CONTRACT, type Demand, defineExtension, type Extension, type Vcpu } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Machine } from '../machine.ts';
import { restore, state } from '../snapshot/state.ts';
import { beside, guest, ran, times } from '../testing/guest.ts';
import type { Anything } from '../testing/plugin.ts';
import { extendArch } from './extend.ts';
import { load } from './load.ts';
import { calledWith } from './owner.ts';
import type { PluginRefused } from './validate.ts';

const { movi, nop, readreg, trap, writereg } = asm;
const value = { VALUE: { bits: [63, 0], means: 'A value.' } } as const;
const at = (index: number) => ({ space: 'control', index });
const plain = template.personalities.plain as NonNullable<(typeof template.personalities)[string]>;

/** A register that traps, with a hidden one that arms it; two that travel; a service; a hook each way. */
const probe: Extension = defineExtension(template, {
  name: 'probe',
  contract: CONTRACT,
  extends: 'template',
  needs: ['pmu.counting'],
  registers: {
    PROBE: { at: at(0x80), width: 64, reset: 7n, read: 'kernel', write: 'kernel', fields: value, traps: ['TPROBE'] },
    PROBEHCTL: {
      width: 1,
      reset: 0n,
      read: 'never',
      write: 'never',
      home: 'pcpu',
      fields: { T: { bits: 0, means: 'PROBE traps.' } },
    },
    PROBECTL: { at: at(0x81), width: 64, reset: 0n, read: 'kernel', write: 'kernel', role: 'enable', fields: value },
    PROBELOG: { at: at(0x82), width: 64, reset: 0n, read: 'user', write: 'never', fields: value },
  },
  trapGroups: {
    TPROBE: {
      when: { register: 'PROBEHCTL', field: 'T', is: 1n },
      on: 'both',
      at: ['user', 'kernel'],
      cause: 'probe',
      source: 'PROBEHCTL.T is 1',
    },
  },
  causes: {
    probe: {
      to: 'hypervisor',
      handler: (_vcpu, { access }) =>
        access?.write === undefined ? { then: 'complete', value: 0x51n } : { then: 'complete' },
      means: 'The guest touched the probe.',
    },
  },
  enforce: (_demand: Demand) => [['PROBEHCTL', 1n]],
  switching: {
    controls: [{ register: 'PROBECTL', before: 'PMENSET' }],
    freeze: [['PROBECTL', 0n]],
    because: 'It starts nothing.',
    contextSwitchFrom: (vcpu) => vcpu.set('PROBELOG', vcpu.get('PROBELOG') * 16n + 1n),
    contextSwitchTo: (vcpu) => vcpu.set('PROBELOG', vcpu.get('PROBELOG') * 16n + 2n),
  },
  services: { '80': { name: 'probe', source: 'a test', call: () => 80n } },
});

/** The other one: hooks, a trap on what is there, a personality, a feature, an event, a model's setting. */
const guard: Extension = defineExtension(template, {
  name: '@house/guard',
  contract: CONTRACT,
  extends: 'template',
  features: { guard: { means: 'The guard.' } },
  settings: { guards: { means: 'How many.', values: { from: 0, to: 3 } } },
  models: { '*': { settings: { guards: 2 } }, tiny: { optional: ['guard'] } },
  registers: {
    GUARD: {
      at: at(0x90),
      width: 64,
      reset: (view) => BigInt(view.cpu.settings.guards as number),
      read: 'kernel',
      write: 'never',
      needs: 'guard',
      fields: value,
    },
  },
  traps: { PMC0: ['GUARDED'] },
  trapGroups: {
    GUARDED: {
      when: (view) => view.settings.guarded === true,
      on: 'write',
      at: ['kernel'],
      cause: 'guarded',
      source: 'the guard',
    },
  },
  causes: {
    guarded: {
      to: 'hypervisor',
      handler: () => ({ then: 'complete', value: 0n, why: 'dropped' }),
      means: 'A counter is not to be written.',
    },
  },
  events: [{ id: 0x70, name: 'GUARD_LOADS', means: 'Loads.', counts: ['load'] }],
  switching: {
    because: 'It has no registers that travel.',
    contextSwitchFrom: (vcpu: Vcpu) => vcpu.set('R7', vcpu.get('R7') * 16n + 3n),
    contextSwitchTo: (vcpu: Vcpu) => vcpu.set('R7', vcpu.get('R7') * 16n + 4n),
  },
  personalities: {
    guarded: {
      ...plain,
      name: 'guarded',
      means: 'Counters are read-only.',
      settings: () => ({ guarded: true }),
      switching: () => ({ controls: ['PMENSET', 'PMCTL'] }),
    },
  },
});

const base = template as unknown as Arch;
const both = extendArch(template, probe, guard);

/** Messages and remedies of a refusal, by line. */
function refused(...extensions: readonly Anything[]): string[] {
  try {
    extendArch(template, ...extensions);
  } catch (error) {
    return (error as PluginRefused).problems.map(
      ({ code, where, message, remedy }) => `${code} ${where}: ${message} ${remedy}`,
    );
  }
  return [];
}
const named = (name: string, more: Anything = {}): Anything => ({
  name,
  contract: CONTRACT,
  extends: 'template',
  ...more,
});

describe('an extended architecture', () => {
  it('is an ordinary one, which load accepts, freezes and hands back', () => {
    expect(load(both)).toBe(both);
    expect(Object.isFrozen(both.extensions?.[0]?.switching)).toBe(true);
    expect(calledWith(both)).toBe('template with probe and @house/guard');
    expect(calledWith(base)).toBe('template');
  });

  it('leaves the one it was made from as it was', () => {
    expect(Object.keys(base.registers)).not.toContain('PROBE');
    expect(base.registers.PMC0?.traps).not.toContain('GUARDED');
    expect(base.cpus.tiny?.settings).toEqual({ counters: 4 });
    expect(extendArch(template)).toBe(base);
  });

  it('may be extended again, with the same result', () => {
    const one = extendArch(extendArch(template, probe), guard);
    expect(one).toEqual(both);
  });

  it('has each table of both', () => {
    expect(both.registers.PMC0?.traps).toEqual([...(base.registers.PMC0?.traps ?? []), 'GUARDED']);
    expect(both.switching.controls).toEqual(['PMCTL', 'PROBECTL', ...base.switching.controls.slice(1)]);
    expect(both.switching.freeze).toEqual([...base.switching.freeze, ['PROBECTL', 0n]]);
    expect(both.switching.because).toContain('probe: It starts nothing. @house/guard: It has no');
    expect(both.pmu.events.at(-1)?.name).toBe('GUARD_LOADS');
    expect(both.cpus.tiny).toMatchObject({ optional: ['wide', 'guard'], settings: { counters: 4, guards: 2 } });
    expect(both.cpus['tiny-wide']).toMatchObject({ settings: { guards: 2 } });
    expect(Object.keys(both.personalities)).toEqual(['plain', 'guarded']);
    expect(Object.keys(both.hypercalls.services)).toContain('80');
    // The template lists no features of its own.
    expect(Object.keys(both.features ?? {}).sort()).toEqual(['guard', 'pmu', 'sample', 'wide']);
  });
});

describe('for a guest', () => {
  it('the register traps to the handler of the package', () => {
    const g = guest([readreg('R3', 0x80), movi('R4', 9), writereg(0x80, 'R4')], { arch: both });
    const rules: string[] = [];
    g.machine.events.on('access', ({ rule, verdict }) => rules.push(`${verdict} ${rule}`), { register: 'PROBE' });
    g.run();
    expect([g.get('R3'), g.get('PROBE'), g.v.exits.get('probe')]).toEqual([0x51n, 9n, 2]);
    expect(rules).toEqual(times(2, 'trapped TPROBE (PROBEHCTL.T is 1)' as never));
  });

  it('the service answers, and the feature brings its register', () => {
    const g = ran([movi('R0', 80), trap(0), readreg('R3', 0x90)], { arch: both, cpu: 'tiny,+guard' });
    expect(g.said).toEqual([]);
    expect(g.get('R3')).toBe(2n);
  });

  it('a trap group on a register that is there stops it, behind those it had', () => {
    const lines = [movi('R4', 5), writereg('PMC0', 'R4'), readreg('R5', 'PMC0')];
    const get = (personality: string): bigint =>
      ran(lines, { arch: both, personality, policy: 'passthrough' }).get('R5');
    // Dropped: it still holds what is there at power-on.
    expect([get('plain'), get('guarded')]).toEqual([5n, 0xdbad_c0den]);
  });

  it('hooks come in the stated order, and leave in the mirror image', () => {
    const steps = (arch: Arch): readonly string[][] => {
      const a = guest([nop()], { arch, slice: 1 });
      const b = beside(a.machine, 'b', [nop()]);
      const all: string[][] = [];
      a.machine.events.on('switch', (e) => all.push(e.steps.filter((step) => step.startsWith('context'))), {
        from: 'a',
        to: 'b',
      });
      a.run();
      expect(b.domain.ended?.reason).toBe('poweroff');
      return all.slice(0, 1);
    };
    const hooks = (...order: readonly string[]): string[] => [
      ...[...order].reverse().map((name) => `contextSwitchFrom ${name}`),
      ...order.map((name) => `contextSwitchTo ${name}`),
    ];
    expect(steps(both)).toEqual([hooks('probe', '@house/guard')]);
    expect(steps(extendArch(template, guard, probe))).toEqual([hooks('@house/guard', 'probe')]);
  });

  it("what extensions carry travels under a personality's own list as well", () => {
    const a = guest([nop()], { arch: both, personality: 'guarded', policy: 'switched', slice: 1 });
    beside(a.machine, 'b', [nop()], { policy: 'switched' });
    const saved: string[] = [];
    a.machine.events.on('switch', ({ steps }) => saved.push(...steps.filter((s) => s.startsWith('save PROBE'))));
    a.run();
    expect(saved[0]).toBe('save PROBECTL 0x0');
  });

  it("a register stands beside the neighbour that is named, and travels whole, whatever the architecture's own do", () => {
    const place = (more: object): readonly string[] =>
      extendArch(template, {
        ...probe,
        switching: { because: 'A test.', counters: [{ register: 'PROBECTL', ...more } as never] },
      }).switching.counters;
    expect(place({ before: 'PMC1' }).slice(2, 5)).toEqual(['PMC0', 'PROBECTL', 'PMC1']);
    expect(place({ behind: 'PMC1' }).slice(3, 6)).toEqual(['PMC1', 'PROBECTL', 'PMC2']);
    const nothing = { ...base, switching: { ...base.switching, travels: () => 0n } };
    const a = guest([nop()], { arch: extendArch(nothing, probe), policy: 'switched' });
    const saved: string[] = [];
    a.machine.events.on('switch', ({ steps }) => saved.push(...steps.filter((s) => s.startsWith('save'))));
    a.run();
    expect(saved).toEqual(['save PROBECTL 0x0']);
  });

  it('a register that is carried keeps its value apart for each guest', () => {
    const lines = (n: number) => [movi('R4', n), writereg(0x81, 'R4'), ...times(20, nop()), readreg('R5', 0x81)];
    for (const policy of ['switched', 'mediated'] as const) {
      const a = guest(lines(3), { arch: both, policy, slice: 3 });
      const b = beside(a.machine, 'b', lines(4), { policy });
      a.run();
      expect([a.get('R5'), b.get('R5')]).toEqual([3n, 4n]);
    }
  });

  it('writes of its own registers alone may be enforced', () => {
    const grabs = { ...probe, enforce: () => [['HCTL', 0n]] as never } as Extension;
    const g = guest([nop()], { arch: extendArch(template, grabs) });
    expect(() => g.run()).toThrow("probe enforces a write to HCTL, which is template's.");
  });
});

describe('refused, by name', () => {
  const row = (more: Anything = {}): Anything => ({
    width: 64,
    reset: 0n,
    read: 'kernel',
    write: 'kernel',
    fields: value,
    ...more,
  });

  it('what two packages both declare: both are named, and all of it at once', () => {
    const again = { ...probe, name: 'again', switching: undefined };
    expect(
      refused(probe, { ...again, switching: { controls: ['PROBECTL'], because: 'A test.' } }).map(
        (p) => p.split(': ')[1]?.split('. ')[0],
      ),
    ).toEqual([
      'again and probe both declare the register PROBE',
      'again and probe both declare the register PROBEHCTL',
      'again and probe both declare the register PROBECTL',
      'again and probe both declare the register PROBELOG',
      'again and probe both declare the trap group TPROBE',
      'again and probe both declare the cause probe',
      'again and probe both declare the hypercall service 80',
      'again and probe both declare the carried register PROBECTL',
    ]);
  });

  it('what the architecture has already', () => {
    expect(
      refused(named('thief', { registers: { PMC0: row() }, personalities: { plain }, cpus: { tiny: base.cpus.tiny } })),
    ).toEqual(
      ['register PMC0', 'CPU model tiny', 'personality plain'].map(
        (what) =>
          `CV_EXTENSION_CONFLICT ${what}: thief and template both declare the ${what}. Rename it in thief, or leave it out: an extension adds, and replaces nothing of template.`,
      ),
    );
  });

  it('one address, with the package of each register', () => {
    expect(
      refused(probe, named('late', { registers: { LATE: row({ at: at(0x80) }), USER: row({ at: at(0x10) }) } })),
    ).toEqual([
      'CV_SAME_ADDRESS registers.LATE.at of late: LATE (late) and PROBE (probe) are both at control 0x80, and a CPU can have both. Correct one address, or give both rows features (`needs`) that no CPU model can have together.',
      'CV_SAME_ADDRESS registers.USER.at of late: USER (late) and PMCTL are both at control 0x10, and a CPU can have both. Correct one address, or give both rows features (`needs`) that no CPU model can have together.',
    ]);
  });

  it('one number of two events', () => {
    const events = [{ id: 0x70, name: 'LATE', means: 'Stores.', counts: ['store'] }];
    expect(refused(guard, named('late', { events }))[0]).toContain(
      'CV_SAME_EVENT pmu.events[13] (LATE) of late: The events LATE (late) and GUARD_LOADS (@house/guard) have the same number, 0x70.'.replace(
        '13',
        `${base.pmu.events.length + 1}`,
      ),
    );
  });

  it("a service that some personality's own would hide", () => {
    const personalities = {
      rude: { ...plain, name: 'rude', services: { '80': { name: 'rude', source: 'a test', call: () => 0n } } },
    };
    expect(refused(probe, named('rude', { personalities }))).toEqual([
      'CV_EXTENSION_CONFLICT hypercall service 80 (of the personality rude): probe and rude both declare the hypercall service 80 (of the personality rude). Rename it in one of them, or compose only one of rude and probe.',
    ]);
  });

  it('not: a service that its own personality answers in its own way', () => {
    const personalities = {
      mine: { ...plain, name: 'mine', services: { '81': { name: 'mine', source: 'a test', call: () => 0n } } },
    };
    const services = { '81': { name: 'mine', source: 'a test', call: () => 1n } };
    expect(refused(named('mine', { personalities, services }))).toEqual([]);
  });

  it('names that nobody declares, each with its package', () => {
    const late = named('late', {
      traps: { PMCO: ['TPM'], PMC0: ['TMP'], PMC1: ['TPM'] },
      registers: { LATE: row({ traps: ['TPROB'], needs: 'gaurd' }) },
      trapGroups: {
        TLATE: {
          when: { register: 'LATER', field: 'VALUE', is: 1n },
          on: 'both',
          at: ['kernal'],
          cause: 'prob',
          source: 'a test',
        },
      },
      models: { tinny: { features: [] } },
      switching: { controls: [{ register: 'LATE', before: 'PMCTRL' }], because: 'A test.' },
    });
    expect(refused(probe, guard, late).map((line) => line.replace(/ \(.*/, ''))).toEqual([
      "CV_UNKNOWN_NAME traps.PMCO of late: traps.PMCO of late names the register 'PMCO', which does not exist. Did you mean PMC0?",
      "CV_UNKNOWN_NAME traps.PMC0 of late: traps.PMC0 of late names the trap group 'TMP', which does not exist. Did you mean TPM?",
      'CV_LISTED_TWICE traps.PMC1 of late: traps.PMC1 of late lists TPM, as the row of PMC1 does. Remove one of the two.',
      "CV_UNKNOWN_NAME models.tinny of late: models.tinny of late names the CPU model 'tinny', which does not exist. Did you mean tiny?",
      "CV_UNKNOWN_NAME switching.controls of late: switching.controls of late names the carried register 'PMCTRL', which does not exist. Did you mean PMCTL?",
      "CV_UNKNOWN_NAME registers.LATE.traps[0] of late: registers.LATE.traps[0] names the trap group 'TPROB', which does not exist. Did you mean TPROBE?",
      "CV_UNKNOWN_NAME registers.LATE.needs of late: registers.LATE.needs names the CPU feature 'gaurd', which does not exist. Did you mean guard?",
      "CV_UNKNOWN_NAME trapGroups.TLATE.when.register of late: trapGroups.TLATE.when.register names the register 'LATER', which does not exist. Did you mean LATE?",
      "CV_UNKNOWN_NAME trapGroups.TLATE.at[0] of late: trapGroups.TLATE.at[0] names the level 'kernal', which does not exist. Did you mean kernel?",
      "CV_UNKNOWN_NAME trapGroups.TLATE.cause of late: trapGroups.TLATE.cause names the cause 'prob', which does not exist. Did you mean probe?",
      expect.stringContaining('CV_NOT_SWITCHABLE switching.controls['),
    ]);
  });

  it('orders that cannot be', () => {
    const one = named('one', { after: ['two'] });
    expect(refused(one, named('two'))).toEqual([
      'CV_EXTENSION_ORDER one: one must come behind two, and is stated before it. State them in this order: two, one.',
    ]);
    expect(refused(named('two'), one)).toEqual([]);
    expect(refused(one, named('tow'))).toEqual([
      'CV_EXTENSION_ORDER one: one must come behind two, which is not there. Did you mean tow?',
    ]);
    expect(refused(one)).toEqual([
      'CV_EXTENSION_ORDER one: one must come behind two, which is not there. State two before one, or leave one out.',
    ]);
    expect(
      refused(
        one,
        named('two', { after: ['three'] }),
        named('three', { after: ['one'] }),
        named('four', { after: ['four'] }),
      ),
    ).toEqual([
      'CV_EXTENSION_CIRCLE one: one would have to come behind itself: one behind two behind three behind one. Take one of these names out of the `after` of the one before it.',
      'CV_EXTENSION_CIRCLE four: four would have to come behind itself: four behind four. Take one of these names out of the `after` of the one before it.',
    ]);
    expect(refused(probe, { ...named('probe') })).toEqual([
      'CV_EXTENSION_TWICE probe: probe is composed twice. State it once; two packages of the same name cannot be told apart, so rename one.',
    ]);
    // Behind one that an earlier composition brought.
    expect(extendArch(extendArch(template, probe), named('late', { after: ['probe'] })).extensions?.length).toBe(2);
  });

  it('another architecture, another contract, and shapes that mean nothing', () => {
    expect(refused(named('far', { extends: 'x86', registers: { PMC0: row() } }))).toEqual([
      'CV_EXTENSION_BASE far: far extends x86, and this is template. Compose it with x86.',
    ]);
    expect(refused(named('new', { contract: 2 }))[0]).toBe(
      'CV_CONTRACT new: new is written for contract 2; this core speaks 1. Install the release of the architecture package that matches this core, or the core that matches it.',
    );
    expect(
      refused(
        named('Odd name', { regsters: {}, switching: { hook: 1, because: '' }, models: { tiny: { feature: [] } } }),
      ).map((p) => p.split(': ')[0]),
    ).toEqual([
      'CV_UNKNOWN_NAME extensions.Odd name',
      'CV_SHAPE extensions.Odd name.name',
      'CV_UNKNOWN_NAME extensions.Odd name.models.tiny',
      'CV_UNKNOWN_NAME extensions.Odd name.switching',
      'CV_SHAPE extensions.Odd name.switching.because',
      'CV_SHAPE extensions.Odd name.switching',
    ]);
    expect(() => extendArch(template, undefined as never)).toThrow('template with');
  });

  it('anything at all is answered, never thrown at', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...Object.keys({ ...probe, ...guard }), 'traps', 'after'), fc.anything()),
        (odd) => {
          for (const extension of [odd, { ...probe, ...odd }]) {
            try {
              extendArch(template, extension as never);
            } catch (error) {
              expect((error as PluginRefused).code, String((error as Error).stack)).toBe('CV_PLUGIN_REFUSED');
            }
          }
        },
      ),
      { seed: 3, numRuns: 300 },
    );
  });

  it('a need that core does not grant, at load', () => {
    const arch = extendArch(template, named('wants', { needs: ['pmu.pebs'] }));
    expect(() => new Machine({ arch })).toThrow('template with wants is refused');
  });
});

describe("a state of an extended architecture's machine", () => {
  it('holds what extensions brought, and fits no machine without them', () => {
    const lines = [movi('R4', 9), writereg(0x81, 'R4'), ...times(9, nop())];
    const one = guest(lines, { arch: both, policy: 'emulated' }).run(5);
    const saved = state(one.machine);
    const other = guest(lines, { arch: both, policy: 'emulated' });
    restore(other.machine, saved);
    expect(other.all('PROBECTL', 'PROBELOG')).toEqual([9n, 2n]);
    for (const [arch, name] of [
      [base, 'template'],
      [extendArch(template, guard, probe), 'template with @house/guard and probe'],
    ] as const) {
      const odd = guest([movi('R4', 9), ...times(9, nop())], { arch, policy: 'emulated' });
      expect(() => restore(odd.machine, saved)).toThrow(
        `This state has template with probe and @house/guard at arch; this machine has ${name}.`,
      );
    }
  });
});
