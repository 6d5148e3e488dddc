/** Checks of what surrounds the instruction set: CPU models and their settings, platforms, personalities. */

import { checkLists, checkWrites, PLAN } from './counting.ts';
import { foundations, settingAllows, settingValues } from './cpu.ts';
import { checkServices } from './execution.ts';
import { loosely, type Names } from './names.ts';
import { type Problems, show } from './problems.ts';
import { SHAPES } from './shapes.ts';

export function checkCpus(problems: Problems, plugin: Readonly<Record<string, unknown>>, names: Names): void {
  const settings = loosely(plugin.settings);
  for (const [name, thing] of problems.entries('settings', plugin.settings)) {
    const setting = problems.named(`settings.${name}`, thing, 'a setting');
    if (setting === undefined) continue;
    problems.only(`settings.${name}`, setting, SHAPES.setting);
    problems.text(`settings.${name}.means`, setting.means);
    if (settingValues(setting) === undefined) {
      problems.shape(`settings.${name}.values`, 'a list of words or { from, to }', setting.values);
    }
  }
  const after = checkFeatures(problems, plugin.features);
  const rows = problems.entries('cpus', plugin.cpus);
  for (const [name, thing] of rows) {
    const where = `cpus.${name}`;
    const row = problems.named(where, thing, 'a CPU model');
    if (row === undefined) continue;
    problems.only(where, row, SHAPES.cpu);
    problems.text(`${where}.means`, row.means);
    const features = new Set<string>();
    const optional = row.optional === undefined ? [] : problems.texts(`${where}.optional`, row.optional);
    for (const feature of [...problems.texts(`${where}.features`, row.features), ...optional]) {
      if (features.has(feature)) {
        problems.note('CV_LISTED_TWICE', where, { where, name: feature, before: 'the same model' });
      }
      features.add(feature);
    }
    if (after !== undefined) {
      const own = Array.isArray(row.features) ? (row.features as unknown[]) : [];
      for (const feature of features) problems.name(where, 'CPU feature', feature, new Set(Object.keys(after)));
      for (const feature of own.filter((one) => typeof one === 'string')) {
        const missing = foundations(after, feature).find((needed) => !own.includes(needed));
        if (missing === undefined) continue;
        problems.note('CV_CONTRADICTION', where, {
          where,
          why: `has ${feature} without ${missing}, on which it stands`,
          remedy: `Add '${missing}' to its features.`,
        });
      }
    }
    for (const [key, value] of problems.entries(`${where}.settings`, row.settings)) {
      const at = `${where}.settings.${key}`;
      const setting = problems.name(at, 'CPU setting', key, names.settings);
      const values = setting === undefined ? undefined : settingValues(loosely(settings[setting]));
      if (values === undefined || settingAllows(values, value)) continue;
      problems.note('CV_SETTING_VALUE', at, { setting: key, value: show(value), allowed: allowed(values) });
    }
    for (const [key, value] of problems.entries(`${where}.identity`, row.identity)) {
      problems.natural(`${where}.identity.${key}`, value);
    }
    problems.texts(`${where}.deviations`, row.deviations);
  }
  problems.name('defaultCpu', 'CPU model', plugin.defaultCpu, new Set(rows.map(([name]) => name)));
}

/** What each feature stands on; `undefined` when the architecture has no such table. */
function checkFeatures(problems: Problems, table: unknown): Record<string, { readonly after?: string }> | undefined {
  if (table === undefined) return undefined;
  const rows = problems.entries('features', table);
  const known = new Set(rows.map(([name]) => name));
  const stands: Record<string, { readonly after?: string }> = {};
  for (const [name, thing] of rows) {
    // An architecture may keep columns of its own there, such as what identity registers show of a feature.
    const { means, after } = loosely(problems.named(`features.${name}`, thing, 'a feature'));
    problems.text(`features.${name}.means`, means);
    const under =
      after === undefined ? undefined : problems.name(`features.${name}.after`, 'CPU feature', after, known);
    stands[name] = under === undefined ? {} : { after: under };
  }
  return stands;
}

const allowed = (values: readonly string[] | { readonly from: number; readonly to: number }): string =>
  'from' in values ? `a whole number from ${values.from} to ${values.to}` : values.join(', ');

