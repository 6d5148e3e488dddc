/**
 * Turns an instruction's lift into ops: folds constants, numbers temporaries, and keeps the law of lifts: what can fault or trap comes before the
 * first change, of a register, of memory or of a count, so an instruction that does not finish has changed nothing (engine constraint 5).
 */
import {
  type AccessShape,
  type Lifter,
  type Op,
  type Operand,
  PURE_OPS,
  type PureOpName,
  type Signal,
  type Value,
  type Width,
} from '@countervisor/contract';
import type { CompiledArch } from '../load/compile.ts';
import { PAGE, TEMPORARIES } from '../memory/layout.ts';
import { SIGNAL_INDEX } from '../pmu/classes.ts';
import { fail } from '../report/errors.ts';
import { tidy } from './tidy.ts';

const cut = (v: bigint, width: number): bigint => BigInt.asUintN(width, v);
const ORDINALS = ['first', 'second', 'third'] as const;

/** Evaluates one pure op, the plain way. */
export function evaluate(op: PureOpName, width: Width, a: bigint, b = 0n, c = 0n): bigint {
  // `select`'s condition is a whole 64-bit truth, whatever the width of the values it chooses from.
  const first = op === 'select' ? a : cut(a, width);
  return cut(PURE_OPS[op].evaluate(first, cut(b, width), cut(c, width), width), width);
}

/** What a value is, and the region that makes it: seen there and in the regions inside. */
interface Entry {
  operand: Operand;
  region: Region | undefined;
  readonly variable: boolean;
}

/** A `when` whose body is being lifted. */
interface Region {
  /** Position of its skip among the ops. */
  at: number;
  /** Number of values that are older than it. */
  readonly older: number;
}

class OpBuilder {
  readonly ops: Op[] = [];
  readonly pc: bigint;
  readonly next: bigint;
  readonly #arch: CompiledArch;
  readonly #name: string;
  readonly #values: Entry[] = [];
  readonly #open: Region[] = [];
  #temporaries = 0;
  /** What has been changed. */
  #changed: string | undefined;
  #stored = false;
  #probed = false;
  /** What the present region has ended with. */
  #ended: string | undefined;

  constructor(arch: CompiledArch, name: string, pc: bigint, next: bigint) {
    this.#arch = arch;
    this.#name = name;
    this.pc = pc;
    this.next = next;
  }

  #refuse(problem: string): Error {
    return fail('CV_LIFT', { instruction: this.#name, problem });
  }

  #push(op: Op): void {
    if (this.#ended !== undefined) throw this.#refuse(`goes on behind ${this.#ended}, where nothing runs`);
    this.ops.push(op);
  }

  #value(operand: Operand, variable = false): Value {
    this.#values.push({ operand, region: this.#open.at(-1), variable });
    return (this.#values.length - 1) as Value;
  }

  #operand(value: Value): Operand {
    const entry = this.#values[value];
    if (entry === undefined) throw this.#refuse('uses a value of another instruction');
    const { operand, region } = entry;
    if (operand.kind === 'temporary' && region !== undefined && !this.#open.includes(region)) {
      throw this.#refuse('uses a value outside the `when` that makes it; a variable is the way out');
    }
    return operand;
  }

