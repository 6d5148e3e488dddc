/** Counters set, started and stopped; and counters that say something else about themselves. */
import type { Arch, Counter } from '@countervisor/contract';
import { asm, template } from '@countervisor/template';
import { event, type Line } from './guest.ts';

const { movi, writereg } = asm;

type N = 0 | 1 | 2 | 3;

/** The template with counters that say something else about themselves. */
export const counters = (changed: (c: Counter, n: number) => Partial<Counter>): Arch =>
  ({
    ...template,
    pmu: { ...template.pmu, counters: template.pmu.counters.map((c, n) => ({ ...c, ...changed(c as Counter, n) })) },
  }) as Arch;

/** Four instructions, for a count that `movi` holds. */
export const prepare = (n: N, name: string, count = 0): Line[] => [
  movi('R2', event(name)),
  writereg(`PMSEL${n}`, 'R2'),
  movi('R2', count),
  writereg(`PMC${n}`, 'R2'),
];
/** Enables the counters of a mask, and counting: R3 is 1 from here on. */
export const enable = (mask = 1): Line[] => [
  movi('R2', mask),
  writereg('PMENSET', 'R2'),
  movi('R3', 1),
  writereg('PMCTL', 'R3'),
];
/** Two instructions, both counted. */
export const disable: readonly Line[] = [movi('R3', 0), writereg('PMCTL', 'R3')];
