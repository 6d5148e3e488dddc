/**
 * The context switch, one road on every architecture. Out: controls, freeze, counters; in: the mirror image, counters first, the controls that
 * start them last. Whatever the policy, the physical bank itself first moves unchanged from one block to the next: that is the hardware staying
 * where it is.
 */
import type { Extension, PolicyName, SwitchPlan, Writes } from '@countervisor/contract';
import { ATTENTION } from '../engine/engine.ts';
import { Handle } from '../handle.ts';
import type { CompiledRegister } from '../load/compile.ts';
import { ownerOf } from '../load/owner.ts';
import { withExtensions } from '../load/placed.ts';
import type { Machine } from '../machine.ts';
import type { Pcpu } from '../pcpu.ts';
import { ON_SWITCH, POLICY_TABLE } from '../policy/table.ts';
import { fail, hex } from '../report/errors.ts';
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
  readonly extensions: readonly Extension[];
}

const orders = new WeakMap<Machine, Map<PolicyName, Order>>();

function orderOf(machine: Machine, policy: PolicyName): Order {
  const byPolicy = orders.get(machine) ?? new Map<PolicyName, Order>();
  orders.set(machine, byPolicy);
  const known = byPolicy.get(policy);
  if (known !== undefined) return known;
  const { extensions = [], switching } = machine.arch.arch;
  const ours = machine.personality.switching?.(machine.mode) ?? {};
  const plan: SwitchPlan = { ...switching, ...ours };
  const carried = (names: readonly string[]): Carried[] =>
    names.flatMap((name) => {
      const register = machine.arch.byName.get(name);
      if (register?.exists !== true) return [];
      // What an extension brings is the guest's as a whole; the architecture knows nothing of it.
      const foreign = extensions.some(({ registers = {} }) => Object.hasOwn(registers, name));
      const travels = foreign ? undefined : plan.travels?.(name, policy, machine.arch.cpu);
      const bits = (travels ?? register.mask) & register.mask;
      return bits === 0n ? [] : [{ register, bits }];
    });
  // The architecture's own lists hold what extensions carry; a personality's do not know of them.
  const list = (which: 'controls' | 'counters'): Carried[] =>
    carried(ours[which] === undefined ? plan[which] : withExtensions(ours[which], which, extensions));
  const controls = list('controls');
  const counters = list('counters');
  const freeze = ours.freeze ? [...ours.freeze, ...extensions.flatMap((e) => e.switching?.freeze ?? [])] : plan.freeze;
  const order: Order = {
    controls,
    freeze: freeze.flatMap(([name, value]) => carried([name]).map((c) => ({ ...c, value: value & c.bits }))),
    counters,
    back: [...controls, ...counters].reverse(),
    hypervisor: machine.arch.registers.filter((r) => r.home === 'pcpu' && r.exists),
    plan,
    extensions,
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

/** Hooks out are the mirror image of hooks in: the architecture's own, or its personality's, then extensions in their order. */
function hooks(v: VcpuRuntime, order: Order, which: 'contextSwitchFrom' | 'contextSwitchTo', steps: Steps): void {
  const { plan, extensions } = order;
  const all = [
    { of: v.domain.arch.arch.name, does: plan },
    ...extensions.map(({ name, switching }) => ({ of: name, does: switching })),
  ];
  if (which === 'contextSwitchFrom') all.reverse();
  for (const { of, does } of all) {
    if (does?.[which] === undefined) continue;
    does[which](v.handle);
    steps?.push(`${which} ${of}`);
  }
}

/** What extensions want of the hardware, in registers of their own. */
function enforceMore(machine: Machine, v: VcpuRuntime, { extensions }: Order, steps: Steps): void {
  for (const { name, registers = {}, enforce: asks } of extensions) {
    if (asks === undefined) continue;
    const writes = asks(v.domain.policy.demand, v.handle);
    for (const [register] of writes) {
      if (Object.hasOwn(registers, register)) continue;
      const owner = ownerOf(machine.arch.arch, 'registers', register);
      throw fail('CV_EXTENSION_ENFORCE', { extension: name, register, owner });
    }
    enforce(machine, v, writes, steps);
  }
}

/** The vCPU leaves its physical CPU, which keeps its bank. */
function depart(machine: Machine, pcpu: Pcpu, v: VcpuRuntime, steps: Steps): void {
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
  hooks(v, order, 'contextSwitchFrom', steps);
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
  enforceMore(machine, v, order, steps);
  if (onSwitch === 'carry') {
    back(v, order.back, steps);
    // A newcomer's clock dividers begin at nothing, whoever was there before.
    const { remainders } = pcpu.bank;
    for (let i = 0; i < remainders.length; i++) remainders[i] = v.remainders?.[i] ?? 0;
  }
  hooks(v, order, 'contextSwitchTo', steps);
  if (personality.enforce !== undefined) enforce(machine, v, personality.enforce(mode, demand, v.handle), steps);
  v.switches++;
  pcpu.switches++;
  machine.attend(v, ATTENTION.pmu | ATTENTION.level | ATTENTION.interrupts | ATTENTION.translation);
}

const rule = (v: VcpuRuntime): string =>
  `policy ${v.domain.policyName}: ${ON_SWITCH[POLICY_TABLE[v.domain.policyName].onSwitch]}`;

function tell(machine: Machine, pcpu: Pcpu, from: VcpuRuntime | undefined, to: VcpuRuntime | undefined, steps: Steps) {
  if (steps === undefined) return;
  const rules = [from, to].flatMap((v) => (v === undefined ? [] : rule(v)));
  machine.events.tell('switch', {
    pcpu: pcpu.index,
    from: from?.name ?? 'idle',
    to: to?.name ?? 'idle',
    icount: pcpu.instructions,
    steps,
    rule: [...new Set(rules)].join('; then '),
  });
}

const noted = (machine: Machine): Steps => (machine.events.wanted('switch') ? [] : undefined);

/** The vCPU leaves, and nobody comes: its domain has ended, or it goes on elsewhere. */
export function leave(machine: Machine, pcpu: Pcpu): void {
  const from = pcpu.current;
  if (from === undefined) return;
  const steps = noted(machine);
  depart(machine, pcpu, from, steps);
  tell(machine, pcpu, from, undefined, steps);
}

/** The only way onto a physical CPU. Nothing happens when the vCPU is there already. */
export function switchTo(machine: Machine, pcpu: Pcpu, next: VcpuRuntime): void {
  const from = pcpu.current;
  if (from === next) return;
  if (next.pcpu !== undefined) leave(machine, next.pcpu);
  const steps = noted(machine);
  if (from !== undefined) depart(machine, pcpu, from, steps);
  enter(machine, pcpu, next, steps);
  tell(machine, pcpu, from, next, steps);
}
