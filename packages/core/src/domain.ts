/** A domain: its memory, devices, console and vCPUs, and what its personality puts before them. */
import type {
  DeviceState,
  DomainControl,
  HypercallService,
  PhysicalMemory,
  Platform,
  PolicyName,
  TrapHandler,
} from '@countervisor/contract';
import { access } from './access/access.ts';
import { ATTENTION, Engine } from './engine/engine.ts';
import { Translator } from './engine/translator.ts';
import { Handle } from './handle.ts';
import type { CompiledArch } from './load/compile.ts';
import type { Machine } from './machine.ts';
import { layout } from './memory/layout.ts';
import { DomainMemory } from './memory/memory.ts';
import type { Pcpu } from './pcpu.ts';
import { Observer } from './pmu/observe.ts';
import { POLICY_TABLE, type Policy } from './policy/table.ts';
import { hex, told } from './report/errors.ts';
import { controlOf } from './run/control.ts';
import { doors } from './run/doors.ts';
import { VcpuRuntime } from './vcpu.ts';

/** How a domain is asked for. */
export interface DomainConfig {
  readonly name: string;
  readonly vcpus: number;
  /** Bytes of RAM. */
  readonly memory: number;
  /** Does its configuration ask for a vPMU? */
  readonly vpmu: boolean;
  /** Overrides what the personality chooses. */
  readonly policy?: PolicyName;
  /** Physical CPUs for each vCPU; absent: any. */
  readonly pins?: readonly (readonly number[])[];
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly platform?: string;
}

/** How a domain ended. */
export interface Ending {
  readonly reason: string;
  readonly status: number;
}

/** A domain's output is bounded; what is beyond is counted, and said. */
export const CONSOLE_LIMIT: number = 16 * 1024 * 1024;

const copied = (state: DeviceState): DeviceState =>
  Object.fromEntries(
    Object.entries(state).map(([key, value]) => [key, Array.isArray(value) ? [...value] : value]),
  ) as DeviceState;

/** Reports of one domain that are not the same. */
const MOST_DIAGNOSED = 200;

export class Domain {
  readonly machine: Machine;
  readonly arch: CompiledArch;
  readonly name: string;
  readonly platform: Platform;
  readonly policyName: PolicyName;
  readonly policy: Policy;
  readonly vpmu: boolean;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  readonly memory: DomainMemory;
  readonly physical: PhysicalMemory;
  readonly engine: Engine<VcpuRuntime>;
  /** Absent where the stepper does everything. */
  readonly translator: Translator | undefined;
  readonly vcpus: readonly VcpuRuntime[];
  readonly handlers: Readonly<Record<string, TrapHandler>>;
  readonly services: Readonly<Record<string, HypercallService>>;
  /** Does the PMU's interrupt reach this guest? */
  readonly pmuInterrupt: boolean;
  ended: Ending | undefined;
  paused = false;
  /** Counts what the domain really does; absent while nobody asks. */
  observer: Observer | undefined;
  /** Cycles on the domain's clock at the start of the present round. */
  round = 0;
  /** Whose turn it is in the present round. */
  turn = 0;
  readonly #devices = new Map<string, DeviceState[]>();
  #console = new Uint8Array(256);
  #printed = 0;
  #dropped = 0;
  readonly #controls: DomainControl[] = [];
  readonly #diagnosed = new Set<string>();

