/** From flags and the host file to the machine that is asked for. Flags win; whoever wrote the wrong word is told where. */
import {
  type Arch,
  type Mode,
  type Personality,
  type PersonalityOptions,
  type Place,
  POLICIES,
  type PolicyName,
} from '@countervisor/contract';
import {
  chosenOptions,
  compile,
  cpuModel,
  didYouMean,
  type EngineName,
  fail,
  load,
  type MachineConfig,
  near,
} from '@countervisor/core';
import { at, fromCommandLine, UsageError } from './exit.ts';
import { type Host, partPersonality } from './host.ts';

/** The selection flags that every command with a guest takes. */
export interface SelectionFlags {
  readonly host?: string;
  readonly arch?: string;
  /** Packages or paths that extend it, in order. */
  readonly extension?: readonly string[];
  readonly cpu?: string;
  readonly policy?: string;
  readonly personality?: string;
  readonly option?: readonly string[];
  readonly platform?: string;
  readonly engine?: string;
  readonly slice?: number;
  readonly pcpus?: number;
  readonly until?: number;
  readonly set?: readonly string[];
}

export interface Selected {
  readonly arch: Arch;
  readonly machine: MachineConfig;
  readonly personality: Personality;
  readonly mode: Mode;
  /** Each option of the personality with its value. */
  readonly options: PersonalityOptions;
  /** In place of the personality's choice, for domains with a vPMU. */
  readonly policy: PolicyName | undefined;
}

/** An error in a word: of the command line when the flag was given, else of the host file at this member. */
function blame<T>(flag: unknown, host: Host, path: readonly string[], body: () => T): T {
  if (flag !== undefined) return fromCommandLine(body);
  const place: Place | undefined = host.json?.place(path);
  return at(place, body);
}

const ENGINES = ['auto', 'translator', 'stepper'] as const;

/** The engine's name, checked. */
export function checkEngine(engine: string | undefined): EngineName | undefined {
  if (engine === undefined || (ENGINES as readonly string[]).includes(engine)) return engine as EngineName | undefined;
  throw new UsageError(
    'CV_USAGE',
    `There is no engine '${engine}'.`,
    didYouMean(engine, ENGINES, 'Engines: auto, translator, stepper; all give the same results.'),
  );
}

function policyOf(text: string | undefined): PolicyName | undefined {
  if (text === undefined || (POLICIES as readonly string[]).includes(text)) return text as PolicyName | undefined;
  throw new UsageError(
    'CV_USAGE',
    `There is no policy '${text}'.`,
    didYouMean(text, POLICIES, `Policies: ${POLICIES.join(', ')}.`),
  );
}

/** A pair key=value; the table has the keys that there are. */
function keyAndValue(flag: string, pair: string, table: object): readonly [key: string, value: string] {
  const split = pair.indexOf('=');
  if (split >= 1) return [pair.slice(0, split), pair.slice(split + 1)];
  throw new UsageError(
    'CV_USAGE',
    `${flag} takes key=value, and '${pair}' is none.`,
    `Keys: ${Object.keys(table).join(', ') || 'none'}.`,
  );
}

/** key=value pairs of --set, as the CPU's settings rows want them: numbers where they are numbers. */
function settingsOf(arch: Arch, pairs: readonly string[]): Record<string, string | number> {
  const settings = new Map<string, string | number>();
  for (const pair of pairs) {
    const [name, value] = keyAndValue('--set', pair, arch.settings);
    const row = Object.hasOwn(arch.settings, name) ? arch.settings[name] : undefined;
    const numeric = row !== undefined && !Array.isArray(row.values) && /^[0-9]{1,15}$/.test(value);
    settings.set(name, numeric ? Number(value) : value);
  }
  // Whatever its name is: '__proto__' = … by assignment would be lost.
  return Object.fromEntries(settings);
}

