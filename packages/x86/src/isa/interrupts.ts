/**
 * Entering a handler through the interrupt descriptor table: gates of 16, 32 and 64 bits, privilege checks, stacks of the task state segment, error codes.
 * Intel SDM volume 3, 6.10 to 6.14; volume 2, INT n (operation); real mode: volume 3, 20.1.4.
 */
import { CountervisorError, type Vcpu } from '@countervisor/contract';
import { attempt, type Draft, Faulted, IMPLICIT } from './draft.ts';
import { isCanonical } from './mmu.ts';
import {
  AR,
  type Descriptor,
  dplOf,
  errorOf,
  is64,
  isCode,
  isConforming,
  isLong,
  isNull,
  isPresent,
  isProtected,
  linear,
  load,
  loadNull,
  need,
} from './segments.ts';
import { innerPointer, innerStack, Stack } from './stack.ts';

export const FLAG = { TF: 0x100n, IF: 0x200n, NT: 0x4000n, RF: 0x1_0000n, VM: 0x2_0000n, AC: 0x4_0000n } as const;

/** What is being delivered. */
export interface Event {
  readonly vector: bigint;
  readonly error: bigint | undefined;
  /** INT n and INT3: the gate's privilege counts, and EXT is 0. */
  readonly software: boolean;
  /** Linear address that the handler returns to. */
  readonly next: bigint;
  /** RF as the handler finds it in the saved flags: set for faults (volume 3, 17.3.1.1). */
  readonly resume: boolean;
}

interface Gate {
  readonly selector: bigint;
  readonly offset: bigint;
  readonly bytes: 2 | 4 | 8;
  /** Clears IF. */
  readonly masks: boolean;
  readonly ist: bigint;
}

export function unmodelledTask(vcpu: Vcpu, by: string): CountervisorError {
  return new CountervisorError(
    'CV_UNMODELLED_TASK_SWITCH',
    `${by} at pc 0x${vcpu.get('RIP').toString(16)} switches tasks, which is not modelled.`,
    'Use interrupt gates and far transfers to code; no 64-bit system switches tasks by hardware.',
  );
}

/** Where the code behind an address in CS continues: the offset that is saved. */
export const offsetOf = (draft: Draft, address: bigint): bigint =>
  is64(draft) ? address : (address - draft.get('CS_BASE')) & 0xffff_ffffn;

/** Goes on at an offset in CS as it is going to be. */
export function goTo(draft: Draft, offset: bigint): void {
  draft.set('TARGET', is64(draft) ? offset : (draft.get('CS_BASE') + offset) & 0xffff_ffffn);
}

function realMode(draft: Draft, event: Event): void {
  const at = event.vector * 4n;
  if (at + 3n > draft.get('IDTR_LIMIT')) throw new Faulted('#GP', 0n);
  const pointer = draft.read(linear(draft, draft.get('IDTR_BASE') + at), 4);
  const stack = Stack.current(draft, false);
  const flags = draft.get('RFLAGS');
  stack.push(flags & 0xffffn, 2);
  stack.push(draft.get('CS'), 2);
  stack.push(offsetOf(draft, event.next) & 0xffffn, 2);
  draft.set('RSP', stack.pointer);
  draft.set('RFLAGS', flags & ~(FLAG.IF | FLAG.TF | FLAG.AC | FLAG.RF));
  draft.set('CS', pointer >> 16n);
  draft.set('CS_BASE', (pointer >> 16n) << 4n);
  goTo(draft, pointer & 0xffffn);
}

/** The gate of a vector, after the checks that belong to it. */
function gateOf(draft: Draft, event: Event, external: bigint): Gate {
  const long = isLong(draft);
  const size = long ? 16n : 8n;
  const code = event.vector * 8n + 2n + external;
  const at = event.vector * size;
  if (at + size - 1n > draft.get('IDTR_LIMIT')) throw new Faulted('#GP', code);
  const address = linear(draft, draft.get('IDTR_BASE') + at);
  const low = draft.read(address, 8);
  const ar = (low >> 40n) & 0xffn;
  const type = Number(ar & 0x1fn);
  if (long ? type !== 14 && type !== 15 : ![5, 6, 7, 14, 15].includes(type)) throw new Faulted('#GP', code);
  if (event.software && ((ar >> 5n) & 3n) < draft.get('CPL')) throw new Faulted('#GP', code);
  if ((ar & AR.p) === 0n) throw new Faulted('#NP', code);
  if (type === 5) throw unmodelledTask(draft.vcpu, `interrupt ${event.vector}, through a task gate,`);
  let offset = (low & 0xffffn) | ((low >> 32n) & 0xffff_0000n);
  if (type < 8) offset &= 0xffffn;
  if (long) offset |= draft.read(linear(draft, address + 8n), 8) << 32n;
  return {
    selector: (low >> 16n) & 0xffffn,
    offset: BigInt.asUintN(64, offset),
    bytes: long ? 8 : type < 8 ? 2 : 4,
    masks: (type & 1) === 0,
    ist: long ? (low >> 32n) & 7n : 0n,
  };
}

