/** Cause → handler → what the vCPU does next. Every trap of every architecture comes through here, once. */
import type { Access, Outcome, Trap } from '@countervisor/contract';
import { CODE } from '../engine/effects.ts';
import { hypercall } from '../hypercall/hypercall.ts';
import type { CompiledCause } from '../load/compile.ts';
import type { VcpuRuntime } from '../vcpu.ts';

export interface Stop {
  readonly access?: Access;
  readonly argument: bigint;
  readonly group?: string;
  readonly rule: string;
}

export interface Settled {
  /** 0: go on with the instruction; else a code of the stepper. */
  readonly code: number;
  /** What the access read, when the handler says so. */
  readonly value?: bigint;
  readonly why?: string;
}

/** What an outcome does to the vCPU. */
function settle(v: VcpuRuntime, cause: CompiledCause, outcome: Outcome, rule: string): Settled {
  switch (outcome.then) {
    case 'complete':
      return {
        code: 0,
        ...(outcome.value !== undefined && { value: outcome.value }),
        ...(outcome.why !== undefined && { why: outcome.why }),
      };
    case 'retry':
      v.domain.machine.retry(v, cause.name);
      return { code: CODE.stopped, ...(outcome.why !== undefined && { why: outcome.why }) };
    case 'inject':
      v.domain.engine.fault = outcome.exception;
      v.domain.machine.because(outcome.exception, outcome.why === undefined ? rule : `${rule}; ${outcome.why}`);
      return { code: CODE.fault, ...(outcome.why !== undefined && { why: outcome.why }) };
    case 'exit':
      v.domain.end(outcome.reason, outcome.status);
      return { code: CODE.stopped, why: outcome.reason };
    case 'unmodelled':
      v.domain.giveUp('unmodelled', outcome.code, `${v.domain.name}: ${outcome.message}`, outcome.remedy);
      return { code: CODE.stopped, why: outcome.message };
  }
}

function word(outcome: Outcome): string {
  switch (outcome.then) {
    case 'inject':
      return `inject ${outcome.exception.kind}`;
    case 'exit':
      return `exit ${outcome.reason}`;
    case 'unmodelled':
      return `exit ${outcome.code}`;
    case 'complete':
      return outcome.value === undefined ? 'complete' : `complete with 0x${outcome.value.toString(16)}`;
    default:
      return outcome.then;
  }
}

/** The rule that decided, and how hardware reports the exit. */
function ruleOf(v: VcpuRuntime, trap: Trap, toHypervisor: boolean, rule: string): string {
  const exit = toHypervisor ? v.domain.arch.arch.exit?.(v.handle, trap) : undefined;
  return exit === undefined ? rule : `${rule}; ${exit}`;
}

export function dispatch(v: VcpuRuntime, cause: CompiledCause, stop: Stop): Settled {
  const { machine } = v.domain;
  const insn = v.domain.engine.insn;
  const trap: Trap = {
    cause: cause.name,
    pc: v.domain.pc(v),
    bits: insn?.bits ?? 0n,
    argument: stop.argument,
    ...(stop.access !== undefined && { access: stop.access }),
    ...(stop.group !== undefined && { group: stop.group }),
  };
  const toHypervisor = cause.cause.to === 'hypervisor';
  if (toHypervisor) {
    v.exits.set(cause.name, (v.exits.get(cause.name) ?? 0) + 1);
    machine.charge(v, 'trap');
  }
  const handler = v.domain.handlers[cause.name] ?? cause.cause.handler;
  let outcome: Outcome;
  if (handler === 'hypercall') outcome = hypercall(v);
  else if (handler === 'wait') {
    v.handle.domain.wait();
    outcome = { then: 'complete' };
  } else outcome = handler(v.handle, trap);
  if (machine.events.wanted('trap')) {
    machine.events.tell('trap', {
      domain: v.domain.name,
      vcpu: v.index,
      pc: trap.pc,
      level: v.domain.arch.levels[v.level] as string,
      cause: cause.name,
      to: cause.cause.to,
      ...(stop.access !== undefined && { register: stop.access.register }),
      outcome: word(outcome),
      rule: ruleOf(v, trap, toHypervisor, stop.rule),
      icount: machine.icount(v),
    });
  }
  return settle(v, cause, outcome, stop.rule);
}
