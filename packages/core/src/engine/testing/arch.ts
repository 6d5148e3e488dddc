/**
 * A fake architecture for testing the engine: two instruction sets in one, with invented encodings, and registers as rows. Set 0 has opcodes of one byte and operands of one byte each; set 1 has words of four bytes, most significant first, with an
 * opcode of seven bits and five operands of five. The register MODE selects the set.
 */
import type { Affects, Arch, CodeReader, Decoded, Isa, Lifter, Register, Signal } from '@countervisor/contract';
import { type CompiledArch, compile } from '../../load/compile.ts';

/** An instruction of the fake architecture. Operands are numbers, in the order of the encoding. */
export interface Row {
  readonly name: string;
  /** How many; set 1 always has five. */
  readonly operands?: number;
  readonly signals?: readonly Signal[];
  readonly cost?: 'plain' | 'slow';
  readonly lift: (b: Lifter, operands: readonly number[]) => void;
}

const register = (width: number, affects: readonly Affects[] = [], more: Partial<Register> = {}): Register => ({
  width,
  reset: 0n,
  read: 'user',
  write: 'user',
  fields: { VALUE: { bits: [width - 1, 0], means: 'The value.' } },
  affects,
  ...more,
});

const named = (names: readonly string[], width: number): Record<string, Register> =>
  Object.fromEntries(names.map((name) => [name, register(width)]));

export const GENERAL: readonly string[] = 'RAX RCX RDX RBX RSP RBP RSI RDI R8 R9 R10 R11 R12 R13 R14 R15'.split(' ');
export const FLAGS: readonly string[] = 'CF PF AF ZF SF OF DF'.split(' ');
export const GPRS: readonly string[] = Array.from({ length: 32 }, (_, i) => `GPR${i}`);
export const XER_BITS: readonly string[] = 'SO OV CA OV32 CA32'.split(' ');
export const CR_FIELDS: readonly string[] = Array.from({ length: 8 }, (_, i) => `CR${i}`);

const registers: Readonly<Record<string, Register>> = {
  ...named(GENERAL, 64),
  ...named(FLAGS, 1),
  ...named(GPRS, 64),
  ...named(XER_BITS, 1),
  ...named(CR_FIELDS, 4),
  PC: register(64),
  MODE: register(1, ['decode']),
  LEVEL: register(1, ['level']),
  ROOT: register(64, ['translation']),
  // What no lift may reach by name: it has another home, no storage, or shows another register.
  SHARED: register(64, [], { home: 'pcpu' }),
  DERIVED: register(64, [], { derive: () => 1n }),
  WINDOW: register(64, [], { view: () => 'RAX' }),
};

export interface Options {
  readonly set0?: readonly Row[];
  readonly set1?: readonly Row[];
  readonly helpers?: Isa['helpers'];
  /** 4: a program counter that is no multiple of it is a fault. Default 1. */
  readonly grain?: 1 | 4;
  /** Bytes of RAM. Default: eight pages. */
  readonly ram?: number;
  readonly pcpus?: number;
  readonly vcpus?: number;
}

export const OPCODE_BITS = 7;

function swapped(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

const decoded = (row: Row, length: number, operands: readonly number[]): Decoded => ({
  name: row.name,
  length,
  cost: row.cost ?? 'plain',
  signals: row.signals ?? [],
  lift: (b) => row.lift(b, operands),
});

/** The architecture alone, compiled. */
export function foreignArch({ set0 = [], set1 = [], helpers = {}, grain = 1 }: Options = {}): CompiledArch {
  const arch: Pick<Arch, 'name' | 'levels' | 'registers' | 'trapGroups' | 'causes' | 'pmu'> & {
    readonly isa: Partial<Isa>;
  } = {
    name: 'foreign',
    levels: ['user', 'system', 'host'],
    registers,
    trapGroups: {},
    causes: { hypercall: { to: 'hypervisor', handler: 'hypercall', means: 'A hypercall.' } },
    pmu: { events: [], counters: [], exists: () => false, overflow: () => {}, line: () => false, source: 'none' },
    isa: {
      grain,
      pc: 'PC',
      regimes: 2,
      costs: { plain: { backend: 0, frontend: 0 }, slow: { backend: 3, frontend: 2 } },
      helpers,
      decode(code: CodeReader, _pc: bigint, mode: number): Decoded | undefined {
        if (mode === 1) {
          const word = code.u32(0);
          if (word === undefined) return undefined;
          const bits = swapped(word);
          const row = set1[bits >>> (32 - OPCODE_BITS)];
          const operands = [20, 15, 10, 5, 0].map((low) => (bits >>> low) & 31);
          return row === undefined ? undefined : decoded(row, 4, operands);
        }
        const row = set0[code.u8(0) ?? -1];
        if (row === undefined) return undefined;
        const count = row.operands ?? 0;
        const operands: number[] = [];
        for (let i = 1; i <= count; i++) {
          const operand = code.u8(i);
          if (operand === undefined) return undefined;
          operands.push(operand);
        }
        return decoded(row, 1 + count, operands);
      },
    },
  };
  const cpu = { name: 'foreign', features: new Set<string>(), settings: {}, identity: {}, deviations: [] };
  return compile(arch as unknown as Arch, cpu);
}
