/** The door of the contract: every name, by name. */
export type { Address } from './address.ts';
export { type Arch, CONTRACT, defineArch } from './arch.ts';
export { extract, insert, mask, ones, span } from './bits.ts';
export type {
  CallFacts,
  Code,
  CodeWriter,
  Conformance,
  Control,
  GuestWrites,
  Manual,
  Model,
  PmuUse,
  PolicyFacts,
  RegisterFacts,
  Step,
  StepPlace,
} from './conformance.ts';
export type { CpuFeature, CpuModel, CpuRow, CpuSetting } from './cpu.ts';
export type * from './devicetree.ts';
export { ELF_MACHINES, elfMachine } from './elf.ts';
export * from './error.ts';
export {
  type CpuAddition,
  defineExtension,
  type Extension,
  type ExtensionConformance,
  type Placed,
  type SwitchAddition,
} from './extend.ts';
export { family } from './family.ts';
export type { HypercallConvention, HypercallService, Hypercalls } from './hypercall.ts';
export type {
  AccessKind,
  CodeReader,
  Cost,
  Decoded,
  Exception,
  Isa,
  PhysicalMemory,
  Translation,
} from './isa.ts';
export type { Lifter, PureLifter, Value } from './lift.ts';
export { isNone, type None, none } from './none.ts';
export {
  type AccessShape,
  EFFECT_OPS,
  type EffectOpName,
  type Op,
  type Operand,
  PURE_OPS,
  type PureOp,
  type PureOpName,
  type Width,
} from './op.ts';
export type { Mode, Personality, PersonalityOption, PersonalityOptions, Quirk } from './personality.ts';
export type { BootBlock, BootFacts, Device, DeviceState, Images, Platform } from './platform.ts';
export { type Counter, type Pmu, type PmuEvent, SIGNALS, type Signal } from './pmu.ts';
export {
  type Demand,
  type Enforce,
  POLICIES,
  type PolicyName,
  type SwitchHooks,
  type SwitchPlan,
  type Writes,
} from './policy.ts';
export type { Program, ProgramName, Programs } from './program.ts';
export type { Field, FieldWrite, PmuRole, Refusal, Register } from './register.ts';
export type { Branch, Counted, Retired, Sampling } from './sampling.ts';
export type * from './toolstack.ts';
export type { Access, Cause, Outcome, Trap, TrapGroup, TrapHandler } from './trap.ts';
export type { Affects, DomainControl, Vcpu, View } from './view.ts';
