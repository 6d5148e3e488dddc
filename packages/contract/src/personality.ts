/** Personalities: a real hypervisor's ways, as data over the architecture's own. */
import type { CpuModel } from './cpu.ts';
import type { HypercallService } from './hypercall.ts';
import type { Demand, PolicyName, SwitchPlan, Writes } from './policy.ts';
import type { TrapHandler } from './trap.ts';
import type { View } from './view.ts';

/** One way in which the real system differs from the manual or from what its reviewers asked for. */
export interface Quirk {
  readonly name: string;
  readonly means: string;
  /** Where it was seen: commit, thread, section. */
  readonly source: string;
}

export type Mode = 'compat' | 'strict';

/** What a real system leaves to its administrator: a boot option, a module's parameter. */
export interface PersonalityOption {
  readonly means: string;
  /** Words that it may be; 'text': `problem` judges. */
  readonly values: readonly string[] | 'text';
  readonly default: string;
  /** Why a text is refused, in words that follow its name; `undefined` when it is not. Pure. */
  problem?(text: string): string | undefined;
  /** Where it was seen. */
  readonly source: string;
}

/** Each option of a personality with its value. */
export type PersonalityOptions = Readonly<Record<string, string>>;

export interface Personality<Name extends string = string> {
  readonly name: string;
  readonly means: string;
  /** The policy for a domain with vPMU asked for, and without. */
  policy(mode: Mode, vpmu: boolean, options: PersonalityOptions): PolicyName;
  /** Why it cannot have a domain with this policy on such a CPU, in words that follow its name; `undefined` when it can. Pure. */
  unable?(policy: PolicyName, cpu: CpuModel, options: PersonalityOptions): string | undefined;
  /** Policies it can be told to use instead. */
  readonly policies: readonly PolicyName[];
  readonly options?: Readonly<Record<string, PersonalityOption>>;
  /** Kept in compat, repaired in strict. */
  readonly quirks: readonly Quirk[];
  /** Facts for `View.settings`, per domain. */
  settings(mode: Mode, vpmu: boolean, options: PersonalityOptions): Readonly<Record<string, string | number | boolean>>;
  /** Handlers that replace the architecture's, by cause. */
  handlers(mode: Mode, options: PersonalityOptions): Readonly<Record<string, TrapHandler>>;
  /** Control writes instead of the architecture's own; done on every switch to a vCPU, last, and not for idle. */
  enforce?(mode: Mode, demand: Demand, view: View): Writes<Name>;
  /** Registers that travel although the policy alone would leave them, or other orders. */
  switching?(mode: Mode): Partial<SwitchPlan<Name>>;
  /** More hypercall services, by number. */
  readonly services?: Readonly<Record<string, HypercallService>>;
  /** Does the PMU's interrupt reach the guest? */
  interrupt(mode: Mode, vpmu: boolean, options: PersonalityOptions): boolean;
  /**
   * Who creates its domains: libxl, with its own refusals and then the hypervisor's (`Arch.toolstack` has the architecture's half of both), or a VMM
   * that asks for nothing but the vPMU. Default: libxl.
   */
  readonly createdBy?: 'libxl' | 'vmm';
}
