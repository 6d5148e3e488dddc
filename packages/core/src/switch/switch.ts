/**
 * The context switch, one road on every architecture. Out: controls, freeze, counters; in: the mirror image, counters first, the controls that
 * start them last. Whatever the policy, the physical bank itself first moves unchanged from one block to the next: that is the hardware staying
 * where it is.
 */
import type { SwitchPlan, Writes } from '@countervisor/contract';
import { ATTENTION } from '../engine/engine.ts';
import { Handle } from '../handle.ts';
import type { CompiledRegister } from '../load/compile.ts';
import type { Machine } from '../machine.ts';
import type { Pcpu } from '../pcpu.ts';
import { hex } from '../report/errors.ts';
import type { VcpuRuntime } from '../vcpu.ts';

/** The architecture's order, as the personality has changed it, with its registers looked up: those that this CPU has. */
interface Order {
  readonly controls: readonly CompiledRegister[];
  readonly freeze: Writes;
  readonly counters: readonly CompiledRegister[];
  /** The mirror image of both lists. */
  readonly back: readonly CompiledRegister[];
  /** What stays on the physical CPU whatever the policy. */
  readonly hypervisor: readonly CompiledRegister[];
  readonly plan: SwitchPlan;
}

const orders = new WeakMap<Machine, Order>();

function orderOf(machine: Machine): Order {
  const known = orders.get(machine);
  if (known !== undefined) return known;
  const plan: SwitchPlan = { ...machine.arch.arch.switching, ...machine.personality.switching?.(machine.mode) };
  const controls = existing(machine, plan.controls);
  const counters = existing(machine, plan.counters);
  const hypervisor = machine.arch.registers.filter((r) => r.home === 'pcpu' && r.exists);
  const order: Order = {
    controls,
    freeze: plan.freeze,
    counters,
    back: [...controls, ...counters].reverse(),
    hypervisor,
    plan,
  };
  orders.set(machine, order);
  return order;
}

/** Words of the live bank in a vCPU's block. */
function live(v: VcpuRuntime, words: number): Int32Array {
  const at = v.s + (v.domain.memory.layout.live >> 2);
  return v.domain.memory.words.subarray(at, at + words);
}

function existing(machine: Machine, names: readonly string[]): CompiledRegister[] {
  return names.map((name) => machine.arch.byName.get(name)).filter((r): r is CompiledRegister => r?.exists === true);
}

/** The vCPU's own slots, whatever its policy: where a carried register waits. */
const own = (v: VcpuRuntime): Handle => new Handle(v, false, true);

/** What happened, for whoever listens. */
type Steps = string[] | undefined;

function out(v: VcpuRuntime, registers: readonly CompiledRegister[], steps: Steps): void {
  const physical = new Handle(v, true);
  const slots = own(v);
  for (const register of registers) {
    const value = physical.raw(register);
    slots.store(register, value);
    steps?.push(`save ${register.name} ${hex(value)}`);
  }
}

function back(v: VcpuRuntime, registers: readonly CompiledRegister[], steps: Steps): void {
  const physical = new Handle(v, true);
  const slots = own(v);
  for (const register of registers) {
    const value = slots.raw(register);
    physical.store(register, value);
    steps?.push(`restore ${register.name} ${hex(value)}`);
  }
}

function write(machine: Machine, v: VcpuRuntime, writes: Writes, why: string, steps: Steps): void {
  const physical = new Handle(v, true);
  for (const [name, value] of writes) {
    const register = machine.arch.byName.get(name);
    if (register?.exists !== true) continue;
    physical.store(register, value & register.mask);
    steps?.push(`${why} ${name} ${hex(value)}`);
  }
}

/** The vCPU leaves its physical CPU, which keeps its bank. */
export function leave(machine: Machine, pcpu: Pcpu, steps?: Steps): void {
  const v = pcpu.current;
  if (v === undefined) return;
  const order = orderOf(machine);
  const { onSwitch, home } = v.domain.policy;
  if (onSwitch === 'carry') {
    out(v, order.controls, steps);
    write(machine, v, order.freeze, 'freeze', steps);
    out(v, order.counters, steps);
    v.remainders = [...pcpu.bank.remainders];
  } else if (home === 'pcpu') {
    // Nothing is saved; what the guest last saw is kept for the report alone and never restored.
    out(v, order.back, undefined);
  }
  // While it is away, questions about it (does it wake?) see the hypervisor controls it last ran under.
  out(v, order.hypervisor, undefined);
  order.plan.contextSwitchFrom?.(v.handle);
  pcpu.rest.set(live(v, pcpu.rest.length));
  v.pcpu = undefined;
  pcpu.current = undefined;
  pcpu.view = undefined;
}

function enter(machine: Machine, pcpu: Pcpu, v: VcpuRuntime, steps: Steps): void {
  const order = orderOf(machine);
  live(v, pcpu.rest.length).set(pcpu.rest);
  v.pcpu = pcpu;
  pcpu.current = v;
  pcpu.view = new Handle(v, true);
  machine.charge(v, 'switch');
  const { demand, onSwitch } = v.domain.policy;
  const { personality, mode } = machine;
  if (personality.enforce === undefined)
    write(machine, v, machine.arch.arch.enforce(demand, v.handle), 'enforce', steps);
  if (onSwitch === 'carry') {
    back(v, order.back, steps);
    // A newcomer's clock dividers begin at nothing, whoever was there before.
    const { remainders } = pcpu.bank;
    for (let i = 0; i < remainders.length; i++) remainders[i] = v.remainders?.[i] ?? 0;
  }
  order.plan.contextSwitchTo?.(v.handle);
  if (personality.enforce !== undefined)
    write(machine, v, personality.enforce(mode, demand, v.handle), 'enforce', steps);
  v.switches++;
  pcpu.switches++;
  machine.attend(v, ATTENTION.pmu | ATTENTION.level | ATTENTION.interrupts | ATTENTION.translation);
}

/** The only caller of the hooks. Nothing happens when the vCPU is there already. */
export function switchTo(machine: Machine, pcpu: Pcpu, next: VcpuRuntime): void {
  const from = pcpu.current;
  if (from === next) return;
  const steps: Steps = machine.events.wanted('switch') ? [] : undefined;
  if (next.pcpu !== undefined) leave(machine, next.pcpu);
  leave(machine, pcpu, steps);
  enter(machine, pcpu, next, steps);
  if (steps === undefined) return;
  machine.events.tell('switch', {
    pcpu: pcpu.index,
    from: from?.name ?? 'idle',
    to: next.name,
    icount: pcpu.instructions,
    steps,
  });
}