  #temporary(): Operand & { kind: 'temporary' } {
    if (this.#temporaries >= TEMPORARIES) throw this.#refuse('needs too many temporaries');
    return { kind: 'temporary', index: this.#temporaries++ };
  }

  #mayStop(what: string): void {
    if (this.#changed !== undefined) throw this.#refuse(`can stop at ${what} after it has changed ${this.#changed}`);
  }

  /** As `#mayStop`, also for memory; accesses that a probe has tried before do not stop. */
  #mayStopAt(what: string, tried = false): void {
    this.#mayStop(what);
    if (!this.#stored || tried) return;
    const remedy =
      what === 'a load' || what === 'a store' ? '; a probe before its first store would have tried that' : '';
    throw this.#refuse(`can stop at ${what} after it has changed memory${remedy}`);
  }

  pure(op: PureOpName, width: Width, inputs: readonly Value[]): Value {
    const operands = Array.from({ length: PURE_OPS[op].inputs }, (_, i) => {
      const value = inputs[i];
      if (value === undefined) throw this.#refuse(`gives ${op} no ${ORDINALS[i]} input`);
      return this.#operand(value);
    });
    const [a, b, c] = operands;
    const [x, y, z] = operands.map((o) => (o.kind === 'constant' ? o.value : undefined));
    if (x !== undefined && (b === undefined || y !== undefined) && (c === undefined || z !== undefined)) {
      return this.#value({ kind: 'constant', value: evaluate(op, width, x, y, z) });
    }
    const to = this.#temporary();
    this.#push({ op, width, to, a: a as Operand, ...(b && { b }), ...(c && { c }) });
    return this.#value(to);
  }

  #register(name: string): string {
    const register = this.#arch.byName.get(name);
    if (register === undefined) throw this.#refuse(`names the register ${name}, which no table declares`);
    if (register.home !== 'vcpu' || register.row.derive !== undefined || register.row.view !== undefined) {
      throw this.#refuse(`reaches ${name} by name; only storage of the vCPU can be, others go the access road`);
    }
    return name;
  }

  get(register: string): Value {
    return this.#value({ kind: 'register', name: this.#register(register) });
  }

