/** Tells the architecture of what it samples: counters at an instruction's boundary, branches and exceptions. */
import type { Branch, Retired, Sampling } from '@countervisor/contract';
import { ATTENTION } from '../engine/engine.ts';
import type { Handle } from '../handle.ts';
import type { Machine } from '../machine.ts';
import type { VcpuRuntime } from '../vcpu.ts';
import type { Bank } from './bank.ts';
import { SIGNAL_INDEX } from './classes.ts';

const { taken: TAKEN, call: CALL, return: RETURN, 'exception-return': ERET } = SIGNAL_INDEX;
/** A branch that is taken, or a return from an exception, ends an activation while branches are written down. */
const BRANCHES = (1 << TAKEN) | (1 << ERET);

const word = (lo: number, hi: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);

/** The counters of the physical CPU that the vCPU runs on, and those of its own. */
const banks = (v: VcpuRuntime): readonly (readonly [bank: Bank, view: Handle])[] => [
  ...(v.pcpu?.view === undefined ? [] : [[v.pcpu.bank, v.pcpu.view] as const]),
  ...(v.bank === undefined ? [] : [[v.bank, v.handle] as const]),
];

function retired(v: VcpuRuntime): Retired | undefined {
  const x = v.domain.engine;
  const name = x.retired;
  if (name === undefined) return undefined;
  return {
    pc: x.retiredPc,
    next: v.domain.pc(v),
    level: v.level,
    name,
    ...(x.noteSize > 0 && {
      access: { address: word(x.noteLo, x.noteHi), size: x.noteSize, write: x.noteWrite },
    }),
  };
}

/** Which signals have to end an activation now, for whoever writes branches down. Call when the PMU's registers or the level changed. */
export function watchBranches(sampling: Sampling, v: VcpuRuntime): void {
  v.branches = banks(v).some(([, view]) => sampling.branches?.(view, v.level) === true) ? BRANCHES : 0;
}

function tell(machine: Machine, sampling: Sampling, v: VcpuRuntime, branch: Branch): void {
  for (const [, view] of banks(v)) {
    if (sampling.branches?.(view, branch.levels[0]) !== true) continue;
    v.assist ??= sampling.branched?.(view, branch);
  }
  machine.attend(v, ATTENTION.pmu | ATTENTION.interrupts);
}

/** After the increments of one instruction. */
export function observeBoundary(machine: Machine, sampling: Sampling, v: VcpuRuntime, signals: Float64Array): void {
  const last = retired(v);
  for (const [bank, view] of banks(v)) {
    if (bank.counted.length === 0) continue;
    const counted = [...bank.counted];
    bank.counted.length = 0;
    if (last === undefined) continue;
    v.assist ??= sampling.boundary?.(view, counted, last);
    machine.attend(v, ATTENTION.pmu | ATTENTION.interrupts);
  }
  if (v.branches === 0 || last === undefined) return;
  const back = (signals[ERET] as number) > 0;
  if (!back && (signals[TAKEN] as number) === 0) return;
  const kind = back
    ? 'exception-return'
    : (signals[RETURN] as number) > 0
      ? 'return'
      : (signals[CALL] as number) > 0
        ? 'call'
        : 'branch';
  const to = machine.arch.arch.level(v.handle);
  tell(machine, sampling, v, { from: last.pc, to: last.next, levels: [last.level, to], kind, name: last.name });
}

/** An exception was entered. `from`: where the guest was, or the instruction that raised it and retired. */
export function observeException(
  machine: Machine,
  sampling: Sampling,
  v: VcpuRuntime,
  from: bigint,
  name: string,
): void {
  if (v.branches === 0) return;
  const to = machine.arch.arch.level(v.handle);
  tell(machine, sampling, v, { from, to: v.domain.pc(v), levels: [v.level, to], kind: 'exception', name });
}
