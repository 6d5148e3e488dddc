/**
 * What an architecture gives the conformance kit: its programs, a writer of machine code for neutral steps, how its PMU is used, and the manual's
 * facts a second time. Beside `programs` everything may be missing; the checks that need it are then absent, with that reason.
 */
import type { Address } from './address.ts';
import type { None } from './none.ts';
import type { Signal } from './pmu.ts';
import type { PolicyName } from './policy.ts';
import type { Programs } from './program.ts';
import type { PmuRole } from './register.ts';

/** One thing that guest code does. A list of them is straight-line code: every instruction of it retires once, in order, unless one is stopped. */
export type Step =
  /** Instructions that do nothing. */
  | { readonly do: 'nop'; readonly times: number }
  /** Reads a register by its address into `CodeWriter.value`: with the last instruction. */
  | { readonly do: 'read'; readonly from: Address }
  /** Copies `CodeWriter.value` to `CodeWriter.slots[slot]`: one instruction. */
  | { readonly do: 'keep'; readonly slot: number }
  /**
   * Loads a value and writes it to a register by its address. The write is the last instruction. With `bits` the register is read first, and its other
   * bits stay as they are; that needs to be done only for the registers that `PmuUse` writes so.
   */
  | { readonly do: 'write'; readonly to: Address; readonly value: bigint; readonly bits?: bigint }
  /** Goes on at a lower level. */
  | { readonly do: 'level'; readonly level: string }
  /**
   * From here on whatever the guest takes (exception or interrupt) ends the domain by way of its handler: `CodeWriter.caught` holds the address it would
   * have returned to, and 0 before.
   */
  | { readonly do: 'catch' }
  /** The PMU's interrupt is let through, from behind the last instruction on. Stands behind `catch`. */
  | { readonly do: 'interrupts' }
  /** One instruction that does its work this many times, and can be stopped between two of them. Where there are such. */
  | { readonly do: 'repeat'; readonly times: number }
  /** A call to its own kernel: taken behind `catch`. One instruction, which retires. */
  | { readonly do: 'exception' }
  /** A hypercall. The call is the last instruction; the result is in the register of the convention. */
  | { readonly do: 'call'; readonly number: bigint; readonly arguments: readonly bigint[] }
  /** Ends the domain, content. At the lowest level it stands behind `catch`, which does it. */
  | { readonly do: 'end' };

/** Where the machine code of a step stands. */
export interface StepPlace {
  readonly at: bigint;
  /** Instructions before it. */
  readonly before: number;
  /** Instructions of it. */
  readonly instructions: number;
}

export interface Code {
  /** A flat image for the place where the platform puts one. */
  readonly bytes: Uint8Array;
  /** One for each step. */
  readonly places: readonly StepPlace[];
}

export interface CodeWriter<Register extends string = string> {
  /** Where `read` leaves what it read. */
  readonly value: Register;
  /** General registers that no step but `keep` touches: at least four. */
  readonly slots: readonly Register[];
  readonly caught: Register;
  /** Is there an instruction that reads, or writes, what has this address? */
  reaches(address: Address, write: boolean): boolean;
  /** Why there is no `repeat`. */
  readonly repeats: true | None;
  write(steps: readonly Step[]): Code;
}

/** Guest writes, in order. With `bits` these bits of the register are written, and the others stay. */
export type GuestWrites<Register extends string = string> = readonly (readonly [
  register: Register,
  value: bigint,
  bits?: bigint,
])[];

/** How guest code uses the PMU. Each list of writes changes what it says and nothing else. */
export interface PmuUse<Register extends string = string, Level extends string = string> {
  /** Positions in `Pmu.counters` of those that can count any event (or such as `can` says), in order; the first two are neighbours where there are carries. */
  readonly counters: readonly number[];
  /** Can this counter count that event on that CPU model? Default: each one any. */
  readonly can?: (counter: number, event: number, cpu: string) => boolean;
  /** Those whose event is fixed, and its number. */
  readonly fixed: Readonly<Record<number, number>>;
  /** Nothing runs, nothing has overflowed, nothing interrupts, nothing is filtered. */
  readonly quiet: GuestWrites<Register>;
  /** Counter n counts this event (not for fixed ones), except at these levels. */
  select(counter: number, event: number, except?: readonly Level[]): GuestWrites<Register>;
  /** Level that is counted only on request, and the request: the hypervisor's. */
  include(counter: number, event: number): GuestWrites<Register>;
  /** The register that a guest reads and writes the count by. */
  value(counter: number): Register;
  /** Enables counters; they run once `start` has been written. */
  enable(counters: readonly number[]): GuestWrites<Register>;
  disable(counters: readonly number[]): GuestWrites<Register>;
  readonly start: GuestWrites<Register>;
  readonly stop: GuestWrites<Register>;
  interrupt(counters: readonly number[]): GuestWrites<Register>;
  /** The interrupt is an edge, at the overflow: turning it on later brings none, and no status holds it. */
  readonly edge?: true;
  /** The register that tells of overflows, and a counter's bit in it. */
  readonly status: Register;
  bit(counter: number): bigint;
  /** Forgets overflows. */
  clear(counters: readonly number[]): GuestWrites<Register>;
  /** Software increments, and the event that counts them. */
  readonly increment?: { readonly event: number; by(counters: readonly number[]): GuestWrites<Register> };
  /** The event that counts the carries of the neighbour below. */
  readonly carry?: number;
  /** What makes a counter, started by this, count every n-th event alone. */
  readonly divides?: readonly {
    readonly counter: number;
    readonly start: GuestWrites<Register>;
    readonly by: number;
  }[];
  /** Where counters overflow, by CPU model and by what starts them. */
  readonly overflows: readonly {
    readonly cpu: string;
    /** Instead of `start`. */
    readonly start?: GuestWrites<Register>;
    /** Of the carry that is an overflow. */
    readonly bits: number;
    /** For these counters alone. Default: all that can count any event. */
    readonly of?: readonly number[];
  }[];
  /** Register that holds the address of the instruction behind the last overflow. */
  readonly sample?: Register;
}

