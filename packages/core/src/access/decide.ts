/** Decides one register access: does the register exist, is the level high enough, is a trap group armed. Pure. */
import type { Access } from '@countervisor/contract';
import type { Handle } from '../handle.ts';
import type { CompiledGroup, CompiledRegister } from '../load/compile.ts';

export type Decision =
  | { readonly verdict: 'direct'; readonly rule: string }
  | { readonly verdict: 'undefined'; readonly rule: string }
  | { readonly verdict: 'absent'; readonly rule: string }
  | { readonly verdict: 'trapped'; readonly group: CompiledGroup; readonly rule: string };

const DIRECT: Decision = { verdict: 'direct', rule: 'no trap is armed' };

/** Is this group's control set for this access? */
function armed(handle: Handle, register: CompiledRegister, g: CompiledGroup, access: () => Access): boolean {
  if (g.register !== undefined) {
    const control = handle.v.domain.arch.registers[g.register] as CompiledRegister;
    if (!control.exists) return false;
    const value = control.row.derive === undefined ? handle.raw(control) : handle.read(control);
    return ((value >> BigInt(g.low)) & ((1n << BigInt(g.high - g.low + 1)) - 1n)) === g.is;
  }
  const { when } = g.group;
  if (typeof when === 'function') return when(handle, access());
  const { role } = register.row;
  return role !== undefined && handle.v.domain.policy.demand[role] === 'trap';
}

export function decide(handle: Handle, register: CompiledRegister, write: boolean, access: () => Access): Decision {
  if (!register.exists) return { verdict: 'absent', rule: `this CPU has no ${register.row.needs ?? 'such register'}` };
  const { level } = handle;
  const least = write ? register.writeLevel : register.readLevel;
  if (level < least) {
    const able = write ? 'writable' : 'readable';
    const rule = least === Number.POSITIVE_INFINITY ? `is never ${able}` : `is not ${able} at this level`;
    return { verdict: 'undefined', rule: `${register.name} ${rule}` };
  }
  for (const group of register.groups) {
    if (((group.levels >> level) & 1) === 0) continue;
    if (group.on !== 'both' && (group.on === 'write') !== write) continue;
    if (armed(handle, register, group, access)) {
      return { verdict: 'trapped', group, rule: `${group.name} (${group.group.source})` };
    }
  }
  return DIRECT;
}
