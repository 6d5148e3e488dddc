/**
 * Where the translator keeps values while a region runs: guest registers and temporaries in i64 locals. A truth (the result of a comparison) is also
 * kept as an i32, so that a branch on it needs no second comparison.
 */
import type { Op, Operand } from '@countervisor/contract';
import { inputs, output } from '../tidy.ts';
import { type Body, I32, I64 } from './encode.ts';

const keyOf = (o: Operand): string => (o.kind === 'temporary' ? `#${o.index}` : o.kind === 'register' ? o.name : '');

/** Registers that ops read and write, by name. */
export interface Touched {
  readonly used: ReadonlySet<string>;
  readonly written: ReadonlySet<string>;
}

/** The program counter is no local: an instruction knows its own address. */
export function touched(lists: Iterable<readonly Op[]>, pc: string): Touched {
  const used = new Set<string>();
  const written = new Set<string>();
  for (const ops of lists) {
    for (const op of ops) {
      const to = output(op);
      for (const o of inputs(op)) if (o.kind === 'register' && o.name !== pc) used.add(o.name);
      if (to?.kind !== 'register') continue;
      used.add(to.name);
      written.add(to.name);
    }
  }
  return { used, written };
}

export class Values {
  readonly body: Body;
  readonly #pcName: string;
  #pc = 0n;
  readonly #locals = new Map<string, number>();
  readonly #truths = new Map<string, number>();
  /** What is known to be 0 or 1, and is in its i32 local. */
  readonly #known = new Set<string>();
  /** Temporaries that exist as a truth alone. */
  readonly #narrow = new Set<string>();
  /** Temporaries that are assigned more than once: variables. */
  #variables: ReadonlySet<string> = new Set();
  readonly #scratch: number[] = [];
  /** Registers whose value is, for now, in a temporary. */
  readonly #aliases = new Map<string, Operand>();
  /** What was assigned, while somebody wants to know. */
  #assigned: Set<string> | undefined;

  constructor(body: Body, pcName: string) {
    this.body = body;
    this.#pcName = pcName;
  }

  /** The local of a register or temporary. */
  local(key: string): number {
    let local = this.#locals.get(key);
    if (local === undefined) {
      local = this.body.local(I64);
      this.#locals.set(key, local);
    }
    return local;
  }

  /** One of a few i64 locals for the middle of one op. */
  scratch(i: number): number {
    while (this.#scratch.length <= i) this.#scratch.push(this.body.local(I64));
    return this.#scratch[i] as number;
  }

  /** A basic block begins: nothing is known. */
  block(): void {
    this.#known.clear();
    this.#narrow.clear();
    this.#aliases.clear();
  }

  /** From now on a register's value is in a temporary; or in its own local again. */
  alias(register: string, to: Operand | undefined): void {
    if (to === undefined) this.#aliases.delete(register);
    else this.#aliases.set(register, to);
  }

  hasAlias(register: string): boolean {
    return this.#aliases.has(register);
  }

  #read(o: Operand): string {
    return keyOf((o.kind === 'register' && this.#aliases.get(o.name)) || o);
  }

  /** An instruction begins: its temporaries are new. */
  instruction(pc: bigint, ops: readonly Op[]): void {
    this.#pc = pc;
    const seen = new Set<string>();
    const variables = new Set<string>();
    for (const op of ops) {
      const to = output(op);
      if (to?.kind !== 'temporary') continue;
      const key = keyOf(to);
      if (seen.has(key)) variables.add(key);
      seen.add(key);
      this.#known.delete(key);
      this.#narrow.delete(key);
    }
    this.#variables = variables;
  }

  /** What a body assigns that may or may not run is not known behind it. */
  perhaps(body: () => void): void {
    const outer = this.#assigned;
    const mine = new Set<string>();
    this.#assigned = mine;
    body();
    this.#assigned = outer;
    for (const key of mine) {
      this.#known.delete(key);
      outer?.add(key);
    }
  }

  constant(o: Operand | undefined): bigint | undefined {
    if (o?.kind === 'constant') return o.value;
    return o?.kind === 'register' && o.name === this.#pcName ? this.#pc : undefined;
  }

  /** Is it surely 0 or 1? */
  isTruth(o: Operand | undefined): boolean {
    if (o === undefined) return false;
    const constant = this.constant(o);
    return constant === undefined ? this.#known.has(this.#read(o)) : constant <= 1n;
  }

  /** Pushes 64 bits. */
  push(o: Operand | undefined): void {
    if (o === undefined) throw new TypeError('an op lacks an input');
    const constant = this.constant(o);
    if (constant !== undefined) {
      this.body.i64(constant);
      return;
    }
    const key = this.#read(o);
    if (this.#narrow.has(key)) this.body.get(this.#truths.get(key) as number).op('i64.extend_i32_u');
    else this.body.get(this.local(key));
  }

  /** Pushes the low 32 bits as an i32. */
  push32(o: Operand | undefined): void {
    const constant = this.constant(o);
    if (constant !== undefined) {
      this.body.i32(Number(BigInt.asIntN(32, constant)));
      return;
    }
    if (this.isTruth(o)) {
      this.body.get(this.#truths.get(this.#read(o as Operand)) as number);
      return;
    }
    this.push(o);
    this.body.op('i32.wrap_i64');
  }

  /** Pushes an i32 that is not 0 when the value is not 0; 0 or 1 when it is known to be. */
  pushTruth(o: Operand): void {
    const constant = this.constant(o);
    if (constant !== undefined) this.body.i32(constant === 0n ? 0 : 1);
    else if (this.#known.has(this.#read(o))) this.body.get(this.#truths.get(this.#read(o)) as number);
    else {
      this.push(o);
      this.body.i64(0n).op('i64.ne');
    }
  }

  /** The i64 local of an operand that is not a truth alone; else undefined. */
  localOf(o: Operand): number | undefined {
    if (this.constant(o) !== undefined || this.#narrow.has(this.#read(o))) return undefined;
    return this.local(this.#read(o));
  }

  /** Takes 64 bits from the stack. */
  pop(to: Operand): void {
    const key = keyOf(to);
    if (to.kind === 'register') this.#aliases.delete(to.name);
    this.#known.delete(key);
    this.#narrow.delete(key);
    this.#assigned?.add(key);
    this.body.set(this.local(key));
  }

  /** Takes an i32 that is 0 or 1 from the stack. */
  popTruth(to: Operand): void {
    const key = keyOf(to);
    if (to.kind === 'register') this.#aliases.delete(to.name);
    let truth = this.#truths.get(key);
    if (truth === undefined) {
      truth = this.body.local(I32);
      this.#truths.set(key, truth);
    }
    this.#assigned?.add(key);
    this.#known.add(key);
    if (to.kind === 'temporary' && !this.#variables.has(key)) {
      this.#narrow.add(key);
      this.body.set(truth);
      return;
    }
    this.body.tee(truth).op('i64.extend_i32_u').set(this.local(key));
  }
}
