/** The local APIC's page of registers, and what its interrupt command register sends. Intel SDM volume 3, table 10-1 and 10.6. */
import { CountervisorError, type Device, type Vcpu, type View } from '@countervisor/contract';
import { eoi } from './ioapic.ts';
import {
  clearBit,
  ERROR,
  fail,
  hasBit,
  highest,
  isEnabled,
  isOn,
  LAPIC,
  type Lapic,
  LVT,
  lapicOf,
  MASKED,
  MODE,
  modeOf,
  newLapic,
  priority,
  raiseNmi,
  request,
} from './lapic.ts';
import { currentCount, setInitial, setTimerEntry } from './timer.ts';

/** Version 0x14, six entries, no EOI suppression. */
const VERSION = 0x0005_0014;

/** Entries by offset, and their writable bits. */
const ENTRIES: Readonly<Record<number, readonly [entry: number, bits: number]>> = {
  800: [LVT.timer, 0x7_00ff],
  816: [LVT.thermal, 0x1_07ff],
  832: [LVT.performance, 0x1_07ff],
  848: [LVT.lint0, 0x1_a7ff],
  864: [LVT.lint1, 0x1_a7ff],
  880: [LVT.error, 0x1_00ff],
};

const ID = 0x20;
const TPR = 0x80;
const PPR = 0xa0;
const EOI = 0xb0;
const LDR = 0xd0;
const DFR = 0xe0;
const SVR = 0xf0;
const ISR = 0x100;
const TMR = 0x180;
const IRR = 0x200;
const ESR = 0x280;
const ICR = 0x300;
const ICR_HIGH = 0x310;
const INITIAL = 0x380;
const CURRENT = 0x390;
const DIVIDE = 0x3e0;

/** A word of one of the three files of 256 bits, which stand 16 bytes apart. */
function file(apic: Lapic, offset: number): number | undefined {
  if (offset < ISR || offset >= ESR) return undefined;
  const words = offset < TMR ? apic.isr : offset < IRR ? apic.tmr : apic.irr;
  return (words[(offset & 0x7f) >> 4] as number) >>> 0;
}

function read(view: View, offset: number): number | undefined {
  if (!isOn(view)) return undefined;
  const apic = lapicOf(view);
  const entry = ENTRIES[offset];
  if (entry !== undefined) return (apic.lvt[entry[0]] as number) >>> 0;
  switch (offset) {
    case ID:
      return (view.index << 24) >>> 0;
    case 0x30:
      return VERSION;
    case TPR:
      return apic.tpr;
    case 0x90:
    case PPR:
      return priority(apic);
    case EOI:
    case 0xc0:
      return 0;
    case LDR:
      return apic.ldr >>> 0;
    case DFR:
      return apic.dfr >>> 0;
    case SVR:
      return apic.svr;
    case ESR:
      return apic.esr;
    case ICR:
      return (apic.icr[0] as number) >>> 0;
    case ICR_HIGH:
      return (apic.icr[1] as number) >>> 0;
    case INITIAL:
      return apic.initial >>> 0;
    case CURRENT:
      return currentCount(view) >>> 0;
    case DIVIDE:
      return apic.divide;
    default:
      return file(apic, offset);
  }
}

/** Does a logical destination name this vCPU? 10.6.2.2. */
function isMember(apic: Lapic, destination: number): boolean {
  const logical = apic.ldr >>> 24;
  if (apic.dfr >>> 28 === 0xf) return (logical & destination) !== 0;
  return logical >> 4 === destination >> 4 && (logical & destination & 15) !== 0;
}

/** vCPUs that a destination names: 10.6.2. */
export function destinations(vcpu: Vcpu, destination: number, isLogical: boolean): readonly Vcpu[] {
  const found: Vcpu[] = [];
  for (let n = 0; n < vcpu.siblings; n++) {
    const other = vcpu.domain.vcpu(n);
    const named = isLogical ? isMember(lapicOf(other), destination) : destination === 0xff || destination === n;
    if (named) found.push(other);
  }
  return found;
}

function targets(vcpu: Vcpu, command: number, high: number): readonly Vcpu[] {
  const all = (): readonly Vcpu[] => Array.from({ length: vcpu.siblings }, (_, n) => vcpu.domain.vcpu(n));
  switch ((command >> 18) & 3) {
    case 1:
      return [vcpu];
    case 2:
      return all();
    case 3:
      return all().filter((other) => other.index !== vcpu.index);
    default:
      return destinations(vcpu, high >>> 24, ((command >> 11) & 1) === 1);
  }
}

