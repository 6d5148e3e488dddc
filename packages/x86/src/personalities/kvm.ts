/**
 * KVM on x86-64. Emulated: every access exits and is performed on registers of the vCPU, whose counters run only while it does. Mediated, as of 2025: counters
 * are the physical ones, selectors are intercepted and checked.
 *
 * Facts from Linux: arch/x86/kvm/pmu.c, vmx/pmu_intel.c, svm/pmu.c, x86.c (MSRs without a vPMU); the series "mediated vPMU" of December 2025. PEBS is the option
 * `pebs`: what each choice does is in sampling/hosts.ts.
 */
import type {
  CpuModel,
  Demand,
  Outcome,
  Personality,
  PersonalityOptions,
  PolicyName,
  Quirk,
  TrapHandler,
  Vcpu,
  View,
  Writes,
} from '@countervisor/contract';
import { controls } from '../policy.ts';
import { isSubset } from '../registers/intercept.ts';
import { isIntel, PERFMON, perfmon } from '../registers/perfmon.ts';
import { DEFECTS } from '../sampling/hosts.ts';
import { msrHandler, PROCBASED, refusedHere } from '../traps.ts';

const PATCH = 'the list kvm, 2014: KVM: x86/pmu: PEBS virtualization';

/** The patch's, and one of what came after it. */
const quirks: readonly Quirk[] = [
  {
    name: DEFECTS.step,
    means:
      'pebs=pin: pages are pinned in steps from a base that need not be aligned, so the last page of the buffer may be left out.',
    source: PATCH,
  },
  {
    name: DEFECTS.straddle,
    means:
      'pebs=pin: when the second page of the debug store is not mapped, pinning ends there, and PEBS is on with nothing else pinned.',
    source: PATCH,
  },
  {
    name: DEFECTS.ignored,
    means: 'pebs=pin: a page that cannot be pinned is a line in the log; the write of PEBS_ENABLE succeeds.',
    source: PATCH,
  },
  {
    name: DEFECTS.seventeen,
    means: 'pebs=pin: of more than 17 pages the others are silently not pinned.',
    source: PATCH,
  },
  {
    name: DEFECTS.repin,
    means: 'pebs=pin: a write of DS_AREA while PEBS is on, or of the same PEBS_ENABLE, pins nothing anew.',
    source: PATCH,
  },
  {
    name: DEFECTS.selector,
    means: 'pebs=pin: a counter is precise if PEBS_ENABLE had its bit when its selector was written.',
    source: PATCH,
  },
  {
    name: DEFECTS.stale,
    means: 'pebs=pin: a DS_AREA of 0 leaves the entry before it in the VM-entry MSR list.',
    source: PATCH,
  },
  {
    name: 'ept-no-adaptive',
    means: 'pebs=ept: adaptive records are not offered, whatever the CPU has.',
    source: 'Linux 9e985cbf2942, KVM: x86/pmu: Disable support for adaptive PEBS',
  },
];

/** DEBUGCTL without a vPMU: LBR and BTF are taken and forgotten. Linux arch/x86/kvm/x86.c, kvm_set_msr_common. */
const FORGOTTEN = 3n;

const handle: TrapHandler = (vcpu, trap): Outcome => {
  const { access } = trap;
  if (vcpu.policy === 'off' && access?.register === 'IA32_DEBUGCTL') {
    const { write } = access;
    if (write === undefined || (write & ~FORGOTTEN) === 0n) return { then: 'complete', value: 0n, why: 'no vPMU' };
    return refusedHere('the guest has no PMU');
  }
  return msrHandler(vcpu, trap);
};

/** One entry of the VM-entry and VM-exit MSR lists: what the CPU loads for the guest, and for the host. */
export interface ListEntry {
  readonly msr: number;
  readonly name: string;
  readonly guest: bigint;
  readonly host: bigint;
}

/**
 * The MSRs that the CPU exchanges at VM entry and exit. GLOBAL_CTRL: always where there is one and the guest has the hardware's counters, or PEBS. The debug
 * store's: under `pebs`. (Linux arch/x86/events/intel/core.c, intel_guest_get_msrs.)
 */
export function switchList(view: View): readonly ListEntry[] {
  const { pebs } = view.settings;
  const precise = pebs === 'pin' || pebs === 'ept';
  if (!isIntel(view) || perfmon(view).version < 2 || view.policy === 'off') return [];
  const entry = (msr: number, name: string, guest = view.get(name)): ListEntry => ({ msr, name, guest, host: 0n });
  const list: ListEntry[] = [];
  if (view.policy === 'mediated' || pebs === 'ept') list.push(entry(0x38f, 'IA32_PERF_GLOBAL_CTRL'));
  if (pebs === 'pin' && view.get('DS_ENTRY') !== 0n) list.push(entry(0x600, 'IA32_DS_AREA', view.get('DS_ENTRY')));
  if (pebs === 'ept') {
    const crossed = BigInt(typeof view.settings.pebs_cross_mapped === 'number' ? view.settings.pebs_cross_mapped : 0);
    list.push(entry(0x600, 'IA32_DS_AREA'));
    list.push(entry(0x3f1, 'IA32_PEBS_ENABLE', view.get('IA32_PEBS_ENABLE') & ~crossed));
  }
  return precise || view.policy === 'mediated' ? list : [];
}

