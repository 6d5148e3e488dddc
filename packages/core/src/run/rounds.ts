/**
 * A domain's own time (counting rule 11): its vCPUs advance in rounds of a quantum each, whatever slices and physical CPUs there are. Whose turn
 * it is, and how far the clock jumps when nobody has anything to do, depends on the domain alone.
 */
import type { Domain } from '../domain.ts';
import { ATTENTION } from '../engine/engine.ts';
import type { Machine } from '../machine.ts';
import type { Pcpu } from '../pcpu.ts';
import { told } from '../report/errors.ts';
import type { VcpuRuntime } from '../vcpu.ts';

/** Starts the next round: the clock advances by the longest of the present one. */
function nextRound(machine: Machine, domain: Domain, quantum: number): void {
  let longest = 0;
  for (const v of domain.vcpus) {
    machine.sync(v);
    longest = Math.max(longest, v.cycles - v.roundStart);
  }
  domain.round += longest;
  domain.turn = 0;
  for (const v of domain.vcpus) {
    v.roundStart = v.cycles;
    v.turn = quantum;
    // The clock may have jumped over its deadline.
    machine.attend(v, ATTENTION.interrupts);
  }
}

/** Beyond this a clock would not count exactly for long: what waits for it waits for ever. 52 days at 1 GHz. */
const FARTHEST = 2n ** 52n;

function deadlineOf(v: VcpuRuntime): number | undefined {
  const deadline = v.domain.platform.deadline(v.handle);
  return deadline === undefined || deadline > FARTHEST ? undefined : Number(deadline);
}

/** The same when it is still to come, else infinite. */
function deadlineAhead(v: VcpuRuntime): number {
  const deadline = deadlineOf(v);
  return deadline !== undefined && deadline > v.domain.now(v) ? deadline : Number.POSITIVE_INFINITY;
}

/** A waiting vCPU: awake now, or later in this round when its own deadline says so. */
function awake(v: VcpuRuntime, quantum: number): boolean {
  if (!v.waiting) return true;
  const { platform } = v.domain;
  if (platform.wakes(v.handle)) return wake(v);
  // The machine's clock goes on by itself (`idle` in run.ts).
  if (v.domain.machine.time === 'machine') return false;
  const deadline = deadlineOf(v);
  const now = v.domain.now(v);
  const jump = deadline === undefined ? Number.POSITIVE_INFINITY : deadline - now;
  if (jump <= 0 || jump >= quantum) return false;
  v.roundStart -= jump;
  if (!platform.wakes(v.handle)) {
    v.roundStart += jump;
    return false;
  }
  v.turn = Math.max(1, v.turn - jump);
  return wake(v);
}

function wake(v: VcpuRuntime): true {
  v.waiting = false;
  v.domain.machine.attend(v, ATTENTION.interrupts);
  return true;
}

/** The earliest cycle of its clock at which something changes for a waiting vCPU of this physical CPU; infinite when nothing will. */
export function nextDeadline(domains: readonly Domain[], pcpu: Pcpu): number {
  let next = Number.POSITIVE_INFINITY;
  for (const domain of domains) {
    for (const v of domain.vcpus) {
      if (!v.on || !v.waiting || v.home !== pcpu.index) continue;
      next = Math.min(next, deadlineAhead(v));
    }
  }
  return next;
}

/** The vCPU of this domain whose turn it is; ends the domain when it would wait for ever. */
export function nextOf(machine: Machine, domain: Domain): VcpuRuntime | undefined {
  const on = domain.vcpus.filter((v) => v.on);
  if (on.length === 0) {
    domain.end('off', 0);
    return undefined;
  }
  // Alone, a vCPU needs no turns: its round ends when it waits.
  const quantum = on.length === 1 ? Number.MAX_SAFE_INTEGER : machine.quantum;
  for (let pass = 0; pass < 3; pass++) {
    while (domain.turn < domain.vcpus.length) {
      const v = domain.vcpus[domain.turn] as VcpuRuntime;
      if (v.on && v.turn > 0 && awake(v, quantum)) return v;
      domain.turn++;
    }
    const moved = domain.vcpus.some((v) => v.cycles !== v.roundStart);
    nextRound(machine, domain, quantum);
    if (moved || pass === 0) continue;
    const next = Math.min(...on.filter((v) => v.waiting).map(deadlineAhead));
    if (next === Number.POSITIVE_INFINITY) break;
    if (machine.time === 'machine') return undefined;
    domain.round = next;
  }
  if (on.every((v) => v.waiting)) {
    domain.giveUp('waits-for-ever', ...told('CV_WAITS_FOR_EVER', { domain: domain.name }));
  }
  return undefined;
}
