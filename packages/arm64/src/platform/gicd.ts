/** The distributor of both versions. Arm IHI 0048B, 4.3 (GICv2); IHI 0069, 12.9 (GICv3 with affinity routing, one Security state). */
import type { Device, Vcpu, View } from '@countervisor/contract';
import {
  COMPONENT,
  IIDR,
  readBits,
  readConfiguration,
  readPriority,
  writeBits,
  writeConfiguration,
  writePriority,
} from './banks.ts';
import { distributor, everyone, gicVersion, INTIDS, local, newDistributor, WORDS } from './gic.ts';

const CTLR = 0x000;
const TYPER = 0x004;
const SGIR = 0xf00;

const within = (offset: number, base: number, size: number): boolean => offset >= base && offset < base + size;

/** ARE and DS: affinity routing is on and there is one Security state, both for ever. */
const ARE_DS = 0x50;

function typer(view: View, version: 2 | 3): number {
  const itLines = WORDS - 1;
  if (version === 2) return itLines | ((view.siblings - 1) << 5);
  // No1N, A3V, IDbits = 9 (10 bits): no LPIs, so no more are needed.
  return itLines | (1 << 25) | (1 << 24) | (9 << 19);
}

/** ITARGETSR<n>, a byte per interrupt. A single CPU sees zeros; SGIs and PPIs name their own CPU. */
function readTargets(view: View, first: number, size: number): number {
  if (view.siblings === 1) return 0;
  let value = 0;
  for (let i = size - 1; i >= 0; i--) {
    const id = first + i;
    value = (value << 8) | (id < 32 ? 1 << view.index : (distributor(view).targets[id] ?? 0));
  }
  return value >>> 0;
}

function writeTargets(vcpu: Vcpu, first: number, size: number, value: number): void {
  const cpus = (1 << vcpu.siblings) - 1;
  const { targets } = distributor(vcpu);
  for (let i = 0; i < size; i++) {
    const id = first + i;
    if (id >= 32 && id < INTIDS) targets[id] = (value >>> (8 * i)) & cpus & 0xff;
  }
  everyone(vcpu);
}

/** GICD_SGIR: a software-generated interrupt for the listed vCPUs, all others, or the writer. */
function generate(vcpu: Vcpu, value: number): void {
  const id = value & 15;
  const all = (1 << vcpu.siblings) - 1;
  const self = 1 << vcpu.index;
  const list = [(value >>> 16) & 0xff, all & ~self, self, 0][(value >>> 24) & 3] as number;
  for (let index = 0; index < vcpu.siblings; index++) {
    if (((list >> index) & 1) !== 0) pend(vcpu, index, id, self);
  }
  everyone(vcpu);
}

function pend(view: View, index: number, id: number, senders: number): void {
  const own = local(view, index);
  own.senders[id] = (own.senders[id] as number) | senders;
  own.pending |= 1 << id;
}

/** GICD_CPENDSGIR<n> at 0xF10 and GICD_SPENDSGIR<n> at 0xF20: a byte of senders per SGI. */
function readSenders(view: View, offset: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = (value << 8) | (local(view).senders[(offset & 15) + i] ?? 0);
  return value >>> 0;
}

function writeSenders(vcpu: Vcpu, offset: number, size: number, value: number): void {
  const own = local(vcpu);
  for (let i = 0; i < size; i++) {
    const id = (offset & 15) + i;
    const byte = (value >>> (8 * i)) & 0xff & ((1 << vcpu.siblings) - 1);
    const before = own.senders[id] as number;
    const after = offset < 0xf20 ? before & ~byte : before | byte;
    own.senders[id] = after;
    own.pending = after === 0 ? own.pending & ~(1 << id) : own.pending | (1 << id);
  }
  vcpu.changed('interrupts');
}

/** Registers of the version that read the same for ever, and ignore writes. */
function constant(offset: number, version: 2 | 3): number | undefined {
  const ids = version === 2 ? 0xfd0 : 0xffd0;
  // ICPIDR2 names the architecture's version.
  if (offset === ids + 0x18) return version === 2 ? 0x2b : 0x3b;
  if (within(offset, ids, 0x20)) return 0;
  if (within(offset, ids + 0x20, 0x10)) return COMPONENT[(offset - ids - 0x20) >> 2];
  if (offset === 0x008) return IIDR;
  if (version === 2) return undefined;
  // TYPER2, STATUSR; IGRPMODR<n> and NSACR<n> do nothing with one Security state; ITARGETSR<n> and SGIR with affinity routing.
  if (offset === 0x00c || offset === 0x010 || within(offset, 0xd00, 0x100) || within(offset, 0xe00, 0x100)) return 0;
  return within(offset, 0x800, 0x400) || within(offset, SGIR, 0x30) ? 0 : undefined;
}

