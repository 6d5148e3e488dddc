/**
 * A bank of counters, of a physical CPU or of a vCPU: which of its counters are armed, what each adds when signals are folded in, and how far the
 * next overflow is. The registers themselves are in the vCPU's block; nothing here is guest state but the remainders of clock dividers and
 * which control was last looked at.
 */
import { type Counted, isNone, type PmuEvent, type Sampling, type Signal } from '@countervisor/contract';
import type { Handle } from '../handle.ts';
import { AFFECTS, type CompiledArch, type CompiledCounter, type CompiledRegister } from '../load/compile.ts';
import { SIGNAL_INDEX, type SignalClasses } from './classes.ts';
import { cyclesOver, type Threshold } from './threshold.ts';

interface Armed {
  readonly counter: CompiledCounter;
  /** Word index of its value. */
  readonly at: number;
  readonly weights: readonly (readonly [signal: number, amount: number])[];
  readonly width: number;
  readonly overflowWidth: number;
  readonly divisor: number;
  /** Counts the carries of this counter. */
  readonly carries: number | undefined;
  readonly threshold: Threshold | undefined;
  /** Its next event is recorded. */
  readonly sampled: boolean;
}

interface Remembered {
  readonly level: number;
  readonly held: Int32Array;
  readonly armed: Armed[];
}

const TWO32 = 4294967296;
/** The most of a rare signal that one instruction emits: sixteen bytes moved one by one. */
const RARE = 16;
/** A rare signal nearer to its overflow than this is watched instruction by instruction. */
const NEAR = 4096;

/** Lists of armed counters that are remembered: with an overflow and without, at two levels. */
const REMEMBERED = 4;

const INSTRUCTION = SIGNAL_INDEX.instruction;
const PER_INSTRUCTION: ReadonlySet<number> = new Set([
  SIGNAL_INDEX.instruction,
  SIGNAL_INDEX.cycle,
  SIGNAL_INDEX['stall-backend'],
  SIGNAL_INDEX['stall-frontend'],
]);

/** Registers that decide what counts: those whose change makes core ask again. */
function decidingOf(arch: CompiledArch): readonly CompiledRegister[] {
  let found = deciding.get(arch);
  if (found === undefined) {
    found = arch.registers.filter(({ row: { role }, home, affects }) => {
      const pmu = role !== undefined && role !== 'identity' && role !== 'counter';
      return pmu || home === 'pcpu' || (affects & AFFECTS.pmu) !== 0;
    });
    deciding.set(arch, found);
  }
  return found;
}
const deciding = new WeakMap<CompiledArch, readonly CompiledRegister[]>();

/** Banks that remember: the others, of which there may be ten thousand, keep nothing. */
const MOST_REMEMBERING = 16;
/** Weakly, so that they keep no machine alive. */
const remembering: WeakRef<Bank>[] = [];

export class Bank {
  readonly kind: 'pcpu' | 'vcpu';
  readonly #arch: CompiledArch;
  #armed: Armed[] = [];
  /** Remainders of clock dividers, by counter; of a counter with a threshold, 1 when its last cycle was one that it counts. */
  readonly remainders: number[];
  /** Counters that the present instruction wrote: they do not count it (counting rule 3). */
  readonly #written: Set<number> = new Set();
  /** What the present instruction adds by software: counter → amount. */
  readonly #added = new Map<number, number>();
  readonly #sampling: Sampling | undefined;
  /** What the counters did at the last boundary that is of interest to whoever samples. */
  readonly counted: Counted[] = [];
  /** Instructions that surely cause no overflow, and signals that may at their next occurrence. */
  budget: number = Number.POSITIVE_INFINITY;
  critical = 0;
  /** So many critical signals, one with the other, surely cause no overflow. */
  rare: number = Number.POSITIVE_INFINITY;

  readonly #deciding: readonly CompiledRegister[];
  /** What they held, and what was armed then; the latest first. All of one view. */
  #remembered: Remembered[] = [];
  #view: Handle | undefined;
  #words: readonly number[] = [];

  constructor(kind: 'pcpu' | 'vcpu', arch: CompiledArch) {
    this.kind = kind;
    this.#arch = arch;
    const { sampling } = arch.arch;
    this.#sampling = isNone(sampling) ? undefined : sampling;
    this.remainders = new Array<number>(arch.counters.length).fill(0);
    this.#deciding = decidingOf(arch);
  }

  get armed(): number {
    return this.#armed.length;
  }

