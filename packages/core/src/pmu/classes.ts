/** Signal classes: what retiring an instruction of one kind emits. The engine counts instructions by class; signals follow when somebody asks. */
import { type Cost, SIGNALS, type Signal } from '@countervisor/contract';

export const SIGNAL_NAMES: readonly Signal[] = Object.keys(SIGNALS) as Signal[];
export const SIGNAL_INDEX: Readonly<Record<Signal, number>> = Object.fromEntries(
  SIGNAL_NAMES.map((name, i) => [name, i]),
) as Record<Signal, number>;

/** Most classes a machine can have: every mix of cost class and signals that its instructions show. */
export const CLASSES = 512;
/** Class 0: one turn of an instruction that is not finished (counting rule 10): a cycle, nothing retired. */
export const UNFINISHED = 0;

export class SignalClasses {
  /** Amount of each signal by class: `amounts[kind * signals + signal]`. */
  readonly amounts: Float64Array = new Float64Array(CLASSES * SIGNAL_NAMES.length);
  readonly masks: Int32Array = new Int32Array(CLASSES);
  /** By class, the signals of which it emits any. */
  readonly emitted: number[][] = [];
  /** The most cycles that one instruction can cost. */
  readonly mostCycles: number;
  readonly #costs: Readonly<Record<string, Cost>>;
  readonly #byKey = new Map<string, number>();
  #count = 1;

  constructor(costs: Readonly<Record<string, Cost>>) {
    this.#costs = costs;
    this.mostCycles = Math.max(1, ...Object.values(costs).map((c) => 1 + c.backend + c.frontend));
    this.#set(UNFINISHED, 'cycle', 1);
  }

  get count(): number {
    return this.#count;
  }

  #set(kind: number, signal: Signal, amount: number): void {
    if (amount === 0) return;
    const index = SIGNAL_INDEX[signal];
    this.amounts[kind * SIGNAL_NAMES.length + index] = amount;
    this.masks[kind] = (this.masks[kind] as number) | (1 << index);
    this.emitted[kind] = [...(this.emitted[kind] ?? []), index];
  }

  /** The class of an instruction row. */
  of(cost: string, signals: readonly Signal[]): number {
    const key = `${cost}:${[...signals].sort().join()}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const kind = this.#count++;
    if (kind >= CLASSES) throw new RangeError(`more than ${CLASSES} mixes of cost class and signals`);
    this.#byKey.set(key, kind);
    const { backend, frontend } = this.#costs[cost] ?? { backend: 0, frontend: 0 };
    this.#set(kind, 'instruction', 1);
    this.#set(kind, 'cycle', 1 + backend + frontend);
    this.#set(kind, 'stall-backend', backend);
    this.#set(kind, 'stall-frontend', frontend);
    for (const signal of new Set(signals)) this.#set(kind, signal, signals.filter((s) => s === signal).length);
    return kind;
  }
}
