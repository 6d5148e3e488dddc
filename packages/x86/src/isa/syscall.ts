/** Fast system calls. Intel SDM volume 2: SYSCALL, SYSRET, SYSENTER, SYSEXIT; AMD APM volume 3, where AMD's CPUs differ. */
import type { Vcpu } from '@countervisor/contract';
import { isAmd } from '../features.ts';
import { attempt, type Draft, Faulted } from './draft.ts';
import { FLAG, goTo, offsetOf } from './interrupts.ts';
import { isCanonical } from './mmu.ts';
import { AR, is64, isLong, isNull, isProtected } from './segments.ts';

/** A flat segment that no descriptor table is asked for. */
function flat(draft: Draft, name: 'CS' | 'SS', selector: bigint, level: bigint, long: boolean): void {
  const code = name === 'CS';
  draft.set(name, selector & 0xffffn);
  draft.set(`${name}_BASE`, 0n);
  draft.set(`${name}_LIMIT`, 0xffff_ffffn);
  const type = code ? AR.code | AR.rw | AR.accessed : AR.rw | AR.accessed;
  const size = code && long ? AR.l : AR.db;
  draft.set(`${name}_AR`, type | AR.s | (level << 5n) | AR.p | AR.g | size);
}

/** EFER.SCE, and 64-bit mode: outside it Intel's CPUs have neither instruction, AMD's have both in protected mode. */
function enabled(draft: Draft): void {
  if ((draft.get('EFER') & 1n) === 0n) throw new Faulted('#UD');
  if (!is64(draft) && !isAmd(draft.vcpu)) throw new Faulted('#UD');
}

/** Behind SYSCALL and SYSRET, TF counts as it is then: the trap comes before the next instruction, or not at all. */
function setFlags(draft: Draft, flags: bigint): void {
  draft.set('RFLAGS', flags);
  draft.set('STEP_SINCE', (flags & FLAG.TF) === 0n ? 0n : 1n);
}

/** AMD's CPUs in legacy protected mode: EIP from STAR, and RFLAGS is not saved (APM volume 3, SYSCALL). */
function legacyCall(draft: Draft, selector: bigint, star: bigint, next: bigint): void {
  draft.set('RCX', offsetOf(draft, next));
  flat(draft, 'CS', selector, 0n, false);
  flat(draft, 'SS', selector + 8n, 0n, false);
  draft.set('CPL', 0n);
  draft.set('RFLAGS', draft.get('RFLAGS') & ~(FLAG.VM | FLAG.IF | FLAG.RF));
  goTo(draft, star & 0xffff_ffffn);
}

export function syscall(vcpu: Vcpu, next: bigint): bigint {
  return attempt(vcpu, (draft) => {
    enabled(draft);
    const star = draft.get('STAR');
    const flags = draft.get('RFLAGS');
    const selector = (star >> 32n) & 0xfffcn;
    if (!isLong(draft)) {
      legacyCall(draft, selector, star, next);
      return;
    }
    const to = draft.get(is64(draft) ? 'LSTAR' : 'CSTAR');
    draft.set('RCX', offsetOf(draft, next));
    draft.set('R11', flags & ~FLAG.RF);
    flat(draft, 'CS', selector, 0n, true);
    flat(draft, 'SS', selector + 8n, 0n, true);
    draft.set('CPL', 0n);
    setFlags(draft, flags & ~draft.get('SFMASK') & ~FLAG.RF);
    goTo(draft, to);
  });
}

/** Flags that SYSRET takes from R11: all but RF and VM. */
const RETURNED = 0x3c_7fd7n;

export function sysret(vcpu: Vcpu, size: bigint): bigint {
  return attempt(vcpu, (draft) => {
    enabled(draft);
    if (draft.get('CPL') !== 0n) throw new Faulted('#GP', 0n);
    const selector = (draft.get('STAR') >> 48n) & 0xffffn;
    const target = draft.get('RCX');
    const wide = size === 64n;
    // Intel's CPUs fault here, at level 0; AMD's go there, and the fetch faults (APM volume 3, SYSRET).
    if (wide && !isCanonical(target) && !isAmd(vcpu)) throw new Faulted('#GP', 0n);
    flat(draft, 'CS', (wide ? selector + 16n : selector) | 3n, 3n, wide);
    flat(draft, 'SS', (selector + 8n) | 3n, 3n, false);
    draft.set('CPL', 3n);
    const flags = isLong(draft) ? draft.get('R11') & RETURNED : draft.get('RFLAGS') | FLAG.IF;
    setFlags(draft, flags | 2n);
    goTo(draft, wide ? target : target & 0xffff_ffffn);
  });
}

const selectorOf = (draft: Draft): bigint => {
  const selector = draft.get('SYSENTER_CS') & 0xffffn;
  if (isNull(selector)) throw new Faulted('#GP', 0n);
  return selector;
};

export function sysenter(vcpu: Vcpu): bigint {
  return attempt(vcpu, (draft) => {
    const long = isLong(draft);
    if (long && isAmd(vcpu)) throw new Faulted('#UD');
    if (!isProtected(draft)) throw new Faulted('#GP', 0n);
    const selector = selectorOf(draft) & 0xfffcn;
    flat(draft, 'CS', selector, 0n, long);
    flat(draft, 'SS', selector + 8n, 0n, long);
    draft.set('CPL', 0n);
    draft.set('RFLAGS', draft.get('RFLAGS') & ~(FLAG.IF | FLAG.VM | FLAG.RF));
    const cut = (name: string): bigint => (long ? draft.get(name) : draft.get(name) & 0xffff_ffffn);
    draft.set('RSP', cut('SYSENTER_ESP'));
    goTo(draft, cut('SYSENTER_EIP'));
  });
}

export function sysexit(vcpu: Vcpu, size: bigint): bigint {
  return attempt(vcpu, (draft) => {
    if (isLong(draft) && isAmd(vcpu)) throw new Faulted('#UD');
    const selector = selectorOf(draft);
    if (draft.get('CPL') !== 0n || !isProtected(draft)) throw new Faulted('#GP', 0n);
    const wide = size === 64n;
    const [pointer, target] = [draft.get('RCX'), draft.get('RDX')];
    if (wide && (!isCanonical(pointer) || !isCanonical(target))) throw new Faulted('#GP', 0n);
    const code = selector + (wide ? 32n : 16n);
    flat(draft, 'CS', code | 3n, 3n, wide);
    flat(draft, 'SS', (code + 8n) | 3n, 3n, false);
    draft.set('CPL', 3n);
    draft.set('RSP', wide ? pointer : pointer & 0xffff_ffffn);
    goTo(draft, wide ? target : target & 0xffff_ffffn);
  });
}
