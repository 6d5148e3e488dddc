/**
 * The counters: how many there are and whose, and whether each one counts now. Arm DDI 0487, D13.5 (controlling the PMU counters), D24.3.17
 * (MDCR_EL2) and the pseudocode CountPMUEvents, PMUCounterIsHyp and AArch64.GetNumEventCountersAccessible.
 *
 * MDCR_EL2.HPMN divides the event counters in two: those below it are the guest's (enabled by PMCR_EL0.E), the others the hypervisor's (enabled
 * by MDCR_EL2.HPME, out of the guest's sight).
 */
import type { Counter, CpuModel, PolicyName, View } from '@countervisor/contract';
import { CPU_CYCLES, eventOf } from './events.ts';
import { MDCR, PMCR } from './registers/monitor.ts';

/** Position of the cycle counter in the list of counters, and its bit in PMCNTENSET_EL0 and its kin. */
export const CYCLE = 31;
/** Event counters that the architecture has room for. */
export const MOST = 31;

const EL2 = 2;

/** Event counters of this CPU: PMCR_EL0.N as the hypervisor reads it. */
export function implemented(view: Pick<View, 'cpu'>): number {
  return Number(view.cpu.settings.counters ?? 0);
}

/**
 * Event counters that a guest under a policy gets: all, or with a mediated PMU those that the host does not keep for itself. The others are the host's, and
 * stay on the physical CPU.
 */
export function guestCounters(policy: PolicyName, cpu: CpuModel): number {
  const most = implemented({ cpu });
  return policy === 'mediated' ? Math.max(0, most - Number(cpu.settings.host_counters ?? 0)) : most;
}

/** Does the hypervisor choose what the guest's selectors may hold, so that NSK, NSU, NSH and M are not the guest's? */
export const ownFilters = (policy: PolicyName): boolean => policy === 'emulated' || policy === 'mediated';

/** MDCR_EL2.HPMN = 0 where the architecture reserves it: without FEAT_HPMN0. With no counters at all, 0 is N. */
export function reservedHpmn(view: View): boolean {
  if (view.cpu.features.has('hpmn0')) return false;
  return implemented(view) > 0 && (view.get('MDCR_EL2') & MDCR.HPMN) === 0n;
}

/**
 * Event counters in the first range: those that EL1 and EL0 have. Reserved values of HPMN are CONSTRAINED UNPREDICTABLE: more than there are
 * counts as all; 0 is the CPU setting `hpmn0` (both outcomes are permitted: D24.3.17).
 */
export function firstRange(view: View): number {
  const most = implemented(view);
  if (view.cpu.settings.hpmn0 === 'all' && reservedHpmn(view)) return most;
  return Math.min(Number(view.get('MDCR_EL2') & MDCR.HPMN), most);
}

/** Event counters that software at the present level can reach. */
export function accessible(view: View): number {
  return view.level === EL2 ? implemented(view) : firstRange(view);
}

/** Bits of PMCNTENSET_EL0 and its kin that exist at the present level. */
export function counterMask(view: View): bigint {
  return (1n << BigInt(CYCLE)) | ((1n << BigInt(accessible(view))) - 1n);
}

/** Is event counter n in the second range, the hypervisor's? */
export function isHypervisors(view: View, n: number): boolean {
  return n >= firstRange(view);
}

/** The enable that stands above PMCNTENSET_EL0 for this counter. */
export function globallyEnabled(view: View, n: number): boolean {
  if (n !== CYCLE && isHypervisors(view, n)) return (view.get('MDCR_EL2') & MDCR.HPME) !== 0n;
  return (view.get('PMCR') & PMCR.E) !== 0n;
}

/** Do the filter bits P, U, NSK, NSU and NSH of PMEVTYPER<n>_EL0 or PMCCFILTR_EL0 keep this level out? A guest is Non-secure; nothing runs at EL3. */
export function filtered(filter: bigint, level: number): boolean {
  const bit = (n: number): boolean => ((filter >> BigInt(n)) & 1n) !== 0n;
  if (level === 0) return bit(30) !== bit(28);
  if (level === 1) return bit(31) !== bit(29);
  return !bit(27);
}

/** May counter n not count at this level, whatever its filter says? At EL2: HPMD for the first range (v3p1), and for the cycle counter HPMD with DP, and HCCD (v3p5). */
function prohibited(view: View, n: number, level: number): boolean {
  if (level !== EL2) return false;
  const guests = n === CYCLE || !isHypervisors(view, n);
  // Whatever NSH was after power-on: the hypervisor keeps it 0.
  if (guests && view.policy === 'mediated') return true;
  const { features } = view.cpu;
  const mdcr = view.get('MDCR_EL2');
  const hpmd = features.has('pmuv3p1') && (mdcr & MDCR.HPMD) !== 0n;
  if (n !== CYCLE) return hpmd && guests;
  if (hpmd && (view.get('PMCR') & PMCR.DP) !== 0n) return true;
  return features.has('pmuv3p5') && (mdcr & MDCR.HCCD) !== 0n;
}

function counting(view: View, n: number, selector: string, level: number): boolean {
  if (((view.get('PMCNTEN') >> BigInt(n)) & 1n) === 0n || !globallyEnabled(view, n)) return false;
  return !prohibited(view, n, level) && !filtered(view.get(selector), level);
}

/** Bits 9:0 select on PMUv3, bits 15:0 from v3p1 on. */
export function selected(view: View, selector: string): number {
  return Number(view.get(selector) & (view.cpu.features.has('pmuv3p1') ? 0xffffn : 0x3ffn));
}

const long = (view: View): boolean => view.cpu.features.has('pmuv3p5');

/** Overflow beyond 64 bits: PMCR_EL0.LP for the guest's counters, MDCR_EL2.HLP for the hypervisor's. */
function longOverflow(view: View, n: number): boolean {
  if (!long(view)) return false;
  return isHypervisors(view, n) ? (view.get('MDCR_EL2') & MDCR.HLP) !== 0n : (view.get('PMCR') & PMCR.LP) !== 0n;
}

function eventCounter(n: number): Counter {
  const selector = `PMEVTYPER${n}_EL0`;
  return {
    value: `PMEVCNTR${n}_EL0`,
    width: (view) => (long(view) ? 64 : 32),
    overflowWidth: (view) => (longOverflow(view, n) ? 64 : 32),
    event: (view) => eventOf(selected(view, selector), view.cpu.features)?.id,
    counting: (view, level) => counting(view, n, selector, level),
    // CHAIN counts on odd counters alone. Where n is HPMN itself the manual leaves it UNPREDICTABLE; it counts, as in the pseudocode.
    ...(n % 2 === 1 && { neighbour: n - 1 }),
    needs: 'pmuv3',
  };
}

const cycleCounter: Counter = {
  value: 'PMCCNTR_EL0',
  width: () => 64,
  overflowWidth: (view) => ((view.get('PMCR') & PMCR.LC) !== 0n ? 64 : 32),
  event: () => CPU_CYCLES,
  counting: (view, level) => counting(view, CYCLE, 'PMCCFILTR_EL0', level),
  divisor: (view) => ((view.get('PMCR') & (PMCR.D | PMCR.LC)) === PMCR.D ? 64 : 1),
  needs: 'pmuv3',
};

/** 31 event counters, then the cycle counter: positions are the bits of PMCNTENSET_EL0. */
export const counters: readonly Counter[] = [...Array.from({ length: MOST }, (_, n) => eventCounter(n)), cycleCounter];

export function exists(view: View, n: number): boolean {
  return n === CYCLE || n < implemented(view);
}
