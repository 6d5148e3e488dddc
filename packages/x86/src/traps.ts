/**
 * What stops an access or an instruction: groups (which control bit), causes (who handles it), handlers, and the number under which hardware reports each exit.
 * Intel SDM volume 3, 25.6 (VM-execution controls), 26.1 (instructions that exit), appendix C (exit reasons), 28.2.1 (qualification).
 */
import type { Access, Cause, Exception, Outcome, Trap, TrapGroup, Vcpu, View } from '@countervisor/contract';
import { isAmd } from './features.ts';
import { cr4Bits } from './registers/control.ts';
import { cpuid, hidden } from './registers/identity.ts';
import { intercepts } from './registers/intercept.ts';
import { MOST_GENERAL, perfmon } from './registers/perfmon.ts';
import type { Level } from './registers/row.ts';

type Group = TrapGroup<string, Level, string>;

const GUEST: readonly Level[] = ['user', 'supervisor'];
const USER: readonly Level[] = ['user'];

/** The primary processor-based VM-execution controls that are modelled: volume 3, table 25-6. */
export const PROCBASED = {
  HLT_EXITING: 0x80n,
  RDPMC_EXITING: 0x800n,
  RDTSC_EXITING: 0x1000n,
  CR3_LOAD_EXITING: 0x8000n,
  CR3_STORE_EXITING: 0x1_0000n,
  MOV_DR_EXITING: 0x80_0000n,
  USE_MSR_BITMAPS: 0x1000_0000n,
} as const;

/** CR4.LA57. */
const LA57 = 0x1000n;

/** The counter, or other numbered register, that an access is about: the last number in its name. */
function numberOf(access: Access): number {
  const digits = /(\d+)(?!.*\d)/.exec(access.register.replace('_AT_40', ''));
  return digits === null ? 0 : Number(digits[1]);
}

/** Is this a counter, or what selects for it, that the CPU's monitors do not have? */
export function noSuchCounter(view: View, access: Access): boolean {
  const { general, fixed } = perfmon(view);
  const n = numberOf(access);
  if (/^(IA32_)?FIXED_CTR\d+$/.test(access.register)) return n >= fixed;
  if (/^(IA32_(A_)?PMC|PMC|IA32_PERFEVTSEL|PERF_[A-Z_]*)\d+$/.test(access.register))
    return n >= Math.min(general, MOST_GENERAL);
  return false;
}

const control = (field: keyof typeof PROCBASED, on: Group['on'], cause: string, source: string): Group => ({
  when: { register: 'PROCBASED_CTLS', field, is: 1n },
  on,
  at: GUEST,
  cause,
  source,
});

