/**
 * What the functions of an architecture see of a vCPU: raw registers, devices and time. One handle looks at the guest's own registers, another one
 * at the bank of the physical CPU that the vCPU runs on.
 */
import type {
  AccessKind,
  Affects,
  CpuModel,
  DomainControl,
  Exception,
  PolicyName,
  Signal,
  Translation,
  Vcpu,
} from '@countervisor/contract';
import { AFFECTS, type CompiledRegister } from './load/compile.ts';
import type { Bank } from './pmu/bank.ts';
import { SIGNAL_INDEX } from './pmu/classes.ts';
import { fail } from './report/errors.ts';
import { near } from './report/near.ts';
import type { VcpuRuntime } from './vcpu.ts';

const PMU = AFFECTS.pmu;

const unknown = (arch: string, name: string, known: readonly string[]): Error =>
  fail('CV_UNKNOWN_REGISTER_NAME', { arch, name, near: near(name, known), known });

export class Handle implements Vcpu {
  readonly v: VcpuRuntime;
  /** Registers with a PMU role: those of the physical CPU, or the vCPU's own. */
  readonly physical: boolean;
  /** Even the hypervisor's control registers are looked for in the vCPU's own slots. */
  readonly #apart: boolean;

  constructor(v: VcpuRuntime, physical: boolean, apart = false) {
    this.v = v;
    this.physical = physical;
    this.#apart = apart;
  }

  get level(): number {
    return this.v.level;
  }
  get cpu(): CpuModel {
    return this.v.domain.arch.cpu;
  }
  get index(): number {
    return this.v.index;
  }
  get siblings(): number {
    return this.v.domain.vcpus.length;
  }
  get policy(): PolicyName {
    return this.v.policy;
  }
  get settings(): Readonly<Record<string, string | number | boolean>> {
    return this.v.domain.settings;
  }
  get now(): bigint {
    return BigInt(this.v.domain.now(this.v));
  }
  get domain(): DomainControl {
    return this.v.domain.control(this.v);
  }

  register(name: string): CompiledRegister {
    const register = this.v.domain.arch.byName.get(name);
    if (register === undefined) {
      throw unknown(this.v.domain.arch.arch.name, name, [...this.v.domain.arch.byName.keys()]);
    }
    return register;
  }

  /** Where the value stands while it does: the vCPU's slot or the live bank. Word index in the domain's memory. */
  wordOf(register: CompiledRegister): number {
    const { v } = this;
    const live =
      v.pcpu !== undefined &&
      !this.#apart &&
      (register.home === 'pcpu' || (register.home === 'policy' && this.physical));
    return live ? v.s + (v.domain.memory.layout.live >> 2) + register.bankSlot * 2 : v.s + register.id * 2;
  }

  /** The stored bits, whatever the row says. */
  raw(register: CompiledRegister): bigint {
    const m = this.v.domain.memory.words;
    const at = this.wordOf(register);
    return (BigInt((m[at + 1] as number) >>> 0) << 32n) | BigInt((m[at] as number) >>> 0);
  }

  store(register: CompiledRegister, value: bigint): void {
    const m = this.v.domain.memory.words;
    const at = this.wordOf(register);
    m[at] = Number(BigInt.asIntN(32, value));
    m[at + 1] = Number(BigInt.asIntN(32, value >> 32n));
  }

  get(name: string): bigint {
    return this.read(this.register(name));
  }

  read(register: CompiledRegister): bigint {
    const { row } = register;
    if (!register.exists) return 0n;
    if (row.derive !== undefined) return row.derive(this) & register.mask;
    if (row.view !== undefined) {
      const target = row.view(this);
      return target === 'undefined' || target === 'ignored' ? 0n : this.read(this.register(target));
    }
    if (row.role === 'counter' || row.role === 'overflow') this.v.domain.machine.sync(this.v);
    const value = this.raw(register);
    return row.implemented === undefined ? value : value & row.implemented(this);
  }

