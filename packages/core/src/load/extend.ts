/**
 * An architecture and extensions of it, composed in the stated order into an ordinary architecture. Nothing is replaced: whatever two packages both
 * declare is refused, naming both, and the result is validated like any other plugin, all problems at once.
 */
import { type Arch, CONTRACT, type CpuAddition, type CpuRow, type Extension } from '@countervisor/contract';
import { near } from '../report/near.ts';
import { loosely } from './names.ts';
import { checkOrder } from './order.ts';
import { calledWith, listOf, ownerOf } from './owner.ts';
import { anchorsOf, type List, placed } from './placed.ts';
import { type Problem, Problems, show } from './problems.ts';
import { PluginRefused, problemsOf } from './validate.ts';

type Table = Readonly<Record<string, unknown>>;

/** Tables in which a name belongs to one package, with the word for what it names. */
const TABLES = {
  registers: 'register',
  trapGroups: 'trap group',
  causes: 'cause',
  features: 'CPU feature',
  settings: 'CPU setting',
  cpus: 'CPU model',
  platforms: 'platform',
  personalities: 'personality',
} as const satisfies Partial<Record<keyof Extension & keyof Arch, string>>;

/**
 * @param base an architecture, extended already or not
 * @param extensions in the order in which they are to stand
 * @throws CV_PLUGIN_REFUSED with all problems: what two packages both declare, orders that cannot be, and whatever `load` would refuse
 */
export function extendArch<R extends string, L extends string, G extends string, C extends string>(
  base: Arch<R, L, G, C>,
  ...extensions: readonly Extension[]
): Arch {
  const problems = new Problems();
  const plain = base as unknown as Arch;
  const before = plain.extensions ?? [];
  checkOrder(problems, plain.name, before, extensions);
  let arch = plain;
  for (const extension of extensions) arch = compose(problems, arch, loosely(extension) as unknown as Extension);
  checkServices(problems, arch);
  const all: readonly Problem[] = [...problems.list, ...problemsOf(arch)];
  if (all.length > 0) throw new PluginRefused(calledWith(arch), all);
  return arch;
}

function compose(problems: Problems, arch: Arch, extension: Extension): Arch {
  const extended: Record<string, unknown> = { ...arch, extensions: [...(arch.extensions ?? []), extension] };
  // One that is written for another contract, or another architecture, would only be misunderstood: `checkOrder` has said so.
  if (extension.contract !== CONTRACT || extension.extends !== arch.name) return extended as unknown as Arch;
  for (const [key, kind] of Object.entries(TABLES) as [keyof typeof TABLES, string][]) {
    if (extension[key] === undefined) continue;
    const own = key === 'features' ? featuresOf(arch) : arch[key];
    extended[key] = joined(problems, arch, extension, kind, loosely(own), loosely(extension[key]), (name) =>
      ownerOf(arch, key, name),
    );
  }
  extended.needs = [...new Set([...arch.needs, ...listOf(extension.needs)])];
  extended.registers = trapped(problems, extended as unknown as Arch, extension);
  extended.cpus = added(problems, extended as unknown as Arch, extension);
  extended.pmu = { ...arch.pmu, events: [...arch.pmu.events, ...listOf(extension.events)] };
  extended.hypercalls = {
    ...arch.hypercalls,
    services: joined(
      problems,
      arch,
      extension,
      'hypercall service',
      loosely(arch.hypercalls.services),
      loosely(extension.services),
      (number) => ownerOf(arch, 'services', number),
    ),
  };
  extended.switching = switched(problems, arch, extension);
  return extended as unknown as Arch;
}

/** An architecture that lists no features has those of its models. */
function featuresOf(arch: Arch): Table {
  if (arch.features !== undefined) return arch.features;
  const names = Object.values(arch.cpus).flatMap((cpu) => [...cpu.features, ...(cpu.optional ?? [])]);
  return Object.fromEntries(names.map((name) => [name, { means: `${name} of ${arch.name}.` }]));
}

function joined(
  problems: Problems,
  arch: Arch,
  extension: Extension,
  kind: string,
  own: Table,
  more: Table,
  owner: (name: string) => string,
): Table {
  const all: [string, unknown][] = Object.entries(own);
  for (const [name, row] of Object.entries(more)) {
    if (Object.hasOwn(own, name)) {
      conflict(problems, arch, extension, kind, name, owner(name));
      continue;
    }
    all.push([name, row]);
  }
  return Object.fromEntries(all);
}

function conflict(problems: Problems, arch: Arch, extension: Extension, kind: string, name: string, other: string) {
  problems.note('CV_EXTENSION_CONFLICT', `${kind} ${name}`, {
    extension: extension.name,
    other,
    kind,
    name,
    base: other === arch.name,
  });
}

function unknown(problems: Problems, where: string, kind: string, name: string, known: readonly string[]): void {
  problems.note('CV_UNKNOWN_NAME', where, { where, kind, name: show(name), near: near(name, known), known });
}

