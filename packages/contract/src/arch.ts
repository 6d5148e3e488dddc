/** The plugin: everything an architecture tells the hypervisor. */
import type { CpuFeature, CpuRow, CpuSetting } from './cpu.ts';
import type { Extension } from './extend.ts';
import type { Hypercalls } from './hypercall.ts';
import type { Isa } from './isa.ts';
import type { None } from './none.ts';
import type { Personality } from './personality.ts';
import type { Platform } from './platform.ts';
import type { Pmu } from './pmu.ts';
import type { Enforce, PolicyName, SwitchPlan } from './policy.ts';
import type { Register } from './register.ts';
import type { Sampling } from './sampling.ts';
import type { ToolstackHalf } from './toolstack.ts';
import type { Cause, Trap, TrapGroup } from './trap.ts';
import type { View } from './view.ts';

/** The shape of this package. It moves when an older plugin would be misunderstood. */
export const CONTRACT = 1;

export interface Arch<
  R extends string = string,
  L extends string = string,
  G extends string = string,
  C extends string = string,
> {
  readonly name: string;
  readonly contract: typeof CONTRACT;
  /** Named capabilities it must be granted. */
  readonly needs: readonly string[];
  readonly offers: { readonly policies: readonly PolicyName[] };
  /** Lowest privilege first; the last one is the hypervisor's. */
  readonly levels: readonly L[];
  /** The level a vCPU is at, as an index into `levels`. Asked whenever a register that affects 'level' changes. */
  level(view: Pick<View, 'get'>): number;
  /** An address as the manual writes it, and a row ready to paste, for the diagnostic about a register that no table declares. */
  describe?(space: string, index: number): { readonly text: string; readonly row: string };
  /** How hardware reports this exit to the hypervisor, in the manual's words, for traces. `undefined`: it has no word of its own. */
  exit?(view: View, trap: Trap): string | undefined;
  /** What CPUs can have. Absent: the models' own lists, and no feature stands on another. */
  readonly features?: Readonly<Record<string, CpuFeature>>;
  readonly cpus: Readonly<Record<string, CpuRow>>;
  /** Name of the model used when none is asked for. */
  readonly defaultCpu: string;
  readonly settings: Readonly<Record<string, CpuSetting>>;
  readonly registers: Readonly<Record<R, Register<NoInfer<R>, NoInfer<L>, NoInfer<G>>>>;
  readonly trapGroups: Readonly<Record<G, TrapGroup<NoInfer<R>, NoInfer<L>, NoInfer<C>>>>;
  readonly causes: Readonly<Record<C, Cause>>;
  readonly pmu: Pmu<NoInfer<R>>;
  readonly sampling: None | Sampling;
  readonly enforce: Enforce<NoInfer<R>>;
  readonly switching: SwitchPlan<NoInfer<R>>;
  readonly isa: Isa;
  readonly hypercalls: Hypercalls<NoInfer<R>>;
  readonly platforms: Readonly<Record<string, Platform>>;
  readonly defaultPlatform: string;
  readonly personalities: Readonly<Record<string, Personality<NoInfer<R>>>>;
  /** Its half of domain creation; without one, a domain's configuration has the common keys and checks alone. */
  readonly toolstack?: ToolstackHalf;
  /** Those it is composed with, in order. Whoever composes writes this; an architecture does not. */
  readonly extensions?: readonly Extension[];
}

/** Identity at run time, inference at compile time: a misspelt register is a red line in the editor. */
export function defineArch<
  const R extends string,
  const L extends string,
  const G extends string,
  const C extends string,
>(arch: Arch<R, L, G, C>): Arch<R, L, G, C> {
  return arch;
}
