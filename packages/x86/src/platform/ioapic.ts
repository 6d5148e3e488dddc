/**
 * The I/O APIC at 0xFEC00000: 24 redirection entries that hold what is written. No device of this board has a wire to it, so nothing is ever sent.
 * Intel 82093AA data sheet (290566), chapter 3.
 */
import type { Device, Vcpu, View } from '@countervisor/contract';

type IoApic = { select: number; id: number; low: number[]; high: number[] };

const IOAPIC = 'ioapic';
const ENTRIES = 24;
const MASKED = 0x1_0000;

/** Delivery status and remote IRR are the device's own. */
const WRITABLE = 0x1_afff;

const state = (view: View): IoApic => view.device<IoApic>(IOAPIC);

function readRegister(io: IoApic): number | undefined {
  const n = io.select;
  if (n === 0 || n === 2) return (io.id << 24) >>> 0;
  if (n === 1) return ((ENTRIES - 1) << 16) | 0x11;
  const entry = (n - 16) >> 1;
  if (n < 16 || entry >= ENTRIES) return undefined;
  return (((n & 1) === 0 ? io.low : io.high)[entry] as number) >>> 0;
}

function writeRegister(io: IoApic, value: number): boolean {
  const n = io.select;
  const entry = (n - 16) >> 1;
  if (n === 0) io.id = (value >>> 24) & 15;
  else if (n >= 16 && entry < ENTRIES) {
    if ((n & 1) === 0) io.low[entry] = value & WRITABLE;
    else io.high[entry] = value & 0xff00_0000;
  } else if (n > 2) return false;
  return true;
}

/** A level interrupt ended: no wire is high, so nothing comes again. */
export function eoi(vcpu: Vcpu, vector: number): void {
  const io = state(vcpu);
  io.low = io.low.map((entry) => ((entry & 0xff) === vector ? entry & ~0x4000 : entry));
}

export function ioapic(base: bigint): Device {
  return {
    name: IOAPIC,
    per: 'domain',
    range: { base, size: 0x1000 },
    sizes: [4],
    state: (): IoApic => ({ select: 0, id: 0, low: Array(ENTRIES).fill(MASKED), high: Array(ENTRIES).fill(0) }),
    read(view, offset) {
      if (offset === 0) return state(view).select;
      return offset === 0x10 ? readRegister(state(view)) : undefined;
    },
    write(vcpu, offset, _size, value) {
      if (offset === 0) state(vcpu).select = Number(value) & 0xff;
      else if (offset === 0x10) return writeRegister(state(vcpu), Number(value));
      else return offset === 0x40;
      return true;
    },
  };
}
