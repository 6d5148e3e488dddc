/**
 * The assembler: one function for each instruction, so that a program in a test reads as assembly and a misspelt register does not compile.
 *
 * ```ts
 * assemble([movi('R1', 5), label('again'), addi('R1', 'R1', -1), bnez('R1', 'again')]);
 * ```
 */
import { PLACES, rows } from './isa/decode.ts';
import { LENGTH, type OperandName } from './isa/row.ts';
import { RAM } from './platform/tiny.ts';
import { type ControlName, control } from './registers/control.ts';
import { GENERAL_NAMES, type GeneralName } from './registers/general.ts';
import { type IdentityName, identity } from './registers/identity.ts';
import { type PmuName, pmu } from './registers/pmu.ts';
import { type SamplingName, samplingRegisters } from './registers/sampling.ts';

/** Registers that `readreg` and `writereg` name. */
export type ControlRegister = ControlName | PmuName | SamplingName | IdentityName;

/** Where a line stands: its own address, and those of labels. */
interface Place {
  readonly pc: number;
  address(label: string): number;
}

/** One instruction, encoded once its place is known; or a label. */
export type Line = ((place: Place) => number) | { readonly label: string };

const addressed = { ...control, ...pmu, ...samplingRegisters, ...identity };

function indexOf(register: ControlRegister): number {
  const { at } = addressed[register];
  if (at === undefined) throw new Error(`${register} has no address.`);
  return at.index;
}

/** A word from the row's opcode and its operands, each checked against its place. */
function encode(name: string, operands: Readonly<Partial<Record<OperandName, number>>>): number {
  const row = rows.find((r) => r.name === name);
  if (row === undefined) throw new Error(`There is no instruction ${name}.`);
  let word = row.opcode << 24;
  for (const operand of row.operands) {
    const [low, width] = PLACES[operand];
    const value = operands[operand] ?? 0;
    const least = operand === 'imm' ? -(2 ** (width - 1)) : 0;
    if (!Number.isInteger(value) || value < least || value >= least + 2 ** width) {
      throw new RangeError(`${name}: ${value} does not fit ${width} bits from ${least}.`);
    }
    word |= (value & (2 ** width - 1)) << low;
  }
  return word >>> 0;
}

const n = (register: GeneralName): number => GENERAL_NAMES.indexOf(register);

/** A number, or a label: its address. */
type Immediate = number | string;
/** Instructions from here, or a label. */
type Target = number | string;

const immediate = (place: Place, imm: Immediate): number => (typeof imm === 'string' ? place.address(imm) : imm);
const offset = (place: Place, to: Target): number =>
  typeof to === 'string' ? (place.address(to) - place.pc) / LENGTH : to;

export const label = (name: string): Line => ({ label: name });

export const nop = (): Line => () => encode('nop', {});
export const movi =
  (a: GeneralName, imm: Immediate): Line =>
  (place) =>
    encode('movi', { a: n(a), imm: immediate(place, imm) });
export const addi =
  (a: GeneralName, b: GeneralName, imm: Immediate): Line =>
  (place) =>
    encode('addi', { a: n(a), b: n(b), imm: immediate(place, imm) });
export const add =
  (a: GeneralName, b: GeneralName, c: GeneralName): Line =>
  () =>
    encode('add', { a: n(a), b: n(b), c: n(c) });
export const sub =
  (a: GeneralName, b: GeneralName, c: GeneralName): Line =>
  () =>
    encode('sub', { a: n(a), b: n(b), c: n(c) });
/** `a` from memory at `b + imm`. */
export const load =
  (a: GeneralName, b: GeneralName, imm: number): Line =>
  () =>
    encode('load', { a: n(a), b: n(b), imm });
/** `a` to memory at `b + imm`. */
export const store =
  (a: GeneralName, b: GeneralName, imm: number): Line =>
  () =>
    encode('store', { a: n(a), b: n(b), imm });
export const beqz =
  (a: GeneralName, to: Target): Line =>
  (place) =>
    encode('beqz', { a: n(a), imm: offset(place, to) });
export const bnez =
  (a: GeneralName, to: Target): Line =>
  (place) =>
    encode('bnez', { a: n(a), imm: offset(place, to) });
export const jump =
  (to: Target): Line =>
  (place) =>
    encode('jump', { imm: offset(place, to) });
export const call =
  (to: Target): Line =>
  (place) =>
    encode('call', { imm: offset(place, to) });
export const ret = (): Line => () => encode('ret', {});
export const readreg =
  (a: GeneralName, register: ControlRegister | number): Line =>
  () =>
    encode('readreg', { a: n(a), index: typeof register === 'number' ? register : indexOf(register) });
export const writereg =
  (register: ControlRegister | number, a: GeneralName): Line =>
  () =>
    encode('writereg', { a: n(a), index: typeof register === 'number' ? register : indexOf(register) });
export const syscall =
  (index: number): Line =>
  () =>
    encode('syscall', { index });
export const sysret = (): Line => () => encode('sysret', {});
export const trap =
  (index: number): Line =>
  () =>
    encode('trap', { index });
export const wait = (): Line => () => encode('wait', {});

/** Machine code: words in order, least significant byte first. `base` is where the first one will stand. */
export function assemble(lines: readonly Line[], base: number = Number(RAM)): Uint8Array {
  const labels = new Map<string, number>();
  let pc = base;
  for (const line of lines) {
    if (typeof line === 'function') pc += LENGTH;
    else if (labels.has(line.label)) throw new Error(`The label ${line.label} stands twice.`);
    else labels.set(line.label, pc);
  }
  const address = (name: string): number => {
    const at = labels.get(name);
    if (at === undefined) throw new Error(`There is no label ${name}.`);
    return at;
  };
  const instructions = lines.filter((line) => typeof line === 'function');
  const view = new DataView(new ArrayBuffer(instructions.length * LENGTH));
  for (const [i, line] of instructions.entries()) {
    view.setUint32(i * LENGTH, line({ pc: base + i * LENGTH, address }), true);
  }
  return new Uint8Array(view.buffer);
}
