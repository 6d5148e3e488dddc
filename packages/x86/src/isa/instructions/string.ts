/**
 * String instructions. Intel SDM volume 2, REP, MOVS, CMPS, SCAS, LODS, STOS, INS, OUTS; volume 1, 7.3.9.
 * With a repeat prefix one turn does one element and then asks to go on (counting rule 10): the instruction retires once, at its end.
 */
import type { Signal, Value } from '@countervisor/contract';
import { setFlags, subtract } from '../flags.ts';
import { type Body, widthOf } from '../operands.ts';
import { type More, type Row, row } from '../row.ts';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RSI = 6;
const RDI = 7;
const ES = 0;
const DS = 3;

type Bytes = 1 | 2 | 4 | 8;

/** What one element does. Loads and stores first; then it returns what changes registers. */
interface Element {
  /** Bytes of it. */
  readonly bytes: Bytes;
  /** Sets flags and registers other than the pointers. */
  readonly settle: () => void;
  /** Repeats while this is so, if REPE and REPNE look at ZF: 0 for equal. */
  readonly differs?: Value;
}

const bytesOf = (x: Body, byte: boolean): Bytes => (byte ? 1 : x.size / 8) as Bytes;

const pointer = (x: Body, n: number): Value => x.register(n, x.i.addressSize);
const at = (x: Body, n: number, segment: number, bytes: number, write: boolean): Value =>
  x.linear(segment, pointer(x, n), bytes, write);
const source = (x: Body): number => x.i.override ?? DS;

/** Moves a pointer on by its element, downwards with DF. */
function advance(x: Body, n: number, bytes: Bytes): void {
  const { b } = x;
  const { addressSize } = x.i;
  const down = b.and(b.get('SYSTEM_FLAGS'), b.constant(0x400));
  const by = b.select(down, b.constant(-bytes), b.constant(bytes));
  x.setRegister(n, addressSize, b.add(pointer(x, n), by, widthOf(addressSize)));
}

type Work = (x: Body, byte: boolean) => Element;

function lift(work: Work, byte: boolean, pointers: readonly number[], signals: readonly Signal[]): (x: Body) => void {
  return (x) => {
    const { b } = x;
    const { addressSize, repeat } = x.i;
    const once = (): Element => {
      const element = work(x, byte);
      element.settle();
      for (const n of pointers) advance(x, n, element.bytes);
      return element;
    };
    // Whether the port may be used is asked first, even for no elements.
    if (work === ins || work === outs) permitted(x, x.register(RDX, 16), portBytes(x, byte));
    if (repeat === 0) {
      once();
      return;
    }
    const count = x.register(RCX, addressSize);
    b.when(count, () => {
      const { differs } = once();
      const left = b.sub(count, b.constant(1), widthOf(addressSize));
      const rest = addressSize === 16 ? b.zext16(left) : left;
      x.setRegister(RCX, addressSize, rest);
      for (const signal of signals) b.emit(signal);
      if (differs === undefined) b.again(rest);
      else b.again(repeat === 0xf3 ? b.select(differs, b.constant(0), rest) : b.select(differs, rest, b.constant(0)));
    });
  };
}

const nothing = (): void => {};

const movs: Work = (x, byte) => {
  const bytes = bytesOf(x, byte);
  const value = x.b.load(at(x, RSI, source(x), bytes, false), { size: bytes });
  x.b.store(at(x, RDI, ES, bytes, true), value, { size: bytes });
  return { bytes, settle: nothing };
};

const stos: Work = (x, byte) => {
  const bytes = bytesOf(x, byte);
  x.b.store(at(x, RDI, ES, bytes, true), x.get('RAX'), { size: bytes });
  return { bytes, settle: nothing };
};

const lods: Work = (x, byte) => {
  const bytes = bytesOf(x, byte);
  const value = x.b.load(at(x, RSI, source(x), bytes, false), { size: bytes });
  return { bytes, settle: () => x.setRegister(RAX, 8 * bytes, value) };
};

/** An element sign-extended, as subtraction wants it. */
const element = (x: Body, address: Value, bytes: Bytes): Value => x.b.load(address, { size: bytes, signed: bytes < 4 });

const compare = (x: Body, first: Value, second: Value, bytes: Bytes): Element => {
  const { flags } = subtract(x.b, first, second, 8 * bytes);
  return { bytes, settle: () => setFlags(x.b, flags), differs: flags.NONZERO as Value };
};

const cmps: Work = (x, byte) => {
  const bytes = bytesOf(x, byte);
  const first = element(x, at(x, RSI, source(x), bytes, false), bytes);
  return compare(x, first, element(x, at(x, RDI, ES, bytes, false), bytes), bytes);
};

const scas: Work = (x, byte) => {
  const { b } = x;
  const bytes = bytesOf(x, byte);
  const second = element(x, at(x, RDI, ES, bytes, false), bytes);
  const accumulator = b.get('RAX');
  const first = bytes === 1 ? b.sext8(accumulator) : bytes === 2 ? b.sext16(accumulator) : accumulator;
  return compare(x, first, second, bytes);
};

/** I/O has no 64-bit form. */
const portBytes = (x: Body, byte: boolean): 1 | 2 | 4 => (byte ? 1 : x.size === 16 ? 2 : 4);

const ins: Work = (x, byte) => {
  const { b } = x;
  const bytes = portBytes(x, byte);
  const port = x.register(RDX, 16);
  const to = at(x, RDI, ES, bytes, true);
  b.probe(to, bytes, true);
  b.store(to, b.load(port, { size: bytes, space: 'io' }), { size: bytes });
  return { bytes, settle: nothing };
};

const outs: Work = (x, byte) => {
  const { b } = x;
  const bytes = portBytes(x, byte);
  const port = x.register(RDX, 16);
  const value = b.load(at(x, RSI, source(x), bytes, false), { size: bytes });
  b.store(port, value, { size: bytes, space: 'io' });
  return { bytes, settle: nothing };
};

/** Volume 1, 19.5: beyond IOPL the task's permission bitmap decides. Not asked in real mode. */
export function permitted(x: Body, port: Value, bytes: number): void {
  const { b } = x;
  if (!x.isProtected) return;
  const iopl = b.and(b.shr(b.get('SYSTEM_FLAGS'), b.constant(12)), b.constant(3));
  b.when(b.ltu(iopl, b.get('CPL')), () => x.attempt('io-fault', port, b.constant(bytes)));
}

function rows(
  name: string,
  code: number,
  work: Work,
  pointers: readonly number[],
  signals: readonly Signal[],
  more: More = {},
): readonly Row[] {
  const hex = (n: number): string => n.toString(16).toUpperCase();
  const common: More = { ...more, string: true, signals };
  return [
    row(`${name}B`, hex(code), '', 'string', lift(work, true, pointers, signals), common),
    row(name, hex(code + 1), '', 'string', lift(work, false, pointers, signals), common),
  ];
}

export const string: readonly Row[] = [
  ...rows('MOVS', 0xa4, movs, [RSI, RDI], ['load', 'store', 'access', 'access']),
  ...rows('CMPS', 0xa6, cmps, [RSI, RDI], ['load', 'access', 'access']),
  ...rows('STOS', 0xaa, stos, [RDI], ['store', 'access']),
  ...rows('LODS', 0xac, lods, [RSI], ['load', 'access']),
  ...rows('SCAS', 0xae, scas, [RDI], ['load', 'access']),
  ...rows('INS', 0x6c, ins, [RDI], ['store', 'access']),
  ...rows('OUTS', 0x6e, outs, [RSI], ['load', 'access']),
];
