/**
 * A plain model of the template's CPU and PMU, one instruction after the other: no budgets, slices, banks, homes, traps to a hypervisor or
 * folding. Written from the template's tables and ARCHITECTURE.md's counting rules alone; it shares no line with core.
 */
import type { GeneralName } from './guest.ts';

/** An instruction by name: `movi` and `here` (the address of the instruction so many ahead) take a number, branches an offset. */
export type Instruction = readonly [op: string, a?: GeneralName | number, b?: GeneralName | number, c?: number];

export interface Facts {
  /** False: the domain has no vPMU. */
  readonly pmu: boolean;
  readonly counters: number;
  readonly wide: boolean;
  /** Cycles beyond the first, by class. */
  readonly costs: Readonly<Record<string, { readonly backend: number; readonly frontend: number }>>;
}

/** Where programs begin. */
export const BASE = 0x1000;
const BYTES = 0x10000;
const U64 = (1n << 64n) - 1n;

/** Control registers of the model by number, and the least level that reads and writes (2: nobody). */
const LEVELS: Readonly<Record<number, readonly [read: number, write: number]>> = {
  0: [1, 1], // STATUS
  1: [1, 1], // VECTOR
  2: [1, 1], // EPC
  3: [1, 2], // CAUSE
  4: [1, 2], // FAULT
  7: [0, 2], // TIME
  16: [1, 1], // PMCTL
  17: [1, 1], // PMENSET
  18: [1, 1], // PMENCLR
  19: [1, 1], // PMSTAT
  20: [1, 1], // PMINTEN
  21: [1, 1], // PMUSER
  22: [2, 0], // PMINC
  ...Object.fromEntries([0x18, 0x19, 0x1a, 0x1b].map((n) => [n, [1, 1]])), // PMSELn
  ...Object.fromEntries([0x1c, 0x1d, 0x1e, 0x1f].map((n) => [n, [0, 1]])), // PMCn
  32: [1, 1], // PMSAMPLE
  49: [1, 2], // PMINFO
};

const CLASS: Readonly<Record<string, string>> = {
  nop: 'plain',
  movi: 'plain',
  here: 'plain',
  addi: 'plain',
  load: 'memory',
  store: 'memory',
  beqz: 'branch',
  bnez: 'branch',
  jump: 'branch',
  call: 'branch',
  ret: 'branch',
};
const OPCODE: Readonly<Record<string, bigint>> = { readreg: 0x0dn, writereg: 0x0en };

/** What one step did, by signal. */
type Done = Record<string, number>;

class Taken {
  readonly cause: bigint;
  readonly fault: bigint;
  constructor(kind: number, detail = 0n, fault = 0n) {
    this.cause = BigInt(kind) | (detail << 8n);
    this.fault = fault;
  }
}

export class Model {
  readonly facts: Facts;
  readonly program: readonly Instruction[];
  readonly r: Record<string, bigint> = {};
  readonly bytes = new Uint8Array(BASE + BYTES);
  readonly view = new DataView(this.bytes.buffer);
  pc = BASE;
  level = 1;
  control: Record<number, bigint> = {};
  count = [0n, 0n, 0n, 0n];
  compare = 0n;
  instructions = 0;
  cycles = 0;
  skipped = 0n;
  ended: string | undefined;

  constructor(program: readonly Instruction[], facts: Facts, data: readonly (readonly [number, bigint])[]) {
    this.program = program;
    this.facts = facts;
    for (const n of Object.keys(LEVELS)) this.control[Number(n)] = 0n;
    for (const [at, value] of data) this.view.setBigUint64(at, value, true);
  }

  get now(): bigint {
    return BigInt(this.cycles) + this.skipped;
  }

  get(n: number): bigint {
    return this.control[n] as bigint;
  }

  get pending(): bigint {
    const pmu = this.facts.pmu && (this.get(0x13) & this.get(0x14)) !== 0n;
    return (pmu ? 1n : 0n) | (this.compare !== 0n && this.now >= this.compare ? 2n : 0n);
  }

  run(limit: number): this {
    while (this.ended === undefined && this.instructions < limit) {
      if ((this.get(0) & 1n) === 1n && this.pending !== 0n) this.interrupt();
      else this.step();
    }
    if (this.ended === undefined && (this.get(0) & 1n) === 1n && this.pending !== 0n) this.interrupt();
    return this;
  }

  interrupt(): void {
    // What is up now is the cause; that it is an exception may itself raise more.
    const taken = new Taken(7, this.pending);
    this.tally(this.counting(), { exception: 1 });
    this.enter(taken);
  }

