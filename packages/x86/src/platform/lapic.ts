/**
 * The local APIC of each vCPU, in xAPIC mode: which interrupts are requested, in service, and accepted now. Intel SDM volume 3, chapter 10: 10.4 (state and
 * reset), 10.5 (local vector table), 10.6 (inter-processor interrupts), 10.8 (priorities, EOI). Registers are in apicregs.ts, the timer in timer.ts.
 */
import type { Exception, Vcpu, View } from '@countervisor/contract';
import { isAmd } from '../features.ts';
import { NO_SHADOW } from '../registers/control.ts';

export const LAPIC = 'lapic';

/** Local vector table entries, in the order of their registers from 0x2F0 (CMCI) on; the rest from 0x320. */
export const LVT = { timer: 0, thermal: 1, performance: 2, lint0: 3, lint1: 4, error: 5 } as const;
export type LvtName = keyof typeof LVT;

// A type, not an interface: only a type fits the plain record that snapshots hold.
export type Lapic = {
  tpr: number;
  /** Spurious vector register: bit 8 is the software enable. */
  svr: number;
  lvt: number[];
  /** Eight words of 32 vectors each: requested, in service, level-triggered. */
  irr: number[];
  isr: number[];
  tmr: number[];
  icr: number[];
  ldr: number;
  dfr: number;
  esr: number;
  /** Errors since ESR was last written. */
  errors: number;
  initial: number;
  divide: number;
  /** Cycles at which the count began; -1: it does not run. */
  started: number;
  /** IA32_TSC_DEADLINE as cycles on the domain's clock and 1 more; 0: none. */
  deadline: bigint;
  /** The TSC value as it was written. */
  ticks: bigint;
  /** An NMI waits. */
  nmi: number;
  /** Waits for a start-up message. */
  sipi: number;
};

export const MASKED = 0x1_0000;
const ENABLED = 0x100;
const LEVEL = 1 << 15;

/** Delivery modes: bits 10:8 of LVT and ICR. */
export const MODE = { fixed: 0, lowest: 1, smi: 2, nmi: 4, init: 5, startup: 6, extint: 7 } as const;

export const modeOf = (entry: number): number => (entry >> 8) & 7;

/** State after power-on and INIT: 10.4.7.1. */
export function newLapic(sipi: number): Lapic {
  return {
    tpr: 0,
    svr: 0xff,
    lvt: [MASKED, MASKED, MASKED, MASKED, MASKED, MASKED],
    irr: [0, 0, 0, 0, 0, 0, 0, 0],
    isr: [0, 0, 0, 0, 0, 0, 0, 0],
    tmr: [0, 0, 0, 0, 0, 0, 0, 0],
    icr: [0, 0],
    ldr: 0,
    dfr: 0xffff_ffff,
    esr: 0,
    errors: 0,
    initial: 0,
    divide: 0,
    started: -1,
    deadline: 0n,
    ticks: 0n,
    nmi: 0,
    sipi,
  };
}

export const lapicOf = (view: View): Lapic => view.device<Lapic>(LAPIC);

/** The highest vector of a file of 256 bits, -1 for none. */
export function highest(words: readonly number[]): number {
  for (let n = 7; n >= 0; n--) {
    const word = words[n] as number;
    if (word !== 0) return n * 32 + 31 - Math.clz32(word);
  }
  return -1;
}

export const setBit = (words: number[], vector: number): void => {
  words[vector >> 5] = (words[vector >> 5] as number) | (1 << (vector & 31));
};
export const clearBit = (words: number[], vector: number): void => {
  words[vector >> 5] = (words[vector >> 5] as number) & ~(1 << (vector & 31));
};
export const hasBit = (words: readonly number[], vector: number): boolean =>
  (((words[vector >> 5] as number) >>> (vector & 31)) & 1) === 1;

/** PPR: the class in service, or the task's, whichever is higher. 10.8.3.1. */
export function priority(apic: Lapic): number {
  const service = highest(apic.isr);
  const inService = service < 0 ? 0 : service & 0xf0;
  return (apic.tpr & 0xf0) >= inService ? apic.tpr : inService;
}

export const isOn = (view: View): boolean => view.field('APIC_BASE', 'ENABLE') === 1n;
export const isEnabled = (view: View): boolean => isOn(view) && (lapicOf(view).svr & ENABLED) !== 0;

/** Errors of 10.5.3 that are modelled. */
export const ERROR = { sendIllegal: 0x20, receivedIllegal: 0x40, register: 0x80 } as const;

/** Notes an error; the error entry of the local vector table tells of it. */
export function fail(vcpu: Vcpu, error: number): void {
  const apic = lapicOf(vcpu);
  apic.errors |= error;
  const entry = apic.lvt[LVT.error] as number;
  if ((entry & MASKED) === 0 && (entry & 0xff) > 15) request(vcpu, entry & 0xff, false);
}

/** Requests a vector of this vCPU. Vectors below 16 are illegal (10.5.2). */
export function request(vcpu: Vcpu, vector: number, level: boolean): void {
  if (!isEnabled(vcpu)) return;
  const apic = lapicOf(vcpu);
  if (vector < 16) {
    fail(vcpu, ERROR.receivedIllegal);
    return;
  }
  setBit(apic.irr, vector);
  if (level) setBit(apic.tmr, vector);
  else clearBit(apic.tmr, vector);
  vcpu.changed('interrupts');
}

