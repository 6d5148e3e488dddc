/**
 * What a domain really did, counted from outside: every neutral signal by the privilege level it was emitted at, whatever the guest's own PMU is set
 * to. Fed where the banks are fed (`Machine.fold`, `Machine.charge`), so that both see the same signals; a guest can see neither it nor its cost.
 */
import type { Signal } from '@countervisor/contract';
import { SIGNAL_INDEX, SIGNAL_NAMES } from './classes.ts';

const WIDTH = SIGNAL_NAMES.length;

/** Signals that belong to a counter rather than to the instruction stream: nobody without that counter can count them. */
export const COUNTER_SIGNALS: readonly Signal[] = ['increment', 'carry'];

export class Observer {
  readonly #levels: number;
  readonly #counts: Float64Array;

  /** @param levels privilege levels of the architecture, the hypervisor's included */
  constructor(levels: number) {
    this.#levels = levels;
    this.#counts = new Float64Array(levels * WIDTH);
  }

  /** Takes in amounts by signal (`SIGNAL_NAMES`), all emitted at one level. */
  add(level: number, signals: Float64Array): void {
    const at = level * WIDTH;
    for (let i = 0; i < WIDTH; i++) {
      const amount = signals[i] as number;
      if (amount !== 0) this.#counts[at + i] = (this.#counts[at + i] as number) + amount;
    }
  }

  /** Amount of one signal at one level; exact up to 2^53. */
  count(signal: Signal, level: number): number {
    return this.#counts[level * WIDTH + SIGNAL_INDEX[signal]] as number;
  }

  /** What an event that names these signals would have counted at these levels; a signal named twice counts twice. */
  total(
    signals: readonly Signal[],
    levels: readonly number[] = Array.from({ length: this.#levels }, (_, i) => i),
  ): number {
    let sum = 0;
    for (const level of levels) for (const signal of signals) sum += this.count(signal, level);
    return sum;
  }
}
