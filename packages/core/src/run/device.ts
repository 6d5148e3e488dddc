/** A guest's access to a device: found by its range, refused by name where nothing is modelled. */
import type { Device } from '@countervisor/contract';
import type { Domain } from '../domain.ts';
import { ATTENTION } from '../engine/engine.ts';
import type { VcpuRuntime } from '../vcpu.ts';

/** The device that has this byte. */
export function deviceAt(domain: Domain, physical: bigint): Device | undefined {
  return domain.platform.devices.find(
    ({ range }) => range !== undefined && physical >= range.base && physical < range.base + BigInt(range.size),
  );
}

/** Value through `Engine.lo/hi`. False: nothing answers there, and the user has been told, unless no device is near. */
export function device(domain: Domain, v: VcpuRuntime, physical: bigint, size: number, write: boolean): boolean {
  const found = deviceAt(domain, physical);
  if (found?.range === undefined) return false;
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
      'CV_UNMODELLED_DEVICE_REGISTER',
      `${domain.name}: the guest ${write ? 'wrote' : 'read'} ${size} bytes at offset 0x${offset.toString(16)} of ${found.name} at pc 0x${domain.pc(v).toString(16)}, which the platform ${domain.platform.name} does not model.`,
      domain.machine.unmodelled === 'ignore'
        ? 'The read gave 0, the write was dropped, as the setting unmodelled=ignore asks.'
        : 'It got a bus fault. Add the register to the device, or run with unmodelled=ignore to read 0 there.',
    );
    if (domain.machine.unmodelled !== 'ignore') return false;
    if (!write) {
      x.lo = 0;
      x.hi = 0;
    }
  }
  return true;
}
