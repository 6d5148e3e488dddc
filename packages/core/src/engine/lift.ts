/**
 * Turns an instruction's lift into ops: folds constants, numbers temporaries, and keeps the law of lifts: what can fault or trap comes before the
 * first change of a register, so an instruction that does not finish has changed nothing (engine constraint 5).
 */
import {
  type AccessShape,
  type Lifter,
  type Op,
  type Operand,
  PURE_OPS,
  type PureOpName,
  type Value,
  type Width,
} from '@countervisor/contract';
import type { CompiledArch } from '../load/compile.ts';
import { TEMPORARIES } from '../memory/layout.ts';
import { fail } from '../report/errors.ts';
import { tidy } from './tidy.ts';

const cut = (v: bigint, width: number): bigint => BigInt.asUintN(width, v);

/** Evaluates one pure op, the plain way. */
export function evaluate(op: PureOpName, width: Width, a: bigint, b = 0n, c = 0n): bigint {
  const row = PURE_OPS[op];
  // `select`'s condition is a whole 64-bit truth, whatever the width of the values it chooses from.
  return cut(
    row.evaluate(
      op === 'select' ? a : cut(a, width),
      cut(b, width),
      op === 'select' ? cut(c, width) : cut(c, width),
      width,
    ),
    width,
  );
}

class OpBuilder {
  readonly ops: Op[] = [];
  readonly pc: bigint;
  readonly next: bigint;
  readonly #arch: CompiledArch;
  readonly #name: string;
  readonly #values: Operand[] = [];
  #temporaries = 0;
  #committed: string | undefined;
  #stores = 0;
  #probed = false;
  #ended = false;

  constructor(arch: CompiledArch, name: string, pc: bigint, next: bigint) {
    this.#arch = arch;
    this.#name = name;
    this.pc = pc;
    this.next = next;
  }

  #value(operand: Operand): Value {
    this.#values.push(operand);
    return (this.#values.length - 1) as Value;
  }

