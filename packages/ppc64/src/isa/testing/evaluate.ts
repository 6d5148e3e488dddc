/**
 * Performs a lift at once, over bigint, by the meanings that the contract gives its ops: no ops are kept, nothing is shared with an engine.
 * It also holds the law of lifts: what can stop an instruction comes before its first change of a register.
 */
import {
  type AccessShape,
  type Isa,
  type Lifter,
  PURE_OPS,
  type PureOp,
  type PureOpName,
  type Signal,
  type Value,
  type Vcpu,
  type Width,
} from '@countervisor/contract';
import { ILLEGAL } from '../row.ts';

/** Bytes by address; `undefined` where nothing is mapped, or not for this kind of access. */
export interface Memory {
  read(address: bigint): number | undefined;
  /** False: not writable. */
  write(address: bigint, byte: number): boolean;
  writable(address: bigint): boolean;
}

/** Sparse memory in which everything given is readable and writable. */
export function memoryOf(bytes: ReadonlyMap<bigint, number>): Memory & { readonly bytes: Map<bigint, number> } {
  const all = new Map(bytes);
  return {
    bytes: all,
    read: (address) => all.get(address),
    writable: (address) => all.has(address),
    write: (address, byte) => all.has(address) && all.set(address, byte).size > 0,
  };
}

export interface Machine {
  /** General registers, flags and storage by name; what is not there reads as 0. */
  readonly registers: Map<string, bigint>;
  readonly memory: Memory;
  /** The access road: `undefined` and false are accesses that are illegal. */
  readonly road?: {
    read(index: number): bigint | undefined;
    write(index: number, value: bigint): boolean;
  };
  readonly helpers?: Isa['helpers'];
  /** What helpers are handed. */
  readonly vcpu?: Pick<Vcpu, 'get' | 'set' | 'cpu'>;
}

/** How an instruction ended. */
export type End =
  | { readonly kind: 'next'; readonly pc: bigint; readonly signals: readonly Signal[] }
  | { readonly kind: 'raise'; readonly exception: string; readonly syndrome: bigint; readonly retires: boolean }
  | { readonly kind: 'fault'; readonly why: 'memory' | 'alignment'; readonly address: bigint; readonly write: boolean };

/** A trap that was passed on the way: the hypervisor is taken to have completed it. */
export interface Passed {
  readonly cause: string;
  readonly argument: bigint;
}

class Stop extends Error {
  readonly end: End;
  constructor(end: End) {
    super(end.kind);
    this.end = end;
  }
}

/** The instruction has jumped: nothing behind it happens. */
class Jumped extends Error {}

const cut = (value: bigint, width = 64): bigint => BigInt.asUintN(width, value);

class Evaluator {
  readonly pc: bigint;
  readonly next: bigint;
  to: bigint;
  readonly signals: Signal[] = [];
  readonly passed: Passed[] = [];
  readonly #machine: Machine;
  readonly #values: bigint[] = [];
  #changed: string | undefined;

  constructor(machine: Machine, pc: bigint, length: number) {
    this.#machine = machine;
    this.pc = pc;
    this.next = cut(pc + BigInt(length));
    this.to = this.next;
  }

