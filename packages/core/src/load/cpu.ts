/** CPU models: from `MODEL[,+feature,-feature]` and a host file's settings to the facts that an architecture's functions see. */
import type { Arch, CpuModel, CpuRow } from '@countervisor/contract';
import { fail } from '../report/errors.ts';
import { near } from '../report/near.ts';
import { show } from './problems.ts';

type Values = readonly string[] | { readonly from: number; readonly to: number };
type Setting = string | number | boolean;

/** What a setting's row allows, `undefined` when the row is malformed. */
export function settingValues(row: Readonly<Record<string, unknown>>): Values | undefined {
  const { values } = row;
  if (Array.isArray(values))
    return values.length > 0 && values.every((v) => typeof v === 'string') ? values : undefined;
  if (typeof values !== 'object' || values === null) return undefined;
  const { from, to } = values as { from?: unknown; to?: unknown };
  return Number.isInteger(from) && Number.isInteger(to) && Number(from) <= Number(to)
    ? { from: Number(from), to: Number(to) }
    : undefined;
}

export function settingAllows(values: Values, value: unknown): value is Setting {
  if ('from' in values) return Number.isInteger(value) && Number(value) >= values.from && Number(value) <= values.to;
  return (typeof value === 'string' || typeof value === 'boolean') && values.includes(String(value));
}

/**
 * The CPU model that a command line or a host file asks for.
 * @param spec `MODEL`, or `MODEL,+feature,-feature`; an empty one is the architecture's default model
 * @param settings from the host file, over the model's own
 * @throws CV_CPU_SPEC, CV_UNKNOWN_CPU, CV_UNKNOWN_FEATURE, CV_FEATURE_IMPOSSIBLE, CV_UNKNOWN_SETTING, CV_SETTING_VALUE
 */
export function cpuModel(arch: Arch, spec = '', settings: Readonly<Record<string, unknown>> = {}): CpuModel {
  const [model = '', ...changes] = spec.split(',');
  if (/^[+-]/.test(model) || (model === '' && changes.length > 0)) {
    throw fail('CV_CPU_SPEC', { spec, why: 'does not begin with the name of a model' });
  }
  const name = model === '' ? arch.defaultCpu : model;
  const row = Object.hasOwn(arch.cpus, name) ? arch.cpus[name] : undefined;
  if (row === undefined) {
    const known = Object.keys(arch.cpus);
    throw fail('CV_UNKNOWN_CPU', { arch: arch.name, name: show(name), near: near(name, known), known });
  }
  return Object.freeze({
    name: changes.length === 0 ? name : `${name},${changes.join(',')}`,
    features: featuresOf(arch, name, row, spec, changes),
    settings: Object.freeze({ ...row.settings, ...settingsOf(arch, settings) }),
    identity: row.identity,
    deviations: row.deviations,
  });
}

/** A feature and all it stands on, itself first. */
export function foundations(
  features: Readonly<Record<string, { readonly after?: string }>>,
  feature: string,
): string[] {
  const chain: string[] = [];
  for (let at: string | undefined = feature; at !== undefined && !chain.includes(at); at = features[at]?.after) {
    chain.push(at);
  }
  return chain;
}

function featuresOf(
  arch: Arch,
  cpu: string,
  row: CpuRow,
  spec: string,
  changes: readonly string[],
): ReadonlySet<string> {
  const known = new Set(Object.values(arch.cpus).flatMap((c) => [...c.features, ...(c.optional ?? [])]));
  const optional = row.optional ?? [];
  const features = new Set(row.features);
  const under = (feature: string): string[] => foundations(arch.features ?? {}, feature);
  const asked = new Map<string, boolean>();
  for (const change of changes) {
    const feature = change.slice(1);
    const adds = change.startsWith('+');
    if (!adds && !change.startsWith('-')) {
      throw fail('CV_CPU_SPEC', { spec, why: `has ${show(change)} where +feature or -feature belongs` });
    }
    if (!known.has(feature)) {
      const all = [...known];
      throw fail('CV_UNKNOWN_FEATURE', { arch: arch.name, name: show(feature), near: near(feature, all), known: all });
    }
    if (asked.has(feature)) throw fail('CV_CPU_SPEC', { spec, why: `names ${feature} twice` });
    asked.set(feature, adds);
    for (const needed of adds ? under(feature) : [feature]) {
      if (row.features.includes(needed) || optional.includes(needed)) continue;
      throw fail('CV_FEATURE_IMPOSSIBLE', { cpu, feature: needed, verb: adds ? 'add' : 'remove', optional });
    }
    if (adds) for (const needed of under(feature)) features.add(needed);
    else for (const other of [...features]) if (under(other).includes(feature)) features.delete(other);
  }
  for (const [feature, adds] of asked) {
    if (features.has(feature) === adds) continue;
    const why = adds
      ? `adds ${feature} and takes away what it stands on`
      : `takes ${feature} away and adds what stands on it`;
    throw fail('CV_CPU_SPEC', { spec, why });
  }
  return features;
}

function settingsOf(arch: Arch, settings: Readonly<Record<string, unknown>>): Record<string, Setting> {
  const checked: Record<string, Setting> = {};
  const known = Object.keys(arch.settings);
  for (const [name, value] of Object.entries(settings)) {
    const row = Object.hasOwn(arch.settings, name) ? arch.settings[name] : undefined;
    if (row === undefined) {
      throw fail('CV_UNKNOWN_SETTING', { arch: arch.name, name: show(name), near: near(name, known), known });
    }
    const allowed =
      'from' in row.values ? `a whole number from ${row.values.from} to ${row.values.to}` : row.values.join(', ');
    if (!settingAllows(row.values, value))
      throw fail('CV_SETTING_VALUE', { setting: name, value: show(value), allowed });
    checked[name] = value;
  }
  return checked;
}
