/** The names that a plugin's tables declare: what all its other names must be found in. */

export interface Names {
  readonly arch: string;
  readonly levels: ReadonlySet<string>;
  readonly registers: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  readonly causes: ReadonlySet<string>;
  /** Of every CPU model: those it has, and those it can be given. */
  readonly features: ReadonlySet<string>;
  readonly settings: ReadonlySet<string>;
  readonly policies: ReadonlySet<string>;
  /** A register's row as it was written; any shape. */
  register(name: string): Record<string, unknown>;
  /** A name of this table as sentences show it: with its package, where that is an extension. */
  called(table: string, name: string): string;
  /** Can some CPU model have both features at once? `undefined` is a row that needs none. */
  together(a: string | undefined, b: string | undefined): boolean;
}

/** The thing as an object whose properties can be asked for; an empty one when it is none. */
export function loosely(thing: unknown): Record<string, unknown> {
  return typeof thing === 'object' && thing !== null ? (thing as Record<string, unknown>) : {};
}

const strings = (thing: unknown): string[] =>
  Array.isArray(thing) ? thing.filter((item) => typeof item === 'string') : [];
const keys = (thing: unknown): Set<string> => new Set(Object.keys(loosely(thing)));

/** The extension that declares a name in this table; an event is declared in a list. */
export function extensionOf(extensions: unknown, table: string, name: string): string | undefined {
  if (!Array.isArray(extensions)) return undefined;
  for (const extension of extensions) {
    const rows = loosely(extension)[table];
    const has = Array.isArray(rows)
      ? rows.some((row) => loosely(row).name === name)
      : Object.hasOwn(loosely(rows), name);
    if (has) return String(loosely(extension).name);
  }
  return undefined;
}

/** Collected before anything is checked, so that one broken table does not make every other one look wrong. */
export function namesOf(plugin: Record<string, unknown>): Names {
  const cpus = Object.values(loosely(plugin.cpus)).map((row) => {
    const { features, optional } = loosely(row);
    return new Set([...strings(features), ...strings(optional)]);
  });
  const has = (cpu: ReadonlySet<string>, feature: string | undefined): boolean =>
    feature === undefined || cpu.has(feature);
  const rows = loosely(plugin.registers);
  return {
    arch: typeof plugin.name === 'string' ? plugin.name : 'the plugin',
    levels: new Set(strings(plugin.levels)),
    registers: keys(rows),
    groups: keys(plugin.trapGroups),
    causes: keys(plugin.causes),
    features: new Set(cpus.flatMap((cpu) => [...cpu])),
    settings: keys(plugin.settings),
    policies: new Set(strings(loosely(plugin.offers).policies)),
    register: (name) => loosely(Object.hasOwn(rows, name) ? rows[name] : undefined),
    called: (table, name) => {
      const owner = extensionOf(plugin.extensions, table, name);
      return owner === undefined ? name : `${name} (${owner})`;
    },
    together: (a, b) => cpus.some((cpu) => has(cpu, a) && has(cpu, b)),
  };
}
