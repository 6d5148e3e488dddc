/** A CPU model of the table, as core would hand it over. */
import type { CpuModel } from '@countervisor/contract';
import { cpus } from '../features.ts';

export function cpuRow(name: string, settings: Readonly<Record<string, number>> = {}): CpuModel {
  const row = cpus[name];
  if (row === undefined) throw new Error(`There is no CPU model ${name}.`);
  return { ...row, name, features: new Set(row.features), settings: { ...row.settings, ...settings } };
}