/** What the manual says of a register, in the manual's terms: written apart from the table that the emulator runs on. */
export interface RegisterFacts {
  /** Lowest level that may read it, and write it, while no control stops it. */
  readonly levels: readonly [read: string, write: string];
  /** After power-on. 'unknown': the loud pattern in the bits that are stored. Absent: it follows time or something else that moves. */
  readonly reset?: bigint | 'unknown';
  /** What a write does to each bit; bits in none of these read as 0 whatever is written. */
  readonly plain?: bigint;
  readonly sets?: bigint;
  readonly clears?: bigint;
  readonly keeps?: bigint;
  readonly ones?: bigint;
  /** A 1 here is refused: the write is undefined. */
  readonly refuses?: bigint;
  /** A value that would leave no bit set is refused. */
  readonly nonzero?: true;
  /** The register that stores its bits, where it is not this one. */
  readonly of?: string;
  /** Why writing it is not just storing: then what a write does is not looked at here. */
  readonly acts?: string;
  /** Bits that are never set beforehand: with them a guest would not come as far as the access. */
  readonly apart?: bigint;
  /** A value that can be written without harm. Default: what it holds after power-on. */
  readonly value?: bigint;
  /** Its value is made when it is read, so it cannot be put there from outside. */
  readonly made?: true;
  /** What it is made of, where it moves: its value, from those of other registers at the same moment. */
  readonly shows?: { readonly of: readonly string[]; value(...values: readonly bigint[]): bigint };
  /** It is not there, and that comes before every control: no access to it is trapped by any. */
  readonly nowhere?: true;
  /** Controls that can stop an access, in the order in which they are asked. */
  readonly controls?: readonly string[];
  readonly role?: PmuRole;
  /** Feature without which it is not there. */
  readonly needs?: string;
}

/** Something that can stop an access: bits of a register. */
export interface Control {
  readonly register: string;
  /** It stops accesses while all of these bits are set, or while all of them are clear. */
  readonly bits: bigint;
  readonly while: 'set' | 'clear';
  /** Levels whose accesses it stops. */
  readonly levels: readonly string[];
  /** It stops reads or writes alone. */
  readonly stops?: 'read' | 'write';
  /** Who gets the access. */
  readonly to: 'hypervisor' | 'kernel' | 'undefined';
  /** What the explanation of a decision says of it. Default: its name. */
  readonly named?: string;
}

export interface PolicyFacts {
  /** The hypervisor's controls that are on while a guest under this policy runs. */
  readonly controls: readonly string[];
  readonly pmu: 'performed' | 'undefined';
  /** Controls of the guest's own kernel that have no say under it. */
  readonly ignores?: readonly string[];
}

/** A CPU model, its settings and those of the domain, as a host and a domain's file say them. */
export interface Model {
  readonly cpu: string;
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly domain?: Readonly<Record<string, string | number | boolean>>;
}

/** Hypercalls as their specification has them. */
export interface CallFacts {
  readonly number: bigint;
  readonly arguments: readonly bigint[];
  /** The result, or how the domain ends. */
  readonly answers:
    | bigint
    | {
        readonly ends: string;
        readonly status: number;
        /** The result that it finds, were it woken. */
        readonly woken?: bigint;
      };
}

/** The model stands for what `registers` tells of, and every guest of the checks runs on it unless a check needs another one. */
export interface Manual extends Model {
  readonly registers: Readonly<Record<string, RegisterFacts>>;
  /** What other models have otherwise. */
  readonly models: readonly (Model & { readonly registers: Readonly<Record<string, Partial<RegisterFacts>>> })[];
  readonly controls: Readonly<Record<string, Control>>;
  /** What a policy turns on of the hypervisor's controls, and what becomes of a trapped access to the PMU. */
  readonly policies: Readonly<Partial<Record<PolicyName, PolicyFacts>>>;
  /** What each event's number counts. */
  readonly events: Readonly<Record<number, readonly Signal[]>>;
  /** The first is restored before the second, and saved behind it. */
  readonly order: readonly (readonly [before: string, after: string])[];
  /** Every register that travels. */
  readonly carried: readonly string[];
  /** What stands between a guest's counters and counting: each is shut before they are saved. Default: nobody says. */
  readonly freezes?: readonly string[];
  readonly calls: readonly CallFacts[];
}

export interface Conformance<Register extends string = string, Level extends string = string> {
  readonly programs: Programs<Register>;
  readonly code?: CodeWriter<Register>;
  readonly use?: PmuUse<Register, Level>;
  readonly manual?: Manual;
  /** Without a manual: what the tables alone cannot tell, such as which events the default model has; said here, it replaces what they say. */
  readonly facts?: Pick<Partial<Manual>, 'cpu' | 'events' | 'registers'>;
  /** What becomes of a kernel's access to a register that the CPU lacks: it is undefined (default), or it does nothing and retires. */
  readonly missing?: 'undefined' | 'ignored';
}
