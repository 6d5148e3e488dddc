/** Who is tested: anything that runs a case. The plainest is the evaluator of lifts. */
import type { Decoded, Lifter } from '@countervisor/contract';
import { sysreg } from '../../packages/arm64/src/address.ts';
import { checksums } from '../../packages/arm64/src/isa/crc32.ts';
import { instruction } from '../../packages/arm64/src/isa/decode.ts';
import { evaluate, type Machine, type Memory } from '../../packages/arm64/src/isa/testing/evaluate.ts';
import { type Case, DATA, fill, READABLE, type Result, WINDOW, WRITABLE } from './cases.ts';

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

/** User code's one register access here: DC ZVA asks whether it may. */
const DC_ZVA = sysreg(1, 3, 7, 4, 1).index;
const ROAD: NonNullable<Machine['road']> = { read: () => undefined, write: (index) => index === DC_ZVA };

const FLAGS = ['V', 'C', 'Z', 'N'];

/** The evaluator of lifts as a back end. */
export function evaluator(mutate: Mutation = (_name, lift) => lift): Backend {
  return {
    name: 'evaluator',
    run: (c) => {
      const registers = new Map<string, bigint>(c.x.map((value, n) => [`X${n}`, value]));
      registers.set('SP', c.sp);
      FLAGS.forEach((name, bit) => {
        registers.set(name, BigInt((c.nzcv >> bit) & 1));
      });
      const memory = new DataMemory(c);
      const machine: Machine = { registers, memory, helpers: checksums, road: ROAD };
      let { pc } = c;
      let end: Result['end'] = 'ran';
      let address = 0n;
      for (const word of c.words) {
        const decoded = instruction(word);
        if (decoded === undefined) {
          end = 'undefined';
          break;
        }
        const lift = decoded.name === c.row ? mutate(decoded.name, decoded.lift) : decoded.lift;
        const { end: how } = evaluate(lift as (b: Lifter) => void, pc, machine);
        if (how.kind === 'next') {
          pc = how.pc;
          continue;
        }
        end = how.kind === 'fault' ? how.why : 'undefined';
        if (how.kind === 'fault') address = how.address;
        break;
      }
      return {
        end,
        pc,
        address,
        x: c.x.map((_, n) => registers.get(`X${n}`) as bigint),
        sp: registers.get('SP') as bigint,
        nzcv: FLAGS.reduce((all, name, bit) => all | (Number(registers.get(name)) << bit), 0),
        bytes: memory.bytes,
        stray: memory.stray,
      };
    },
  };
}
