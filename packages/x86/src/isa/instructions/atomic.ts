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
  else x.write(0, b.select(differs, size === 32 ? b.zext32(x.raw(0)) : clean, next));
  b.when(differs, () => x.setRegister(0, size, clean));
  setFlags(b, flags);
}

/** EDX:EAX with 8 bytes, RDX:RAX with 16, which must be aligned. ZF alone changes. */
const compareExchangePair =
  (half: 32 | 64) =>
  (x: Body): void => {
    const { b } = x;
    const bytes = (half / 8) as 4 | 8;
    const at = x.address(0, true, 2 * bytes);
    if (half === 64) b.when(b.and(at, b.constant(15)), () => x.raise('#GP'));
    const above = b.add(at, b.constant(bytes));
    const [low, high] = [b.load(at, { size: bytes }), b.load(above, { size: bytes })];
    const width = half === 64 ? 64 : 32;
    const differs = b.or(b.xor(low, b.get('RAX'), width), b.xor(high, b.get('RDX'), width));
    b.probe(at, 2 * bytes, true);
    b.store(at, b.select(differs, low, b.get('RBX')), { size: bytes });
    b.store(above, b.select(differs, high, b.get('RCX')), { size: bytes });
    b.when(differs, () => {
      b.set('RAX', low);
      b.set('RDX', high);
    });
    setFlags(b, { NONZERO: differs });
  };

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
  row('CMPXCHG8B', 'W0 0F C7 /1', 'Mq+', 'alu', compareExchangePair(32), { lock: true, needs: 'cx8' }),
  row('CMPXCHG16B', 'W1 0F C7 /1', 'Mx+', 'alu', compareExchangePair(64), { lock: true, needs: 'cx16' }),
  row('XADD', '0F C0', 'Eb+ Gb+', 'alu', exchangeAdd, { lock: true }),
  row('XADD', '0F C1', 'Ev+ Gv+', 'alu', exchangeAdd, { lock: true }),
];