export function checkPlatforms(problems: Problems, plugin: Readonly<Record<string, unknown>>): void {
  const rows = problems.entries('platforms', plugin.platforms);
  for (const [name, thing] of rows) {
    const where = `platforms.${name}`;
    const platform = problems.named(where, thing, 'a platform');
    if (platform === undefined) continue;
    problems.only(where, platform, SHAPES.platform);
    checkOwnName(problems, where, name, platform.name);
    problems.text(`${where}.means`, platform.means);
    checkMap(problems, where, name, platform);
    const images = problems.named(`${where}.images`, platform.images);
    if (images !== undefined) {
      problems.only(`${where}.images`, images, SHAPES.images);
      for (const [i, machine] of problems.items(`${where}.images.elf`, images.elf).entries()) {
        problems.whole(`${where}.images.elf[${i}]`, machine, 0, 0xffff);
      }
      for (const [key, known] of [
        ['classes', [32, 64]],
        ['orders', ['little', 'big']],
      ] as const) {
        if (images[key] === undefined) continue;
        const given = problems.items(`${where}.images.${key}`, images[key]);
        if (given.length > 0 && given.every((one) => (known as readonly unknown[]).includes(one))) continue;
        problems.shape(`${where}.images.${key}`, `a list of ${known.join(' and ')}`, images[key]);
      }
      for (const key of ['elfBase', 'flat']) problems.natural(`${where}.images.${key}`, images[key]);
    }
    for (const [source, line] of problems.entries(`${where}.sources`, platform.sources)) {
      problems.function(`${where}.sources.${source}`, line);
    }
    for (const key of ['interrupt', 'wakes', 'deadline', 'entry', 'start', 'verdict']) {
      problems.function(`${where}.${key}`, platform[key]);
    }
    problems.function(`${where}.latch`, platform.latch, 'optional');
    problems.function(`${where}.code`, platform.code, 'optional');
    const tree = problems.function(`${where}.deviceTree`, platform.deviceTree, 'optional');
    const address = problems.function(`${where}.treeAddress`, platform.treeAddress, 'optional');
    if (tree !== address) {
      problems.note('CV_CONTRADICTION', where, {
        where,
        why: 'has one of deviceTree and treeAddress without the other',
        remedy: 'Write both, or leave out both.',
      });
    }
  }
  problems.name('defaultPlatform', 'platform', plugin.defaultPlatform, new Set(rows.map(([name]) => name)));
}

interface Range {
  readonly space: 'memory' | 'io';
  readonly who: string;
  readonly base: bigint;
  readonly end: bigint;
}

function checkMap(problems: Problems, where: string, name: string, platform: Readonly<Record<string, unknown>>): void {
  const ranges: Range[] = [];
  const ram = problems.named(`${where}.ram`, platform.ram);
  if (ram !== undefined) {
    problems.only(`${where}.ram`, ram, SHAPES.ram);
    const base = problems.natural(`${where}.ram.base`, ram.base);
    const most = problems.natural(`${where}.ram.most`, ram.most);
    if (base !== undefined && most !== undefined)
      ranges.push({ space: 'memory', who: 'the RAM', base, end: base + most });
  }
  const seen = new Set<string>();
  problems.items(`${where}.devices`, platform.devices).forEach((thing, i) => {
    const device = problems.named(`${where}.devices[${i}]`, thing, 'a device');
    if (device === undefined) return;
    const own = problems.text(`${where}.devices[${i}].name`, device.name) ?? `[${i}]`;
    const at = `${where}.devices.${own}`;
    if (seen.has(own)) problems.note('CV_LISTED_TWICE', at, { where: at, name: own, before: 'another device' });
    seen.add(own);
    problems.only(at, device, SHAPES.device);
    problems.oneOf(`${at}.per`, device.per, ['domain', 'vcpu']);
    const sizes = problems.items(`${at}.sizes`, device.sizes);
    if (sizes.some((size) => ![1, 2, 4, 8].includes(size as number))) {
      problems.shape(`${at}.sizes`, 'a list of 1, 2, 4 and 8', device.sizes);
    }
    problems.function(`${at}.state`, device.state);
    for (const key of ['read', 'reading', 'write']) problems.function(`${at}.${key}`, device[key], 'optional');
    if (device.space !== undefined) problems.oneOf(`${at}.space`, device.space, ['io']);
    if (device.range === undefined) return;
    const range = problems.named(`${at}.range`, device.range);
    if (range === undefined) return;
    problems.only(`${at}.range`, range, SHAPES.range);
    const base = problems.natural(`${at}.range.base`, range.base);
    const size = problems.whole(`${at}.range.size`, range.size, 1, Number.MAX_SAFE_INTEGER);
    if (base !== undefined && size !== undefined)
      ranges.push({ space: device.space === 'io' ? 'io' : 'memory', who: own, base, end: base + BigInt(size) });
  });
  ranges.forEach((a, i) => {
    for (const b of ranges.slice(i + 1)) {
      if (a.space !== b.space || a.base >= b.end || b.base >= a.end) continue;
      const at = a.base > b.base ? a.base : b.base;
      problems.note('CV_RANGES_OVERLAP', `${where}.devices`, {
        platform: name,
        a: a.who,
        b: b.who,
        at: `0x${at.toString(16)}`,
      });
    }
  });
}

const MODES = ['compat', 'strict'] as const;

