/** Far transfers and returns: through code segments and call gates, and IRET in all modes. Intel SDM volume 2: JMP, CALL, RET, IRET; volume 3, 5.8. */
import type { Vcpu } from '@countervisor/contract';
import { attempt, type Draft, Faulted } from './draft.ts';
import { FLAG, gateCode, goTo, offsetOf, unmodelledTask } from './interrupts.ts';
import { isCanonical } from './mmu.ts';
import {
  AR,
  type Descriptor,
  dplOf,
  dropSegments,
  errorOf,
  is64,
  isCode,
  isConforming,
  isLong,
  isNull,
  isPresent,
  isProtected,
  isSystem,
  linear,
  load,
  loadNull,
  loadStack,
  need,
  rplOf,
  typeOf,
} from './segments.ts';
import { innerPointer, innerStack, Stack } from './stack.ts';

type Bytes = 2 | 4 | 8;

/** Real mode: any selector, and a limit that nobody changed. */
function realCode(draft: Draft, selector: bigint, offset: bigint): void {
  if (offset > draft.get('CS_LIMIT')) throw new Faulted('#GP', 0n);
  draft.set('CS', selector);
  draft.set('CS_BASE', selector << 4n);
  goTo(draft, offset);
}

/** The instruction pointer of a code segment that is going to be: canonical, or inside the limit. */
function pointerIn(draft: Draft, code: Descriptor, offset: bigint): bigint {
  if (isLong(draft) && (code.ar & AR.l) !== 0n) {
    if (!isCanonical(offset)) throw new Faulted('#GP', 0n);
    return offset;
  }
  const cut = offset & 0xffff_ffffn;
  if (cut > code.limit) throw new Faulted('#GP', 0n);
  return cut;
}

/** In long mode a code segment is 64-bit or has a size, not both. */
function refuseBoth(draft: Draft, d: Descriptor): void {
  if (isLong(draft) && (d.ar & (AR.l | AR.db)) === (AR.l | AR.db)) throw new Faulted('#GP', errorOf(d.selector));
}

/** A code segment that a jump or call reaches directly, at the present level. */
function direct(draft: Draft, d: Descriptor): void {
  const cpl = draft.get('CPL');
  const reaches = isConforming(d) ? dplOf(d) <= cpl : rplOf(d.selector) <= cpl && dplOf(d) === cpl;
  if (!reaches) throw new Faulted('#GP', errorOf(d.selector));
  refuseBoth(draft, d);
  if (!isPresent(d)) throw new Faulted('#NP', errorOf(d.selector));
}

function enter(draft: Draft, d: Descriptor, level: bigint, offset: bigint): void {
  const pointer = pointerIn(draft, d, offset);
  draft.set('CPL', level);
  load(draft, 'CS', (d.selector & ~3n) | level, d);
  goTo(draft, pointer);
}

interface CallGate {
  readonly bytes: Bytes;
  readonly offset: bigint;
  readonly parameters: number;
  readonly code: Descriptor;
}

/** A call gate and the code behind it; task gates and task state segments are refused by name. */
function gate(draft: Draft, d: Descriptor): CallGate {
  const long = isLong(draft);
  const type = typeOf(d);
  const known = long ? type === 12 : type === 4 || type === 12;
  if (!known) {
    if (!long && [1, 5, 9].includes(type)) throw unmodelledTask(draft.vcpu, 'a far transfer');
    throw new Faulted('#GP', errorOf(d.selector));
  }
  if (dplOf(d) < draft.get('CPL') || rplOf(d.selector) > dplOf(d)) throw new Faulted('#GP', errorOf(d.selector));
  if (!isPresent(d)) throw new Faulted('#NP', errorOf(d.selector));
  let offset = d.bits & 0xffffn;
  if (type === 12) offset |= (d.bits >> 32n) & 0xffff_0000n;
  if (long) {
    const upper = draft.read(linear(draft, d.at + 8n), 8);
    if ((upper & 0x1f00_0000_0000n) !== 0n) throw new Faulted('#GP', errorOf(d.selector));
    offset |= (upper & 0xffff_ffffn) << 32n;
  }
  return {
    bytes: long ? 8 : type === 12 ? 4 : 2,
    offset,
    parameters: Number((d.bits >> 32n) & 31n),
    code: gateCode(draft, (d.bits >> 16n) & 0xffffn, 0n),
  };
}

