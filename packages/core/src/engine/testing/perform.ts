/**
 * Performs a lift at once over bigint, without ops, temporaries or an engine: what a lift means, read from the contract's words. The engine is
 * compared with it. Memory is a function of the test's; faults and exceptions end the instruction.
 */
import {
  type AccessShape,
  type Isa,
  type Lifter,
  PURE_OPS,
  type PureOpName,
  type Signal,
  type Value,
  type Vcpu,
  type Width,
} from '@countervisor/contract';

const cut = (v: bigint, width: number): bigint => BigInt.asUintN(width, v);

/** Bytes by address. `undefined` and false: a fault. */
export interface Bytes {
  read(at: bigint): number | undefined;
  writable(at: bigint): boolean;
  write(at: bigint, byte: number): void;
}

export interface Performed {
  /** Everything but the registers and memory themselves, in order. */
  readonly log: string[];
  /** Address of the next instruction; `undefined` when it did not finish. */
  readonly pc: bigint | undefined;
}

class Stop extends Error {}

class Performer {
  readonly pc: bigint;
  readonly next: bigint;
  readonly log: string[] = [];
  to: bigint;
  readonly #registers: Map<string, bigint>;
  readonly #memory: Bytes;
  readonly #helpers: Isa['helpers'];
  readonly #values: bigint[] = [];

  constructor(registers: Map<string, bigint>, memory: Bytes, helpers: Isa['helpers'], pc: bigint, next: bigint) {
    this.#registers = registers;
    this.#memory = memory;
    this.#helpers = helpers;
    this.pc = pc;
    this.next = next;
    this.to = next;
  }

  #new(v: bigint): Value {
    return (this.#values.push(v) - 1) as Value;
  }

  #of(v: Value): bigint {
    return this.#values[v] as bigint;
  }

  pure(op: PureOpName, width: Width, inputs: readonly Value[]): Value {
    const [a = 0n, b = 0n, c = 0n] = inputs.map((v, i) =>
      op === 'select' && i === 0 ? this.#of(v) : cut(this.#of(v), width),
    );
    return this.#new(cut(PURE_OPS[op].evaluate(a, b, c, width), width));
  }

  get(register: string): Value {
    return this.#new(this.#registers.get(register) ?? 0n);
  }

  set(register: string, value: Value): void {
    this.#registers.set(register, this.#of(value));
  }

  constant(value: bigint | number): Value {
    return this.#new(cut(BigInt(value), 64));
  }

  variable(initial: Value): Value {
    return this.#new(this.#of(initial));
  }

  assign(variable: Value, value: Value): void {
    this.#values[variable] = this.#of(value);
  }

  when(condition: Value, body: () => void): void {
    if (this.#of(condition) !== 0n) body();
  }

  #stop(what: string): never {
    this.log.push(what);
    throw new Stop();
  }

  #span(at: bigint, size: number, write: boolean): bigint[] {
    const span = Array.from({ length: size }, (_, i) => cut(at + BigInt(i), 64));
    for (const address of span) {
      const there = write ? this.#memory.writable(address) : this.#memory.read(address) !== undefined;
      if (!there) this.#stop(`page-fault ${address}`);
    }
    return span;
  }

  load(at: Value, { size, signed, width, big }: AccessShape): Value {
    const bytes = this.#span(this.#of(at), size, false).map((address) => this.#memory.read(address) as number);
    const value = (big ? bytes : bytes.reverse()).reduce((all, byte) => all * 256n + BigInt(byte), 0n);
    return this.#new(signed ? cut(BigInt.asIntN(8 * size, value), width ?? 64) : value);
  }

  store(at: Value, value: Value, { size, big }: AccessShape): void {
    const span = this.#span(this.#of(at), size, true);
    (big ? span.reverse() : span).forEach((address, i) => {
      this.#memory.write(address, Number((this.#of(value) >> BigInt(8 * i)) & 0xffn));
    });
  }

  probe(at: Value, size: number, write: boolean): void {
    this.#span(this.#of(at), size, write);
  }

  jump(to: Value): void {
    this.to = this.#of(to);
    throw new Stop();
  }

  branch(condition: Value, to: bigint): void {
    if (this.#of(condition) === 0n) return;
    this.log.push('emit taken');
    this.to = cut(to, 64);
    throw new Stop();
  }

  raise(exception: string, syndrome?: Value, retires = false): void {
    this.#stop(`${exception} ${syndrome === undefined ? 0n : this.#of(syndrome)}${retires ? ' retires' : ''}`);
  }

  trap(cause: string, argument?: Value): void {
    this.log.push(`trap ${cause} ${argument === undefined ? 0n : this.#of(argument)}`);
  }

  call(helper: string, ...args: Value[]): Value {
    const handle: Pick<Vcpu, 'get' | 'set'> = {
      get: (name) => this.#registers.get(name) ?? 0n,
      set: (name, v) => void this.#registers.set(name, v),
    };
    const body = this.#helpers[helper] as NonNullable<Isa['helpers'][string]>;
    return this.#new(
      cut(
        body(
          handle as Vcpu,
          args.map((v) => this.#of(v)),
        ),
        64,
      ),
    );
  }

  emit(signal: Signal): void {
    this.log.push(`emit ${signal}`);
  }

  again(condition: Value): void {
    if (this.#of(condition) === 0n) return;
    this.to = this.pc;
    this.#stop('again');
  }
}

for (const name of Object.keys(PURE_OPS) as PureOpName[]) {
  const { inputs } = PURE_OPS[name];
  Object.defineProperty(Performer.prototype, name, {
    value(this: Performer, ...args: (Value | Width)[]): Value {
      return this.pure(name, (args[inputs] ?? 64) as Width, args.slice(0, inputs) as Value[]);
    },
  });
}

/** Runs one lift; changes the registers and memory it is given. A fault, an exception and `again` are the last line of the log. */
export function perform(
  body: (b: Lifter) => void,
  registers: Map<string, bigint>,
  memory: Bytes,
  helpers: Isa['helpers'],
  pc: bigint,
  next: bigint,
): Performed {
  const b = new Performer(registers, memory, helpers, pc, next);
  try {
    body(b as unknown as Lifter);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    const last = b.log.at(-1) ?? '';
    return { log: b.log, pc: /^(page-fault|oops) \d+$/.test(last) ? undefined : b.to };
  }
  return { log: b.log, pc: b.to };
}
