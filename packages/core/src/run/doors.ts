/** The engine's doors, opened onto this domain: the access road, traps, translation, devices and exceptions. */
import type { AccessKind, Exception } from '@countervisor/contract';
import type { Domain } from '../domain.ts';
import { ATTENTION, type Doors } from '../engine/engine.ts';
import { fail } from '../report/errors.ts';
import { dispatch } from '../trap/dispatch.ts';
import type { VcpuRuntime } from '../vcpu.ts';
import { device } from './device.ts';

export function doors(
  domain: Domain,
  access: (v: VcpuRuntime, space: string, index: number, write: boolean) => number,
): Doors<VcpuRuntime> {
  const { arch } = domain;
  const { isa } = arch.arch;
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
    take(v, exception) {
      domain.machine.take(v, exception);
    },
    device: (v, physical, size, write) => device(domain, v, physical, size, write),
    translate: (v, virtual, kind, level) => isa.translate(v.handle, virtual, kind, level, domain.physical),
    regime: (v, level) => isa.regime(v.handle, level),
    decode: (v, code, pc) => isa.decode(code, pc, isa.mode?.(v.handle) ?? 0, v.handle),
    mode: (v) => isa.mode?.(v.handle) ?? 0,
    fault(v, which, address, physical, kind: AccessKind): Exception | undefined {
      switch (which) {
        case 'undefined':
          return isa.faults.undefined(v.handle, address);
        case 'alignment':
          return isa.faults.alignment(v.handle, address, kind);
        case 'fetch':
          return isa.faults.fetchAlignment?.(v.handle);
        default:
          domain.diagnose(
            'CV_NOTHING_THERE',
            `${domain.name}: the guest ${kind === 'write' ? 'wrote' : kind === 'fetch' ? 'fetched from' : 'read'} physical 0x${physical.toString(16)} at pc 0x${domain.pc(v).toString(16)}, where there is neither memory nor a device.`,
            `It got a bus fault. The platform ${domain.platform.name} lists its devices; a row with this range would answer.`,
          );
          return isa.faults.bus(v.handle, address, physical, kind);
      }
    },
  };
}

/** Everything a changed translation or level invalidates is looked at through these bits. */
export const RELEVEL: number = ATTENTION.translation | ATTENTION.level;