export const trapGroups: Readonly<Record<string, Group>> = {
  MSR_BITMAP: {
    when: { intercept: 'per-register' },
    on: 'both',
    at: GUEST,
    cause: 'msr',
    source: 'MSR bitmaps, SDM volume 3, 25.6.9',
  },
  OWN_BITMAP: {
    when: intercepts,
    on: 'both',
    at: GUEST,
    cause: 'msr',
    source: 'the MSR bitmap as this hypervisor sets it now, SDM volume 3, 25.6.9',
  },
  NOT_SHOWN: {
    when: (view) => hidden(view, 'pdcm'),
    on: 'both',
    at: GUEST,
    cause: 'refused',
    source: 'CPUID shows no PDCM to this guest, SDM volume 3, 18.4.1',
  },
  RDPMC_EXITING: control('RDPMC_EXITING', 'read', 'rdpmc', 'RDPMC exiting, SDM volume 3, 25.6.2'),
  RDTSC_EXITING: control('RDTSC_EXITING', 'read', 'rdtsc', 'RDTSC exiting, SDM volume 3, 25.6.2'),
  CR3_LOAD_EXITING: control('CR3_LOAD_EXITING', 'write', 'cr', 'CR3-load exiting, SDM volume 3, 25.6.2'),
  CR3_STORE_EXITING: control('CR3_STORE_EXITING', 'read', 'cr', 'CR3-store exiting, SDM volume 3, 25.6.2'),
  MOV_DR_EXITING: control('MOV_DR_EXITING', 'both', 'dr', 'MOV-DR exiting, SDM volume 3, 25.6.2'),

  RDPMC_PCE: {
    when: { register: 'CR4', field: 'PCE', is: 0n },
    on: 'read',
    at: USER,
    cause: 'refused',
    source: 'CR4.PCE is 0, SDM volume 2, RDPMC',
  },
  NO_SUCH_COUNTER: {
    when: noSuchCounter,
    on: 'both',
    at: GUEST,
    cause: 'refused',
    source: 'this counter is not there (CPUID.0AH), SDM volume 3, 20.2',
  },
  BREAKPOINT: {
    when: (_view, access) => ((access.write ?? 0n) & 0x20ffn) !== 0n,
    on: 'write',
    at: GUEST,
    cause: 'unmodelled',
    source: 'instruction and data breakpoints, and general detect, are not modelled',
  },
  BTF: {
    when: (_view, access) => ((access.write ?? 0n) & 2n) !== 0n,
    on: 'write',
    at: GUEST,
    cause: 'unmodelled',
    source: 'single step on branches is not modelled',
  },
  LA57: {
    // With bits that this CPU does not have either, the write is #GP as ever.
    when: (view, access) =>
      view.cpu.identity.LA57 === 1n &&
      ((access.write ?? 0n) & LA57) !== 0n &&
      ((access.write ?? 0n) & ~(cr4Bits(view) | LA57)) === 0n,
    on: 'write',
    at: GUEST,
    cause: 'unmodelled',
    source: 'five-level paging is not modelled',
  },
  APIC_MOVE: {
    // With bits that are reserved, the write is #GP as ever.
    when: (_view, access) =>
      ((access.write ?? 0n) & 0xf_ffff_ffff_f000n) !== 0xfee0_0000n &&
      ((access.write ?? 0n) & 0xfff0_0000_0000_06ffn) === 0n,
    on: 'write',
    at: GUEST,
    cause: 'unmodelled',
    source: 'a local APIC at another address is not modelled',
  },
};

export const GENERAL_PROTECTION: Exception = { kind: '#GP', syndrome: 0n };

/** A refused access, as the guest sees it. */
export function refusedHere(why: string): Outcome {
  return { then: 'inject', exception: GENERAL_PROTECTION, why };
}

/** What a hypervisor without a personality does with an MSR that its bitmap stops: the guest's own registers hold the answer, and without a PMU there is none. */
export function msrHandler(vcpu: Vcpu, trap: Trap): Outcome {
  if (vcpu.policy === 'off') return refusedHere('the guest has no PMU');
  if (trap.access !== undefined && noSuchCounter(vcpu, trap.access))
    return refusedHere('the guest has no such counter');
  return { then: 'complete' };
}

function cpuidHandler(vcpu: Vcpu): Outcome {
  const leaf = Number(vcpu.get('RAX') & 0xffff_ffffn);
  const subleaf = Number(vcpu.get('RCX') & 0xffff_ffffn);
  const { EAX, EBX, ECX, EDX } = cpuid(vcpu, leaf, subleaf);
  vcpu.set('RAX', EAX);
  vcpu.set('RBX', EBX);
  vcpu.set('RCX', ECX);
  vcpu.set('RDX', EDX);
  return { then: 'complete', why: `leaf 0x${leaf.toString(16)}` };
}

function unmodelled(vcpu: Vcpu, trap: Trap): Outcome {
  const what = trap.group === undefined ? trap.cause : (trapGroups[trap.group]?.source ?? trap.group);
  const to = trap.access === undefined ? '' : ` to ${trap.access.register}`;
  return {
    then: 'unmodelled',
    code: 'CV_UNMODELLED_REGISTER',
    message: `the write of 0x${(trap.access?.write ?? 0n).toString(16)}${to} at pc 0x${trap.pc.toString(16)} (CPL ${vcpu.get('CPL')}) asks for what the model does not do: ${what}.`,
    remedy: 'Run the guest without it; `countervisor list cpus` prints what each model leaves out.',
  };
}

const complete = (): Outcome => ({ then: 'complete' });

