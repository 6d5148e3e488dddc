/** Near branches. Intel SDM volume 2: JMP, Jcc, LOOP, JCXZ, CALL, RET. In 64-bit mode their operand size is 64 bits whatever the prefixes. */
import type { Signal, Value } from '@countervisor/contract';
import { condition } from '../flags.ts';
import { type Body, widthOf } from '../operands.ts';
import { type More, type Row, row } from '../row.ts';

const near: More = { sizing: 'f64' };
const conditional: More = { ...near, signals: ['branch', 'branch-immediate'] };

const isCanonical = (address: bigint): boolean => BigInt.asUintN(64, BigInt.asIntN(48, address)) === address;

/** Goes on at a relative operand when the condition is not 0; `change` is what happens in either case, when nothing can fault any more. */
function branch(x: Body, when: Value, change: () => void = () => {}): void {
  const { b } = x;
  const to = x.relative(x.i.operands.length - 1);
  if ('at' in to) {
    if (x.bits === 64 && !isCanonical(to.at)) b.when(when, () => x.raise('#GP'));
    change();
    b.branch(when, to.at);
    return;
  }
  b.when(when, () => {
    const target = x.target(to.offset);
    change();
    b.emit('taken');
    b.jump(target);
  });
  change();
}

function jcc(x: Body): void {
  const { b } = x;
  const { value, inverted } = condition(b, x.i.condition);
  branch(x, inverted ? b.eq(value, b.constant(0)) : value);
}

/** LOOP, LOOPE, LOOPNE: the count register is of the address size. */
const loop =
  (wanted: 'any' | 'zero' | 'nonzero') =>
  (x: Body): void => {
    const { b } = x;
    const { addressSize } = x.i;
    const left = b.sub(x.register(1, addressSize), b.constant(1), widthOf(addressSize));
    const count = addressSize === 16 ? b.zext16(left) : left;
    const zero = b.get('NONZERO');
    let taken = count;
    if (wanted === 'zero') taken = b.select(zero, b.constant(0), count);
    if (wanted === 'nonzero') taken = b.select(zero, count, b.constant(0));
    branch(x, taken, () => x.setRegister(1, addressSize, count));
  };

const jcxz = (x: Body): void => branch(x, x.b.eq(x.register(1, x.i.addressSize), x.constant(0)));

/** The linear address of a relative operand. */
function destination(x: Body): Value {
  const to = x.relative(0);
  if ('offset' in to) return x.target(to.offset);
  if (x.bits === 64 && !isCanonical(to.at)) x.b.when(x.constant(1), () => x.raise('#GP'));
  return x.constant(to.at);
}

const jump = (x: Body): void => x.b.jump(destination(x));

const indirectJump = (x: Body): void => x.b.jump(x.target(x.unsigned(0)));

/** A return address that cannot be saved is told before a target that cannot be reached. */
function indirectCall(x: Body): void {
  const { size } = x;
  const bytes = size / 8;
  const offset = x.unsigned(0);
  const target = x.target(offset, () => x.b.probe(x.stackAddress(x.moved(-bytes), bytes, true), bytes, true));
  call(x, target);
}

function call(x: Body, target: Value): void {
  const pointer = x.push(x.nextOffset(), x.size);
  x.setStackPointer(pointer);
  x.b.jump(target);
}

function ret(x: Body): void {
  const { size } = x;
  const to = x.top(size);
  const released = x.i.operands[0];
  const extra = released?.kind === 'constant' ? Number(released.value) : 0;
  const pointer = x.moved(size / 8 + extra);
  const target = x.target(to);
  x.setStackPointer(pointer);
  x.b.jump(target);
}

const jumped: readonly Signal[] = ['branch', 'branch-immediate', 'taken'];
const called: readonly Signal[] = ['branch', 'call', 'taken', 'store', 'access'];
const returned: More = { ...near, signals: ['branch', 'return', 'taken', 'load', 'access'] };

export const branches: readonly Row[] = [
  row('Jcc', '70+c', 'Jb', 'branch', jcc, conditional),
  row('Jcc', '0F 80+c', 'Jz', 'branch', jcc, conditional),
  row('LOOPNE', 'E0', 'Jb', 'branch', loop('nonzero'), conditional),
  row('LOOPE', 'E1', 'Jb', 'branch', loop('zero'), conditional),
  row('LOOP', 'E2', 'Jb', 'branch', loop('any'), conditional),
  row('JCXZ', 'E3', 'Jb', 'branch', jcxz, conditional),
  row('JMP', 'EB', 'Jb', 'branch', jump, { ...near, signals: jumped }),
  row('JMP', 'E9', 'Jz', 'branch', jump, { ...near, signals: jumped }),
  row('JMP', 'FF /4', 'Ev', 'branch', indirectJump, { ...near, signals: ['branch', 'taken'] }),
  row('CALL', 'E8', 'Jz', 'branch', (x) => call(x, destination(x)), {
    ...near,
    signals: ['branch-immediate', ...called],
  }),
  row('CALL', 'FF /2', 'Ev', 'branch', indirectCall, { ...near, signals: called }),
  row('RET', 'C3', '', 'branch', ret, returned),
  row('RET', 'C2', 'Iw', 'branch', ret, returned),
];
