/**
 * The lifter: with these words an instruction row says, once, what its instruction means.
 *
 * The one law of a lift: whatever can fault or trap comes before the first change, so that an instruction that does not finish has changed
 * nothing. A change is a `set`, an `emit`, or a `store` whose successors no `probe` has tried. Core checks it when it builds the ops.
 */
import type { AccessShape, PureOpName, Width } from './op.ts';
import type { Signal } from './pmu.ts';

declare const value: unique symbol;
/** A 64-bit value inside one instruction. */
export type Value = number & { readonly [value]: true };

type Unary = (a: Value, width?: Width) => Value;
type Binary = (a: Value, b: Value, width?: Width) => Value;
type Ternary = (a: Value, b: Value, c: Value, width?: Width) => Value;

/** One method per pure op, of its arity. */
export type PureLifter = {
  readonly [Name in PureOpName]: Name extends 'select' | 'carry' | 'overflow'
    ? Ternary
    : Name extends
          | 'copy'
          | 'not'
          | 'clz'
          | 'ctz'
          | 'popcnt'
          | 'bswap'
          | 'rbit'
          | 'sext8'
          | 'sext16'
          | 'sext32'
          | 'zext8'
          | 'zext16'
          | 'zext32'
      ? Unary
      : Binary;
};

export interface Lifter extends PureLifter {
  /** Address of this instruction. */
  readonly pc: bigint;
  /** Address of the one behind it. */
  readonly next: bigint;
  /** A register's value now, whatever changes it afterwards. Registers without an address (general registers, flags) and storage-only ones. */
  get(register: string): Value;
  /** Sets a register, but not the program counter: that is `jump`. The whole 64-bit slot is replaced. */
  set(register: string, value: Value): void;
  /** A constant, cut to 64 bits. */
  constant(value: bigint | number): Value;
  /** A value that `assign` may replace: the way out of a `when`. */
  variable(initial: Value): Value;
  assign(variable: Value, value: Value): void;
  /** The body only when the condition is not 0. What is computed inside is seen inside; a variable carries it out. */
  when(condition: Value, body: () => void): void;
  load(at: Value, shape: AccessShape): Value;
  store(at: Value, value: Value, shape: AccessShape): void;
  /** Would an access of `size` bytes, at most a page, fault? Then it does so here; loads and stores may then follow stores. */
  probe(at: Value, size: number, write: boolean, shape?: AccessShape): void;
  /** Continue at an address, always. Nothing may stand behind it. */
  jump(to: Value): void;
  /** Continue at `to` when the condition is not 0; emits the signal `taken` when it is. */
  branch(condition: Value, to: bigint): void;
  /** Register access by address, on the road: privilege, trap groups, homes. `index` is a constant, or a value (RDMSR). */
  read(space: string, index: Value): Value;
  write(space: string, index: Value, value: Value): void;
  /**
   * The guest takes this exception, with PC still at this instruction, which does not retire; or, when it `retires` (SVC, INT n), after
   * retiring at its own level and with PC at the next one. Nothing behind it runs.
   */
  raise(exception: string, syndrome?: Value, retires?: boolean): void;
  /** To the hypervisor; when its handler completes, the ops behind it run and the instruction retires. */
  trap(cause: string, argument?: Value): void;
  /** A helper of the architecture, by name, for what is too rare for ops. */
  call(helper: string, ...args: Value[]): Value;
  /** Counts one signal more than the row's own. */
  emit(signal: Signal): void;
  /** Unfinished when not 0: the same instruction runs again after interrupts had their chance. */
  again(condition: Value): void;
}
