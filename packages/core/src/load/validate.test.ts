import { CountervisorError } from '@countervisor/contract';
import { template } from '@countervisor/template';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Anything, plugin } from '../testing/plugin.ts';
import { compile } from './compile.ts';
import { cpuModel } from './cpu.ts';
import { PluginRefused, problemsOf, validate } from './validate.ts';

/** What is wrong after a change, as code, place and sentence. */
const wrong = (change: (arch: Anything) => void): string[] =>
  problemsOf(plugin(change)).map((p) => `${p.code} ${p.where}: ${p.message}`);

type Case = readonly [name: string, change: (a: Anything) => void, ...problems: string[]];

/** Each mistake by itself gives exactly these problems: no mistake makes another table look wrong. */
const each = (cases: readonly Case[]): void => {
  for (const [name, change, ...problems] of cases) it(name, () => expect(wrong(change)).toEqual(problems));
};

describe('an architecture without mistakes', () => {
  it('has no problems, nor has its copy', () => {
    expect(problemsOf(template)).toEqual([]);
    expect(problemsOf(plugin())).toEqual([]);
  });
});

describe('five mistakes', () => {
  const spoilt = plugin((a) => {
    delete a.registers.STATUS.fields.RESERVED;
    a.registers.PMC0.traps = ['USER_PMU', 'TMP'];
    a.pmu.events[2].id = 1;
    a.switching.controls[0] = 'PMCTRL';
    a.registers.TIME.at = a.registers.CPUID.at;
  });

  it('are refused in one go with five messages, each with its place and remedy', () => {
    let caught: unknown;
    try {
      validate(spoilt);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(PluginRefused);
    expect(caught).toBeInstanceOf(CountervisorError);
    expect((caught as PluginRefused).problems).toHaveLength(5);
    expect((caught as PluginRefused).format()).toBe(
      `CV_PLUGIN_REFUSED  template is refused: 5 problems in its tables.
  CV_FIELD_GAP  registers.STATUS.fields: STATUS leaves bits 63 to 3 undescribed.
    Name them after the manual, or paste into the fields of STATUS:
      RESERVED_63_3: { bits: [63, 3], means: 'Reserved.', write: 'zero' },
  CV_UNKNOWN_NAME  registers.PMC0.traps[1]: registers.PMC0.traps[1] names the trap group 'TMP', which does not exist.
    Did you mean TPM?
  CV_SAME_ADDRESS  registers.CPUID.at: CPUID and TIME are both at control 0x30, and a CPU can have both.
    Correct one address, or give both rows features (\`needs\`) that no CPU model can have together.
  CV_SAME_EVENT  pmu.events[2] (CYCLES): The events CYCLES and INSTRUCTIONS have the same number, 0x1.
    Correct one number in events.ts, or remove one row.
  CV_UNKNOWN_NAME  switching.controls[0]: switching.controls[0] names the register 'PMCTRL', which does not exist.
    Did you mean PMCTL?`,
    );
  });
});

describe('fields', () => {
  each([
    [
      'two gaps',
      (a) => {
        a.registers.PMSEL0.fields.RESERVED.bits = [27, 8];
        delete a.registers.PMSEL0.fields.NU;
      },
      'CV_FIELD_GAP registers.PMSEL0.fields: PMSEL0 leaves bit 31 and bit 28 undescribed.',
    ],
    [
      'no fields at all',
      (a) => {
        a.registers.SCRATCH.fields = {};
      },
      'CV_FIELD_GAP registers.SCRATCH.fields: SCRATCH leaves bits 63 to 0 undescribed.',
    ],
    [
      'an overlap of one bit',
      (a) => {
        a.registers.PMSEL0.fields.EVENT.bits = [8, 0];
      },
      'CV_FIELD_OVERLAP registers.PMSEL0.fields.EVENT: PMSEL0 describes bit 8 twice: in RESERVED and in EVENT.',
    ],
    [
      'a field outside the register',
      (a) => {
        a.registers.PMUSER.fields.HIGH = { bits: 32, means: 'Too high.' };
      },
      'CV_FIELD_RANGE registers.PMUSER.fields.HIGH: PMUSER.HIGH has bit 32, outside a register of 32 bits.',
    ],
    [
      'low before high',
      (a) => {
        a.registers.PMUSER.fields.RESERVED.bits = [1, 31];
      },
      'CV_SHAPE registers.PMUSER.fields.RESERVED.bits: registers.PMUSER.fields.RESERVED.bits is [1, 31]; it must be a bit number from 0, or [high, low].',
    ],
    [
      'a behaviour that does not exist',
      (a) => {
        a.registers.PMUSER.fields.EN.write = 'w1c';
      },
      "CV_SHAPE registers.PMUSER.fields.EN.write: registers.PMUSER.fields.EN.write is 'w1c'; it must be one of 'plain', 'one-sets', 'one-clears', 'ignored', 'zero', 'one', 'must-be-0', 'must-be-1'.",
    ],
    [
      'a named value that does not fit',
      (a) => {
        a.registers.LEVEL.fields.LEVEL.values = { user: 0, hypervisor: 2 };
      },
      'CV_FIELD_VALUE registers.LEVEL.fields.LEVEL.values.hypervisor: registers.LEVEL.fields.LEVEL.values.hypervisor is 2, which does not fit bit 0.',
    ],
    [
      'a field without a meaning',
      (a) => {
        a.registers.PMUSER.fields.EN.means = ' ';
      },
      "CV_SHAPE registers.PMUSER.fields.EN.means: registers.PMUSER.fields.EN.means is ' '; it must be a text.",
    ],
    [
      'a misspelt property',
      (a) => {
        a.registers.PMUSER.fields.EN.writes = 'ignored';
      },
      "CV_UNKNOWN_NAME registers.PMUSER.fields.EN: registers.PMUSER.fields.EN names the property 'writes', which does not exist.",
    ],
  ]);
});

describe('registers', () => {
  each([
    [
      'a reset that is too wide',
      (a) => {
        a.registers.PMCTL.reset = 1n << 32n;
      },
      'CV_RESET registers.PMCTL.reset: PMCTL resets to 0x100000000n, which does not fit 32 bits.',
    ],
    [
      'a reset of bits that are always 0',
      (a) => {
        a.registers.STATUS.reset = 0x19n;
      },
      'CV_RESET registers.STATUS.reset: STATUS resets to 0x19n, but bits 4 to 3 can only be 0.',
    ],
    [
      'a reset of bits that are always 1',
      (a) => {
        a.registers.PMUSER.fields.RESERVED.write = 'one';
      },
      'CV_RESET registers.PMUSER.reset: PMUSER resets to 0x0n, but bits 31 to 1 can only be 1.',
    ],
    [
      'a reset that is a number',
      (a) => {
        a.registers.PMCTL.reset = 0;
      },
      "CV_SHAPE registers.PMCTL.reset: registers.PMCTL.reset is 0; it must be a bigint, 'unknown' or a function of the view.",
    ],
    [
      'a width of 0',
      (a) => {
        a.registers.PC.width = 0;
      },
      'CV_SHAPE registers.PC.width: registers.PC.width is 0; it must be a whole number from 1 to 64.',
    ],
    [
      'a width of 65',
      (a) => {
        a.registers.PC.width = 65;
      },
      'CV_SHAPE registers.PC.width: registers.PC.width is 65; it must be a whole number from 1 to 64.',
    ],
    [
      'a level that does not exist',
      (a) => {
        a.registers.STATUS.read = 'kernal';
      },
      "CV_UNKNOWN_NAME registers.STATUS.read: registers.STATUS.read names the level 'kernal', which does not exist.",
    ],
    [
      'a feature that no CPU model has',
      (a) => {
        a.registers.PMSAMPLE.needs = 'samples';
      },
      "CV_UNKNOWN_NAME registers.PMSAMPLE.needs: registers.PMSAMPLE.needs names the CPU feature 'samples', which does not exist.",
    ],
    [
      'a role and a home',
      (a) => {
        a.registers.PMCTL.home = 'pcpu';
      },
      'CV_CONTRADICTION registers.PMCTL: registers.PMCTL has a PMU role, so the policy decides where it lives, and a home of its own as well.',
    ],
    [
      'a view that is derived',
      (a) => {
        a.registers.TIME.view = () => 'PC';
      },
      'CV_CONTRADICTION registers.TIME: registers.TIME is both a view of another register and derived.',
    ],
    [
      'a behaviour that is no function',
      (a) => {
        a.registers.TIME.derive = 7n;
      },
      'CV_SHAPE registers.TIME.derive: registers.TIME.derive is 0x7n; it must be a function.',
    ],
    [
      'an action that acts on nothing',
      (a) => {
        a.registers.SCRATCH.action = {};
      },
      'CV_SHAPE registers.SCRATCH.action: registers.SCRATCH.action is an object; it must be an object with read, write or both.',
    ],
    [
      'an effect on nothing known',
      (a) => {
        a.registers.LEVEL.affects = ['levels'];
      },
      "CV_SHAPE registers.LEVEL.affects[0]: registers.LEVEL.affects[0] is 'levels'; it must be one of 'translation', 'level', 'interrupts', 'pmu', 'decode'.",
    ],
    [
      'an index that is no number',
      (a) => {
        a.registers.SCRATCH.at.index = '6';
      },
      "CV_SHAPE registers.SCRATCH.at.index: registers.SCRATCH.at.index is '6'; it must be a whole number from 0 to 4294967295.",
    ],
    [
      'one address for two features that one CPU model has',
      (a) => {
        a.registers.PMSAMPLE.at.index = 0x10;
      },
      'CV_SAME_ADDRESS registers.PMSAMPLE.at: PMSAMPLE and PMCTL are both at control 0x10, and a CPU can have both.',
    ],
  ]);

  it('one address is free for two features that no CPU model has together', () => {
    const change = (a: Anything): void => {
      a.cpus['tiny-none'].features = ['other'];
      a.registers.SCRATCH.needs = 'other';
      a.registers.SCRATCH.at.index = 0x10; // PMCTL's, which needs 'pmu'
    };
    expect(wrong(change)).toEqual([]);
    // … until one model can be given the other's.
    const both = (a: Anything): void => {
      change(a);
      a.cpus.tiny.optional = ['wide', 'other'];
    };
    expect(wrong(both)).toEqual([
      'CV_SAME_ADDRESS registers.PMCTL.at: PMCTL and SCRATCH are both at control 0x10, and a CPU can have both.',
    ]);
  });
});

describe('traps', () => {
  each([
    [
      'a register that does not exist',
      (a) => {
        a.trapGroups.TPM.when.register = 'HCTRL';
      },
      "CV_UNKNOWN_NAME trapGroups.TPM.when.register: trapGroups.TPM.when.register names the register 'HCTRL', which does not exist.",
    ],
    [
      'a field that does not exist',
      (a) => {
        a.trapGroups.TPM.when.field = 'TPN';
      },
      "CV_UNKNOWN_NAME trapGroups.TPM.when.field: trapGroups.TPM.when.field names the field of HCTL 'TPN', which does not exist.",
    ],
    [
      'a value that the field never has',
      (a) => {
        a.trapGroups.TPM.when.is = 2n;
      },
      'CV_FIELD_VALUE trapGroups.TPM.when.is: trapGroups.TPM.when.is is 0x2n, which does not fit bit 0.',
    ],
    [
      'a cause without a handler of its name',
      (a) => {
        a.trapGroups.TPM.cause = 'pmus';
      },
      "CV_UNKNOWN_NAME trapGroups.TPM.cause: trapGroups.TPM.cause names the cause 'pmus', which does not exist.",
    ],
    [
      'a cause whose handler is none',
      (a) => {
        a.causes.pmu.handler = 'complete';
      },
      "CV_SHAPE causes.pmu.handler: causes.pmu.handler is 'complete'; it must be a function, 'hypercall' or 'wait'.",
    ],
    [
      'no level',
      (a) => {
        a.trapGroups.TPM.at = [];
      },
      'CV_SHAPE trapGroups.TPM.at: trapGroups.TPM.at is []; it must be a list with a level.',
    ],
    [
      'an unknown level',
      (a) => {
        a.trapGroups.TPM.at = ['user', 'el1'];
      },
      "CV_UNKNOWN_NAME trapGroups.TPM.at[1]: trapGroups.TPM.at[1] names the level 'el1', which does not exist.",
    ],
    [
      'no source',
      (a) => {
        delete a.trapGroups.TPM.source;
      },
      'CV_SHAPE trapGroups.TPM.source: trapGroups.TPM.source is missing; it must be a text.',
    ],
    [
      'an intercept of another kind',
      (a) => {
        a.trapGroups.TPM.when = { intercept: 'all' };
      },
      "CV_SHAPE trapGroups.TPM.when.intercept: trapGroups.TPM.when.intercept is 'all'; it must be one of 'per-register'.",
    ],
  ]);

  it('a bitmap or a function may arm a group', () => {
    expect(wrong((a) => (a.trapGroups.TPM.when = { intercept: 'per-register' }))).toEqual([]);
    expect(wrong((a) => (a.trapGroups.TPM.when = () => true))).toEqual([]);
  });
});

describe('counting and switching', () => {
  each([
    [
      'a signal that nobody emits',
      (a) => {
        a.pmu.events[1].counts = ['instructions'];
      },
      "CV_UNKNOWN_NAME pmu.events[1] (INSTRUCTIONS).counts[0]: pmu.events[1] (INSTRUCTIONS).counts[0] names the signal 'instructions', which does not exist.",
    ],
    [
      'an event that counts nothing',
      (a) => {
        a.pmu.events[1].counts = [];
      },
      'CV_SHAPE pmu.events[1] (INSTRUCTIONS).counts: pmu.events[1] (INSTRUCTIONS).counts is []; it must be a list with a signal.',
    ],
    [
      'two events of one name',
      (a) => {
        a.pmu.events[1].name = 'CYCLES';
      },
      'CV_LISTED_TWICE pmu.events[2] (CYCLES): pmu.events[2] (CYCLES) lists CYCLES, as another event does.',
    ],
    [
      'a counter in a register that is none',
      (a) => {
        a.pmu.counters[0].value = 'PMSEL0';
      },
      "CV_NOT_A_COUNTER pmu.counters[0]: pmu.counters[0] counts in PMSEL0, which has not the role 'counter'.",
    ],
    [
      'two counters in one register',
      (a) => {
        a.pmu.counters[1].value = 'PMC0';
      },
      'CV_LISTED_TWICE pmu.counters[1]: pmu.counters[1] lists PMC0, as pmu.counters[0] does.',
    ],
    [
      'its own neighbour',
      (a) => {
        a.pmu.counters[1].neighbour = 1;
      },
      'CV_SHAPE pmu.counters[1].neighbour: pmu.counters[1].neighbour is 1; it must be another counter.',
    ],
    [
      'a neighbour beyond the list',
      (a) => {
        a.pmu.counters[1].neighbour = 4;
      },
      'CV_SHAPE pmu.counters[1].neighbour: pmu.counters[1].neighbour is 4; it must be a whole number from 0 to 3.',
    ],
    [
      'no overflow',
      (a) => {
        delete a.pmu.overflow;
      },
      'CV_SHAPE pmu.overflow: pmu.overflow is missing; it must be a function.',
    ],
    [
      'a register of the vCPU on a switch',
      (a) => {
        a.switching.controls.push('STATUS');
      },
      "CV_NOT_SWITCHABLE switching.controls[8]: switching.controls[8] carries STATUS, which stays with its vCPU: it has neither a PMU role nor the home 'pcpu'.",
    ],
    [
      'a register carried twice',
      (a) => {
        a.switching.counters.push('PMCTL');
      },
      'CV_LISTED_TWICE switching.counters[6]: switching.counters[6] lists PMCTL, as switching.controls[0] does.',
    ],
    [
      'a counter that stays behind',
      (a) => {
        a.switching.counters.pop();
      },
      "CV_CONTRADICTION switching.counters: switching carries no PMC3, in which pmu.counters counts: one guest would read another's count.",
    ],
    [
      'a freeze that does not fit its register',
      (a) => {
        a.switching.freeze = [['PMCTL', 1n << 32n]];
      },
      'CV_FIELD_VALUE switching.freeze[0]: switching.freeze[0] is 0x100000000n, which does not fit the 32 bits of PMCTL.',
    ],
    [
      'a freeze that is no pair',
      (a) => {
        a.switching.freeze = ['PMCTL'];
      },
      "CV_SHAPE switching.freeze[0]: switching.freeze[0] is 'PMCTL'; it must be a pair of register and value.",
    ],
    [
      'sampling that is absent without a reason',
      (a) => {
        a.sampling = { none: '' };
      },
      "CV_SHAPE sampling.none: sampling.none is ''; it must be a text.",
    ],
    [
      'sampling that arms counters and has nothing to do at their boundary',
      (a) => {
        a.sampling = { armed: () => true };
      },
      'CV_CONTRADICTION sampling: sampling says when with armed, and not what then.',
    ],
  ]);

  it('a counter may stay behind when no policy carries it', () => {
    const change = (a: Anything): void => {
      a.switching.counters.pop();
      a.offers.policies = ['off', 'passthrough', 'emulated'];
      a.personalities.plain.policies = ['off', 'passthrough', 'emulated'];
    };
    expect(wrong(change)).toEqual([]);
  });
});

describe('execution and hypercalls', () => {
  each([
    [
      'a program counter that does not exist',
      (a) => {
        a.isa.pc = 'IP';
      },
      "CV_UNKNOWN_NAME isa.pc: isa.pc names the register 'IP', which does not exist.",
    ],
    [
      'a program counter that is derived',
      (a) => {
        a.isa.pc = 'TIME';
      },
      'CV_CONTRADICTION isa.pc: isa.pc is TIME, which is not plain storage of the vCPU.',
    ],
    [
      'a negative cost',
      (a) => {
        a.isa.costs.branch.frontend = -1;
      },
      'CV_SHAPE isa.costs.branch.frontend: isa.costs.branch.frontend is -1; it must be a whole number from 0 to 1000000.',
    ],
    [
      'a grain of 3',
      (a) => {
        a.isa.grain = 3;
      },
      'CV_SHAPE isa.grain: isa.grain is 3; it must be 1, 2 or 4.',
    ],
    [
      'no cost class',
      (a) => {
        a.isa.costs = {};
      },
      'CV_SHAPE isa.costs: isa.costs is an object; it must be a table with a cost class.',
    ],
    [
      'instructions longer than the longest, 64 bytes',
      (a) => {
        a.isa.longest = 65;
      },
      'CV_SHAPE isa.longest: isa.longest is 65; it must be a whole number from 4 to 64.',
    ],
    [
      'no decoder',
      (a) => {
        delete a.isa.decode;
      },
      'CV_SHAPE isa.decode: isa.decode is missing; it must be a function.',
    ],
    [
      'a convention with an unknown register',
      (a) => {
        a.hypercalls.convention.arguments[2] = 'R9';
      },
      "CV_UNKNOWN_NAME hypercalls.convention.arguments[2]: hypercalls.convention.arguments[2] names the register 'R9', which does not exist.",
    ],
    [
      'a service under a number that core does not write so',
      (a) => {
        a.hypercalls.services['0x5'] = a.hypercalls.services[1];
      },
      "CV_SHAPE hypercalls.services.0x5: hypercalls.services.0x5 is 'the key 0x5'; it must be under a number in plain decimal.",
    ],
    [
      'a service that cannot be called',
      (a) => {
        a.hypercalls.services[1].call = 0n;
      },
      'CV_SHAPE hypercalls.services.1.call: hypercalls.services.1.call is 0x0n; it must be a function.',
    ],
  ]);
});

describe('surroundings', () => {
  each([
    [
      'a setting that does not exist',
      (a) => {
        a.cpus.tiny.settings = { counter: 4 };
      },
      "CV_UNKNOWN_NAME cpus.tiny.settings.counter: cpus.tiny.settings.counter names the CPU setting 'counter', which does not exist.",
    ],
    [
      'a setting out of range',
      (a) => {
        a.cpus.tiny.settings.counters = 5;
      },
      'CV_SETTING_VALUE cpus.tiny.settings.counters: The CPU setting counters cannot be 5.',
    ],
    [
      'a setting without values',
      (a) => {
        a.settings.counters.values = [];
      },
      'CV_SHAPE settings.counters.values: settings.counters.values is []; it must be a list of words or { from, to }.',
    ],
    [
      'a feature both built in and optional',
      (a) => {
        a.cpus.tiny.optional = ['pmu', 'wide'];
      },
      'CV_LISTED_TWICE cpus.tiny: cpus.tiny lists pmu, as the same model does.',
    ],
    [
      'a model that lacks what its features stand on',
      (a) => {
        a.features = { pmu: { means: 'P.' }, sample: { means: 'S.' }, wide: { means: 'W.', after: 'pmu' } };
        a.cpus['tiny-wide'].features = ['sample', 'wide'];
      },
      'CV_CONTRADICTION cpus.tiny-wide: cpus.tiny-wide has wide without pmu, on which it stands.',
    ],
    [
      'a feature that stands on none that there is, and a model with one that the table lacks',
      (a) => {
        a.features = { pmu: { means: 'P.' }, sample: { means: 'S.', after: 'pnu' } };
      },
      "CV_UNKNOWN_NAME features.sample.after: features.sample.after names the CPU feature 'pnu', which does not exist.",
      "CV_UNKNOWN_NAME cpus.tiny: cpus.tiny names the CPU feature 'wide', which does not exist.",
      "CV_UNKNOWN_NAME cpus.tiny-wide: cpus.tiny-wide names the CPU feature 'wide', which does not exist.",
    ],
    [
      'no such default model',
      (a) => {
        a.defaultCpu = 'tinny';
      },
      "CV_UNKNOWN_NAME defaultCpu: defaultCpu names the CPU model 'tinny', which does not exist.",
    ],
    [
      'no such default platform',
      (a) => {
        a.defaultPlatform = 'virt';
      },
      "CV_UNKNOWN_NAME defaultPlatform: defaultPlatform names the platform 'virt', which does not exist.",
    ],
    [
      'two devices at one address',
      (a) => {
        a.platforms.tiny.devices[1].range.base = 0x104n;
      },
      'CV_RANGES_OVERLAP platforms.tiny.devices: On the platform tiny, console and timer both answer at 0x104.',
    ],
    [
      'a device in the RAM',
      (a) => {
        a.platforms.tiny.devices[1].range.base = 0xffcn;
      },
      'CV_RANGES_OVERLAP platforms.tiny.devices: On the platform tiny, the RAM and timer both answer at 0x1000.',
    ],
    [
      'two devices of one name',
      (a) => {
        a.platforms.tiny.devices[1].name = 'console';
      },
      'CV_LISTED_TWICE platforms.tiny.devices.console: platforms.tiny.devices.console lists console, as another device does.',
    ],
    [
      'an access size of 3',
      (a) => {
        a.platforms.tiny.devices[1].sizes = [1, 3];
      },
      'CV_SHAPE platforms.tiny.devices.timer.sizes: platforms.tiny.devices.timer.sizes is [1, 3]; it must be a list of 1, 2, 4 and 8.',
    ],
    [
      'a device tree without its address',
      (a) => {
        a.platforms.tiny.deviceTree = () => ({});
      },
      'CV_CONTRADICTION platforms.tiny: platforms.tiny has one of deviceTree and treeAddress without the other.',
    ],
    [
      'a platform of two names',
      (a) => {
        a.platforms.tiny.name = 'small';
      },
      "CV_CONTRADICTION platforms.tiny: platforms.tiny is called 'small' inside.",
    ],
    [
      'no personality',
      (a) => {
        a.personalities = {};
      },
      'CV_SHAPE personalities: personalities is an object; it must be a table with a personality.',
    ],
    [
      'a personality that could be told a policy not offered',
      (a) => {
        a.personalities.plain.policies.push('trapped');
      },
      "CV_POLICY_NOT_OFFERED personalities.plain: personalities.plain asks for the policy 'trapped', which is not offered.",
    ],
    [
      'a personality that chooses a policy not offered, in one mode',
      (a) => {
        a.personalities.plain.policy = (mode: string, vpmu: boolean) => (mode === 'strict' && vpmu ? 'best' : 'off');
      },
      "CV_POLICY_NOT_OFFERED personalities.plain.policy('strict', true): personalities.plain.policy('strict', true) asks for the policy 'best', which is not offered.",
    ],
    [
      'a personality that handles an unknown cause',
      (a) => {
        a.personalities.plain.handlers = (mode: string) => (mode === 'compat' ? { sysreg: () => ({}) } : {});
      },
      "CV_UNKNOWN_NAME personalities.plain.handlers('compat').sysreg: personalities.plain.handlers('compat').sysreg names the cause 'sysreg', which does not exist.",
    ],
    [
      'a personality that carries an unknown register, in one mode',
      (a) => {
        a.personalities.plain.switching = (mode: string) => (mode === 'compat' ? { counters: ['PMC9'] } : {});
      },
      "CV_UNKNOWN_NAME personalities.plain.switching('compat').counters[0]: personalities.plain.switching('compat').counters[0] names the register 'PMC9', which does not exist.",
    ],
    [
      'a quirk without a source',
      (a) => {
        a.personalities.plain.quirks = [{ name: 'odd', means: 'Odd.' }];
      },
      'CV_SHAPE personalities.plain.quirks[0].source: personalities.plain.quirks[0].source is missing; it must be a text.',
    ],
    [
      'a fact that is no plain value',
      (a) => {
        a.personalities.plain.settings = (_: string, vpmu: boolean) => ({ vpmu: vpmu ? 1n : false });
      },
      "CV_SHAPE personalities.plain.settings('compat', true).vpmu: personalities.plain.settings('compat', true).vpmu is 0x1n; it must be a text, a number, true or false.",
      "CV_SHAPE personalities.plain.settings('strict', true).vpmu: personalities.plain.settings('strict', true).vpmu is 0x1n; it must be a text, a number, true or false.",
    ],
    [
      'a creator that nobody knows',
      (a) => {
        a.personalities.plain.createdBy = 'hyperv';
      },
      "CV_SHAPE personalities.plain.createdBy: personalities.plain.createdBy is 'hyperv'; it must be one of 'libxl', 'vmm'.",
    ],
    [
      'an ELF machine number of more than 16 bits',
      (a) => {
        a.platforms.tiny.images.elf = [183, 0x10000];
      },
      'CV_SHAPE platforms.tiny.images.elf[1]: platforms.tiny.images.elf[1] is 65536; it must be a whole number from 0 to 65535.',
    ],
    [
      'a byte order that there is not, and no class at all',
      (a) => {
        Object.assign(a.platforms.tiny.images, { classes: [], orders: ['little', 'middle'] });
      },
      'CV_SHAPE platforms.tiny.images.classes: platforms.tiny.images.classes is []; it must be a list of 32 and 64.',
      "CV_SHAPE platforms.tiny.images.orders: platforms.tiny.images.orders is ['little', 'middle']; it must be a list of little and big.",
    ],
    [
      'a personality that throws',
      (a) => {
        a.personalities.plain.handlers = () => {
          throw new Error('not yet');
        };
      },
      "CV_THREW personalities.plain.handlers('compat'): personalities.plain.handlers('compat') threw: not yet",
      "CV_THREW personalities.plain.handlers('strict'): personalities.plain.handlers('strict') threw: not yet",
    ],
  ]);
});

describe('what is allowed at the edge', () => {
  it.each<[string, (a: Anything) => void]>([
    ['a device right behind another', (a) => (a.platforms.tiny.devices[1].range.base = 0x108n)],
    ['a device right before the RAM', (a) => (a.platforms.tiny.devices[1].range.base = 0xff8n)],
    ['the highest index', (a) => (a.registers.SCRATCH.at.index = 2 ** 32 - 1)],
    [
      'a trap on the highest value of a field',
      (a) => (a.trapGroups.TPM.when = { register: 'PMSEL0', field: 'EVENT', is: 255n }),
    ],
    ['a reset of all its bits', (a) => (a.registers.USER_FROM.reset = 0xffff_ffff_ffff_f000n)],
    ['needs nobody heard of: that is for the negotiation', (a) => (a.needs = ['telepathy'])],
  ])('%s', (_, change) => {
    expect(wrong(change)).toEqual([]);
  });
});

describe('the plugin itself', () => {
  each([
    [
      'a policy that core does not have',
      (a) => {
        a.offers.policies = [...a.offers.policies, 'shadow'];
      },
      "CV_SHAPE offers.policies[5]: offers.policies[5] is 'shadow'; it must be one of 'off', 'passthrough', 'switched', 'emulated', 'mediated'.",
    ],
    [
      'a level twice',
      (a) => {
        a.levels = ['user', 'kernel', 'kernel', 'hypervisor'];
      },
      'CV_LISTED_TWICE levels[2]: levels[2] lists kernel, as another level does.',
    ],
    [
      'a name that nobody can type',
      (a) => {
        a.name = 'My Arch';
      },
      "CV_SHAPE name: name is 'My Arch'; it must be a word of lowercase letters, digits and hyphens.",
    ],
    [
      'a level that is a word of its own',
      (a) => {
        a.levels = ['never', ...a.levels];
      },
      "CV_SHAPE levels[0]: levels[0] is 'never'; it must be a name other than 'never'.",
    ],
    [
      'no enforcement',
      (a) => {
        delete a.enforce;
      },
      'CV_SHAPE enforce: enforce is missing; it must be a function.',
    ],
  ]);

  it.each([[undefined], [null], [42], ['arm64'], [[]], [() => {}]])('%s is no plugin', (thing) => {
    expect(problemsOf(thing)).toMatchObject([{ code: 'CV_SHAPE', where: 'the plugin' }]);
  });

  it('an empty object lacks every table, and is told so at once', () => {
    const missing = problemsOf({}).map((p) => p.where);
    for (const table of ['name', 'contract', 'levels', 'cpus', 'registers', 'trapGroups', 'pmu', 'isa', 'platforms']) {
      expect(missing).toContain(table);
    }
  });
});

describe('whatever stands in a table', () => {
  /** Every place of the plugin: the keys that lead there. */
  const places = (thing: unknown, path: readonly string[] = []): (readonly string[])[] =>
    typeof thing !== 'object' || thing === null
      ? [path]
      : [path, ...Object.entries(thing).flatMap(([key, value]) => places(value, [...path, key]))];
  const all = places(template).filter((path) => path.length > 0);
  const junk = fc.oneof(
    fc.constantFrom(undefined, null, true, 0, -1, 2.5, Number.NaN, '', 'x', 0n, -1n, 1n << 70n, [], {}, [null], {
      a: 1,
    }),
    fc.constant(() => null),
    fc.anything({ withBigInt: true, withNullPrototype: true }),
  );

  it('validation answers and never throws; what it passes can be compiled for every CPU model', () => {
    fc.assert(
      fc.property(fc.constantFrom(...all), junk, (path, thing) => {
        const spoilt = plugin((a) => {
          const last = path.at(-1) as string;
          const at = path.slice(0, -1).reduce((node, key) => node[key], a);
          at[last] = thing;
        });
        if (problemsOf(spoilt).length > 0) return;
        for (const cpu of Object.keys(spoilt.cpus)) compile(spoilt, cpuModel(spoilt, cpu));
      }),
      { numRuns: 800 },
    );
  });
});