/** INIT: the vCPU goes off and waits for a start-up message. The one that boots the domain cannot be sent there. */
function init(sender: Vcpu, target: Vcpu): void {
  if (target.index === 0) {
    throw new CountervisorError(
      'CV_UNMODELLED_INIT',
      `vCPU ${sender.index} sends INIT to vCPU 0, which boots the domain.`,
      'Send INIT to application processors alone.',
    );
  }
  if (sender.domain.isOn(target.index)) target.domain.stop();
  Object.assign(lapicOf(target), newLapic(1));
}

/** A start-up message: the vCPU begins in real mode at a page below 1 MiB. Without INIT before, it is ignored. */
function startup(sender: Vcpu, target: Vcpu, vector: number): void {
  const apic = lapicOf(target);
  if (apic.sipi === 0) return;
  apic.sipi = 0;
  sender.domain.start(target.index, BigInt(vector) << 12n, BigInt(vector));
}

function send(vcpu: Vcpu, command: number, high: number): void {
  const vector = command & 0xff;
  const mode = modeOf(command);
  const deassert = mode === MODE.init && (command & 0xc000) === 0x8000;
  if ((mode === MODE.fixed || mode === MODE.lowest) && vector < 16) {
    fail(vcpu, ERROR.sendIllegal);
    return;
  }
  for (const target of targets(vcpu, command, high)) {
    switch (mode) {
      case MODE.fixed:
        request(target, vector, false);
        break;
      case MODE.lowest:
        request(target, vector, false);
        return;
      case MODE.nmi:
        raiseNmi(target);
        break;
      case MODE.init:
        if (!deassert) init(vcpu, target);
        break;
      case MODE.startup:
        startup(vcpu, target, vector);
        break;
      default:
        fail(vcpu, ERROR.sendIllegal);
        return;
    }
  }
}

function endOfInterrupt(vcpu: Vcpu): void {
  const apic = lapicOf(vcpu);
  const vector = highest(apic.isr);
  if (vector < 0) return;
  clearBit(apic.isr, vector);
  if (hasBit(apic.tmr, vector)) eoi(vcpu, vector);
}

/** A write to an entry of the local vector table: while the APIC is disabled by software, masks stay set (10.4.7.2). */
function setEntry(vcpu: Vcpu, entry: number, value: number): void {
  const kept = isEnabled(vcpu) ? value : value | MASKED;
  if (entry === LVT.timer) setTimerEntry(vcpu, kept);
  else lapicOf(vcpu).lvt[entry] = kept;
}

function write(vcpu: Vcpu, offset: number, _size: number, written: number | bigint): boolean {
  if (!isOn(vcpu)) return false;
  const apic = lapicOf(vcpu);
  const value = Number(written);
  const entry = ENTRIES[offset];
  if (entry !== undefined) {
    setEntry(vcpu, entry[0], value & entry[1]);
  } else {
    switch (offset) {
      case TPR:
        apic.tpr = value & 0xff;
        break;
      case EOI:
        endOfInterrupt(vcpu);
        break;
      case LDR:
        apic.ldr = value & 0xff00_0000;
        break;
      case DFR:
        apic.dfr = value | 0x0fff_ffff;
        break;
      case SVR:
        apic.svr = value & 0x3ff;
        if ((value & 0x100) === 0) apic.lvt = apic.lvt.map((one) => one | MASKED);
        break;
      case ESR:
        apic.esr = apic.errors;
        apic.errors = 0;
        break;
      case ICR:
        // The message is delivered at once: bit 12 never shows.
        apic.icr[0] = value & 0x000c_cfff;
        send(vcpu, value, apic.icr[1] as number);
        break;
      case ICR_HIGH:
        apic.icr[1] = value & 0xff00_0000;
        break;
      case INITIAL:
        setInitial(vcpu, value);
        break;
      case DIVIDE:
        apic.divide = value & 11;
        break;
      // Read-only: written without effect, as the ID is in the field's suites.
      case ID:
      case 0x30:
      case 0x90:
      case PPR:
      case CURRENT:
        break;
      default:
        return false;
    }
  }
  vcpu.changed('interrupts');
  return true;
}

export function lapic(base: bigint): Device {
  return {
    name: LAPIC,
    per: 'vcpu',
    range: { base, size: 0x1000 },
    sizes: [4],
    state: (view) => newLapic(view.index === 0 ? 0 : 1),
    read,
    write,
  };
}
