/** A misspelt property anywhere in a plugin is refused, with the one that was meant. */
import { template } from '@countervisor/template';
import { describe, expect, it } from 'vitest';
import { type Anything, plugin } from '../testing/plugin.ts';
import { SHAPES } from './shapes.ts';
import { problemsOf } from './validate.ts';

type Case = readonly [where: string, of: (arch: Anything) => Anything, wrong: string, meant: string];

const CASES: readonly Case[] = [
  ['the plugin', (a) => a, 'personalitys', 'personalities'],
  ['offers', (a) => a.offers, 'polices', 'policies'],
  ['cpus.tiny', (a) => a.cpus.tiny, 'optionals', 'optional'],
  ['settings.counters', (a) => a.settings.counters, 'valus', 'values'],
  ['registers.PMC0.at', (a) => a.registers.PMC0.at, 'indx', 'index'],
  ['pmu', (a) => a.pmu, 'overflows', 'overflow'],
  ['isa', (a) => a.isa, 'helper', 'helpers'],
  ['isa.costs.memory', (a) => a.isa.costs.memory, 'front-end', 'frontend'],
  ['isa.faults', (a) => a.isa.faults, 'fetchAlignement', 'fetchAlignment'],
  ['hypercalls', (a) => a.hypercalls, 'servces', 'services'],
  ['hypercalls.convention', (a) => a.hypercalls.convention, 'results', 'result'],
  ['hypercalls.services.1', (a) => a.hypercalls.services[1], 'cal', 'call'],
  ['platforms.tiny', (a) => a.platforms.tiny, 'wake', 'wakes'],
  ['platforms.tiny.ram', (a) => a.platforms.tiny.ram, 'mots', 'most'],
  ['platforms.tiny.images', (a) => a.platforms.tiny.images, 'clases', 'classes'],
  [
    'platforms.tiny.devices.console',
    (a) => a.platforms.tiny.devices.find((d: Anything) => d.name === 'console'),
    'writes',
    'write',
  ],
  [
    'platforms.tiny.devices.console.range',
    (a) => a.platforms.tiny.devices.find((d: Anything) => d.name === 'console').range,
    'sizes',
    'size',
  ],
  ['personalities.plain', (a) => a.personalities.plain, 'enforces', 'enforce'],
];

describe('a property that does not exist', () => {
  it.each(CASES)('%s', (where, of, wrong, meant) => {
    const problems = problemsOf(plugin((a) => Object.assign(of(a), { [wrong]: 'anything' })));
    expect(problems.map((p) => `${p.code} ${p.where}: ${p.message} ${p.remedy}`)).toEqual([
      `CV_UNKNOWN_NAME ${where}: ${where} names the property '${wrong}', which does not exist. Did you mean ${meant}?`,
    ]);
  });

  it('in several places: all are told at once', () => {
    const spoilt = plugin((a) => {
      for (const [, of, wrong] of CASES) of(a)[wrong] = 1;
    });
    expect(
      problemsOf(spoilt)
        .map((p) => p.where)
        .sort(),
    ).toEqual(CASES.map(([where]) => where).sort());
  });

  it("in a quirk, an action, and a personality's own plan", () => {
    const spoilt = plugin((a) => {
      a.registers.PMINC.action = { read: () => 0n, wrote: () => {} };
      a.personalities.plain.quirks = [{ name: 'q', means: 'q', source: 'q', soure: 'q' }];
      a.personalities.plain.switching = () => ({ control: [] });
    });
    expect(problemsOf(spoilt).map((p) => `${p.where} ${p.remedy}`)).toEqual([
      'registers.PMINC.action Did you mean write?',
      'personalities.plain.quirks[0] Did you mean source?',
      "personalities.plain.switching('compat') Did you mean controls?",
      "personalities.plain.switching('strict') Did you mean controls?",
    ]);
  });

  it('what the template writes is what the lists know', () => {
    for (const key of Object.keys(template)) expect(SHAPES.arch).toContain(key);
    expect(problemsOf(template)).toEqual([]);
  });
});
