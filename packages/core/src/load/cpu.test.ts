import { template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { type Anything, plugin } from '../testing/plugin.ts';
import { cpuModel } from './cpu.ts';

/** Code, sentence and remedy of what a request is refused with. */
function refusal(ask: () => unknown): readonly string[] {
  try {
    ask();
  } catch (error) {
    const { code, message, remedy } = error as { code: string; message: string; remedy: string };
    return [code, message, remedy];
  }
  return [];
}

describe('cpuModel', () => {
  it('is the default model when none is named', () => {
    expect(cpuModel(template)).toMatchObject({ name: 'tiny', settings: { counters: 4 }, identity: { CPUID: 0x7e01n } });
    expect(cpuModel(template, '').name).toBe('tiny');
    expect([...cpuModel(template).features].sort()).toEqual(['pmu', 'sample']);
  });

  it.each([
    ['tiny-wide', ['pmu', 'sample', 'wide']],
    ['tiny,+wide', ['pmu', 'sample', 'wide']],
    ['tiny,-sample', ['pmu']],
    ['tiny,+wide,-pmu', ['sample', 'wide']],
    ['tiny,+pmu', ['pmu', 'sample']], // it has it anyhow
    ['tiny,-wide', ['pmu', 'sample']], // it has it not anyhow
    ['tiny-none', []],
  ])('%s', (spec, features) => {
    const model = cpuModel(template, spec);
    expect([...model.features].sort()).toEqual(features);
    expect(model.name).toBe(spec);
  });

  it('leaves the table as it was', () => {
    cpuModel(template, 'tiny,-sample,+wide');
    expect([...cpuModel(template, 'tiny').features].sort()).toEqual(['pmu', 'sample']);
  });

  it.each([
    ['tinny', 'CV_UNKNOWN_CPU', "template has no CPU model 'tinny'.", 'Did you mean tiny?'],
    ['cortex', 'CV_UNKNOWN_CPU', "template has no CPU model 'cortex'.", 'Known: tiny, tiny-wide, tiny-none.'],
    ['__proto__', 'CV_UNKNOWN_CPU', "template has no CPU model '__proto__'.", 'Known: tiny, tiny-wide, tiny-none.'],
    ['tiny,+wid', 'CV_UNKNOWN_FEATURE', "template knows no CPU feature 'wid'.", 'Did you mean wide?'],
    ['tiny,-sve', 'CV_UNKNOWN_FEATURE', "template knows no CPU feature 'sve'.", 'Known: pmu, sample, wide.'],
    [
      'tiny-none,+wide',
      'CV_FEATURE_IMPOSSIBLE',
      'The CPU model tiny-none cannot have wide.',
      'It has no optional features.',
    ],
    ['tiny-none,-pmu', 'CV_FEATURE_IMPOSSIBLE', 'The CPU model tiny-none has no pmu to take away.', 'Leave out -pmu.'],
  ])('%s is refused', (spec, ...expected) => {
    expect(refusal(() => cpuModel(template, spec))).toEqual(expected);
  });

  it.each([
    ['tiny,wide', "The CPU 'tiny,wide' has 'wide' where +feature or -feature belongs."],
    ['tiny,', "The CPU 'tiny,' has '' where +feature or -feature belongs."],
    ['tiny, +wide', "The CPU 'tiny, +wide' has ' +wide' where +feature or -feature belongs."],
    ['+wide', "The CPU '+wide' does not begin with the name of a model."],
    [',+wide', "The CPU ',+wide' does not begin with the name of a model."],
    ['tiny,+wide,-wide', "The CPU 'tiny,+wide,-wide' names wide twice."],
  ])('%s is not written as it must be', (spec, message) => {
    expect(refusal(() => cpuModel(template, spec)).slice(0, 2)).toEqual(['CV_CPU_SPEC', message]);
  });

  it('takes settings over those of the model', () => {
    expect(cpuModel(template, 'tiny', { counters: 2 }).settings).toEqual({ counters: 2 });
    expect(cpuModel(template, 'tiny').settings).toEqual({ counters: 4 });
  });

  /** sample stands on pmu, and wide on sample. */
  const tower = plugin((a: Anything) => {
    a.features = {
      pmu: { means: 'Counters.' },
      sample: { means: 'Samples.', after: 'pmu' },
      wide: { means: '64 bits.', after: 'sample' },
    };
    a.cpus['tiny-none'].optional = ['pmu', 'sample', 'wide'];
  });

  it.each([
    ['tiny-wide,-pmu', []],
    ['tiny-wide,-sample', ['pmu']],
    ['tiny-none,+sample', ['pmu', 'sample']],
    ['tiny-none,+wide', ['pmu', 'sample', 'wide']],
    ['tiny,-sample', ['pmu']],
  ])('%s: what stands on a feature falls with it, and what it stands on comes with it', (spec, features) => {
    expect([...cpuModel(tower, spec).features].sort()).toEqual(features);
  });

  it.each([
    ['tiny,+wide,-pmu', 'adds wide and takes away what it stands on'],
    ['tiny,-pmu,+wide', 'takes pmu away and adds what stands on it'],
  ])('%s contradicts itself', (spec, why) => {
    expect(refusal(() => cpuModel(tower, spec)).slice(0, 2)).toEqual(['CV_CPU_SPEC', `The CPU '${spec}' ${why}.`]);
  });

  const words = plugin((a: Anything) => {
    a.settings.odd = { means: 'Words.', values: ['none', 'all', 'true'] };
  });

  it.each([
    [{ odd: 'all' }, { counters: 4, odd: 'all' }],
    [{ odd: true }, { counters: 4, odd: true }],
  ])('takes words %j', (settings, all) => {
    expect(cpuModel(words, 'tiny', settings).settings).toEqual(all);
  });

  it.each([
    [{ counter: 2 }, 'CV_UNKNOWN_SETTING', "template has no CPU setting 'counter'.", 'Did you mean counters?'],
    [
      { counters: 0 },
      'CV_SETTING_VALUE',
      'The CPU setting counters cannot be 0.',
      'It may be a whole number from 1 to 4.',
    ],
    [
      { counters: 5 },
      'CV_SETTING_VALUE',
      'The CPU setting counters cannot be 5.',
      'It may be a whole number from 1 to 4.',
    ],
    [
      { counters: 2.5 },
      'CV_SETTING_VALUE',
      'The CPU setting counters cannot be 2.5.',
      'It may be a whole number from 1 to 4.',
    ],
    [
      { counters: '2' },
      'CV_SETTING_VALUE',
      "The CPU setting counters cannot be '2'.",
      'It may be a whole number from 1 to 4.',
    ],
    [{ odd: 'some' }, 'CV_SETTING_VALUE', "The CPU setting odd cannot be 'some'.", 'It may be none, all, true.'],
    [{ odd: false }, 'CV_SETTING_VALUE', 'The CPU setting odd cannot be false.', 'It may be none, all, true.'],
  ])('%j is refused', (settings, ...expected) => {
    expect(refusal(() => cpuModel(words, 'tiny', settings))).toEqual(expected);
  });
});
