/**
 * KVM on arm64: an emulated PMU. Every access traps and is performed on registers of the vCPU; its counters run only while it does. And the partitioned one,
 * as proposed since 2025: the policy mediated.
 *
 * Facts from Linux: arch/arm64/kvm/sys_regs.c (handlers and their PMUSERENR_EL0 checks), arch/arm64/kvm/pmu-emul.c (overflow), arch/arm64/kvm/debug.c
 * (MDCR_EL2), arch/arm64/kvm/hyp/include/hyp/switch.h (PMUSERENR_EL0 at entry). compat keeps what differs from the architecture. The partitioned PMU after
 * the series "ARM64 PMU Partitioning" of Colton Lewis on the list kvmarm, June 2025 to June 2026 (arch/arm64/kvm/pmu-direct.c, config.c).
 */
import type { Demand, Mode, Outcome, Personality, Trap, TrapHandler, Vcpu, View, Writes } from '@countervisor/contract';
import { implemented } from '../counters.ts';
import { fineGrained, monitorDebug, trapsPmu } from '../policy.ts';
import { MDCR } from '../registers/monitor.ts';
import { pmu } from '../registers/pmu.ts';
import { sysregHandler, sysregSyndrome, USER_BITS, undefinedHere, userDenied } from '../traps.ts';

/** Debug registers that read as 0 and ignore writes (trap_raz_wi). The others are the vCPU's own. */
export const RAZ_WI: ReadonlySet<string> = new Set([
  'DBGPRCR_EL1',
  'DBGCLAIMSET_EL1',
  'DBGCLAIMCLR_EL1',
  'DBGDTR_EL0',
  'DBGDTRTX_EL0',
  'MDCCINT_EL1',
  'MDCCSR_EL0',
  'MDRAR_EL1',
  'OSDLR_EL1',
  'OSDTRRX_EL1',
  'OSDTRTX_EL1',
  'OSECCR_EL1',
]);

/** RW, TID3 and TACR: the bits of HCR_GUEST_FLAGS and its additions that act here. */
const HCR = 0x8024_0000n;
/** ARMV8_PMU_USERENR_MASK: what KVM writes at entry, so that EL0 accesses reach EL2. */
const USER_OPEN = 0xfn;

/** Does the guest's own PMUSERENR_EL0 keep this EL0 access out? */
function deniedToUser(vcpu: Vcpu, trap: Trap): boolean {
  const { access } = trap;
  if (vcpu.level !== 0 || access === undefined) return false;
  const group = pmu[access.register]?.traps?.find((name) => Object.hasOwn(USER_BITS, name));
  const bits = group === undefined ? undefined : USER_BITS[group];
  return bits !== undefined && userDenied(vcpu, bits[0], bits[1], access.write !== undefined);
}

const handler =
  (mode: Mode): TrapHandler =>
  (vcpu, trap): Outcome => {
    const name = trap.access?.register ?? '';
    if (RAZ_WI.has(name)) return { then: 'complete', value: 0n, why: 'KVM trap_raz_wi' };
    if (vcpu.policy !== 'off' && deniedToUser(vcpu, trap)) {
      if (mode === 'compat') return undefinedHere('KVM check_pmu_access_disabled injects an undefined instruction');
      return {
        then: 'inject',
        exception: { kind: 'sysreg-trap', syndrome: sysregSyndrome(trap.bits) },
        why: 'the guest’s own PMUSERENR_EL0',
      };
    }
    return sysregHandler(vcpu, trap);
  };

const DEBUG = MDCR.TDRA | MDCR.TDOSA | MDCR.TDA;

function enforce(_mode: Mode, demand: Demand, view: View): Writes {
  const fine = fineGrained(demand, view);
  // PMUSERENR_EL0 is the guest's own, and has come back with its counters.
  if (view.policy === 'mediated') {
    return [['HCR_EL2', HCR], ['MDCR_EL2', monitorDebug(demand, view) | DEBUG], ...fine];
  }
  const traps = trapsPmu(demand) ? MDCR.TPM | MDCR.TPMCR : 0n;
  return [
    ['HCR_EL2', HCR],
    ['PMUSERENR_EL0', USER_OPEN],
    ['MDCR_EL2', BigInt(implemented(view)) | traps | DEBUG],
    ...fine,
  ];
}

export const kvm: Personality = {
  name: 'kvm-arm64',
  means:
    'KVM on arm64: the Performance Monitors are emulated on the vCPU’s own registers; or, mediated, partitioned between guest and host.',
  policy: (_mode, vpmu) => (vpmu ? 'emulated' : 'off'),
  policies: ['off', 'emulated', 'mediated'],
  quirks: [
    {
      name: 'user-access-undefined',
      means:
        'An EL0 access that the guest’s PMUSERENR_EL0 forbids gets an undefined instruction instead of a trap to EL1 with EC 0x18.',
      source: 'Linux arch/arm64/kvm/sys_regs.c, check_pmu_access_disabled',
    },
    {
      name: 'overflow-needs-enable',
      means: 'The overflow interrupt is asserted only while the counter is enabled in PMCNTENSET_EL0 as well.',
      source: 'Linux arch/arm64/kvm/pmu-emul.c, kvm_pmu_overflow_status, before its correction',
    },
  ],
  settings: (mode, vpmu) => ({
    vpmu,
    pmuver: vpmu ? 'host' : 'hidden',
    el0: 'open',
    overflowNeedsEnable: mode === 'compat',
  }),
  handlers: (mode) => ({ sysreg: handler(mode) }),
  enforce,
  interrupt: (_mode, vpmu) => vpmu,
  createdBy: 'vmm',
};