  enter(x: Taken): void {
    const status = this.get(0);
    this.control[2] = BigInt(this.pc);
    this.control[3] = x.cause;
    this.control[4] = x.fault;
    this.control[0] = ((status & 1n) << 1n) | (BigInt(this.level) << 2n);
    this.level = 1;
    this.pc = Number(this.get(1));
  }

  /** Rule 1: what each counter counts, as things stand before the instruction; -1: it does not. */
  counting(): number[] {
    const filter = this.level === 1 ? 30n : 31n;
    return [0, 1, 2, 3].map((n) => {
      const selector = this.get(0x18 + n);
      const on = n < this.facts.counters && (this.get(0x10) & 1n) === 1n && ((this.get(0x11) >> BigInt(n)) & 1n) === 1n;
      return on && ((selector >> filter) & 1n) === 0n ? Number(selector & 0xffn) : -1;
    });
  }

  /** Rules 3, 6 and 7 for what one instruction did. `pc` already is where it goes on. */
  tally(counting: readonly number[], done: Done, written: ReadonlySet<number> = new Set(), increments = 0n): void {
    const s = (name: string): number => done[name] ?? 0;
    const amounts: Readonly<Record<number, number>> = {
      1: s('instruction'),
      2: s('cycle'),
      3: s('load'),
      4: s('store'),
      5: s('load') + s('store'),
      6: s('unaligned'),
      7: s('branch'),
      8: s('taken'),
      9: s('immediate'),
      10: s('call'),
      11: s('return'),
      12: s('exception'),
      13: s('exceptionReturn'),
      14: s('frontend'),
      15: s('backend'),
      16: s('load') + s('store'),
    };
    const bits = this.facts.wide ? 64n : 32n;
    let carry = 0;
    for (let n = 0; n < 4; n++) {
      const event = counting[n] as number;
      let amount = event === 0 ? Number((increments >> BigInt(n)) & 1n) : (amounts[event] ?? 0);
      if (event === 17 && n % 2 === 1) amount = carry;
      carry = 0;
      if (event < 0 || written.has(n) || amount === 0) continue;
      const sum = (this.count[n] as bigint) + BigInt(amount);
      this.count[n] = sum & ((1n << bits) - 1n);
      if (sum >> bits === 0n) continue;
      if (!this.facts.wide) carry = 1;
      this.control[0x13] = this.get(0x13) | (1n << BigInt(n));
      this.control[0x20] = BigInt(this.pc);
    }
  }

  step(): void {
    const [op, a, b, c] = this.program[(this.pc - BASE) / 4] as Instruction;
    const counting = this.counting();
    const done: Done = {};
    const written = new Set<number>();
    let increments = 0n;
    let then: Taken | undefined;
    let leaves: (() => void) | undefined;
    try {
      let next = this.pc + 4;
      const to = (offset: number): void => {
        next = this.pc + 4 * offset;
        done.taken = 1;
      };
      switch (op) {
        case 'nop':
          break;
        case 'movi':
          this.r[a as string] = BigInt.asUintN(64, BigInt(b as number));
          break;
        case 'here':
          this.r[a as string] = BigInt(this.pc + 4 * (b as number));
          break;
        case 'addi':
          this.r[a as string] = ((this.r[b as string] as bigint) + BigInt(c as number)) & U64;
          break;
        case 'load':
        case 'store': {
          const at = (this.r[b as string] as bigint) + BigInt(c as number);
          this.memory(op, a as string, at);
          done[op] = 1;
          if (at % 8n !== 0n) done.unaligned = 1;
          break;
        }
        case 'beqz':
        case 'bnez':
          done.branch = done.immediate = 1;
          if (((this.r[a as string] as bigint) === 0n) === (op === 'beqz')) to(b as number);
          break;
        case 'jump':
        case 'call':
          done.branch = done.immediate = 1;
          if (op === 'call') {
            done.call = 1;
            this.r.R7 = BigInt(next);
          }
          to(a as number);
          break;
        case 'ret':
          done.branch = done.return = done.taken = 1;
          next = Number(this.r.R7);
          break;
        case 'readreg':
          this.r[b as string] = this.read(a as number);
          break;
        case 'writereg':
          increments = this.write(a as number, this.r[b as string] as bigint, written);
          break;
        case 'syscall':
          then = new Taken(3, BigInt(a as number));
          done.exception = 1;
          break;
        case 'sysret': {
          if (this.level === 0) throw new Taken(2);
          const status = this.get(0);
          leaves = () => {
            this.level = (status & 4n) === 0n ? 0 : 1;
          };
          this.control[0] = (status >> 1n) & 1n;
          next = Number(this.get(2));
          done.exceptionReturn = 1;
          break;
        }
        case 'exit':
          if (this.level === 0) throw new Taken(2);
          if (this.r.R0 !== 2n) throw new RangeError('not the number of exit');
          this.r.R0 = 0n;
          this.ended = 'poweroff';
          break;
        case 'wait':
          break;
        default:
          throw new RangeError(op);
      }
      this.pc = next;
    } catch (error) {
      if (!(error instanceof Taken)) throw error;
      // Rule 5: a faulting instruction does not retire.
      this.tally(counting, { exception: 1 });
      this.enter(error);
      return;
    }
    const { backend = 0, frontend = 0 } = this.facts.costs[CLASS[op] ?? 'system'] ?? {};
    this.instructions++;
    this.cycles += 1 + backend + frontend;
    this.tally(
      counting,
      { ...done, instruction: 1, cycle: 1 + backend + frontend, backend, frontend },
      written,
      increments,
    );
    leaves?.();
    if (then !== undefined) this.enter(then);
    if (op === 'wait' && this.pending === 0n) this.wait();
  }