/** The code segment that a gate leads to. */
export function gateCode(draft: Draft, selector: bigint, external: bigint): Descriptor {
  if (isNull(selector)) throw new Faulted('#GP', external);
  const d = need(draft, selector, '#GP', external);
  if (!isCode(d) || dplOf(d) > draft.get('CPL')) throw new Faulted('#GP', errorOf(selector) | external);
  if (!isPresent(d)) throw new Faulted('#NP', errorOf(selector) | external);
  // Handlers of long mode are 64-bit code.
  if (isLong(draft) && (d.ar & (AR.l | AR.db)) !== AR.l) throw new Faulted('#GP', errorOf(selector) | external);
  return d;
}

function protectedMode(draft: Draft, event: Event): void {
  const external = event.software ? 0n : 1n;
  const long = isLong(draft);
  const gate = gateOf(draft, event, external);
  const code = gateCode(draft, gate.selector, external);
  const cpl = draft.get('CPL');
  const inner = !isConforming(code) && dplOf(code) < cpl;
  const level = inner ? dplOf(code) : cpl;
  const flags = draft.get('RFLAGS');
  const [oldSS, oldRSP, oldCS, oldIP] = [
    draft.get('SS'),
    draft.get('RSP'),
    draft.get('CS'),
    offsetOf(draft, event.next),
  ];
  let stack: Stack;
  if (long) {
    const own = !inner && gate.ist === 0n;
    const pointer = own ? oldRSP : innerPointer(draft, level, gate.ist, external);
    stack = new Stack(draft, pointer & ~15n, { base: 0n, limit: 0n, ar: 0n }, true, level, external);
  } else if (inner) {
    const { selector, descriptor, pointer } = innerStack(draft, level, external);
    stack = new Stack(draft, pointer, descriptor, false, level, errorOf(selector) | external);
    load(draft, 'SS', selector, descriptor);
  } else {
    stack = Stack.current(draft, false, external);
  }
  const bytes = gate.bytes;
  if (inner || long) {
    stack.push(oldSS, bytes);
    stack.push(oldRSP, bytes);
  }
  stack.push(event.resume ? flags | FLAG.RF : flags, bytes);
  stack.push(oldCS, bytes);
  stack.push(oldIP, bytes);
  if (event.error !== undefined) stack.push(event.error, bytes);
  draft.set('CPL', level);
  load(draft, 'CS', (gate.selector & ~3n) | level, code);
  if (long && inner) loadNull(draft, 'SS', level);
  draft.set('RSP', stack.pointer);
  draft.set('RFLAGS', flags & ~(FLAG.TF | FLAG.NT | FLAG.RF | FLAG.VM | (gate.masks ? FLAG.IF : 0n)));
  if (long ? !isCanonical(gate.offset) : gate.offset > code.limit) throw new Faulted('#GP', external);
  goTo(draft, gate.offset);
}

export function deliver(draft: Draft, event: Event): void {
  draft.set('STEP_SINCE', 0n);
  if (isProtected(draft)) protectedMode(draft, event);
  else realMode(draft, event);
}

/** INT n (kind 0), INT3 and INTO (1), INT1 (2, which is as from hardware). */
export function interrupt(vcpu: Vcpu, vector: bigint, next: bigint, kind: bigint): bigint {
  return attempt(vcpu, (draft) =>
    deliver(draft, { vector, error: undefined, software: kind !== 2n, next, resume: false }),
  );
}

/** May this level use these ports? Asked with CPL > IOPL: the bit map of the task state segment (volume 1, 19.5.2). */
export function ioFault(vcpu: Vcpu, port: bigint, bytes: bigint): bigint {
  return attempt(vcpu, (draft) => {
    const refused = new Faulted('#GP', 0n);
    const type = draft.get('TR_AR') & 0x1fn;
    const limit = draft.get('TR_LIMIT');
    if ((type !== 9n && type !== 11n) || limit < 103n) throw refused;
    const base = draft.get('TR_BASE');
    const at = draft.read(linear(draft, base + 0x66n), 2, IMPLICIT) + (port >> 3n);
    if (at + 1n > limit) throw refused;
    const bits = draft.read(linear(draft, base + at), 2, IMPLICIT) >> (port & 7n);
    if ((bits & ((1n << bytes) - 1n)) !== 0n) throw refused;
  });
}
