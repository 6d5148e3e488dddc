/**
 * Exceptions and interrupts of a guest: vectors and error codes, exceptions while one is delivered, and those that core itself can need.
 * Intel SDM volume 3, chapter 6; table 6-5 (double faults).
 */
import { type AccessKind, CountervisorError, type Exception, type Vcpu, type View } from '@countervisor/contract';
import { acknowledge, acknowledgeNmi } from '../platform/lapic.ts';
import { NO_SHADOW } from '../registers/control.ts';
import { faultingAccess } from './access.ts';
import { type ExceptionName, faultOf, VECTORS } from './calls.ts';
import { attempt, IMPLICIT, tables } from './draft.ts';
import { deliver, type Event } from './interrupts.ts';
import { PF, walk } from './mmu.ts';
import { isProtected } from './segments.ts';

/** What entering takes from the name alone. */
interface Kind {
  /** Pushes an error code, in protected mode. */
  readonly error?: true;
  /** A fault: the instruction did not happen, and may run again. Others are traps or come from outside. */
  readonly fault?: true;
  /** Together with another one it becomes a double fault. */
  readonly class?: 'contributory' | 'page';
}

export const kinds: Readonly<Record<ExceptionName, Kind>> = {
  '#DE': { fault: true, class: 'contributory' },
  '#DB': {},
  NMI: {},
  '#BP': {},
  '#OF': {},
  '#BR': { fault: true },
  '#UD': { fault: true },
  '#NM': { fault: true },
  '#DF': { error: true, fault: true },
  '#TS': { error: true, fault: true, class: 'contributory' },
  '#NP': { error: true, fault: true, class: 'contributory' },
  '#SS': { error: true, fault: true, class: 'contributory' },
  '#GP': { error: true, fault: true, class: 'contributory' },
  '#PF': { error: true, fault: true, class: 'page' },
  '#MF': { fault: true },
  '#AC': { error: true, fault: true },
  '#MC': {},
  '#XM': { fault: true },
};

/** One exception on its way in. */
interface Incoming {
  readonly name: ExceptionName | 'INTR';
  readonly vector: bigint;
  readonly error: bigint;
  readonly address?: bigint;
}

function named(name: ExceptionName, error: bigint, address: bigint | undefined): Incoming {
  return { name, vector: BigInt(VECTORS[name]), error, ...(address !== undefined && { address }) };
}

function incoming(vcpu: Vcpu, exception: Exception): Incoming {
  const { kind, syndrome = 0n, address } = exception;
  if (kind === 'fault') {
    const found = faultOf(syndrome);
    return named(found.name, found.error, found.name === '#PF' ? vcpu.get('FAULT_ADDRESS') : undefined);
  }
  if (kind === 'INTR') return { name: 'INTR', vector: syndrome & 0xffn, error: 0n };
  if (!Object.hasOwn(VECTORS, kind)) {
    throw new CountervisorError(
      'CV_UNKNOWN_EXCEPTION',
      `x86 knows no exception '${kind}'.`,
      'Add its vector to VECTORS in packages/x86/src/isa/calls.ts, and a row to `kinds` in exceptions.ts.',
    );
  }
  if (address !== undefined && (kind === '#GP' || kind === '#PF')) {
    const access = faultingAccess(vcpu, address, (linear) => codeByte(vcpu, linear));
    // A linear address that is not canonical: #SS where the instruction addressed its stack.
    if (kind === '#GP' && access.stack) return named('#SS', 0n, undefined);
    if (kind === '#PF') return named('#PF', access.writes ? syndrome | PF.WR : syndrome, address);
  }
  return named(kind as ExceptionName, syndrome, undefined);
}

/** A byte of the guest's code. */
function codeByte(vcpu: Vcpu, linear: bigint): number | undefined {
  const found = walk(vcpu, linear, 'fetch', { ...IMPLICIT, user: vcpu.get('CPL') === 3n }, tables(vcpu));
  return 'kind' in found ? undefined : vcpu.domain.read(found.physical, 1)?.[0];
}

