/** Where x86 registers have their addresses. Intel SDM volume 2: RDMSR and WRMSR, MOV to and from control and debug registers, RDPMC, XGETBV. */
import type { Address } from '@countervisor/contract';

/** A model-specific register, as ECX names it for RDMSR and WRMSR. */
export function msr(index: number): Address {
  return { space: 'msr', index: index >>> 0 };
}

/** CR0 to CR15, as MOV names them. */
export function cr(index: number): Address {
  return { space: 'cr', index };
}

/** DR0 to DR15, as MOV names them. */
export function dr(index: number): Address {
  return { space: 'dr', index };
}

/** A performance counter, as ECX names it for RDPMC: bit 30 for the fixed ones. */
export function pmc(index: number): Address {
  return { space: 'pmc', index: index >>> 0 };
}

/** What RDTSC reads is the MSR of that name behind a door of its own (CR4.TSD instead of the privilege level). */
export const tsc: Address = { space: 'tsc', index: 0 };

/** For the diagnostic about a register that no table declares: the address as the manual writes it, and a row ready to paste. */
export function describe(space: string, index: number): { readonly text: string; readonly row: string } {
  const hex = space === 'cr' || space === 'dr' ? `${index}` : `0x${index.toString(16)}`;
  return {
    text: `${space}(${hex})`,
    row: `${space.toUpperCase()}_${hex}: { at: ${space}(${hex}), width: 64, reset: 'unknown', read: 'supervisor', write: 'supervisor', fields: whole('…') },`,
  };
}
