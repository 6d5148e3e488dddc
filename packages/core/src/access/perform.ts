/** Performs one register access at the register's home: through windows, field behaviours and what the row says beyond the stored bits. */
import type { Refusal } from '@countervisor/contract';
import type { Handle } from '../handle.ts';
import type { CompiledRegister } from '../load/compile.ts';
import { legalize } from './legalize.ts';

/** A value; or why not, in words, and as what: 'undefined' or an exception of the architecture's. */
export type Performed =
  | { readonly value: bigint }
  | { readonly refuse: string; readonly syndrome?: bigint; readonly why: string };

const nowhere = (register: CompiledRegister): Performed => ({
  refuse: 'undefined',
  why: `${register.name} shows no register here`,
});

const isRefusal = (r: bigint | Refusal): r is Refusal => typeof r !== 'bigint';

/** The register that really holds the bits, or how the window answers without one. */
function home(handle: Handle, register: CompiledRegister): CompiledRegister | 'undefined' | 'ignored' {
  let target = register;
  for (let depth = 0; target.row.view !== undefined; depth++) {
    const name = target.row.view(handle);
    if (name === 'undefined' || name === 'ignored') return name;
    target = handle.register(name);
    if (depth > 4) throw new Error(`${register.name} is a window onto itself`);
  }
  return target;
}

export function performRead(handle: Handle, register: CompiledRegister): Performed {
  const { row } = register;
  if (row.action?.read !== undefined) return { value: row.action.read(handle) & register.mask };
  const target = home(handle, register);
  if (target === 'undefined') return nowhere(register);
  if (target === 'ignored') return { value: 0n };
  let value = handle.read(target);
  if (target !== register && row.implemented !== undefined) value &= row.implemented(handle);
  return { value: value & register.mask };
}

export function performWrite(handle: Handle, register: CompiledRegister, written: bigint): Performed {
  const { row } = register;
  const value = written & register.mask;
  if (row.action?.write !== undefined) {
    row.action.write(handle, value);
    return { value };
  }
  const target = home(handle, register);
  if (target === 'undefined') return nowhere(register);
  if (target === 'ignored') return { value };
  const before = handle.read(target);
  const legal = legalize(register, before, value);
  if (typeof legal !== 'bigint') return { refuse: 'undefined', why: legal.refuse };
  let stored = legal;
  const implemented = (row.implemented ?? target.row.implemented)?.(handle);
  if (implemented !== undefined) stored = (legal & implemented) | (handle.raw(target) & ~implemented);
  if (row.accepts !== undefined) {
    const accepted = row.accepts(handle, stored, before);
    if (isRefusal(accepted)) return { ...accepted, why: `${register.name} does not accept 0x${stored.toString(16)}` };
    stored = accepted;
  }
  if (target.row.derive === undefined || target.row.parts !== undefined) handle.put(target, stored);
  row.wrote?.(handle, value, before);
  return { value };
}
