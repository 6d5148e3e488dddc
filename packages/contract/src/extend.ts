/**
 * Extensions: what a package adds to an architecture that it does not own. Plain data in the architecture's own words; several are composed in a stated
 * order, and core refuses by name what does not fit together.
 */
import type { Arch, CONTRACT } from './arch.ts';
import type { Manual } from './conformance.ts';
import type { CpuFeature, CpuRow, CpuSetting } from './cpu.ts';
import type { HypercallService } from './hypercall.ts';
import type { Personality } from './personality.ts';
import type { Platform } from './platform.ts';
import type { PmuEvent } from './pmu.ts';
import type { Enforce, SwitchHooks, Writes } from './policy.ts';
import type { Register } from './register.ts';
import type { Cause, TrapGroup } from './trap.ts';

/** A register's place in an ordered list: at the end, or beside one that is there by then. */
export type Placed<Own extends string = string, Name extends string = string> =
  | Own
  | { readonly register: Own; readonly before: Name }
  | { readonly register: Own; readonly behind: Name };

/** What the models that are there get beside what they have. */
export interface CpuAddition {
  readonly features?: readonly string[];
  /** Features that `+name` may add. */
  readonly optional?: readonly string[];
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly identity?: Readonly<Record<string, bigint>>;
}

/** Registers that travel, and what else is done on a switch: on the way in behind what was there before, on the way out, the mirror image, before it. */
export interface SwitchAddition<Own extends string = string, Name extends string = string> extends SwitchHooks {
  readonly controls?: readonly Placed<Own, Name>[];
  /** Behind the architecture's own. */
  readonly freeze?: Writes<Own>;
  readonly counters?: readonly Placed<Own, Name>[];
  /** Why this order. */
  readonly because: string;
}

/** `R`, `G`, `C`: registers, trap groups and causes of its own; `BR`, `BL`, `BG`, `BC`: registers, levels, groups and causes that are there. */
export interface Extension<
  R extends string = string,
  G extends string = string,
  C extends string = string,
  BR extends string = string,
  BL extends string = string,
  BG extends string = string,
  BC extends string = string,
> {
  /** The package's name: what messages, and other extensions, call it. */
  readonly name: string;
  readonly contract: typeof CONTRACT;
  /** Name of the architecture. */
  readonly extends: string;
  /** Extensions that must be composed before it, by name. */
  readonly after?: readonly string[];
  /** Named capabilities it must be granted. */
  readonly needs?: readonly string[];
  readonly features?: Readonly<Record<string, CpuFeature>>;
  readonly settings?: Readonly<Record<string, CpuSetting>>;
  /** New models. */
  readonly cpus?: Readonly<Record<string, CpuRow>>;
  /** Additions to models that are there, by name; '*' is all of them. */
  readonly models?: Readonly<Record<string, CpuAddition>>;
  readonly registers?: Readonly<Record<R, Register<NoInfer<R | BR>, NoInfer<BL>, NoInfer<G | BG>>>>;
  /** More trap groups of registers that are there: tried behind those they have. */
  readonly traps?: Readonly<Partial<Record<NoInfer<BR>, readonly NoInfer<G | BG>[]>>>;
  readonly trapGroups?: Readonly<Record<G, TrapGroup<NoInfer<R | BR>, NoInfer<BL>, NoInfer<C | BC>>>>;
  readonly causes?: Readonly<Record<C, Cause>>;
  readonly events?: readonly PmuEvent[];
  /** Control writes beside the architecture's, or the personality's: to registers of its own. */
  readonly enforce?: Enforce<NoInfer<R>>;
  readonly switching?: SwitchAddition<NoInfer<R>, NoInfer<R | BR>>;
  /** More hypercall services, by number. */
  readonly services?: Readonly<Record<string, HypercallService>>;
  readonly platforms?: Readonly<Record<string, Platform>>;
  readonly personalities?: Readonly<Record<string, Personality<NoInfer<R | BR>>>>;
}

/** What a package gives the conformance kit beside its extension: the facts of what it adds, written apart from its tables. */
export interface ExtensionConformance {
  readonly manual: Partial<Pick<Manual, 'registers' | 'controls' | 'events' | 'order' | 'carried' | 'calls'>>;
}

/** Hands back the extension; the architecture is there for the editor, which underlines a misspelt register, level, group or cause of either. */
export function defineExtension<
  BR extends string,
  BL extends string,
  BG extends string,
  BC extends string,
  const R extends string = never,
  const G extends string = never,
  const C extends string = never,
>(_base: Arch<BR, BL, BG, BC>, extension: Extension<R, G, C, BR, BL, BG, BC>): Extension {
  // Wider is not safer to the compiler, since functions take these names; whoever composes asks all names again.
  return extension as unknown as Extension;
}
