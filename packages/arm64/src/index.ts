/**
 * Arm A-profile: the plugin is put together here, and nothing is decided here.
 *
 * Rooms, in reading order: `features`, `registers/*` (models among them), `events`, `counters`, `overflow`, `traps`, `policy`, `switching`, `isa/*`,
 * `platform/*`, `hypercall`, `personalities/*`, `asm`.
 */
import { type Arch, CONTRACT, defineArch, type ToolstackHalf } from '@countervisor/contract';
import { describe } from './address.ts';
import { counters, exists } from './counters.ts';
import { events } from './events.ts';
import { FEATURES } from './features.ts';
import { hypercalls } from './hypercall.ts';
import { isa } from './isa/index.ts';
import { line, overflow } from './overflow.ts';
import { ARM_TOOLSTACK } from './personalities/domctl.ts';
import { kvm } from './personalities/kvm.ts';
import { xen } from './personalities/xen.ts';
import { defaultPlatform, platforms } from './platform/index.ts';
import { enforce, plain } from './policy.ts';
import { control } from './registers/control.ts';
import { debug } from './registers/debug.ts';
import { fgt } from './registers/fgt.ts';
import { general } from './registers/general.ts';
import { gic, gicGroups } from './registers/gic.ts';
import { identity } from './registers/identity.ts';
import { cpuSettings, cpus, defaultCpu } from './registers/models.ts';
import { pmu } from './registers/pmu.ts';
import type { Level } from './registers/row.ts';
import { system } from './registers/system.ts';
import { timer, timerGroups } from './registers/timer.ts';
import { sampling } from './sampling.ts';
import { switching } from './switching.ts';
import { causes, trapGroups } from './traps.ts';

export const arm64: Arch<string, Level> = defineArch<string, Level, string, string>({
  name: 'arm64',
  contract: CONTRACT,
  needs: ['pmu.counting', 'pmu.overflow', 'guest.interrupts', 'guest.devices'],
  offers: { policies: ['off', 'passthrough', 'switched', 'emulated', 'mediated'] },
  levels: ['el0', 'el1', 'el2'],
  level: (view) => Number(view.get('EL')),
  describe,
  features: FEATURES,
  cpus,
  defaultCpu,
  settings: cpuSettings,
  registers: { ...general, ...control, ...identity, ...pmu, ...fgt, ...debug, ...gic, ...timer, ...system },
  trapGroups: { ...trapGroups, ...gicGroups, ...timerGroups },
  causes,
  pmu: { events, counters, exists, overflow, line, source: 'pmu' },
  sampling,
  enforce,
  switching,
  isa,
  hypercalls,
  platforms,
  defaultPlatform,
  personalities: { plain, 'xen-arm': xen, 'kvm-arm64': kvm },
  toolstack: ARM_TOOLSTACK as ToolstackHalf,
});

export { sysreg } from './address.ts';
export * as asm from './asm.ts';
export { conformance } from './conformance.ts';
export { kvm } from './personalities/kvm.ts';
export { xen } from './personalities/xen.ts';
export { plain } from './policy.ts';
export { programs } from './programs.ts';
