/** Which flags the manual leaves open after an instruction. SDM volume 2, "Flags affected" of each. */
import type { Operand } from '../../packages/x86/src/isa/decode.ts';
import type { CodeSize } from '../../packages/x86/src/isa/mode.ts';
import type { Row } from '../../packages/x86/src/isa/row.ts';

const BITS: Readonly<Record<string, bigint>> = { CF: 1n, PF: 4n, AF: 0x10n, ZF: 0x40n, SF: 0x80n, OF: 0x800n };

const SHIFTS = new Set(['ROL', 'ROR', 'RCL', 'RCR', 'SHL', 'SHR', 'SAL', 'SAR', 'SHLD', 'SHRD']);

export function openFlags(
  row: Row,
  operands: readonly Operand[],
  size: CodeSize,
  r: readonly bigint[],
  _flags: bigint,
): bigint {
  const always = row.leaves.split(' ').reduce((bits, name) => bits | (BITS[name] ?? 0n), 0n);
  if (!SHIFTS.has(row.mnemonic)) return always;
  const last = operands.at(-1);
  const width = operands[0]?.size ?? size;
  const given = last?.kind === 'constant' ? last.value : (r[1] as bigint);
  const count = given & (width === 64 ? 63n : 31n);
  // Nothing happens to flags.
  if (count === 0n) return 0n;
  let open = always;
  if (count !== 1n) open |= BITS.OF as bigint;
  if (/^SH|^SAL/.test(row.mnemonic) && count >= BigInt(width)) open |= BITS.CF as bigint;
  return open;
}
