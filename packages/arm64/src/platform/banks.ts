/**
 * The register files of an interrupt controller that hold a bit or a byte per interrupt: read and written the same way in the distributor of both
 * versions and in GICv3's redistributors. Arm IHI 0048B, 4.3; IHI 0069, 12.9 and 12.11.
 */
import type { Vcpu, View } from '@countervisor/contract';
import { distributor, everyone, INTIDS, lines, local, PRIORITY } from './gic.ts';

/** Files of a bit per interrupt: where they start, which state they show, what a written 1 does to it. */
type BitFile = readonly [
  base: number,
  state: 'group' | 'enabled' | 'pending' | 'active',
  write: 'store' | 'set' | 'clear',
];

const BITS: readonly BitFile[] = [
  [0x080, 'group', 'store'],
  [0x100, 'enabled', 'set'],
  [0x180, 'enabled', 'clear'],
  [0x200, 'pending', 'set'],
  [0x280, 'pending', 'clear'],
  [0x300, 'active', 'set'],
  [0x380, 'active', 'clear'],
];

const bitFile = (offset: number): BitFile | undefined => BITS.find(([base]) => offset >= base && offset < base + 0x80);

/** Bits of a word that exist. */
const exists = (word: number): boolean => word * 32 < INTIDS;

/** A word of a bit file; `vcpu` is whose SGIs and PPIs word 0 shows. `undefined`: no such file here. */
export function readBits(view: View, offset: number, vcpu: number): number | undefined {
  const file = bitFile(offset);
  if (file === undefined) return undefined;
  const [base, state] = file;
  const word = (offset - base) >> 2;
  if (!exists(word)) return 0;
  const stored = word === 0 ? local(view, vcpu)[state] : (distributor(view)[state][word] as number);
  if (state !== 'pending') return stored >>> 0;
  // Wires are those of the reader: another vCPU's lines are not looked at through its redistributor by anyone.
  return (stored | (word === 0 && vcpu !== view.index ? 0 : lines(view, word, ~stored))) >>> 0;
}

/** Writes a word of a bit file. SGIs of a GICv2 become pending by GICD_SGIR and GICD_SPENDSGIR alone. */
export function writeBits(vcpu: Vcpu, offset: number, value: number, index: number, sgisPend: boolean): boolean {
  const file = bitFile(offset);
  if (file === undefined) return false;
  const [base, state, how] = file;
  const word = (offset - base) >> 2;
  if (!exists(word)) return true;
  const bits = word === 0 && state === 'pending' && !sgisPend ? value & 0xffff_0000 : value;
  const next = (before: number): number => (how === 'store' ? bits : how === 'set' ? before | bits : before & ~bits);
  if (word === 0) {
    const own = local(vcpu, index);
    own[state] = next(own[state]);
  } else {
    const words = distributor(vcpu)[state];
    words[word] = next(words[word] as number);
  }
  everyone(vcpu);
  return true;
}

/** IPRIORITYR<n>: `offset` counts interrupts, from 0. */
export function readPriority(view: View, offset: number, size: number, vcpu: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) {
    const id = offset + i;
    const priorities = id < 32 ? local(view, vcpu).priority : distributor(view).priority;
    value = ((value << 8) | (priorities[id] ?? 0)) >>> 0;
  }
  return value;
}

export function writePriority(vcpu: Vcpu, offset: number, size: number, value: number, index: number): void {
  for (let i = 0; i < size; i++) {
    const id = offset + i;
    if (id >= INTIDS) break;
    const priorities = id < 32 ? local(vcpu, index).priority : distributor(vcpu).priority;
    priorities[id] = (value >>> (8 * i)) & PRIORITY;
  }
  everyone(vcpu);
}

/** ICFGR<n>: two bits per interrupt, the upper one says edge. SGIs are edges, PPIs levels, for ever. */
export function readConfiguration(view: View, index: number): number {
  if (index === 0) return 0xaaaa_aaaa;
  if (index === 1 || index * 16 >= INTIDS) return 0;
  const half = ((distributor(view).edge[index >> 1] as number) >>> (16 * (index & 1))) & 0xffff;
  let value = 0;
  for (let n = 0; n < 16; n++) if (((half >>> n) & 1) !== 0) value |= 2 << (2 * n);
  return value >>> 0;
}

export function writeConfiguration(vcpu: Vcpu, index: number, value: number): void {
  if (index < 2 || index * 16 >= INTIDS) return;
  let half = 0;
  for (let n = 0; n < 16; n++) if (((value >>> (2 * n + 1)) & 1) !== 0) half |= 1 << n;
  const { edge } = distributor(vcpu);
  const shift = 16 * (index & 1);
  edge[index >> 1] = ((edge[index >> 1] as number) & ~(0xffff << shift)) | (half << shift);
  everyone(vcpu);
}

/** CIDR0-3 of every Arm component with a GIC's class. */
export const COMPONENT: readonly number[] = [0x0d, 0xf0, 0x05, 0xb1];

/** Implementer Arm (0x43B), product and revision 0. */
export const IIDR = 0x43b;
