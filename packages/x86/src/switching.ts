/**
 * Which performance monitoring registers travel with a vCPU, and in which order. Intel SDM volume 3, 20.2; Xen arch/x86/cpu/vpmu_intel.c
 * (core2_vpmu_save, core2_vpmu_load), KVM's mediated vPMU (arch/x86/kvm/pmu.c, kvm_mediated_pmu_load and _put).
 */
import type { SwitchPlan } from '@countervisor/contract';
import { MOST_FIXED, MOST_GENERAL } from './registers/perfmon.ts';
import { pinNames } from './sampling/pin.ts';

const numbered = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `${name}${n}`);

/** Storage of the last branch records. */
const branches: readonly string[] = ['FROM', 'TO', 'INFO'].flatMap((what) => numbered(`LBR_${what}_`, 32));

export const switching: SwitchPlan = {
  // GLOBAL_CTRL first, so that it comes back last: it starts every counter. AMD's first monitors have none; there the selectors start them.
  controls: [
    'IA32_PERF_GLOBAL_CTRL',
    'PERF_CNTR_GLOBAL_CTL',
    'IA32_PEBS_ENABLE',
    'IA32_DEBUGCTL',
    'IA32_LBR_CTL',
    'IA32_FIXED_CTR_CTRL',
    ...numbered('IA32_PERFEVTSEL', MOST_GENERAL),
  ],
  freeze: [
    ['IA32_PERF_GLOBAL_CTRL', 0n],
    ['PERF_CNTR_GLOBAL_CTL', 0n],
    ['IA32_PEBS_ENABLE', 0n],
    ['IA32_DEBUGCTL', 0n],
    ['IA32_LBR_CTL', 0n],
    ...numbered('IA32_PERFEVTSEL', MOST_GENERAL).map((name) => [name, 0n] as const),
  ],
  counters: [
    'PMI',
    'IA32_PERF_GLOBAL_STATUS',
    'PERF_CNTR_GLOBAL_STATUS',
    ...numbered('IA32_PMC', MOST_GENERAL),
    ...numbered('IA32_FIXED_CTR', MOST_FIXED),
    'PEBS_ARMED',
    'PEBS_CHOSEN',
    'DS_ENTRY',
    ...pinNames,
    'IA32_DS_AREA',
    'MSR_PEBS_DATA_CFG',
    'MSR_LBR_SELECT',
    'IA32_LBR_DEPTH',
    'LBR_TOS',
    'LBR_CYCLE',
    ...branches,
  ],
  because:
    'Freezing overwrites GLOBAL_CTRL and the selectors, so they are saved before it. On the way in counts, status and the debug store are in place before PEBS_ENABLE and the selectors, GLOBAL_CTRL last: nothing counts, and no record is written, on half of a state.',
};
