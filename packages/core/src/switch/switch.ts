/**
 * The context switch, one road on every architecture. Out: controls, freeze, counters; in: the mirror image, counters first, the controls that
 * start them last. Whatever the policy, the physical bank itself first moves unchanged from one block to the next: that is the hardware staying
 * where it is.
 */
import type { PolicyName, SwitchPlan, Writes } from '@countervisor/contract';
import { ATTENTION } from '../engine/engine.ts';
import { Handle } from '../handle.ts';
import type { CompiledRegister } from '../load/compile.ts';
import type { Machine } from '../machine.ts';
import type { Pcpu } from '../pcpu.ts';
import { hex } from '../report/errors.ts';
import type { VcpuRuntime } from '../vcpu.ts';

/** A register of the plan, and the bits of it that are the guest's. */
interface Carried {
  readonly register: CompiledRegister;
  readonly bits: bigint;
}

/** The architecture's order, as the personality has changed it, with its registers looked up: those that this CPU has, and the policy gives the guest. */
interface Order {
  readonly controls: readonly Carried[];
  readonly freeze: readonly (Carried & { readonly value: bigint })[];
  readonly counters: readonly Carried[];
  /** The mirror image of both lists. */
  readonly back: readonly Carried[];
  /** What stays on the physical CPU whatever the policy. */
  readonly hypervisor: readonly CompiledRegister[];
  readonly plan: SwitchPlan;
}

const orders = new WeakMap<Machine, Map<PolicyName, Order>>();

function orderOf(machine: Machine, policy: PolicyName): Order {
  const byPolicy = orders.get(machine) ?? new Map<PolicyName, Order>();
  orders.set(machine, byPolicy);
  const known = byPolicy.get(policy);
  if (known !== undefined) return known;
  const plan: SwitchPlan = { ...machine.arch.arch.switching, ...machine.personality.switching?.(machine.mode) };
  const carried = (names: readonly string[]): Carried[] =>
    names.flatMap((name) => {
      const register = machine.arch.byName.get(name);
      if (register?.exists !== true) return [];
      const bits = (plan.travels?.(name, policy, machine.arch.cpu) ?? register.mask) & register.mask;
      return bits === 0n ? [] : [{ register, bits }];
    });
  const controls = carried(plan.controls);
  const counters = carried(plan.counters);
  const order: Order = {
    controls,
    freeze: plan.freeze.flatMap(([name, value]) => carried([name]).map((c) => ({ ...c, value: value & c.bits }))),
    counters,
    back: [...controls, ...counters].reverse(),
    hypervisor: machine.arch.registers.filter((r) => r.home === 'pcpu' && r.exists),
    plan,
  };
  byPolicy.set(policy, order);
  return order;
}

/** Words of the live bank in a vCPU's block. */
function live(v: VcpuRuntime, words: number): Int32Array {
  const at = v.s + (v.domain.memory.layout.live >> 2);
  return v.domain.memory.words.subarray(at, at + words);
}

/** The vCPU's own slots, whatever its policy: where a carried register waits. */
const own = (v: VcpuRuntime): Handle => new Handle(v, false, true);

/** What happened, for whoever listens. */
type Steps = string[] | undefined;

function out(v: VcpuRuntime, carried: readonly Carried[], steps: Steps): void {
  const physical = new Handle(v, true);
  const slots = own(v);
  for (const { register, bits } of carried) {
    const value = physical.raw(register) & bits;
    slots.store(register, value);
    steps?.push(`save ${register.name} ${hex(value)}`);
  }
}

/** Changes the guest's bits of a physical register, and no others. */
function change(physical: Handle, { register, bits }: Carried, value: bigint): void {
  physical.store(register, bits === register.mask ? value : (physical.raw(register) & ~bits) | value);
}

function back(v: VcpuRuntime, carried: readonly Carried[], steps: Steps): void {
  const physical = new Handle(v, true);
  const slots = own(v);
  for (const one of carried) {
    const value = slots.raw(one.register) & one.bits;
    change(physical, one, value);
    steps?.push(`restore ${one.register.name} ${hex(value)}`);
  }
}

function freeze(v: VcpuRuntime, order: Order, steps: Steps): void {
  const physical = new Handle(v, true);
  for (const one of order.freeze) {
    change(physical, one, one.value);
    steps?.push(`freeze ${one.register.name} ${hex(one.value)}`);
  }
}

/** Writes of the hypervisor's own. */
function enforce(machine: Machine, v: VcpuRuntime, writes: Writes, steps: Steps): void {
  const physical = new Handle(v, true);
  for (const [name, value] of writes) {
    const register = machine.arch.byName.get(name);
    if (register?.exists !== true) continue;
    physical.store(register, value & register.mask);
    steps?.push(`enforce ${name} ${hex(value)}`);
  }
}

/** The vCPU leaves its physical CPU, which keeps its bank. */
export function leave(machine: Machine, pcpu: Pcpu, steps?: Steps): void {
  const v = pcpu.current;
  if (v === undefined) return;
  const order = orderOf(machine, v.policy);
  const { onSwitch, home } = v.domain.policy;
  if (onSwitch === 'carry') {
    out(v, order.controls, steps);
    freeze(v, order, steps);
    out(v, order.counters, steps);
    v.remainders = [...pcpu.bank.remainders];
  } else if (home === 'pcpu') {
    // Nothing is saved; what the guest last saw is kept for the report alone and never restored.
    out(v, order.back, undefined);
  }
  // While it is away, questions about it (does it wake?) see the hypervisor controls it last ran under.
  const physical = new Handle(v, true);
  const slots = own(v);
  for (const register of order.hypervisor) slots.store(register, physical.raw(register));
  order.plan.contextSwitchFrom?.(v.handle);
  pcpu.rest.set(live(v, pcpu.rest.length));
  v.pcpu = undefined;
  pcpu.current = undefined;
  pcpu.view = undefined;
}

function enter(machine: Machine, pcpu: Pcpu, v: VcpuRuntime, steps: Steps): void {
  const order = orderOf(machine, v.policy);
  live(v, pcpu.rest.length).set(pcpu.rest);
  v.pcpu = pcpu;
  pcpu.current = v;
  pcpu.view = new Handle(v, true);
  machine.charge(v, 'switch');
  const { demand, onSwitch } = v.domain.policy;
  const { personality, mode } = machine;
  if (personality.enforce === undefined) enforce(machine, v, machine.arch.arch.enforce(demand, v.handle), steps);
  if (onSwitch === 'carry') {
    back(v, order.back, steps);
    // A newcomer's clock dividers begin at nothing, whoever was there before.
    const { remainders } = pcpu.bank;
    for (let i = 0; i < remainders.length; i++) remainders[i] = v.remainders?.[i] ?? 0;
  }
  order.plan.contextSwitchTo?.(v.handle);
  if (personality.enforce !== undefined) enforce(machine, v, personality.enforce(mode, demand, v.handle), steps);
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
