/**
 * KVM on POWER9 and since, book3s_hv: the guest has the physical monitor while it says that it uses it (VPA, pmcregs_in_use), and the facility is opened on demand.
 *
 * Facts from Linux arch/powerpc/kvm: book3s_hv_p9_perf.c (switch_pmu_to_guest, switch_pmu_to_host), book3s_hv.c (kvmppc_pmu_unavailable; H_PERFMON has no handler). What KVM
 * does on each exit happens here when another vCPU comes: between exits to itself a vCPU's registers stay where they are.
 */
import type { Outcome, Personality, SwitchPlan, TrapHandler, Vcpu, View, Writes } from '@countervisor/contract';
import { ILLEGAL } from '../isa/row.ts';
import type { Processor } from '../platform/processor.ts';
import { MONITOR } from '../registers/kept.ts';
import { isModern, MMCR0 } from '../registers/mmcr.ts';
import { BHRB_ENTRIES } from '../registers/sampling.ts';
import { performanceMonitor } from '../traps.ts';

/** HFSCR[PM] and HFSCR[BHRB]: the model opens them together. */
const PM = 0x18n;
/** Byte of the virtual processor area. */
const PMCREGS_IN_USE = 0xbbn;

const SOURCE = 'Linux arch/powerpc/kvm/book3s_hv_p9_perf.c';

/** Without an area, or with one that says so. */
function inUse(vcpu: Vcpu): boolean {
  const { vpa } = vcpu.device<Processor>('processor');
  return vpa === 0n || vcpu.domain.read(vpa + PMCREGS_IN_USE, 1)?.[0] !== 0;
}

const monitor = (vcpu: Vcpu): readonly string[] =>
  MONITOR.filter((name) => !/^PMC[78]$/.test(name) && (name !== 'MMCR3' || vcpu.cpu.features.has('isa-3.1')));

/** The vCPU leaves: what it does not say it uses is not saved, and the facility is closed. */
function contextSwitchFrom(vcpu: Vcpu): void {
  if (vcpu.policy !== 'switched' || !isModern(vcpu)) return;
  if (inUse(vcpu)) {
    // Core has frozen the physical MMCR0 and saved it; what was saved before is what would be left.
    vcpu.set('LOST', 0n);
    return;
  }
  vcpu.set('LOST', 1n);
  if (vcpu.get('GUEST_PM') === 0n) return;
  vcpu.set('GUEST_PM', 0n);
  vcpu.note('pmcregs_in_use is 0: the monitor is frozen and not saved, HFSCR[PM] is closed', SOURCE);
}

/** It comes back: what was not saved is as it was when it was last saved. */
function contextSwitchTo(vcpu: Vcpu): void {
  if (vcpu.policy !== 'switched' || !isModern(vcpu)) return;
  if (vcpu.get('LOST') === 0n) {
    for (const name of monitor(vcpu)) vcpu.set(`KEPT_${name}`, vcpu.get(name));
    return;
  }
  const names = monitor(vcpu);
  for (const name of [...names.filter((one) => one !== 'MMCR0'), 'MMCR0']) vcpu.set(name, vcpu.get(`KEPT_${name}`));
}

/** Hypervisor facility unavailable, cause 3: opened for a guest that may have it, and the instruction is run again. */
const demanded: TrapHandler = (vcpu, trap): Outcome => {
  if (vcpu.policy === 'emulated') return performanceMonitor(vcpu, trap);
  if (vcpu.policy === 'off') {
    return {
      then: 'inject',
      exception: { kind: 'program', syndrome: BigInt(ILLEGAL) },
      why: 'the guest has no performance monitor',
    };
  }
  vcpu.set('GUEST_PM', 1n);
  vcpu.set('HFSCR', vcpu.get('HFSCR') | PM);
  return { then: 'retry', why: 'HFSCR[PM] is opened on demand' };
};

/** A guest that says it uses the monitor has it open only once it has asked: a new vCPU's HFSCR[PM] is 0. */
function enforce(_mode: unknown, _demand: unknown, view: View): Writes {
  if (!isModern(view)) return [];
  const hfscr = view.get('HFSCR') & ~PM;
  const open = view.policy === 'passthrough' || (view.policy === 'switched' && view.get('GUEST_PM') !== 0n);
  return [['HFSCR', open ? hfscr | PM : hfscr]];
}

export const kvm: Personality = {
  name: 'kvm-ppc',
  means:
    'KVM on POWER9 and since: the physical performance monitor, opened on demand (HFSCR[PM]) and kept while the guest says it uses it (pmcregs_in_use).',
  policy: (_mode, vpmu) => (vpmu ? 'switched' : 'off'),
  policies: ['off', 'switched', 'emulated'],
  quirks: [
    {
      name: 'counts-lost-unless-in-use',
      means:
        'A guest whose virtual processor area says pmcregs_in_use = 0 and that counts all the same finds, when it is switched back in, what was last saved: PAPR lets counters be discarded.',
      source: `${SOURCE}, switch_pmu_to_host; LoPAR 1.1, 14.11.1.2`,
    },
  ],
  settings: (_mode, vpmu) => ({ vpmu }),
  handlers: () => ({ 'performance-monitor': demanded }),
  enforce,
  switching: (): Partial<SwitchPlan> => ({
    // Restored in the mirror image: PMC1 to PMC6, MMCR1, MMCR2, SDAR, SIAR, SIER, then those of version 3.1, MMCRA, MMCR0 last.
    controls: ['MMCR0', 'MMCRA'],
    freeze: [
      ['MMCR0', MMCR0.FC],
      ['MMCRA', 0n],
    ],
    counters: [
      ...Array.from({ length: BHRB_ENTRIES }, (_, n) => `BHRB_${n}`),
      ...['BHRB_NEXT', 'TB_EVENT', 'ALERTED'],
      ...['SIER3', 'SIER2', 'MMCR3', 'SIER', 'SIAR', 'SDAR', 'MMCR2', 'MMCR1'],
      ...[8, 7, 6, 5, 4, 3, 2, 1].map((n) => `PMC${n}`),
    ],
    contextSwitchFrom,
    contextSwitchTo,
  }),
  interrupt: (_mode, vpmu) => vpmu,
  createdBy: 'vmm',
};
