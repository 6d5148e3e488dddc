/** Planted faults for rows that only supervisor state shows: the plugin with one row's lift changed, on core's stepper. */
import type { Arch, Decoded, Lifter } from '@countervisor/contract';
import { planted, watching } from '../mutate.ts';
import { everything } from './stepper.ts';
import type { SystemCase, SystemResult } from './system.ts';
import { type SystemBackend, systemStepper } from './system-cases.ts';

type Lift = Decoded['lift'];

/** What a row raises becomes another interrupt: most have no syndrome that could be wrong. */
const otherwise =
  (lift: Lift): Lift =>
  (b: Lifter) =>
    lift(
      new Proxy(b, {
        get: (target, property) => {
          const value = target[property as keyof Lifter] as unknown;
          if (property === 'raise') return () => target.raise('external');
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
    );

/** One machine for all: a case writes its words anew, so that nothing decoded before it is met again. */
export class MutableStepper {
  #row = '';
  #change: (lift: Lift) => Lift = (lift) => lift;
  #backend: SystemBackend | undefined;

  #arch(): Arch {
    const arch = everything();
    const { isa } = arch;
    return {
      ...arch,
      isa: {
        ...isa,
        decode: (code, pc, mode, view) => {
          const found = isa.decode(code, pc, mode, view);
          return found?.name === this.#row ? { ...found, lift: this.#change(found.lift) } : found;
        },
      },
    };
  }

  /** Runs a case with one row's lifts changed; `undefined` where that has ended the domain. */
  #run(row: string, change: (lift: Lift) => Lift, c: SystemCase): SystemResult | undefined {
    this.#row = row;
    this.#change = change;
    try {
      this.#backend ??= systemStepper(this.#arch());
      return this.#backend.run(c);
    } catch {
      this.#backend = undefined;
      return undefined;
    }
  }

  /** The points that the row's lift passes while its cases run; what it hands to the hypervisor is not among them, since no case gets there. */
  points(row: string, cases: readonly SystemCase[]): readonly string[] {
    const points = new Set<string>();
    for (const c of cases.slice(0, 20)) this.#run(row, watching(points), c);
    points.delete('trap');
    return [...points];
  }

  /** Runs cases with a fault at one point. */
  planted(row: string, point: string): (c: SystemCase) => SystemResult | undefined {
    const change = point === 'raise' ? otherwise : planted(point);
    return (c) => this.#run(row, change, c);
  }
}
