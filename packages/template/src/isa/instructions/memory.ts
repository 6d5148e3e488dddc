/** Loads and stores: eight bytes at a register plus a constant, at any alignment. */
import type { Lifter, Value } from '@countervisor/contract';
import type { Operands, Row } from '../row.ts';

const address = (b: Lifter, { b: base, imm }: Operands): Value => b.add(b.get(base), b.constant(imm));

export const memory: readonly Row[] = [
  {
    name: 'load',
    opcode: 0x06,
    operands: ['a', 'b', 'imm'],
    cost: 'memory',
    // 'load' is the instruction, 'access' each access to memory. Core adds 'unaligned' by itself where the address says so.
    signals: ['load', 'access'],
    lift(b, operands) {
      const value = b.load(address(b, operands), { size: 8 });
      b.set(operands.a, value);
    },
  },
  {
    name: 'store',
    opcode: 0x07,
    operands: ['a', 'b', 'imm'],
    cost: 'memory',
    signals: ['store', 'access'],
    lift(b, operands) {
      b.store(address(b, operands), b.get(operands.a), { size: 8 });
    },
  },
];