  #operand(value: Value): Operand {
    const operand = this.#values[value];
    if (operand === undefined)
      throw fail('CV_LIFT', { instruction: this.#name, problem: 'uses a value of another instruction' });
    return operand;
  }

  #temporary(): Operand & { kind: 'temporary' } {
    if (this.#temporaries >= TEMPORARIES)
      throw fail('CV_LIFT', { instruction: this.#name, problem: 'needs too many temporaries' });
    return { kind: 'temporary', index: this.#temporaries++ };
  }

  #mayStop(what: string): void {
    if (this.#committed !== undefined) {
      throw fail('CV_LIFT', {
        instruction: this.#name,
        problem: `can stop at ${what} after it has changed ${this.#committed}`,
      });
    }
  }

  pure(op: PureOpName, width: Width, inputs: readonly Value[]): Value {
    const [a, b, c] = inputs.map((v) => this.#operand(v));
    if (a === undefined) throw fail('CV_LIFT', { instruction: this.#name, problem: `${op} has no input` });
    const constants = [a, b, c].filter((o) => o !== undefined);
    if (constants.every((o) => o.kind === 'constant')) {
      const [x, y, z] = constants.map((o) => (o.kind === 'constant' ? o.value : 0n));
      return this.#value({ kind: 'constant', value: evaluate(op, width, x as bigint, y, z) });
    }
    const to = this.#temporary();
    this.ops.push({ op, width, to, a, ...(b && { b }), ...(c && { c }) });
    return this.#value(to);
  }

  #register(name: string): string {
    const register = this.#arch.byName.get(name);
    if (register === undefined)
      throw fail('CV_LIFT', {
        instruction: this.#name,
        problem: `names the register ${name}, which no table declares`,
      });
    if (register.home !== 'vcpu' || register.row.derive !== undefined || register.row.view !== undefined) {
      throw fail('CV_LIFT', {
        instruction: this.#name,
        problem: `reaches ${name} by name; only storage of the vCPU can be, others go the access road`,
      });
    }
    return name;
  }

  get(register: string): Value {
    return this.#value({ kind: 'register', name: this.#register(register) });
  }

  set(register: string, value: Value): void {
    const a = this.#operand(value);
    this.#committed ??= register;
    this.#keep(register, value);
    this.ops.push({ op: 'copy', width: 64, to: { kind: 'register', name: this.#register(register) }, a });
  }

  /** Values read from a register before it is set keep what they were: they move to a temporary, which `tidy` drops when nobody uses it. */
  #keep(register: string, but: Value): void {
    this.#values.forEach((operand, at) => {
      if (operand.kind !== 'register' || operand.name !== register || at === but) return;
      const to = this.#temporary();
      this.ops.push({ op: 'copy', width: 64, to, a: operand });
      this.#values[at] = to;
    });
  }

  constant(value: bigint | number): Value {
    return this.#value({ kind: 'constant', value: cut(BigInt(value), 64) });
  }

  variable(initial: Value): Value {
    const to = this.#temporary();
    this.ops.push({ op: 'copy', width: 64, to, a: this.#operand(initial) });
    return this.#value(to);
  }

  assign(variable: Value, value: Value): void {
    const to = this.#operand(variable);
    if (to.kind !== 'temporary')
      throw fail('CV_LIFT', { instruction: this.#name, problem: 'assigns to what is no variable' });
    this.ops.push({ op: 'copy', width: 64, to, a: this.#operand(value) });
  }

  when(condition: Value, body: () => void): void {
    const unless = this.#operand(condition);
    if (unless.kind === 'constant') {
      if (unless.value !== 0n) body();
      return;
    }
    const at = this.ops.length;
    this.ops.push({ op: 'skip', unless, count: 0 });
    const ended = this.#ended;
    body();
    this.#ended = ended;
    this.ops[at] = { op: 'skip', unless, count: this.ops.length - at - 1 };
  }

  load(at: Value, shape: AccessShape): Value {
    this.#mayStop('a load');
    const to = this.#temporary();
    this.ops.push({ op: 'load', to, at: this.#operand(at), shape });
    return this.#value(to);
  }

  store(at: Value, value: Value, shape: AccessShape): void {
    this.#mayStop('a store');
    if (this.#stores++ > 0 && !this.#probed) {
      throw fail('CV_LIFT', { instruction: this.#name, problem: 'stores twice without a probe before the first' });
    }
    this.ops.push({ op: 'store', at: this.#operand(at), value: this.#operand(value), shape });
  }

  probe(at: Value, size: number, write: boolean, shape: AccessShape = { size: 1 }): void {
    this.#mayStop('a probe');
    this.#probed = true;
    this.ops.push({ op: 'probe', at: this.#operand(at), size, write, shape });
  }

  jump(to: Value): void {
    this.ops.push({ op: 'jump', to: this.#operand(to) });
  }

  branch(condition: Value, to: bigint): void {
    this.ops.push({ op: 'branch', when: this.#operand(condition), to: cut(to, 64) });
  }

  #index(index: Value | number): Operand {
    // A Value is a number too; contracts tell them apart by how they are made: plain numbers are given through `constant`.
    return this.#operand(index as Value);
  }

  readAt(space: string, index: Operand): Value {
    this.#mayStop('a register access');
    const to = this.#temporary();
    this.ops.push({ op: 'read', to, space, index });
    return this.#value(to);
  }

  read(space: string, index: Value): Value {
    return this.readAt(space, this.#index(index));
  }

  write(space: string, index: Value, value: Value): void {
    this.#mayStop('a register access');
    this.ops.push({ op: 'write', value: this.#operand(value), space, index: this.#index(index) });
  }

  raise(exception: string, syndrome?: Value, retires = false): void {
    this.#mayStop('an exception');
    const operand: Operand = syndrome === undefined ? { kind: 'constant', value: 0n } : this.#operand(syndrome);
    this.ops.push({ op: 'raise', exception, syndrome: operand, retires });
  }

  trap(cause: string, argument?: Value): void {
    this.#mayStop('a trap');
    const operand: Operand = argument === undefined ? { kind: 'constant', value: 0n } : this.#operand(argument);
    this.ops.push({ op: 'trap', cause, argument: operand });
  }

  call(helper: string, ...args: Value[]): Value {
    this.#mayStop('a helper');
    if (this.#arch.arch.isa.helpers[helper] === undefined) {
      throw fail('CV_LIFT', {
        instruction: this.#name,
        problem: `calls the helper ${helper}, which the architecture does not have`,
      });
    }
    const to = this.#temporary();
    this.ops.push({ op: 'call', to, helper, args: args.map((v) => this.#operand(v)) });
    return this.#value(to);
  }

  emit(signal: string): void {
    this.ops.push({ op: 'emit', signal });
  }

  again(condition: Value): void {
    this.ops.push({ op: 'again', when: this.#operand(condition) });
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
