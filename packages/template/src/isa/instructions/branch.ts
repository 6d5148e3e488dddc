/** Branches. Offsets are in instructions, from the branch itself. */
import type { Lifter } from '@countervisor/contract';
import { LENGTH, type Row } from '../row.ts';

const target = (b: Lifter, imm: number): bigint => BigInt.asUintN(64, b.pc + BigInt(imm * LENGTH));

export const branch: readonly Row[] = [
  {
    name: 'beqz',
    opcode: 0x08,
    operands: ['a', 'imm'],
    cost: 'branch',
    // `b.branch` emits 'taken' when it is: only the run can know.
    signals: ['branch', 'branch-immediate'],
    lift: (b, { a, imm }) => b.branch(b.eq(b.get(a), b.constant(0)), target(b, imm)),
  },
  {
    name: 'bnez',
    opcode: 0x09,
    operands: ['a', 'imm'],
    cost: 'branch',
    signals: ['branch', 'branch-immediate'],
    lift: (b, { a, imm }) => b.branch(b.ne(b.get(a), b.constant(0)), target(b, imm)),
  },
  {
    name: 'jump',
    opcode: 0x0a,
    operands: ['imm'],
    cost: 'branch',
    signals: ['branch', 'branch-immediate', 'taken'],
    lift: (b, { imm }) => b.jump(b.constant(target(b, imm))),
  },
  {
    name: 'call',
    opcode: 0x0b,
    operands: ['imm'],
    cost: 'branch',
    signals: ['branch', 'branch-immediate', 'taken', 'call'],
    lift(b, { imm }) {
      b.set('R7', b.constant(b.next));
      b.jump(b.constant(target(b, imm)));
    },
  },
  {
    name: 'ret',
    opcode: 0x0c,
    operands: [],
    cost: 'branch',
    signals: ['branch', 'taken', 'return'],
    lift: (b) => b.jump(b.get('R7')),
  },
];
