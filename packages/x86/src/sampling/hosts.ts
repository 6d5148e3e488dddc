/**
 * What a hypervisor of KVM's makes of PEBS: the pinned buffers of 2014, and what is upstream since 2022. The facts a personality puts before the guest:
 *
 *   pebs       'pin', 'ept', 'off', or absent: the hardware itself
 *   pebs_mode  'compat' or 'strict'
 *   pebs_allowed   false: this guest's CPUID has no PEBS (asked for by the review of 2014; strict, and 'ept')
 *   pebs_cross_mapped  counters whose physical and virtual numbers differ: their bits of PEBS_ENABLE are not given to the hardware ('ept')
 *
 * The patch of 2014: "KVM: x86/pmu: PEBS virtualization" for Silvermont, four parts; its review by Eric Northup. Upstream: Linux arch/x86/kvm/vmx/pmu_intel.c,
 * arch/x86/events/intel/core.c (intel_guest_get_msrs).
 */
import type { View } from '@countervisor/contract';

export interface Host {
  readonly pebs: 'pin' | 'ept' | 'off' | 'hardware';
  readonly strict: boolean;
  readonly allowed: boolean;
  readonly crossMapped: bigint;
}

export function hostOf({ settings }: Pick<View, 'settings'>): Host {
  const { pebs, pebs_mode: mode, pebs_allowed: allowed, pebs_cross_mapped: crossed } = settings;
  return {
    pebs: pebs === 'pin' || pebs === 'ept' || pebs === 'off' ? pebs : 'hardware',
    strict: mode === 'strict',
    allowed: allowed !== false,
    crossMapped: BigInt(typeof crossed === 'number' ? crossed : 0),
  };
}

/** Are the pages of the debug store pinned, and no others good for a record? */
export const pins = (view: Pick<View, 'settings'>): boolean => hostOf(view).pebs === 'pin';

/** The seven defects of the patch, by name: a personality's quirks, and the rules of notes in the trace. */
export const DEFECTS: Readonly<
  Record<'step' | 'straddle' | 'ignored' | 'seventeen' | 'repin' | 'selector' | 'stale', string>
> = {
  step: 'pin-unaligned-step',
  straddle: 'pin-ds-straddle',
  ignored: 'pin-failure-ignored',
  seventeen: 'pin-seventeen-pages',
  repin: 'pin-not-again',
  selector: 'precise-at-selector',
  stale: 'stale-ds-entry',
};