  put(value: bigint): Value {
    this.#values.push(value);
    return (this.#values.length - 1) as Value;
  }

  of(value: Value): bigint {
    const held = this.#values[value];
    if (held === undefined) throw new Error('The lift uses a value that it did not make.');
    return held;
  }

  #mayStop(what: string): void {
    if (this.#changed !== undefined)
      throw new Error(`The lift can stop at ${what} after it has changed ${this.#changed}.`);
  }

  get(register: string): Value {
    return this.put(this.#machine.registers.get(register) ?? 0n);
  }

  set(register: string, value: Value): void {
    this.#changed ??= register;
    this.#machine.registers.set(register, this.of(value));
  }

  constant(value: bigint | number): Value {
    return this.put(cut(BigInt(value)));
  }

  variable(initial: Value): Value {
    return this.put(this.of(initial));
  }

  assign(variable: Value, value: Value): void {
    this.#values[variable] = this.of(value);
  }

  when(condition: Value, body: () => void): void {
    if (this.of(condition) !== 0n) body();
  }

  #check(at: bigint, size: number, write: boolean, align = 1): void {
    if (at % BigInt(align) !== 0n) throw new Stop({ kind: 'fault', why: 'alignment', address: at, write });
    for (let i = 0n; i < BigInt(size); i++) {
      const address = cut(at + i);
      const there = write ? this.#machine.memory.writable(address) : this.#machine.memory.read(address) !== undefined;
      if (!there) throw new Stop({ kind: 'fault', why: 'memory', address, write });
    }
  }

  load(at: Value, shape: AccessShape): Value {
    this.#mayStop('a load');
    const address = this.of(at);
    this.#check(address, shape.size, false, shape.align);
    let value = 0n;
    for (let i = 0; i < shape.size; i++) {
      const place = shape.big ? shape.size - 1 - i : i;
      value |= BigInt(this.#machine.memory.read(cut(address + BigInt(i))) as number) << BigInt(8 * place);
    }
    return this.put(shape.signed ? cut(BigInt.asIntN(8 * shape.size, value), shape.width ?? 64) : value);
  }

  store(at: Value, value: Value, shape: AccessShape): void {
    this.#mayStop('a store');
    const address = this.of(at);
    this.#check(address, shape.size, true, shape.align);
    for (let i = 0; i < shape.size; i++) {
      const place = shape.big ? shape.size - 1 - i : i;
      this.#machine.memory.write(cut(address + BigInt(i)), Number((this.of(value) >> BigInt(8 * place)) & 0xffn));
    }
  }

  probe(at: Value, size: number, write: boolean, shape: AccessShape = { size: 1 }): void {
    this.#mayStop('a probe');
    this.#check(this.of(at), size, write, shape.align);
  }

  jump(to: Value): void {
    this.to = this.of(to);
    throw new Jumped();
  }

  branch(condition: Value, to: bigint): void {
    if (this.of(condition) === 0n) return;
    this.to = cut(to);
    this.signals.push('taken');
  }

  #road(): NonNullable<Machine['road']> {
    this.#mayStop('a register access');
    if (this.#machine.road === undefined) throw new Error('The lift takes the access road, and the test gave none.');
    return this.#machine.road;
  }

  read(_space: string, index: Value): Value {
    const value = this.#road().read(Number(this.of(index)));
    if (value === undefined) this.raise('program', this.constant(ILLEGAL));
    return this.put(cut(value ?? 0n));
  }

  write(_space: string, index: Value, value: Value): void {
    if (!this.#road().write(Number(this.of(index)), this.of(value))) this.raise('program', this.constant(ILLEGAL));
  }

  raise(exception: string, syndrome?: Value, retires = false): void {
    this.#mayStop('an exception');
    throw new Stop({ kind: 'raise', exception, syndrome: syndrome === undefined ? 0n : this.of(syndrome), retires });
  }

  trap(cause: string, argument?: Value): void {
    this.#mayStop('a trap');
    this.passed.push({ cause, argument: argument === undefined ? 0n : this.of(argument) });
  }

  call(helper: string, ...args: Value[]): Value {
    this.#mayStop('a helper');
    const body = this.#machine.helpers?.[helper];
    if (body === undefined) throw new Error(`The lift calls the helper ${helper}, and the test gave none.`);
    return this.put(
      cut(
        body(
          this.#machine.vcpu as Vcpu,
          args.map((value) => this.of(value)),
        ),
      ),
    );
  }

  emit(signal: Signal): void {
    this.signals.push(signal);
  }

  again(): void {
    throw new Error('No Power instruction runs again.');
  }
}

for (const name of Object.keys(PURE_OPS) as PureOpName[]) {
  const { inputs, evaluate: meaning }: PureOp = PURE_OPS[name];
  Object.defineProperty(Evaluator.prototype, name, {
    value(this: Evaluator, ...args: number[]): Value {
      const width = (args[inputs] ?? 64) as Width;
      const [a = 0n, b = 0n, c = 0n] = args.slice(0, inputs).map((value, i) => {
        const whole = this.of(value as Value);
        // A condition is not 0 as a whole, whatever the width of what it selects.
        return name === 'select' && i === 0 ? whole : cut(whole, width);
      });
      return this.put(cut(meaning(a, b, c, width), width));
    },
  });
}

/** Runs one lift and changes the machine as it says. Throws when the lift breaks its law or asks for what the machine lacks. */
export function evaluate(
  lift: (b: Lifter) => void,
  pc: bigint,
  machine: Machine,
  length = 4,
): { readonly end: End; readonly passed: readonly Passed[] } {
  const b = new Evaluator(machine, pc, length);
  try {
    lift(b as unknown as Lifter);
  } catch (error) {
    if (error instanceof Stop) return { end: error.end, passed: b.passed };
    if (!(error instanceof Jumped)) throw error;
  }
  return { end: { kind: 'next', pc: b.to, signals: b.signals }, passed: b.passed };
}
