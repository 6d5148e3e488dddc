/** From a row and its operands to bytes: the way back of decode.ts. Intel SDM volume 2, chapter 2. */
import type { Memory, Operand } from './decode.ts';
import type { CodeSize } from './mode.ts';
import type { Row, Slot } from './row.ts';

export interface Form {
  /** Size of the code. */
  readonly bits: CodeSize;
  /** Operand size. Default: that of no prefix. */
  readonly size?: CodeSize;
  readonly addressSize?: CodeSize;
  readonly lock?: boolean;
  readonly repeat?: 0 | 0xf2 | 0xf3;
  readonly override?: number;
  /** Of Jcc, SETcc and CMOVcc. */
  readonly condition?: number;
  /** ModRM.rm of an x87 register. */
  readonly rm?: number;
  /** Displacements are as long as they can be, not as short. */
  readonly long?: boolean;
}

const OVERRIDES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const FORMS_16 = ['3,6', '3,7', '5,6', '5,7', '6,', '7,', '5,', '3,'];

const little = (value: bigint, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, n) => Number((value >> BigInt(8 * n)) & 0xffn));

const fitsByte = (value: bigint): boolean => value >= -128n && value < 128n;

interface Addressed {
  readonly mod: number;
  readonly rm: number;
  readonly sib?: number;
  readonly x: number;
  readonly b: number;
  readonly displacement: number[];
}

function address16(m: Memory, long: boolean): Addressed {
  const d = BigInt.asIntN(16, m.displacement);
  if (m.base === undefined) return { mod: 0, rm: 6, x: 0, b: 0, displacement: little(d, 2) };
  const rm = FORMS_16.indexOf(`${m.base},${m.index ?? ''}`);
  if (rm < 0) throw new RangeError('no such 16-bit address');
  if (d === 0n && rm !== 6 && !long) return { mod: 0, rm, x: 0, b: 0, displacement: [] };
  if (fitsByte(d) && !long) return { mod: 1, rm, x: 0, b: 0, displacement: little(d, 1) };
  return { mod: 2, rm, x: 0, b: 0, displacement: little(d, 2) };
}

function address(m: Memory, bits: CodeSize, long: boolean): Addressed {
  const d = BigInt.asIntN(32, m.displacement);
  if (m.relative) return { mod: 0, rm: 5, x: 0, b: 0, displacement: little(d, 4) };
  const index = m.index ?? 4;
  if (m.index === 4) throw new RangeError('RSP is no index');
  const needsSib = m.index !== undefined || m.base === undefined || (m.base & 7) === 4;
  const x = index >> 3;
  if (m.base === undefined) {
    // Without SIB, 101 is the displacement alone; in 64-bit mode that is taken by what is relative to RIP.
    if (m.index === undefined && bits !== 64) return { mod: 0, rm: 5, x: 0, b: 0, displacement: little(d, 4) };
    return { mod: 0, rm: 4, sib: (m.scale << 6) | ((index & 7) << 3) | 5, x, b: 0, displacement: little(d, 4) };
  }
  const b = m.base >> 3;
  const bare = d === 0n && (m.base & 7) !== 5 && !long;
  const short = fitsByte(d) && !long;
  const mod = bare ? 0 : short ? 1 : 2;
  const displacement = bare ? [] : little(d, short ? 1 : 4);
  if (!needsSib) return { mod, rm: m.base & 7, x: 0, b, displacement };
  return { mod, rm: 4, sib: (m.scale << 6) | ((index & 7) << 3) | (m.base & 7), x, b, displacement };
}

/** The size without prefixes. */
export function defaultSize(row: Row, bits: CodeSize): CodeSize {
  if (bits !== 64) return bits;
  return row.sizing === undefined ? 32 : 64;
}

const numberOf = (operand: Operand): number => {
  if ('number' in operand) return operand.number;
  throw new TypeError(`${operand.kind} is in no register`);
};

