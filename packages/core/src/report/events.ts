/** Every observable moment of a machine, named. Observers are told after the fact and can alter nothing that a guest sees. */
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
    /** Registers moved and control writes, in the order in which they happened. */
    readonly steps: readonly string[];
  };
  overflow: {
    readonly domain: string;
    readonly vcpu: number;
    readonly pc: bigint;
    readonly bank: 'pcpu' | 'vcpu';
    readonly counter: string;
    readonly icount: number;
    readonly line: boolean;
  };
  irq: {
    readonly domain: string;
    readonly vcpu: number;
    readonly pc: bigint;
    readonly exception: string;
    readonly icount: number;
  };
  exception: {
    readonly domain: string;
    readonly vcpu: number;
    readonly pc: bigint;
    readonly level: string;
    readonly exception: string;
    readonly address?: bigint;
    readonly icount: number;
  };
  console: { readonly domain: string; readonly byte: number };
  exit: { readonly domain: string; readonly reason: string; readonly status: number; readonly icount: number };
  /** Something a guest touched is not modelled: a code, a sentence and the remedy. */
  diagnostic: { readonly domain: string; readonly code: string; readonly message: string; readonly remedy: string };
}

export type EventName = keyof EventMap;
type Listener<Name extends EventName> = (event: EventMap[Name]) => void;

export class Events {
  readonly #listeners = new Map<EventName, Set<Listener<never>>>();

  /** Returns the way to stop listening. */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    let set = this.#listeners.get(name);
    if (set === undefined) {
      set = new Set();
      this.#listeners.set(name, set);
    }
    set.add(listener as Listener<never>);
    return () => void set.delete(listener as Listener<never>);
  }

  /** Is anybody listening? Callers ask before they build an event. */
  wanted(name: EventName): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  tell<Name extends EventName>(name: Name, event: EventMap[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) (listener as Listener<Name>)(event);
  }
}
