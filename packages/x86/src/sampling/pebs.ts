/**
 * Processor event based sampling: which overflows arm, what the next event writes. Intel SDM volume 3, 20.6.2.4 and 20.9; counting rule 6b and 6c.
 */
import type { Counted, Exception, Retired, Vcpu, View } from '@countervisor/contract';
import { counterAt } from '../counters.ts';
import { eventOf, FIXED_EVENTS } from '../events.ts';
import { STATUS } from '../registers/debugctl.ts';
import { bitOf, FIXED, MOST_GENERAL, perfmon } from '../registers/perfmon.ts';
import { hasBaseline, hasPebs, requestInterrupt, SELECT } from '../registers/pmu.ts';
import { pebsEnableBits } from '../registers/sampling.ts';
import { hostOf, pins } from './hosts.ts';
import { pin } from './pin.ts';
import { record } from './record.ts';
import { isFault, readReset, readStore, type StoreFault, writeLinear, writeStore } from './store.ts';

const bit = (counter: number): bigint => 1n << BigInt(bitOf(counter));

const event = (view: View, counter: number): number | undefined =>
  counter < MOST_GENERAL ? eventOf(view, view.get(`IA32_PERFEVTSEL${counter}`)) : FIXED_EVENTS[counter - MOST_GENERAL];

/** Is this counter's overflow recorded, as things stand? */
export function preciseNow(view: View, counter: number): boolean {
  const { pebs } = perfmon(view);
  if (pebs === undefined || !hasPebs(view) || !view.cpu.features.has('ds')) return false;
  if (counter >= MOST_GENERAL && hostOf(view).pebs === 'pin') return false;
  if ((chosen(view) & pebsEnableBits(view) & bit(counter)) === 0n) return false;
  if (counter >= MOST_GENERAL) return hasBaseline(view);
  const id = event(view, counter);
  return pebs.general.includes(counter) && id !== undefined && (pebs.events?.includes(id) ?? true);
}

/** Counters that the hardware is given as precise. */
function chosen(view: View): bigint {
  const { pebs, strict, crossMapped } = hostOf(view);
  const enable = view.get('IA32_PEBS_ENABLE');
  if (pebs === 'ept') return enable & ~crossMapped;
  // The patch of 2014 looks at PEBS_ENABLE when a selector is written, and not again.
  return pebs === 'pin' && !strict ? enable & view.get('PEBS_CHOSEN') : enable;
}

/** The next event of this counter makes a record. */
export function armed(view: View, counter: number): boolean {
  return (view.get('PEBS_ARMED') & bit(counter)) !== 0n && preciseNow(view, counter);
}

/** A counter whose own overflow already makes the record. */
function distributed(view: View, counter: number): boolean {
  return (perfmon(view).pebs?.distribution ?? []).some(
    (one) => one.bit === bitOf(counter) && (one.event === undefined || one.event === event(view, counter)),
  );
}

const adaptive = (view: View, counter: number): boolean =>
  counter < MOST_GENERAL
    ? (view.get(`IA32_PERFEVTSEL${counter}`) & SELECT.ADAPTIVE) !== 0n
    : ((view.get('IA32_FIXED_CTR_CTRL') >> BigInt(FIXED + 4 * (counter - MOST_GENERAL))) & 1n) === 1n;

/** Slot of the reset value. Fixed counters stand behind 8, from format 5 on behind 32. */
const resetSlot = (view: View, counter: number): number =>
  counter < MOST_GENERAL ? counter : counter - MOST_GENERAL + ((perfmon(view).pebs?.format ?? 0) >= 5 ? 32 : 8);

const value = (counter: number): string =>
  counter < MOST_GENERAL ? `IA32_PMC${counter}` : `IA32_FIXED_CTR${counter - MOST_GENERAL}`;

/** Counters of a mask, by their position in the list. */
const countersOf = (bits: bigint): number[] =>
  Array.from({ length: 64 }, (_, n) => n)
    .filter((n) => ((bits >> BigInt(n)) & 1n) === 1n)
    .map(counterAt);

/** At a boundary: does somebody record? */
export function boundary(vcpu: Vcpu, counted: readonly Counted[], retired: Retired): Exception | undefined {
  const now = counted.filter(
    ({ counter, armed: before, wrapped }) =>
      before || (wrapped && preciseNow(vcpu, counter) && distributed(vcpu, counter)),
  );
  return now.length === 0 ? undefined : assist(vcpu, now, retired);
}

