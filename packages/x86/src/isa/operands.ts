/**
 * What most lifts say in the same words: registers and their parts, addresses, operands, the stack, where to go on.
 * Intel SDM volume 1, 3.3.7 (address calculation in 64-bit mode), 3.4.1.1 (general registers), 6.2 (stacks); volume 3, 3.4.
 *
 * Values: `raw` may hold anything above the operand's size, `unsigned` zeros, `signed` copies of its sign (8 and 16 bits). What is written must be
 * zero-extended at 32 bits and may hold anything above 8 and 16.
 */
import type { AccessShape, Lifter, Value, Width } from '@countervisor/contract';
import { type Call, type ExceptionName, SEGMENTS } from './calls.ts';
import type { Instruction, Memory, Operand } from './decode.ts';
import { type CodeSize, codeSize, isBent, MODE } from './mode.ts';

export const GENERAL: readonly string[] = [
  'RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15',
]; // biome-ignore format: one line, in the order of their numbers

const RSP = 4;
const SS = 2;

export const registerName = (n: number): string => GENERAL[n] as string;

type Bytes = AccessShape['size'];

export const widthOf = (size: number): Width => (size === 64 ? 64 : 32);

/** The low bits alone. */
export function zext(b: Lifter, value: Value, size: number): Value {
  if (size === 64) return value;
  if (size === 32) return b.zext32(value);
  return size === 16 ? b.zext16(value) : b.zext8(value);
}

/** The low bits, sign-extended to 64. */
export function sext(b: Lifter, value: Value, size: number): Value {
  if (size === 64) return value;
  if (size === 32) return b.sext32(value);
  return size === 16 ? b.sext16(value) : b.sext8(value);
}

/** One instruction being lifted. */
export class Body {
  readonly b: Lifter;
  readonly i: Instruction;
  readonly bits: CodeSize;
  readonly #linear = new Map<number, Value>();

  constructor(b: Lifter, i: Instruction) {
    this.b = b;
    this.i = i;
    this.bits = codeSize(i.mode);
  }

  run(): void {
    // Volume 3, 5.3: an instruction beyond the limit of CS faults when it is fetched.
    if (isBent(this.i.mode, 1)) {
      const { b } = this;
      const last = b.sub(b.constant(b.next - 1n), b.get('CS_BASE'), 32);
      b.when(b.ltu(b.get('CS_LIMIT'), last), () => this.raise('#GP'));
    }
    this.i.row.lift(this);
  }

  /** Operand size, bits. */
  get size(): CodeSize {
    return this.i.size;
  }

  constant(value: bigint | number): Value {
    return this.b.constant(value);
  }

  get(register: string): Value {
    return this.b.get(register);
  }

  set(register: string, value: Value): void {
    this.b.set(register, value);
  }

  raise(name: ExceptionName, error = 0): void {
    this.b.raise(name, this.b.constant(error));
  }

  /** Calls a helper. */
  call(name: Call, ...args: Value[]): Value {
    return this.b.call(name, ...args);
  }

  /** Calls a helper that answers with a fault, and raises that. */
  attempt(name: Call, ...args: Value[]): void {
    const { b } = this;
    const fault = b.call(name, ...args);
    b.when(fault, () => b.raise('fault', fault));
  }

  operand(n: number): Operand {
    const operand = this.i.operands[n];
    if (operand === undefined) throw new Error(`${this.i.name} has no operand ${n}.`);
    return operand;
  }

  /** Bits of an operand. */
  sizeOf(n: number): number {
    return this.operand(n).size;
  }

  isMemory(n: number): boolean {
    return this.operand(n).kind === 'memory';
  }

  memory(n: number): Memory {
    const operand = this.operand(n);
    if (operand.kind !== 'memory') throw new Error(`${this.i.name}: operand ${n} is not in memory.`);
    return operand;
  }

  // Registers.

  register(n: number, size: number, high = false): Value {
    const { b } = this;
    const value = b.get(registerName(n));
    return high ? b.zext8(b.shr(value, b.constant(8))) : zext(b, value, size);
  }