const ROUTES = 0x6000;

function route(offset: number): { readonly id: number; readonly shift: bigint } | undefined {
  if (!within(offset, ROUTES, 0x2000)) return undefined;
  return { id: (offset - ROUTES) >> 3, shift: (offset & 4) === 0 ? 0n : 32n };
}

function readRoute(view: View, offset: number, size: number): bigint | undefined {
  const at = route(offset);
  if (at === undefined) return undefined;
  const value = at.id < 32 ? 0n : (distributor(view).route[at.id] ?? 0n);
  return size === 8 ? value : (value >> at.shift) & 0xffff_ffffn;
}

function writeRoute(vcpu: Vcpu, offset: number, size: number, value: bigint): boolean {
  const at = route(offset);
  if (at === undefined) return false;
  if (at.id < 32 || at.id >= INTIDS) return true;
  const { route: routes } = distributor(vcpu);
  const before = routes[at.id] as bigint;
  const whole = size === 8 ? value : (before & ~(0xffff_ffffn << at.shift)) | (value << at.shift);
  // Interrupt_Routing_Mode is RES0: No1N.
  routes[at.id] = whole & 0xff_00ff_ffffn;
  everyone(vcpu);
  return true;
}

/** Registers of a byte per interrupt take byte accesses; all others are words, and routes doublewords. */
const bytesAllowed = (offset: number): boolean => within(offset, 0x400, 0x800) || within(offset, 0xf10, 0x20);

const fits = (offset: number, size: number): boolean =>
  (offset & (size - 1)) === 0 && (size === 4 || (size === 1 ? bytesAllowed(offset) : within(offset, ROUTES, 0x2000)));

function read(view: View, offset: number, size: number): number | bigint | undefined {
  if (!fits(offset, size)) return undefined;
  const version = gicVersion(view);
  if (offset === CTLR) return distributor(view).ctlr | (version === 3 ? ARE_DS : 0);
  if (offset === TYPER) return typer(view, version);
  if (within(offset, 0x400, 0x400)) {
    // With affinity routing, SGIs and PPIs are the redistributors'.
    return version === 3 && offset < 0x420 ? 0 : readPriority(view, offset - 0x400, size, view.index);
  }
  if (within(offset, 0xc00, 0x100)) {
    return version === 3 && offset < 0xc08 ? 0 : readConfiguration(view, (offset - 0xc00) >> 2);
  }
  if (version === 3) {
    if (offset >= ROUTES && offset < 0x8000) return readRoute(view, offset, size);
    const bits = readBits(view, offset, view.index);
    if (bits !== undefined) return (offset & 0x7f) === 0 ? 0 : bits;
    return constant(offset, 3);
  }
  if (within(offset, 0x800, 0x400)) return readTargets(view, offset - 0x800, size);
  if (within(offset, 0xf10, 0x20)) return readSenders(view, offset, size);
  if (offset === SGIR) return 0;
  return readBits(view, offset, view.index) ?? constant(offset, 2);
}

function write(vcpu: Vcpu, offset: number, size: number, written: number | bigint): boolean {
  if (!fits(offset, size)) return false;
  const version = gicVersion(vcpu);
  if (version === 3 && offset >= ROUTES && offset < 0x8000) return writeRoute(vcpu, offset, size, BigInt(written));
  const value = Number(written);
  if (offset === CTLR) {
    distributor(vcpu).ctlr = value & 3;
    everyone(vcpu);
    return true;
  }
  if (within(offset, 0x400, 0x400)) {
    if (version === 2 || offset >= 0x420) writePriority(vcpu, offset - 0x400, size, value, vcpu.index);
    return true;
  }
  if (within(offset, 0xc00, 0x100)) {
    writeConfiguration(vcpu, (offset - 0xc00) >> 2, value);
    return true;
  }
  if (version === 3 && within(offset, 0x080, 0x380) && (offset & 0x7f) === 0) return true;
  if (writeBits(vcpu, offset, value, vcpu.index, false)) return true;
  if (version === 2) {
    if (within(offset, 0x800, 0x400)) writeTargets(vcpu, offset - 0x800, size, value);
    else if (within(offset, 0xf10, 0x20)) writeSenders(vcpu, offset, size, value);
    else if (offset === SGIR) generate(vcpu, value);
    else return offset === TYPER || constant(offset, 2) !== undefined;
    return true;
  }
  return offset === TYPER || constant(offset, 3) !== undefined;
}

export function gicd(base: bigint): Device {
  return {
    name: 'gicd',
    per: 'domain',
    range: { base, size: 0x1_0000 },
    sizes: [1, 4, 8],
    state: newDistributor,
    read,
    write,
  };
}