  wait(): void {
    if (this.compare > this.now) this.skipped += this.compare - this.now;
    else this.ended = 'waits-for-ever';
  }

  memory(op: 'load' | 'store', register: string, at: bigint): void {
    if (at === 0x200n) {
      if (op === 'load') this.r[register] = this.compare;
      else this.compare = this.r[register] as bigint;
      return;
    }
    if (at < BigInt(BASE) || at + 8n > BigInt(BASE + BYTES)) throw new Taken(5, 0n, at);
    if (op === 'load') this.r[register] = this.view.getBigUint64(Number(at), true);
    else this.view.setBigUint64(Number(at), this.r[register] as bigint, true);
  }

  /** May this level, and does this domain? Else the exception. */
  allowed(n: number, level: number | undefined, op: 'readreg' | 'writereg'): void {
    if (level === undefined || this.level < level || level === 2) throw new Taken(1, OPCODE[op] as bigint);
    if (n < 0x10) return;
    if (this.level === 0 && (this.get(0x15) & 1n) === 0n) throw new Taken(2, BigInt(n));
    if (!this.facts.pmu) throw new Taken(1);
  }

  get all(): bigint {
    return (1n << BigInt(this.facts.counters)) - 1n;
  }

  read(n: number): bigint {
    this.allowed(n, LEVELS[n]?.[0], 'readreg');
    if (n === 0x07) return this.now;
    if (n === 0x12) return this.get(0x11);
    if (n === 0x31) return BigInt(this.facts.counters) | (this.facts.wide ? 16n : 0n);
    if (n >= 0x1c && n < 0x20) return n - 0x1c < this.facts.counters ? (this.count[n - 0x1c] as bigint) : 0n;
    return this.get(n);
  }

  /** Returns which counters a software increment names. */
  write(n: number, value: bigint, written: Set<number>): bigint {
    this.allowed(n, LEVELS[n]?.[1], 'writereg');
    const mine = value & this.all;
    if (n === 0x00) this.control[n] = value & 7n;
    else if (n === 0x01 || n === 0x02) this.control[n] = value & ~3n;
    else if (n === 0x10) {
      this.control[n] = value & 1n;
      for (let i = 0; i < this.facts.counters && (value & 2n) !== 0n; i++) {
        this.count[i] = 0n;
        written.add(i);
      }
    } else if (n === 0x11) this.control[0x11] = this.get(0x11) | mine;
    else if (n === 0x12) this.control[0x11] = this.get(0x11) & ~mine;
    else if (n === 0x13) this.control[n] = this.get(n) & ~mine;
    else if (n === 0x14) this.control[n] = mine;
    else if (n === 0x15) this.control[n] = value & 1n;
    else if (n === 0x16) return mine;
    else if (n === 0x20) this.control[n] = value;
    else if (n >= 0x1c) {
      if (n - 0x1c < this.facts.counters) this.count[n - 0x1c] = value & (this.facts.wide ? U64 : 0xffff_ffffn);
      written.add(n - 0x1c);
    } else {
      if ((value & 0x1fff_ff00n) !== 0n) throw new Taken(1, OPCODE.writereg as bigint);
      this.control[n] = value & 0xffff_ffffn;
    }
    return 0n;
  }
}