  /** Writes part of a general register: 8 and 16 bits keep the others, 32 must come zero-extended. */
  setRegister(n: number, size: number, value: Value, high = false): void {
    const { b } = this;
    const name = registerName(n);
    if (size >= 32) {
      b.set(name, value);
      return;
    }
    const keep = (mask: bigint): Value => b.and(b.get(name), b.constant(~mask));
    if (high) b.set(name, b.or(keep(0xff00n), b.shl(b.zext8(value), b.constant(8))));
    else b.set(name, b.or(keep(size === 8 ? 0xffn : 0xffffn), zext(b, value, size)));
  }

  // Addresses.

  /** The offset of an operand in its segment, zero-extended from the address size. */
  offset(n: number): Value {
    return this.offsetOf(this.memory(n));
  }

  offsetOf(m: Memory): Value {
    const { b } = this;
    const width = widthOf(m.addressSize);
    if (m.relative) return b.constant(BigInt.asUintN(m.addressSize, b.next + m.displacement));
    const parts: Value[] = [];
    if (m.base !== undefined) parts.push(b.get(registerName(m.base)));
    if (m.index !== undefined) {
      const index = b.get(registerName(m.index));
      parts.push(m.scale === 0 ? index : b.shl(index, b.constant(m.scale), width));
    }
    const [first, second] = parts;
    if (first === undefined) return b.constant(BigInt.asUintN(m.addressSize, m.displacement));
    let sum = second === undefined ? first : b.add(first, second, width);
    if (m.displacement !== 0n) sum = b.add(sum, b.constant(m.displacement), width);
    else if (second === undefined && m.addressSize === 32) sum = b.zext32(sum);
    return m.addressSize === 16 ? b.zext16(sum) : sum;
  }

  /** The linear address of an operand in memory; where its segment is not flat, after the checks of an access to `bytes`. */
  address(n: number, write = false, bytes: number = this.sizeOf(n) / 8): Value {
    const known = this.#linear.get(n);
    if (known !== undefined) return known;
    const m = this.memory(n);
    const linear = this.linear(m.segment, this.offsetOf(m), bytes, write);
    this.#linear.set(n, linear);
    return linear;
  }

  /** The linear address of an offset (zero-extended) in a segment. */
  linear(segment: number, offset: Value, bytes: number, write: boolean): Value {
    const { b } = this;
    const base = `${SEGMENTS[segment]}_BASE`;
    if (this.bits === 64) return segment < 4 ? offset : b.add(offset, b.get(base));
    if (!isBent(this.i.mode, segment)) return offset;
    const [number, size, kind] = [b.constant(segment), b.constant(bytes), b.constant(write ? 1 : 0)];
    this.attempt('segment-fault', number, offset, size, kind);
    return b.add(offset, b.get(base), 32);
  }

  /** An address so many bytes behind another one of the same operand. */
  beyond(address: Value, bytes: number): Value {
    const { b } = this;
    return bytes === 0 ? address : b.add(address, b.constant(bytes), widthOf(this.bits));
  }

  // Operands.

  /** The operand, whatever stands above its bits. */
  raw(n: number): Value {
    const operand = this.operand(n);
    if (operand.kind === 'register' && !operand.high) return this.b.get(registerName(operand.number));
    return this.unsigned(n);
  }

  unsigned(n: number): Value {
    const { b } = this;
    const operand = this.operand(n);
    switch (operand.kind) {
      case 'register':
        return this.register(operand.number, operand.size, operand.high);
      case 'memory':
        return b.load(this.address(n, this.i.row.slots[n]?.writes), { size: (operand.size / 8) as Bytes });
      case 'constant':
        return b.constant(BigInt.asUintN(operand.size, operand.value));
      case 'segment':
        return b.get(SEGMENTS[operand.number] as string);
      default:
        throw new Error(`${this.i.name}: operand ${n} is no number.`);
    }
  }

  /** Sign-extended at 8 and 16 bits; at 32 the upper half may hold anything. What arithmetic at those sizes works on. */
  signed(n: number): Value {
    const { b } = this;
    const operand = this.operand(n);
    const { size } = operand;
    if (operand.kind === 'constant') return b.constant(BigInt.asIntN(size, operand.value));
    if (size >= 32) return this.raw(n);
    if (operand.kind === 'memory') {
      return b.load(this.address(n, this.i.row.slots[n]?.writes), { size: (size / 8) as Bytes, signed: true });
    }
    return sext(b, operand.kind === 'register' && operand.high ? this.unsigned(n) : this.raw(n), size);
  }

