/**
 * Counters: everything about counting that is not a rule of core's, as pure functions of the registers. General counters first, then the fixed ones
 * (registers/perfmon.ts says how many). Intel SDM volume 3, 20.2; AMD64 volume 2, 13.2.
 */
import type { Counter, View } from '@countervisor/contract';
import { eventOf, FIXED_EVENTS } from './events.ts';
import { amdCounting, amdSelector } from './registers/amd.ts';
import { STATUS } from './registers/debugctl.ts';
import { bitOf, FIXED, MOST_FIXED, MOST_GENERAL, perfmon } from './registers/perfmon.ts';
import { FIXED_CTRL, fixedControl, SELECT } from './registers/pmu.ts';

const USER = 0;
const ROOT = 2;

/**
 * Do counters run in VMX root operation? A policy that gives the guest the physical registers and nothing else leaves them running there; every other
 * one has the VMCS load GLOBAL_CTRL at entry and exit (volume 3, 27.3.2.1, 28.5.1), so that they stand still.
 */
const hostVisible = (view: View): boolean => view.policy === 'passthrough';

function levelCounts(view: View, level: number, os: boolean, user: boolean): boolean {
  if (level === USER) return user;
  return os && (level !== ROOT || hostVisible(view));
}

/** GLOBAL_CTRL and the freeze of version 4. Version 1 has neither. */
function running(view: View, counter: number): boolean {
  if (perfmon(view).version < 2) return true;
  if ((view.get('IA32_PERF_GLOBAL_STATUS') & STATUS.CTR_FRZ) !== 0n) return false;
  return ((view.get('IA32_PERF_GLOBAL_CTRL') >> BigInt(bitOf(counter))) & 1n) === 1n;
}

/** CMASK, INV and EDGE of a selector; none of them set: events are counted. */
function threshold(selector: bigint): { least: number; invert: boolean; edge: boolean } | undefined {
  const least = Number((selector >> 24n) & 0xffn);
  const edge = (selector & SELECT.EDGE) !== 0n;
  // INV without CMASK compares with 0, and no cycle has fewer events than that: the bit is ignored then (volume 3, 20.2.1.1).
  if (least === 0) return edge ? { least: 1, invert: false, edge } : undefined;
  return { least, invert: (selector & SELECT.INV) !== 0n, edge };
}

const isAmd = (view: View): boolean => perfmon(view).vendor === 'amd';
const selectorOf = (view: View, n: number): bigint =>
  isAmd(view) ? amdSelector(view, n) : view.get(`IA32_PERFEVTSEL${n}`);

function general(n: number): Counter {
  return {
    value: `IA32_PMC${n}`,
    width: (view) => perfmon(view).width,
    overflowWidth: (view) => perfmon(view).width,
    event: (view) => eventOf(view, selectorOf(view, n)),
    counting(view, level) {
      const selector = selectorOf(view, n);
      if ((selector & SELECT.EN) === 0n) return false;
      if (isAmd(view)) return amdCounting(view, n, selector, level);
      if (!running(view, n)) return false;
      return levelCounts(view, level, (selector & SELECT.OS) !== 0n, (selector & SELECT.USR) !== 0n);
    },
    threshold: (view) => threshold(selectorOf(view, n)),
    needs: 'perfmon',
  };
}

function fixed(i: number): Counter {
  return {
    value: `IA32_FIXED_CTR${i}`,
    width: (view) => perfmon(view).fixedWidth,
    overflowWidth: (view) => perfmon(view).fixedWidth,
    event: () => FIXED_EVENTS[i],
    counting(view, level) {
      if (!running(view, MOST_GENERAL + i)) return false;
      const control = fixedControl(view, i);
      return levelCounts(view, level, (control & FIXED_CTRL.OS) !== 0n, (control & FIXED_CTRL.USR) !== 0n);
    },
    needs: 'perfmon_2',
  };
}

export const counters: readonly Counter[] = [
  ...Array.from({ length: MOST_GENERAL }, (_, n) => general(n)),
  ...Array.from({ length: MOST_FIXED }, (_, i) => fixed(i)),
];

export function exists(view: View, counter: number): boolean {
  const mine = perfmon(view);
  return counter < MOST_GENERAL ? counter < mine.general : counter - MOST_GENERAL < mine.fixed;
}

/** Of a counter of the list, by its position in GLOBAL_CTRL: the inverse of `bitOf`. */
export const counterAt = (bit: number): number => (bit < FIXED ? bit : MOST_GENERAL + bit - FIXED);
