/** The road of one register access: resolve, decide, dispatch if trapped, perform at the register's home. The only door from a guest to a register. */
import type { Access } from '@countervisor/contract';
import { CODE } from '../engine/effects.ts';
import type { CompiledRegister } from '../load/compile.ts';
import { dispatch } from '../trap/dispatch.ts';
import type { VcpuRuntime } from '../vcpu.ts';
import { type Decision, decide } from './decide.ts';
import { performRead, performWrite } from './perform.ts';

/** An access to no register, or one that is refused: the guest takes an exception, and why, or nothing happens. A code of the stepper. */
function undefinedHere(v: VcpuRuntime, space: string, index: number, write: boolean, rule: string): number {
  const { faults } = v.domain.arch.arch.isa;
  const bits = v.domain.engine.insn?.bits ?? 0n;
  const answer = faults.register?.(v.handle, { space, index, write }, bits) ?? faults.undefined(v.handle, bits);
  if ('ignored' in answer) {
    if (!write) put(v, answer.ignored);
    return 0;
  }
  v.domain.machine.because(answer, rule);
  v.domain.engine.fault = answer;
  return CODE.fault;
}

function tell(
  v: VcpuRuntime,
  register: CompiledRegister,
  write: boolean,
  decision: Decision,
  value: bigint | undefined,
  why?: string,
): void {
  const { events } = v.domain.machine;
  if (!events.wanted('access')) return;
  events.tell('access', {
    domain: v.domain.name,
    vcpu: v.index,
    pc: v.domain.pc(v),
    level: v.domain.arch.levels[v.level] as string,
    register: register.name,
    write,
    ...(value !== undefined && { value }),
    verdict: decision.verdict,
    rule: why === undefined ? decision.rule : `${decision.rule}; ${why}`,
    icount: v.domain.machine.icount(v),
  });
}

/** Value in and out through `Engine.lo/hi`; 0 when done, else a code of the stepper. */
export function access(v: VcpuRuntime, space: string, index: number, write: boolean): number {
  const x = v.domain.engine;
  const register = v.domain.arch.byAddress.get(space)?.get(index);
  if (register === undefined) {
    v.domain.unknownRegister(v, space, index, write);
    return undefinedHere(v, space, index, write, 'no table declares the register');
  }
  const written = write ? (BigInt(x.hi >>> 0) << 32n) | BigInt(x.lo >>> 0) : undefined;
  const request = (): Access => ({
    register: register.name,
    address: { space, index },
    ...(written !== undefined && { write: written }),
  });
  const decision = decide(v.handle, register, write, request);
  let why: string | undefined;
  if (decision.verdict === 'undefined' || decision.verdict === 'absent') {
    tell(v, register, write, decision, undefined);
    return undefinedHere(v, space, index, write, decision.rule);
  }
  if (decision.verdict === 'trapped') {
    const settled = dispatch(v, decision.group.cause, {
      access: request(),
      argument: 0n,
      group: decision.group.name,
      rule: decision.rule,
    });
    why = settled.why;
    if (settled.code !== 0) {
      tell(v, register, write, decision, undefined, why);
      return settled.code;
    }
    if (settled.value !== undefined) {
      tell(v, register, write, decision, write ? written : settled.value, why);
      if (!write) put(v, settled.value);
      return 0;
    }
  }
  const performed = write ? performWrite(v.handle, register, written as bigint) : performRead(v.handle, register);
  if ('refuse' in performed) {
    tell(v, register, write, decision, undefined, `${performed.refuse}: ${performed.why}`);
    if (performed.refuse === 'undefined') return undefinedHere(v, space, index, write, performed.why);
    x.fault = { kind: performed.refuse, ...(performed.syndrome !== undefined && { syndrome: performed.syndrome }) };
    v.domain.machine.because(x.fault, performed.why);
    return CODE.fault;
  }
  tell(v, register, write, decision, performed.value, why);
  if (!write) put(v, performed.value);
  return 0;
}

function put(v: VcpuRuntime, value: bigint): void {
  const x = v.domain.engine;
  x.lo = Number(BigInt.asIntN(32, value));
  x.hi = Number(BigInt.asIntN(32, value >> 32n));
}