  /** Writes an operand. Stores may fault, so they stand before every change. */
  write(n: number, value: Value): void {
    const operand = this.operand(n);
    if (operand.kind === 'register') this.setRegister(operand.number, operand.size, value, operand.high);
    else this.b.store(this.address(n, true), value, { size: (operand.size / 8) as Bytes });
  }

  // The stack.

  /** Size of the stack pointer: 64, 32 or 16 bits. */
  get stackSize(): CodeSize {
    if (this.bits === 64) return 64;
    return (this.i.mode & MODE.stack32) === 0 ? 16 : 32;
  }

  stackPointer(): Value {
    return this.register(RSP, this.stackSize);
  }

  /** The stack pointer moved by so many bytes, cut to its size. */
  moved(bytes: number, from: Value = this.b.get('RSP')): Value {
    const { b } = this;
    const sum = b.add(from, b.constant(bytes), widthOf(this.stackSize));
    return this.stackSize === 16 ? b.zext16(sum) : sum;
  }

  setStackPointer(value: Value): void {
    this.setRegister(RSP, this.stackSize, value);
  }

  /** Linear address of an offset in the stack segment. */
  stackAddress(offset: Value, bytes: number, write: boolean): Value {
    return this.linear(SS, offset, bytes, write);
  }

  /** Stores below the stack pointer and returns the new one, which is to be set when nothing can fault any more. */
  push(value: Value, size: number): Value {
    const bytes = size / 8;
    const pointer = this.moved(-bytes);
    this.b.store(this.stackAddress(pointer, bytes, true), value, { size: bytes as Bytes });
    return pointer;
  }

  /** Loads what the stack pointer points at; zero-extended. */
  top(size: number): Value {
    const bytes = size / 8;
    return this.b.load(this.stackAddress(this.stackPointer(), bytes, false), { size: bytes as Bytes });
  }

  // Where to go on.

  /**
   * The linear address of an instruction pointer, after the check of it. `#GP` for what is not canonical, or beyond the limit of CS; `first` is what
   * may fault before that.
   */
  target(offset: Value, first: () => void = () => {}): Value {
    const { b } = this;
    if (this.bits === 64) {
      // The lower half of the address space is asked for first, so the usual case costs two ops.
      b.when(b.shr(offset, b.constant(47)), () => {
        const canonical = b.sar(b.shl(offset, b.constant(16)), b.constant(16));
        b.when(b.ne(canonical, offset), () => {
          first();
          this.raise('#GP');
        });
      });
      return offset;
    }
    if (!isBent(this.i.mode, 1)) return offset;
    b.when(b.ltu(b.get('CS_LIMIT'), offset), () => {
      first();
      this.raise('#GP');
    });
    return b.add(offset, b.get('CS_BASE'), 32);
  }

  /** The next instruction's address as an offset in CS, zero-extended: what CALL saves. */
  nextOffset(): Value {
    const { b } = this;
    if (this.bits === 64 || !isBent(this.i.mode, 1)) return b.constant(b.next);
    return b.sub(b.constant(b.next), b.get('CS_BASE'), 32);
  }

  /** Where a relative branch goes: a constant where CS is flat, an offset and its checks elsewhere. */
  relative(n: number): { readonly at: bigint } | { readonly offset: Value } {
    const { b } = this;
    const operand = this.operand(n);
    if (operand.kind !== 'relative') throw new Error(`${this.i.name}: operand ${n} is not relative.`);
    const { size } = operand;
    if (this.bits === 64 || !isBent(this.i.mode, 1)) return { at: BigInt.asUintN(size, b.next + operand.value) };
    const offset = b.add(this.nextOffset(), b.constant(operand.value), 32);
    return { offset: size === 16 ? b.zext16(offset) : offset };
  }

  // Privilege.

  /** #GP(0) unless at CPL 0. */
  privileged(): void {
    const { b } = this;
    b.when(b.get('CPL'), () => this.raise('#GP'));
  }

  get isProtected(): boolean {
    return (this.i.mode & MODE.protected) !== 0;
  }
}