function immediate(slot: Slot, operand: Operand, size: CodeSize, bits: CodeSize): number[] {
  switch (operand.kind) {
    case 'constant': {
      if (slot.kind !== 'I') return [];
      const byte = slot.size === 'b' || slot.size === 's';
      const bytes = byte ? 1 : slot.size === 'w' ? 2 : slot.size === 'v' ? size / 8 : Math.min(size, 32) / 8;
      return little(operand.value, bytes);
    }
    case 'relative':
      return little(operand.value, slot.size === 'b' ? 1 : bits === 64 || size !== 16 ? 4 : 2);
    case 'far':
      return [...little(operand.offset, size / 8), ...little(operand.selector, 2)];
    case 'memory':
      return slot.kind === 'O' ? little(operand.displacement, operand.addressSize / 8) : [];
    default:
      return [];
  }
}

/** The bytes of an instruction. Throws a RangeError where there is no such encoding. */
export function encode(row: Row, operands: readonly Operand[], form: Form): number[] {
  const { bits } = form;
  const size = form.size ?? defaultSize(row, bits);
  const memory = operands.find((o): o is Memory => o.kind === 'memory');
  const addressSize = form.addressSize ?? memory?.addressSize ?? bits;
  let rex = 0;
  let mustHaveRex = false;
  let mustNotHaveRex = false;
  let reg = row.digit ?? 0;
  let rm = form.rm ?? 0;
  let mod = 3;
  let sib: number | undefined;
  let displacement: number[] = [];
  let low = 0;
  const tail: number[] = [];
  row.slots.forEach((slot, n) => {
    const operand = operands[n];
    if (operand === undefined) throw new RangeError(`${row.name} needs operand ${n}`);
    if (operand.kind === 'register' && operand.size === 8 && slot.kind !== 'fixed') {
      if (operand.high) mustNotHaveRex = true;
      else if (operand.number >= 4) mustHaveRex = true;
    }
    const number =
      operand.kind === 'register' && operand.high ? operand.number + 4 : 'number' in operand ? operand.number : 0;
    switch (slot.kind) {
      case 'G':
      case 'S':
      case 'C':
      case 'D':
      case 'V':
        reg = number & 7;
        rex |= (number >> 3) << 2;
        break;
      case 'E':
      case 'M':
      case 'R':
      case 'W':
      case 'U':
        if (operand.kind === 'memory') {
          const at =
            addressSize === 16 ? address16(operand, form.long ?? false) : address(operand, bits, form.long ?? false);
          ({ mod, rm, displacement, sib } = { sib: undefined, ...at });
          rex |= (at.x << 1) | at.b;
        } else {
          rm = number & 7;
          rex |= number >> 3;
        }
        break;
      case 'Z':
        low = number & 7;
        rex |= number >> 3;
        break;
      case 'fixed':
        if (numberOf(operand) !== slot.number) throw new RangeError(`${row.name} takes ${slot.text}`);
        break;
      default:
    }
    tail.push(...immediate(slot, operand, size, bits));
  });
  if (row.w === 1 || (bits === 64 && size === 64 && row.sizing === undefined)) rex |= 8;
  const narrow = bits === 64 ? size === 16 && row.sizing !== 'f64' : size !== bits;
  const needsRex = rex !== 0 || mustHaveRex;
  if (needsRex && (bits !== 64 || mustNotHaveRex)) throw new RangeError(`${row.name} has no such encoding`);
  const repeat = row.prefix === 'F2' || row.prefix === 'F3' ? Number.parseInt(row.prefix, 16) : (form.repeat ?? 0);
  const bytes: number[] = [];
  if (form.lock) bytes.push(0xf0);
  if (form.override !== undefined) bytes.push(OVERRIDES[form.override] as number);
  if (addressSize !== bits) bytes.push(0x67);
  if (narrow || row.prefix === '66') bytes.push(0x66);
  if (repeat !== 0) bytes.push(repeat);
  if (needsRex) bytes.push(0x40 | rex);
  if (row.map > 0) bytes.push(0x0f);
  if (row.map > 1) bytes.push(row.map === 2 ? 0x38 : 0x3a);
  bytes.push(row.opcode + (row.span === 16 ? (form.condition ?? 0) : low));
  if (row.modrm) {
    bytes.push(row.exact === undefined ? (mod << 6) | (reg << 3) | rm : row.exact + (row.exactSpan === 8 ? rm : 0));
    if (sib !== undefined) bytes.push(sib);
    bytes.push(...displacement);
  }
  return [...bytes, ...tail];
}
