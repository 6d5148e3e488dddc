/**
 * The time base and the decrementer as functions of the domain's clock. Power ISA 3.0B, book II, 6.1; book III, 7.3 (decrementer) and 6.5.12
 * (its interrupt).
 */
import type { Vcpu, View } from '@countervisor/contract';

/** 512 MHz, as every POWER processor and QEMU's pseries have it. The domain's clock runs at 1 GHz: 64 ticks are 125 cycles. */
export const FREQUENCY = 512_000_000;
const TICKS = 64n;
const CYCLES = 125n;

const M64 = (1n << 64n) - 1n;

export function timeBase(view: Pick<View, 'now'>): bigint {
  return (view.now * TICKS) / CYCLES;
}

/** First cycle of the domain's clock at which the time base has this value. */
export function cycleOf(tick: bigint): bigint {
  return (tick * CYCLES + TICKS - 1n) / TICKS;
}

/** LPCR[LD]: the decrementer has all its bits, else 32. */
const LD = 1n << 17n;

type Timed = Pick<View, 'get' | 'now' | 'cpu'>;

function bits(view: Pick<View, 'get' | 'cpu'>): bigint {
  return (view.get('LPCR') & LD) === 0n ? 32n : BigInt(Number(view.cpu.settings.decrementer ?? 32));
}

/** What is left, modulo the decrementer's width. */
function remaining(view: Timed): bigint {
  return BigInt.asUintN(Number(bits(view)), view.get('DEC_ZERO') - timeBase(view));
}

/** DEC as mfspr reads it: 32 bits zero-extended, or the large one sign-extended. */
export function decrementer(view: Timed): bigint {
  const width = bits(view);
  const left = remaining(view);
  return width === 32n ? left : BigInt.asUintN(64, BigInt.asIntN(Number(width), left));
}

const isNegative = (view: Timed): boolean => remaining(view) >> (bits(view) - 1n) === 1n;

const onEdge = (view: Pick<View, 'cpu'>): boolean => view.cpu.settings['decrementer-exception'] === 'edge';

/** mtspr DEC. On an edge-triggered CPU a write that makes it negative is an edge, too. */
export function setDecrementer(vcpu: Vcpu, value: bigint): void {
  const before = isNegative(vcpu);
  const width = Number(bits(vcpu));
  vcpu.set('DEC_ZERO', (timeBase(vcpu) + BigInt.asUintN(width, value)) & M64);
  if (!onEdge(vcpu)) return;
  const now = isNegative(vcpu);
  if (now && !before) vcpu.set('DEC_PENDING', 1n);
  vcpu.set('DEC_ARMED', now ? 0n : 1n);
}

/** Notices that DEC turned negative, where the exception is that edge. */
export function latchDecrementer(vcpu: Vcpu): void {
  if (!onEdge(vcpu)) return;
  const armed = vcpu.get('DEC_ARMED') !== 0n;
  if (isNegative(vcpu) !== armed) return;
  vcpu.set('DEC_ARMED', armed ? 0n : 1n);
  if (armed) vcpu.set('DEC_PENDING', 1n);
}

/** A decrementer exception exists. */
export function decrementerException(view: View): boolean {
  if (!onEdge(view)) return isNegative(view);
  return view.get('DEC_PENDING') !== 0n || (view.get('DEC_ARMED') !== 0n && isNegative(view));
}

/** The interrupt was taken: an edge is forgotten, a level stays. */
export function tookDecrementer(vcpu: Vcpu): void {
  if (onEdge(vcpu)) vcpu.set('DEC_PENDING', 0n);
}

/** The cycle at which DEC's sign changes next. */
export function decrementerDeadline(view: View): bigint {
  const half = 1n << (bits(view) - 1n);
  const left = remaining(view);
  // From 0 the next tick makes it negative; from the least number the next one makes it positive.
  const ticks = (left & (half - 1n)) + 1n;
  return cycleOf(timeBase(view) + ticks);
}
