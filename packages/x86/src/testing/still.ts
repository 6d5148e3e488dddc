/** A domain that does not run: its vCPUs' registers and devices, and a clock that a test moves. */
import type { Arch, Device, Vcpu } from '@countervisor/contract';
import { type Domain, Machine } from '@countervisor/core';
import { x86 } from '../index.ts';
import { pc } from '../platform/pc.ts';

export interface Still {
  readonly domain: Domain;
  /** The first vCPU. */
  readonly vcpu: Vcpu;
  /** Any vCPU. */
  of(index: number): Vcpu;
  /** The domain's clock goes on by so many cycles. */
  pass(cycles: number): void;
  /** An access to a device, as a guest makes it. */
  read(name: string, offset: number, size?: number, vcpu?: number): number;
  write(name: string, offset: number, value: number, size?: number, vcpu?: number): void;
}

function device(name: string): Device {
  const found = pc.devices.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no device ${name}`);
  return found;
}

export function still({ cpu = 'skylake', vcpus = 1 }: { readonly cpu?: string; readonly vcpus?: number } = {}): Still {
  const machine = new Machine({ arch: x86 as Arch, cpu });
  const domain = machine.addDomain({ name: 'd', vcpus, memory: 4 * 1024 * 1024, vpmu: true });
  const of = (index: number): Vcpu => {
    const v = domain.vcpus[index];
    if (v === undefined) throw new Error(`no vCPU ${index}`);
    return v.handle;
  };
  return {
    domain,
    vcpu: of(0),
    of,
    pass(cycles) {
      domain.round += cycles;
    },
    read(name, offset, size = 1, vcpu = 0) {
      const one = device(name);
      one.reading?.(of(vcpu), offset, size);
      const value = one.read?.(of(vcpu), offset, size);
      if (value === undefined) throw new Error(`${name} has no register at ${offset}`);
      return Number(value);
    },
    write(name, offset, value, size = 1, vcpu = 0) {
      if (device(name).write?.(of(vcpu), offset, size, value) !== true) {
        throw new Error(`${name} has no register at ${offset}`);
      }
    },
  };
}