  constructor(machine: Machine, config: DomainConfig) {
    const { arch, personality, mode, options } = machine;
    this.machine = machine;
    this.arch = arch;
    this.name = config.name;
    this.platform = machine.platform(config.platform);
    this.vpmu = config.vpmu;
    this.policyName = machine.offered(config.policy ?? personality.policy(mode, config.vpmu, options));
    this.policy = POLICY_TABLE[this.policyName];
    this.settings = { ...personality.settings(mode, config.vpmu, options), ...config.settings };
    this.handlers = personality.handlers(mode, options);
    this.services = personality.services ?? {};
    this.pmuInterrupt = personality.interrupt(mode, config.vpmu, options);
    this.memory = new DomainMemory(layout(arch, config.vcpus, machine.pcpus.length, config.memory), [
      { base: this.platform.ram.base, bytes: config.memory },
    ]);
    this.physical = {
      read: (physical, size) => this.memory.read(physical, size),
      write: (physical, size, value) => this.writeMemory(physical, size, value),
    };
    this.engine = new Engine(arch, this.memory, machine.classes, doors(this, access));
    this.translator = machine.engine === 'stepper' ? undefined : new Translator(this.engine as unknown as Engine);
    const physicalHome = this.policy.home === 'pcpu';
    this.vcpus = Array.from(
      { length: config.vcpus },
      (_, i) =>
        new VcpuRuntime(
          this,
          i,
          this.policyName,
          config.pins?.[i] ?? machine.pcpus.map((p) => p.index),
          (v) => new Handle(v, physicalHome),
        ),
    );
    for (const v of this.vcpus) this.#reset(v);
    for (const device of this.platform.devices) {
      const count = device.per === 'domain' ? 1 : config.vcpus;
      this.#devices.set(
        device.name,
        Array.from({ length: count }, (_, i) => device.state((this.vcpus[i] as VcpuRuntime).handle)),
      );
    }
  }

  /** Power-on values of the registers that are the vCPU's own. */
  #reset(v: VcpuRuntime): void {
    const handle = new Handle(v, false);
    for (const register of this.arch.registers) {
      if (register.home === 'pcpu' || register.row.derive !== undefined || register.row.view !== undefined) continue;
      handle.store(register, this.machine.resetValue(register, v.handle));
    }
  }

  /** Counts from now on every signal of this domain, whatever its PMU does. */
  observe(): Observer {
    this.observer ??= new Observer(this.arch.levels.length);
    return this.observer;
  }

  /** Pauses the domain before it executes the instruction at this virtual address, once. */
  stopAt(pc: bigint): void {
    this.machine.events.refuse('Domain.stopAt');
    const { engine } = this;
    engine.stop = {
      pc,
      reached: () => {
        engine.stop = undefined;
        this.paused = true;
      },
    };
    engine.dropCode();
  }

  now(v: VcpuRuntime): number {
    this.machine.sync(v);
    if (this.machine.time === 'machine') return (v.pcpu ?? (this.machine.pcpus[v.home] as Pcpu)).clock;
    return this.round + (v.cycles - v.roundStart);
  }

  pc(v: VcpuRuntime): bigint {
    const at = v.s + this.arch.pc.id * 2;
    const m = this.memory.words;
    return (BigInt((m[at + 1] as number) >>> 0) << 32n) | BigInt((m[at] as number) >>> 0);
  }

  device(name: string, vcpu: number): DeviceState {
    const states = this.#devices.get(name);
    const state = states?.[states.length === 1 ? 0 : vcpu];
    if (state === undefined) throw new Error(`the platform ${this.platform.name} has no device ${name}`);
    // An observer gets what a device holds, not where it holds it.
    return this.machine.events.telling === undefined ? state : copied(state);
  }

  devices(): ReadonlyMap<string, DeviceState[]> {
    if (this.machine.events.telling === undefined) return this.#devices;
    return new Map([...this.#devices].map(([name, states]) => [name, states.map(copied)]));
  }

  setDevices(states: Readonly<Record<string, DeviceState[]>>): void {
    this.machine.events.refuse('Domain.setDevices');
    for (const [name, state] of Object.entries(states)) this.#devices.set(name, state);
  }

  line(v: VcpuRuntime, source: string): boolean {
    if (source === this.arch.arch.pmu.source) {
      return this.pmuInterrupt && this.arch.arch.pmu.line(v.handle);
    }
    return this.platform.sources[source]?.(v.handle) ?? false;
  }

  control(v: VcpuRuntime): DomainControl {
    let control = this.#controls[v.index];
    if (control === undefined) {
      control = controlOf(this, v);
      this.#controls[v.index] = control;
    }
    return control;
  }

  /** Stores to guest memory from outside the guest: decoded code notices. */
  writeMemory(physical: bigint, size: 1 | 2 | 4 | 8, value: bigint): boolean {
    this.machine.events.refuse('Domain.writeMemory');
    if (!this.memory.write(physical, size, value)) return false;
    const at = this.memory.host(physical);
    this.engine.touch(at);
    this.engine.touch(at + size - 1);
    return true;
  }

  print(byte: number): void {
    this.machine.events.refuse('Domain.print');
    if (this.#printed >= CONSOLE_LIMIT) {
      this.#dropped++;
      return;
    }
    if (this.#printed === this.#console.length) {
      const more = new Uint8Array(this.#console.length * 2);
      more.set(this.#console);
      this.#console = more;
    }
    this.#console[this.#printed++] = byte;
    if (this.machine.events.wanted('console')) this.machine.events.tell('console', { domain: this.name, byte });
  }

  /** What the guest printed, bytes. */
  consoleBytes(): Uint8Array {
    return this.#console.slice(0, this.#printed);
  }

  /** The same as text; bytes that are no UTF-8 become U+FFFD. */
  get console(): string {
    return new TextDecoder().decode(this.consoleBytes());
  }

  get dropped(): number {
    return this.#dropped;
  }

  setConsole(bytes: Uint8Array, dropped: number): void {
    this.machine.events.refuse('Domain.setConsole');
    this.#console = new Uint8Array(Math.max(256, bytes.length));
    this.#console.set(bytes);
    this.#printed = bytes.length;
    this.#dropped = dropped;
  }

  end(reason: string, status: number): void {
    this.machine.events.refuse('Domain.end');
    if (this.ended !== undefined) return;
    this.ended = { reason, status };
    for (const v of this.vcpus) {
      this.machine.sync(v);
      this.machine.attend(v, ATTENTION.leave);
    }
    this.machine.events.tell('exit', { domain: this.name, reason, status, icount: this.instructions() });
  }

  /** Retired instructions of all vCPUs. */
  instructions(): number {
    let sum = 0;
    for (const v of this.vcpus) sum += v.instructions;
    return sum;
  }

  /** Something the guest touched is not modelled; the same code and sentence is said once. */
  diagnose(code: string, message: string, remedy: string): void {
    // Nor is it remembered: a guest can think of new addresses for ever.
    if (this.#diagnosed.size > MOST_DIAGNOSED) return;
    const key = `${code} ${message}`;
    if (this.#diagnosed.has(key)) return;
    this.#diagnosed.add(key);
    if (this.#diagnosed.size <= MOST_DIAGNOSED) this.#say(code, message, remedy);
    else this.#say(...told('CV_MORE', { domain: this.name, most: MOST_DIAGNOSED }));
  }

  /** The domain is over, and why is said whatever was said before. */
  giveUp(reason: string, code: string, message: string, remedy: string): void {
    if (this.ended === undefined) this.#say(code, message, remedy);
    this.end(reason, 0);
  }

  #say(code: string, message: string, remedy: string): void {
    this.machine.events.tell('diagnostic', { domain: this.name, code, message, remedy });
  }

  unknownRegister(v: VcpuRuntime, space: string, index: number, write: boolean): void {
    const at = this.arch.arch.describe?.(space, index) ?? { text: `${space}(0x${index.toString(16)})`, row: '' };
    this.diagnose(
      ...told('CV_UNKNOWN_REGISTER', {
        arch: this.arch.arch.name,
        verb: write ? 'wrote' : 'read',
        address: at.text,
        pc: hex(this.pc(v)),
        level: this.arch.levels[v.level] as string,
        row: at.row,
      }),
    );
  }
}
