/** What a CPU of this architecture can have: its privilege levels, named features, settings, and the models that combine them. */
import type { CpuRow, CpuSetting, View } from '@countervisor/contract';

/** Lowest privilege first. No guest code runs at the last one: it belongs to the model hypervisor. */
export const LEVELS: readonly ['user', 'kernel', 'hypervisor'] = ['user', 'kernel', 'hypervisor'];
export type Level = (typeof LEVELS)[number];

export const USER = 0;
export const KERNEL = 1;
export const HYPERVISOR = 2;

/** Counters that a CPU can have; how many it has is a setting. */
export const MOST_COUNTERS = 4;

export const settings: Readonly<Record<string, CpuSetting>> = {
  counters: { means: 'How many counters there are.', values: { from: 1, to: MOST_COUNTERS } },
};

export const cpus: Readonly<Record<string, CpuRow>> = {
  tiny: {
    means: 'Four counters of 32 bits and the sampling register.',
    features: ['pmu', 'sample'],
    settings: { counters: 4 },
    identity: { CPUID: 0x7e01n },
    // A model of real silicon lists here what that silicon does and this model does not.
    deviations: [],
    optional: ['wide'],
  },
  'tiny-wide': {
    means: 'As tiny, with counters of 64 bits.',
    features: ['pmu', 'sample', 'wide'],
    settings: { counters: 4 },
    identity: { CPUID: 0x7e02n },
    deviations: [],
  },
  'tiny-none': {
    means: 'No PMU at all: every register of it is undefined.',
    features: [],
    settings: { counters: 1 },
    identity: { CPUID: 0x7e00n },
    deviations: [],
  },
};

export function counters(view: View): number {
  return Number(view.cpu.settings.counters);
}

/** Bits in a counter: the width of its value, and where it overflows. */
export function counterWidth(view: View): 32 | 64 {
  return view.cpu.features.has('wide') ? 64 : 32;
}
