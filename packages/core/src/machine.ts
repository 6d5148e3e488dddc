/** One machine: physical CPUs of one model, the domains on them, and the clock that both roads and the run share. */
import {
  type Arch,
  type Exception,
  isNone,
  type Mode,
  type Personality,
  type PersonalityOptions,
  type Platform,
  type PolicyName,
  type Sampling,
  type Writes,
} from '@countervisor/contract';
import { withFixedBits } from './access/legalize.ts';
import { checkDomain, checkMachine, chosenOptions } from './checks.ts';
import { Domain, type DomainConfig } from './domain.ts';
import { ATTENTION } from './engine/engine.ts';
import type { Handle } from './handle.ts';
import { type CompiledArch, type CompiledCounter, type CompiledRegister, compile } from './load/compile.ts';
import { cpuModel } from './load/cpu.ts';
import { load } from './load/load.ts';
import { Pcpu } from './pcpu.ts';
import { SIGNAL_INDEX, SIGNAL_NAMES, SignalClasses } from './pmu/classes.ts';
import { observeBoundary, observeException } from './pmu/sample.ts';
import { fail, hex, told } from './report/errors.ts';
import { Events } from './report/events.ts';
import { near } from './report/near.ts';
import { pass, run } from './run/run.ts';
import type { VcpuRuntime } from './vcpu.ts';

/** Instructions and cycles that the hypervisor spends, at its own level (counting rule 8). */
export interface Work {
  readonly instructions: number;
  readonly cycles: number;
}

export interface MachineConfig {
  readonly arch: Arch;
  /** The same architecture, compiled already for the CPU model asked for: for whoever makes many machines of one kind. */
  readonly compiled?: CompiledArch;
  /** `MODEL[,+feature,-feature]`. */
  readonly cpu?: string;
  readonly cpuSettings?: Readonly<Record<string, string | number | boolean>>;
  readonly pcpus?: number;
  readonly personality?: string;
  readonly mode?: Mode;
  /** Options of the personality, by name. */
  readonly options?: PersonalityOptions;
  readonly platform?: string;
  /** `virtual`: each domain's clock advances with its own cycles; `machine`: with the physical CPU's (counting rule 11). */
  readonly time?: 'virtual' | 'machine';
  /** Instructions a vCPU runs before the next one has its turn on the physical CPU. */
  readonly slice?: number;
  /** Instructions each vCPU of a domain advances before the next one does. */
  readonly quantum?: number;
  readonly costs?: Readonly<Record<string, { readonly backend?: number; readonly frontend?: number }>>;
  readonly hypervisor?: { readonly trap?: Partial<Work>; readonly switch?: Partial<Work> };
  /** What executes guests. `auto`, the default: the translator, where WebAssembly can be compiled. All count the same. */
  readonly engine?: EngineName;
  /** What a guest gets that touches an unmodelled device register. */
  readonly unmodelled?: 'fault' | 'ignore';
  /** Named capabilities granted to the architecture. */
  readonly grants?: readonly string[];
}

/** The back ends, and the choice between them. */
export type EngineName = 'stepper' | 'translator' | 'auto';

/** The smallest module there is: a host that refuses it compiles nothing at run time. */
const EMPTY = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);

function chosenEngine(name: EngineName): 'stepper' | 'translator' {
  if (name !== 'auto') return name;
  try {
    new WebAssembly.Module(EMPTY);
    return 'translator';
  } catch {
    return 'stepper';
  }
}

function compiled(config: MachineConfig): CompiledArch {
  const arch = load(config.arch, config.grants === undefined ? {} : { grants: config.grants });
  return compile(arch, cpuModel(arch, config.cpu ?? arch.defaultCpu, config.cpuSettings));
}

const work = (w: Partial<Work> | undefined): Work => ({
  instructions: w?.instructions ?? 0,
  cycles: w?.cycles ?? w?.instructions ?? 0,
});

/** Exceptions or retries in a row without one retired instruction, after which the domain is given up. */
const BARREN = 1000;

