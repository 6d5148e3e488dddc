/**
 * One complete tiny architecture: the plugin is put together here, and nothing is decided here.
 *
 * Read the files in this order: `features`, `registers/*`, `events`, `counters`, `overflow`, `traps`, `policy`, `switching`, `isa/*`, `platform/*`,
 * `asm`, `programs`. A real architecture has the same files under the same names.
 */
import { type Arch, CONTRACT, defineArch } from '@countervisor/contract';
import { describe } from './address.ts';
import { counters, exists } from './counters.ts';
import { events } from './events.ts';
import { cpus, LEVELS, type Level, settings } from './features.ts';
import { hypercalls } from './hypercall.ts';
import { isa } from './isa/index.ts';
import { line, overflow } from './overflow.ts';
import { plain } from './personalities/plain.ts';
import { tiny } from './platform/tiny.ts';
import { enforce } from './policy.ts';
import { type ControlName, control } from './registers/control.ts';
import { type GeneralName, general } from './registers/general.ts';
import { type IdentityName, identity } from './registers/identity.ts';
import { type PmuName, pmu } from './registers/pmu.ts';
import { type SamplingName, samplingRegisters } from './registers/sampling.ts';
import { sampling } from './sampling.ts';
import { switching } from './switching.ts';
import { type CauseName, causes, type GroupName, trapGroups } from './traps.ts';

export type RegisterName = GeneralName | 'PC' | 'LEVEL' | ControlName | PmuName | SamplingName | IdentityName;

export const template: Arch<RegisterName, Level, GroupName, CauseName> = defineArch({
  name: 'template',
  contract: CONTRACT,
  needs: ['pmu.counting', 'pmu.overflow', 'guest.interrupts', 'guest.devices'],
  offers: { policies: ['off', 'passthrough', 'switched', 'emulated', 'mediated'] },
  levels: LEVELS,
  level: (view) => Number(view.get('LEVEL')),
  describe,
  cpus,
  defaultCpu: 'tiny',
  settings,
  registers: { ...general, ...control, ...pmu, ...samplingRegisters, ...identity },
  trapGroups,
  causes,
  pmu: { events, counters, exists, overflow, line, source: 'pmu' },
  sampling,
  enforce,
  switching,
  isa,
  hypercalls,
  platforms: { tiny },
  defaultPlatform: 'tiny',
  personalities: { plain },
});

export * as asm from './asm.ts';
export { conformance } from './conformance.ts';
export { kvm } from './personalities/kvm.ts';
export { xen } from './personalities/xen.ts';
export { programs } from './programs.ts';
