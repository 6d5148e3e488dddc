/** The fake architecture on the real engine, with doors that a test can look through: what was translated, taken, trapped, asked of devices. */
import type { AccessKind, Exception, Signal, Translation, Vcpu } from '@countervisor/contract';
import type { CompiledArch } from '../../load/compile.ts';
import { layout } from '../../memory/layout.ts';
import { DomainMemory } from '../../memory/memory.ts';
import { SIGNAL_NAMES, SignalClasses } from '../../pmu/classes.ts';
import { CODE } from '../effects.ts';
import { ATTENTION, type Doors, Engine, type Running } from '../engine.ts';
import { step } from '../stepper.ts';
import { Translator } from '../translator.ts';
import { foreignArch, OPCODE_BITS, type Options } from './arch.ts';

/** First byte of RAM, guest-physical. Virtual addresses are the same unless a test says otherwise. */
export const RAM = 0x1_0000n;
export const RAM_BYTES = 0x8000;
export const PAGE = 4096n;
/** The register space of the access road; this index is refused. */
export const SPACE = 'invented';
export const REFUSED = 0xbad;

/** What a virtual page leads to. Absent permissions are granted. */
export interface Page {
  readonly physical: bigint;
  readonly read?: boolean;
  readonly write?: boolean;
  readonly fetch?: boolean;
  readonly strict?: boolean;
  /** Not for level 0. */
  readonly system?: boolean;
}

/** An exception that was taken, and the program counter it was taken at. */
export interface Taken extends Exception {
  readonly pc: bigint;
}

/** Which back end runs the machines that are made from now on; the translator then translates everything it can, at once. */
export const backEnd: { name: 'stepper' | 'translator' } = { name: 'stepper' };

/** A domain of the fake architecture with the real engine: registers by name, memory by address, and what came through the doors. */
export class Foreign {
  readonly options: Options;
  readonly arch: CompiledArch;
  readonly memory: DomainMemory;
  readonly x: Engine;
  readonly translator: Translator | undefined;
  readonly vcpus: readonly Running[];
  /** By virtual page number; `undefined` unmaps. Pages that are not here lead to the same address, if RAM is there. */
  readonly pages: Map<bigint, Page | undefined> = new Map();
  readonly taken: Taken[] = [];
  readonly trapped: { readonly cause: string; readonly argument: bigint }[] = [];
  /** Registers on the access road. */
  readonly road: Map<number, bigint> = new Map();
  /** Physical addresses at which a device answers, and what it holds. */
  readonly device: Map<bigint, bigint> = new Map();
  readonly deviceLog: string[] = [];
  /** Does every unaligned access fault? */
  checksAlignment = false;
  /** What a trap's handler answers. */
  answer = 0;
  /** Done on the other side of a trap or a register access. */
  meanwhile: () => void = () => {};
  /** Questions to the page tables so far. */
  translations = 0;

  constructor(options: Options = {}) {
    this.options = options;
    this.arch = foreignArch(options);
    const { vcpus = 1, pcpus = 1, ram = RAM_BYTES } = options;
    const at = layout(this.arch, vcpus, pcpus, ram);
    this.memory = new DomainMemory(at, [{ base: RAM, bytes: ram }]);
    this.x = new Engine(this.arch, this.memory, new SignalClasses(this.arch.arch.isa.costs), this.#doors());
    this.translator = backEnd.name === 'translator' ? new Translator(this.x) : undefined;
    this.x.hot = -1;
    this.vcpus = Array.from({ length: vcpus }, (_, i) => ({ s: (at.vcpus + i * at.block) >> 2, level: 0 }));
    this.x.enter(this.vcpus[0] as Running, 0);
    this.set('PC', RAM);
  }

  #word(name: string): number {
    const found = this.arch.byName.get(name);
    if (found === undefined) throw new RangeError(`no register ${name}`);
    return this.x.v.s + found.id * 2;
  }