  field(name: string, field: string): bigint {
    const register = this.register(name);
    const bits = register.fields.get(field);
    if (bits === undefined) {
      const known = [...register.fields.keys()].map((one) => `${name}.${one}`);
      throw unknown(this.v.domain.arch.arch.name, `${name}.${field}`, known);
    }
    return (this.read(register) >> BigInt(bits[1])) & ((1n << BigInt(bits[0] - bits[1] + 1)) - 1n);
  }

  set(name: string, value: bigint): void {
    this.put(this.register(name), value);
  }

  /** Raw write: counts are brought up to date first (counting rule 4), and a written counter does not count this instruction (rule 3). */
  put(register: CompiledRegister, value: bigint): void {
    const { machine } = this.v.domain;
    machine.events.refuse('Vcpu.set');
    const { role, parts } = register.row;
    if (parts !== undefined) {
      parts(this, value & register.mask);
      return;
    }
    const pmu = role !== undefined && role !== 'identity';
    if (pmu || (register.affects & (PMU | AFFECTS.level)) !== 0 || register.home === 'pcpu') machine.sync(this.v);
    if (role === 'counter') {
      const counter = this.v.domain.arch.counters.find((c) => c.value === register);
      // Away from its physical CPU, the value waits in the vCPU's own slot: no instruction of its is under way.
      if (counter !== undefined) (this.physical ? this.v.pcpu?.bank : this.v.bank)?.wrote(counter.index);
    }
    this.store(register, value & register.mask);
    const affects = register.affects | (pmu || register.home === 'pcpu' ? PMU : 0);
    if (affects !== 0) machine.attend(this.v, affects);
  }

  /** The bank whose registers this handle reaches. */
  bank(): Bank {
    const bank = this.physical ? this.v.pcpu?.bank : this.v.bank;
    if (bank === undefined) throw new Error(`${this.v.name} has no PMU bank at hand`);
    return bank;
  }

  changed(what: Affects): void {
    this.v.domain.machine.events.refuse('Vcpu.changed');
    this.v.domain.machine.attend(this.v, AFFECTS[what]);
    // Translations are the domain's: a broadcast invalidation reaches every sibling's set.
    if (what === 'translation') this.v.domain.engine.flush();
    if (what !== 'pmu') return;
    this.v.bank?.forget();
    this.v.pcpu?.bank.forget();
  }

  count(name: string, amount: number): void {
    this.v.domain.machine.events.refuse('Vcpu.count');
    const register = this.register(name);
    const counter = this.v.domain.arch.counters.find((c) => c.value === register);
    if (counter === undefined) {
      const { arch, counters } = this.v.domain.arch;
      throw unknown(
        arch.name,
        name,
        counters.map((c) => c.value.name),
      );
    }
    this.v.domain.machine.sync(this.v);
    this.bank().add(counter.index, amount);
    this.v.domain.machine.attend(this.v, PMU);
  }

  emit(signal: string): void {
    this.v.domain.machine.events.refuse('Vcpu.emit');
    this.v.domain.engine.emit(SIGNAL_INDEX[signal as Signal], 1);
  }

  note(what: string, rule: string): void {
    const { v } = this;
    const { events } = v.domain.machine;
    if (!events.wanted('note')) return;
    const { name } = v.domain;
    events.tell('note', {
      domain: name,
      vcpu: v.index,
      pc: v.domain.pc(v),
      what,
      icount: v.domain.machine.icount(v),
      rule,
    });
  }

  warn(code: string, message: string, remedy: string): void {
    this.v.domain.diagnose(code, `${this.v.domain.name}: ${message}`, remedy);
  }

  console(byte: number): void {
    this.v.domain.print(byte & 0xff);
  }

  device<State extends object>(name: string, vcpu: number = this.v.index): State {
    return this.v.domain.device(name, vcpu) as State;
  }

  line(source: string): boolean {
    return this.v.domain.line(this.v, source);
  }

  translate(virtual: bigint, kind: AccessKind, level: number): Translation | Exception {
    return this.v.domain.arch.arch.isa.translate(this, virtual, kind, level, this.v.domain.physical);
  }
}
