/**
 * Far transfers, interrupts by instruction, system calls and segment registers: what reads descriptors. Helpers do it (isa/calls.ts); a far transfer is a branch
 * of its own kind: the event "branch instructions retired" counts it (SDM volume 3, 20.2.1.2), those of near branches do not.
 */
import type { Signal, Value } from '@countervisor/contract';
import { setFlags } from '../flags.ts';
import { type Body, widthOf, zext } from '../operands.ts';
import { type More, type Row, row } from '../row.ts';
import { preventedByUmip } from './system.ts';

const far: readonly Signal[] = ['branch', 'far'];
const legacy: More = { only: 'legacy' };

const go = (x: Body): void => x.b.jump(x.get('TARGET'));

/** Selector and offset of a far pointer, in the code or in memory: the offset first. */
function pointer(x: Body, n: number): readonly [selector: Value, offset: Value] {
  const { b } = x;
  const operand = x.operand(n);
  if (operand.kind === 'far') return [b.constant(operand.selector), b.constant(operand.offset)];
  const bytes = (x.size / 8) as 2 | 4 | 8;
  const at = x.address(n, false, bytes + 2);
  const offset = b.load(at, { size: bytes });
  return [b.load(b.add(at, b.constant(bytes), widthOf(x.bits)), { size: 2 }), offset];
}

function jumpFar(x: Body): void {
  x.attempt('far-jump', ...pointer(x, 0), x.constant(x.size));
  go(x);
}

function callFar(x: Body): void {
  x.attempt('far-call', ...pointer(x, 0), x.constant(x.size), x.constant(x.b.next));
  go(x);
}

function returnFar(x: Body): void {
  const released = x.i.operands[0];
  x.attempt('far-return', x.constant(x.size), x.constant(released?.kind === 'constant' ? released.value : 0n));
  go(x);
}

/** LES, LDS, LSS, LFS, LGS. */
const loadFar =
  (segment: number) =>
  (x: Body): void => {
    const [selector, offset] = pointer(x, 1);
    x.attempt('load-segment', x.constant(segment), selector);
    x.write(0, offset);
  };

/** MOV to a segment register. CS cannot be loaded so; behind SS no interrupt is taken for one instruction. */
function moveToSegment(x: Body): void {
  const { b } = x;
  const to = x.operand(0);
  if (to.kind !== 'segment' || to.number === 1 || to.number > 5) {
    x.raise('#UD');
    return;
  }
  x.attempt('load-segment', b.constant(to.number), b.zext16(x.unsigned(1)));
  if (to.number === 2) b.set('SHADOW', b.constant(b.next));
}

/** INT n, INT3, INT1, INTO: the third argument tells gates' privilege checks apart. */
function interrupt(x: Body, vector: Value, kind: number): void {
  x.attempt('interrupt', vector, x.constant(x.b.next), x.constant(kind));
  go(x);
}

function into(x: Body): void {
  const { b } = x;
  b.when(b.get('OF'), () => {
    x.attempt('interrupt', b.constant(4), b.constant(b.next), b.constant(1));
    for (const signal of ['branch', 'far', 'exception'] as const) b.emit(signal);
    go(x);
  });
}

/** The limits lie in memory, lower first; both bounds are inside. */
function bound(x: Body): void {
  const { b, size } = x;
  const bytes = (size / 8) as 2 | 4;
  const at = x.address(1, false, 2 * bytes);
  const shape = { size: bytes, signed: true } as const;
  const lower = b.load(at, shape);
  const upper = b.load(b.add(at, b.constant(bytes), 32), shape);
  const index = size === 16 ? b.sext16(x.raw(0)) : b.sext32(x.raw(0));
  b.when(b.or(b.lts(index, lower), b.lts(upper, index)), () => x.raise('#BR'));
}

const iret = (x: Body): void => {
  x.attempt('iret', x.constant(x.size));
  go(x);
};

function syscall(x: Body): void {
  x.attempt('syscall', x.constant(x.b.next));
  go(x);
}

const sized =
  (name: 'sysret' | 'sysexit') =>
  (x: Body): void => {
    x.attempt(name, x.constant(x.size));
    go(x);
  };

function sysenter(x: Body): void {
  x.attempt('sysenter');
  go(x);
}

/** LAR and LSL: bit 63 of the answer is ZF. */
const describe =
  (name: 'access-rights' | 'segment-limit') =>
  (x: Body): void => {
    const { b, size } = x;
    const answer = x.call(name, b.zext16(x.unsigned(1)));
    const found = b.shr(answer, b.constant(63));
    const shown = zext(b, b.zext32(answer), size);
    x.write(0, b.select(found, shown, x.unsigned(0)));
    setFlags(b, { NONZERO: b.xor(found, b.constant(1)) });
  };

