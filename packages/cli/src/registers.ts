/** Registers as they stand: raw, without a guest's access, so that looking changes nothing. */
import { span } from '@countervisor/contract';
import { type CompiledRegister, type Domain, Handle, type Machine } from '@countervisor/core';

export interface FieldValue {
  readonly name: string;
  readonly high: number;
  readonly low: number;
  readonly value: bigint;
  /** The value's own name, where the field has names for its values. */
  readonly called: string | undefined;
  readonly means: string;
}

export interface RegisterValue {
  readonly name: string;
  readonly width: number;
  readonly value: bigint;
  readonly fields: readonly FieldValue[];
}

/** Readable somehow, and without an effect when it is read. */
function shown(register: CompiledRegister): boolean {
  return (
    register.exists &&
    register.row.action === undefined &&
    (register.row.at === undefined || register.row.read !== 'never')
  );
}

function fieldsOf(register: CompiledRegister, value: bigint): FieldValue[] {
  return Object.entries(register.row.fields).map(([name, field]) => {
    const [high, low] = span(field.bits);
    const part = (value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);
    const called = Object.entries(field.values ?? {}).find(([, n]) => BigInt(n) === part)?.[0];
    return { name, high, low, value: part, called, means: field.means };
  });
}

const decoded = (register: CompiledRegister, value: bigint): RegisterValue => ({
  name: register.name,
  width: register.width,
  value,
  fields: fieldsOf(register, value),
});

/** The guest's registers of one vCPU: under a policy that leaves the PMU physical, as the vCPU sees or last saw them. */
export function vcpuRegisters(machine: Machine, domain: Domain, vcpu: number): RegisterValue[] {
  const handle = domain.vcpus[vcpu]?.handle;
  if (handle === undefined) return [];
  return machine.arch.registers
    .filter((register) => shown(register) && register.home !== 'pcpu')
    .map((register) => decoded(register, handle.read(register)));
}

/** The hypervisor's own, of one physical CPU. */
export function pcpuRegisters(machine: Machine, index: number): RegisterValue[] {
  const pcpu = machine.pcpus[index];
  if (pcpu === undefined) return [];
  const handle = pcpu.current === undefined ? undefined : new Handle(pcpu.current, true);
  return machine.arch.registers
    .filter((register) => shown(register) && register.home === 'pcpu')
    .map((register) => {
      const at = register.bankSlot * 2;
      const rest = (BigInt((pcpu.rest[at + 1] ?? 0) >>> 0) << 32n) | BigInt((pcpu.rest[at] ?? 0) >>> 0);
      return decoded(register, handle === undefined ? rest : handle.read(register));
    });
}
