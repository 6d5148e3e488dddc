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

/** The plugin, with one row's lifts changed. */
function changed(row: string, change: (lift: Lift) => Lift): Arch {
  const arch = everything();
  const { isa } = arch;
  return {
    ...arch,
    isa: {
      ...isa,
      decode: (code, pc, mode, view) => {
        const found = isa.decode(code, pc, mode, view);
        return found?.name === row ? { ...found, lift: change(found.lift) } : found;
      },
    },
  };
}

export class MutableStepper {
  /** The points that the row's lift passes while its cases run; what it hands to the hypervisor is not among them, since no case gets there. */
  points(row: string, cases: readonly SystemCase[]): readonly string[] {
    const points = new Set<string>();
    const backend = systemStepper(changed(row, watching(points)));
    for (const c of cases.slice(0, 20)) backend.run(c);
    points.delete('trap');
    return [...points];
  }

  /** Runs a case with a fault at one point; `undefined` where the fault has ended the domain. */
  planted(row: string, point: string): (c: SystemCase) => SystemResult | undefined {
    const change = point === 'raise' ? otherwise : planted(point);
    let backend: SystemBackend | undefined;
    return (c) => {
      try {
        backend ??= systemStepper(changed(row, change));
        return backend.run(c);
      } catch {
        return undefined;
      }
    };
  }
}
