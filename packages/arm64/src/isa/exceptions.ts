/**
 * Exceptions of a guest: entry to EL1, return from it, and the syndromes of those that core itself can need.
 * Arm DDI 0487: D1 (exception entry, return, vector offsets), ESR_EL1 and SPSR_EL1 in D19.2, pseudocode SetPSTATEFromPSR in J1.
 */
import { type AccessKind, CountervisorError, type Exception, type Vcpu, type View } from '@countervisor/contract';
import { packFlags, unpackFlags } from './flags.ts';

/** What entering the handler takes from the kind alone. */
interface Kind {
  /** Exception class, taken from EL0; absent for interrupts, which leave ESR_EL1 alone. */
  readonly ec?: number;
  /** The class when taken from EL1, where the manual has two. */
  readonly same?: number;
  /** ISS when the exception brings none. */
  readonly iss?: bigint;
  /** FAR_EL1 gets the address. */
  readonly far?: true;
  /** Offset among the four vectors of its group: synchronous 0, IRQ 0x80, FIQ 0x100, SError 0x180. */
  readonly vector?: number;
}

/** ISS of what an instruction's condition could have kept from trapping: CV = 1, COND = 0b1110, which an A64 instruction always reports. */
export const ALWAYS: number = 0x1e0_0000;

/** Every exception that a guest can take, by the name that rows, traps and devices use. Classes: ESR_EL1.EC. */
export const kinds: Readonly<Record<string, Kind>> = {
  undefined: { ec: 0x00 },
  'hvc-undefined': { ec: 0x00 },
  'wfi-trap': { ec: 0x01 },
  'fp-access': { ec: 0x07, iss: BigInt(ALWAYS) },
  'illegal-state': { ec: 0x0e },
  svc: { ec: 0x15 },
  hvc: { ec: 0x16 },
  smc: { ec: 0x17 },
  'sysreg-trap': { ec: 0x18 },
  'instruction-abort': { ec: 0x20, same: 0x21, far: true },
  'pc-alignment': { ec: 0x22, far: true },
  'data-abort': { ec: 0x24, same: 0x25, far: true },
  'sp-alignment': { ec: 0x26 },
  serror: { ec: 0x2f, vector: 0x180 },
  breakpoint: { ec: 0x30, same: 0x31, iss: 0x22n },
  step: { ec: 0x32, same: 0x33, iss: 0x22n },
  watchpoint: { ec: 0x34, same: 0x35, iss: 0x22n, far: true },
  brk: { ec: 0x3c },
  irq: { vector: 0x80 },
  fiq: { vector: 0x100 },
};

/** Fault status codes of ISS[5:0]; the level is added to the first five. */
export const FSC = {
  addressSize: 0x00,
  translation: 0x04,
  accessFlag: 0x08,
  permission: 0x0c,
  walk: 0x14,
  external: 0x10,
  alignment: 0x21,
} as const;

const WNR = 0x40;

/** An abort with this fault status code. WnR stands for writes alone; ISV is 0, as for every abort that EL1 takes. */
export function abort(kind: AccessKind, address: bigint, fsc: number): Exception {
  if (kind === 'fetch') return { kind: 'instruction-abort', syndrome: BigInt(fsc), address };
  return { kind: 'data-abort', syndrome: BigInt(kind === 'write' ? fsc | WNR : fsc), address };
}

/** PSTATE as SPSR_EL1 holds it. At EL0, M[3:0] is 0: there is no EL0h. */
export function savedState(view: Pick<View, 'get'>): bigint {
  const el = view.get('EL');
  return (
    packFlags(view) |
    (view.get('PAN') << 22n) |
    (view.get('SS') << 21n) |
    (view.get('IL') << 20n) |
    (view.get('DAIF') & 0x3c0n) |
    (el << 2n) |
    (el === 0n ? 0n : view.get('SPSEL'))
  );
}

/** Makes another stack pointer the one in use: SP holds it, and the row of its own holds it only while another one is. */
export function selectStack(vcpu: Vcpu, el: bigint, spsel: bigint): void {
  const from = vcpu.get('EL') === 0n || vcpu.get('SPSEL') === 0n ? 'SP_EL0' : 'SP_EL1';
  const to = el === 0n || spsel === 0n ? 'SP_EL0' : 'SP_EL1';
  if (from !== to) {
    vcpu.set(from, vcpu.get('SP'));
    vcpu.set('SP', vcpu.get(to));
  }
  if (vcpu.get('EL') !== el) vcpu.set('EL', el);
  if (vcpu.get('SPSEL') !== spsel) vcpu.set('SPSEL', spsel);
}

