/** A guest's access to a device: found by its range, refused by name where nothing is modelled. */
import type { Device } from '@countervisor/contract';
import type { Domain } from '../domain.ts';
import { ATTENTION } from '../engine/engine.ts';
import { hex, told } from '../report/errors.ts';
import type { VcpuRuntime } from '../vcpu.ts';

/** The device that has this byte, or port. */
export function deviceAt(domain: Domain, physical: bigint, space?: 'io'): Device | undefined {
  return domain.platform.devices.find(
    ({ range, space: own }) =>
      range !== undefined && own === space && physical >= range.base && physical < range.base + BigInt(range.size),
  );
}

/** Value through `Engine.lo/hi`. False: nothing answers there, and the user has been told, unless no device is near. */
export function device(
  domain: Domain,
  v: VcpuRuntime,
  physical: bigint,
  size: number,
  write: boolean,
  space?: 'io',
): boolean {
  const found = deviceAt(domain, physical, space);
  if (found?.range === undefined) {
    if (space === 'io') {
      const facts = {
        domain: domain.name,
        verb: write ? 'wrote' : 'read',
        port: hex(physical),
        pc: hex(domain.pc(v)),
      } as const;
      domain.diagnose(...told('CV_NO_PORT', { ...facts, platform: domain.platform.name }));
    }
    return false;
  }
  const offset = Number(physical - found.range.base);
  const x = domain.engine;
  let answered = found.sizes.includes(size as 1 | 2 | 4 | 8) && offset + size <= found.range.size;
  if (answered && write) {
    const value =
      size === 8
        ? (BigInt(x.hi >>> 0) << 32n) | BigInt(x.lo >>> 0)
        : (x.lo & (size === 4 ? -1 : (1 << (8 * size)) - 1)) >>> 0;
    domain.machine.sync(v);
    answered = found.write?.(v.handle, offset, size, value) ?? false;
    domain.machine.attend(v, ATTENTION.interrupts);
  } else if (answered) {
    domain.machine.sync(v);
    if (found.reading !== undefined) {
      found.reading(v.handle, offset, size);
      domain.machine.attend(v, ATTENTION.interrupts);
    }
    const value = found.read?.(v.handle, offset, size);
    answered = value !== undefined;
    const big = BigInt.asUintN(8 * size, BigInt(value ?? 0));
    x.lo = Number(BigInt.asIntN(32, big));
    x.hi = Number(BigInt.asIntN(32, big >> 32n));
  }
  if (!answered) {
    domain.diagnose(
      ...told('CV_UNMODELLED_DEVICE_REGISTER', {
        domain: domain.name,
        verb: write ? 'wrote' : 'read',
        size,
        offset: hex(offset),
        device: found.name,
        pc: hex(domain.pc(v)),
        platform: domain.platform.name,
        ignored: domain.machine.unmodelled === 'ignore',
      }),
    );
    if (domain.machine.unmodelled !== 'ignore') return false;
    if (!write) {
      x.lo = 0;
      x.hi = 0;
    }
  }
  return true;
}
