/**
 * XMM registers as far as compilers use them for moving data: moves, logic, whole-number sums and comparisons of SSE and SSE2; FXSAVE, FXRSTOR and MXCSR.
 * Arithmetic is absent: #UD. Intel SDM volume 2, by mnemonic; volume 3, 2.5 (CR4.OSFXSR) and table 6-1.
 */
import type { Lifter, Value } from '@countervisor/contract';
import type { Body } from '../operands.ts';
import { type More, type Row, row } from '../row.ts';
import { x87Index } from '../x87.ts';

const EM = 4n;
const TS = 8n;
const OSFXSR = 0x200n;

/** #UD without CR4.OSFXSR or with CR0.EM, #NM with CR0.TS. */
function available(x: Body): void {
  const { b } = x;
  b.when(b.eq(b.and(b.get('CR4'), b.constant(OSFXSR)), b.constant(0)), () => x.raise('#UD'));
  b.when(b.and(b.get('CR0'), b.constant(EM)), () => x.raise('#UD'));
  b.when(b.and(b.get('CR0'), b.constant(TS)), () => x.raise('#NM'));
}

interface Pair {
  readonly low: Value;
  readonly high: Value;
}

const numberOf = (x: Body, n: number): number => {
  const operand = x.operand(n);
  if (operand.kind !== 'vector') throw new Error(`${x.i.name}: operand ${n} is no XMM register.`);
  return operand.number;
};

const register = (x: Body, number: number): Pair => ({
  low: x.get(`XMM${number}_LOW`),
  high: x.get(`XMM${number}_HIGH`),
});

function setRegister(x: Body, number: number, { low, high }: Pair): void {
  x.set(`XMM${number}_LOW`, low);
  x.set(`XMM${number}_HIGH`, high);
}

/** The linear address of 16 bytes; `aligned`: #GP(0) where they are not at a multiple of 16. */
function place(x: Body, n: number, write: boolean, aligned: boolean): Value {
  const { b } = x;
  const at = x.address(n, write, 16);
  if (aligned) b.when(b.and(at, b.constant(15)), () => x.raise('#GP'));
  return at;
}

function read(x: Body, n: number, aligned: boolean): Pair {
  if (!x.isMemory(n)) return register(x, numberOf(x, n));
  const { b } = x;
  const at = place(x, n, false, aligned);
  return { low: b.load(at, { size: 8 }), high: b.load(x.beyond(at, 8), { size: 8 }) };
}

function write(x: Body, n: number, pair: Pair, aligned: boolean): void {
  const { b } = x;
  if (!x.isMemory(n)) {
    setRegister(x, numberOf(x, n), pair);
    return;
  }
  const at = place(x, n, true, aligned);
  b.probe(at, 16, true);
  b.store(at, pair.low, { size: 8 });
  b.store(x.beyond(at, 8), pair.high, { size: 8 });
}

const move =
  (aligned: boolean) =>
  (x: Body): void => {
    available(x);
    write(x, 0, read(x, 1, aligned), aligned);
  };

type Combine = (b: Lifter, to: Value, from: Value) => Value;

/** Each half by itself. */
const halves =
  (combine: Combine) =>
  (x: Body): void => {
    available(x);
    const from = read(x, 1, true);
    const number = numberOf(x, 0);
    const to = register(x, number);
    setRegister(x, number, { low: combine(x.b, to.low, from.low), high: combine(x.b, to.high, from.high) });
  };

/** The top bit of each element of 64 bits. */
const tops = (width: number): bigint => {
  let mask = 0n;
  for (let at = width - 1; at < 64; at += width) mask |= 1n << BigInt(at);
  return mask;
};

/** Sums and differences of elements: carries stop below the top bit of each, which is worked out apart. */
const addElements =
  (width: number): Combine =>
  (b, to, from) => {
    if (width === 64) return b.add(to, from);
    const high = b.constant(tops(width));
    const rest = b.constant(~tops(width));
    return b.xor(b.add(b.and(to, rest), b.and(from, rest)), b.and(b.xor(to, from), high));
  };

const subtractElements =
  (width: number): Combine =>
  (b, to, from) => {
    if (width === 64) return b.sub(to, from);
    const high = b.constant(tops(width));
    const rest = b.constant(~tops(width));
    return b.xor(b.sub(b.or(to, high), b.and(from, rest)), b.and(b.xor(to, b.not(from)), high));
  };