  set(register: string, value: Value): void {
    const name = this.#register(register);
    if (name === this.#arch.pc.name) throw this.#refuse(`sets ${name}, which moves by itself; it must jump`);
    const a = this.#operand(value);
    this.#changed ??= name;
    this.#keep(name);
    this.#push({ op: 'copy', width: 64, to: { kind: 'register', name }, a });
  }

  /**
   * Values that were read from a register before it changes keep what they were: they move to a temporary, which `tidy` drops when nobody uses it.
   * Where the change is in a region and the value is older than it, the move stands before the region, so that it happens in any case.
   */
  #keep(register?: string): void {
    const moved = new Map<string, Operand>();
    this.#values.forEach((entry, index) => {
      const { operand } = entry;
      if (operand.kind !== 'register' || (register !== undefined && operand.name !== register)) return;
      const before = this.#open.findIndex(({ older }) => index < older);
      const key = `${operand.name}:${before}`;
      const known = moved.get(key);
      const to = known ?? this.#temporary();
      if (known === undefined) {
        moved.set(key, to);
        this.#insert(this.#open[before], { op: 'copy', width: 64, to, a: operand });
      }
      entry.operand = to;
      entry.region = before < 0 ? this.#open.at(-1) : this.#open[before - 1];
    });
  }

  #insert(before: Region | undefined, op: Op): void {
    if (before === undefined) {
      this.#push(op);
      return;
    }
    const { at } = before;
    this.ops.splice(at, 0, op);
    for (const region of this.#open) if (region.at >= at) region.at++;
  }

  constant(value: bigint | number): Value {
    return this.#value({ kind: 'constant', value: cut(BigInt(value), 64) });
  }

  variable(initial: Value): Value {
    const to = this.#temporary();
    this.#push({ op: 'copy', width: 64, to, a: this.#operand(initial) });
    return this.#value(to, true);
  }

  assign(variable: Value, value: Value): void {
    const to = this.#operand(variable);
    if (this.#values[variable]?.variable !== true) throw this.#refuse('assigns to what is no variable');
    this.#push({ op: 'copy', width: 64, to, a: this.#operand(value) });
  }

  when(condition: Value, body: () => void): void {
    const unless = this.#operand(condition);
    const ended = this.#ended;
    if (unless.kind === 'constant') {
      if (unless.value !== 0n) body();
      this.#ended = ended;
      return;
    }
    const region: Region = { at: this.ops.length, older: this.#values.length };
    this.#push({ op: 'skip', unless, count: 0 });
    this.#open.push(region);
    body();
    this.#open.pop();
    this.#ended = ended;
    this.ops[region.at] = { op: 'skip', unless, count: this.ops.length - region.at - 1 };
  }

  load(at: Value, shape: AccessShape): Value {
    this.#mayStopAt('a load', this.#probed);
    if (shape.signed === true && 8 * shape.size > (shape.width ?? 64)) {
      throw this.#refuse(`extends ${8 * shape.size} bits to ${shape.width}`);
    }
    const to = this.#temporary();
    this.#push({ op: 'load', to, at: this.#operand(at), shape });
    return this.#value(to);
  }

  store(at: Value, value: Value, shape: AccessShape): void {
    this.#mayStopAt('a store', this.#probed);
    this.#stored = true;
    this.#push({ op: 'store', at: this.#operand(at), value: this.#operand(value), shape });
  }

  probe(at: Value, size: number, write: boolean, shape: AccessShape = { size: 1 }): void {
    this.#mayStopAt('a probe');
    if (size > PAGE) throw this.#refuse(`probes ${size} bytes at once, more than a page`);
    this.#probed = true;
    this.#push({ op: 'probe', at: this.#operand(at), size, write, shape });
  }

  jump(to: Value): void {
    this.#push({ op: 'jump', to: this.#operand(to) });
    this.#ended = 'a jump';
  }

  branch(condition: Value, to: bigint): void {
    this.#push({ op: 'branch', when: this.#operand(condition), to: cut(to, 64) });
  }

  read(space: string, index: Value): Value {
    this.#mayStopAt('a register access');
    const from = this.#operand(index);
    this.#keep();
    const to = this.#temporary();
    this.#push({ op: 'read', to, space, index: from });
    return this.#value(to);
  }

  write(space: string, index: Value, value: Value): void {
    this.#mayStopAt('a register access');
    const op: Op = { op: 'write', value: this.#operand(value), space, index: this.#operand(index) };
    this.#keep();
    this.#push(op);
  }

  raise(exception: string, syndrome?: Value, retires = false): void {
    this.#mayStopAt('an exception');
    const operand: Operand = syndrome === undefined ? { kind: 'constant', value: 0n } : this.#operand(syndrome);
    this.#push({ op: 'raise', exception, syndrome: operand, retires });
    this.#ended = 'an exception';
  }

  trap(cause: string, argument?: Value): void {
    this.#mayStopAt('a trap');
    if (!this.#arch.causes.has(cause)) {
      throw this.#refuse(`traps with the cause ${cause}, which the architecture does not declare`);
    }
    const operand: Operand = argument === undefined ? { kind: 'constant', value: 0n } : this.#operand(argument);
    this.#keep();
    this.#push({ op: 'trap', cause, argument: operand });
  }

  call(helper: string, ...args: Value[]): Value {
    this.#mayStop('a helper');
    if (this.#arch.arch.isa.helpers[helper] === undefined) {
      throw this.#refuse(`calls the helper ${helper}, which the architecture does not have`);
    }
    const operands = args.map((v) => this.#operand(v));
    this.#keep();
    const to = this.#temporary();
    this.#push({ op: 'call', to, helper, args: operands });
    return this.#value(to);
  }

  emit(signal: Signal): void {
    if (SIGNAL_INDEX[signal] === undefined) throw this.#refuse(`emits the signal ${signal}, which does not exist`);
    this.#changed ??= `the count of ${signal}`;
    this.#push({ op: 'emit', signal });
  }

  again(condition: Value): void {
    this.#push({ op: 'again', when: this.#operand(condition) });
  }
}

for (const name of Object.keys(PURE_OPS) as PureOpName[]) {
  const { inputs } = PURE_OPS[name];
  Object.defineProperty(OpBuilder.prototype, name, {
    value(this: OpBuilder, ...args: (Value | Width)[]): Value {
      const width = (args[inputs] ?? 64) as Width;
      return this.pure(name, width, args.slice(0, inputs) as Value[]);
    },
  });
}

/** The ops of one instruction. */
export function lift(
  arch: CompiledArch,
  name: string,
  pc: bigint,
  next: bigint,
  body: (b: Lifter) => void,
): readonly Op[] {
  const builder = new OpBuilder(arch, name, pc, next);
  body(builder as unknown as Lifter);
  return tidy(builder.ops);
}