function personalityOf(arch: Arch, text: string | undefined): { personality: Personality; mode: Mode } {
  const known = Object.keys(arch.personalities);
  const { name, mode, odd } = partPersonality(text ?? (known[0] as string));
  if (odd !== undefined) {
    const meant = near(odd, ['compat', 'strict']);
    throw new UsageError(
      'CV_USAGE',
      `A personality has no mode '${odd}'.`,
      meant === undefined ? 'Modes: compat, strict.' : `Did you mean '${name}:${meant}'?`,
    );
  }
  const personality = Object.hasOwn(arch.personalities, name) ? arch.personalities[name] : undefined;
  if (personality === undefined)
    throw fail('CV_UNKNOWN_PERSONALITY', { arch: arch.name, name, near: near(name, known), known });
  return { personality, mode: mode ?? 'compat' };
}

function checkPlatform(arch: Arch, name: string | undefined): void {
  if (name === undefined || Object.hasOwn(arch.platforms, name)) return;
  const known = Object.keys(arch.platforms);
  throw fail('CV_UNKNOWN_PLATFORM', { arch: arch.name, name, near: near(name, known), known });
}

function checkCosts(arch: Arch, host: Host): void {
  const known = Object.keys(arch.isa.costs);
  for (const name of Object.keys(host.file.costs ?? {})) {
    if (known.includes(name)) continue;
    at(host.json?.place(['costs', name]), () => {
      throw fail('CV_UNKNOWN_NAME', { where: "'costs'", kind: 'cost class', name, near: near(name, known), known });
    });
  }
}

/** Drops members that are not there: core's options are exact. */
function present<T extends object>(options: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** @throws UsageError for flags, CountervisorError with a place for the host file */
export function select(plugin: Arch, flags: SelectionFlags, host: Host): Selected {
  const { file } = host;
  checkEngine(flags.engine);
  const arch = load(plugin);
  const { personality, mode } = blame(flags.personality, host, ['personality'], () =>
    personalityOf(arch, flags.personality ?? file.personality),
  );
  for (const [name, value] of Object.entries(file.options ?? {})) {
    blame(undefined, host, ['options', name], () => chosenOptions(personality, { [name]: value }));
  }
  const asked = Object.fromEntries(
    (flags.option ?? []).map((pair) => keyAndValue('--option', pair, personality.options ?? {})),
  );
  const options = fromCommandLine(() => chosenOptions(personality, { ...file.options, ...asked }));
  const policy = policyOf(flags.policy ?? file.policy);
  if (policy !== undefined && !(personality.policies.includes(policy) && arch.offers.policies.includes(policy))) {
    const offered = personality.policies.filter((p) => arch.offers.policies.includes(p));
    throw fail('CV_POLICY_NOT_OFFERED', { who: personality.name, policy, offered });
  }
  blame(flags.platform, host, ['platform'], () => checkPlatform(arch, flags.platform ?? file.platform));
  checkCosts(arch, host);

  const cpu = flags.cpu ?? file.cpu ?? arch.defaultCpu;
  blame(flags.cpu, host, ['cpu'], () => cpuModel(arch, cpu));
  for (const [name, value] of Object.entries(file.settings ?? {})) {
    blame(undefined, host, ['settings', name], () => cpuModel(arch, cpu, { [name]: value }));
  }
  const own = settingsOf(arch, flags.set ?? []);
  fromCommandLine(() => cpuModel(arch, cpu, own));

  const { hypervisor, costs } = file;
  const cpuSettings = { ...file.settings, ...own };
  const machine: MachineConfig = present({
    arch,
    cpu,
    cpuSettings,
    // Once for all runs of a plan: most of what making a machine costs.
    compiled: compile(arch, cpuModel(arch, cpu, cpuSettings)),
    pcpus: flags.pcpus ?? file.pcpus,
    personality: personality.name,
    mode,
    options,
    platform: flags.platform ?? file.platform,
    time: file.time,
    slice: flags.slice ?? file.slice,
    quantum: file.quantum,
    costs: costs && Object.fromEntries(Object.entries(costs).map(([name, cost]) => [name, present(cost)])),
    hypervisor:
      hypervisor &&
      present({
        trap: hypervisor.trap && present(hypervisor.trap),
        switch: hypervisor.switch && present(hypervisor.switch),
      }),
    unmodelled: file.unmodelled,
    engine: checkEngine(flags.engine),
  }) as MachineConfig;
  return { arch, machine, personality, mode, options, policy };
}