/**
 * The assist serves all counters that are armed, whichever of them brought it: fit, record, index, status, reload, threshold.
 * Everything is read before anything is written.
 */
function assist(vcpu: Vcpu, now: readonly Counted[], retired: Retired): Exception | undefined {
  const serves = vcpu.get('PEBS_ARMED') | now.reduce((bits, { counter }) => bits | bit(counter), 0n);
  const counters = countersOf(serves);
  const status = vcpu.get('IA32_PERF_GLOBAL_STATUS');
  const groups = counters.some((n) => adaptive(vcpu, n)) ? vcpu.get('MSR_PEBS_DATA_CFG') : 0n;
  // strict: the guest may have mapped other pages since.
  if (pins(vcpu) && hostOf(vcpu).strict) pin(vcpu);
  const store = readStore(vcpu);
  if (isFault(store)) return lost(vcpu, store, serves);
  const resets = counters.map((n) => readReset(vcpu, resetSlot(vcpu, n)));
  const unread = resets.find((reset): reset is StoreFault => typeof reset !== 'bigint');
  if (unread !== undefined) return lost(vcpu, unread, serves);

  const events = counters.map((n) => event(vcpu, n)).filter((id) => id !== undefined);
  const bytes = record(vcpu, { retired, counters: serves, events, status, groups });
  const index = store.pebsIndex + BigInt(bytes.length);
  const fits = index <= store.pebsMaximum;
  if (fits) {
    const failed = writeLinear(vcpu, store.pebsIndex, bytes) ?? writeStore(vcpu, 'pebsIndex', index);
    if (failed !== undefined) return lost(vcpu, failed, serves);
  }
  rearm(vcpu, counters, resets as bigint[]);
  if (fits && index >= store.pebsThreshold) buffered(vcpu);
  return undefined;
}

/** Status bits cleared, counters at their reset values, nothing armed. */
function rearm(vcpu: Vcpu, counters: readonly number[], resets: readonly bigint[]): void {
  const { width, fixedWidth } = perfmon(vcpu);
  let served = 0n;
  counters.forEach((n, i) => {
    served |= bit(n);
    vcpu.set(value(n), BigInt.asUintN(n < MOST_GENERAL ? width : fixedWidth, resets[i] ?? 0n));
  });
  vcpu.set('PEBS_ARMED', vcpu.get('PEBS_ARMED') & ~served);
  vcpu.set('IA32_PERF_GLOBAL_STATUS', vcpu.get('IA32_PERF_GLOBAL_STATUS') & ~served);
}

/** The debug store has reached a threshold: bit 62, and one interrupt until that is cleared. */
export function buffered(vcpu: Vcpu): void {
  const status = vcpu.get('IA32_PERF_GLOBAL_STATUS');
  if ((status & STATUS.OVF_BUF) !== 0n) return;
  vcpu.set('IA32_PERF_GLOBAL_STATUS', status | STATUS.OVF_BUF);
  requestInterrupt(vcpu);
}

/**
 * The record could not be written. A CPU that can restart an assist tells the guest of its page fault, and tries again at the next event; one that cannot
 * has lost the record. What is no memory at all in the second stage nobody can repair: lost, too.
 */
function lost(vcpu: Vcpu, fault: StoreFault, serves: bigint): Exception | undefined {
  const where =
    'guest' in fault
      ? `a page fault at 0x${(fault.guest.address ?? 0n).toString(16)}`
      : `guest-physical 0x${fault.physical.toString(16)}`;
  const restarts = vcpu.cpu.settings.ds_fault === 'restartable' && 'guest' in fault;
  vcpu.note(
    `a PEBS record ran into ${where}: ${restarts ? 'the guest takes it' : 'lost'}`,
    `ds_fault=${restarts ? 'restartable' : 'lose-record'}`,
  );
  if (restarts) {
    vcpu.set('PEBS_ARMED', vcpu.get('PEBS_ARMED') | serves);
    return fault.guest;
  }
  vcpu.set('PEBS_ARMED', vcpu.get('PEBS_ARMED') & ~serves);
  vcpu.set('IA32_PERF_GLOBAL_STATUS', vcpu.get('IA32_PERF_GLOBAL_STATUS') & ~serves);
  return undefined;
}
