/** The run: whose turn it is, for how long, and what is looked at between two activations of the engine. */
import { CountervisorError, type Exception } from '@countervisor/contract';
import type { Domain } from '../domain.ts';
import { ATTENTION } from '../engine/engine.ts';
import { step } from '../engine/stepper.ts';
import type { Handle } from '../handle.ts';
import type { Machine } from '../machine.ts';
import type { Pcpu } from '../pcpu.ts';
import { watchBranches } from '../pmu/sample.ts';
import { leave, switchTo } from '../switch/switch.ts';
import type { VcpuRuntime } from '../vcpu.ts';
import { nextDeadline, nextOf } from './rounds.ts';

/** No activation is longer (engine constraint 3). */
const ACTIVATION = 1_000_000;

/** Looks at everything that changed, until nothing does: an interrupt taken changes the level, a level changes what counts. */
export function settle(machine: Machine, v: VcpuRuntime): void {
  const { domain } = v;
  const x = domain.engine;
  const pcpu = v.pcpu as Pcpu;
  for (;;) {
    machine.fold(v, true);
    if (v.assist !== undefined) {
      const { assist } = v;
      v.assist = undefined;
      machine.because(assist, 'counting rule 6: what is sampled at this boundary asks for it');
      machine.take(v, assist);
    }
    const what = x.attention | v.attention;
    x.attention = 0;
    v.attention = 0;
    if ((what & ATTENTION.translation) !== 0) x.flush();
    if ((what & (ATTENTION.translation | ATTENTION.level)) !== 0) {
      v.level = machine.arch.arch.level(v.handle);
      x.relevel();
    }
    if ((what & ATTENTION.decode) !== 0) {
      x.page = undefined;
      x.pageLo = -1;
    }
    if ((what & (ATTENTION.pmu | ATTENTION.level)) !== 0) {
      pcpu.bank.arm(pcpu.view as Handle, v.level);
      v.bank?.arm(v.handle, v.level);
      if (machine.sampling !== undefined) watchBranches(machine.sampling, v);
    }
    if (domain.ended !== undefined || !v.on) break;
    const due = v.deadline != null && domain.now(v) >= v.deadline;
    if (due) v.deadline = null;
    if (!due && (what & (ATTENTION.interrupts | ATTENTION.pmu | ATTENTION.level)) === 0) break;
    domain.platform.latch?.(v.handle);
    const exception = domain.platform.interrupt(v.handle);
    if (exception === undefined) {
      if (x.attention === 0 && v.attention === 0) break;
      continue;
    }
    if (machine.events.wanted('irq') || machine.events.wanted('exception')) {
      const rule = interruptRule(v, exception);
      machine.because(exception, rule);
      machine.events.tell('irq', {
        domain: domain.name,
        vcpu: v.index,
        pc: domain.pc(v),
        exception: exception.kind,
        icount: v.instructions,
        rule,
      });
    }
    machine.take(v, exception);
  }
  pcpu.bank.measure(x.m, machine.classes);
  v.bank?.measure(x.m, machine.classes);
}

/** What is asserted when an interrupt is accepted. What a controller keeps by itself, a software-generated one, has no line. */
function interruptRule(v: VcpuRuntime, exception: Exception): string {
  const { domain } = v;
  const sources = new Set([...Object.keys(domain.platform.sources), domain.arch.arch.pmu.source]);
  const asserted = [...sources].filter((source) => domain.line(v, source));
  const what = asserted.length === 0 ? 'pending in the interrupt controller' : `asserted: ${asserted.join(', ')}`;
  return `${what}; the vCPU accepts ${exception.kind} at ${domain.arch.levels[v.level]}`;
}

/** Instructions that surely reach no deadline of the vCPU's. */
function untilDeadline(machine: Machine, v: VcpuRuntime): number {
  if (v.deadline === null) {
    const deadline = v.domain.platform.deadline(v.handle);
    v.deadline = deadline === undefined ? undefined : Number(deadline);
  }
  if (v.deadline === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.ceil((v.deadline - v.domain.now(v)) / machine.classes.mostCycles));
}

