/**
 * The binary format of WebAssembly (W3C "WebAssembly Core" 2.0, chapter 5), as far as the translator writes it: LEB128 numbers and the bodies
 * of functions.
 */

import { MEMORY, type MemoryName, OP, type OpName } from './opcodes.ts';

/** Value types. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F64 = 0x7c;
const VOID = 0x40;

/** Bytes that grow. */
export class Bytes {
  #bytes: Uint8Array = new Uint8Array(256);
  length = 0;

  byte(value: number): void {
    if (this.length === this.#bytes.length) {
      const more = new Uint8Array(2 * this.length);
      more.set(this.#bytes);
      this.#bytes = more;
    }
    this.#bytes[this.length++] = value;
  }

  /** Unsigned LEB128, up to 32 bits. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** Signed LEB128 of a 32-bit number. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  /** Signed LEB128 of 64 bits. */
  s64(value: bigint): void {
    let rest = BigInt.asIntN(64, value);
    if (rest >= -0x8000_0000n && rest <= 0x7fff_ffffn) {
      this.s32(Number(rest));
      return;
    }
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  name(text: string): void {
    this.u32(text.length);
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
  }

  append(other: Bytes): void {
    for (let i = 0; i < other.length; i++) this.byte(other.#bytes[i] as number);
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }
}

/** A place to branch to: the nesting at which its block or loop was opened. */
export type Label = number;

/** The body of one function. Labels are positions in the nesting; `br` turns them into depths. */
export class Body {
  readonly code: Bytes = new Bytes();
  readonly #parameters: number;
  readonly #locals: number[] = [];
  #open = 0;

  constructor(parameters: number) {
    this.#parameters = parameters;
  }

  /** A new local of a type. */
  local(type: number): number {
    this.#locals.push(type);
    return this.#parameters + this.#locals.length - 1;
  }

  op(name: OpName): this {
    this.code.byte(OP[name]);
    return this;
  }

  get(local: number): this {
    this.code.byte(0x20);
    this.code.u32(local);
    return this;
  }

  set(local: number): this {
    this.code.byte(0x21);
    this.code.u32(local);
    return this;
  }

  tee(local: number): this {
    this.code.byte(0x22);
    this.code.u32(local);
    return this;
  }

  i32(value: number): this {
    this.code.byte(0x41);
    this.code.s32(value);
    return this;
  }

  i64(value: bigint): this {
    this.code.byte(0x42);
    this.code.s64(value);
    return this;
  }

  f64(value: number): this {
    this.code.byte(0x44);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    for (const byte of bytes) this.code.byte(byte);
    return this;
  }

  memory(name: MemoryName, offset = 0): this {
    const [opcode, align] = MEMORY[name];
    this.code.byte(opcode);
    this.code.u32(align);
    this.code.u32(offset);
    return this;
  }

  block(): Label {
    this.code.byte(0x02);
    this.code.byte(VOID);
    return ++this.#open;
  }

  loop(): Label {
    this.code.byte(0x03);
    this.code.byte(VOID);
    return ++this.#open;
  }

  if(): Label {
    this.code.byte(0x04);
    this.code.byte(VOID);
    return ++this.#open;
  }

  else(): this {
    this.code.byte(0x05);
    return this;
  }

  end(): this {
    this.#open--;
    this.code.byte(OP.end);
    return this;
  }

  br(label: Label): this {
    this.code.byte(0x0c);
    this.code.u32(this.#open - label);
    return this;
  }

  brIf(label: Label): this {
    this.code.byte(0x0d);
    this.code.u32(this.#open - label);
    return this;
  }

  brTable(labels: readonly Label[], otherwise: Label): this {
    this.code.byte(0x0e);
    this.code.u32(labels.length);
    for (const label of labels) this.code.u32(this.#open - label);
    this.code.u32(this.#open - otherwise);
    return this;
  }

  call(index: number): this {
    this.code.byte(0x10);
    this.code.u32(index);
    return this;
  }

  callIndirect(type: number): this {
    this.code.byte(0x11);
    this.code.u32(type);
    this.code.u32(0);
    return this;
  }

  /** With its locals, and the end. */
  finish(): Bytes {
    if (this.#open !== 0) throw new TypeError(`${this.#open} blocks are still open`);
    const out = new Bytes();
    const runs: [count: number, type: number][] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    out.u32(runs.length);
    for (const [count, type] of runs) {
      out.u32(count);
      out.byte(type);
    }
    out.append(this.code);
    out.byte(OP.end);
    return out;
  }
}
