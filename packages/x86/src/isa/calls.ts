/**
 * The helpers that lifts call, by name: what is too rare or too long for ops. `isa/index.ts` gathers the functions; a test holds the two lists together.
 *
 * Exceptions have the manual's names: '#DE' '#DB' 'NMI' '#BP' '#OF' '#BR' '#UD' '#NM' '#DF' '#TS' '#NP' '#SS' '#GP' '#PF' '#MF' '#AC' '#MC' '#XM', and
 * 'INTR' for an interrupt from outside (syndrome: its vector). A lift raises the static ones by name, with the error code as syndrome.
 *
 * A helper that can fail answers with a *fault*, 0 for none, and has then changed nothing but FAULT_ADDRESS; its lift raises 'fault' with it.
 * A helper that transfers control leaves the linear address to go on at in TARGET; its lift jumps there.
 */

/** Vectors of the exceptions that are faults of an instruction. SDM volume 3, table 6-1. */
export const VECTORS = {
  '#DE': 0,
  '#DB': 1,
  NMI: 2,
  '#BP': 3,
  '#OF': 4,
  '#BR': 5,
  '#UD': 6,
  '#NM': 7,
  '#DF': 8,
  '#TS': 10,
  '#NP': 11,
  '#SS': 12,
  '#GP': 13,
  '#PF': 14,
  '#MF': 16,
  '#AC': 17,
  '#MC': 18,
  '#XM': 19,
} as const;

export type ExceptionName = keyof typeof VECTORS;

const NAMES: ReadonlyMap<number, ExceptionName> = new Map(
  (Object.entries(VECTORS) as [ExceptionName, number][]).map(([name, vector]) => [vector, name]),
);

/** A fault as a helper answers it: the vector, 1 in bit 8, the error code from bit 32. */
export function fault(name: ExceptionName, error = 0n): bigint {
  return BigInt(VECTORS[name] | 0x100) | (error << 32n);
}

/** What a fault says. */
export function faultOf(value: bigint): { readonly name: ExceptionName; readonly error: bigint } {
  const name = NAMES.get(Number(value & 0xffn));
  if (name === undefined || (value & 0x100n) === 0n)
    throw new Error(`0x${value.toString(16)} is no fault of a helper.`);
  return { name, error: value >> 32n };
}

/** Segment registers by number, as ModRM.reg names them. */
export const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'] as const;

/** Arguments and answers. Sizes are in bits, selectors and offsets as the instruction has them, addresses linear. */
export const CALLS = {
  // Far transfers and segments.
  interrupt:
    '(vector, next, kind 0 INT n, 1 INT3 and INTO, 2 INT1): fault; TARGET. Saves `next` as the return address.',
  iret: '(operand size): fault; TARGET.',
  'far-jump': '(selector, offset, operand size): fault; TARGET.',
  'far-call': '(selector, offset, operand size, next): fault; TARGET.',
  'far-return': '(operand size, bytes to release): fault; TARGET.',
  'load-segment': '(number of the segment register, selector): fault. ES, SS, DS, FS, GS.',
  'load-ldtr': '(selector): fault.',
  'load-tr': '(selector): fault.',
  'access-rights': '(selector): LAR: the 32-bit word, with bit 63 set where ZF becomes 1.',
  'segment-limit': '(selector): LSL: the limit in bytes, with bit 63 set where ZF becomes 1.',
  verify: '(selector, 1 for VERW): 1 where ZF becomes 1.',
  syscall: '(next): fault; TARGET.',
  sysret: '(operand size): fault; TARGET.',
  sysenter: '(): fault; TARGET.',
  sysexit: '(operand size): fault; TARGET.',
  'io-fault':
    '(port, bytes): fault, unless CPL <= IOPL or the TSS permits it. Asked in protected mode with CPL > IOPL only.',
  invlpg: '(linear address): forgets translations.',

  // Segments that are not flat: asked for each access through one.
  'segment-fault': '(number of the segment register, offset, bytes, 1 for a write): fault.',

  // Flags.
  flags: '(): RFLAGS.',
  'set-flags': '(value, mask): RFLAGS takes the bits under the mask.',

  // x87, isa/x87.ts: the operation by its index, and two words.
  x87: '(operation, word, word): what is stored, or ZF PF CF of FCOMI.',

  // Arithmetic beyond the ops.
  'divide-fits': '(signed, high, low, divisor): 1 when the quotient of 128 by 64 bits fits.',
  quotient: '(signed, high, low, divisor): 128 by 64 bits.',
  decimal: '(one of DECIMAL, AX, RFLAGS, base): AX, and RFLAGS from bit 32.',
} as const;

export type Call = keyof typeof CALLS;
