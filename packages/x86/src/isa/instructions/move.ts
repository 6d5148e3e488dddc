/** Data transfer and the stack. Intel SDM volume 2, by mnemonic; volume 1, 7.3.1. */
import type { Signal, Value } from '@countervisor/contract';
import { choose, holds } from '../flags.ts';
import { type Body, registerName, sext, widthOf, zext } from '../operands.ts';
import { type More, type Row, row } from '../row.ts';

const move = (x: Body): void => x.write(0, x.unsigned(1));

/** Sign-extends from the source's size to the destination's. */
const extend = (x: Body): void => {
  const { b } = x;
  const size = x.sizeOf(0);
  x.write(0, zext(b, sext(b, x.raw(1), x.sizeOf(1)), size));
};

const legacy: More = { only: 'legacy' };

const moves = [
  row('MOV', '88', 'Eb= Gb', 'alu', move),
  row('MOV', '89', 'Ev= Gv', 'alu', move),
  row('MOV', '8A', 'Gb= Eb', 'alu', move),
  row('MOV', '8B', 'Gv= Ev', 'alu', move),
  row('MOV', '8C reg', 'Rv= Sw', 'alu', selector),
  row('MOV', '8C mem', 'Mw= Sw', 'alu', selector),
  row('MOV', 'A0', 'AL= Ob', 'alu', move),
  row('MOV', 'A1', 'rAX= Ov', 'alu', move),
  row('MOV', 'A2', 'Ob= AL', 'alu', move),
  row('MOV', 'A3', 'Ov= rAX', 'alu', move),
  row('MOV', 'B0+r', 'Zb= Ib', 'alu', move),
  row('MOV', 'B8+r', 'Zv= Iv', 'alu', move),
  row('MOV', 'C6 /0', 'Eb= Ib', 'alu', move),
  row('MOV', 'C7 /0', 'Ev= Iz', 'alu', move),
  row('MOVZX', '0F B6', 'Gv= Eb', 'alu', move),
  row('MOVZX', '0F B7', 'Gv= Ew', 'alu', move),
  row('MOVSX', '0F BE', 'Gv= Eb', 'alu', extend),
  row('MOVSX', '0F BF', 'Gv= Ew', 'alu', extend),
  row('MOVSXD', '63', 'Gv= Ez', 'alu', extend, { only: '64' }),
];

/** The source of MOV from a segment register; 6 and 7 are none. */
function selector(x: Body): void {
  const source = x.operand(1);
  if (source.kind !== 'segment' || source.number > 5) {
    x.raise('#UD');
    return;
  }
  x.write(0, x.unsigned(1));
}

function lea(x: Body): void {
  const { b, size } = x;
  const { addressSize } = x.i;
  const offset = x.offset(1);
  x.write(0, size === 32 && addressSize === 64 ? b.zext32(offset) : offset);
}

function exchange(x: Body): void {
  const [first, second] = [x.unsigned(0), x.unsigned(1)];
  x.write(0, second);
  x.write(1, first);
}

/** 90 is NOP, whatever XCHG would make of EAX and itself. */
function exchangeAccumulator(x: Body): void {
  const first = x.operand(0);
  if (first.kind !== 'register' || first.number !== 0) exchange(x);
}

function cmov(x: Body): void {
  const { b } = x;
  const [old, moved] = [x.unsigned(0), x.unsigned(1)];
  x.write(0, choose(b, x.i.condition, moved, old));
}

const bswap = (x: Body): void => x.write(0, x.b.bswap(x.raw(0), widthOf(x.sizeOf(0))));

/** MOVBE. */
const moveReversed = (x: Body): void => {
  const { b, size } = x;
  const swapped = b.bswap(x.unsigned(1), widthOf(size));
  x.write(0, size === 16 ? b.shr(swapped, b.constant(16)) : swapped);
};

function xlat(x: Body): void {
  const { b } = x;
  const { addressSize } = x.i;
  const sum = b.add(x.register(3, addressSize), x.register(0, 8), widthOf(addressSize));
  const offset = addressSize === 16 ? b.zext16(sum) : sum;
  x.setRegister(0, 8, b.load(x.linear(x.i.override ?? 3, offset, 1, false), { size: 1 }));
}