export const causes: Readonly<Record<string, Cause>> = {
  cpuid: { to: 'hypervisor', handler: cpuidHandler, means: 'CPUID, which always exits.' },
  wait: { to: 'hypervisor', handler: 'wait', means: 'HLT.' },
  hypercall: { to: 'hypervisor', handler: 'hypercall', means: 'VMCALL or VMMCALL.' },
  msr: {
    to: 'hypervisor',
    handler: msrHandler,
    means: 'RDMSR or WRMSR of a register whose bit is set in the MSR bitmap.',
  },
  rdpmc: { to: 'hypervisor', handler: msrHandler, means: 'RDPMC, under RDPMC exiting.' },
  rdtsc: { to: 'hypervisor', handler: complete, means: 'RDTSC or RDTSCP, under RDTSC exiting.' },
  cr: { to: 'hypervisor', handler: complete, means: 'MOV to or from a control register that exits.' },
  dr: { to: 'hypervisor', handler: complete, means: 'MOV to or from a debug register, under MOV-DR exiting.' },
  refused: {
    to: 'guest',
    handler: () => ({ then: 'inject', exception: GENERAL_PROTECTION }),
    means: 'A register that this level, or this CPU, does not have.',
  },
  unmodelled: { to: 'hypervisor', handler: unmodelled, means: 'What the model does not do, and does not pretend to.' },
};

/** How hardware names an exit: VMX basic exit reason, SVM exit code. Volume 3, appendix C; AMD APM volume 2, appendix C. */
interface ExitNumbers {
  readonly vmx: number | readonly [read: number, write: number];
  readonly svm: number;
}

export const EXITS: Readonly<Record<string, ExitNumbers>> = {
  cpuid: { vmx: 10, svm: 0x72 },
  wait: { vmx: 12, svm: 0x78 },
  hypercall: { vmx: 18, svm: 0x81 },
  msr: { vmx: [31, 32], svm: 0x7c },
  rdpmc: { vmx: 15, svm: 0x6f },
  rdtsc: { vmx: 16, svm: 0x6e },
  cr: { vmx: 28, svm: 0x00 },
  dr: { vmx: 29, svm: 0x20 },
};

export interface VmExit {
  readonly reason: number;
  readonly qualification: bigint;
}

/** The exit that this trap is: reason and qualification under VMX; exit code and EXITINFO1 under SVM. `undefined`: the hardware has none of its own. */
export function vmExit(view: Pick<View, 'cpu'>, trap: Pick<Trap, 'cause' | 'access' | 'bits'>): VmExit | undefined {
  const numbers = EXITS[trap.cause];
  if (numbers === undefined) return undefined;
  const write = trap.access?.write !== undefined;
  const index = trap.access?.address.index ?? 0;
  if (isAmd(view)) {
    // Read and write intercepts of CR0 to CR15 and DR0 to DR15 have numbers of their own; EXITINFO1 of MSRs is 1 for a write.
    const numbered = trap.cause === 'cr' || trap.cause === 'dr';
    return {
      reason: numbers.svm + (numbered ? index + (write ? 16 : 0) : 0),
      qualification: trap.cause === 'msr' && write ? 1n : 0n,
    };
  }
  const reason = typeof numbers.vmx === 'number' ? numbers.vmx : numbers.vmx[write ? 1 : 0];
  if (trap.cause !== 'cr' && trap.cause !== 'dr') return { reason, qualification: 0n };
  // Volume 3, tables 28-3 and 28-4: number of the register 3:0, direction 4 (5:4 for control registers), general register 11:8.
  return { reason, qualification: BigInt(index) | (write ? 0n : 16n) };
}

/** In words, for the trace. */
export function exitWords(view: Pick<View, 'cpu'>, trap: Trap): string | undefined {
  const found = vmExit(view, trap);
  if (found === undefined) return undefined;
  const { reason, qualification } = found;
  return isAmd(view)
    ? `#VMEXIT 0x${reason.toString(16)}, EXITINFO1 0x${qualification.toString(16)}`
    : `VM exit ${reason}, qualification 0x${qualification.toString(16)}`;
}