  get(name: string): bigint {
    return this.memory.view.getBigUint64(this.#word(name) * 4, true);
  }

  set(name: string, value: bigint): void {
    this.memory.view.setBigUint64(this.#word(name) * 4, value, true);
  }

  /** Several at once. */
  put(values: Readonly<Record<string, bigint>>): this {
    for (const [name, value] of Object.entries(values)) this.set(name, value);
    return this;
  }

  /** Every register that has storage, by name: for comparing all of them. */
  all(): Record<string, bigint> {
    return Object.fromEntries(this.arch.registers.map(({ name }) => [name, this.get(name)]));
  }

  /** Bytes of RAM at a physical address, writable: what is written here goes past the engine, as a DMA would. */
  bytes(physical: bigint, length: number): Uint8Array {
    const found = this.memory.slice(physical, length);
    if (found === undefined) throw new RangeError(`no RAM at 0x${physical.toString(16)}`);
    return found;
  }

  /** All of RAM as one string, for comparing: that is quick. */
  ram(): string {
    return new TextDecoder('latin1').decode(this.bytes(RAM, RAM_BYTES));
  }

  /** Encodes an instruction by its row's name. */
  encode(name: string, ...operands: number[]): number[] {
    const { set0 = [], set1 = [] } = this.options;
    const zero = set0.findIndex((row) => row.name === name);
    if (zero >= 0) {
      if (operands.length !== (set0[zero]?.operands ?? 0)) throw new RangeError(`${name}: ${operands.length} operands`);
      return [zero, ...operands];
    }
    const one = set1.findIndex((row) => row.name === name);
    if (one < 0) throw new RangeError(`no instruction ${name}`);
    const word =
      [20, 15, 10, 5, 0].reduce((w, low, i) => w | ((operands[i] ?? 0) << low), one << (32 - OPCODE_BITS)) >>> 0;
    return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255];
  }

  /** Writes instructions, one after the other, to a physical address, tells the engine, and points PC there. */
  load(at: bigint, ...instructions: readonly (readonly number[])[]): this {
    const code = instructions.flat();
    const target = this.bytes(at, code.length);
    target.set(code);
    this.x.touch(target.byteOffset);
    this.x.touch(target.byteOffset + code.length - 1);
    this.settle();
    this.set('PC', at);
    return this;
  }

  /** `step`, and what core looks at between two activations. */
  run(budget: number): number {
    let used = 0;
    while (used < budget) {
      const before = this.taken.length + this.trapped.length;
      const turn = this.translator?.run(budget - used) ?? step(this.x, budget - used);
      used += turn;
      this.settle();
      if (this.taken.length + this.trapped.length > before) break;
      if (turn === 0 && this.x.attention === 0) break;
    }
    return used;
  }

  settle(): void {
    const { x } = this;
    const what = x.attention;
    x.attention = 0;
    if ((what & ATTENTION.translation) !== 0) x.flush();
    if ((what & (ATTENTION.translation | ATTENTION.level)) !== 0) {
      x.v.level = Number(this.get('LEVEL'));
      x.relevel();
    }
    if ((what & ATTENTION.decode) !== 0) {
      x.page = undefined;
      x.pageLo = -1;
    }
  }

  /** What was counted so far. Signals that never occurred are absent. */
  signals(): Partial<Record<Signal, number>> {
    const sums: Partial<Record<Signal, number>> = {};
    SIGNAL_NAMES.forEach((name, i) => {
      let sum = this.x.extra[i] as number;
      for (let kind = 0; kind < this.x.classes.count; kind++) {
        sum += (this.x.counts[kind] as number) * (this.x.classes.amounts[kind * SIGNAL_NAMES.length + i] as number);
      }
      if (sum !== 0) sums[name] = sum;
    });
    return sums;
  }

  #translate(virtual: bigint, kind: AccessKind, level: number): Translation | Exception {
    this.translations++;
    const number = virtual >> 12n;
    const page: Page | undefined = this.pages.has(number) ? this.pages.get(number) : { physical: number << 12n };
    const inRam = page !== undefined && (this.pages.has(number) || this.memory.page(page.physical) >= 0);
    const allowed = { read: page?.read ?? true, write: page?.write ?? true, fetch: page?.fetch ?? true };
    if (page === undefined || !inRam || !allowed[kind] || (page.system === true && level === 0)) {
      return { kind: 'page-fault', address: virtual, syndrome: BigInt(['read', 'write', 'fetch'].indexOf(kind)) };
    }
    return { physical: page.physical | (virtual & 0xfffn), ...allowed, strict: page.strict ?? false };
  }

  #doors(): Doors<Running> {
    const { isa } = this.arch.arch;
    const { grain = 1 } = this.options;
    const value = (): bigint => (BigInt(this.x.hi >>> 0) << 32n) | BigInt(this.x.lo >>> 0);
    const answer = (v: bigint): void => {
      this.x.lo = Number(BigInt.asIntN(32, v));
      this.x.hi = Number(BigInt.asIntN(32, v >> 32n));
    };
    return {
      access: (_v, space, index, write) => {
        this.meanwhile();
        if (space !== SPACE) throw new RangeError(`no space ${space}`);
        if (index === REFUSED) {
          this.x.fault = { kind: 'undefined', syndrome: BigInt(index) };
          return CODE.fault;
        }
        if (write) this.road.set(index, value());
        else answer(this.road.get(index) ?? 0n);
        return 0;
      },
      trap: (_v, cause, argument) => {
        this.trapped.push({ cause, argument });
        this.meanwhile();
        return this.answer;
      },
      call: (_v, helper, args) => {
        const handle: Pick<Vcpu, 'get' | 'set'> = {
          get: (name) => this.get(name),
          set: (name, v) => this.set(name, v),
        };
        return isa.helpers[helper]?.(handle as Vcpu, args) ?? 0n;
      },
      take: (_v, exception) => {
        this.taken.push({ ...exception, pc: this.get('PC') });
        // As core does; the stepper's tests see that it is not the stepper.
        if (this.translator !== undefined) this.x.attention |= ATTENTION.interrupts;
      },
      device: (_v, physical, size, write) => {
        this.deviceLog.push(`${write ? 'write' : 'read'} ${size} at ${physical.toString(16)}`);
        if (!this.device.has(physical)) return false;
        if (write) this.device.set(physical, BigInt.asUintN(8 * size, value()));
        else answer(BigInt.asUintN(8 * size, this.device.get(physical) as bigint));
        return true;
      },
      translate: (_v, virtual, kind, level) => this.#translate(virtual, kind, level),
      checksAlignment: () => this.checksAlignment,
      regime: (_v, level) => level,
      decode: (_v, code, pc) => isa.decode(code, pc, Number(this.get('MODE')), undefined as never),
      mode: () => this.memory.words[this.#word('MODE')] as number,
      fault: (_v, which, address, physical, kind) => {
        if (which === 'fetch') return grain === 1 ? undefined : { kind: 'fetch-alignment' };
        if (which === 'undefined') return { kind: 'undefined', syndrome: address };
        return {
          kind: which,
          address,
          syndrome: which === 'bus' ? physical : BigInt(['read', 'write', 'fetch'].indexOf(kind)),
        };
      },
    };
  }
}