const others = [
  row('LEA', '8D', 'Gv= M', 'alu', lea),
  row('XCHG', '86', 'Eb+ Gb+', 'alu', exchange, { lock: true }),
  row('XCHG', '87', 'Ev+ Gv+', 'alu', exchange, { lock: true }),
  row('XCHG', '90+r', 'Zv+ rAX+', 'alu', exchangeAccumulator),
  row('CMOVcc', '0F 40+c', 'Gv+ Ev', 'alu', cmov, { needs: 'cmov' }),
  row('SETcc', '0F 90+c', 'Eb=', 'alu', (x) => x.write(0, holds(x.b, x.i.condition))),
  row('BSWAP', '0F C8+r', 'Zy+', 'alu', bswap),
  row('MOVBE', 'NR 0F 38 F0', 'Gv= Mv', 'alu', moveReversed, { needs: 'movbe' }),
  row('MOVBE', 'NR 0F 38 F1', 'Mv= Gv', 'alu', moveReversed, { needs: 'movbe' }),
  row('XLAT', 'D7', '', 'load', xlat, { signals: ['load', 'access'] }),
];

const pushes: readonly Signal[] = ['store', 'access'];
const pops: readonly Signal[] = ['load', 'access'];
const wide: More = { sizing: 'd64' };

function push(x: Body): void {
  const { size } = x;
  x.setStackPointer(x.push(x.unsigned(0), size));
}

/** A segment register is pushed zero-extended. */
const pushSegment =
  (name: string) =>
  (x: Body): void =>
    x.setStackPointer(x.push(x.get(name), x.size));

/** The stack pointer moves before the operand is written, and before its address is made when that is based on it. */
function pop(x: Body): void {
  const { b, size } = x;
  const value = x.top(size);
  const pointer = x.moved(size / 8);
  const to = x.operand(0);
  if (to.kind === 'memory') {
    const moved = to.base === 4 ? { ...to, displacement: to.displacement + BigInt(size / 8) } : to;
    const at = x.linear(to.segment, x.offsetOf(moved), size / 8, true);
    b.store(at, value, { size: (size / 8) as 2 | 4 | 8 });
    x.setStackPointer(pointer);
    return;
  }
  x.setStackPointer(pointer);
  x.write(0, value);
}

/** POP of a segment register. Behind POP SS no interrupt is taken for one instruction. */
const popSegment =
  (number: number) =>
  (x: Body): void => {
    const { b } = x;
    const value = b.zext16(x.top(x.size));
    const pointer = x.moved(x.size / 8);
    x.attempt('load-segment', b.constant(number), value);
    x.setStackPointer(pointer);
    if (number === 2) x.set('SHADOW', b.constant(b.next));
  };

/** AX, CX, DX, BX, SP, BP, SI, DI. All is tried before anything is written. */
function pushAll(x: Body): void {
  const { b, size } = x;
  const bytes = size / 8;
  const base = x.moved(-8 * bytes);
  const at = x.stackAddress(base, 8 * bytes, true);
  // The first to be pushed is the first to fault.
  for (let n = 7; n >= 0; n--) b.probe(b.add(at, b.constant(n * bytes), 32), bytes, true);
  for (let n = 0; n < 8; n++) {
    b.store(b.add(at, b.constant((7 - n) * bytes), 32), b.get(registerName(n)), { size: bytes as 2 | 4 });
  }
  x.setStackPointer(base);
}

function popAll(x: Body): void {
  const { b, size } = x;
  const bytes = size / 8;
  const at = x.stackAddress(x.stackPointer(), 8 * bytes, false);
  const values = Array.from({ length: 8 }, (_, n) =>
    b.load(b.add(at, b.constant(n * bytes), 32), { size: bytes as 2 | 4 }),
  );
  const pointer = x.moved(8 * bytes);
  values.forEach((value, n) => {
    if (n !== 3) x.setRegister(7 - n, size, value);
  });
  x.setStackPointer(pointer);
}

/** VM and RF are pushed as 0. */
const pushFlags = (x: Body): void =>
  x.setStackPointer(x.push(x.b.and(x.call('flags'), x.constant(~0x3_0000n)), x.size));

/** CF PF AF ZF SF TF DF OF NT AC ID, and RF, which becomes 0. */
const POPPED = 0x25_4dd5n;

/** IOPL changes at CPL 0 alone, IF where CPL is not above IOPL. */
function popFlags(x: Body): void {
  const { b, size } = x;
  const value = x.top(size);
  const pointer = x.moved(size / 8);
  const iopl = b.and(b.shr(b.get('SYSTEM_FLAGS'), b.constant(12)), b.constant(3));
  const interrupts = b.shl(b.leu(b.get('CPL'), iopl), b.constant(9));
  const level = b.select(b.get('CPL'), b.constant(0), b.constant(0x3000));
  const mask = b.or(b.or(interrupts, level), b.constant(size === 16 ? POPPED & 0xffffn : POPPED));
  x.call('set-flags', b.and(value, b.constant(~0x1_0000n)), mask);
  x.setStackPointer(pointer);
}