const verify =
  (write: number) =>
  (x: Body): void => {
    const { b } = x;
    const right = x.call('verify', b.zext16(x.unsigned(0)), b.constant(write));
    setFlags(b, { NONZERO: b.xor(right, b.constant(1)) });
  };

/** ARPL: the RPL is raised to that of the source. */
function adjustLevel(x: Body): void {
  const { b } = x;
  const [to, from] = [x.unsigned(0), x.unsigned(1)];
  const level = b.and(from, b.constant(3));
  const lower = b.ltu(b.and(to, b.constant(3)), level);
  b.when(lower, () => x.write(0, b.or(b.and(to, b.constant(0xfffc)), level)));
  setFlags(b, { NONZERO: b.xor(lower, b.constant(1)) });
}

/** SLDT and STR: 16 bits to memory, the operand size to a register. */
const store =
  (name: 'LDTR' | 'TR') =>
  (x: Body): void => {
    preventedByUmip(x);
    x.write(0, x.get(name));
  };

const load =
  (name: 'load-ldtr' | 'load-tr') =>
  (x: Body): void => {
    x.privileged();
    x.attempt(name, x.b.zext16(x.unsigned(0)));
  };

const entry: More = { signals: [...far, 'exception'] };
const back: More = { signals: [...far, 'exception-return'] };
const inProtected: More = { only: 'protected' };

export const transfers: readonly Row[] = [
  row('JMP far', 'EA', 'Ap', 'branch', jumpFar, { ...legacy, signals: far }),
  row('JMP far', 'FF /5', 'Mp', 'branch', jumpFar, { signals: [...far, 'load'] }),
  row('CALL far', '9A', 'Ap', 'branch', callFar, { ...legacy, signals: [...far, 'store'] }),
  row('CALL far', 'FF /3', 'Mp', 'branch', callFar, { signals: [...far, 'load', 'store'] }),
  row('RET far', 'CB', '', 'branch', returnFar, { signals: [...far, 'load'] }),
  row('RET far', 'CA', 'Iw', 'branch', returnFar, { signals: [...far, 'load'] }),
  row('LES', 'C4', 'Gv= Mp', 'system', loadFar(0), legacy),
  row('LDS', 'C5', 'Gv= Mp', 'system', loadFar(3), legacy),
  row('LSS', '0F B2', 'Gv= Mp', 'system', loadFar(2)),
  row('LFS', '0F B4', 'Gv= Mp', 'system', loadFar(4)),
  row('LGS', '0F B5', 'Gv= Mp', 'system', loadFar(5)),
  row('MOV', '8E', 'Sw= Ew', 'system', moveToSegment),
  row('INT3', 'CC', '', 'branch', (x) => interrupt(x, x.constant(3), 1), entry),
  row('INT', 'CD', 'Ib', 'branch', (x) => interrupt(x, x.unsigned(0), 0), entry),
  row('INTO', 'CE', '', 'branch', into, legacy),
  row('INT1', 'F1', '', 'branch', (x) => interrupt(x, x.constant(1), 2), entry),
  row('BOUND', '62', 'Gv Mp', 'alu', bound, legacy),
  row('IRET', 'CF', '', 'branch', iret, back),
  row('SYSCALL', '0F 05', '', 'branch', syscall, { ...entry, ...inProtected, needs: 'syscall' }),
  row('SYSRET', '0F 07', '', 'branch', sized('sysret'), { ...back, ...inProtected, needs: 'syscall' }),
  row('SYSENTER', '0F 34', '', 'branch', sysenter, { ...entry, ...inProtected, needs: 'sep' }),
  row('SYSEXIT', '0F 35', '', 'branch', sized('sysexit'), { ...back, ...inProtected, needs: 'sep' }),
  row('LAR', '0F 02', 'Gv+ Ew', 'system', describe('access-rights'), inProtected),
  row('LSL', '0F 03', 'Gv+ Ew', 'system', describe('segment-limit'), inProtected),
  row('SLDT', '0F 00 /0 reg', 'Rv=', 'system', store('LDTR'), inProtected),
  row('SLDT', '0F 00 /0 mem', 'Mw=', 'system', store('LDTR'), inProtected),
  row('STR', '0F 00 /1 reg', 'Rv=', 'system', store('TR'), inProtected),
  row('STR', '0F 00 /1 mem', 'Mw=', 'system', store('TR'), inProtected),
  row('LLDT', '0F 00 /2', 'Ew', 'system', load('load-ldtr'), inProtected),
  row('LTR', '0F 00 /3', 'Ew', 'system', load('load-tr'), inProtected),
  row('VERR', '0F 00 /4', 'Ew', 'system', verify(0), inProtected),
  row('VERW', '0F 00 /5', 'Ew', 'system', verify(1), inProtected),
  row('ARPL', '63', 'Ew+ Gw', 'alu', adjustLevel, legacy),
];
