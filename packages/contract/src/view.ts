/** What the functions of an architecture see of a vCPU. */
import type { CpuModel } from './cpu.ts';
import type { AccessKind, Exception, Translation } from './isa.ts';
import type { PolicyName } from './policy.ts';

/** Reads only. Raw: no privilege, no traps, no effects. Counters come up to date. */
export interface View<Name extends string = string> {
  get(register: Name): bigint;
  field(register: Name, field: string): bigint;
  /** Index into the architecture's levels, lowest privilege first. */
  readonly level: number;
  readonly cpu: CpuModel;
  /** Position in its domain, from 0. */
  readonly index: number;
  /** vCPUs of the domain. */
  readonly siblings: number;
  readonly policy: PolicyName;
  /** Facts the policy and personality put before the guest, such as `vpmu` on or off. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** The domain's clock, cycles. */
  readonly now: bigint;
  /** Declared state of a device of this platform: the domain's, or this vCPU's where the row says `per: 'vcpu'`. */
  device<State extends object>(name: string, vcpu?: number): State;
  /** Where a virtual address leads, as an access of that kind at that level would find; nothing is changed. */
  translate(virtual: bigint, kind: AccessKind, level: number): Translation | Exception;
  /** Is this interrupt source of the platform's list asserted for this vCPU? Level, now. */
  line(source: string): boolean;
}

/** Raw writes as well: no checks, no traps, no `wrote`. What a change affects, core finds out from the register's row. */
export interface Vcpu<Name extends string = string> extends View<Name> {
  set(register: Name, value: bigint): void;
  /** Tells core that something outside a register's row changed: the architecture's own caches of it are stale. */
  changed(what: Affects): void;
  /** Adds to a counter as an event would: SW_INCR. Register name of the counter's value. */
  count(counter: Name, amount: number): void;
  /** Counts a signal at the present level. */
  emit(signal: string): void;
  /** For the trace: what the modelled hardware or hypervisor did that no access and no trap shows. `rule`: the quirk's name, or the manual's section. */
  note(what: string, rule: string): void;
  /** For the user, once for each sentence: a code, the sentence about this guest, and the remedy. */
  warn(code: string, message: string, remedy: string): void;
  /** Byte to the domain's console. */
  console(byte: number): void;
  /** Ask of the toolstack and of other vCPUs of the same domain. */
  readonly domain: DomainControl;
}

export interface DomainControl {
  /** The domain is over with this raw status. */
  exit(reason: 'poweroff' | 'reset' | 'crash', status: number): void;
  /** Starts a vCPU that is off: entry address and the value the platform hands it. False when it is on already. */
  start(vcpu: number, entry: bigint, argument: bigint): boolean;
  /** This vCPU goes off. */
  stop(): void;
  isOn(vcpu: number): boolean;
  /** The same vCPU handle for a sibling. */
  vcpu(index: number): Vcpu;
  /** This vCPU has nothing to do until an interrupt is pending. */
  wait(): void;
  /** Gives the rest of its turn away. */
  yield(): void;
  /** Guest-physical bytes of this domain; `undefined` outside its memory. */
  read(physical: bigint, length: number): Uint8Array | undefined;
  write(physical: bigint, bytes: Uint8Array): boolean;
}

/** What a register's value decides beside itself. */
export type Affects = 'translation' | 'level' | 'interrupts' | 'pmu' | 'decode';