/** Ones in each element that is equal. */
const equalElements =
  (width: number): Combine =>
  (b, to, from) => {
    const differs = b.xor(to, from);
    const rest = b.constant(BigInt.asUintN(64, ~tops(width)));
    // The top bit of an element is set when any of its bits is.
    const any = b.or(b.add(b.and(differs, rest), rest), differs);
    const equal = b.shr(b.and(b.not(any), b.constant(tops(width))), b.constant(width - 1));
    return b.mul(equal, b.constant((1n << BigInt(width)) - 1n));
  };

/** MOVD and MOVQ between a general register or memory and the low part; the rest becomes 0. */
function fromGeneral(x: Body): void {
  available(x);
  setRegister(x, numberOf(x, 0), { low: x.unsigned(1), high: x.constant(0) });
}

function toGeneral(x: Body): void {
  available(x);
  const { low } = register(x, numberOf(x, 1));
  x.write(0, x.sizeOf(0) === 32 ? x.b.zext32(low) : low);
}

/** MOVQ. */
function moveLow(x: Body): void {
  available(x);
  const low = x.isMemory(1) ? x.unsigned(1) : register(x, numberOf(x, 1)).low;
  if (x.isMemory(0)) x.write(0, low);
  else setRegister(x, numberOf(x, 0), { low, high: x.constant(0) });
}

/** MOVSS and MOVSD: from memory the rest becomes 0, between registers it stays. */
function moveScalar(x: Body): void {
  const { b } = x;
  available(x);
  const narrow = x.sizeOf(0) === 32 || x.sizeOf(1) === 32;
  if (x.isMemory(1)) {
    setRegister(x, numberOf(x, 0), { low: x.unsigned(1), high: x.constant(0) });
    return;
  }
  const { low } = register(x, numberOf(x, 1));
  if (x.isMemory(0)) {
    x.write(0, low);
    return;
  }
  const old = register(x, numberOf(x, 0));
  const kept = narrow ? b.or(b.and(old.low, b.constant(~0xffff_ffffn)), b.zext32(low)) : low;
  setRegister(x, numberOf(x, 0), { low: kept, high: old.high });
}

const unpack =
  (upper: boolean) =>
  (x: Body): void => {
    available(x);
    const from = read(x, 1, true);
    const number = numberOf(x, 0);
    const to = register(x, number);
    setRegister(x, number, upper ? { low: to.high, high: from.high } : { low: to.low, high: from.low });
  };

/** PSHUFD: four doublewords, chosen by two bits each. */
function shuffle(x: Body): void {
  const { b } = x;
  available(x);
  const { low, high } = read(x, 1, true);
  const order = x.operand(2);
  if (order.kind !== 'constant') throw new Error('PSHUFD takes a constant.');
  const element = (n: number): Value => {
    const which = (Number(order.value) >> (2 * n)) & 3;
    const half = which < 2 ? low : high;
    return which % 2 === 0 ? b.zext32(half) : b.shr(half, b.constant(32));
  };
  const pair = (n: number): Value => b.or(element(n), b.shl(element(n + 1), b.constant(32)));
  setRegister(x, numberOf(x, 0), { low: pair(0), high: pair(2) });
}

/** PMOVMSKB: the top bits of the bytes. */
function signs(x: Body): void {
  const { b } = x;
  available(x);
  const { low, high } = register(x, numberOf(x, 1));
  const gather = (half: Value): Value => {
    const bits = b.shr(b.and(half, b.constant(0x8080_8080_8080_8080n)), b.constant(7));
    return b.shr(b.mul(bits, b.constant(0x0102_0408_1020_4080n)), b.constant(56));
  };
  x.write(0, b.or(gather(low), b.shl(gather(high), b.constant(8))));
}

/** Bits of MXCSR that there are: a 1 elsewhere is #GP(0). */
const MXCSR = 0xffffn;

function loadControl(x: Body): void {
  const { b } = x;
  available(x);
  const value = x.unsigned(0);
  b.when(b.and(value, b.constant(~MXCSR)), () => x.raise('#GP'));
  x.set('MXCSR', value);
}

function storeControl(x: Body): void {
  available(x);
  x.write(0, x.get('MXCSR'));
}

const AREA = 512;
const REGISTERS = 32;
const XMM = 160;

function ready(x: Body): void {
  const { b } = x;
  b.when(b.and(b.get('CR0'), b.constant(EM | TS)), () => x.raise('#NM'));
}