export function checkPersonalities(problems: Problems, table: unknown, names: Names): void {
  const rows = problems.entries('personalities', table);
  if (table !== undefined && rows.length === 0) problems.shape('personalities', 'a table with a personality', table);
  for (const [name, thing] of rows) {
    const where = `personalities.${name}`;
    const row = problems.named(where, thing, 'a personality');
    if (row === undefined) continue;
    problems.only(where, row, SHAPES.personality);
    checkOwnName(problems, where, name, row.name);
    problems.text(`${where}.means`, row.means);
    for (const policy of problems.texts(`${where}.policies`, row.policies)) offered(problems, where, policy, names);
    problems.items(`${where}.quirks`, row.quirks).forEach((thing, i) => {
      const quirk = problems.named(`${where}.quirks[${i}]`, thing, 'a quirk');
      if (quirk !== undefined) problems.only(`${where}.quirks[${i}]`, quirk, SHAPES.quirk);
      for (const key of ['name', 'means', 'source']) problems.text(`${where}.quirks[${i}].${key}`, loosely(quirk)[key]);
    });
    const options = checkOptions(problems, where, row.options);
    for (const key of ['policy', 'settings', 'handlers', 'interrupt']) problems.function(`${where}.${key}`, row[key]);
    for (const key of ['enforce', 'switching']) problems.function(`${where}.${key}`, row[key], 'optional');
    if (row.services !== undefined) checkServices(problems, `${where}.services`, row.services);
    if (row.createdBy !== undefined) problems.oneOf(`${where}.createdBy`, row.createdBy, ['libxl', 'vmm']);
    for (const mode of MODES) checkAnswers(problems, where, row, mode, options, names);
  }
}

/** A personality's options; returns each with its default. */
function checkOptions(problems: Problems, where: string, table: unknown): Record<string, string> {
  const defaults: Record<string, string> = {};
  if (table === undefined) return defaults;
  for (const [name, thing] of problems.entries(`${where}.options`, table)) {
    const at = `${where}.options.${name}`;
    const option = problems.named(at, thing, 'an option');
    if (option === undefined) continue;
    problems.only(at, option, SHAPES.option);
    for (const key of ['means', 'source']) problems.text(`${at}.${key}`, option[key]);
    problems.function(`${at}.problem`, option.problem, 'optional');
    const value =
      typeof option.default === 'string' ? option.default : (problems.text(`${at}.default`, option.default) ?? '');
    defaults[name] = value;
    if (option.values === 'text') continue;
    problems.oneOf(`${at}.default`, value, problems.texts(`${at}.values`, option.values));
  }
  return defaults;
}

/** A personality's tables are behind functions of the mode, so they are asked. */
function checkAnswers(
  problems: Problems,
  where: string,
  row: Readonly<Record<string, unknown>>,
  mode: (typeof MODES)[number],
  options: Readonly<Record<string, string>>,
  names: Names,
): void {
  const ask = (key: string, ...args: unknown[]): { readonly answer: unknown; readonly at: string } | undefined => {
    const method = row[key];
    if (typeof method !== 'function') return undefined;
    const at = `${where}.${key}(${args
      .filter((arg) => typeof arg !== 'object')
      .map(show)
      .join(', ')})`;
    try {
      return { answer: Reflect.apply(method, row, args), at };
    } catch (error) {
      return problems.note('CV_THREW', at, {
        where: at,
        message: error instanceof Error ? error.message : String(error),
      });
    }
  };
  for (const vpmu of [false, true]) {
    const policy = ask('policy', mode, vpmu, options);
    if (policy !== undefined) offered(problems, policy.at, policy.answer, names);
    const settings = ask('settings', mode, vpmu, options);
    for (const [key, value] of settings === undefined ? [] : problems.entries(settings.at, settings.answer)) {
      if (['string', 'number', 'boolean'].includes(typeof value)) continue;
      problems.shape(`${settings?.at}.${key}`, 'a text, a number, true or false', value);
    }
  }
  const handlers = ask('handlers', mode, options);
  for (const [cause, handler] of handlers === undefined ? [] : problems.entries(handlers.at, handlers.answer)) {
    const at = `${handlers?.at}.${cause}`;
    problems.name(at, 'cause', cause, names.causes);
    problems.function(at, handler);
  }
  const switching = ask('switching', mode);
  const plan = switching === undefined ? undefined : problems.named(switching.at, switching.answer);
  if (switching === undefined || plan === undefined) return;
  problems.only(switching.at, plan, PLAN);
  checkLists(problems, switching.at, plan, names, 'partial');
  if (plan.freeze !== undefined) checkWrites(problems, `${switching.at}.freeze`, plan.freeze, names);
}

function offered(problems: Problems, who: string, policy: unknown, names: Names): void {
  if (typeof policy === 'string' && names.policies.has(policy)) return;
  problems.note('CV_POLICY_NOT_OFFERED', who, { who, policy: String(policy), offered: [...names.policies] });
}

function checkOwnName(problems: Problems, where: string, key: string, name: unknown): void {
  const own = problems.text(`${where}.name`, name);
  if (own === undefined || own === key) return;
  problems.note('CV_CONTRADICTION', where, {
    where,
    why: `is called ${show(own)} inside`,
    remedy: 'Write the same name in both places.',
  });
}
