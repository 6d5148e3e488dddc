/** Exceptions: all go to VECTOR, at the kernel level, with interrupts off. What was before is in STATUS and EPC, and `sysret` takes it from there. */
import type { Exception, Isa, Vcpu } from '@countervisor/contract';
import { KERNEL } from '../features.ts';

export type Kind = 'undefined' | 'privileged' | 'syscall' | 'access' | 'bus' | 'alignment' | 'interrupt';

/** CAUSE.KIND by the name that lifts and handlers use. */
export const KINDS: Readonly<Record<Kind, number>> = {
  undefined: 1,
  privileged: 2,
  syscall: 3,
  access: 4,
  bus: 5,
  alignment: 6,
  interrupt: 7,
};

const IE = 1n;
const PIE = 2n;
const PLEVEL = 4n;

/** Enters the handler. PC holds what EPC must: the instruction that faulted, or the next one. */
export function take(vcpu: Vcpu, { kind, syndrome = 0n, address = 0n }: Exception): void {
  const number = KINDS[kind as Kind];
  if (number === undefined) throw new Error(`This architecture has no exception ${kind}.`);
  const enabled = (vcpu.get('STATUS') & IE) === 0n ? 0n : PIE;
  const level = vcpu.get('LEVEL') === 0n ? 0n : PLEVEL;
  // Raw writes know no field behaviours: EPC has no bits 1:0, and only a misaligned PC could have them. FAULT then holds all of it.
  vcpu.set('EPC', vcpu.get('PC') & ~3n);
  vcpu.set('CAUSE', BigInt(number) | ((syndrome & 0xff_ffffn) << 8n));
  vcpu.set('FAULT', address);
  vcpu.set('STATUS', enabled | level);
  vcpu.set('LEVEL', BigInt(KERNEL));
  vcpu.set('PC', vcpu.get('VECTOR'));
}

/** The way back: level and IE as they were. Returns where to go on. */
export function sysret(vcpu: Vcpu): bigint {
  const status = vcpu.get('STATUS');
  vcpu.set('LEVEL', (status & PLEVEL) === 0n ? 0n : 1n);
  vcpu.set('STATUS', (status & PIE) === 0n ? 0n : IE);
  return vcpu.get('EPC');
}

/** The exceptions that core itself can need. */
export const faults: Isa['faults'] = {
  undefined: (_view, bits) => ({ kind: 'undefined', syndrome: bits >> 24n }),
  alignment: (_view, address) => ({ kind: 'alignment', address }),
  bus: (_view, address) => ({ kind: 'bus', address }),
  fetchAlignment: (view) => ({ kind: 'alignment', address: view.get('PC') }),
};