/** More groups for registers that are there. */
function trapped(problems: Problems, arch: Arch, extension: Extension): Table {
  const registers: Record<string, unknown> = { ...arch.registers };
  const groups = Object.keys(arch.trapGroups);
  for (const [name, more] of Object.entries(loosely(extension.traps))) {
    const where = `traps.${name} of ${extension.name}`;
    const row = Object.hasOwn(registers, name) ? loosely(registers[name]) : undefined;
    if (row === undefined) {
      unknown(problems, where, 'register', name, Object.keys(registers));
      continue;
    }
    const traps = Array.isArray(row.traps) ? [...(row.traps as unknown[])] : [];
    for (const group of problems.texts(where, more)) {
      if (!groups.includes(group)) unknown(problems, where, 'trap group', group, groups);
      else if (traps.includes(group)) {
        problems.note('CV_LISTED_TWICE', where, { where, name: group, before: `the row of ${name}` });
      } else traps.push(group);
    }
    registers[name] = { ...row, traps };
  }
  return registers;
}

/** Additions to CPU models that are there. */
function added(problems: Problems, arch: Arch, extension: Extension): Table {
  const cpus: Record<string, CpuRow> = { ...arch.cpus };
  for (const [model, addition] of Object.entries(loosely(extension.models))) {
    const where = `models.${model} of ${extension.name}`;
    if (model !== '*' && !Object.hasOwn(cpus, model)) {
      unknown(problems, where, 'CPU model', model, [...Object.keys(cpus), '*']);
      continue;
    }
    for (const name of model === '*' ? Object.keys(cpus) : [model]) {
      const row = cpus[name] as CpuRow;
      const { features, optional, settings, identity } = loosely(addition) as CpuAddition;
      const values = (kind: string, own: Table, more: Table): Table =>
        joined(problems, arch, extension, `${kind} of the CPU model ${name},`, own, more, (key) =>
          addedBy(arch, name, kind, key),
        );
      const has = new Set([...row.features, ...listOf(features)]);
      const able = [...new Set([...(row.optional ?? []), ...listOf(optional)])].filter((feature) => !has.has(feature));
      cpus[name] = {
        ...row,
        features: [...has],
        ...(able.length > 0 && { optional: able }),
        settings: values('settings', loosely(row.settings), loosely(settings)) as CpuRow['settings'],
        identity: values('identity', loosely(row.identity), loosely(identity)) as CpuRow['identity'],
      };
    }
  }
  return cpus;
}

/** Who gave a model this setting or identity value. */
function addedBy(arch: Arch, model: string, kind: string, key: string): string {
  const gives = ({ models }: Extension): boolean =>
    [model, '*'].some((name) => Object.hasOwn(loosely(loosely(loosely(models)[name])[kind]), key));
  return listOf(arch.extensions).find(gives)?.name ?? ownerOf(arch, 'cpus', model);
}

/** The ordered lists of the architecture's own plan, with what travels beside. */
function switched(problems: Problems, arch: Arch, extension: Extension): Arch['switching'] {
  const addition = extension.switching;
  if (typeof addition !== 'object' || addition === null) return arch.switching;
  const list = (name: List): readonly string[] => {
    const before = arch.switching[name];
    const after = placed(before, addition[name]);
    for (const anchor of anchorsOf(addition[name])) {
      if (after.includes(anchor)) continue;
      unknown(problems, `switching.${name} of ${extension.name}`, 'carried register', anchor, after);
    }
    for (const register of after.filter((one, i) => after.indexOf(one) < i && before.includes(one))) {
      conflict(problems, arch, extension, 'carried register', register, carrier(arch, name, register));
    }
    return [...new Set(after)];
  };
  return {
    ...arch.switching,
    controls: list('controls'),
    freeze: [...arch.switching.freeze, ...listOf(addition.freeze)],
    counters: list('counters'),
    because: `${arch.switching.because} ${extension.name}: ${addition.because}`,
  };
}

const carrier = (arch: Arch, list: List, register: string): string =>
  listOf(arch.extensions).find(({ switching }) => placed([], switching?.[list]).includes(register))?.name ?? arch.name;

/** A service that some personality answers under the same number would never be reached there. */
function checkServices(problems: Problems, arch: Arch): void {
  for (const extension of listOf(arch.extensions)) {
    const own = Object.keys(loosely(extension.services));
    for (const [name, personality] of Object.entries(loosely(arch.personalities))) {
      const owner = ownerOf(arch, 'personalities', name);
      if (owner === extension.name) continue;
      const theirs = loosely(loosely(personality).services);
      for (const number of own.filter((one) => Object.hasOwn(theirs, one))) {
        conflict(problems, arch, extension, 'hypercall service', `${number} (of the personality ${name})`, owner);
      }
    }
  }
}