/** Runs a vCPU that is on its physical CPU for at most `units`; returns the units used. */
function execute(machine: Machine, v: VcpuRuntime, units: number): number {
  const { domain } = v;
  const x = domain.engine;
  const pcpu = v.pcpu as Pcpu;
  machine.running = v;
  x.enter(v, pcpu.index);
  x.noting = machine.sampling !== undefined;
  x.retired = undefined;
  x.attention |= v.attention;
  let used = 0;
  try {
    for (;;) {
      settle(machine, v);
      if (used >= units || !v.on || v.waiting || domain.ended !== undefined || domain.paused || v.turn === 0) break;
      const budget = Math.min(
        units - used,
        v.turn,
        pcpu.bank.budget,
        v.bank?.budget ?? Number.POSITIVE_INFINITY,
        untilDeadline(machine, v),
        ACTIVATION,
      );
      x.critical = pcpu.bank.critical | (v.bank?.critical ?? 0) | v.branches;
      const { translator } = domain;
      if (translator !== undefined) {
        x.needed = domain.observer === undefined ? pcpu.bank.signals | (v.bank?.signals ?? 0) : -1;
        // Who writes branches down wants to be told of each.
        x.rare = v.branches !== 0 ? 0 : Math.min(pcpu.bank.rare, v.bank?.rare ?? Number.POSITIVE_INFINITY);
      }
      const done = translator === undefined ? step(x, budget) : translator.run(budget);
      used += done;
      if (v.turn !== 0) v.turn = Math.max(0, v.turn - done);
    }
  } catch (error) {
    // What the architecture refuses by name in the middle of a run ends this domain, not its neighbours.
    if (!(error instanceof CountervisorError)) throw error;
    domain.giveUp('unmodelled', error.code, `${domain.name}: ${error.message}`, error.remedy);
  } finally {
    machine.running = undefined;
  }
  return used;
}

const runnable = (machine: Machine, until: number): Domain[] =>
  machine.domains.filter((d) => d.ended === undefined && !d.paused && d.instructions() < until);

/** The next vCPU for this physical CPU, in round-robin order over those that belong to it. */
function pick(machine: Machine, pcpu: Pcpu, until: number): VcpuRuntime | undefined {
  const mine = runnable(machine, until);
  for (let i = 0; i < mine.length; i++) {
    const domain = mine[(pcpu.next + i) % mine.length] as Domain;
    const v = nextOf(machine, domain);
    if (v === undefined || v.home !== pcpu.index) continue;
    pcpu.next = (mine.indexOf(domain) + 1) % mine.length;
    return v;
  }
  return undefined;
}

/** Time goes on for physical CPUs that have nothing to do (counting rule 11, `time: machine`). False: nothing will ever happen there. */
function idle(machine: Machine, worked: ReadonlySet<Pcpu>, until: number): boolean {
  const latest = Math.max(...machine.pcpus.map((p) => p.clock));
  let some = false;
  for (const pcpu of machine.pcpus) {
    if (worked.has(pcpu)) continue;
    const next = nextDeadline(runnable(machine, until), pcpu);
    // With others at work, no further than they are; with nobody, straight to what comes next.
    const to = worked.size > 0 ? Math.min(latest, next) : next;
    if (to > pcpu.clock && to !== Number.POSITIVE_INFINITY) {
      pcpu.idle += to - pcpu.clock;
      some = true;
    }
  }
  return some;
}

/** One turn of every physical CPU. False: nobody has anything left to do. */
export function pass(machine: Machine, until: number): boolean {
  const worked = new Set<Pcpu>();
  for (const pcpu of machine.pcpus) {
    const v = pick(machine, pcpu, until);
    if (v === undefined) continue;
    worked.add(pcpu);
    switchTo(machine, pcpu, v);
    execute(machine, v, Math.min(machine.slice, until - v.domain.instructions()));
    if (v.domain.ended !== undefined)
      for (const other of v.domain.vcpus) if (other.pcpu !== undefined) leave(machine, other.pcpu);
  }
  const passed = machine.time === 'machine' && idle(machine, worked, until);
  machine.events.settle();
  return worked.size > 0 || passed;
}

export function run(machine: Machine, until: number): void {
  while (pass(machine, until));
}