function eventOf(vcpu: Vcpu, what: Incoming): Event {
  const kind = what.name === 'INTR' ? {} : kinds[what.name];
  return {
    vector: what.vector,
    error: kind.error === true && isProtected(vcpu) ? what.error : undefined,
    software: false,
    next: vcpu.get('RIP'),
    resume: kind.fault === true,
  };
}

/** Table 6-5: what two exceptions in a row make. `undefined`: the third of its kind, after which the CPU shuts down. */
export function combine(first: ExceptionName | 'INTR', second: ExceptionName): 'second' | 'double' | undefined {
  const before = first === 'INTR' ? undefined : kinds[first].class;
  const after = kinds[second].class;
  if (first === '#DF') return after === undefined ? 'second' : undefined;
  if (before === 'contributory') return after === 'contributory' ? 'double' : 'second';
  if (before === 'page') return after === undefined ? 'second' : 'double';
  return 'second';
}

/** What the event does before its handler is entered. */
function prepare(vcpu: Vcpu, what: Incoming): void {
  if (what.name === 'INTR') acknowledge(vcpu, Number(what.vector));
  if (what.name === 'NMI') {
    acknowledgeNmi(vcpu);
    vcpu.set('NMI_BLOCKED', 1n);
  }
  if (what.name === '#DB') vcpu.set('DR6', vcpu.get('DR6') | what.error);
}

/** Takes an exception: RIP holds the address that the handler must find saved. */
export function take(vcpu: Vcpu, exception: Exception): void {
  let what = incoming(vcpu, exception);
  prepare(vcpu, what);
  // Without CR4.MCE a machine check shuts the CPU down (volume 3, 15.8).
  if (what.name === '#MC' && (vcpu.get('CR4') & 0x40n) === 0n) {
    shutdown(vcpu);
    return;
  }
  for (;;) {
    if (what.name === '#PF') vcpu.set('CR2', what.address ?? 0n);
    const event = eventOf(vcpu, what);
    const failed = attempt(vcpu, (draft) => deliver(draft, event));
    if (failed === 0n) break;
    const found = faultOf(failed);
    const second = named(found.name, found.error, vcpu.get('FAULT_ADDRESS'));
    const both = combine(what.name, found.name);
    if (both === undefined) {
      shutdown(vcpu);
      return;
    }
    if (both === 'double' && second.name === '#PF') vcpu.set('CR2', second.address ?? 0n);
    what = both === 'double' ? named('#DF', 0n, undefined) : second;
  }
  vcpu.set('RIP', vcpu.get('TARGET'));
  if (vcpu.get('SHADOW') !== NO_SHADOW) {
    vcpu.set('SHADOW', NO_SHADOW);
    vcpu.set('SHADOW_SINCE', 0n);
  }
}

/** A fault while a double fault is delivered: the board resets the machine. */
function shutdown(vcpu: Vcpu): void {
  vcpu.domain.exit('reset', TRIPLE_FAULT);
}

/** Raw status of a domain that ended by a triple fault: what a VMX exit calls it (volume 3, appendix C). */
export const TRIPLE_FAULT = 2;

/** The exceptions that core itself can need. */
export const faults = {
  undefined(): Exception {
    return { kind: '#UD' };
  },
  /** RDMSR, WRMSR and RDPMC of what is not there are #GP; control and debug registers without a name are #UD. */
  register(view: View, access: { readonly space: string; readonly index: number; readonly write: boolean }): Exception {
    const { space, index } = access;
    const aliases = space === 'dr' && (index === 4 || index === 5) && view.field('CR4', 'DE') === 1n;
    const nameless = (space === 'cr' && ![0, 2, 3, 4, 8].includes(index)) || (space === 'dr' && index > 7) || aliases;
    return nameless ? { kind: '#UD' } : { kind: '#GP', syndrome: 0n };
  },
  alignment(_view: View, address: bigint): Exception {
    return { kind: '#AC', syndrome: 0n, address };
  },
  /** A PC's bus reads as ones where nobody answers, and loses writes; core has said so by name. Code that is not there is a machine check. */
  bus(_view: View, address: bigint, _physical: bigint, kind: AccessKind): Exception | undefined {
    return kind === 'fetch' ? { kind: '#MC', address } : undefined;
  },
} as const;
