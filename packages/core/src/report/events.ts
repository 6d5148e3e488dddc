/**
 * Every observable moment of a machine, named. Observers are told after the fact and can alter nothing that a guest sees: they get frozen data and no
 * handle; while one is told, core's doors that change anything are shut (`Events.refuse`); what it throws comes out when the turn is over.
 */

import { fail } from './errors.ts';
import { near } from './near.ts';

export interface EventMap {
  /** A guest's register access was decided and done. */
  access: {
    readonly domain: string;
    readonly vcpu: number;
    readonly pc: bigint;
    readonly level: string;
    readonly register: string;
    readonly write: boolean;
    /** The value read or written; absent when the access did not happen. */
    readonly value?: bigint;
    readonly verdict: 'direct' | 'trapped' | 'undefined' | 'absent';
    /** The rule that decided, with the manual's or the system's place. */
    readonly rule: string;
    readonly icount: number;
  };
  trap: {
    readonly domain: string;
    readonly vcpu: number;
    readonly pc: bigint;
    readonly level: string;
    readonly cause: string;
    readonly to: 'hypervisor' | 'guest';
    readonly register?: string;
    readonly outcome: string;
    readonly rule: string;
    readonly icount: number;
  };
  switch: {
    readonly pcpu: number;
    readonly from: string;
    readonly to: string;
    readonly icount: number;
    /** Registers moved, control writes and hooks, in the order in which they happened. */
    readonly steps: readonly string[];
    /** What the policies of who leaves and who comes make of the registers. */
    readonly rule: string;
  };
  overflow: {
    readonly domain: string;
    readonly vcpu: number;
    readonly pc: bigint;
    readonly bank: 'pcpu' | 'vcpu';
    readonly counter: string;
    readonly icount: number;
    readonly line: boolean;
    readonly rule: string;
  };
  irq: {
    readonly domain: string;
    readonly vcpu: number;
    readonly pc: bigint;
    readonly exception: string;
    readonly icount: number;
    /** The sources that are asserted. */
    readonly rule: string;
  };
  exception: {
    readonly domain: string;
    readonly vcpu: number;
    readonly pc: bigint;
    readonly level: string;
    readonly exception: string;
    readonly address?: bigint;
    readonly icount: number;
    /** Why it is taken. */
    readonly rule: string;
  };
  /** What no access and no trap shows: a record that was lost, a page that was pinned. */
  note: {
    readonly domain: string;
    readonly vcpu: number;
    readonly pc: bigint;
    readonly what: string;
    readonly icount: number;
    readonly rule: string;
  };
  console: { readonly domain: string; readonly byte: number };
  exit: { readonly domain: string; readonly reason: string; readonly status: number; readonly icount: number };
  /** Something a guest touched is not modelled: a code, a sentence and the remedy. */
  diagnostic: { readonly domain: string; readonly code: string; readonly message: string; readonly remedy: string };
}

export type EventName = keyof EventMap;
export type Listener<Name extends EventName> = (event: EventMap[Name]) => void;

type One<Value> = Value | readonly Value[];
/** Members that an event must have: this value, or one of these. */
export type Filter<Name extends EventName> = {
  readonly [Member in Exclude<keyof EventMap[Name], 'steps'>]?: One<Exclude<EventMap[Name][Member], undefined>>;
};

/** The members of each event that a filter may name. */
const MEMBERS: { readonly [Name in EventName]: Readonly<Record<Exclude<keyof EventMap[Name], 'steps'>, 0>> } = {
  access: { domain: 0, vcpu: 0, pc: 0, level: 0, register: 0, write: 0, value: 0, verdict: 0, rule: 0, icount: 0 },
  trap: { domain: 0, vcpu: 0, pc: 0, level: 0, cause: 0, to: 0, register: 0, outcome: 0, rule: 0, icount: 0 },
  switch: { pcpu: 0, from: 0, to: 0, icount: 0, rule: 0 },
  overflow: { domain: 0, vcpu: 0, pc: 0, bank: 0, counter: 0, icount: 0, line: 0, rule: 0 },
  irq: { domain: 0, vcpu: 0, pc: 0, exception: 0, icount: 0, rule: 0 },
  exception: { domain: 0, vcpu: 0, pc: 0, level: 0, exception: 0, address: 0, icount: 0, rule: 0 },
  note: { domain: 0, vcpu: 0, pc: 0, what: 0, icount: 0, rule: 0 },
  console: { domain: 0, byte: 0 },
  exit: { domain: 0, reason: 0, status: 0, icount: 0 },
  diagnostic: { domain: 0, code: 0, message: 0, remedy: 0 },
};

