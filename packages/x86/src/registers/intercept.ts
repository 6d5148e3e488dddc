/**
 * MSR accesses that a hypervisor stops although its policy leaves the registers to the guest: what its own MSR bitmap says now. Asked by a trap group.
 *
 * Xen (arch/x86/cpu/vpmu_intel.c, core2_vpmu_set_msr_bitmap): while a context is loaded counters pass, selectors and DS_AREA are read past it, all else exits;
 * while none is, everything exits. KVM's mediated vPMU (arch/x86/kvm/vmx/pmu_intel.c): global registers exit when the guest has fewer counters than the CPU.
 */
import type { Access, View } from '@countervisor/contract';
import { VPMU } from './hypervisor.ts';
import { PERFMON } from './perfmon.ts';

const COUNTER = /^(IA32_(A_)?PMC|IA32_FIXED_CTR|PERF_CTR(_CORE)?)\d+$/;
/** Read past the hypervisor while loaded. */
const READ = /^(IA32_PERFEVTSEL\d+|PERF_EVT_SEL\d+|PERF_CTL_CORE\d+|IA32_FIXED_CTR_CTRL|IA32_DS_AREA)$/;
const GLOBAL = /^IA32_PERF_GLOBAL_/;

export const isLoaded = (view: Pick<View, 'get'>): boolean => (view.get('VPMU_FLAGS') & VPMU.LOADED) !== 0n;

function xens(view: View, { register, write }: Access): boolean {
  if (view.policy !== 'switched' && register !== 'MISC_ENABLE') return false;
  if (!isLoaded(view)) return true;
  if (COUNTER.test(register)) return false;
  return write !== undefined || !READ.test(register);
}

/** Has the guest fewer general counters than the CPU? */
export function isSubset(view: Pick<View, 'cpu' | 'settings'>): boolean {
  const { counters } = view.settings;
  return typeof counters === 'number' && counters < (PERFMON[String(view.cpu.settings.perfmon)]?.general ?? 0);
}

export function intercepts(view: View, access: Access): boolean {
  if (view.settings.host === 'xen') return xens(view, access);
  return view.settings.host === 'kvm' && view.policy === 'mediated' && isSubset(view) && GLOBAL.test(access.register);
}
