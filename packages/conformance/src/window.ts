/** Counting windows: guest code that sets counters, starts them, does something and stops them, with the place of the two writes that bound what is counted. */
import type { Code, GuestWrites, PmuUse, Signal, Step } from '@countervisor/contract';
import { Absent, type Subject } from './check.ts';
import { behind, END, placeOf, useOf, writerOf, writes } from './guest.ts';

export interface Counting {
  readonly counter: number;
  /** Absent for a counter whose event is fixed. */
  readonly event?: number;
  readonly from?: bigint;
  /** Levels at which it does not count. */
  readonly except?: readonly string[];
}

/** The event that counts exactly this signal once. @throws Absent when the manual has none */
export function eventOf({ facts }: Subject, signal: Signal): number {
  const found = Object.entries(facts.events).find(([, counts]) => counts.length === 1 && counts[0] === signal);
  if (found === undefined) throw new Absent(`no event counts ${signal} alone`);
  return Number(found[0]);
}

/** The first of these counters that can count the event. */
export function counterFor(
  { facts, kit }: Subject,
  event: number,
  among: readonly number[] = kit.use?.counters ?? [],
  cpu: string = facts.cpu,
): number | undefined {
  return among.find((counter) => kit.use?.can?.(counter, event, cpu) ?? true);
}

/** Guest writes that set counters, without enabling them. */
export function set(use: PmuUse, counters: readonly Counting[]): GuestWrites {
  return counters.flatMap(({ counter, event, from = 0n, except }) => [
    ...(event === undefined && except === undefined ? [] : use.select(counter, event ?? 0, except)),
    [use.value(counter), from] as const,
  ]);
}

export const numbers = (counters: readonly Counting[]): number[] => counters.map(({ counter }) => counter);

export interface Window {
  readonly code: Code;
  /** Instructions retired when counting has started, and when it has stopped. */
  readonly started: number;
  readonly stopped: number;
  /** Instructions retired when the n-th step of the body has. */
  readonly body: readonly number[];
  /** Bytes of each instruction of the body's nops. */
  readonly length: bigint;
}

export interface WindowParts {
  readonly counters: readonly Counting[];
  readonly body: readonly Step[];
  /** Before anything else. */
  readonly before?: readonly Step[];
  /** Guest writes before the counters are set. */
  readonly first?: GuestWrites;
  /** Guest steps between enabling the counters and starting them. */
  readonly ready?: readonly Step[];
  /** Default: `PmuUse.start`. */
  readonly start?: GuestWrites;
  /** Default: `PmuUse.stop`. */
  readonly stop?: GuestWrites;
  /** Behind the window; then the domain ends. */
  readonly after?: readonly Step[];
}

/** The steps of a guest that counts from one write to another one. */
export function window(subject: Subject, parts: WindowParts): Window {
  const { arch } = subject;
  const use = useOf(subject);
  const { counters, body, before = [], first = [], ready = [], start = use.start, stop = use.stop, after = [] } = parts;
  const head: Step[] = [
    ...before,
    ...writes(arch, [...use.quiet, ...first, ...set(use, counters), ...use.enable(numbers(counters))]),
    ...ready,
    ...writes(arch, start),
  ];
  const steps = [...head, ...body, ...writes(arch, stop), ...after, END];
  const code = writerOf(subject).write(steps);
  const started = placeOf(code, head.length - 1);
  const nops = body.findIndex((step) => step.do === 'nop');
  return {
    code,
    started: behind(started),
    stopped: behind(placeOf(code, head.length + body.length + stop.length - 1)),
    body: body.map((_, n) => behind(placeOf(code, head.length + n))),
    length: nops < 0 ? 0n : lengthOf(code, head.length + nops),
  };
}

/** Bytes of one of the instructions of a step, which are all alike. */
function lengthOf(code: Code, step: number): bigint {
  const { at, instructions } = placeOf(code, step);
  return (placeOf(code, step + 1).at - at) / BigInt(instructions);
}

/** A value that `bits` wide counters reach their wrap from in n events. */
export const short = (bits: number, n: number): bigint => (1n << BigInt(bits)) - BigInt(n);
