/**
 * The pinned debug store of 2014: when the guest enables PEBS, the hypervisor pins the pages of the debug store and of its buffer, at most 17, because the
 * hardware of the day did not bear a second-stage violation while it wrote a record. What is not pinned is not there for a record.
 *
 * compat keeps the patch's defects, each named in the trace when it bites; strict does not have them.
 */
import type { Vcpu, View } from '@countervisor/contract';
import { DEFECTS, hostOf } from './hosts.ts';

export const MOST_PINS = 17;
const PAGE = 0x1000n;
const SUPERVISOR = 1;
/** The debug store as the patch has it: eight addresses and four reset values. */
const STORE_BYTES = 96n;

const slots = (n: number): string => `PIN_${n}`;

export const pinNames: readonly string[] = Array.from({ length: MOST_PINS }, (_, n) => slots(n));

/** Is this guest-physical byte on a pinned page? A slot holds the page's number and 1 more. */
export function isPinned(view: View, physical: bigint): boolean {
  const frame = physical / PAGE + 1n;
  return pinNames.some((name) => view.get(name) === frame);
}

function release(vcpu: Vcpu): void {
  for (const name of pinNames) if (vcpu.get(name) !== 0n) vcpu.set(name, 0n);
}

const frameOf = (view: View, linear: bigint): bigint | undefined => {
  const found = view.translate(linear, 'write', SUPERVISOR);
  return 'kind' in found ? undefined : found.physical / PAGE + 1n;
};

function word(vcpu: Vcpu, linear: bigint): bigint | undefined {
  const found = vcpu.translate(linear, 'read', SUPERVISOR);
  const bytes = 'kind' in found ? undefined : vcpu.domain.read(found.physical, 8);
  return bytes?.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/**
 * Pins the debug store and its buffer. False: not all of it could be pinned (strict; compat goes on with what it has).
 */
export function pin(vcpu: Vcpu): boolean {
  const { strict } = hostOf(vcpu);
  release(vcpu);
  const area = storeArea(vcpu);
  const frames: bigint[] = [];
  const first = frameOf(vcpu, area);
  if (first === undefined) return failed(vcpu, 'the debug store is not mapped', DEFECTS.ignored);
  frames.push(first);
  const last = area + STORE_BYTES - 1n;
  if (last / PAGE !== area / PAGE) {
    const second = frameOf(vcpu, last);
    if (second === undefined) {
      keep(vcpu, frames);
      return failed(vcpu, 'the second page of the debug store is not mapped: nothing else is pinned', DEFECTS.straddle);
    }
    frames.push(second);
  }
  const base = word(vcpu, area + 0x20n);
  const maximum = word(vcpu, area + 0x30n);
  if (base === undefined || maximum === undefined) {
    keep(vcpu, frames);
    return failed(vcpu, 'the debug store cannot be read', DEFECTS.ignored);
  }
  const whole = strict ? allPages(vcpu, base, maximum, frames) : steppedPages(vcpu, base, maximum, frames);
  keep(vcpu, frames);
  return whole;
}

/** Every page of the buffer, or none that would be of use. */
function allPages(vcpu: Vcpu, base: bigint, maximum: bigint, frames: bigint[]): boolean {
  for (let at = (base / PAGE) * PAGE; at < maximum; at += PAGE) {
    const frame = frameOf(vcpu, at);
    if (frame === undefined || frames.length >= MOST_PINS) {
      vcpu.note(
        frame === undefined
          ? `the buffer's page at 0x${at.toString(16)} is not mapped`
          : `the buffer needs more than ${MOST_PINS} pinned pages`,
        'kvm-x86 strict: PEBS stays off when its memory cannot be pinned',
      );
      return false;
    }
    frames.push(frame);
  }
  return true;
}

/** The patch: from the base as it stands, in steps of a page, while below the maximum and fewer than 17. */
function steppedPages(vcpu: Vcpu, base: bigint, maximum: bigint, frames: bigint[]): boolean {
  let at = base;
  for (; at < maximum && frames.length < MOST_PINS; at += PAGE) {
    const frame = frameOf(vcpu, at);
    if (frame === undefined) {
      failed(vcpu, `the buffer's page at 0x${at.toString(16)} is not mapped`, DEFECTS.ignored);
      continue;
    }
    frames.push(frame);
  }
  if (at < maximum)
    vcpu.note(`the buffer from 0x${at.toString(16)} on is beyond ${MOST_PINS} pages and not pinned`, DEFECTS.seventeen);
  else if (maximum > base && (maximum - 1n) / PAGE > (at - PAGE) / PAGE) {
    vcpu.note(
      `the buffer's last page, 0x${(((maximum - 1n) / PAGE) * PAGE).toString(16)}, was stepped over`,
      DEFECTS.step,
    );
  }
  return true;
}

function failed(vcpu: Vcpu, what: string, defect: string): boolean {
  const { strict } = hostOf(vcpu);
  vcpu.note(
    `pinning failed: ${what}`,
    strict ? 'kvm-x86 strict: PEBS stays off when its memory cannot be pinned' : defect,
  );
  return !strict;
}

function keep(vcpu: Vcpu, frames: readonly bigint[]): void {
  frames.forEach((frame, n) => {
    vcpu.set(slots(n), frame);
  });
}

/** Where the hardware finds the store while this guest runs: what the VM-entry list holds. */
export function storeArea(view: Pick<View, 'get' | 'settings'>): bigint {
  return hostOf(view).pebs === 'pin' ? view.get('DS_ENTRY') : view.get('IA32_DS_AREA');
}

/** PEBS_ENABLE was written. strict: what cannot be pinned is not enabled. */
export function enabled(vcpu: Vcpu, written: bigint, before: bigint): void {
  const { pebs, strict } = hostOf(vcpu);
  if (pebs !== 'pin') return;
  if (written === 0n) {
    release(vcpu);
    return;
  }
  if (written === before && !strict) {
    vcpu.note('PEBS_ENABLE was written with the value that it had: nothing is pinned again', DEFECTS.repin);
    return;
  }
  if (!pin(vcpu) && strict) {
    release(vcpu);
    vcpu.set('IA32_PEBS_ENABLE', 0n);
  }
}

/** DS_AREA was written. */
export function moved(vcpu: Vcpu, written: bigint): void {
  const { pebs, strict } = hostOf(vcpu);
  if (pebs !== 'pin') return;
  if (written !== 0n || strict) vcpu.set('DS_ENTRY', written);
  else if (vcpu.get('DS_ENTRY') !== 0n) {
    vcpu.note('DS_AREA is 0, and its entry stays in the list of VM entry', DEFECTS.stale);
  }
  if (vcpu.get('IA32_PEBS_ENABLE') === 0n) return;
  if (!strict) vcpu.note('DS_AREA was written while PEBS is on: nothing is pinned again', DEFECTS.repin);
  else enabled(vcpu, vcpu.get('IA32_PEBS_ENABLE'), 0n);
}

/** A selector was written: the host's event is created now, precise or not. */
export function selected(vcpu: Vcpu, counter: number): void {
  const { pebs, strict } = hostOf(vcpu);
  if (pebs !== 'pin' || strict) return;
  const bit = 1n << BigInt(counter);
  vcpu.set('PEBS_CHOSEN', (vcpu.get('PEBS_CHOSEN') & ~bit) | (vcpu.get('IA32_PEBS_ENABLE') & bit));
}