/** ENTER: its level, modulo 32, says how many frame pointers are copied. */
function enter(x: Body): void {
  const { b, size } = x;
  const bytes = (size / 8) as 2 | 4 | 8;
  const [space, nesting] = [x.operand(0), x.operand(1)];
  if (space.kind !== 'constant' || nesting.kind !== 'constant') throw new Error('ENTER takes two constants.');
  const level = Number(nesting.value) % 32;
  const pushed = level === 0 ? 1 : level + 1;
  const frame = x.moved(-bytes);
  const end = x.moved(-(bytes * pushed + Number(space.value)));
  const display = x.register(5, x.stackSize);
  // What is copied may be what was just pushed, so all is tried first.
  const copies = Array.from({ length: Math.max(0, level - 1) }, (_, n) =>
    x.stackAddress(x.moved(-bytes * (n + 1), display), bytes, false),
  );
  const pushes = Array.from({ length: pushed }, (_, n) => x.stackAddress(x.moved(-bytes * (n + 1)), bytes, true));
  for (const from of copies) b.probe(from, bytes, false);
  for (const to of pushes) b.probe(to, bytes, true);
  // Where the new stack pointer leads must be writable, although nothing is written there.
  b.probe(x.stackAddress(end, bytes, true), bytes, true);
  const push = (n: number, value: Value): void => b.store(pushes[n] as Value, value, { size: bytes });
  push(0, b.get('RBP'));
  copies.forEach((from, n) => {
    push(n + 1, b.load(from, { size: bytes }));
  });
  if (level > 0) push(level, frame);
  x.setRegister(5, size, size === 16 || x.stackSize === 64 ? frame : zext(b, frame, 32));
  x.setStackPointer(end);
}

function leave(x: Body): void {
  const { b, size } = x;
  const bytes = (size / 8) as 2 | 4 | 8;
  const frame = x.register(5, x.stackSize);
  const value = b.load(x.stackAddress(frame, bytes, false), { size: bytes });
  x.setStackPointer(x.moved(bytes, frame));
  x.setRegister(5, size, value);
}

const SEGMENT_CODES: readonly (readonly [
  name: string,
  number: number,
  push: string,
  pop: string | undefined,
  more: More,
])[] = [
  ['ES', 0, '06', '07', legacy],
  ['CS', 1, '0E', undefined, legacy],
  ['SS', 2, '16', '17', legacy],
  ['DS', 3, '1E', '1F', legacy],
  ['FS', 4, '0F A0', '0F A1', wide],
  ['GS', 5, '0F A8', '0F A9', wide],
];

const eight = (signal: Signal): readonly Signal[] => [signal, ...Array.from({ length: 8 }, (): Signal => 'access')];

const stack = [
  row('PUSH', '50+r', 'Zv', 'store', push, { ...wide, signals: pushes }),
  row('PUSH', 'FF /6', 'Ev', 'store', push, { ...wide, signals: pushes }),
  row('PUSH', '6A', 'Is', 'store', push, { ...wide, signals: pushes }),
  row('PUSH', '68', 'Iz', 'store', push, { ...wide, signals: pushes }),
  row('POP', '58+r', 'Zv=', 'load', pop, { ...wide, signals: pops }),
  row('POP', '8F /0', 'Ev=', 'load', pop, { ...wide, signals: pops }),
  ...SEGMENT_CODES.flatMap(([name, number, pushed, popped, more]) => [
    row('PUSH', pushed, '', 'store', pushSegment(name), { ...more, signals: pushes, form: name }),
    ...(popped === undefined
      ? []
      : [row('POP', popped, '', 'load', popSegment(number), { ...more, signals: pops, form: name })]),
  ]),
  row('PUSHA', '60', '', 'store', pushAll, { ...legacy, signals: eight('store') }),
  row('POPA', '61', '', 'load', popAll, { ...legacy, signals: eight('load') }),
  row('PUSHF', '9C', '', 'store', pushFlags, { ...wide, signals: pushes }),
  row('POPF', '9D', '', 'load', popFlags, { ...wide, signals: pops }),
  row('ENTER', 'C8', 'Iw Ib', 'store', enter, { ...wide, signals: pushes }),
  row('LEAVE', 'C9', '', 'load', leave, { ...wide, signals: pops }),
];

export const moving: readonly Row[] = [...moves, ...others, ...stack];
