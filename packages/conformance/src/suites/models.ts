/** CPU models that have or lack a feature. */
import type { Arch } from '@countervisor/contract';
import { Absent } from '../check.ts';

/** A model, as on the command line, that lacks this feature. @throws Absent when none can */
export function modelWithout(arch: Arch, feature: string): string {
  const models = Object.entries(arch.cpus);
  const lacking = models.find(([, row]) => !row.features.includes(feature));
  if (lacking !== undefined) return lacking[0];
  const having = models.find(([, row]) => row.features.includes(feature));
  if (having === undefined) throw new Absent(`no CPU model of ${arch.name} has ${feature}, and none lacks it`);
  return `${having[0]},-${feature}`;
}
