/** The engine's doors, opened onto this domain: the access road, traps, translation, devices and exceptions. */
import type { AccessKind, Exception } from '@countervisor/contract';
import type { Domain } from '../domain.ts';
import type { Doors } from '../engine/engine.ts';
import { fail, hex, told } from '../report/errors.ts';
import { dispatch } from '../trap/dispatch.ts';
import type { VcpuRuntime } from '../vcpu.ts';
import { device, deviceAt } from './device.ts';

export function doors(
  domain: Domain,
  access: (v: VcpuRuntime, space: string, index: number, write: boolean) => number,
): Doors<VcpuRuntime> {
  const { arch } = domain;
  const { isa } = arch.arch;
  /** An exception that the engine may have to take, and why. */
  const because = <Found extends object | undefined>(found: Found, rule: string): Found => {
    if (found !== undefined && 'kind' in found) domain.machine.because(found as Exception, rule);
    return found;
  };
  return {
    access,
    trap(v, name, argument) {
      const cause = arch.causes.get(name);
      if (cause === undefined)
        throw fail('CV_LIFT', {
          instruction: domain.engine.insn?.name ?? '?',
          problem: `traps with the unknown cause ${name}`,
        });
      return dispatch(v, cause, { argument, rule: cause.cause.means }).code;
    },
    call(v, helper, args) {
      return isa.helpers[helper]?.(v.handle, args) ?? 0n;
    },
    take(v, exception, raised) {
      domain.machine.take(v, exception, raised);
    },
    device: (v, physical, size, write, space) => device(domain, v, physical, size, write, space),
    translate: (v, virtual, kind, level) =>
      because(
        isa.translate(v.handle, virtual, kind, level, domain.physical),
        `address translation refuses the ${kind}`,
      ),
    checksAlignment: (v) => isa.checksAlignment?.(v.handle) ?? false,
    regime: (v, level) => isa.regime(v.handle, level),
    decode: (v, code, pc) => isa.decode(code, pc, isa.mode?.(v.handle) ?? 0, v.handle),
    mode: (v) => isa.mode?.(v.handle) ?? 0,
    fault(v, which, address, physical, kind: AccessKind): Exception | undefined {
      switch (which) {
        case 'undefined':
          return because(isa.faults.undefined(v.handle, address), 'no instruction of this CPU has these bits');
        case 'alignment':
          return because(isa.faults.alignment(v.handle, address, kind), `the address of the ${kind} is not aligned`);
        case 'fetch':
          return because(isa.faults.fetchAlignment?.(v.handle), 'the program counter is not aligned');
        default:
          // A device that does not answer has said so itself; code never comes from one.
          if (kind === 'fetch' || deviceAt(domain, physical) === undefined) {
            const facts = { domain: domain.name, kind, physical: hex(physical), pc: hex(domain.pc(v)) };
            domain.diagnose(...told('CV_NOTHING_THERE', { ...facts, platform: domain.platform.name }));
          }
          return because(
            isa.faults.bus(v.handle, address, physical, kind),
            `nothing answers the ${kind} at physical ${hex(physical)}`,
          );
      }
    },
  };
}
