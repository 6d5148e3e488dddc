/** Branches. Arm DDI 0487, C4.1 (branches) and C6.2. Signals as the PMU's branch events define them (D14.3). */
import type { Lifter, Signal, Value } from '@countervisor/contract';
import { condition, signed, widthOf, x } from '../operands.ts';
import { type Row, row } from '../row.ts';

const conditionalSignals: readonly Signal[] = ['branch', 'branch-immediate'];
const target = (pc: bigint, imm: number, width: number): bigint =>
  BigInt.asUintN(64, pc + BigInt(signed(imm, width) * 4));

const TOP_BYTE = 0xffn << 56n;

/**
 * To an address in a register. TCR_EL1 may have its top byte ignored, and the program counter then never holds a tag; that is asked only where the
 * byte is neither 0 nor a copy of bit 55, so the usual return costs one op.
 */
function jumpTo(b: Lifter, to: Value, link: () => void = () => {}): void {
  b.when(b.and(to, b.constant(TOP_BYTE)), () => {
    b.when(b.add(b.sar(to, b.constant(55)), b.constant(1)), () => {
      const untagged = b.call('branch-address', to);
      link();
      b.jump(untagged);
    });
  });
  link();
  b.jump(to);
}

/** CBZ and CBNZ. */
function compare(name: string, op: '0' | '1'): Row {
  return row(
    name,
    'branch',
    `sf 011010 ${op} imm19 Rt` as string,
    (b, f) => {
      const zero = b.constant(0);
      const value = x(b, f.Rt);
      const taken = op === '0' ? b.eq(value, zero, widthOf(f.sf)) : b.ne(value, zero, widthOf(f.sf));
      b.branch(taken, target(b.pc, f.imm19, 19));
    },
    { signals: conditionalSignals },
  );
}

/** TBZ and TBNZ. */
function test(name: string, op: '0' | '1'): Row {
  return row(
    name,
    'branch',
    `b5 011011 ${op} b40 imm14 Rt` as string,
    (b, f) => {
      const bit = b.and(x(b, f.Rt), b.constant(1n << BigInt(f.b5 * 32 + f.b40)));
      b.branch(op === '0' ? b.eq(bit, b.constant(0)) : bit, target(b.pc, f.imm14, 14));
    },
    { signals: conditionalSignals },
  );
}

export const branch: readonly Row[] = [
  row('B', 'branch', '0 00101 imm26', (b, f) => b.jump(b.constant(target(b.pc, f.imm26, 26))), {
    signals: ['branch', 'branch-immediate', 'taken'],
  }),
  row(
    'BL',
    'branch',
    '1 00101 imm26',
    (b, f) => {
      b.set('X30', b.constant(b.next));
      b.jump(b.constant(target(b.pc, f.imm26, 26)));
    },
    { signals: ['branch', 'branch-immediate', 'call', 'taken'] },
  ),
  row(
    'B.cond',
    'branch',
    '0101010 0 imm19 0 cond',
    (b, f) => {
      const { value, inverted } = condition(b, f.cond);
      b.branch(inverted ? b.eq(value, b.constant(0)) : value, target(b.pc, f.imm19, 19));
    },
    { signals: conditionalSignals },
  ),
  compare('CBZ', '0'),
  compare('CBNZ', '1'),
  test('TBZ', '0'),
  test('TBNZ', '1'),
  row('BR', 'branch', '1101011 0000 11111 000000 Rn 00000', (b, f) => jumpTo(b, x(b, f.Rn)), {
    signals: ['branch', 'taken'],
  }),
  row(
    'BLR',
    'branch',
    '1101011 0001 11111 000000 Rn 00000',
    (b, f) => jumpTo(b, x(b, f.Rn), () => b.set('X30', b.constant(b.next))),
    { signals: ['branch', 'call', 'taken'] },
  ),
  row('RET', 'branch', '1101011 0010 11111 000000 Rn 00000', (b, f) => jumpTo(b, x(b, f.Rn)), {
    signals: ['branch', 'return', 'taken'],
  }),
];
