/** Control registers, exceptions and the hypervisor. */
import type { Lifter } from '@countervisor/contract';
import { SPACE } from '../../address.ts';
import { USER } from '../../features.ts';
import type { Row } from '../row.ts';

/** Not for the user level. */
function privileged(b: Lifter): void {
  b.when(b.eq(b.get('LEVEL'), b.constant(USER)), () => b.raise('privileged'));
}

export const system: readonly Row[] = [
  {
    name: 'readreg',
    opcode: 0x0d,
    operands: ['a', 'index'],
    cost: 'system',
    signals: [],
    // The access road: privilege, trap groups and the register's home are core's, from the row in `registers`.
    lift(b, { a, index }) {
      const value = b.read(SPACE, b.constant(index));
      b.set(a, value);
    },
  },
  {
    name: 'writereg',
    opcode: 0x0e,
    operands: ['a', 'index'],
    cost: 'system',
    signals: [],
    lift: (b, { a, index }) => b.write(SPACE, b.constant(index), b.get(a)),
  },
  {
    name: 'syscall',
    opcode: 0x0f,
    operands: ['index'],
    cost: 'system',
    signals: [],
    // `true`: it retires first, at its own level, and EPC is the next instruction.
    lift: (b, { index }) => b.raise('syscall', b.constant(index), true),
  },
  {
    name: 'sysret',
    opcode: 0x10,
    operands: [],
    cost: 'system',
    signals: ['exception-return'],
    lift(b) {
      privileged(b);
      b.jump(b.call('sysret'));
    },
  },
  {
    name: 'trap',
    opcode: 0x11,
    operands: ['index'],
    cost: 'system',
    signals: [],
    lift(b, { index }) {
      privileged(b);
      b.trap('hypercall', b.constant(index));
    },
  },
  { name: 'wait', opcode: 0x12, operands: [], cost: 'system', signals: [], lift: (b) => b.trap('wait') },
];