/** What the MSR bitmap lets past the hypervisor: MSRs, first to last. */
export function passes(view: View): readonly (readonly [first: number, last: number])[] {
  if (view.policy !== 'mediated') return [];
  const { vendor, general, fixed, fullWidth, version } = perfmon(view);
  const range = (first: number, count: number): readonly [number, number] => [first, first + count - 1];
  if (vendor === 'amd') return [range(0xc001_0200, 2 * general)];
  return [
    range(0xc1, general),
    ...(fullWidth ? [range(0x4c1, general)] : []),
    range(0x309, fixed),
    ...(isSubset(view) || version < 2 ? [] : [range(0x38e, 4)]),
  ];
}

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** At a switch to this vCPU: what the VMCS holds beside its control fields. */
function contextSwitchTo(vcpu: Vcpu): void {
  const past = passes(vcpu);
  if (past.length > 0) {
    const ranges = past.map(([first, last]) => `${hex(first)}-${hex(last)}`).join(' ');
    vcpu.note(`MSR bitmap: ${ranges} do not exit`, 'SDM volume 3, 25.6.9');
  }
  for (const { msr, name, guest, host } of switchList(vcpu)) {
    vcpu.note(
      `VM-entry MSR list: ${name} (${hex(msr)}) guest ${hex(guest)}, host ${hex(host)}`,
      'SDM volume 3, 25.7.2, 25.8.2',
    );
  }
}

function enforce(demand: Demand, view: View): Writes {
  const subset = view.policy === 'mediated' && isSubset(view);
  return [['PROCBASED_CTLS', controls(demand) | (subset ? PROCBASED.RDPMC_EXITING : 0n)]];
}

const monitorsOf = (cpu: CpuModel) => PERFMON[String(cpu.settings.perfmon)];

/** Silvermont is what the patch was for; Ice Lake's servers are the first whose records bear a second-stage violation. */
const PIN: readonly string[] = ['silvermont'];
const EPT: readonly string[] = ['icelake-server', 'sapphire-rapids'];

function unable(policy: PolicyName, cpu: CpuModel, { pebs, counters }: PersonalityOptions): string | undefined {
  const mine = monitorsOf(cpu);
  if (policy === 'mediated') {
    const intel = mine?.vendor === 'intel' && mine.version >= 4 && mine.fullWidth;
    if (!intel && !(mine?.vendor === 'amd' && mine.version >= 2)) {
      return 'mediates architectural perfmon version 4 with full-width counters, or PerfMonV2, and this CPU has neither';
    }
    if (pebs !== 'off') return 'does not mediate PEBS (option pebs)';
  }
  const generation = String(cpu.settings.perfmon);
  if (pebs === 'pin' && !PIN.includes(generation))
    return 'pins the debug store of a Silvermont alone (option pebs=pin)';
  if (pebs === 'ept' && !EPT.includes(generation)) {
    return 'has PEBS only where its records bear a second-stage violation, on Ice Lake servers and later (option pebs=ept)';
  }
  if (counters !== 'all' && Number(counters) > (mine?.general ?? 0)) {
    return `gives its guest ${counters} general counters, and this CPU has ${mine?.general ?? 0}`;
  }
  return undefined;
}

const ON_OFF = ['yes', 'no'] as const;

export const kvm: Personality = {
  name: 'kvm-x86',
  means:
    'KVM on x86-64: the monitors are emulated on the vCPU’s own registers; or, mediated, counters are direct and selectors intercepted.',
  policy: (_mode, vpmu) => (vpmu ? 'emulated' : 'off'),
  unable,
  policies: ['off', 'emulated', 'mediated'],
  options: {
    pebs: {
      means: 'PEBS for guests: none, the pinned debug store of 2014, or upstream’s of 2022.',
      values: ['off', 'pin', 'ept'],
      default: 'off',
      source: `${PATCH}; Linux 6.0, KVM: x86/pmu: Add basic support to enable guest PEBS via DS`,
    },
    pebs_allowed: {
      means: 'Has the guest’s CPUID the debug store? What the review of 2014 asked PEBS to follow.',
      values: ON_OFF,
      default: 'yes',
      source: `${PATCH}, review of part 4`,
    },
    counters: {
      means: 'General counters in the guest’s CPUID: a number, or all.',
      values: 'text',
      default: 'all',
      problem: (text) => (text === 'all' || /^[1-8]$/.test(text) ? undefined : 'is a number from 1 to 8, or all'),
      source: 'Linux arch/x86/kvm/vmx/pmu_intel.c, intel_pmu_refresh',
    },
  },
  quirks,
  settings: (mode, vpmu, { pebs = 'off', pebs_allowed: allowed, counters }) => ({
    vpmu,
    host: 'kvm',
    hypervisor: 'KVMKVMKVM',
    pebs,
    pebs_mode: mode,
    pebs_allowed: allowed !== 'no',
    ...(counters !== undefined && counters !== 'all' && { counters: Number(counters) }),
  }),
  handlers: () => ({ msr: handle, rdpmc: handle }),
  enforce: (_mode, demand, view) => enforce(demand, view),
  switching: () => ({ contextSwitchTo }),
  interrupt: (_mode, vpmu) => vpmu,
  createdBy: 'vmm',
};
