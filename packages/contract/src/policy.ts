/** vPMU policies: core owns what they mean, the architecture how its hardware enforces them and in which order registers travel. */
import type { CpuModel } from './cpu.ts';
import type { PmuRole } from './register.ts';
import type { Vcpu, View } from './view.ts';

export const POLICIES = ['off', 'passthrough', 'switched', 'emulated', 'mediated'] as const;
export type PolicyName = (typeof POLICIES)[number];

/** Register writes, in order. Raw, at the register's home. */
export type Writes<Name extends string = string> = readonly (readonly [register: Name, value: bigint])[];

/** What a policy asks for each role. */
export type Demand = Readonly<Record<PmuRole, 'direct' | 'trap' | 'absent'>>;

/** What no register holds, done on a switch. */
export interface SwitchHooks {
  /** The vCPU leaves: its registers are saved, and the bank is still its own. */
  contextSwitchFrom?(vcpu: Vcpu): void;
  /** The vCPU has come: its registers are restored. */
  contextSwitchTo?(vcpu: Vcpu): void;
}

export interface SwitchPlan<Name extends string = string> extends SwitchHooks {
  /**
   * Every register a `carry` moves between the physical CPU and a vCPU, in the order in which they are read on the way out; the way in is the
   * mirror image. Controls that start counters come first, so that they are saved before `freeze` and written last.
   */
  readonly controls: readonly Name[];
  /** Stops every counter, between the controls and the counters. */
  readonly freeze: Writes<Name>;
  readonly counters: readonly Name[];
  /** Why this order. */
  readonly because: string;
  /**
   * The bits of a listed register that are the guest's, and so travel and are frozen, under a policy and on a CPU; the others stay on the physical CPU,
   * untouched. 0: the whole register stays. Default: all bits travel.
   */
  travels?(register: Name, policy: PolicyName, cpu: CpuModel): bigint;
}

/** Control-register writes that make the hardware do what the policy demands for this vCPU. */
export type Enforce<Name extends string = string> = (demand: Demand, view: View) => Writes<Name>;
