/** Who is tested: the evaluator of lifts, over user-mode cases of x86. */
import type { Decoded, Lifter } from '@countervisor/contract';
import { evaluate, type Machine, type Memory } from '../../packages/arm64/src/isa/testing/evaluate.ts';
import { accessOf } from '../../packages/x86/src/isa/access.ts';
import { arithmetic } from '../../packages/x86/src/isa/arithmetic.ts';
import { fault, faultOf } from '../../packages/x86/src/isa/calls.ts';
import { type Instruction, instruction } from '../../packages/x86/src/isa/decode.ts';
import { GENERAL } from '../../packages/x86/src/isa/operands.ts';
import { x87 } from '../../packages/x86/src/isa/x87.ts';
import { flags, setFlags } from '../../packages/x86/src/registers/general.ts';
import { fill, PLACES, READABLE, WINDOW, WRITABLE, type X86Case, type X86Result } from './x86-cases.ts';
import { codeOf, FEATURES, modeOf } from './x86-code.ts';
import { applyState, stateOf } from './x86-state.ts';
import { AS_SIGNAL } from './x86-user.ts';

export interface X86Backend {
  readonly name: string;
  run(c: X86Case): X86Result;
}

class DataMemory implements Memory {
  readonly bytes: Uint8Array;
  stray = false;
  readonly #window: bigint;
  readonly #data: bigint;
  readonly #others = new Map<bigint, number>();

  constructor(c: X86Case) {
    this.bytes = c.bytes.slice();
    this.#window = c.window;
    this.#data = PLACES[c.bits].data;
  }

  #at(address: bigint): number {
    const at = address - this.#window;
    return at >= 0n && at < BigInt(WINDOW) ? Number(at) : -1;
  }

  read(address: bigint): number | undefined {
    if (address < this.#data || address >= this.#data + BigInt(READABLE)) return undefined;
    const at = this.#at(address);
    return at < 0 ? (this.#others.get(address) ?? fill(address)) : this.bytes[at];
  }

  writable(address: bigint): boolean {
    return address >= this.#data && address < this.#data + BigInt(WRITABLE);
  }

  write(address: bigint, byte: number): boolean {
    const at = this.#at(address);
    if (at < 0) {
      this.#others.set(address, byte);
      this.stray = [...this.#others].some(([where, held]) => held !== fill(where));
    } else this.bytes[at] = byte;
    return this.writable(address);
  }
}

/** Changes what an instruction means, for the test of the test. */
export type X86Mutation = (name: string, lift: Decoded['lift']) => Decoded['lift'];

/** As QEMU's user mode has them. */
const SELECTORS = {
  64: { CS: 0x33n, SS: 0x2bn, DS: 0x2bn, ES: 0x2bn, FS: 0n, GS: 0n },
  32: { CS: 0x23n, SS: 0x2bn, DS: 0x2bn, ES: 0x2bn, FS: 0x33n, GS: 0x3bn },
} as const;

const TURNS = 100;

/** The evaluator of lifts as a back end. */
export function x86Evaluator(mutate: X86Mutation = (_name, lift) => lift): X86Backend {
  return {
    name: 'evaluator',
    run: (c) => {
      const registers = new Map<string, bigint>(c.r.map((value, n) => [GENERAL[n] as string, value]));
      const places = PLACES[c.bits];
      for (const [name, value] of Object.entries(SELECTORS[c.bits])) registers.set(name, value);
      registers.set('CPL', 3n);
      // OSFXSR and OSXMMEXCPT.
      registers.set('CR4', 0x600n);
      registers.set('FS_BASE', places.fs);
      registers.set('GS_BASE', places.gs);
      const view = {
        get: (name: string): bigint => registers.get(name) ?? 0n,
        set: (name: string, value: bigint): void => void registers.set(name, value),
      };
      setFlags(view, c.flags);
      if (c.state !== undefined) applyState(view, c.state);
      const memory = new DataMemory(c);
      let address = 0n;
      const helpers = {
        ...arithmetic,
        x87: (_vcpu: unknown, args: readonly bigint[]) => x87(view, args),
        // FS and GS have 4 GiB, and no byte more.
        'segment-fault': (_vcpu: unknown, [, offset = 0n, bytes = 0n]: readonly bigint[]) => {
          if (offset + bytes <= 1n << 32n) return 0n;
          address = offset;
          return fault('#GP');
        },
        // A user program has no ports.
        'io-fault': () => fault('#GP'),
      };
      const machine: Machine = { registers, memory, helpers, vcpu: view as never };
      const decoded = instruction(codeOf(c), modeOf(c.bits), FEATURES);
      let rip = c.rip;
      let end = 'ran';
      if (decoded === undefined) end = '#UD';
      else {
        if (decoded.length !== c.code.length) throw new Error(`${c.row}: ${decoded.length} bytes of ${c.code}`);
        const lift = decoded.name === c.row ? mutate(decoded.name, decoded.lift) : decoded.lift;
        const width = c.bits;
        const next = BigInt.asUintN(width, c.rip + BigInt(decoded.length));
        for (let turn = 0; turn < TURNS; turn++) {
          const { end: how } = evaluate(lift as (b: Lifter) => void, c.rip, machine, next);
          if (how.kind === 'next') {
            rip = how.pc;
            if (rip !== c.rip) break;
            continue;
          }
          if (how.kind === 'fault') {
            // Beyond 4 GiB an access has left a flat segment of 32 bits.
            const { address: at } = how;
            const inside = c.bits === 32 ? at < 1n << 32n : BigInt.asUintN(64, BigInt.asIntN(48, at)) === at;
            const { stack } = accessOf(decoded as Instruction, view, at);
            end = inside ? '#PF' : stack ? '#SS' : '#GP';
            address = how.address;
          } else end = how.exception === 'fault' ? faultOf(how.syndrome).name : how.exception;
          rip = c.rip;
          break;
        }
      }
      return {
        end: AS_SIGNAL[end] ?? end,
        rip,
        address,
        r: c.r.map((_, n) => registers.get(GENERAL[n] as string) as bigint),
        flags: flags(view),
        bytes: memory.bytes,
        stray: memory.stray,
        ...(c.state !== undefined && { state: stateOf(view) }),
      };
    },
  };
}