export function farJump(vcpu: Vcpu, selector: bigint, offset: bigint, size: bigint): bigint {
  return attempt(vcpu, (draft) => {
    const cut = BigInt.asUintN(Number(size), offset);
    if (!isProtected(draft)) {
      realCode(draft, selector, cut);
      return;
    }
    if (isNull(selector)) throw new Faulted('#GP', 0n);
    const d = need(draft, selector);
    if (isSystem(d)) {
      const { code, offset: to } = gate(draft, d);
      if (!isConforming(code) && dplOf(code) !== draft.get('CPL')) throw new Faulted('#GP', errorOf(code.selector));
      enter(draft, code, draft.get('CPL'), to);
      return;
    }
    if (!isCode(d)) throw new Faulted('#GP', errorOf(selector));
    direct(draft, d);
    enter(draft, d, draft.get('CPL'), cut);
  });
}

function callGate(draft: Draft, d: Descriptor, next: bigint): void {
  const { bytes, offset, parameters, code } = gate(draft, d);
  const long = isLong(draft);
  const cpl = draft.get('CPL');
  const level = !isConforming(code) && dplOf(code) < cpl ? dplOf(code) : cpl;
  const [oldSS, oldRSP, oldCS, oldIP] = [draft.get('SS'), draft.get('RSP'), draft.get('CS'), offsetOf(draft, next)];
  let stack = Stack.current(draft, long);
  if (level < cpl) {
    const copied: bigint[] = [];
    if (long) {
      stack = new Stack(draft, innerPointer(draft, level, 0n, 0n), { base: 0n, limit: 0n, ar: 0n }, true, level);
    } else {
      for (let n = 0; n < parameters; n++) copied.push(stack.pop(bytes));
      const inner = innerStack(draft, level, 0n);
      stack = new Stack(draft, inner.pointer, inner.descriptor, false, level, errorOf(inner.selector));
      load(draft, 'SS', inner.selector, inner.descriptor);
    }
    stack.push(oldSS, bytes);
    stack.push(oldRSP, bytes);
    for (const value of copied.reverse()) stack.push(value, bytes);
  }
  stack.push(oldCS, bytes);
  stack.push(oldIP, bytes);
  draft.set('RSP', stack.pointer);
  enter(draft, code, level, offset);
  if (long && level < cpl) loadNull(draft, 'SS', level);
}

export function farCall(vcpu: Vcpu, selector: bigint, offset: bigint, size: bigint, next: bigint): bigint {
  const bytes = Number(size / 8n) as Bytes;
  return attempt(vcpu, (draft) => {
    const cut = BigInt.asUintN(Number(size), offset);
    const save = (): void => {
      const stack = Stack.current(draft, is64(draft));
      stack.push(draft.get('CS'), bytes);
      stack.push(offsetOf(draft, next), bytes);
      draft.set('RSP', stack.pointer);
    };
    if (!isProtected(draft)) {
      save();
      realCode(draft, selector, cut);
      return;
    }
    if (isNull(selector)) throw new Faulted('#GP', 0n);
    const d = need(draft, selector);
    if (isSystem(d)) {
      callGate(draft, d, next);
      return;
    }
    if (!isCode(d)) throw new Faulted('#GP', errorOf(selector));
    direct(draft, d);
    save();
    enter(draft, d, draft.get('CPL'), cut);
  });
}

/** The code segment that a return leads to: not more privileged, and of its own level unless it conforms. */
function returnCode(draft: Draft, selector: bigint): Descriptor {
  if (isNull(selector)) throw new Faulted('#GP', 0n);
  const d = need(draft, selector);
  const rpl = rplOf(selector);
  const level = isConforming(d) ? dplOf(d) <= rpl : dplOf(d) === rpl;
  if (!isCode(d) || rpl < draft.get('CPL') || !level) throw new Faulted('#GP', errorOf(selector));
  refuseBoth(draft, d);
  if (!isPresent(d)) throw new Faulted('#NP', errorOf(selector));
  return d;
}

/** SS of a return to another level, or of any return in 64-bit mode. A null one only to 64-bit code that is not of level 3. */
function returnStack(draft: Draft, selector: bigint, code: Descriptor, level: bigint): void {
  if (!isNull(selector)) {
    loadStack(draft, selector, level);
    return;
  }
  const long = isLong(draft) && (code.ar & AR.l) !== 0n;
  if (!long || level === 3n || rplOf(selector) !== level) throw new Faulted('#GP', 0n);
  loadNull(draft, 'SS', selector);
}

