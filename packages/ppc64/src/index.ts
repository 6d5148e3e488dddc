/**
 * 64-bit Power ISA: the plugin is put together here, and nothing is decided here.
 *
 * Rooms, in reading order: `features` (models among them), `registers/*`, `traps`, `policy`, `switching`, `isa/*`, `platform/*`, `hypercall`, `asm`.
 */
import { type Arch, CONTRACT, defineArch } from '@countervisor/contract';
import { describe } from './address.ts';
import { counters, exists } from './counters.ts';
import { events } from './events.ts';
import { cpuSettings, cpus, defaultCpu, FEATURES } from './features.ts';
import { hypercalls } from './hypercall.ts';
import { isa } from './isa/index.ts';
import { line, overflow } from './overflow.ts';
import { kvm } from './personalities/kvm.ts';
import { xen } from './personalities/xen.ts';
import { defaultPlatform, platforms } from './platform/index.ts';
import { enforce, plain } from './policy.ts';
import { control } from './registers/control.ts';
import { general } from './registers/general.ts';
import { hypervisor } from './registers/hypervisor.ts';
import { identity } from './registers/identity.ts';
import { kept } from './registers/kept.ts';
import { levelOf } from './registers/msr.ts';
import { pmu } from './registers/pmu.ts';
import type { Level } from './registers/row.ts';
import { samplingRegisters } from './registers/sampling.ts';
import { timer } from './registers/timer.ts';
import { sampling } from './sampling.ts';
import { switching } from './switching.ts';
import { causes, trapGroups } from './traps.ts';

export const ppc64: Arch<string, Level> = defineArch<string, Level, string, string>({
  name: 'ppc64',
  contract: CONTRACT,
  needs: ['pmu.counting', 'pmu.overflow', 'guest.interrupts', 'guest.devices'],
  offers: { policies: ['off', 'passthrough', 'switched', 'emulated'] },
  levels: ['problem', 'supervisor', 'hypervisor'],
  level: levelOf,
  describe,
  features: FEATURES,
  cpus,
  defaultCpu,
  settings: cpuSettings,
  registers: { ...general, ...control, ...identity, ...timer, ...hypervisor, ...pmu, ...samplingRegisters, ...kept },
  trapGroups,
  causes,
  pmu: { events, counters, exists, overflow, line, source: 'pmu' },
  sampling,
  enforce,
  switching,
  isa,
  hypercalls,
  platforms,
  defaultPlatform,
  personalities: { plain, 'xen-ppc': xen, 'kvm-ppc': kvm },
});

export * as asm from './asm.ts';
export { conformance, littleEndian } from './conformance.ts';
