/**
 * What can be tested: something that runs guest code, lets its registers be read and written from outside, and can be stopped after exactly n
 * instructions. Our emulator is one (`emulator.ts`); a GDB stub on silicon could be another, with fewer capabilities: it says which it lacks and why,
 * and the checks that need them are absent with that reason. Everything may be asynchronous.
 */
import type { PolicyName, Signal } from '@countervisor/contract';

/** A value, at once or later. */
export type Maybe<T> = T | Promise<T>;

export type Capability =
  /** Registers of the hypervisor, and those that no instruction names, can be read and written from outside. */
  | 'raw'
  /** More than one policy, and exits that are counted. */
  | 'policies'
  /** More than one guest on a physical CPU, and context switches at chosen places. */
  | 'guests'
  | 'pcpus'
  /** Other CPU models and settings than its own. */
  | 'models'
  /** Costs of instructions and of the hypervisor can be set. */
  | 'costs'
  /** Signals are counted from outside. */
  | 'signals'
  /** Accesses, switches and overflows are told, with the rule that decided. */
  | 'events'
  | 'snapshot';

export interface GuestSetup {
  /** A flat image. */
  readonly code: Uint8Array;
  readonly policy: PolicyName;
  /** Default 1. */
  readonly vcpus?: number;
}

/** What to run. Everything has the target's own default. */
export interface Setup {
  readonly guests: readonly GuestSetup[];
  readonly cpu?: string;
  readonly cpuSettings?: Readonly<Record<string, string | number | boolean>>;
  /** Settings of every guest's domain. */
  readonly domain?: Readonly<Record<string, string | number | boolean>>;
  /** Instructions between two context switches. */
  readonly slice?: number;
  /** Instructions between two turns of the vCPUs of one guest. */
  readonly quantum?: number;
  readonly pcpus?: number;
  readonly costs?: Readonly<Record<string, { readonly backend?: number; readonly frontend?: number }>>;
  readonly hypervisor?: Readonly<
    Partial<Record<'trap' | 'switch', { readonly instructions: number; readonly cycles: number }>>
  >;
}

/** How far a guest is. */
export interface Progress {
  /** Retired instructions since power-on, all vCPUs together. */
  readonly instructions: number;
  readonly cycles: number;
  readonly level: string;
  readonly console: string;
  readonly ended: { readonly reason: string; readonly status: number } | undefined;
  /** Exits to the hypervisor by cause. */
  readonly exits: Readonly<Record<string, number>>;
  /** Level of the PMU's interrupt output. */
  readonly line: boolean;
}

/** Something that happened, in order. */
export type Moment =
  | {
      readonly kind: 'access';
      readonly guest: number;
      readonly register: string;
      readonly write: boolean;
      readonly level: string;
      readonly verdict: 'direct' | 'trapped' | 'undefined' | 'absent';
      /** The rule that decided, in words. */
      readonly rule: string;
      readonly value?: bigint;
      /** Instructions retired before it. */
      readonly at: number;
    }
  | { readonly kind: 'switch'; readonly from: string; readonly to: string; readonly steps: readonly string[] }
  | { readonly kind: 'overflow'; readonly guest: number; readonly counter: string; readonly at: number }
  | { readonly kind: 'diagnostic'; readonly guest: number; readonly code: string; readonly message: string };

/** One machine that was set up, and is powered on. Registers are those of a guest's first vCPU unless said. */
export interface Session {
  /** Runs every guest until it has retired this many instructions since power-on, or has ended. */
  run(until: number): Maybe<void>;
  get(register: string, guest?: number, vcpu?: number): Maybe<bigint>;
  /** From outside: no checks, no traps, no effects. */
  set(register: string, value: bigint, guest?: number): Maybe<void>;
  /** Everything that has a value, by name. */
  registers(guest?: number): Maybe<Readonly<Record<string, bigint>>>;
  progress(guest?: number): Maybe<Progress>;
  /** Puts code where flat images go, and PC to its first instruction. */
  place(code: Uint8Array, guest?: number): Maybe<void>;
  /** Guest-physical bytes. */
  memory(guest?: number): Maybe<Uint8Array>;
  /** Capability `signals`: what a guest has emitted since this was asked first, by level, lowest privilege first. */
  signals(guest?: number): Maybe<readonly Readonly<Record<Signal, number>>[]>;
  /** Capability `events`: from here on what happens is kept. */
  watch(): Maybe<void>;
  /** What has happened since the last time. */
  moments(): Maybe<readonly Moment[]>;
  /** Capability `snapshot`: plain data, that `restore` of a session of the same setup takes. */
  save(): Maybe<unknown>;
  restore(saved: unknown): Maybe<void>;
  /** The last retired instructions of a guest, the latest last, for messages. */
  last(count: number, guest?: number): Maybe<readonly string[]>;
}

export interface Target {
  readonly name: string;
  readonly lacks: Readonly<Partial<Record<Capability, string>>>;
  start(setup: Setup): Maybe<Session>;
}
