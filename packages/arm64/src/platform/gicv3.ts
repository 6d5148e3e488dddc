/**
 * What a GICv3 has of its own: a redistributor per vCPU, and the CPU interface behind ICC_* registers (registers/gic.ts).
 * Arm IHI 0069, 12.10 and 12.11 (GICR_*), 12.2 (ICC_*). No LPIs, no ITS.
 */
import type { Device, Vcpu, View } from '@countervisor/contract';
import { COMPONENT, IIDR, readBits, readConfiguration, readPriority, writeBits, writePriority } from './banks.ts';
import {
  acknowledge,
  cpuInterface,
  deactivate,
  drop,
  everyone,
  gicVersion,
  groupOf,
  highest,
  INTIDS,
  LEAST_POINT,
  local,
  NONE,
  newLocal,
  PRIORITY,
  signalled,
} from './gic.ts';

/** One redistributor: RD_base and SGI_base, 64 KiB each. */
const FRAME = 0x2_0000;
const SGI = 0x1_0000;
/** Room for 123 redistributors, as on QEMU's `virt`. */
export const REDISTRIBUTORS = 0xf6_0000;

const WAKER = 0x14;
const TYPER = 0x08;

/** Affinity in 63:32, the vCPU's number in 23:8, Last in 4. */
function typer(view: View, index: number): bigint {
  const aff = BigInt(((index >> 4) << 8) | (index & 15));
  return (aff << 32n) | (BigInt(index) << 8n) | (index === view.siblings - 1 ? 16n : 0n);
}

/** CTLR, IIDR, STATUSR and the identification registers: what RD_base shows of one redistributor that never changes. */
function constant(offset: number): number | undefined {
  if (offset === 0x00 || offset === 0x10) return 0;
  if (offset === 0x04) return IIDR;
  if (offset === 0xffe8) return 0x3b;
  if (offset >= 0xffd0 && offset < 0xfff0) return 0;
  return offset >= 0xfff0 ? COMPONENT[(offset - 0xfff0) >> 2] : undefined;
}

const isPriority = (offset: number): boolean => offset >= 0x400 && offset < 0x420;
const isFile = (offset: number): boolean => offset >= 0x80 && offset < 0x400 && (offset & 0x7f) === 0;
const isConfiguration = (offset: number): boolean => offset === 0xc00 || offset === 0xc04;
/** IGRPMODR0 and NSACR do nothing with one Security state. */
const isNothing = (offset: number): boolean => offset === 0xd00 || offset === 0xe00;

/** Which vCPU's frame, and where in it. `undefined`: beyond the last one, or not a GICv3. */
function place(view: View, offset: number, size: number): readonly [index: number, at: number] | undefined {
  const index = Math.floor(offset / FRAME);
  if (gicVersion(view) !== 3 || index >= view.siblings || (offset & (size - 1)) !== 0) return undefined;
  return [index, offset % FRAME];
}

function read(view: View, offset: number, size: number): number | bigint | undefined {
  const where = place(view, offset, size);
  if (where === undefined) return undefined;
  const [index, at] = where;
  if (at < SGI) {
    if (size === 8) return at === TYPER ? typer(view, index) : undefined;
    if (size !== 4) return undefined;
    if (at === TYPER) return typer(view, index) & 0xffff_ffffn;
    if (at === TYPER + 4) return typer(view, index) >> 32n;
    return at === WAKER ? local(view, index).waker : constant(at);
  }
  const sgi = at - SGI;
  if (isPriority(sgi) && size !== 8) return readPriority(view, sgi - 0x400, size, index);
  if (size !== 4) return undefined;
  if (isFile(sgi)) return readBits(view, sgi, index);
  if (isConfiguration(sgi)) return readConfiguration(view, (sgi - 0xc00) >> 2);
  return isNothing(sgi) ? 0 : undefined;
}