  /** Signals that some armed counter counts, bit per signal. */
  get signals(): number {
    let signals = 0;
    for (const { weights } of this.#armed) for (const [signal] of weights) signals |= 1 << signal;
    return signals;
  }

  wrote(counter: number): void {
    this.#written.add(counter);
  }

  /** What was written between two instructions is no instruction's own: the next one counts. */
  between(): void {
    this.#written.clear();
    this.#added.clear();
  }

  add(counter: number, amount: number): void {
    this.#added.set(counter, (this.#added.get(counter) ?? 0) + amount);
  }

  /** What counts depends on something that no register holds, and that has changed. */
  forget(): void {
    this.#remembered = [];
  }

  /** The event a counter counts now, if it counts at this level. */
  counting(view: Handle, counter: CompiledCounter, level: number): PmuEvent | undefined {
    if (!counter.exists || !this.#arch.arch.pmu.exists(view, counter.index)) return undefined;
    if (!counter.row.counting(view, level)) return undefined;
    const id = counter.row.event(view);
    return id === undefined ? undefined : this.#arch.events.get(id);
  }

  #unlearn(): void {
    this.#view = undefined;
    this.#words = [];
    this.#remembered = [];
  }

  /** What stood in the deciding registers when they held what they hold now. */
  #recall(view: Handle, level: number): Remembered | undefined {
    if (this.#view !== view) {
      this.#view = view;
      this.#remembered = [];
      if (!remembering.some((one) => one.deref() === this)) {
        remembering.push(new WeakRef(this));
        const eldest = remembering.length > MOST_REMEMBERING ? remembering.shift()?.deref() : undefined;
        if (eldest !== undefined) eldest.#unlearn();
      }
      this.#words = this.#deciding.map((register) => view.wordOf(register));
    }
    const { words: m } = view.v.domain.memory;
    const words = this.#words;
    return this.#remembered.find((one) => {
      if (one.level !== level) return false;
      for (let i = 0; i < words.length; i++) {
        const at = words[i] as number;
        if (one.held[2 * i] !== m[at] || one.held[2 * i + 1] !== m[at + 1]) return false;
      }
      return true;
    });
  }

  /** Asks every counter whether it counts at this level, and finds its value's words. */
  arm(view: Handle, level: number): void {
    const known = this.#recall(view, level);
    if (known !== undefined) {
      this.#armed = known.armed;
      // What is armed for a sample is no register's to say.
      const asked = this.#sampling?.armed;
      if (asked !== undefined) {
        this.#armed = known.armed.map((a) => ({ ...a, sampled: asked(view, a.counter.index) }));
      }
      return;
    }
    this.#ask(view, level);
    const { words: m } = view.v.domain.memory;
    const held = Int32Array.from(this.#words.flatMap((at) => [m[at] as number, m[at + 1] as number]));
    this.#remembered = [{ level, held, armed: this.#armed }, ...this.#remembered.slice(0, REMEMBERED - 1)];
  }

  #ask(view: Handle, level: number): void {
    this.#armed = [];
    for (const counter of this.#arch.counters) {
      const event = this.counting(view, counter, level);
      if (event === undefined) continue;
      this.#armed.push(this.#entry(view, counter, event));
    }
  }

  #entry(view: Handle, counter: CompiledCounter, event: PmuEvent): Armed {
    const amounts = new Map<number, number>();
    for (const signal of event.counts) {
      if (signal === 'carry' || signal === 'increment') continue;
      const index = SIGNAL_INDEX[signal as Signal];
      amounts.set(index, (amounts.get(index) ?? 0) + 1);
    }
    return {
      counter,
      at: view.wordOf(counter.value),
      weights: [...amounts],
      width: counter.row.width(view),
      overflowWidth: counter.row.overflowWidth(view),
      divisor: counter.row.divisor?.(view) ?? 1,
      carries: event.counts.includes('carry') ? counter.row.neighbour : undefined,
      threshold: counter.row.threshold?.(view),
      sampled: this.#sampling?.armed?.(view, counter.index) ?? false,
    };
  }

  /**
   * Adds what has happened to every armed counter, in the order of the list, so that a carry reaches its neighbour at the same boundary
   * (counting rule 7). Only at an instruction's boundary do its own writes and software increments take part. Calls `overflowed` for each that wrapped. Returns whether any did.
   */
  fold(
    m: Int32Array,
    signals: Float64Array,
    boundary: boolean,
    overflowed: (counter: CompiledCounter) => void,
  ): boolean {
    let any = false;
    let carried: Map<number, number> | undefined;
    for (const a of this.#armed) {
      const { index } = a.counter;
      let amount = 0;
      if (!this.#written.has(index)) {
        for (const [signal, weight] of a.weights) amount += (signals[signal] as number) * weight;
        if (a.threshold !== undefined) {
          const over = cyclesOver(a.threshold, a.weights, signals, this.remainders[index] === 1);
          amount = over.amount;
          this.remainders[index] = over.held ? 1 : 0;
        } else if (a.divisor > 1) {
          const all = (this.remainders[index] as number) + amount;
          this.remainders[index] = all % a.divisor;
          amount = Math.floor(all / a.divisor);
        }
        if (a.carries !== undefined) amount += carried?.get(a.carries) ?? 0;
        if (boundary) amount += this.#added.get(index) ?? 0;
      }
      if (amount === 0) continue;
      const wraps = increase(m, a, amount);
      if (boundary && (a.sampled || wraps > 0) && this.#sampling?.boundary !== undefined) {
        this.counted.push({ counter: index, amount, wrapped: wraps > 0, armed: a.sampled });
      }
      if (wraps === 0) continue;
      any = true;
      if (a.overflowWidth === 32) {
        carried ??= new Map<number, number>();
        carried.set(index, wraps);
      }
      overflowed(a.counter);
    }
    if (boundary) {
      if (this.#written.size > 0) this.#written.clear();
      if (this.#added.size > 0) this.#added.clear();
    }
    return any;
  }

  /** Adds what happened at another level than the one that is armed: the hypervisor's own work. */
  charge(
    view: Handle,
    level: number,
    m: Int32Array,
    signals: Float64Array,
    overflowed: (counter: CompiledCounter) => void,
  ): void {
    const armed = this.#armed;
    this.#ask(view, level);
    this.fold(m, signals, false, overflowed);
    this.#armed = armed;
  }

  /** How far the next overflow is. Call after `arm` and after `fold`. */
  measure(m: Int32Array, classes: SignalClasses): void {
    let budget = Number.POSITIVE_INFINITY;
    let critical = 0;
    let few = Number.POSITIVE_INFINITY;
    for (const a of this.#armed) {
      // Cycles can only be told apart one instruction at a time.
      if (a.threshold !== undefined) {
        budget = 1;
        continue;
      }
      const left = a.sampled ? 1 : remaining(m, a);
      let rate = 0;
      let rare = 0;
      for (const [signal, weight] of a.weights) {
        if (signal === INSTRUCTION) rate += weight;
        else if (PER_INSTRUCTION.has(signal)) rate += weight * classes.mostCycles;
        else rare |= 1 << signal;
      }
      const least = left * a.divisor - (a.divisor > 1 ? (this.remainders[a.counter.index] as number) : 0);
      if (rate > 0) budget = Math.min(budget, Math.max(1, Math.ceil(least / (rate + (rare === 0 ? 0 : RARE)))));
      else if (rare !== 0) {
        if (least > NEAR * RARE) budget = Math.min(budget, Math.floor(least / RARE));
        else {
          critical |= rare;
          const heaviest = Math.max(...a.weights.map(([, weight]) => weight));
          few = Math.min(few, Math.max(0, Math.floor((least - 1) / heaviest)));
        }
      }
    }
    this.rare = few;
    this.budget = budget;
    this.critical = critical;
  }
}

/** Events until the counter wraps. */
function remaining(m: Int32Array, a: Armed): number {
  const lo = (m[a.at] as number) >>> 0;
  if (a.overflowWidth <= 32) {
    const span = 2 ** a.overflowWidth;
    return span - (lo % span);
  }
  const span = 2 ** (a.overflowWidth - 32);
  // Beyond 2^53 the exact distance does not matter: it is never reached in one activation.
  return (span - (((m[a.at + 1] as number) >>> 0) % span)) * TWO32 - lo;
}

/** How often a sum passes a multiple of 2^bits on its way. */
const passes = (from: number, to: number, bits: number): number =>
  Math.floor(to / 2 ** bits) - Math.floor(from / 2 ** bits);

/** Adds to the value; returns how many times it carried out of the overflow width, whatever stands above that. */
function increase(m: Int32Array, a: Armed, amount: number): number {
  const before = (m[a.at] as number) >>> 0;
  const after = before + amount;
  m[a.at] = after | 0;
  const high = (m[a.at + 1] as number) >>> 0;
  const carried = high + Math.floor(after / TWO32);
  m[a.at + 1] = a.width <= 32 ? 0 : (carried % 2 ** (a.width - 32)) | 0;
  return a.overflowWidth <= 32 ? passes(before, after, a.overflowWidth) : passes(high, carried, a.overflowWidth - 32);
}
