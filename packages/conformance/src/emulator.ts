/** The emulator as a target: everything can be looked at, so it lacks nothing. */
import type { Arch, CodeReader, Signal } from '@countervisor/contract';
import { SIGNALS } from '@countervisor/contract';
import {
  boot,
  type CompiledArch,
  compile,
  cpuModel,
  type Domain,
  load,
  Machine,
  type MachineState,
  restore,
  state,
} from '@countervisor/core';
import type { Moment, Progress, Session, Setup, Target } from './target.ts';

/** Bytes of RAM behind the place of flat images. */
const ROOM = 128n * 1024n;
const NAMES = Object.keys(SIGNALS) as Signal[];

type Action =
  | { readonly do: 'run'; readonly until: number }
  | { readonly do: 'set'; readonly register: string; readonly value: bigint; readonly guest: number }
  | { readonly do: 'place'; readonly code: Uint8Array; readonly guest: number }
  | { readonly do: 'restore'; readonly saved: MachineState };

class EmulatorSession implements Session {
  readonly #make: () => EmulatorSession;
  readonly #machine: Machine;
  readonly #domains: readonly Domain[];
  readonly #moments: Moment[] = [];
  readonly #actions: Action[] = [];

  constructor(arch: Arch, compiled: CompiledArch, setup: Setup) {
    this.#make = () => new EmulatorSession(arch, compiled, setup);
    const { guests, slice, quantum, pcpus, costs, hypervisor, domain: settings } = setup;
    this.#machine = new Machine({
      arch,
      compiled,
      ...(slice !== undefined && { slice }),
      ...(quantum !== undefined && { quantum }),
      ...(pcpus !== undefined && { pcpus }),
      ...(costs !== undefined && { costs }),
      ...(hypervisor !== undefined && { hypervisor }),
    });
    const { images, ram } = this.#machine.platform(undefined);
    const memory = Number(images.flat - ram.base + ROOM);
    this.#domains = guests.map(({ code, policy, vcpus }, n) => {
      const domain = this.#machine.addDomain({
        name: `${n}`,
        vcpus: vcpus ?? 1,
        memory,
        vpmu: policy !== 'off',
        policy,
        ...(settings !== undefined && { settings }),
      });
      boot(this.#machine, domain, { bytes: code, file: 'guest', kind: 'flat' }); // one name for all: some platforms tell it to the guest
      return domain;
    });
  }

  watch(): void {
    const { events } = this.#machine;
    events.on('access', ({ domain, register, write, level, verdict, rule, value, icount }) => {
      const known = value === undefined ? {} : { value };
      this.#moments.push({
        kind: 'access',
        guest: Number(domain),
        register,
        write,
        level,
        verdict,
        rule,
        ...known,
        at: icount,
      });
    });
    events.on('switch', ({ from, to, steps }) => this.#moments.push({ kind: 'switch', from, to, steps }));
    events.on('overflow', ({ domain, counter, icount }) =>
      this.#moments.push({ kind: 'overflow', guest: Number(domain), counter, at: icount }),
    );
    events.on('diagnostic', ({ domain, code, message }) =>
      this.#moments.push({ kind: 'diagnostic', guest: Number(domain), code, message }),
    );
  }

  #domain(guest: number): Domain {
    const domain = this.#domains[guest];
    if (domain === undefined) throw new RangeError(`there is no guest ${guest}`);
    return domain;
  }

  #vcpu(guest: number, vcpu = 0): Domain['vcpus'][number] {
    const v = this.#domain(guest).vcpus[vcpu];
    if (v === undefined) throw new RangeError(`guest ${guest} has no vCPU ${vcpu}`);
    return v;
  }

  run(until: number): void {
    this.#actions.push({ do: 'run', until });
    this.#machine.run({ until });
  }

  get(register: string, guest = 0, vcpu = 0): bigint {
    return this.#vcpu(guest, vcpu).handle.get(register);
  }

  set(register: string, value: bigint, guest = 0): void {
    this.#actions.push({ do: 'set', register, value, guest });
    this.#vcpu(guest).handle.set(register, value);
  }

  registers(guest = 0): Readonly<Record<string, bigint>> {
    const { handle } = this.#vcpu(guest);
    const found: Record<string, bigint> = {};
    for (const { name, exists } of this.#machine.arch.registers) if (exists) found[name] = handle.get(name);
    return found;
  }

  progress(guest = 0): Progress {
    const domain = this.#domain(guest);
    const v = this.#vcpu(guest);
    const exits: Record<string, number> = {};
    for (const { exits: some } of domain.vcpus) {
      for (const [cause, count] of some) exits[cause] = (exits[cause] ?? 0) + count;
    }
    return {
      instructions: domain.instructions(),
      cycles: domain.vcpus.reduce((sum, { cycles }) => sum + cycles, 0),
      level: domain.arch.levels[v.level] as string,
      console: domain.console,
      ended: domain.ended,
      exits,
      line: domain.line(v, domain.arch.arch.pmu.source),
    };
  }

  place(code: Uint8Array, guest = 0): void {
    this.#actions.push({ do: 'place', code, guest });
    const domain = this.#domain(guest);
    const at = domain.platform.images.flat;
    domain.control(this.#vcpu(guest)).write(at, code);
    const { handle } = this.#vcpu(guest);
    const [range] = domain.memory.ranges;
    // As the platform enters a guest: code may begin in another mode than the code before it has reached.
    const entry = domain.platform.entry({
      memory: BigInt(range?.bytes ?? 0),
      vcpus: domain.vcpus.length,
      bootargs: '',
      entry: at,
      imageEnd: at + BigInt(code.length),
      deviceTree: 0n,
      view: handle,
    });
    for (const [name, value] of entry) handle.set(name, value);
    handle.set(domain.arch.pc.name, at);
  }

  memory(guest = 0): Uint8Array {
    const domain = this.#domain(guest);
    const [range] = domain.memory.ranges;
    return (range && domain.memory.slice(range.base, range.bytes)?.slice()) ?? new Uint8Array(0);
  }

  signals(guest = 0): readonly Readonly<Record<Signal, number>>[] {
    const domain = this.#domain(guest);
    const observer = domain.observe();
    return domain.arch.levels.map(
      (_, level) =>
        Object.fromEntries(NAMES.map((name) => [name, observer.count(name, level)])) as Record<Signal, number>,
    );
  }

  moments(): readonly Moment[] {
    return this.#moments.splice(0);
  }

  save(): MachineState {
    return state(this.#machine);
  }

  restore(saved: unknown): void {
    this.#actions.push({ do: 'restore', saved: saved as MachineState });
    restore(this.#machine, saved as MachineState);
  }

  /** Does everything once more in another session, the last instructions one by one. */
  last(count: number, guest = 0): readonly string[] {
    const end = this.progress(guest).instructions;
    const again = this.#make();
    const lines: string[] = [];
    let reached = 0;
    for (const action of this.#actions) {
      if (action.do === 'set') again.set(action.register, action.value, action.guest);
      else if (action.do === 'place') again.place(action.code, action.guest);
      else if (action.do === 'restore') again.restore(action.saved);
      else {
        const until = Math.min(action.until, end);
        const from = Math.max(reached, until - count);
        again.run(from);
        for (let n = from + 1; n <= until; n++) {
          lines.push(again.#instruction(guest));
          again.run(n);
        }
        reached = until;
      }
    }
    return lines.slice(-count);
  }

  /** What stands at the PC: count, address, level and name. */
  #instruction(guest: number): string {
    const domain = this.#domain(guest);
    const v = this.#vcpu(guest);
    const pc = domain.pc(v);
    const { isa } = domain.arch.arch;
    const level = domain.arch.levels[v.level] as string;
    const found = v.handle.translate(pc, 'fetch', v.level);
    let name = 'nothing to fetch';
    if (!('kind' in found)) {
      const bytes = domain.memory.slice(found.physical, isa.longest);
      const view = bytes === undefined ? undefined : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const code: CodeReader = {
        u8: (offset) => bytes?.[offset],
        u32: (offset) =>
          view !== undefined && offset + 4 <= view.byteLength ? view.getUint32(offset, true) : undefined,
      };
      name = isa.decode(code, pc, isa.mode?.(v.handle) ?? 0, v.handle)?.name ?? 'undefined';
    }
    return `${domain.instructions()}  0x${pc.toString(16)}  ${level}  ${name}`;
  }
}

/** The emulator, running this architecture. Tables are compiled once for each CPU model. */
export function emulator(arch: Arch): Target {
  const trusted = load(arch);
  const models = new Map<string, CompiledArch>();
  const compiled = ({ cpu, cpuSettings }: Setup): CompiledArch => {
    const key = `${cpu ?? ''} ${JSON.stringify(cpuSettings ?? {})}`;
    const known = models.get(key) ?? compile(trusted, cpuModel(trusted, cpu ?? trusted.defaultCpu, cpuSettings));
    models.set(key, known);
    return known;
  };
  return { name: 'emulator', lacks: {}, start: (setup) => new EmulatorSession(arch, compiled(setup), setup) };
}
