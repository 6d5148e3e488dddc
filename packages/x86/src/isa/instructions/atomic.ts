/** Read, compare and write in one. Intel SDM volume 2: CMPXCHG, CMPXCHG8B/CMPXCHG16B, XADD. */
import type { Value } from '@countervisor/contract';
import { add, setFlags, subtract } from '../flags.ts';
import { type Body, sext } from '../operands.ts';
import { type Row, row } from '../row.ts';

/** Memory is written in either case; a register that does not take the value keeps its upper half, and so does an accumulator that matches. */
function compareExchange(x: Body): void {
  const { b } = x;
  const size = x.sizeOf(0);
  const old = x.signed(0);
  const accumulator = size < 32 ? sext(b, b.get('RAX'), size) : b.get('RAX');
  const { flags } = subtract(b, accumulator, old, size);
  const differs = flags.NONZERO as Value;
  const next = x.unsigned(1);
  const clean = size === 32 ? b.zext32(old) : old;
  if (x.isMemory(0)) x.write(0, b.select(differs, clean, next));
  else x.write(0, b.select(differs, size === 32 ? x.raw(0) : clean, next));
  b.when(differs, () => x.setRegister(0, size, clean));
  setFlags(b, flags);
}

/** EDX:EAX with 8 bytes. ZF alone changes. */
function compareExchange8(x: Body): void {
  const { b } = x;
  const at = x.address(0, true);
  const pair = (high: string, low: string): Value => b.or(b.shl(b.get(high), b.constant(32)), b.zext32(b.get(low)));
  const old = b.load(at, { size: 8 });
  const differs = b.xor(old, pair('RDX', 'RAX'));
  b.store(at, b.select(differs, old, pair('RCX', 'RBX')), { size: 8 });
  b.when(differs, () => {
    b.set('RAX', b.zext32(old));
    b.set('RDX', b.shr(old, b.constant(32)));
  });
  setFlags(b, { NONZERO: differs });
}

/** RDX:RAX with 16 bytes, which must be aligned. ZF alone changes. */
function compareExchange16(x: Body): void {
  const { b } = x;
  const at = x.address(0, true);
  b.when(b.and(at, b.constant(15)), () => x.raise('#GP'));
  const above = b.add(at, b.constant(8));
  const [low, high] = [b.load(at, { size: 8 }), b.load(above, { size: 8 })];
  const differs = b.or(b.xor(low, b.get('RAX')), b.xor(high, b.get('RDX')));
  b.probe(at, 16, true);
  b.store(at, b.select(differs, low, b.get('RBX')), { size: 8 });
  b.store(above, b.select(differs, high, b.get('RCX')), { size: 8 });
  b.when(differs, () => {
    b.set('RAX', low);
    b.set('RDX', high);
  });
  setFlags(b, { NONZERO: differs });
}

function exchangeAdd(x: Body): void {
  const { b } = x;
  const size = x.sizeOf(0);
  const old = x.signed(0);
  const { value, flags } = add(b, old, x.signed(1), size);
  // Both may be one register: then the sum stays.
  if (x.isMemory(0)) x.write(0, value);
  x.write(1, size === 32 ? b.zext32(old) : old);
  if (!x.isMemory(0)) x.write(0, value);
  setFlags(b, flags);
}

export const atomic: readonly Row[] = [
  row('CMPXCHG', '0F B0', 'Eb+ Gb', 'alu', compareExchange, { lock: true }),
  row('CMPXCHG', '0F B1', 'Ev+ Gv', 'alu', compareExchange, { lock: true }),
  row('CMPXCHG8B', 'W0 0F C7 /1', 'Mq+', 'alu', compareExchange8, { lock: true, needs: 'cx8' }),
  row('CMPXCHG16B', 'W1 0F C7 /1', 'Mx+', 'alu', compareExchange16, { lock: true, needs: 'cx16' }),
  row('XADD', '0F C0', 'Eb+ Gb+', 'alu', exchangeAdd, { lock: true }),
  row('XADD', '0F C1', 'Ev+ Gv+', 'alu', exchangeAdd, { lock: true }),
];
