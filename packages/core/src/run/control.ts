/** What a guest, through its architecture, may ask of its domain: start and stop vCPUs, wait, end. */
import type { DomainControl } from '@countervisor/contract';
import type { Domain } from '../domain.ts';
import { ATTENTION } from '../engine/engine.ts';
import type { VcpuRuntime } from '../vcpu.ts';

export function controlOf(domain: Domain, v: VcpuRuntime): DomainControl {
  const { machine } = domain;
  const sibling = (index: number): VcpuRuntime => {
    const other = domain.vcpus[index];
    if (other === undefined) throw new RangeError(`${domain.name} has no vCPU ${index}`);
    return other;
  };
  const refuse = (what: string): void => machine.events.refuse(`DomainControl.${what}`);
  return {
    exit(reason, status) {
      refuse('exit');
      domain.end(reason, status);
    },
    start(index, entry, argument) {
      refuse('start');
      const other = sibling(index);
      if (other.on) return false;
      machine.power(other, domain.platform.start(other.handle, entry, argument));
      // From here on the domain's vCPUs advance in rounds: the present one ends now.
      machine.endTurn(v);
      return true;
    },
    stop() {
      refuse('stop');
      v.on = false;
      machine.attend(v, ATTENTION.leave);
    },
    isOn: (index) => sibling(index).on,
    vcpu: (index) => sibling(index).handle,
    wait() {
      refuse('wait');
      v.waiting = true;
      machine.attend(v, ATTENTION.leave);
    },
    yield() {
      refuse('yield');
      machine.endTurn(v);
    },
    read: (physical, length) => domain.memory.slice(physical, length)?.slice(),
    write(physical, bytes) {
      refuse('write');
      const target = domain.memory.slice(physical, bytes.length);
      if (target === undefined) return false;
      target.set(bytes);
      for (let at = 0; at < bytes.length; at += 4096) domain.engine.touch(target.byteOffset + at);
      if (bytes.length > 0) domain.engine.touch(target.byteOffset + bytes.length - 1);
      return true;
    },
  };
}
