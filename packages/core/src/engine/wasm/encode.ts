/**
 * The binary format of WebAssembly (W3C "WebAssembly Core" 2.0, chapter 5), as far as the translator writes it: LEB128 numbers, instructions of the
 * integer part, and modules of a few functions.
 */

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

/** Instructions without immediates, by the names of the text format. */
export const OP = {
  unreachable: 0x00,
  end: 0x0b,
  return: 0x0f,
  drop: 0x1a,
  select: 0x1b,
  'i32.eqz': 0x45,
  'i32.eq': 0x46,
  'i32.ne': 0x47,
  'i32.lt_s': 0x48,
  'i32.lt_u': 0x49,
  'i32.gt_u': 0x4b,
  'i32.le_s': 0x4c,
  'i32.le_u': 0x4d,
  'i64.eqz': 0x50,
  'i64.eq': 0x51,
  'i64.ne': 0x52,
  'i64.lt_s': 0x53,
  'i64.lt_u': 0x54,
  'i64.gt_u': 0x56,
  'i64.le_s': 0x57,
  'i64.le_u': 0x58,
  'i32.clz': 0x67,
  'i32.ctz': 0x68,
  'i32.popcnt': 0x69,
  'i32.add': 0x6a,
  'i32.sub': 0x6b,
  'i32.mul': 0x6c,
  'i32.div_s': 0x6d,
  'i32.div_u': 0x6e,
  'i32.rem_s': 0x6f,
  'i32.rem_u': 0x70,
  'i32.and': 0x71,
  'i32.or': 0x72,
  'i32.xor': 0x73,
  'i32.shl': 0x74,
  'i32.shr_s': 0x75,
  'i32.shr_u': 0x76,
  'i32.rotl': 0x77,
  'i32.rotr': 0x78,
  'i64.clz': 0x79,
  'i64.ctz': 0x7a,
  'i64.popcnt': 0x7b,
  'i64.add': 0x7c,
  'i64.sub': 0x7d,
  'i64.mul': 0x7e,
  'i64.div_s': 0x7f,
  'i64.div_u': 0x80,
  'i64.rem_s': 0x81,
  'i64.rem_u': 0x82,
  'i64.and': 0x83,
  'i64.or': 0x84,
  'i64.xor': 0x85,
  'i64.shl': 0x86,
  'i64.shr_s': 0x87,
  'i64.shr_u': 0x88,
  'i64.rotr': 0x8a,
  'f64.add': 0xa0,
  'i32.wrap_i64': 0xa7,
  'i64.extend_i32_s': 0xac,
  'i64.extend_i32_u': 0xad,
  'i32.extend8_s': 0xc0,
  'i32.extend16_s': 0xc1,
  'i64.extend8_s': 0xc2,
  'i64.extend16_s': 0xc3,
  'i64.extend32_s': 0xc4,
} as const;
export type OpName = keyof typeof OP;

/** Memory instructions: opcode and the natural alignment as a power of two. */
const MEMORY = {
  'i32.load': [0x28, 2],
  'i64.load': [0x29, 3],
  'f64.load': [0x2b, 3],
  'i32.load8_u': [0x2d, 0],
  'i64.load8_s': [0x30, 0],
  'i64.load8_u': [0x31, 0],
  'i64.load16_s': [0x32, 1],
  'i64.load16_u': [0x33, 1],
  'i64.load32_s': [0x34, 2],
  'i64.load32_u': [0x35, 2],
  'i32.store': [0x36, 2],
  'i64.store': [0x37, 3],
  'f64.store': [0x39, 3],
  'i64.store8': [0x3c, 0],
  'i64.store16': [0x3d, 1],
  'i64.store32': [0x3e, 2],
} as const;
export type MemoryName = keyof typeof MEMORY;

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

export interface FunctionType {
  readonly parameters: readonly number[];
  readonly results: readonly number[];
}

/** What a module has. The memory is always imported, the table when asked for; functions are exported under their names. */
export interface ModuleParts {
  readonly types: readonly FunctionType[];
  /** 64 KiB pages that the memory has at least. */
  readonly pages: number;
  readonly table?: number;
  readonly functions: readonly { readonly name: string; readonly type: number; readonly body: Body }[];
}

function section(out: Bytes, id: number, content: Bytes): void {
  out.byte(id);
  out.u32(content.length);
  out.append(content);
}

/** A whole module: it imports `m.m`, the memory, and `m.t`, the table. */
export function encodeModule({ types, pages, table, functions }: ModuleParts): Uint8Array {
  const out = new Bytes();
  for (const byte of [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) out.byte(byte);
  const typed = new Bytes();
  typed.u32(types.length);
  for (const { parameters, results } of types) {
    typed.byte(0x60);
    for (const list of [parameters, results]) {
      typed.u32(list.length);
      for (const type of list) typed.byte(type);
    }
  }
  section(out, 1, typed);
  const imports = new Bytes();
  imports.u32(table === undefined ? 1 : 2);
  imports.name('m');
  imports.name('m');
  imports.byte(2);
  imports.byte(0);
  imports.u32(pages);
  if (table !== undefined) {
    imports.name('m');
    imports.name('t');
    imports.byte(1);
    imports.byte(0x70);
    imports.byte(0);
    imports.u32(table);
  }
  section(out, 2, imports);
  const declared = new Bytes();
  declared.u32(functions.length);
  for (const { type } of functions) declared.u32(type);
  section(out, 3, declared);
  const exported = new Bytes();
  exported.u32(functions.length);
  functions.forEach(({ name }, i) => {
    exported.name(name);
    exported.byte(0);
    exported.u32(i);
  });
  section(out, 7, exported);
  const code = new Bytes();
  code.u32(functions.length);
  for (const { body } of functions) {
    const finished = body.finish();
    code.u32(finished.length);
    code.append(finished);
  }
  section(out, 10, code);
  return out.done();
}