export function raiseNmi(vcpu: Vcpu): void {
  lapicOf(vcpu).nmi = 1;
  vcpu.changed('interrupts');
}

/** An edge at an entry of the local vector table. False: it is masked, or the APIC is off. */
export function local(vcpu: Vcpu, name: LvtName): boolean {
  const apic = lapicOf(vcpu);
  const entry = apic.lvt[LVT[name]] as number;
  if ((entry & MASKED) !== 0 || !isEnabled(vcpu)) return false;
  switch (modeOf(entry)) {
    case MODE.fixed:
      request(vcpu, entry & 0xff, (entry & LEVEL) !== 0 && name.startsWith('lint'));
      return true;
    case MODE.nmi:
      raiseNmi(vcpu);
      return true;
    default:
      // SMI, INIT and ExtINT: nothing on this board sends them.
      return true;
  }
}

/**
 * The PMU's interrupt, as an edge: LVTPC takes it if it is not masked, and on Intel's CPUs masks itself (10.5.1); AMD's leave the bit alone. What sends it calls
 * this, or lets the line of the source 'pmu' rise, which `latch` notices.
 */
export function performanceInterrupt(vcpu: Vcpu): void {
  if (!local(vcpu, 'performance') || isAmd(vcpu)) return;
  const { lvt } = lapicOf(vcpu);
  lvt[LVT.performance] = (lvt[LVT.performance] as number) | MASKED;
}

/** The vector that the CPU would take now, were its interrupts enabled; -1 for none. */
export function pending(view: View): number {
  if (!isOn(view)) return -1;
  const apic = lapicOf(view);
  const vector = highest(apic.irr);
  return vector >= 0 && vector >> 4 > priority(apic) >> 4 ? vector : -1;
}

/** The CPU takes a vector: from requested to in service. */
export function acknowledge(vcpu: Vcpu, vector: number): void {
  const apic = lapicOf(vcpu);
  clearBit(apic.irr, vector);
  setBit(apic.isr, vector);
}

export function acknowledgeNmi(vcpu: Vcpu): void {
  lapicOf(vcpu).nmi = 0;
}

const IF = 0x200n;

const inShadow = (view: View): boolean => {
  const shadow = view.get('SHADOW');
  return shadow !== NO_SHADOW && shadow === view.get('RIP');
};

/** Single step has come due: TF was set before the instruction that has just ended. */
const stepped = (view: View): boolean => {
  const since = view.get('STEP_SINCE');
  return since !== 0n && view.now >= since;
};

/** What this vCPU takes at this boundary. Volume 3, table 6-2: debug traps, NMI, interrupts. */
export function interrupt(view: View): Exception | undefined {
  if (stepped(view)) return { kind: '#DB', syndrome: 0x4000n };
  if (inShadow(view)) return undefined;
  if (lapicOf(view).nmi !== 0 && view.get('NMI_BLOCKED') === 0n) return { kind: 'NMI' };
  if ((view.get('SYSTEM_FLAGS') & IF) === 0n) return undefined;
  const vector = pending(view);
  return vector < 0 ? undefined : { kind: 'INTR', syndrome: BigInt(vector) };
}

/** HLT ends with an interrupt that would be taken, or an NMI. */
export function wakes(view: View): boolean {
  if (lapicOf(view).nmi !== 0 && view.get('NMI_BLOCKED') === 0n) return true;
  return (view.get('SYSTEM_FLAGS') & IF) !== 0n && pending(view) >= 0;
}

/** Notes when something that lasts for one instruction was first seen: from then on `boundary` is a deadline. */
function note(vcpu: Vcpu, since: 'SHADOW_SINCE' | 'STEP_SINCE'): void {
  vcpu.set(since, vcpu.now + 1n);
  vcpu.changed('interrupts');
}

/** Shadows and single steps last for one instruction: the first look at one notes when, the next one ends it. */
export function latchBoundary(vcpu: Vcpu): void {
  const shadow = vcpu.get('SHADOW');
  if (shadow !== NO_SHADOW) {
    const since = vcpu.get('SHADOW_SINCE');
    if (shadow !== vcpu.get('RIP') || (since !== 0n && vcpu.now >= since)) {
      vcpu.set('SHADOW', NO_SHADOW);
      vcpu.set('SHADOW_SINCE', 0n);
    } else if (since === 0n) note(vcpu, 'SHADOW_SINCE');
  }
  const stepping = (vcpu.get('SYSTEM_FLAGS') & 0x100n) !== 0n;
  if (stepping && vcpu.get('STEP_SINCE') === 0n) note(vcpu, 'STEP_SINCE');
}

/** Cycles at which `latchBoundary` has to look again; `undefined`: nothing lasts. */
export function boundary(view: View): bigint | undefined {
  const step = view.get('STEP_SINCE');
  const shadow = view.get('SHADOW') === NO_SHADOW ? 0n : view.get('SHADOW_SINCE');
  if (step === 0n) return shadow === 0n ? undefined : shadow;
  return shadow === 0n || step < shadow ? step : shadow;
}
