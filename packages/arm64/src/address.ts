/** System register addresses. Arm DDI 0487, C5.1: op0, op1, CRn, CRm, op2. */
import type { Address } from '@countervisor/contract';

/** The address of a system register or SYS operation, as MRS, MSR, SYS and SYSL encode it. Each part is the manual's number. */
export function sysreg(op0: number, op1: number, crn: number, crm: number, op2: number): Address {
  return { space: 'sysreg', index: (op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2 };
}

/** The parts of an address's index. */
export function parts(index: number): readonly [op0: number, op1: number, crn: number, crm: number, op2: number] {
  return [(index >> 14) & 3, (index >> 11) & 7, (index >> 7) & 15, (index >> 3) & 15, index & 7];
}

/** The name the assembler accepts for any system register: S3_3_C9_C12_0. */
export function generic(index: number): string {
  const [op0, op1, crn, crm, op2] = parts(index);
  return `S${op0}_${op1}_C${crn}_C${crm}_${op2}`;
}

/** For the diagnostic about a register that no table declares: the address as the manual writes it, and a row ready to paste. */
export function describe(space: string, index: number): { readonly text: string; readonly row: string } {
  const address = `sysreg(${parts(index).join(', ')})`;
  return {
    text: space === 'sysreg' ? address : `${space}(0x${index.toString(16)})`,
    row: `${generic(index)}: { at: ${address}, width: 64, reset: 'unknown', read: 'el1', write: 'el1', fields: whole('…') },`,
  };
}