/** Where a branch to this address goes: TCR_EL1.TBI0 and TBI1 make bits 63:56 copies of bit 55. BranchAddr() of J1, of the EL1&0 regime. */
export function branchAddress(view: Pick<View, 'get'>, address: bigint): bigint {
  const ignored = (view.get('TCR_EL1') >> (37n + ((address >> 55n) & 1n))) & 1n;
  return ignored === 0n ? address : BigInt.asUintN(64, BigInt.asIntN(56, address));
}

/** Takes an exception to EL1. PC holds what ELR_EL1 must hold. */
export function take(vcpu: Vcpu, exception: Exception): void {
  const kind = kinds[exception.kind];
  if (kind === undefined) {
    throw new CountervisorError(
      'CV_UNKNOWN_EXCEPTION',
      `arm64 knows no exception '${exception.kind}'.`,
      'Add its exception class to `kinds` in packages/arm64/src/isa/exceptions.ts.',
    );
  }
  const el0 = vcpu.get('EL') === 0n;
  const group = el0 ? 0x400n : vcpu.get('SPSEL') === 0n ? 0n : 0x200n;
  vcpu.set('SPSR_EL1', savedState(vcpu));
  vcpu.set('ELR_EL1', vcpu.get('PC'));
  if (kind.ec !== undefined) {
    const ec = el0 ? kind.ec : (kind.same ?? kind.ec);
    const given = exception.syndrome ?? 0n;
    const iss = given === 0n ? (kind.iss ?? 0n) : given & 0x1ff_ffffn;
    // IL is 1: every A64 instruction has 32 bits, and the other cases are defined as 1.
    vcpu.set('ESR_EL1', (BigInt(ec) << 26n) | (1n << 25n) | iss);
  }
  if (kind.far === true) vcpu.set('FAR_EL1', exception.address ?? vcpu.get('PC'));
  selectStack(vcpu, 1n, 1n);
  vcpu.set('DAIF', 0x3c0n);
  vcpu.set('IL', 0n);
  vcpu.set('SS', 0n);
  const spanClear = ((vcpu.get('SCTLR_EL1') >> 23n) & 1n) === 0n;
  if (spanClear && vcpu.cpu.features.has('pan')) vcpu.set('PAN', 1n);
  vcpu.set('PC', branchAddress(vcpu, (vcpu.get('VBAR_EL1') & ~0x7ffn) + group + BigInt(kind.vector ?? 0)));
}

/** Can EL1 return to this state? Guests have EL0 and EL1, in AArch64 alone. */
function legalReturn(spsr: bigint): boolean {
  const mode = spsr & 0x1fn;
  return mode === 0n || mode === 4n || mode === 5n;
}

/** ERET: restores PSTATE from SPSR_EL1, opens the exclusive monitor, and returns the address to go on at. */
export function eret(vcpu: Vcpu): bigint {
  const spsr = vcpu.get('SPSR_EL1');
  const bit = (n: bigint): bigint => (spsr >> n) & 1n;
  if (legalReturn(spsr)) {
    vcpu.set('IL', bit(20n));
    selectStack(vcpu, (spsr >> 2n) & 3n, bit(0n));
  } else {
    vcpu.set('IL', 1n);
  }
  unpackFlags(vcpu, spsr);
  vcpu.set('DAIF', spsr & 0x3c0n);
  if (vcpu.cpu.features.has('pan')) vcpu.set('PAN', bit(22n));
  // DebugExceptionReturnSS: the bit returns only where software step is on.
  vcpu.set('SS', (vcpu.get('MDSCR_EL1') & 1n) === 1n ? bit(21n) : 0n);
  vcpu.set('EXCLUSIVE_SIZE', 0n);
  return branchAddress(vcpu, vcpu.get('ELR_EL1'));
}

/** 1 when CPACR_EL1.FPEN lets this level use SIMD and floating point, 0 when it traps. */
export function fpAccess(vcpu: Vcpu): bigint {
  const fpen = (vcpu.get('CPACR_EL1') >> 20n) & 3n;
  return fpen === 3n || (fpen === 1n && vcpu.get('EL') === 1n) ? 1n : 0n;
}

/** The exceptions that core itself can need. */
export const faults = {
  undefined(_view: View, _bits: bigint): Exception {
    return { kind: 'undefined' };
  },
  alignment(_view: View, address: bigint, kind: AccessKind): Exception {
    return abort(kind, address, FSC.alignment);
  },
  bus(_view: View, address: bigint, _physical: bigint, kind: AccessKind): Exception {
    return abort(kind, address, FSC.external);
  },
  fetchAlignment(view: View): Exception | undefined {
    const pc = view.get('PC');
    return (pc & 3n) === 0n ? undefined : { kind: 'pc-alignment', address: pc };
  },
} as const;
