/**
 * x86-64: the plugin is put together here, and nothing is decided here.
 *
 * Rooms, in reading order: `features`, `registers/*` (models among them), `events`, `counters`, `overflow`, `sampling`, `traps`, `policy`, `switching`,
 * `isa/*`, `platform/*`, `hypercall`, `personalities/*`, `asm`.
 */
import { type Arch, CONTRACT, defineArch, type ToolstackHalf } from '@countervisor/contract';
import { describe } from './address.ts';
import { counters, exists } from './counters.ts';
import { events } from './events.ts';
import { FEATURES, settings } from './features.ts';
import { hypercalls } from './hypercall.ts';
import { isa } from './isa/index.ts';
import { line, overflow } from './overflow.ts';
import { X86_TOOLSTACK } from './personalities/domctl.ts';
import { kvm } from './personalities/kvm.ts';
import { xen } from './personalities/xen.ts';
import { defaultPlatform, platforms } from './platform/index.ts';
import { enforce, plain } from './policy.ts';
import { amd } from './registers/amd.ts';
import { control } from './registers/control.ts';
import { float } from './registers/float.ts';
import { general } from './registers/general.ts';
import { hypervisor } from './registers/hypervisor.ts';
import { cpus, defaultCpu } from './registers/models.ts';
import { msrs } from './registers/msr.ts';
import { pmu } from './registers/pmu.ts';
import type { Level } from './registers/row.ts';
import { samplingRegisters } from './registers/sampling.ts';
import { sampling } from './sampling.ts';
import { switching } from './switching.ts';
import { causes, exitWords, trapGroups } from './traps.ts';

export const x86: Arch<string, Level> = defineArch<string, Level, string, string>({
  name: 'x86',
  contract: CONTRACT,
  needs: ['pmu.counting', 'pmu.overflow', 'guest.interrupts', 'guest.devices'],
  offers: { policies: ['off', 'passthrough', 'switched', 'emulated', 'mediated'] },
  levels: ['user', 'supervisor', 'root'],
  level: (view) => (view.get('CPL') === 3n ? 0 : 1),
  describe,
  features: FEATURES,
  cpus,
  defaultCpu,
  settings,
  registers: { ...general, ...float, ...control, ...msrs, ...hypervisor, ...pmu, ...samplingRegisters, ...amd },
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
  personalities: { plain, 'xen-x86': xen, 'kvm-x86': kvm },
  exit: exitWords,
  toolstack: X86_TOOLSTACK as ToolstackHalf,
});

export { msr } from './address.ts';
export * as asm from './asm.ts';
export { conformance } from './conformance.ts';
export { kvm } from './personalities/kvm.ts';
export { xen } from './personalities/xen.ts';
export { plain } from './policy.ts';
export { programs } from './programs.ts';
