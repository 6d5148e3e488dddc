/** The guest programs that are timed, and what a timed run of one is. */
import { readFileSync } from 'node:fs';

export const KERNELS: readonly string[] = ['crc', 'sieve', 'fib', 'list'];

/** One run of a kernel: what passed between its marks `S` and `E`. */
export interface Run {
  /** How often the guest did its work. */
  readonly repeat: number;
  /** CPU seconds of the process that ran it, all threads. */
  readonly seconds: number;
  /** What the guest computed, as it printed it. */
  readonly result: string;
}

/** A run whose retired instructions are known. */
export interface CountedRun extends Run {
  readonly instructions: number;
}

/** Asks a guest for its work `repeat` times. */
export type Runner = (kernel: string, repeat: number) => Promise<Run>;

export const imageFile = (kernel: string): string => `guests/arm64/images/bench-${kernel}.elf`;

export const imageBytes = (kernel: string): Uint8Array => readFileSync(imageFile(kernel));

export const bootargs = (repeat: number, mmu: boolean): string => `repeat=${repeat}${mmu ? ' mmu=on' : ''}`;

/** Finds the guest's marks in its console, however the text arrives in pieces. */
export class Marks {
  #text = '';

  /** Adds console text; returns what has been seen in all. The result comes a little behind the mark `E`. */
  add(text: string): { readonly started: boolean; readonly ended: boolean; readonly result: string | undefined } {
    this.#text += text;
    const result = /^E ([0-9a-f]+)\r?\n/m.exec(this.#text)?.[1];
    return { started: /^S/m.test(this.#text), ended: /^E/m.test(this.#text), result };
  }

  get text(): string {
    return this.#text;
  }
}
