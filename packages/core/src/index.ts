/** The door of core: make a machine, add domains, boot, run, read. */
export { type BootImage, boot } from './boot/boot.ts';
export { isElf, readElf } from './boot/elf.ts';
export { loadElf } from './boot/elf-load.ts';
export { loadFlat } from './boot/flat.ts';
export type { LoadedImage } from './boot/image.ts';
export { chosenOptions } from './checks.ts';
export { CONSOLE_LIMIT, Domain, type DomainConfig, type Ending } from './domain.ts';
export { Handle } from './handle.ts';
export {
  type CompiledArch,
  type CompiledCause,
  type CompiledCounter,
  type CompiledGroup,
  type CompiledRegister,
  compile,
} from './load/compile.ts';
export { cpuModel } from './load/cpu.ts';
export { extendArch } from './load/extend.ts';
export { load } from './load/load.ts';
export { CAPABILITIES } from './load/negotiate.ts';
export { calledWith, ownerOf } from './load/owner.ts';
export { PluginRefused } from './load/validate.ts';
export { type EngineName, Machine, type MachineConfig, type Work } from './machine.ts';
export { COUNTER_SIGNALS, Observer } from './pmu/observe.ts';
export { ON_SWITCH, POLICY_TABLE, type Policy } from './policy/table.ts';
export { ERRORS, type ErrorCode, fail } from './report/errors.ts';
export { EVENTS, type EventMap, type EventName, Events, type Filter, type Listener } from './report/events.ts';
export { didYouMean, near } from './report/near.ts';
export { type CounterReport, type DomainReport, summaries, summary } from './report/summary.ts';
export { type DomainState, type MachineState, restore, state, type VcpuState } from './snapshot/state.ts';
export * from './toolstack/index.ts';
