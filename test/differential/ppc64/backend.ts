/** Who is tested: anything that runs a case. The plainest is the evaluator of lifts. */
import type { CpuModel, Decoded, Lifter } from '@countervisor/contract';
import { bitHelpers } from '../../../packages/ppc64/src/isa/bits.ts';
import { decode, LITTLE_ENDIAN } from '../../../packages/ppc64/src/isa/decode.ts';
import { rows } from '../../../packages/ppc64/src/isa/instructions/index.ts';
import { ILLEGAL, PRIVILEGED, TRAP } from '../../../packages/ppc64/src/isa/row.ts';
import { evaluate, type Machine, type Memory } from '../../../packages/ppc64/src/isa/testing/evaluate.ts';
import { XER_PIECES } from '../../../packages/ppc64/src/registers/general.ts';
import { type Case, DATA, type End, fill, READABLE, type Result, WINDOW, WRITABLE } from './cases.ts';

export interface Backend {
  readonly name: string;
  run(c: Case): Result;
}

/** Data memory of a case, and whether something outside its window was written. */
class DataMemory implements Memory {
  readonly bytes: Uint8Array;
  stray = false;
  readonly #window: bigint;

  constructor(c: Case) {
    this.bytes = c.bytes.slice();
    this.#window = c.window;
  }

  #at(address: bigint): number {
    const at = address - this.#window;
    return at >= 0n && at < BigInt(WINDOW) ? Number(at) : -1;
  }

  read(address: bigint): number | undefined {
    if (address < DATA || address >= DATA + BigInt(READABLE)) return undefined;
    const at = this.#at(address);
    return at < 0 ? fill(address) : this.bytes[at];
  }

  writable(address: bigint): boolean {
    return address >= DATA && address < DATA + BigInt(WRITABLE);
  }

  write(address: bigint, byte: number): boolean {
    const at = this.#at(address);
    if (at < 0) this.stray = true;
    else this.bytes[at] = byte;
    return this.writable(address);
  }
}

/** Changes what an instruction means, for the test of the test. */
export type Mutation = (name: string, lift: Decoded['lift']) => Decoded['lift'];

const FIELDS = Array.from({ length: 8 }, (_, n) => [`CR${n}`, BigInt(28 - 4 * n)] as const);

/** Every feature that a row may need. */
export const EVERYTHING: CpuModel = {
  name: 'everything',
  features: new Set(rows.flatMap(({ needs }) => (needs === undefined ? [] : [needs]))),
  settings: {},
  identity: {},
  deviations: [],
};

/** MSR of a user program: 64 bits, problem state. */
export const userMsr = (c: Case): bigint => (1n << 63n) | (1n << 14n) | (c.order === 'little' ? 1n : 0n);

/** Case state to register slots. */
export function registersOf(c: Case): Map<string, bigint> {
  const registers = new Map<string, bigint>(c.gpr.map((value, n) => [`GPR${n}`, value]));
  registers
    .set('CTR', c.ctr)
    .set('LR', c.lr)
    .set('MSR', userMsr(c))
    .set('FSCR', -1n & 0xffff_ffffn);
  for (const [name, low, width] of XER_PIECES) {
    registers.set(name, (c.xer >> BigInt(low)) & ((1n << BigInt(width)) - 1n));
  }
  for (const [name, low] of FIELDS) registers.set(name, (c.cr >> low) & 15n);
  return registers;
}

/** The SPRs of the cases, by number. */
const SPRS: Readonly<Record<number, string>> = { 8: 'LR', 9: 'CTR', 815: 'TAR' };
const XER = 1;

const xerOf = (registers: ReadonlyMap<string, bigint>): bigint =>
  XER_PIECES.reduce((all, [name, low]) => all | ((registers.get(name) ?? 0n) << BigInt(low)), 0n);

function road(registers: Map<string, bigint>): NonNullable<Machine['road']> {
  return {
    read: (index) => (index === XER ? xerOf(registers) : (registers.get(SPRS[index] ?? '') ?? undefined)),
    write: (index, value) => {
      const name = SPRS[index];
      if (index === XER) {
        for (const [piece, low, width] of XER_PIECES) {
          registers.set(piece, (value >> BigInt(low)) & ((1n << BigInt(width)) - 1n));
        }
      } else if (name !== undefined) registers.set(name, value);
      return index === XER || name !== undefined;
    },
  };
}

const REASONS: Readonly<Record<number, End>> = { [TRAP]: 'trap', [PRIVILEGED]: 'privileged', [ILLEGAL]: 'illegal' };

const swapped = (word: number): number => Buffer.from(new Uint32Array([word]).buffer).readUInt32BE(0);

/** The evaluator of lifts as a back end. */
export function evaluator(mutate: Mutation = (_name, lift) => lift): Backend {
  return {
    name: 'evaluator',
    run: (c) => {
      const registers = registersOf(c);
      const memory = new DataMemory(c);
      const vcpu = { get: (name: string) => registers.get(name) ?? 0n, set: () => {}, cpu: EVERYTHING };
      const machine: Machine = { registers, memory, helpers: bitHelpers, road: road(registers), vcpu };
      let { pc } = c;
      let end: End = 'ran';
      let address = 0n;
      const last = c.pc + BigInt(4 * c.words.length);
      while (pc >= c.pc && pc < last) {
        const first = Number(pc - c.pc) / 4;
        // Memory as the reader has it, little-endian.
        const word = (offset: number): number | undefined => {
          const there = c.words[first + offset / 4];
          if (there === undefined) return undefined;
          return c.order === 'big' ? swapped(there) : there;
        };
        const mode = c.order === 'little' ? LITTLE_ENDIAN : 0;
        const decoded = decode({ u8: () => undefined, u32: word }, pc, mode, { cpu: EVERYTHING });
        if (decoded === undefined) {
          end = 'illegal';
          break;
        }
        const lift = decoded.name === c.row ? mutate(decoded.name, decoded.lift) : decoded.lift;
        const { end: how } = evaluate(lift as (b: Lifter) => void, pc, machine, decoded.length);
        if (how.kind === 'next') {
          pc = how.pc;
          continue;
        }
        if (how.kind === 'fault') {
          end = how.why;
          address = how.address;
        } else {
          end = how.exception === 'alignment' ? 'alignment' : (REASONS[Number(how.syndrome)] ?? (how.exception as End));
          address = how.exception === 'alignment' ? how.syndrome : 0n;
        }
        break;
      }
      return {
        end,
        pc,
        address,
        gpr: c.gpr.map((_, n) => registers.get(`GPR${n}`) as bigint),
        ctr: registers.get('CTR') as bigint,
        lr: registers.get('LR') as bigint,
        xer: xerOf(registers),
        cr: FIELDS.reduce((all, [name, low]) => all | ((registers.get(name) as bigint) << low), 0n),
        bytes: memory.bytes,
        stray: memory.stray,
      };
    },
  };
}