export class Machine {
  readonly arch: CompiledArch;
  readonly personality: Personality;
  readonly mode: Mode;
  /** Every option of the personality: as asked for, or its default. */
  readonly options: PersonalityOptions;
  readonly time: 'virtual' | 'machine';
  readonly slice: number;
  readonly quantum: number;
  readonly unmodelled: 'fault' | 'ignore';
  readonly engine: 'stepper' | 'translator';
  readonly classes: SignalClasses;
  readonly work: { readonly trap: Work; readonly switch: Work };
  readonly pcpus: readonly Pcpu[];
  readonly domains: Domain[] = [];
  readonly events: Events;
  readonly #platform: string;
  readonly sampling: Sampling | undefined;
  /** The vCPU whose instructions execute right now. */
  running: VcpuRuntime | undefined;
  readonly #signals = new Float64Array(SIGNAL_NAMES.length);
  #folding = false;
  /** Why the exception that is at hand would be taken. */
  #because: { readonly exception: Exception; readonly rule: string } | undefined;

  constructor(config: MachineConfig) {
    this.arch = config.compiled ?? compiled(config);
    const registers = [...this.arch.byName.keys()];
    const { causes, levels } = this.arch;
    this.events = new Events({ register: registers, counter: registers, cause: [...causes.keys()], level: levels });
    checkMachine(config);
    const name = config.personality ?? (Object.keys(config.arch.personalities)[0] as string);
    const personality = config.arch.personalities[name];
    if (personality === undefined) {
      const known = Object.keys(config.arch.personalities);
      throw fail('CV_UNKNOWN_PERSONALITY', { arch: config.arch.name, name, near: near(name, known), known });
    }
    this.personality = personality;
    this.mode = config.mode ?? 'compat';
    this.options = chosenOptions(personality, config.options);
    this.time = config.time ?? 'virtual';
    this.slice = config.slice ?? 10_000;
    this.quantum = config.quantum ?? 1000;
    this.unmodelled = config.unmodelled ?? 'fault';
    this.engine = chosenEngine(config.engine ?? 'auto');
    const { sampling } = this.arch.arch;
    this.sampling = isNone(sampling) ? undefined : sampling;
    this.#platform = config.platform ?? config.arch.defaultPlatform;
    const costs = Object.fromEntries(
      Object.entries(config.arch.isa.costs).map(([cost, row]) => [cost, { ...row, ...config.costs?.[cost] }]),
    );
    this.classes = new SignalClasses(costs);
    this.work = { trap: work(config.hypervisor?.trap), switch: work(config.hypervisor?.switch) };
    this.pcpus = Array.from({ length: config.pcpus ?? 1 }, (_, i) => new Pcpu(i, this.arch));
    for (const pcpu of this.pcpus) this.#powerOn(pcpu);
  }

  platform(name: string | undefined): Platform {
    const asked = name ?? this.#platform;
    const platform = this.arch.arch.platforms[asked];
    if (platform === undefined) {
      const known = Object.keys(this.arch.arch.platforms);
      throw fail('CV_UNKNOWN_PLATFORM', { arch: this.arch.arch.name, name: asked, near: near(asked, known), known });
    }
    return platform;
  }