/** FXSAVE, in the format of its operand size; without CR4.OSFXSR no XMM register is stored. */
function saveAll(x: Body): void {
  const { b } = x;
  ready(x);
  const at = x.address(0, true, AREA);
  b.when(b.and(at, b.constant(15)), () => x.raise('#GP'));
  b.probe(at, AREA, true);
  const registers = Array.from({ length: 8 }, (_, i) => {
    const low = x.call('x87', b.constant(x87Index('peek')), b.constant(i), b.constant(0));
    return { low, high: b.get('X87_HIGH') };
  });
  const put = (offset: number, value: Value, size: 2 | 4 | 8): void => b.store(x.beyond(at, offset), value, { size });
  put(0, b.get('FCW'), 2);
  put(2, b.get('FSW'), 2);
  put(4, b.get('FTW'), 2);
  put(6, b.get('FOP'), 2);
  put(8, b.get('FIP'), 8);
  put(16, b.get('FDP'), 8);
  put(24, b.get('MXCSR'), 4);
  put(28, b.constant(MXCSR), 4);
  registers.forEach(({ low, high }, i) => {
    put(REGISTERS + 16 * i, low, 8);
    put(REGISTERS + 16 * i + 8, b.zext16(high), 8);
  });
  b.when(b.and(b.get('CR4'), b.constant(OSFXSR)), () => {
    for (let n = 0; n < (x.bits === 64 ? 16 : 8); n++) {
      put(XMM + 16 * n, b.get(`XMM${n}_LOW`), 8);
      put(XMM + 16 * n + 8, b.get(`XMM${n}_HIGH`), 8);
    }
  });
}

function restoreAll(x: Body): void {
  const { b } = x;
  ready(x);
  const at = x.address(0, false, AREA);
  b.when(b.and(at, b.constant(15)), () => x.raise('#GP'));
  const get = (offset: number, size: 2 | 4 | 8): Value => b.load(x.beyond(at, offset), { size });
  const mxcsr = get(24, 4);
  b.when(b.and(mxcsr, b.constant(~MXCSR)), () => x.raise('#GP'));
  const [control, status, tags, opcode, ip, dp] = [get(0, 2), get(2, 2), get(4, 2), get(6, 2), get(8, 8), get(16, 8)];
  const registers = Array.from(
    { length: 8 },
    (_, i) => [get(REGISTERS + 16 * i, 8), get(REGISTERS + 16 * i + 8, 2)] as const,
  );
  const count = x.bits === 64 ? 16 : 8;
  const vectors = Array.from({ length: count }, (_, n) => [get(XMM + 16 * n, 8), get(XMM + 16 * n + 8, 8)] as const);
  const words = b.or(control, b.shl(status, b.constant(16)));
  x.call('x87', b.constant(x87Index('restore')), tags, words);
  registers.forEach(([low, high], i) => {
    x.call('x87', b.constant(x87Index('place')), low, b.or(high, b.constant(i << 16)));
  });
  b.set('FOP', b.and(opcode as Value, b.constant(0x7ff)));
  b.set('FIP', ip as Value);
  b.set('FDP', dp as Value);
  b.when(b.and(b.get('CR4'), b.constant(OSFXSR)), () => {
    b.set('MXCSR', mxcsr);
    vectors.forEach(([low, high], n) => {
      b.set(`XMM${n}_LOW`, low);
      b.set(`XMM${n}_HIGH`, high);
    });
  });
}

const sse: More = { needs: 'sse' };
const sse2: More = { needs: 'sse2' };
const and: Combine = (b, to, from) => b.and(to, from);
const andNot: Combine = (b, to, from) => b.and(b.not(to), from);
const or: Combine = (b, to, from) => b.or(to, from);
const xor: Combine = (b, to, from) => b.xor(to, from);

/** Opcode of 66 0F, mnemonic, meaning. */
const INTEGERS: readonly (readonly [opcode: string, name: string, combine: Combine])[] = [
  ['DB', 'PAND', and],
  ['DF', 'PANDN', andNot],
  ['EB', 'POR', or],
  ['EF', 'PXOR', xor],
  ['FC', 'PADDB', addElements(8)],
  ['FD', 'PADDW', addElements(16)],
  ['FE', 'PADDD', addElements(32)],
  ['D4', 'PADDQ', addElements(64)],
  ['F8', 'PSUBB', subtractElements(8)],
  ['F9', 'PSUBW', subtractElements(16)],
  ['FA', 'PSUBD', subtractElements(32)],
  ['FB', 'PSUBQ', subtractElements(64)],
  ['74', 'PCMPEQB', equalElements(8)],
  ['75', 'PCMPEQW', equalElements(16)],
  ['76', 'PCMPEQD', equalElements(32)],
];