export const EVENTS: readonly EventName[] = Object.keys(MEMBERS) as EventName[];

interface Ear {
  readonly listener: (event: never) => void;
  readonly filter: readonly (readonly [member: string, values: readonly unknown[]])[];
}

export class Events {
  readonly #ears = new Map<EventName, readonly Ear[]>();
  readonly #known: Readonly<Record<string, Iterable<string>>>;
  #telling: EventName | undefined;
  #failed: { readonly error: unknown } | undefined;

  /** @param known for members that name something: all names that there are, so that a filter for a misspelt one is refused */
  constructor(known: Readonly<Record<string, Iterable<string>>> = {}) {
    this.#known = known;
  }

  /**
   * Returns the way to stop listening. With a filter, only events whose members have these values are told.
   * @throws CV_UNKNOWN_NAME for an event, a member or a name that there is not
   */
  on<Name extends EventName>(name: Name, listener: Listener<Name>, filter: Filter<Name> = {}): () => void {
    this.#check('events.on', 'event', name, EVENTS);
    const where = `the filter of '${name}'`;
    const wanted = Object.entries(filter).map(([member, value]) => {
      this.#check(where, 'member', member, Object.keys(MEMBERS[name]));
      const values: readonly unknown[] = Array.isArray(value) ? value : [value];
      const known = this.#known[member];
      if (known !== undefined) for (const one of values) this.#check(where, member, String(one), [...known]);
      return [member, values] as const;
    });
    const ear: Ear = { listener: listener as Ear['listener'], filter: wanted };
    this.#ears.set(name, [...(this.#ears.get(name) ?? []), ear]);
    return () => this.#drop(name, ear);
  }

  #check(where: string, kind: string, name: string, known: readonly string[]): void {
    if (known.includes(name)) return;
    throw fail('CV_UNKNOWN_NAME', { where, kind, name: `'${name}'`, near: near(name, known), known });
  }

  #drop(name: EventName, ear: Ear): void {
    this.#ears.set(
      name,
      (this.#ears.get(name) ?? []).filter((one) => one !== ear),
    );
  }

  /** Is anybody listening? Callers ask before they build an event. */
  wanted(name: EventName): boolean {
    return (this.#ears.get(name)?.length ?? 0) > 0;
  }

  /** Those who listened when it began are told, in the order in which they came. One that throws is told nothing more. */
  tell<Name extends EventName>(name: Name, event: EventMap[Name]): void {
    const ears = this.#ears.get(name);
    if (ears === undefined || ears.length === 0) return;
    if ('steps' in event) Object.freeze(event.steps);
    Object.freeze(event);
    const before = this.#telling;
    this.#telling = name;
    try {
      for (const ear of ears) {
        if (!ear.filter.every(([member, values]) => values.includes((event as Record<string, unknown>)[member])))
          continue;
        try {
          (ear.listener as Listener<Name>)(event);
        } catch (error) {
          this.#drop(name, ear);
          this.#failed ??= { error };
        }
      }
    } finally {
      this.#telling = before;
    }
  }

  /** The event that is being told. */
  get telling(): EventName | undefined {
    return this.#telling;
  }

  /** For everything that changes what a guest can see. @throws CV_OBSERVER while an event is told */
  refuse(what: string): void {
    if (this.#telling !== undefined) throw fail('CV_OBSERVER', { event: this.#telling, what });
  }

  /** Core's own work in the middle of a tale, such as a count that an observer's question brings up to date. */
  apart<Result>(work: () => Result): Result {
    const before = this.#telling;
    this.#telling = undefined;
    try {
      return work();
    } finally {
      this.#telling = before;
    }
  }

  /** Throws the first error of a listener since the last time. Called where a turn is over, so that no guest is stopped half-way. */
  settle(): void {
    const failed = this.#failed;
    this.#failed = undefined;
    if (failed !== undefined) throw failed.error;
  }
}