/** The pointer of a stack as its segment uses it: 64-bit code takes all of it, a 16-bit segment leaves the upper part. */
function setPointer(draft: Draft, pointer: bigint): void {
  if (is64(draft)) draft.set('RSP', pointer);
  else if ((draft.get('SS_AR') & AR.db) !== 0n) draft.set('RSP', pointer & 0xffff_ffffn);
  else draft.set('RSP', (draft.get('RSP') & ~0xffffn) | (pointer & 0xffffn));
}

export function farReturn(vcpu: Vcpu, size: bigint, release: bigint): bigint {
  const bytes = Number(size / 8n) as Bytes;
  return attempt(vcpu, (draft) => {
    const stack = Stack.current(draft, is64(draft));
    const offset = stack.pop(bytes);
    const selector = stack.pop(bytes) & 0xffffn;
    if (!isProtected(draft)) {
      stack.skip(release);
      draft.set('RSP', stack.pointer);
      realCode(draft, selector, offset);
      return;
    }
    const code = returnCode(draft, selector);
    const level = rplOf(selector);
    if (level === draft.get('CPL')) {
      stack.skip(release);
      draft.set('RSP', stack.pointer);
      enter(draft, code, level, offset);
      return;
    }
    stack.skip(release);
    const pointer = stack.pop(bytes);
    const ss = stack.pop(bytes) & 0xffffn;
    enter(draft, code, level, offset);
    returnStack(draft, ss, code, level);
    setPointer(draft, pointer + release);
    dropSegments(draft, level);
  });
}

/** Flags that every level changes: CF PF AF ZF SF TF DF OF NT AC ID. */
const COMMON = 0x24_4dd5n;

/** What IRET may change at this level. RF has no effect without instruction breakpoints, and ends with the next instruction: it is not kept. */
function changeable(draft: Draft, cpl: bigint, bytes: Bytes): bigint {
  const iopl = (draft.get('RFLAGS') >> 12n) & 3n;
  let mask = COMMON;
  if (cpl === 0n) mask |= 0x18_3000n;
  if (cpl <= iopl || !isProtected(draft)) mask |= FLAG.IF;
  return bytes === 2 ? mask & 0xffffn : mask;
}

export function iret(vcpu: Vcpu, size: bigint): bigint {
  const bytes = Number(size / 8n) as Bytes;
  // Also when it faults (volume 3, 6.7.1).
  if (vcpu.get('NMI_BLOCKED') !== 0n) vcpu.set('NMI_BLOCKED', 0n);
  return attempt(vcpu, (draft) => {
    const before = draft.get('RFLAGS');
    const stack = Stack.current(draft, is64(draft));
    if (isProtected(draft) && (before & FLAG.NT) !== 0n) {
      if (isLong(draft)) throw new Faulted('#GP', 0n);
      throw unmodelledTask(vcpu, 'IRET with NT set');
    }
    const offset = stack.pop(bytes);
    const selector = stack.pop(bytes) & 0xffffn;
    const flags = stack.pop(bytes);
    const cpl = draft.get('CPL');
    const mask = changeable(draft, cpl, bytes);
    const setFlags = (): void => draft.set('RFLAGS', (before & ~mask & ~FLAG.RF) | (flags & mask));
    if (!isProtected(draft)) {
      realCode(draft, selector, offset);
      draft.set('RSP', stack.pointer);
      setFlags();
      return;
    }
    if (!isLong(draft) && cpl === 0n && bytes === 4 && (flags & FLAG.VM) !== 0n) throw unmodelledVirtual8086(vcpu);
    const code = returnCode(draft, selector);
    const level = rplOf(selector);
    const wide = is64(draft);
    if (level === cpl && !wide) {
      draft.set('RSP', stack.pointer);
      enter(draft, code, level, offset);
      setFlags();
      return;
    }
    const pointer = stack.pop(bytes);
    const ss = stack.pop(bytes) & 0xffffn;
    enter(draft, code, level, offset);
    returnStack(draft, ss, code, level);
    setPointer(draft, pointer);
    setFlags();
    if (level !== cpl) dropSegments(draft, level);
  });
}

function unmodelledVirtual8086(vcpu: Vcpu): Error {
  return unmodelledTask(vcpu, 'IRET to virtual-8086 mode (EFLAGS.VM)');
}