const LOGIC: readonly (readonly [opcode: string, name: string, combine: Combine])[] = [
  ['54', 'ANDP', and],
  ['55', 'ANDNP', andNot],
  ['56', 'ORP', or],
  ['57', 'XORP', xor],
];

export const vector: readonly Row[] = [
  row('MOVUPS', 'NP 0F 10', 'Vx= Wx', 'vector', move(false), sse),
  row('MOVUPS', 'NP 0F 11', 'Wx= Vx', 'vector', move(false), sse),
  row('MOVAPS', 'NP 0F 28', 'Vx= Wx', 'vector', move(true), sse),
  row('MOVAPS', 'NP 0F 29', 'Wx= Vx', 'vector', move(true), sse),
  row('MOVNTPS', 'NP 0F 2B', 'Mx= Vx', 'vector', move(true), sse),
  row('MOVUPD', '66 0F 10', 'Vx= Wx', 'vector', move(false), sse2),
  row('MOVUPD', '66 0F 11', 'Wx= Vx', 'vector', move(false), sse2),
  row('MOVAPD', '66 0F 28', 'Vx= Wx', 'vector', move(true), sse2),
  row('MOVAPD', '66 0F 29', 'Wx= Vx', 'vector', move(true), sse2),
  row('MOVDQA', '66 0F 6F', 'Vx= Wx', 'vector', move(true), sse2),
  row('MOVDQA', '66 0F 7F', 'Wx= Vx', 'vector', move(true), sse2),
  row('MOVDQU', 'F3 0F 6F', 'Vx= Wx', 'vector', move(false), sse2),
  row('MOVDQU', 'F3 0F 7F', 'Wx= Vx', 'vector', move(false), sse2),
  row('MOVNTDQ', '66 0F E7', 'Mx= Vx', 'vector', move(true), sse2),
  row('MOVNTI', 'NP 0F C3', 'My= Gy', 'store', (x) => x.write(0, x.unsigned(1)), sse2),
  row('MOVD', '66 0F 6E', 'Vx= Ey', 'vector', fromGeneral, sse2),
  row('MOVD', '66 0F 7E', 'Ey= Vx', 'vector', toGeneral, sse2),
  row('MOVQ', 'F3 0F 7E', 'Vx= Wq', 'vector', moveLow, sse2),
  row('MOVQ', '66 0F D6', 'Wq= Vx', 'vector', moveLow, sse2),
  row('MOVSS', 'F3 0F 10', 'Vx= Wd', 'vector', moveScalar, sse),
  row('MOVSS', 'F3 0F 11', 'Wd= Vx', 'vector', moveScalar, sse),
  row('MOVSD', 'F2 0F 10', 'Vx= Wq', 'vector', moveScalar, sse2),
  row('MOVSD', 'F2 0F 11', 'Wq= Vx', 'vector', moveScalar, sse2),
  ...LOGIC.flatMap(([opcode, name, combine]) => [
    row(`${name}S`, `NP 0F ${opcode}`, 'Vx+ Wx', 'vector', halves(combine), sse),
    row(`${name}D`, `66 0F ${opcode}`, 'Vx+ Wx', 'vector', halves(combine), sse2),
  ]),
  ...INTEGERS.map(([opcode, name, combine]) => row(name, `66 0F ${opcode}`, 'Vx+ Wx', 'vector', halves(combine), sse2)),
  row('PUNPCKLQDQ', '66 0F 6C', 'Vx+ Wx', 'vector', unpack(false), sse2),
  row('PUNPCKHQDQ', '66 0F 6D', 'Vx+ Wx', 'vector', unpack(true), sse2),
  row('PSHUFD', '66 0F 70', 'Vx= Wx Ib', 'vector', shuffle, sse2),
  row('PMOVMSKB', '66 0F D7', 'Gy= Ux', 'vector', signs, sse2),
  row('LDMXCSR', 'NP 0F AE /2', 'Md', 'vector', loadControl, sse),
  row('STMXCSR', 'NP 0F AE /3', 'Md=', 'vector', storeControl, sse),
  row('FXSAVE', 'NP 0F AE /0', 'M', 'vector', saveAll, { needs: 'fxsr', signals: ['store', 'access'] }),
  row('FXRSTOR', 'NP 0F AE /1', 'M', 'vector', restoreAll, { needs: 'fxsr', signals: ['load', 'access'] }),
];
