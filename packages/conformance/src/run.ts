/** Runs checks outside of any test framework: which of them, in which order, and what came out. */
import type { Arch, Conformance } from '@countervisor/contract';
import { type Check, perform, type Result, SUITES, type SuiteName } from './check.ts';
import { emulator } from './emulator.ts';
import { setupOf, subject } from './facts.ts';
import { checksOf } from './suites/index.ts';
import type { Target } from './target.ts';

/** One of `of` parts, from 1. Together the parts hold every check exactly once. */
export interface Shard {
  readonly part: number;
  readonly of: number;
}

export interface RunOptions {
  /** Suites by name, else any part of a check's name `suite/…`; a check runs when one of them matches. */
  readonly groups?: readonly string[];
  readonly shard?: Shard;
  /** Default: the emulator. */
  readonly target?: Target;
  /** Told before the first check and after each. */
  onResult?(done: Done, progress: { readonly done: number; readonly of: number }): void;
  /** Asked between checks: enough? */
  stop?(): boolean;
  /** Lets others have their turn, between checks. */
  breathe?(): Promise<void>;
}

export interface Done {
  readonly suite: SuiteName;
  readonly name: string;
  readonly result: Result;
}

export interface Outcome {
  readonly arch: string;
  readonly target: string;
  readonly checks: readonly Done[];
  /** It was stopped before the last check. */
  readonly stopped: boolean;
}

export interface Cell {
  readonly pass: number;
  readonly fail: number;
  readonly absent: number;
}

const isSuite = (group: string): boolean => (SUITES as readonly string[]).includes(group);

const matches = ({ suite, name }: Check, groups: readonly string[] | undefined): boolean =>
  groups?.some((group) => (isSuite(group) ? group === suite : `${suite}/${name}`.includes(group))) ?? true;

/** The checks of an architecture that these options choose, in their order. */
export function chosen(arch: Arch, kit: Conformance, options: Pick<RunOptions, 'groups' | 'shard'> = {}): Check[] {
  const { groups, shard } = options;
  const all = checksOf(subject(arch, kit)).filter((check) => matches(check, groups));
  return shard === undefined ? all : all.filter((_, n) => n % shard.of === shard.part - 1);
}

/**
 * Runs the conformance suite of an architecture.
 * @throws what `load` throws for a plugin that cannot be trusted
 */
export async function runConformance(arch: Arch, kit: Conformance, options: RunOptions = {}): Promise<Outcome> {
  const target = options.target ?? emulator(arch);
  const usual = setupOf(subject(arch, kit).facts);
  const checks = chosen(arch, kit, options);
  const results: Done[] = [];
  for (const check of checks) {
    if (options.stop?.() === true) return { arch: arch.name, target: target.name, checks: results, stopped: true };
    const done = { suite: check.suite, name: check.name, result: await perform(check, target, usual) };
    results.push(done);
    options.onResult?.(done, { done: results.length, of: checks.length });
    await options.breathe?.();
  }
  return { arch: arch.name, target: target.name, checks: results, stopped: false };
}

/** How many of each, by suite; suites that no check was chosen from are left out. */
export function matrix(checks: readonly Done[]): ReadonlyMap<SuiteName, Cell> {
  const cells = new Map<SuiteName, Cell>();
  for (const suite of SUITES) {
    const own = checks.filter((done) => done.suite === suite);
    if (own.length === 0) continue;
    const count = (verdict: Result['verdict']): number => own.filter((done) => done.result.verdict === verdict).length;
    cells.set(suite, { pass: count('pass'), fail: count('fail'), absent: count('absent') });
  }
  return cells;
}