function write(vcpu: Vcpu, offset: number, size: number, written: number | bigint): boolean {
  const where = place(vcpu, offset, size);
  if (where === undefined || size === 8) return false;
  const [index, at] = where;
  const value = Number(written);
  const sgi = at - SGI;
  if (isPriority(sgi)) {
    writePriority(vcpu, sgi - 0x400, size, value, index);
    return true;
  }
  if (size !== 4) return false;
  if (at < SGI) {
    // ChildrenAsleep follows ProcessorSleep at once. Interrupts are forwarded either way, as by KVM and QEMU: images rely on it.
    if (at === WAKER) local(vcpu, index).waker = (value & 2) === 0 ? 0 : 6;
    else if (at !== TYPER && at !== TYPER + 4) return constant(at) !== undefined;
    return true;
  }
  if (isFile(sgi)) return writeBits(vcpu, sgi, value, index, true);
  return isConfiguration(sgi) || isNothing(sgi);
}

export function gicr(base: bigint): Device {
  return {
    name: 'gicr',
    per: 'vcpu',
    range: { base, size: REDISTRIBUTORS },
    sizes: [1, 4, 8],
    state: newLocal,
    read,
    write,
  };
}

/** What a read of ICC_IAR<group>_EL1 gives: the INTID it acknowledges, or 1023. */
export function answer(view: View, group: 0 | 1): number {
  const found = signalled(view);
  return found === undefined || found.group !== group ? NONE : found.id;
}

/** The read itself. */
export function take(vcpu: Vcpu, group: 0 | 1): bigint {
  const found = signalled(vcpu);
  if (found === undefined || found.group !== group) return BigInt(NONE);
  acknowledge(vcpu, found);
  return BigInt(found.id);
}

/** ICC_HPPIR<group>_EL1: the highest priority pending interrupt, if it is of this group. */
export function pending(view: View, group: 0 | 1): bigint {
  const found = highest(view, 3);
  return BigInt(found === undefined || found.group !== group ? NONE : found.id);
}

/** ICC_EOIR<group>_EL1. */
export function end(vcpu: Vcpu, group: 0 | 1, value: bigint): void {
  const id = Number(value & 0xff_ffffn);
  if (id >= INTIDS || !drop(vcpu, 1 << group)) return;
  if (cpuInterface(vcpu).split === 0) deactivate(vcpu, id);
}

/** ICC_DIR_EL1. */
export function endActive(vcpu: Vcpu, value: bigint): void {
  if (cpuInterface(vcpu).split === 1) deactivate(vcpu, Number(value & 0xff_ffffn));
}

export function setMask(vcpu: Vcpu, value: bigint): void {
  cpuInterface(vcpu).pmr = Number(value & 0xffn) & PRIORITY;
  vcpu.changed('interrupts');
}

/** ICC_BPR<group>_EL1. With CBPR, Group 1's follows Group 0's: it reads one more, and ignores writes. */
export function binaryPoint(view: View, group: 0 | 1): number {
  const gicc = cpuInterface(view);
  return group === 1 && gicc.common === 1 ? Math.min(7, (gicc.bpr[0] as number) + 1) : (gicc.bpr[group] as number);
}

export function setBinaryPoint(vcpu: Vcpu, group: 0 | 1, value: bigint): void {
  const gicc = cpuInterface(vcpu);
  if (group === 1 && gicc.common === 1) return;
  gicc.bpr[group] = Math.max(LEAST_POINT[group], Number(value & 7n));
  vcpu.changed('interrupts');
}

/** ICC_SGI<group>R_EL1: targets by affinity, or everyone else. Only SGIs that the target has in this group become pending. */
export function generate(vcpu: Vcpu, group: 0 | 1, value: bigint): void {
  const id = Number((value >> 24n) & 15n);
  const others = ((value >> 40n) & 1n) === 1n;
  const range = Number((value >> 44n) & 15n) * 16;
  const cluster =
    (((value >> 16n) & 0xffn) << 8n) | (((value >> 32n) & 0xffn) << 16n) | (((value >> 48n) & 0xffn) << 32n);
  for (let index = 0; index < vcpu.siblings; index++) {
    const sibling = vcpu.domain.vcpu(index);
    const affinity = sibling.get('MPIDR_EL1') & 0xff_00ff_ffffn;
    const place = Number(affinity & 0xffn) - range;
    const listed =
      (affinity & ~0xffn) === cluster && place >= 0 && place < 16 && ((value >> BigInt(place)) & 1n) === 1n;
    if (!(others ? index !== vcpu.index : listed) || groupOf(sibling, id) !== group) continue;
    local(vcpu, index).pending |= 1 << id;
  }
  everyone(vcpu);
}
