/**
 * What a fault's instruction was about, found when the fault is taken: hot lifts carry nothing for it. SDM volume 3, 6.15 (#SS, #GP: "non-canonical") and
 * 4.7 (page-fault error code).
 */
import type { View } from '@countervisor/contract';
import { type Instruction, instruction } from './decode.ts';
import { mode } from './mode.ts';

/** Rows that use the stack without an operand for it. */
const STACK = /^(PUSH|POP|CALL|RET|ENTER|LEAVE|INT|IRET)/;

export interface FaultingAccess {
  /** It went through the stack segment: a non-canonical address is #SS(0). */
  readonly stack: boolean;
  /** The instruction writes what it reads, and asks for that right at once: the page-fault error code has W set. */
  readonly writes: boolean;
}

/** Was this address one of the implicit stack accesses? Those lie within 256 bytes of RSP or, for ENTER and LEAVE, of RBP. */
function nearStack(view: Pick<View, 'get'>, i: Instruction, address: bigint): boolean {
  if (!STACK.test(i.row.mnemonic)) return false;
  return ['RSP', 'RBP'].some((name) => {
    const distance = BigInt.asIntN(64, address - view.get(name));
    return distance >= -0x10100n && distance < 0x10100n;
  });
}

/** The data access of an instruction that has faulted at this linear address. */
export function accessOf(i: Instruction, view: Pick<View, 'get'>, address: bigint): FaultingAccess {
  const n = i.operands.findIndex(({ kind }) => kind === 'memory');
  const operand = i.operands[n];
  const implicit = nearStack(view, i, address);
  if (operand?.kind !== 'memory') return { stack: implicit || STACK.test(i.row.mnemonic), writes: false };
  const slot = i.row.slots[n];
  return {
    stack: implicit || operand.segment === 2,
    writes: !implicit && slot !== undefined && slot.reads && slot.writes,
  };
}

/** The same of the instruction at RIP. `read`: a byte of the guest's code at a linear address. */
export function faultingAccess(
  view: Pick<View, 'get' | 'cpu'>,
  address: bigint,
  read: (linear: bigint) => number | undefined,
): FaultingAccess {
  const rip = view.get('RIP');
  const code = { u8: (offset: number) => read(BigInt.asUintN(64, rip + BigInt(offset))), u32: () => undefined };
  const decoded = instruction(code, mode(view), view.cpu.features);
  if (decoded === undefined || !('row' in decoded)) return { stack: false, writes: false };
  return accessOf(decoded, view, address);
}
