/** Integers: constants, sums, differences. */
import type { Row } from '../row.ts';

export const integer: readonly Row[] = [
  { name: 'nop', opcode: 0x01, operands: [], cost: 'plain', signals: [], lift: () => {} },
  {
    name: 'movi',
    opcode: 0x02,
    operands: ['a', 'imm'],
    cost: 'plain',
    signals: [],
    lift: (b, { a, imm }) => b.set(a, b.constant(imm)),
  },
  {
    name: 'addi',
    opcode: 0x03,
    operands: ['a', 'b', 'imm'],
    cost: 'plain',
    signals: [],
    lift: (b, { a, b: from, imm }) => b.set(a, b.add(b.get(from), b.constant(imm))),
  },
  {
    name: 'add',
    opcode: 0x04,
    operands: ['a', 'b', 'c'],
    cost: 'plain',
    signals: [],
    lift: (b, { a, b: x, c: y }) => b.set(a, b.add(b.get(x), b.get(y))),
  },
  {
    name: 'sub',
    opcode: 0x05,
    operands: ['a', 'b', 'c'],
    cost: 'plain',
    signals: [],
    lift: (b, { a, b: x, c: y }) => b.set(a, b.sub(b.get(x), b.get(y))),
  },
];