  #powerOn(pcpu: Pcpu): void {
    for (const register of this.arch.registers) {
      if (register.bankSlot < 0 || register.row.derive !== undefined || register.row.view !== undefined) continue;
      const value = this.resetValue(register, undefined);
      pcpu.rest[register.bankSlot * 2] = Number(BigInt.asIntN(32, value));
      pcpu.rest[register.bankSlot * 2 + 1] = Number(BigInt.asIntN(32, value >> 32n));
    }
  }

  /** Power-on value; rows may ask the CPU model. */
  resetValue(register: CompiledRegister, handle: Handle | undefined): bigint {
    const { reset } = register.row;
    if (typeof reset === 'bigint') return reset;
    if (reset === 'unknown') return withFixedBits(register, UNKNOWN);
    const { cpu } = this.arch;
    const bare = { cpu, index: 0, siblings: 1, level: 0, policy: 'off', settings: {}, now: 0n };
    return reset((handle ?? bare) as Handle) & register.mask;
  }

  addDomain(config: DomainConfig): Domain {
    this.events.refuse('Machine.addDomain');
    checkDomain(this, config);
    const domain = new Domain(this, config);
    this.domains.push(domain);
    return domain;
  }

  domain(name: string): Domain {
    const domain = this.domains.find((d) => d.name === name);
    if (domain === undefined) throw new RangeError(`no domain ${name}`);
    return domain;
  }

  /** Runs until every domain has ended, or a domain has retired `until` instructions. Throws what a listener threw, at the end of its turn. */
  run(options: { readonly until?: number } = {}): void {
    this.events.refuse('Machine.run');
    run(this, options.until ?? Number.POSITIVE_INFINITY);
  }

  /** One turn of every physical CPU, so that a caller can look up in between. False: nobody has anything left to do. */
  pass(options: { readonly until?: number } = {}): boolean {
    this.events.refuse('Machine.pass');
    return pass(this, options.until ?? Number.POSITIVE_INFINITY);
  }

  /** Makes a vCPU ready for its first instruction. */
  power(v: VcpuRuntime, writes: Writes): void {
    this.events.refuse('Machine.power');
    for (const [name, value] of writes) v.handle.set(name, value);
    v.level = this.arch.arch.level(v.handle);
    v.on = true;
    v.waiting = false;
    v.roundStart = v.cycles;
    v.turn = 0;
    this.attend(v, ATTENTION.translation | ATTENTION.level | ATTENTION.interrupts | ATTENTION.pmu | ATTENTION.decode);
  }

  endTurn(v: VcpuRuntime): void {
    v.turn = 0;
    this.attend(v, ATTENTION.leave);
  }

  /** Something changed that core looks at before the next instruction of this vCPU. */
  attend(v: VcpuRuntime, what: number): void {
    v.attention |= what;
    if (this.running === v) v.domain.engine.attention |= what;
    if ((what & ATTENTION.interrupts) !== 0) v.deadline = null;
  }

  /** Brings the running vCPU's counts up to date with the instructions before the present one (counting rule 4). */
  sync(v: VcpuRuntime): void {
    if (this.running === v) this.fold(v, false);
  }

  icount(v: VcpuRuntime): number {
    this.sync(v);
    return v.instructions;
  }

  /**
   * Folds what has retired since the last time into totals and counters. At an instruction's boundary also what this instruction's own writes
   * decided: a written counter does not count it. True when a counter overflowed.
   */
  fold(v: VcpuRuntime, boundary: boolean): boolean {
    if (this.#folding) return false;
    const x = v.domain.engine;
    const { counts, extra, m } = x;
    const { amounts, count, emitted } = this.classes;
    const signals = this.#signals;
    const width = SIGNAL_NAMES.length;
    for (let signal = 0; signal < width; signal++) {
      signals[signal] = extra[signal] as number;
      extra[signal] = 0;
    }
    for (let kind = 0; kind < count; kind++) {
      const n = counts[kind] as number;
      if (n === 0) continue;
      counts[kind] = 0;
      const mine = emitted[kind] as readonly number[];
      for (let i = 0; i < mine.length; i++) {
        const signal = mine[i] as number;
        signals[signal] = (signals[signal] as number) + n * (amounts[kind * width + signal] as number);
      }
    }
    v.domain.observer?.add(v.level, signals);
    const retired = signals[SIGNAL_INDEX.instruction] as number;
    const cycles = signals[SIGNAL_INDEX.cycle] as number;
    if (retired > 0) v.barren = 0;
    v.instructions += retired;
    v.cycles += cycles;
    const pcpu = v.pcpu as Pcpu;
    pcpu.instructions += retired;
    pcpu.cycles += cycles;
    this.#folding = true;
    try {
      const physical = pcpu.bank.fold(m, signals, boundary, (c) => this.#overflowed(v, pcpu.view as Handle, c, 6));
      const own = v.bank?.fold(m, signals, boundary, (c) => this.#overflowed(v, v.handle, c, 6)) ?? false;
      if (boundary && this.sampling !== undefined) observeBoundary(this, this.sampling, v, signals);
      return physical || own;
    } finally {
      this.#folding = false;
    }
  }

  /** @param rule 6: by what the guest retired; 8: by the hypervisor's own work */
  #overflowed(v: VcpuRuntime, view: Handle, counter: CompiledCounter, rule: 6 | 8): void {
    this.events.apart(() => this.arch.arch.pmu.overflow(view, counter.index));
    this.attend(v, ATTENTION.interrupts);
    if (!this.events.wanted('overflow')) return;
    const line = this.arch.arch.pmu.line(view);
    const bit = counter.row.overflowWidth(view) - 1;
    const by = rule === 8 ? ", by the hypervisor's own work" : '';
    this.events.tell('overflow', {
      domain: v.domain.name,
      vcpu: v.index,
      pc: v.domain.pc(v),
      bank: view.physical ? 'pcpu' : 'vcpu',
      counter: counter.value.name,
      icount: v.instructions,
      line,
      rule: `counting rule ${rule}: ${counter.value.name} carried out of bit ${bit}${by}; the interrupt line is ${line ? 'up' : 'down'}`,
    });
  }

  /** The hypervisor worked for this vCPU: its instructions and cycles, at its own level, on the physical CPU's counters. */
  charge(v: VcpuRuntime, what: 'trap' | 'switch'): void {
    const { instructions, cycles } = this.work[what];
    const { pcpu } = v;
    if (pcpu === undefined || (instructions === 0 && cycles === 0)) return;
    this.sync(v);
    pcpu.instructions += instructions;
    pcpu.cycles += cycles;
    const signals = new Float64Array(SIGNAL_NAMES.length);
    signals[SIGNAL_INDEX.instruction] = instructions;
    signals[SIGNAL_INDEX.cycle] = cycles;
    v.domain.observer?.add(this.arch.hypervisorLevel, signals);
    const view = pcpu.view as Handle;
    this.#folding = true;
    try {
      pcpu.bank.charge(view, this.arch.hypervisorLevel, v.domain.memory.words, signals, (c) =>
        this.#overflowed(v, view, c, 8),
      );
    } finally {
      this.#folding = false;
    }
    this.attend(v, ATTENTION.pmu);
  }

  /** Notes why this exception would be taken, for whoever listens; whether it is, `take` finds out. */
  because(exception: Exception, rule: string): void {
    if (this.events.wanted('exception')) this.#because = { exception, rule };
  }

  /** The guest takes an exception: counted at the level it leaves. `raised`: by an instruction that has retired. */
  take(v: VcpuRuntime, exception: Exception, raised = false): void {
    const { domain } = v;
    if (this.events.wanted('exception')) {
      const level = this.arch.levels[v.level] as string;
      const why = this.#because?.exception === exception ? this.#because.rule : 'the instruction raises it';
      this.events.tell('exception', {
        domain: domain.name,
        vcpu: v.index,
        pc: domain.pc(v),
        level,
        exception: exception.kind,
        ...(exception.address !== undefined && { address: exception.address }),
        icount: this.icount(v),
        rule: `${why}; counting rule 5: counted at the level left, ${level}`,
      });
      this.#because = undefined;
    }
    const from = raised ? domain.engine.retiredPc : domain.pc(v);
    if (!raised && this.sampling !== undefined) {
      domain.engine.noteSize = 0;
      domain.engine.retire(exception.kind, Number(BigInt.asIntN(32, from)), Number(BigInt.asIntN(32, from >> 32n)));
    }
    domain.engine.emit(SIGNAL_INDEX.exception, 1);
    // A boundary of its own, before what entering changes: a sample shows where the guest was.
    this.fold(v, true);
    this.arch.arch.isa.take(v.handle, exception);
    if (this.sampling !== undefined) observeException(this, this.sampling, v, from, exception.kind);
    this.attend(v, ATTENTION.level | ATTENTION.interrupts | ATTENTION.pmu);
    if (++v.barren < BARREN || domain.ended !== undefined) return;
    domain.giveUp(
      'exception-loop',
      ...told('CV_EXCEPTION_LOOP', {
        domain: domain.name,
        vcpu: v.index,
        times: BARREN,
        exception: exception.kind,
        pc: hex(domain.pc(v)),
      }),
    );
  }

  /** A handler asks for the instruction to be run again. */
  retry(v: VcpuRuntime, cause: string): void {
    const { domain } = v;
    if (++v.barren < BARREN) return;
    domain.giveUp(
      'retry-loop',
      ...told('CV_RETRIED_FOR_EVER', { domain: domain.name, cause, times: BARREN, pc: hex(domain.pc(v)) }),
    );
  }

  /** A policy's name, checked against what the architecture offers, and the hypervisor that the machine plays. */
  offered(policy: PolicyName): PolicyName {
    const { name, offers } = this.arch.arch;
    for (const [who, policies] of [
      [name, offers.policies],
      [this.personality.name, this.personality.policies],
    ] as const) {
      if (!policies.includes(policy)) throw fail('CV_POLICY_NOT_OFFERED', { who, policy, offered: [...policies] });
    }
    const why = this.personality.unable?.(policy, this.arch.cpu, this.options);
    if (why !== undefined)
      throw fail('CV_UNABLE', { who: this.personality.name, policy, cpu: this.arch.cpu.name, why });
    return policy;
  }
}

/** What a register of unknown reset holds: loud on sight (the pattern that KVM on arm64 uses for the same purpose). */
const UNKNOWN = 0x1de7_ec7e_dbad_c0den;
